//! Which guard is a signal for a failure mode, and for which document types.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use fusebox::drill::{FailureMode, Gap, Readiness};
use fusebox::guard::Mounted;
use fusebox::pipeline::Builder;
use fusebox::{
    CanaryPolicy, DocumentType, Error, ErrorRateBreaker, EventKind, Guard, Pipeline, Ratio,
    RouteLedger, Severity, rollout,
};

use super::{drilled, gaps, next, only, outage, pager};
use crate::support::line_up;

#[test]
fn without_anything_every_mode_is_named() {
    let bare = || Ok(Pipeline::builder(line_up()).guard(RouteLedger::default()));
    let found = gaps(Readiness::of(bare, next()));
    let expected = FailureMode::ALL.map(|mode| match mode {
        FailureMode::CallsHang | FailureMode::DocumentsStop => Gap::NoDrill { mode },
        _ => Gap::NoSignal { mode },
    });
    assert_eq!(found[..14], expected);
    assert_eq!(found[14..], [Gap::NoPager, Gap::NoRolloutGuard]);
}

#[test]
fn a_renamed_guard_is_a_signal_and_one_in_a_dry_run_is_none() {
    let mode = FailureMode::CallsFail;
    let first = |mount: fn(ErrorRateBreaker) -> Mounted<ErrorRateBreaker>| {
        let production =
            || Ok(Pipeline::builder(line_up()).guard(mount(ErrorRateBreaker::default())));
        gaps(only(mode, production)).remove(0)
    };
    assert_eq!(
        first(|breaker| breaker.named("calls")),
        Gap::NoDrill { mode }
    );
    assert_eq!(first(Guard::dry_run), Gap::NoSignal { mode });
}

/// A guard of one's own, of which no table knows: it pages for each failure but the first ones.
#[derive(Debug, Default)]
struct PagesForFailures {
    spared: AtomicU32,
}

impl PagesForFailures {
    fn after(failures: u32) -> Self {
        Self {
            spared: failures.into(),
        }
    }
}

impl Guard for PagesForFailures {
    fn name(&self) -> &'static str {
        "pages-for-failures"
    }

    fn observe(
        &self,
        _: &fusebox::Ticket,
        signal: &fusebox::call::Signal,
        cx: &fusebox::guard::Cx<'_>,
    ) {
        if let fusebox::call::Signal::Settled { outcome, .. } = signal {
            let is_failure = matches!(outcome, fusebox::call::Outcome::Failed(_));
            let spare = |left: u32| left.checked_sub(1);
            if is_failure && self.spared.fetch_update(Relaxed, Relaxed, spare).is_err() {
                cx.emit(Severity::Page, EventKind::custom("failed", "a call failed"));
            }
        }
    }
}

#[test]
fn a_guard_of_ones_own_counts_once_a_drill_shows_its_page() {
    let production = || {
        Ok(Pipeline::builder(line_up())
            .guard(PagesForFailures::default())
            .guard(CanaryPolicy::default())
            .sink(pager()))
    };
    let mode = FailureMode::CallsFail;
    assert_eq!(gaps(only(mode, production))[0], Gap::NoSignal { mode });
    let shown = drilled(production, outage());
    assert_eq!(
        gaps(only(mode, production).drilled(&shown)),
        [Gap::NoForecast]
    );
}

type Production = fn() -> Result<Builder, Error>;

fn types<const N: usize>(names: [&str; N]) -> BTreeSet<DocumentType> {
    names.map(|name| DocumentType::new(name).unwrap()).into()
}

fn breaker_for(name: &str) -> Result<Mounted<ErrorRateBreaker>, Error> {
    let breaker = ErrorRateBreaker::default().only_for(DocumentType::new(name)?);
    Ok(breaker.named(format!("{name}s")))
}

fn contracts_only() -> Result<Builder, Error> {
    Ok(Pipeline::builder(line_up())
        .guard(breaker_for("contract")?)
        .guard(CanaryPolicy::default())
        .sink(pager()))
}

const MODE: FailureMode = FailureMode::CallsFail;

