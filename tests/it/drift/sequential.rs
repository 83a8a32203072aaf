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

/// 80 minutes at 0.15 are a third of the window: 0.15 / 3 = 0.05, which is not yet more than 0.05.
#[test]
fn without_false_alarms_to_bet_only_the_mean_raises() {
    let (invoice, total) = names();
    let builder = ConfidenceDriftMonitor::builder().false_alarms_a_month(Ratio::ZERO);
    let bench = Bench::new(builder.baseline(invoice, total, confidence(0.90), 1_000_000));
    let pass = |score: f64, time: Duration| {
        for _ in 0..time.as_secs() / 60 {
            bench.totals(score, 1);
            bench.clock.advance(minutes(1));
        }
    };
    pass(0.90, 4 * HOUR);
    pass(0.75, minutes(80));
    assert_eq!(bench.state(), DriftState::Healthy);
    pass(0.75, minutes(15));
    assert_eq!(bench.state(), DriftState::Raised);
    assert_eq!(found_by(&bench), [DriftRule::Mean]);
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

/// A baseline of 0.91, so that a mean of 0.90 is tested, and a run length.
fn of_run_length(documents: u64) -> ConfidenceDriftMonitorBuilder {
    let (invoice, total) = names();
    ConfidenceDriftMonitor::builder()
        .baseline(invoice, total, confidence(0.91), 1_000_000)
        .average_run_length(documents)
}

/// A confidence at the tested mean multiplies by 1, so each document adds a bet.
#[test]
fn a_run_length_is_the_detectors_limit_in_documents() {
    for documents in [1, 2, 4, 8] {
        let bench = Bench::new(of_run_length(documents));
        bench.totals(0.90, documents - 1);
        assert_ne!(bench.state(), DriftState::Raised, "{documents}");
        bench.totals(0.90, 1);
        assert_eq!(bench.state(), DriftState::Raised, "{documents}");
        assert_eq!(found_by(&bench), [DriftRule::Sequential]);
    }
}

/// `R = (1 + R) * (1 + lambda * (0.90 - x))` and the mean of five, by hand: 0.75 gives 1.15, 1.3,
/// 1.6, 1.9 and 2.2; 0.90 adds one to each; 0.95 multiplies 3.15, 3.3, 3.6, 3.9 and 4.2 by 0.95,
/// 0.9, 0.8, 0.7 and 0.6.
#[test]
fn the_status_has_the_value_of_the_detector() {
    let bench = Bench::new(of_run_length(1_000));
    let test = || bench.drift.status("invoice", "total").sequential.unwrap();
    assert_eq!(test().mean, confidence(0.90));
    for (lambda, expected) in test().lambdas.into_iter().zip([1.0, 2.0, 4.0, 6.0, 8.0]) {
        assert!((lambda - expected).abs() < 1e-12, "{lambda}");
    }
    assert!(test().value <= 0.0);
    for (score, expected) in [(0.75, 1.63), (0.90, 2.63), (0.95, 2.8185)] {
        bench.totals(score, 1);
        let value = 1_000.0 * test().value;
        assert!((value / expected - 1.0).abs() < 1e-12, "{value} {expected}");
    }
}

#[test]
fn there_is_no_value_where_nothing_is_tested() {
    let (invoice, total) = names();
    let of = |builder: ConfidenceDriftMonitorBuilder| {
        Bench::new(builder).drift.status("invoice", "total")
    };
    assert_eq!(of(ConfidenceDriftMonitor::builder()).sequential, None);
    assert_eq!(of(of_run_length(9).plain_mean()).sequential, None);
    let low = ConfidenceDriftMonitor::builder();
    let low = low.baseline(invoice, total, confidence(0.01), 1_000_000);
    assert_eq!(of(low).sequential, None, "nothing lies below");
}

#[test]
fn the_last_bound_given_counts() {
    let by_month = of_run_length(4).false_alarms_a_month(Ratio::ONE);
    let by_documents = by_month.clone().average_run_length(4);
    for (builder, is_raised) in [(by_month, false), (by_documents, true)] {
        let bench = Bench::new(builder);
        bench.totals(0.90, 4);
        assert_eq!(bench.state() == DriftState::Raised, is_raised);
    }
}

/// 112 documents in four hours are 2 1/3 in a bucket: one false alarm in 10,000 of them are 8,640 *
/// 7 / 3 / 10,000 = 2.016 a month.
#[test]
fn a_run_length_reveals_what_as_many_false_alarms_a_month_reveal() {
    let (invoice, total) = names();
    let builder = ConfidenceDriftMonitor::builder();
    let builder = builder.baseline(invoice, total, confidence(0.90), 1_000_000);
    let by_month = Ratio::new(2_016, 1_000).unwrap();
    let drops = [
        builder.clone().false_alarms_a_month(by_month),
        builder.clone().average_run_length(10_000),
        builder.average_run_length(1_000_000_000),
    ]
    .map(|builder| {
        let bench = Bench::new(builder);
        for _ in 0..112 {
            bench.totals(0.90, 1);
            bench.clock.advance(Duration::from_millis(14_400_000 / 113));
        }
        bench.drift.status("invoice", "total").detectable_drop
    });
    assert_eq!(drops[0], drops[1]);
    assert!(drops[1].is_some() && drops[1] < drops[2], "{drops:?}");
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

/// One in 500 documents is allowed, at the lowest mean that is no fall, in one bucket as in many.
/// Again three square roots more may come by chance.
#[test]
fn false_alarms_stay_within_a_run_length_whatever_the_distribution() {
    const RUN_LENGTH: u32 = 500;
    const DOCUMENTS: u32 = 20_000;
    for law in [Law::Beta, Law::Bimodal, Law::Bernoulli] {
        let builder = sequential().average_run_length(u64::from(RUN_LENGTH));
        let bench = Bench::new(builder);
        let mut chance = Chance::new(11);
        let mut alarms = 0_u32;
        for n in 0..DOCUMENTS {
            bench.totals(law.score(&mut chance), 1);
            if bench.state() == DriftState::Raised {
                alarms += 1;
                resolve(&bench.drift, "invoice", "total").unwrap();
            }
            if n % 100 == 0 {
                let _ = bench.sink.take();
            }
        }
        let expected = f64::from(DOCUMENTS / RUN_LENGTH);
        let most = expected + 3.0 * expected.sqrt();
        assert!(f64::from(alarms) <= most, "{law:?}: {alarms} of {expected}");
        assert!(alarms > 0, "{law:?}");
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
