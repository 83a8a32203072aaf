//! Recorded history through a configuration: what would have fired, and when.

use std::fmt::Write;
use std::time::Duration;

use fusebox::drill::{Recording, Replay, ReplayReport, SideBySide};
use fusebox::pipeline::Builder;
use fusebox::{
    ConfidenceDriftMonitor, DocumentType, Error, ErrorRateBreaker, Pipeline, RouteLedger, Severity,
    Timestamp, TokenBudget,
};
use serde_json::Value;

use crate::support::{line_up, minutes, refused, seconds};

mod files;
mod rows;

/// 2026-01-05 08:00 UTC.
const MORNING: u64 = 1_767_600_000_000;

fn production() -> Result<Builder, Error> {
    Ok(Pipeline::builder(line_up())
        .guard(TokenBudget::builder().build()?)
        .guard(ErrorRateBreaker::default())
        .guard(ConfidenceDriftMonitor::default())
        .guard(RouteLedger::default()))
}

fn breaker(window: Duration) -> impl Fn() -> Result<Builder, Error> {
    move || {
        let breaker = ErrorRateBreaker::builder().window(window);
        Ok(Pipeline::builder(line_up()).guard(breaker.build()?))
    }
}

fn read(lines: &str) -> Recording {
    Recording::from_json_lines(lines.as_bytes()).unwrap()
}

fn run(production: impl Fn() -> Result<Builder, Error>, lines: &str) -> ReplayReport {
    Replay::new(production).run(&read(lines)).unwrap()
}

/// A call at so many milliseconds after the morning, that takes 2 s.
fn call(lines: &mut String, after: u64, document: &str, end: &str) {
    let at = MORNING + after;
    writeln!(
        lines,
        r#"{{"at":{at},"document":"{document}","document_type":"invoice","document_tokens":900,"version":"v7"{end}}}"#
    )
    .unwrap();
}

const ANSWERED: &str = r#","latency_ms":2000,"confidences":{"total":0.95}"#;
const FAILED: &str = r#","latency_ms":2000,"failure":"server_error""#;

/// 100 calls a minute for two hours; from the second hour on every fifth fails.
fn outage() -> String {
    let mut lines = String::new();
    for n in 0..12_000_u64 {
        let fails = n >= 6_000 && n % 5 == 0;
        let end = if fails { FAILED } else { ANSWERED };
        call(&mut lines, n * 600, &format!("inv-{n}"), end);
    }
    lines
}

fn after_the_outage(report: &ReplayReport) -> Duration {
    let page = report.pages().next().expect("a page");
    page.at.since(Timestamp::from_millis(MORNING) + minutes(60))
}

/// The window of w minutes has 100 w calls, of which 20 x are failures x minutes after the outage
/// began: more than 5 % when x = w / 4. The window's buckets and the latency of 2 s may move it by a
/// quarter of a minute.
#[test]
fn the_page_comes_when_arithmetic_says_with_either_window() {
    let recording = read(&outage());
    let replay = |window| {
        let replay = Replay::new(breaker(minutes(window)));
        let replay = replay.named(format!("{window} minutes"));
        replay.run(&recording).unwrap()
    };
    let (as_it_is, shorter) = (replay(15), replay(10));
    for (report, expected) in [(&as_it_is, seconds(225)), (&shorter, seconds(150))] {
        let after = after_the_outage(report);
        let early = expected.saturating_sub(after);
        let late = after.saturating_sub(expected);
        assert!(
            early <= seconds(15) && late <= seconds(5),
            "{after:?}, {report}"
        );
        let page = report.pages().next().unwrap();
        assert_eq!(page.guard, "error-rate");
    }
    let table = SideBySide::of([&as_it_is, &shorter]).to_string();
    assert!(
        table.starts_with("|  | 15 minutes | 10 minutes |\n|---|---|---|\n| pages |"),
        "{table}"
    );
    let first = |report: &ReplayReport| report.pages().next().unwrap().at;
    let row = format!(
        "| first page | {} | {} |\n",
        first(&as_it_is),
        first(&shorter)
    );
    assert!(table.contains(&row), "{table}");
    let both = serde_json::to_value(SideBySide::of([&as_it_is, &shorter])).unwrap();
    assert_eq!(both[1]["name"], "10 minutes");
}

