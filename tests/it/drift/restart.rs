//! A restart keeps what is raised, what was learnt and what was said; time does not go back.

use std::time::Duration;

use fusebox::drift::DriftState;
use fusebox::pipeline::Snapshot;
use fusebox::{Confidence, ConfidenceDriftMonitor, Report, Timestamp};
use proptest::prelude::*;

use super::{Bench, HOUR, NOON, confidence, is_accepted, plain, state_of, with_baseline};
use crate::operator::{rebaseline, resolve};

#[test]
fn a_restart_keeps_raised_baseline_and_window() {
    let raised = Bench::new(with_baseline(0.90));
    raised.totals(0.10, 30);
    let next = raised.restarted(plain());
    assert_eq!(next.state(), DriftState::Raised);
    assert_eq!(next.threshold(), Confidence::percent(85));
    assert!(!is_accepted(&next.total(0.84)));
    assert_eq!(next.sink.pages(), [], "paged before the restart");

    let learnt = Bench::new(plain());
    learnt.totals(0.95, 60);
    let learnt = learnt.restarted(plain());
    learnt.totals(0.95, 40);
    learnt.clock.advance(5 * HOUR);
    learnt.totals(0.10, 29);
    let next = learnt.restarted(plain());
    assert_eq!(
        next.drift.means("invoice", "total"),
        learnt.drift.means("invoice", "total")
    );
    assert_eq!(next.state(), DriftState::InsufficientData);
    next.totals(0.10, 1);
    assert_eq!(next.state(), DriftState::Raised);
}

#[test]
fn a_restart_keeps_what_a_person_has_just_said() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 30);
    resolve(&bench.drift, "invoice", "total").unwrap();
    let next = bench.restarted(with_baseline(0.90));
    assert_eq!(next.state(), DriftState::InsufficientData);
    next.pipeline.tick();
    let resolved = next.sink.events().into_iter();
    let resolved = resolved.filter(|event| event.kind.name() == "drift_resolved");
    assert_eq!(resolved.count(), 1, "told by the next process");
    let revision = |bench: &Bench| bench.drift.status("invoice", "total").revision;
    assert_eq!(revision(&next), revision(&bench));
}

#[test]
fn after_a_restart_a_given_baseline_counts_if_it_is_a_new_one() {
    let bench = Bench::new(with_baseline(0.90).baseline_documents(30));
    bench.totals(0.82, 30);
    rebaseline(&bench.drift, "invoice", "total").unwrap();
    bench.pipeline.tick();
    bench.totals(0.82, 30);
    let baseline = |bench: &Bench| bench.drift.means("invoice", "total").baseline;
    let same = bench.restarted(with_baseline(0.90));
    assert_eq!(baseline(&same), Some(confidence(0.82)), "learnt since");
    let other = bench.restarted(with_baseline(0.99));
    assert_eq!(baseline(&other), Some(confidence(0.99)));
    let none = bench.restarted(plain());
    assert_eq!(baseline(&none), Some(confidence(0.82)));
}

#[test]
fn a_restart_with_another_window_starts_an_empty_one() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 29);
    let next = bench.restarted(with_baseline(0.90).window(HOUR).buckets(12));
    assert_eq!(next.state(), DriftState::InsufficientData);
    assert_eq!(next.drift.means("invoice", "total").window_documents, 0);
    next.totals(0.10, 30);
    assert_eq!(next.state(), DriftState::Raised);
}

#[test]
fn a_state_that_cannot_be_is_refused_and_changes_nothing() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 30);
    let text = serde_json::to_string(&bench.pipeline.snapshot().unwrap()).unwrap();
    let baseline = r#""moments":[5000,4500000000,4500000000000]"#;
    assert!(text.contains(baseline));
    for (from, to) in [
        (baseline, r#""moments":[1,18446744073709551615,0]"#),
        (baseline, r#""moments":[18446744073709551615,0,0]"#),
        (baseline, r#""moments":null"#),
        (r#""commands":[]"#, r#""commands":7"#),
        (r#""commands":[],"format":1"#, r#""commands":[],"format":2"#),
    ] {
        assert!(text.contains(from), "{from}");
        let snapshot: Snapshot = serde_json::from_str(&text.replace(from, to)).unwrap();
        let error = bench.pipeline.restore(&snapshot).unwrap_err();
        assert!(error.to_string().contains("confidence-drift"), "{error}");
        assert_eq!(bench.state(), DriftState::Raised);
    }
}

#[test]
fn a_clock_that_jumps_back_an_hour_loses_nothing() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.10, 29);
    bench.clock.set(Timestamp::from_millis(
        NOON.as_millis() - u64::try_from(HOUR.as_millis()).unwrap(),
    ));
    bench.pipeline.tick();
    assert_eq!(bench.state(), DriftState::InsufficientData);
    bench.totals(0.10, 1);
    assert_eq!(bench.state(), DriftState::Raised);
    bench.clock.set(NOON);
    bench.clock.advance(4 * HOUR);
    bench.pipeline.tick();
    assert_eq!(bench.drift.means("invoice", "total").window_documents, 0);
}

proptest! {
    /// A dashboard that reads every status after every document.
    #[test]
    fn looking_changes_nothing(
        scores in prop::collection::vec((0.5_f64..=1.0, 0_u64..1_000), 1..80),
    ) {
        let runs = [false, true].map(|is_looked_at| {
            let bench = Bench::new(ConfidenceDriftMonitor::builder().baseline_documents(20));
            for (n, (score, seconds)) in scores.iter().enumerate() {
                bench.totals(*score, 1);
                bench.clock.advance(Duration::from_secs(*seconds));
                if n % 3 == 0 {
                    let _ = bench.answer("letter", Report::new().confidence("total", 0.9));
                }
                if is_looked_at {
                    let _ = bench.drift.status("invoice", "total");
                    let _ = bench.drift.status("letter", "never");
                }
            }
            bench.pipeline.tick();
            let kinds: Vec<_> = bench.sink.take().into_iter().map(|event| event.kind).collect();
            (bench.drift.status("invoice", "total"), state_of(&bench.drift), kinds)
        });
        prop_assert_eq!(&runs[0], &runs[1]);
    }

    /// The full rules, with a restart after any document: what is decided, said and stored is the
    /// same to the last bit.
    #[test]
    fn a_restart_in_the_middle_of_a_window_changes_no_verdict(
        scores in prop::collection::vec((0.5_f64..=1.0, 0_u64..400), 1..120),
        at in any::<prop::sample::Index>(),
        fall in 0.0_f64..0.4,
    ) {
        let builder = || ConfidenceDriftMonitor::builder().baseline_documents(20);
        let restart = at.index(scores.len());
        let runs = [false, true].map(|restarts| {
            let mut bench = Bench::new(builder());
            let mut events = Vec::new();
            for (n, (score, seconds)) in scores.iter().enumerate() {
                if restarts && n == restart {
                    events.extend(bench.sink.take());
                    bench = bench.restarted(builder());
                }
                let fallen = if n > 40 { fall } else { 0.0 };
                bench.totals((score - fallen).max(0.0), 1);
                bench.clock.advance(Duration::from_secs(*seconds));
                bench.pipeline.tick();
            }
            events.extend(bench.sink.take());
            let kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
            (bench.drift.status("invoice", "total"), state_of(&bench.drift), kinds)
        });
        prop_assert_eq!(&runs[0], &runs[1]);
    }
}
