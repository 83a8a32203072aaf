//! The sequential test: how early it finds a fall, and how seldom it is wrong.
//!
//! `FUSEBOX_DRIFT_MONTHS` is the number of simulated months for each distribution, 4 if not set.

use std::time::Duration;

use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftRule, DriftState};
use fusebox::event::DriftEvent;
use fusebox::{Confidence, ConfidenceDriftMonitor, EventKind, Ratio};

use super::{Bench, HOUR, confidence, names};
use crate::chance::Chance;
use crate::operator::resolve;
use crate::support::minutes;

/// The sequential test alone: a mean over a window may fall by 0.60.
fn sequential() -> ConfidenceDriftMonitorBuilder {
    let (invoice, total) = names();
    ConfidenceDriftMonitor::builder()
        .baseline(invoice, total, confidence(0.90), 1_000_000)
        .max_drop(Confidence::percent(60))
}

fn found_by(bench: &Bench) -> Vec<DriftRule> {
    let events = bench.sink.take();
    let found = events.into_iter().filter_map(|event| match event.kind {
        EventKind::Drift(DriftEvent::DriftDetected { rule, .. }) => Some(rule),
        _ => None,
    });
    found.collect()
}

#[test]
fn a_fall_is_found_hours_before_the_mean_over_a_window_shows_it() {
    let (invoice, total) = names();
    let builder = ConfidenceDriftMonitor::builder();
    let bench = Bench::new(builder.baseline(invoice, total, confidence(0.90), 1_000_000));
    let pass = |score: f64, time: Duration| {
        for _ in 0..time.as_secs() / 120 {
            bench.totals(score, 1);
            bench.clock.advance(minutes(2));
        }
    };
    pass(0.90, 8 * HOUR);
    assert_eq!(bench.state(), DriftState::Healthy);
    pass(0.75, minutes(28));
    assert_eq!(bench.state(), DriftState::Raised);
    let window = bench.drift.means("invoice", "total").window;
    assert!(window > Some(confidence(0.87)), "the mean is still near");
    assert_eq!(found_by(&bench), [DriftRule::Sequential]);
}

/// Its first bucket has no bets: those of the month are shared by the segments before it.
#[test]
fn a_segment_takes_part_from_its_second_bucket_on() {
    let bench = Bench::new(sequential());
    bench.totals(0.5, 1_000);
    assert_eq!(bench.state(), DriftState::Healthy);
    bench.clock.advance(minutes(5));
    bench.totals(0.5, 100);
    assert_eq!(bench.state(), DriftState::Raised);
}

#[derive(Clone, Copy, Debug)]
enum Law {
    Beta,
    Bimodal,
    Bernoulli,
}

impl Law {
    /// A score with a mean of 0.89, the lowest mean that is no fall below 0.90.
    fn score(self, chance: &mut Chance) -> f64 {
        let is_high = |chance: &mut Chance, share: f64| chance.uniform() < share;
        match self {
            Self::Beta => chance.beta_18_2() * 0.89 / 0.90,
            // 0.75 * 0.97 + 0.25 * 0.65.
            Self::Bimodal if is_high(chance, 0.75) => 0.97,
            Self::Bimodal => 0.65,
            Self::Bernoulli if is_high(chance, 0.89) => 1.0,
            Self::Bernoulli => 0.0,
        }
    }
}

fn months() -> u32 {
    let wanted = std::env::var("FUSEBOX_DRIFT_MONTHS").ok();
    wanted.and_then(|months| months.parse().ok()).unwrap_or(4)
}

/// Ten a month are allowed, at the lowest mean that is no fall. Alarms come by chance, so their
/// number may exceed the expected one by three of its square roots; that some come shows that the
/// bound is not empty.
#[test]
fn false_alarms_stay_within_their_number_whatever_the_distribution() {
    const ALLOWED: u32 = 10;
    for law in [Law::Beta, Law::Bimodal, Law::Bernoulli] {
        let bench = Bench::new(sequential().false_alarms_a_month(Ratio::percent(100 * ALLOWED)));
        let mut chance = Chance::new(7);
        let mut alarms = 0_u32;
        for n in 0..months() * 30 * 24 * 30 {
            bench.totals(law.score(&mut chance), 1);
            bench.clock.advance(minutes(2));
            if bench.state() == DriftState::Raised {
                alarms += 1;
                resolve(&bench.drift, "invoice", "total").unwrap();
            }
            if n % 100 == 0 {
                let _ = bench.sink.take();
            }
        }
        let expected = f64::from(ALLOWED * months());
        let most = expected + 3.0 * expected.sqrt();
        assert!(f64::from(alarms) <= most, "{law:?}: {alarms} of {expected}");
        assert!(alarms > 0, "{law:?}");
        println!("{law:?}: {alarms} alarms, {expected} allowed");
    }
}

/// Delays in documents of a test that is wrong once in 10,000 documents, with a mean of 0.90 and a
/// margin of 0.01, as simulated in Python: the median, and a tolerance of 50 %.
#[test]
fn a_fall_is_found_after_as_many_documents_as_the_theory_says() {
    // 112 documents in four hours are 2 1/3 in a bucket: 8,640 * 7 / 3 / 10,000 false alarms a month.
    let false_alarms = Ratio::new(2_016, 1_000).unwrap();
    for (drop, expected) in [(0.03, 116), (0.05, 43), (0.08, 23), (0.15, 13), (0.40, 7)] {
        let mut delays: Vec<u64> = (0..21)
            .map(|run| {
                let bench = Bench::new(sequential().false_alarms_a_month(false_alarms));
                let mut chance = Chance::new(run);
                let mut next = |drop: f64| {
                    bench.totals((chance.beta_18_2() - drop).max(0.0), 1);
                    bench
                        .clock
                        .advance(Duration::from_millis(4 * 3_600_000 / 112));
                };
                (0..250).for_each(|_| next(0.0));
                let is_raised = || bench.state() == DriftState::Raised;
                let found = (1..3_000).find(|_| {
                    next(drop);
                    is_raised()
                });
                found.unwrap()
            })
            .collect();
        delays.sort_unstable();
        let median = delays[10];
        println!(
            "drop {drop}: median {median}, 90th percentile {}",
            delays[18]
        );
        assert!(
            2 * median <= 3 * expected && 2 * median >= expected,
            "{drop}: {median}, not {expected}"
        );
    }
}
