//! Traffic that stays as it is: whatever the rates, a guard pages in 24 hours at most three times
//! for one thing that is wrong, and once more for each further thing; and what lasts for an hour at
//! twice its threshold is open.

use std::collections::{BTreeMap, BTreeSet};

use fusebox::breaker::Probing;
use fusebox::{
    ConfidenceDriftMonitor, DocumentType, ErrorRateBreaker, Event, FailureKind, Report,
    RouteLedger, Severity,
};
use proptest::prelude::*;

use super::history::histories;
use super::open;
use crate::support::{Bench, line_up, minutes, seconds};

/// Calls at one rate, of which even shares fail, are throttled and are abandoned, in tenths of a
/// per cent.
#[derive(Clone, Debug)]
struct Traffic {
    gap: u64,
    failed: u32,
    throttled: u32,
    abandoned: u32,
    kind: FailureKind,
    probes: bool,
    by_type: bool,
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let share = prop_oneof![
        3 => Just(0_u32),
        1 => Just(50),
        2 => 1_u32..150,
        1 => 1_u32..1_000,
        1 => Just(1_000),
    ];
    let kind = prop_oneof![
        Just(FailureKind::ServerError),
        Just(FailureKind::MalformedOutput),
        Just(FailureKind::Auth)
    ];
    let flags = (any::<bool>(), any::<bool>());
    (5_u64..120, share.clone(), share.clone(), share, kind, flags).prop_map(
        |(gap, failed, throttled, abandoned, kind, (probes, by_type))| Traffic {
            gap,
            failed,
            throttled,
            abandoned,
            kind,
            probes,
            by_type,
        },
    )
}

/// Whether the n-th thing is one of so many in a thousand, evenly spread.
fn is_one_of(per_thousand: u32, n: u64) -> bool {
    let share = u64::from(per_thousand);
    (n + 1) * share / 1_000 > n * share / 1_000
}

impl Traffic {
    fn bench(&self) -> Bench {
        let breaker = ErrorRateBreaker::builder().by_document_type(self.by_type);
        let breaker = if self.probes {
            breaker.recovery(Probing::after(minutes(1)))
        } else {
            breaker
        };
        let drift = ConfidenceDriftMonitor::builder().baseline_documents(50);
        let expected = DocumentType::new("invoice").unwrap();
        let ledger = RouteLedger::builder().expect(expected, minutes(60));
        Bench::with(line_up(), |builder| {
            builder
                .guard(breaker.build().unwrap())
                .guard(drift.build().unwrap())
                .guard(ledger.build().unwrap())
        })
    }

    /// The calls of a quarter of an hour that are failures or successes: those that are throttled
    /// or abandoned are neither, and the breaker judges no version by fewer than 100.
    fn judged_in_a_window(&self) -> u64 {
        let other = u64::from(self.throttled + self.abandoned).min(1_000);
        900 / self.gap * (1_000 - other) / 1_000
    }

    fn call(&self, bench: &Bench, n: u64) {
        let kind = if n % 7 == 0 { "contract" } else { "invoice" };
        let Some(permit) = bench.admit(kind).permit() else {
            return;
        };
        if is_one_of(self.failed, n) {
            permit.fail(self.kind);
        } else if is_one_of(self.throttled, n) {
            permit.fail(FailureKind::Throttled);
        } else if is_one_of(self.abandoned, n) {
            drop(permit);
        } else {
            let confidence = 0.80 + f64::from(u32::try_from(n % 20).unwrap()) / 100.0;
            let _ = permit.answer(Report::new().confidence("total", confidence));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories(40)))]

    #[test]
    fn at_most_three_pages_of_a_guard_in_a_day_and_one_for_each_further_thing(traffic in traffic()) {
        let bench = traffic.bench();
        let mut pages: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        let mut next_tick = 0;
        for (n, second) in (0_u64..).zip((0..24 * 3_600).step_by(usize::try_from(traffic.gap).unwrap())) {
            traffic.call(&bench, n);
            bench.clock.advance(seconds(traffic.gap));
            if second >= next_tick {
                next_tick = second + 60;
                bench.pipeline.tick();
            }
            for event in bench.events() {
                if event.severity == Severity::Page {
                    pages.entry(event.guard.clone()).or_default().push(event);
                }
            }
            let is_hour = second + traffic.gap > 3_600 && second <= 3_600;
            let is_busy = traffic.judged_in_a_window() > 110;
            let counts = traffic.kind != FailureKind::Auth;
            if is_hour && is_busy && counts && traffic.failed >= 120 && traffic.abandoned < 500 {
                let is_told = |key: &String| key.starts_with("error-rate/");
                prop_assert!(open(&bench).iter().any(is_told), "after an hour");
            }
        }
        for (guard, pages) in pages {
            let things: BTreeSet<_> = pages.iter().map(thing).collect();
            prop_assert!(pages.len() <= things.len() + 2, "{guard}: {pages:#?}");
        }
    }
}

/// What a page is about: its kind, its incident without the number, and whether it is about one type. That no version is left is
/// told in each incident.
fn thing(page: &Event) -> (String, &'static str, bool) {
    let key = page.incident.as_ref().unwrap().key.to_string();
    let kind = page.kind.name();
    match key.rsplit_once('/') {
        Some((thing, _)) if kind != "exhausted" => {
            (thing.to_owned(), kind, page.only_for.is_some())
        }
        _ => (key, kind, page.only_for.is_some()),
    }
}