/// Two hours but 600 ms, and 2 s for the last call: a week has some 84 times as many pages.
#[test]
fn pages_a_week_are_those_of_the_recording_by_its_length() {
    let report = run(breaker(minutes(15)), &outage());
    let length = report.length();
    assert_eq!(length, Duration::from_millis(120 * 60_000 - 600 + 2_000));
    let pages = report.pages().count();
    assert!(pages > 0);
    let week = Duration::from_secs(7 * 24 * 3_600);
    let expected =
        u32::try_from(pages).map(f64::from).unwrap() * week.as_secs_f64() / length.as_secs_f64();
    assert!((report.pages_a_week().unwrap() - expected).abs() < 1e-9);
    let text = report.to_string();
    assert!(
        text.contains(&format!("\n{pages} pages, {expected:.2} a week\n")),
        "{text}"
    );
    let page = report.pages().next().unwrap();
    assert!(text.contains(&format!("\n  {page}\n")), "{text}");
}

fn json(report: &ReplayReport) -> String {
    serde_json::to_string(report).unwrap()
}

/// The counts of rows out of order are those of the file.
fn without_order(report: &ReplayReport) -> String {
    let mut report = serde_json::to_value(report).unwrap();
    for count in ["out_of_order", "late"] {
        *report["recording"].get_mut(count).unwrap() = Value::Null;
    }
    report.to_string()
}

/// 7,919 is a prime that does not divide the number of rows.
fn shuffled(lines: &str) -> String {
    let rows: Vec<&str> = lines.lines().collect();
    let places = 0..rows.len();
    let shuffled: Vec<&str> = places.map(|n| rows[n * 7_919 % rows.len()]).collect();
    shuffled.join("\n")
}

#[test]
fn the_report_is_the_same_to_the_byte_whatever_the_order_of_the_rows() {
    let lines = outage();
    let report = run(production, &lines);
    assert!(report.pages().count() > 0);
    assert_eq!(json(&report), json(&run(production, &lines)));
    let shuffled = run(production, &shuffled(&lines));
    assert_eq!(without_order(&report), without_order(&shuffled));
    assert_eq!(report.recording().out_of_order, 0);
    assert!(shuffled.recording().late > 10_000, "{shuffled}");
}

/// Two calls of one moment are overdue at one time: by document, whichever row is first.
#[test]
fn calls_of_one_moment_are_in_the_order_of_their_documents() {
    let lines = |documents: [&str; 2]| {
        let mut lines = String::new();
        for document in documents {
            call(&mut lines, 0, document, "");
        }
        call(&mut lines, 700_000, "last", ANSWERED);
        lines
    };
    let report = run(production, &lines(["a", "b"]));
    assert_eq!(json(&report), json(&run(production, &lines(["b", "a"]))));
    assert_eq!(report.event_counts()["ledger"]["overdue"], 2);
}

/// 300 reported tokens for the 1,900 of v7 are a prompt that was cut; of v6 they say nothing of v7.
#[test]
fn the_usage_of_another_version_is_left_out() {
    let counts = |version: &str| {
        let row = format!(
            r#"{{"at":{MORNING},"document":"a","document_type":"invoice","document_tokens":900,"version":"{version}","latency_ms":9,"input_tokens":300}}"#
        );
        run(production, &row).counts()
    };
    assert_eq!(
        (counts("v7").needs_review, counts("v7").by_another_version),
        (1, 0)
    );
    assert_eq!(
        (counts("v6").needs_review, counts("v6").by_another_version),
        (0, 1)
    );
}

/// v7 fails and v6 serves: what v6 would have answered is not recorded.
#[test]
fn calls_that_another_version_would_have_answered_are_counted() {
    let report = run(breaker(minutes(15)), &outage());
    let [other] = report.other_versions() else {
        panic!("{report}")
    };
    assert_eq!(
        (other.recorded.as_str(), other.chosen.as_str()),
        ("v7", "v6")
    );
    assert_eq!(other.calls, report.counts().by_another_version);
    assert!(other.calls > 0);
    let line = format!(
        "\nanswered by v6 instead of v7: {}; its answers are not known\n",
        other.calls
    );
    assert!(report.to_string().contains(&line), "{report}");
}

