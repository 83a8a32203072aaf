//! Sets of drills: which guard sees which fault.

use std::time::Duration;

use fusebox::drill::{DetectionMatrix, DrillSet, Fault, IncidentMoment, Traffic};
use fusebox::event::IncidentChange;
use fusebox::pipeline::Builder;
use fusebox::{
    Confidence, ConfidenceDriftMonitor, DocumentType, Drill, Error, ErrorRateBreaker, FailureKind,
    Guard, Pipeline, Ratio, RouteLedger, Severity,
};
use serde_json::{Value, json};

use super::production;
use crate::support::{line_up, minutes, refused, seconds};

fn set<P: Fn() -> Result<Builder, Error>>(production: P) -> DrillSet<P> {
    DrillSet::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .traffic(Traffic::of("statement", 12).unwrap())
        .settling(minutes(60))
        .watching(minutes(60))
}

fn outage() -> Fault {
    Fault::fail(FailureKind::ServerError).share(Ratio::percent(20))
}

fn statements() -> DocumentType {
    DocumentType::new("statement").unwrap()
}

fn matrix() -> DetectionMatrix {
    set(production)
        .healthy(minutes(120))
        .fault("a fifth fails", outage())
        .fault("statements stop", Fault::silence().of_type(statements()))
        .fault("corrections stop", Fault::stop_feedback())
        .fault(
            "a type that nobody sends",
            outage().of_type(DocumentType::new("contract").unwrap()),
        )
        .run()
        .unwrap()
}

#[test]
fn each_fault_is_seen_by_the_guard_that_is_there_for_it() {
    let matrix = matrix();
    assert_eq!(matrix.guards(), ["token-budget", "error-rate", "ledger"]);
    let [outage, silent, ..] = matrix.rows() else {
        panic!("{matrix}");
    };
    assert_eq!(outage.together.paged_by.as_deref(), Some("error-rate"));
    assert_eq!(silent.together.paged_by.as_deref(), Some("ledger"));
    // Statements come every five minutes and are expected every twenty: the last one came as the
    // hour began or up to five minutes before, and a tick comes every five seconds.
    let silence = silent.together.time_to_page.unwrap();
    assert!(silence >= minutes(15) && silence <= minutes(20) + Duration::from_secs(5));
    let seen_alone = |row: usize| -> Vec<bool> {
        let alone = matrix.rows()[row].alone.iter();
        alone.map(|seen| seen.time_to_page.is_some()).collect()
    };
    assert_eq!(seen_alone(0), [false, true, false], "{matrix}");
    assert_eq!(seen_alone(1), [false, false, true], "{matrix}");
}

#[test]
fn a_matrix_keeps_what_incidents_did_after_the_fault() {
    let matrix = set(production)
        .watching(minutes(240))
        .healthy(minutes(300))
        .fault("a fifth fails for a while", outage().lasting(minutes(10)))
        .run()
        .unwrap();
    let row = &matrix.rows()[0];
    assert_eq!(row.size, "20 % of all documents");
    assert_eq!(row.lasts, Some(minutes(10)));
    let [opened, .., ended] = &row.together.moments[..] else {
        panic!("{row:?}");
    };
    assert_eq!(Some(opened.after), row.together.time_to_page);
    assert_eq!(opened.guard, "error-rate");
    assert_eq!(opened.severity, Severity::Page);
    assert_eq!(
        (opened.change, ended.change),
        (IncidentChange::Opened, IncidentChange::Ended)
    );
    assert_eq!(opened.incident, ended.incident);
    assert!(
        opened.text.starts_with("circuit of v7 opened"),
        "{}",
        opened.text
    );
    let changes = row.together.moments.iter().map(|moment| moment.change);
    assert!(
        changes
            .into_iter()
            .all(|change| change != IncidentChange::Continues)
    );
    let alone: Vec<_> = row
        .alone
        .iter()
        .map(|seen| seen.moments.is_empty())
        .collect();
    assert_eq!(alone, [true, false, true]);
}

/// Confidences that are all alike are a warning after 15 minutes, which ends when none came for four
/// hours: the outage brings that about, and it tells nobody of the outage.
#[test]
fn what_was_wrong_before_the_fault_is_no_moment_of_it() {
    let production = || {
        Ok(Pipeline::builder(line_up())
            .guard(ErrorRateBreaker::default())
            .guard(ConfidenceDriftMonitor::default()))
    };
    let all_fail = Fault::fail(FailureKind::ServerError);
    let matrix = set(production)
        .watching(minutes(300))
        .healthy(minutes(360))
        .fault("all calls fail", all_fail.clone())
        .run()
        .unwrap();
    let of_drift = |moment: &IncidentMoment| moment.guard == "confidence-drift";
    let moments = &matrix.rows()[0].together.moments;
    assert!(
        !moments.is_empty() && !moments.iter().any(of_drift),
        "{moments:?}"
    );

    let report = Drill::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .fault(minutes(60), all_fail)
        .run_for(minutes(360))
        .unwrap();
    let mut changes = report
        .events()
        .filter(|event| event.guard == "confidence-drift");
    assert!(
        changes.any(|event| event.kind.name() == "incident_resolved"),
        "it did end"
    );
}

#[test]
fn a_fault_that_nobody_sees_and_one_that_met_nothing_are_named() {
    let matrix = matrix();
    assert_eq!(
        matrix.unseen_within(minutes(30)),
        ["corrections stop", "a type that nobody sends"]
    );
    assert_eq!(
        matrix.unseen_within(minutes(1)).len(),
        4,
        "none is seen within a minute"
    );
    let [.., nobody] = matrix.rows() else {
        panic!("{matrix}");
    };
    assert_eq!(
        nobody.together.blind.as_deref(),
        Some("fault 1 met no document")
    );
}

