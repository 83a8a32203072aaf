//! What `only_for`, `named` and `dry_run` change: how a pipeline holds a guard, and nothing in the
//! guard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fusebox::breaker::BreakerState;
use fusebox::budget::TokenBudgetBuilder;
use fusebox::call::Signal;
use fusebox::event::{BreakerEvent, PipelineEvent};
use fusebox::guard::{Cx, State, Verdict};
use fusebox::tokens::{Framing, Measurement, Model, TokenCount};
use fusebox::{
    Admission, Call, DocumentType, Error, ErrorKind, ErrorRateBreaker, EventKind, FailureKind,
    Guard, LineUp, Pipeline, Report, RouteLedger, Severity, Ticket, TokenBudget, Version,
};

use crate::support::{Bench, call, line_up};

fn contract() -> DocumentType {
    DocumentType::new("contract").unwrap()
}

#[test]
fn the_event_of_a_guard_for_one_type_names_the_type() {
    let guard = ErrorRateBreaker::default().only_for(contract());
    let bench = Bench::with(line_up(), |builder| builder.guard(guard));
    for _ in 0..5 {
        bench.permit("invoice").fail(FailureKind::ServerError);
        bench.permit("contract").fail(FailureKind::ServerError);
    }
    let events = bench.events();
    let pages: Vec<_> = events
        .iter()
        .filter(|event| event.severity == Severity::Page)
        .collect();
    let [page] = pages.as_slice() else {
        panic!("{pages:?}");
    };
    assert_eq!(page.only_for, Some(contract()));
    let said = page.to_string();
    assert!(said.contains("contract"), "{said}");
}

/// A guard whose state cannot be read.
#[derive(Debug)]
struct Forgetful;

impl Guard for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        State::write(&"what was I saying", cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        state.read::<u64>(cx).map(|_| ())
    }
}

#[test]
fn stored_state_and_errors_carry_the_given_name() {
    let bench = Bench::with(line_up(), |builder| {
        builder.guard(Forgetful.named("contracts"))
    });
    let snapshot = bench.pipeline.snapshot().unwrap();
    assert_eq!(snapshot.guards().collect::<Vec<_>>(), ["contracts"]);
    let error = bench.pipeline.restore(&snapshot).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(
        error.to_string().starts_with("state of `contracts`: "),
        "{error}"
    );
}

#[test]
fn a_breaker_under_another_name_finds_its_state_again() {
    let bench = Bench::with(line_up(), |builder| {
        builder.guard(ErrorRateBreaker::default().named("contracts"))
    });
    bench.fail(5);
    let breaker = Arc::new(ErrorRateBreaker::default());
    let next = Bench::with(line_up(), |builder| {
        builder.guard(Arc::clone(&breaker).named("contracts"))
    });
    let snapshot = bench.pipeline.snapshot().unwrap();
    next.pipeline.restore(&snapshot).unwrap();
    let v7 = line_up().stable().id().clone();
    assert_eq!(breaker.state(&v7), BreakerState::Latched);
    let mut text = serde_json::to_value(&snapshot).unwrap();
    text["guards"]["contracts"]["format"] = 99.into();
    let other = serde_json::from_value(text).unwrap();
    let error = next.pipeline.restore(&other).unwrap_err().to_string();
    assert!(error.starts_with("state of `contracts`: "), "{error}");
}

fn small_budget() -> TokenBudgetBuilder {
    let model = |name, window| {
        let model = Model::new(name, window).unwrap();
        model.with_framing(Framing::NONE)
    };
    TokenBudget::builder()
        .model(model("small", 10_000))
        .fallback(model("large", 100_000))
}

fn small() -> LineUp {
    LineUp::new(
        Version::new("v7", "small")
            .unwrap()
            .with_system_prompt_tokens(1_000)
            .with_reserved_answer_tokens(1_000),
    )
}

#[test]
fn a_budget_that_only_watches_leaves_no_mark_on_the_ticket() {
    let alone = Bench::with(small(), |builder| {
        builder.guard(small_budget().build().unwrap().dry_run())
    });
    let admission = alone.pipeline.admit(&call("inv-1", "invoice"));
    assert_eq!(admission.ticket().measurement(), None);
}