/// The ledger waits ten minutes for an end, and looks every five seconds.
#[test]
fn a_call_that_was_never_answered_is_overdue() {
    let mut lines = String::new();
    for n in 0..200 {
        call(&mut lines, n * 6_000, &format!("inv-{n}"), ANSWERED);
    }
    call(&mut lines, 300_500, "inv-lost", "");
    let report = run(production, &lines);
    assert_eq!(report.counts().never_answered, 1);
    assert_eq!(report.counts().accepted, 200);
    let overdue = report
        .events()
        .iter()
        .find(|event| event.kind.name() == "overdue");
    let after = overdue.expect("an overdue call").at.as_millis() - MORNING;
    let due = 300_500 + 600_000;
    assert!((due..=due + 5_000).contains(&after), "{after}");
    // Open calls are not abandoned because the recording ends.
    let events: Vec<_> = report
        .events()
        .iter()
        .map(|event| event.kind.name())
        .collect();
    assert!(!events.contains(&"abandoned"), "{events:?}");
}

/// An expected type is silent after half an hour; the pipeline is ticked all along.
#[test]
fn quiet_hours_are_ticked() {
    let mut lines = String::new();
    for n in 0..200 {
        call(&mut lines, n * 6_000, &format!("inv-{n}"), ANSWERED);
    }
    let last = 199 * 6_000;
    call(&mut lines, last + 3 * 3_600_000, "inv-late", ANSWERED);
    let invoice = DocumentType::new("invoice").unwrap();
    let production = || {
        let ledger = RouteLedger::builder().expect(invoice.clone(), minutes(30));
        Ok(Pipeline::builder(line_up()).guard(ledger.build()?))
    };
    let report = run(production, &lines);
    let pages: Vec<_> = report.pages().collect();
    let [silence] = pages.as_slice() else {
        panic!("{report}")
    };
    let due = last + 1_800_000;
    let after = silence.at.as_millis() - MORNING;
    assert!((due..=due + 5_000).contains(&after), "{after}, {report}");
    let counts = report.event_counts();
    assert!(
        !counts.values().any(|events| events.contains_key("no_tick")),
        "{report}"
    );
}

/// 200,000 tokens do not fit into 128,000.
#[test]
fn a_call_that_is_diverted_has_no_outcome() {
    let mut lines = String::new();
    for n in 0..100 {
        call(&mut lines, n * 6_000, &format!("inv-{n}"), ANSWERED);
    }
    writeln!(
        lines,
        r#"{{"at":{},"document":"long","document_type":"invoice","document_tokens":200000,"version":"v7","latency_ms":9000,"failure":"timeout"}}"#,
        MORNING + 61_000
    )
    .unwrap();
    writeln!(
        lines,
        r#"{{"at":{},"document":"long","corrected":["total"]}}"#,
        MORNING + 300_000
    )
    .unwrap();
    let report = run(production, &lines);
    let counts = report.counts();
    assert_eq!(
        (counts.diverted, counts.accepted, counts.failed),
        (1, 100, 0)
    );
    assert_eq!(
        (counts.corrections.of_diverted, counts.corrections.given),
        (1, 0)
    );
    let [diverted] = report.diversions() else {
        panic!("{report}")
    };
    assert_eq!(
        (
            diverted.destination.to_string().as_str(),
            diverted.reason,
            diverted.calls
        ),
        ("human review", "over_budget", 1)
    );
    assert!(
        report
            .to_string()
            .contains("\ndiverted to human review, over_budget: 1\n")
    );
    // The event of one document is counted, and not kept.
    assert_eq!(report.event_counts()["pipeline"]["diverted"], 1);
    assert!(
        report
            .events()
            .iter()
            .all(|event| event.kind.name() != "diverted")
    );
}