#[test]
fn the_matrix_is_a_table_and_json() {
    let matrix = matrix();
    let text = matrix.to_string();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "| fault | page after | by a window | from | documents before it | token-budget alone | error-rate alone | ledger alone |"
        )
    );
    assert_eq!(lines.next(), Some("|---|---|---|---|---|---|---|---|"));
    let unseen = "| corrections stop | - | - |";
    assert!(text.contains(unseen), "{text}");
    assert!(text.contains("| blind | blind | blind |\n"), "{text}");
    assert!(text.ends_with("0 pages in 2h of healthy traffic, 0.00 a week.\n"));
    let written = serde_json::to_value(&matrix).unwrap();
    assert_eq!(written["healthy_ms"], json!(7_200_000));
    let millis = written["rows"][0]["together"]["time_to_page_ms"].as_u64();
    let time = matrix.rows()[0].together.time_to_page.unwrap();
    assert_eq!(millis.map(Duration::from_millis), Some(time));
    assert_eq!(
        written["rows"][2]["together"]["time_to_page_ms"],
        Value::Null
    );
}

/// A ledger that expects a document every minute pages for statements that come every five: each
/// page is counted, and two hours are 1/84 of a week.
#[test]
fn pages_of_healthy_traffic_are_counted() {
    let nervous = || {
        let ledger = RouteLedger::builder().expect(statements(), minutes(1));
        Ok(Pipeline::builder(line_up())
            .guard(ErrorRateBreaker::default())
            .guard(ledger.build()?))
    };
    let matrix = set(nervous)
        .healthy(minutes(120))
        .fault("a fifth fails", outage())
        .run()
        .unwrap();
    assert!(matrix.false_pages() > 0, "{matrix}");
    #[allow(clippy::cast_precision_loss, reason = "a few pages")]
    let a_week = matrix.false_pages() as f64 * 84.0;
    assert!((matrix.false_pages_a_week() - a_week).abs() < 1e-9);
}

/// The ledger pages ten minutes after the fault, for receipts that it expects after 70 minutes, as it
/// does without a fault: that is not that the outage was seen.
#[test]
fn a_page_that_healthy_traffic_has_too_is_not_that_a_fault_was_seen() {
    let production = || {
        let ledger = RouteLedger::builder().expect(DocumentType::new("receipt")?, minutes(70));
        Ok(Pipeline::builder(line_up()).guard(ledger.build()?))
    };
    let matrix = set(production)
        .healthy(minutes(10))
        .fault("a fifth fails", outage())
        .run()
        .unwrap();
    assert_eq!(matrix.rows()[0].together.time_to_page, None, "{matrix}");
    assert_eq!(matrix.unseen_within(minutes(60)), ["a fifth fails"]);
    // The healthy traffic ran as long as the drill: its page is counted.
    assert_eq!(matrix.false_pages(), 1);
}

#[test]
fn healthy_time_in_which_nothing_comes_is_none() {
    let mut mornings = [0; 24];
    mornings[..8].fill(100);
    let set = DrillSet::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap().by_hour(mornings))
        .settling(minutes(60))
        .watching(minutes(60))
        .healthy(minutes(60))
        .fault("a fifth fails", outage());
    refused(
        set.run(),
        "documents in the healthy time of a drill set: got `0`, expected at least one: let it be \
         longer, or begin at another time",
    );
}

/// By hand: 15 minutes * 5 % / 20 % are 3 min 45 s; 15 minutes * 20 % / 50 % are 6 minutes; four
/// hours * 0.05 / 0.1 are two hours; a call may be open for ten minutes. A guard in a dry run pages
/// at no time, and what a fault of one type adds up to depends on the traffic.
#[test]
fn the_matrix_says_what_a_window_sees_by_arithmetic() {
    let production = || {
        Ok(Pipeline::builder(line_up())
            .guard(ErrorRateBreaker::default())
            .guard(ConfidenceDriftMonitor::default())
            .guard(RouteLedger::default()))
    };
    let throttled = |percent| Fault::fail(FailureKind::Throttled).share(Ratio::percent(percent));
    let matrix = set(production)
        .healthy(minutes(10))
        .fault("a fifth fails", outage())
        .fault("half is throttled", throttled(50))
        .fault("a twentieth is throttled", throttled(5))
        .fault("lower", Fault::lower_confidence(Confidence::percent(10)))
        .fault("hang", Fault::hang())
        .fault("statements fail", outage().of_type(statements()))
        .run()
        .unwrap();
    let by_window: Vec<_> = matrix.rows().iter().map(|row| row.by_window).collect();
    let expected = [225, 360, 0, 7_200, 600, 0].map(|secs| (secs > 0).then(|| seconds(secs)));
    assert_eq!(by_window, expected);
    let measured = matrix.rows()[0].together.time_to_page.unwrap();
    assert!(measured.abs_diff(seconds(225)) < seconds(35), "{matrix}");

    let only_watched =
        || Ok(Pipeline::builder(line_up()).guard(ErrorRateBreaker::default().dry_run()));
    let matrix = set(only_watched)
        .healthy(minutes(10))
        .fault("a fifth fails", outage());
    assert_eq!(matrix.run().unwrap().rows()[0].by_window, None);
}
