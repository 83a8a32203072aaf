//! Mondays are compared with Mondays.

use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftState, Season};
use fusebox::event::DriftEvent;
use fusebox::{Confidence, ConfidenceDriftMonitor, EventKind};

use super::{Bench, HOUR, confidence, is_detected, names};
use crate::operator::{rebaseline, resolve};

/// Twelve documents an hour for so many days from a Sunday at noon, with a mean of 0.84 on Mondays
/// and 0.92 on other days, lower by `fall`. A person resolves each drift at midnight.
fn pass(bench: &Bench, days: u64, fall: f64) {
    for _ in 0..days * 24 {
        let monday = Season::weekday().slot_at(now(bench)).to_string() == "Monday";
        let mean = if monday { 0.84 } else { 0.92 } - fall;
        for score in [mean - 0.01, mean + 0.01] {
            bench.totals(score, 6);
        }
        bench.clock.advance(HOUR);
        bench.pipeline.tick();
        let is_midnight = now(bench).as_millis() % 86_400_000 == 0;
        if is_midnight && bench.threshold() > Confidence::percent(80) {
            resolve(&bench.drift, "invoice", "total").unwrap();
        }
    }
}

fn now(bench: &Bench) -> fusebox::Timestamp {
    fusebox::clock::Clock::now(&bench.clock)
}

fn alarms(bench: &Bench) -> usize {
    let events = bench.sink.take().into_iter();
    events.filter(is_detected).count()
}

/// The mean over a week: (0.84 + 6 * 0.92) / 7.
fn with_mean_of_week() -> ConfidenceDriftMonitorBuilder {
    let (invoice, total) = names();
    let mean = confidence(0.908_571);
    ConfidenceDriftMonitor::builder().baseline(invoice, total, mean, 5_000)
}

#[test]
fn weekdays_that_differ_raise_no_alarm_when_each_is_compared_with_its_like() {
    let pooled = Bench::new(with_mean_of_week());
    pass(&pooled, 14, 0.0);
    alarms(&pooled);
    pass(&pooled, 56, 0.0);
    assert_eq!(alarms(&pooled), 8, "every Monday");
    let by_weekday = Bench::new(with_mean_of_week().season(Season::weekday()));
    pass(&by_weekday, 14, 0.0);
    assert_eq!(alarms(&by_weekday), 1, "the first Monday has no baseline");
    pass(&by_weekday, 56, 0.0);
    assert_eq!(alarms(&by_weekday), 0);
}

/// A fall by 0.06 leaves a Tuesday above an ordinary Monday.
#[test]
fn a_fall_is_found_on_each_day() {
    for days in [14, 15, 16] {
        let bench = Bench::new(with_mean_of_week().season(Season::weekday()));
        pass(&bench, days, 0.0);
        alarms(&bench);
        pass(&bench, 1, 0.06);
        assert!(alarms(&bench) >= 1, "after {days} days");
    }
}

#[test]
fn a_verdict_names_what_it_compares_with() {
    let bench = Bench::new(with_mean_of_week().season(Season::weekday()));
    let compared_with = || {
        let slot = bench.drift.status("invoice", "total").compared_with;
        slot.unwrap().to_string()
    };
    bench.totals(0.92, 99);
    assert_eq!(compared_with(), "all times");
    bench.totals(0.92, 1);
    assert_eq!(compared_with(), "Sunday");
    let means = bench.drift.means("invoice", "total");
    assert_eq!(means.baseline, Some(confidence(0.92)), "that of Sundays");
    bench.clock.advance(12 * HOUR);
    bench.totals(0.92, 1);
    assert_eq!(compared_with(), "all times", "no Monday yet");
    bench.totals(0.80, 60);
    let events = bench.sink.take();
    let detected = events.iter().find(|event| is_detected(event)).unwrap();
    let EventKind::Drift(DriftEvent::DriftDetected { compared_with, .. }) = &detected.kind else {
        panic!("{detected:?}");
    };
    assert_eq!(compared_with.as_deref(), Some("all times"));
    let line = detected.kind.to_string();
    assert!(line.contains("from 0.909 (all times) to"), "{line}");
}

#[test]
fn what_is_raised_in_one_slot_is_raised_in_all() {
    let bench = Bench::new(with_mean_of_week().season(Season::weekday()));
    bench.totals(0.92, 100);
    bench.clock.advance(5 * HOUR);
    bench.totals(0.80, 40);
    assert_eq!(bench.state(), DriftState::Raised);
    bench.clock.advance(24 * HOUR);
    assert_eq!(bench.threshold(), Confidence::percent(85));
    assert!(!super::is_accepted(&bench.total(0.84)));
    let later = bench.restarted(with_mean_of_week().season(Season::weekday()));
    assert!(!super::is_accepted(&later.total(0.84)), "after a restart");
    resolve(&later.drift, "invoice", "total").unwrap();
    assert!(super::is_accepted(&later.total(0.84)));
}

#[test]
fn another_season_measures_its_slots_anew() {
    let weekday = || with_mean_of_week().season(Season::weekday());
    let bench = Bench::new(weekday());
    bench.totals(0.92, 100);
    let baseline = |bench: &Bench| bench.drift.means("invoice", "total").baseline;
    let same = bench.restarted(weekday());
    same.pipeline.tick();
    assert_eq!(baseline(&same), Some(confidence(0.92)));
    let tokyo = Season::weekday().utc_offset(9 * 60);
    for other in [with_mean_of_week().season(tokyo), with_mean_of_week()] {
        let later = bench.restarted(other);
        later.pipeline.tick();
        assert_eq!(baseline(&later), Some(confidence(0.908_571)));
        later.clock.advance(5 * HOUR);
        later.totals(0.80, 60);
        assert_eq!(later.state(), DriftState::Raised, "all times judge again");
    }
}

#[test]
fn a_new_baseline_is_measured_in_every_slot() {
    let bench = Bench::new(with_mean_of_week().season(Season::weekday()));
    bench.totals(0.92, 150);
    rebaseline(&bench.drift, "invoice", "total").unwrap();
    assert_eq!(bench.state(), DriftState::Warming);
    bench.totals(0.80, 100);
    let baseline = bench.drift.means("invoice", "total").baseline;
    assert_eq!(baseline, Some(confidence(0.80)));
}

#[test]
fn a_season_that_is_none_is_refused() {
    let error = ConfidenceDriftMonitor::builder().season(Season::month_end(0));
    assert_eq!(
        error.build().unwrap_err().to_string(),
        "season month_end: got `0`, expected 1 to 20 business days"
    );
}