/// Marks every call with its own number, and the stage with it.
#[derive(Debug)]
struct Measures(&'static str, u64);

impl Guard for Measures {
    fn name(&self) -> &'static str {
        self.0
    }

    fn check(&self, _: &Call<'_>, version: &Version, cx: &Cx<'_>) -> Verdict {
        let prompt = TokenCount::exact(self.1);
        cx.mark_measurement(Measurement::new(version.model().clone(), prompt));
        cx.mark_stage(7);
        Verdict::Proceed
    }
}

/// The watching guard measures more, or less, and comes first, or last.
#[test]
fn what_a_watching_guard_measured_is_never_taken_for_the_real_one_s() {
    for (watching, watches_first) in [(1, true), (1, false), (99, true), (99, false)] {
        let bench = Bench::with(line_up(), |builder| {
            let (real, watching) = (
                Measures("real", 50),
                Measures("watching", watching).dry_run(),
            );
            if watches_first {
                builder.guard(watching).guard(real)
            } else {
                builder.guard(real).guard(watching)
            }
        });
        let admission = bench.pipeline.admit(&call("inv-1", "invoice"));
        let measurement = admission.ticket().measurement().unwrap();
        assert_eq!(measurement.prompt(), TokenCount::exact(50));
        assert_eq!(measurement.guard(), Some("real"));
    }
}

#[test]
fn of_two_measurements_the_order_of_guards_does_not_choose() {
    let measured = |first, second| {
        let bench = Bench::with(line_up(), |builder| builder.guard(first).guard(second));
        let admission = bench.pipeline.admit(&call("inv-1", "invoice"));
        admission.ticket().measurement().unwrap().prompt()
    };
    let forward = measured(Measures("a", 50), Measures("b", 60));
    assert_eq!(forward, measured(Measures("b", 60), Measures("a", 50)));
}

#[test]
fn a_stage_is_marked_by_a_guard_that_acts_and_not_by_one_that_watches() {
    let stage = |bench: &Bench| {
        let admission = bench.pipeline.admit(&call("inv-1", "invoice"));
        admission.ticket().stage()
    };
    let acts = Bench::with(line_up(), |builder| builder.guard(Measures("a", 1)));
    assert_eq!(stage(&acts), Some(7));
    let watches = Bench::with(line_up(), |builder| {
        builder.guard(Measures("a", 1).dry_run())
    });
    assert_eq!(stage(&watches), None);
}

/// A call that only the larger model takes: the measurement for that model stays, whatever else was
/// measured.
#[test]
fn the_measurement_for_the_model_that_is_called_stays() {
    for budget_first in [true, false] {
        let bench = Bench::with(small(), |builder| {
            let budget = small_budget().build().unwrap();
            if budget_first {
                builder.guard(budget).guard(Measures("a", 90_000))
            } else {
                builder.guard(Measures("a", 90_000)).guard(budget)
            }
        });
        let large = Call::new("inv-1", "invoice").unwrap();
        let admission = bench.pipeline.admit(&large.with_document_tokens(20_000));
        let ticket = admission.ticket();
        assert_eq!(*ticket.model(), "large");
        assert_eq!(ticket.measurement().unwrap().model(), ticket.model());
    }
}

/// Refuses every line-up but the first that it sees.
#[derive(Debug, Default)]
struct Fussy(AtomicBool);

impl Guard for Fussy {
    fn name(&self) -> &'static str {
        "fussy"
    }

    fn check_line_up(&self, _: &LineUp) -> Result<(), Error> {
        if self.0.swap(true, Ordering::SeqCst) {
            return Err(Error::invalid("line-up", "v8", "v7"));
        }
        Ok(())
    }
}

#[test]
fn a_guard_that_only_watches_refuses_no_deployment_and_says_so() {
    let next = || LineUp::new(crate::support::version("v8"));
    let acts = Bench::with(line_up(), |builder| builder.guard(Fussy::default()));
    assert!(acts.pipeline.deploy(next()).is_err());
    let watches = Bench::with(line_up(), |builder| {
        builder.guard(Fussy::default().dry_run())
    });
    watches.pipeline.deploy(next()).unwrap();
    assert_eq!(*watches.pipeline.line_up().stable().id(), "v8");
    let events = watches.events();
    let refused = events.iter().find(|event| {
        let kind = &event.kind;
        matches!(kind, EventKind::Pipeline(PipelineEvent::WouldRefuse { .. }))
    });
    let refused = refused.unwrap();
    assert!(refused.dry_run && refused.severity == Severity::Warning);
    assert!(
        refused.to_string().contains("line-up: got `v8`"),
        "{refused}"
    );
}