/// The first call of the document failed, the second answered: the correction is about the second.
#[test]
fn a_correction_is_about_the_latest_call_of_its_document() {
    let mut lines = String::new();
    call(&mut lines, 0, "twice", FAILED);
    call(&mut lines, 10_000, "twice", ANSWERED);
    call(&mut lines, 20_000, "failed", FAILED);
    call(&mut lines, 30_000, "at-once", r#","latency_ms":0"#);
    call(&mut lines, 40_000, "slow", r#","latency_ms":9000000"#);
    call(&mut lines, 50_000, "later", ANSWERED);
    // The first ends last.
    call(&mut lines, 60_000, "overlapping", r#","latency_ms":100000"#);
    call(&mut lines, 70_000, "overlapping", FAILED);
    let mut correct = |after: u64, document: &str, fields: &str| {
        let at = MORNING + after;
        writeln!(
            lines,
            r#"{{"at":{at},"document":"{document}","corrected":[{fields}]}}"#
        )
        .unwrap();
    };
    correct(3_600_000, "twice", r#""total","vendor""#);
    correct(7_200_000, "twice", r#""iban""#);
    correct(3_600_000, "failed", r#""total""#);
    correct(3_600_000, "overlapping", r#""total""#);
    correct(30_000, "at-once", r#""total""#);
    correct(3_600_000, "slow", r#""total""#);
    // Before its document's call, and of a document that never came.
    correct(49_999, "later", r#""total""#);
    correct(3_600_000, "never", r#""total""#);
    let report = run(production, &lines);
    let corrections = report.counts().corrections;
    assert_eq!(corrections.given, 4);
    assert_eq!(corrections.of_unanswered, 3);
    assert_eq!(corrections.of_unknown, 2);
    assert_eq!(corrections.of_diverted, 0);
    assert_eq!(report.recording().corrections, 9);
    let line =
        "\n9 corrections, 3 of calls without an answer, 2 of documents without a call before\n";
    assert!(report.to_string().contains(line), "{report}");
}

#[test]
fn answers_below_the_threshold_are_counted_by_reason() {
    let mut lines = String::new();
    call(&mut lines, 0, "sure", ANSWERED);
    call(
        &mut lines,
        6_000,
        "unsure",
        r#","latency_ms":2000,"confidences":{"total":0.2}"#,
    );
    call(
        &mut lines,
        9_000,
        "cut",
        r#","latency_ms":2000,"finish_reason":"length""#,
    );
    let report = run(production, &lines);
    let counts = report.counts();
    assert_eq!(
        (counts.accepted, counts.needs_review, counts.failed),
        (1, 1, 1)
    );
    let [review] = report.reviews() else {
        panic!("{report}")
    };
    assert_eq!((review.reason, review.answers), ("low_confidence", 1));
}

#[test]
fn a_recording_without_a_call_is_an_error() {
    let run = |lines| Replay::new(production).run(&read(lines));
    refused(
        run(""),
        "recording: got `no call`, expected at least one call",
    );
    refused(
        run("\n{}\n"),
        "recording: got `no call`, expected at least one call; 1 rows were rejected, the first is line 2: missing field `at` at column 2",
    );
    let correction = r#"{"at":"2026-01-05T08:00:00Z","document":"a","corrected":["total"]}"#;
    refused(
        run(correction),
        "recording: got `no call`, expected at least one call",
    );
}

/// One row has a digit too many: its time is in the year 2530.
#[test]
fn a_recording_with_a_time_that_must_be_wrong_is_refused() {
    let mut lines = String::new();
    call(&mut lines, 0, "a", ANSWERED);
    let wrong = lines.replace(&MORNING.to_string(), &(MORNING * 10).to_string());
    lines.push_str(&wrong);
    refused(
        Replay::new(production).run(&read(&lines)),
        "span of a recording: got `2026-01-05T08:00:00.000Z to 2530-02-17T08:00:02.000Z`, expected \
         at most ten years from the first row to the end of the last",
    );
}

#[test]
fn a_recording_of_one_moment_says_nothing_of_a_week() {
    let mut lines = String::new();
    call(&mut lines, 0, "a", "");
    let report = run(production, &lines);
    assert_eq!(
        (report.pages_a_week(), report.length()),
        (None, Duration::ZERO)
    );
    assert!(report.pages().all(|event| event.severity == Severity::Page));
}

#[test]
fn progress_ends_with_all_rows() {
    let recording = read(&outage());
    let mut told = Vec::new();
    let replay = Replay::new(breaker(minutes(15)));
    let report = replay.run_telling(&recording, |done, all| told.push((done, all)));
    assert_eq!(told.last(), Some(&(12_000, 12_000)));
    assert!(told.len() > 2 && told.is_sorted());
    assert_eq!(
        json(&report.unwrap()),
        json(&replay.run(&recording).unwrap())
    );
}