/// The covered and the uncovered types, if a gap names them; with the traffic of these types.
fn partial<const N: usize>(
    production: impl Fn() -> Result<Builder, Error>,
    expected: [&str; N],
) -> Option<(BTreeSet<DocumentType>, BTreeSet<DocumentType>)> {
    let asked = only(MODE, production);
    let rates = types(expected).into_iter().map(|name| (name, 5.0));
    let found = if N == 0 {
        gaps(asked)
    } else {
        let traffic = rollout::Traffic::new(rates, Ratio::percent(3)).unwrap();
        gaps(asked.rollout(&CanaryPolicy::default(), &traffic))
    };
    found.into_iter().find_map(|gap| match gap {
        Gap::PartialSignal {
            covered, uncovered, ..
        } => Some((covered, uncovered)),
        _ => None,
    })
}

#[test]
fn a_guard_for_one_type_is_no_signal_for_the_others() {
    let (covered, uncovered) = (types(["contract"]), types([]));
    let gap = Gap::PartialSignal {
        mode: MODE,
        covered: covered.clone(),
        uncovered,
    };
    assert_eq!(
        gap.to_string(),
        "calls fail: guards page for it for `contract` only, and not for every other type; mount \
         one for all types"
    );
    let no_drill = Gap::NoDrill { mode: MODE };
    assert_eq!(gaps(only(MODE, contracts_only))[..2], [gap, no_drill]);
    assert_eq!(
        partial(contracts_only, ["contract", "invoice", "note"]),
        Some((covered, types(["invoice", "note"])))
    );
    assert_eq!(partial(contracts_only, ["contract"]), None);
    let gap = Gap::PartialSignal {
        mode: MODE,
        covered: types(["contract", "form"]),
        uncovered: types(["invoice", "note"]),
    };
    assert_eq!(
        gap.to_string(),
        "calls fail: guards page for it for `contract`, `form` only, and not for `invoice`, \
         `note`; mount one for all types"
    );
}

#[test]
fn guards_for_one_type_each_are_a_signal_for_all_types_that_are_expected() {
    let two = || Ok(contracts_only()?.guard(breaker_for("invoice")?));
    assert_eq!(partial(two, ["contract", "invoice"]), None);
    let (covered, uncovered) = (types(["contract", "invoice"]), types([]));
    assert_eq!(partial(two, []), Some((covered, uncovered)));
    let general = || Ok(two()?.guard(ErrorRateBreaker::default()));
    assert_eq!(partial(general, []), None);
    assert_eq!(partial(general, ["contract", "note"]), None);
    let watched = || Ok(two()?.guard(ErrorRateBreaker::default().dry_run()));
    assert!(partial(watched, []).is_some());
}

fn invoices(guard: PagesForFailures) -> Mounted<PagesForFailures> {
    guard.only_for(DocumentType::new("invoice").unwrap())
}

fn with(guard: Mounted<PagesForFailures>) -> Builder {
    let builder = Pipeline::builder(line_up()).guard(guard);
    builder.guard(CanaryPolicy::default()).sink(pager())
}

/// A page of a guard for invoices says that failing invoices are known.
#[test]
fn a_page_in_a_drill_is_a_signal_for_the_types_of_the_guard_that_paged() {
    let first = |production: Production| {
        let shown = drilled(production, outage());
        gaps(only(MODE, production).drilled(&shown)).remove(0)
    };
    let partial = |covered| Gap::PartialSignal {
        mode: MODE,
        covered: types(covered),
        uncovered: types([]),
    };
    let own: Production = || Ok(with(invoices(PagesForFailures::default())));
    assert_eq!(first(own), partial(["invoice"]));
    let of_all: Production = || Ok(with(PagesForFailures::default().named("mine")));
    assert_eq!(first(of_all), Gap::NoForecast);
    let both: Production = || Ok(contracts_only()?.guard(PagesForFailures::default()));
    assert_eq!(first(both), Gap::NoForecast);
    // The one for invoices is first; alone, the one for all types pages too.
    let slower: Production = || {
        let slower = PagesForFailures::after(3).named("slower");
        Ok(with(invoices(PagesForFailures::default())).guard(slower))
    };
    assert_eq!(first(slower), Gap::NoForecast);
}