/// Panics in one of its methods.
#[derive(Debug)]
struct PanicsIn(&'static str);

impl PanicsIn {
    fn step(&self, step: &str) {
        assert!(self.0 != step, "planned");
    }
}

impl Guard for PanicsIn {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn check_line_up(&self, _: &LineUp) -> Result<(), Error> {
        self.step("check_line_up");
        Ok(())
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        self.step("snapshot");
        State::write(&1, cx).map(Some)
    }

    fn restore(&self, _: &State, _: &Cx<'_>) -> Result<(), Error> {
        self.step("restore");
        Ok(())
    }
}

#[test]
fn a_panic_in_a_guard_s_other_methods_is_an_error_and_a_page() {
    let bench = |step| Bench::with(line_up(), |builder| builder.guard(PanicsIn(step)));
    let error = bench("snapshot").pipeline.snapshot().unwrap_err();
    assert_eq!(
        error.to_string(),
        "state of `panics`: the guard panicked while it wrote its state"
    );
    let snapshot = bench("").pipeline.snapshot().unwrap();
    let restoring = bench("restore");
    assert!(restoring.pipeline.restore(&snapshot).is_err());
    assert_eq!(restoring.pages().len(), 1);
    let builder = Pipeline::builder(line_up()).guard(PanicsIn("check_line_up"));
    assert!(builder.build().is_err());
}

/// Counts what it is asked and told.
#[derive(Debug, Default)]
struct Counts(AtomicU64);

impl Guard for Counts {
    fn name(&self) -> &'static str {
        "counts"
    }

    fn check(&self, _: &Call<'_>, _: &Version, _: &Cx<'_>) -> Verdict {
        self.0.fetch_add(1, Ordering::SeqCst);
        Verdict::Proceed
    }

    fn observe(&self, _: &Ticket, _: &Signal, _: &Cx<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_guard_for_one_type_is_not_asked_about_others_and_learns_nothing_of_them() {
    let counts = Arc::new(Counts::default());
    let bench = Bench::with(line_up(), |builder| {
        builder.guard(Arc::clone(&counts).only_for(contract()))
    });
    let _ = bench.permit("invoice").answer(Report::new());
    assert_eq!(counts.0.load(Ordering::SeqCst), 0);
    let _ = bench.permit("contract").answer(Report::new());
    assert_eq!(
        counts.0.load(Ordering::SeqCst),
        3,
        "asked once, told that it opened and ended"
    );
}

#[test]
fn settings_add_up_in_any_order() {
    let one = Bench::with(line_up(), |builder| {
        builder.guard(
            ErrorRateBreaker::default()
                .dry_run()
                .named("a")
                .only_for(contract()),
        )
    });
    for _ in 0..5 {
        one.permit("contract").fail(FailureKind::ServerError);
    }
    let events = one.events();
    let tripped = events.iter().find(|event| {
        let kind = &event.kind;
        matches!(
            kind,
            EventKind::Breaker(BreakerEvent::ErrorRateExceeded { .. })
        )
    });
    let tripped = tripped.unwrap();
    assert_eq!(tripped.guard, "a");
    assert!(tripped.dry_run && tripped.severity == Severity::Warning);
    assert_eq!(tripped.only_for, Some(contract()));
}

#[test]
fn an_absent_guard_adds_nothing() {
    let bench = Bench::with(line_up(), |builder| {
        let absent = None::<ErrorRateBreaker>;
        builder
            .guard(absent.map(|guard| guard.named("absent")))
            .guard(Some(RouteLedger::default()))
    });
    let snapshot = bench.pipeline.snapshot().unwrap();
    assert_eq!(snapshot.guards().collect::<Vec<_>>(), ["ledger"]);
    assert!(matches!(bench.admit("invoice"), Admission::Admitted(_)));
}
