//! The documents of a drill: over the day, the week and the month, and at random.

use std::time::Duration;

use fusebox::drill::{ConfidenceDistribution, DelayDistribution, Fault, Traffic};
use fusebox::{
    Confidence, ConfidenceDriftMonitor, Drill, FailureKind, Field, Pipeline, Ratio, RouteLedger,
    Timestamp,
};

use crate::support::{line_up, minutes, refused, seconds};

const DAY: u64 = 24 * 60;
/// Friday 2026-01-30, 00:00 UTC.
const FRIDAY: Timestamp = Timestamp::from_millis(1_769_731_200_000);

/// How many documents come in so many minutes from a time on.
fn documents_from(begin: Timestamp, traffic: Traffic, length: u64) -> u64 {
    let production = || Ok(Pipeline::builder(line_up()).guard(RouteLedger::default()));
    let drill = Drill::new(production).traffic(traffic);
    let report = drill
        .beginning_at(begin)
        .run_for(minutes(length).saturating_sub(seconds(1)));
    report.unwrap().documents()
}

fn documents(traffic: Traffic, length: u64) -> u64 {
    documents_from(FRIDAY, traffic, length)
}

fn hourly(per_hour: u32) -> Traffic {
    Traffic::of("invoice", per_hour).unwrap()
}

#[test]
fn documents_come_by_the_hour_the_day_and_the_month() {
    let mut office_hours = [0; 24];
    office_hours[8..18].fill(100);
    assert_eq!(documents(hourly(60), DAY), 1_440);
    assert_eq!(documents(hourly(60).by_hour(office_hours), DAY), 600);
    // From 8 to 12.
    assert_eq!(documents(hourly(60).by_hour(office_hours), DAY / 2), 240);
    // Saturday 31 January and Sunday 1 February at a tenth, Friday and Monday as usual.
    let weekend = |days| documents(hourly(60).on_weekends(Ratio::percent(10)), days * DAY);
    let after = (1..=4).map(weekend);
    assert_eq!(after.collect::<Vec<_>>(), [1_440, 1_584, 1_728, 3_168]);
    // 29, 30 and 31 January are the last three days, 28 January and 1 February are not.
    let wednesday = Timestamp::from_millis(FRIDAY.as_millis() - 2 * DAY * 60_000);
    let month_end = |days| documents_from(wednesday, hourly(60).at_month_end(3), days * DAY);
    let after = (1..=5).map(month_end);
    assert_eq!(
        after.collect::<Vec<_>>(),
        [1_440, 5_760, 10_080, 14_400, 15_840]
    );
}

/// One document in two hours at a usual rate of four a day: they come in the two hours of the day in
/// which any may come, and a gap goes on over the hours between.
#[test]
fn a_gap_goes_on_over_hours_without_documents() {
    let mut two_hours = [0; 24];
    two_hours[3..5].fill(100);
    // Hours 3 and 4 of each day count: a document each 90 minutes of them.
    let rare = Traffic::of("invoice", 1).unwrap().by_hour(two_hours);
    assert_eq!(documents(rare, 3 * DAY), 6);
}

/// The number of a Poisson process scatters by the root of its mean: 14,400 by 120, of which four
/// are allowed.
#[test]
fn documents_at_random_are_as_many_and_the_same_for_a_seed() {
    let at_random = documents(hourly(600).at_random(), DAY);
    assert!(at_random.abs_diff(14_400) < 480, "{at_random}");
    assert_eq!(documents(hourly(600).at_random(), DAY), at_random);
    let production = || Ok(Pipeline::builder(line_up()).guard(RouteLedger::default()));
    let drill = Drill::new(production).traffic(hourly(600).at_random());
    let other = drill.seed(2).run_for(minutes(DAY)).unwrap().documents();
    assert_ne!(other, at_random);
}

/// Confidences that scatter are no alarm, and a fall of 0.1 among them is one.
#[test]
fn scores_that_scatter_page_when_they_fall() {
    let run = |fault: Option<Fault>| {
        let production =
            || Ok(Pipeline::builder(line_up()).guard(ConfidenceDriftMonitor::default()));
        let scores = ConfidenceDistribution::beta(Confidence::percent(90), 0.05).unwrap();
        let traffic = hourly(600)
            .at_random()
            .latency(DelayDistribution::log_normal(seconds(10), seconds(60)).unwrap())
            .confidence(Field::new("total").unwrap(), scores)
            .corrections(
                Ratio::percent(3),
                DelayDistribution::exponential(minutes(240)).unwrap(),
            )
            .failing(FailureKind::Truncated, Ratio::percent(1));
        let drill = Drill::new(production).traffic(traffic);
        let drill = fault
            .into_iter()
            .fold(drill, |drill, fault| drill.fault(minutes(360), fault));
        drill.run_for(minutes(720)).unwrap()
    };
    let lower = Fault::lower_confidence(Confidence::percent(10));
    assert!(run(Some(lower)).time_to_page().unwrap() < minutes(30));
    let calm = run(None);
    assert!(calm.false_pages().is_empty(), "{:?}", calm.false_pages());
}

#[test]
fn traffic_that_cannot_be_is_refused() {
    let drill = |traffic| {
        let production = || Ok(Pipeline::builder(line_up()).guard(RouteLedger::default()));
        Drill::new(production).traffic(traffic).run_for(minutes(1))
    };
    refused(
        drill(hourly(60).by_hour([0; 24])),
        "highest percentage by hour: got `0`, expected 1 to 10000",
    );
    refused(
        drill(hourly(60).at_month_end(0)),
        "documents at the end of a month: got `0`, expected 1 to 1000 times as many",
    );
    refused(
        drill(hourly(60).on_weekends(Ratio::percent(101))),
        "documents on weekends: got `101 %`, expected at most 100 % of the usual number",
    );
    refused(
        drill(hourly(3_600_000).at_month_end(2)),
        "highest number of documents: got `one in 500000 ns`, expected at most 3600000 an hour, at \
         the busiest time",
    );
    refused(
        ConfidenceDistribution::beta(Confidence::percent(90), 0.4),
        "standard deviation of confidences: got `0.4`, expected at least 0.001 and below 0.3000 at a mean of 0.9",
    );
    refused(
        ConfidenceDistribution::beta(Confidence::percent(100), 0.1),
        "mean of confidences that scatter: got `1`, expected 0.001 to 0.999",
    );
    refused(
        ConfidenceDistribution::recorded([]),
        "recorded confidences: got `none`, expected at least one",
    );
    refused(
        DelayDistribution::exponential(Duration::ZERO),
        "mean of delays that scatter: got `0s`, expected more than no time",
    );
    refused(
        DelayDistribution::log_normal(minutes(5), minutes(4)),
        "delay that 95 % do not exceed: got `4m`, expected longer than the median, 5m",
    );
    refused(
        DelayDistribution::recorded([]),
        "recorded delays: got `none`, expected at least one",
    );
}

/// The narrowest and the widest scores that are allowed can be drawn.
#[test]
fn scores_at_the_limits_can_be_drawn() {
    for (mean, deviation) in [
        (0.001, 0.001),
        (0.999, 0.001),
        (0.999, 0.031),
        (0.5, 0.001),
        (0.5, 0.499),
    ] {
        let mean = Confidence::new(mean).unwrap();
        ConfidenceDistribution::beta(mean, deviation).unwrap();
    }
}
