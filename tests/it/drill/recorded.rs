//! Recorded documents as the traffic of a drill: they come as they did, and faults are injected
//! into them.

use std::fmt::Write;
use std::time::Duration;

use fusebox::drill::{DrillSet, Fault, Recording, Replay, Traffic};
use fusebox::pipeline::Builder;
use fusebox::{Confidence, Drill, Error, FailureKind, Field, Pipeline, Ratio, RouteLedger};

use super::diary::Diary;
use crate::support::{line_up, minutes, refused, seconds};

mod faults;

/// 2026-01-05 08:00 UTC, when a drill begins by default.
const MORNING: u64 = 1_767_600_000_000;
/// A Friday evening, when the recordings begin.
const EVENING: u64 = 1_773_435_600_000;

/// A call at so many milliseconds after the evening, with what else is recorded of it.
fn call(lines: &mut String, after: u64, document: &str, rest: &str) {
    let at = EVENING + after;
    writeln!(
        lines,
        r#"{{"at":{at},"document":"{document}","document_type":"invoice"{rest}}}"#
    )
    .unwrap();
}

fn correction(lines: &mut String, after: u64, document: &str, fields: &str) {
    let at = EVENING + after;
    writeln!(
        lines,
        r#"{{"at":{at},"document":"{document}","corrected":[{fields}]}}"#
    )
    .unwrap();
}

const ANSWERED: &str =
    r#","document_tokens":900,"version":"v7","latency_ms":2000,"confidences":{"total":0.95}"#;

fn read(lines: &str) -> Recording {
    let recording = Recording::from_json_lines(lines.as_bytes()).unwrap();
    assert_eq!(recording.rejected(), []);
    recording
}

/// So many calls, one each 6 s, all of which are answered.
fn answered(calls: u64) -> Recording {
    let mut lines = String::new();
    for n in 0..calls {
        call(&mut lines, n * 6_000, &format!("inv-{n}"), ANSWERED);
    }
    read(&lines)
}

fn recorded(recording: &Recording) -> Traffic {
    Traffic::recorded(recording).unwrap()
}

fn with(diary: &Diary) -> impl Fn() -> Result<Builder, Error> + use<> {
    let diary = diary.clone();
    move || Ok(Pipeline::builder(line_up()).guard(diary.clone()))
}

/// What guards are told in a drill of a recording, from its first call to its last.
fn told(recording: &Recording, length: Duration, faults: &[Fault]) -> Vec<String> {
    let diary = Diary::default();
    let drill = Drill::new(with(&diary)).traffic(recorded(recording));
    let broken = faults.iter().fold(drill, |drill, fault| {
        drill.fault(Duration::ZERO, fault.clone())
    });
    let _ = broken.run_for(length).unwrap();
    diary.lines()
}

/// Of all that can be recorded, one document each.
fn of_each_kind() -> Recording {
    let mut lines = String::new();
    call(&mut lines, 0, "plain", ANSWERED);
    call(&mut lines, 1_001, "no-tokens", r#","latency_ms":700"#);
    let two = r#","document_tokens":40,"latency_ms":90001,"confidences":{"total":0.6,"vat_id":0.7,"odd":1.5}"#;
    call(&mut lines, 2_002, "two-fields", two);
    let failed = r#","latency_ms":3,"failure":"server_error","confidences":{"total":0.1}"#;
    call(&mut lines, 3_003, "failed", failed);
    let cut = r#","latency_ms":4,"finish_reason":"length""#;
    call(&mut lines, 4_004, "cut", cut);
    call(&mut lines, 5_005, "never", r#","document_tokens":7"#);
    let usage = r#","version":"v7","latency_ms":5,"input_tokens":300,"output_tokens":20"#;
    call(&mut lines, 6_006, "used", usage);
    call(&mut lines, 7_007, "of-v6", &usage.replace("v7", "v6"));
    call(&mut lines, 8_008, "at-once", r#","latency_ms":0"#);
    call(&mut lines, 9_009, "twice", failed);
    call(&mut lines, 19_009, "twice", ANSWERED);
    correction(&mut lines, 200_000, "two-fields", r#""total","vat_id""#);
    correction(&mut lines, 150_000, "plain", r#""total""#);
    correction(&mut lines, 160_000, "plain", r#""total""#);
    correction(&mut lines, 170_000, "twice", r#""total""#);
    // Before the answer, of a call that failed, and of a document that never came.
    correction(&mut lines, 10_000, "two-fields", r#""total""#);
    correction(&mut lines, 180_000, "failed", r#""total""#);
    correction(&mut lines, 190_000, "nobody", r#""total""#);
    call(&mut lines, 300_000, "last", r#","latency_ms":6"#);
    call(&mut lines, 310_000, "end", r#","latency_ms":0"#);
    read(&lines)
}

#[test]
fn without_a_fault_guards_are_told_what_a_replay_tells_them() {
    let recording = of_each_kind();
    let replayed = Diary::default();
    let replay = Replay::new(with(&replayed));
    let _ = replay.run(&recording).unwrap();
    let told = told(&recording, seconds(310), &[]);
    assert_eq!(told, replayed.lines());
    // Twelve documents, of which one comes twice, and one does not end before it is over; five
    // fields are corrected.
    assert_eq!(told.len(), 13 + 13 + 5, "{told:#?}");
    assert!(told[30].starts_with("310000 never Abandoned"), "{told:#?}");
}

#[test]
fn the_first_document_comes_as_the_drill_begins_and_each_later_one_as_long_after_it() {
    let diary = Diary::default();
    let drill = Drill::new(with(&diary)).traffic(recorded(&of_each_kind()));
    let report = drill.run_for(seconds(320)).unwrap();
    assert_eq!(report.documents(), 13);
    assert_eq!(diary.begins().as_millis(), MORNING);
    assert!(
        diary
            .lines()
            .contains(&"2002 two-fields invoice of 40 tokens".to_owned()),
        "{:#?}",
        diary.lines()
    );
}

/// Calls after 0, 1 and 3 s: they come again after 4.5 s, as the mean time between two is 1.5 s.
fn three() -> Recording {
    let mut lines = String::new();
    for (after, document) in [(0, "a"), (1_000, "b"), (3_000, "c")] {
        call(&mut lines, after, document, "");
    }
    read(&lines)
}

fn arrivals(drill: impl FnOnce(Traffic) -> Vec<Traffic>, length: u64) -> Vec<String> {
    let diary = Diary::default();
    let traffic = drill(recorded(&three()));
    let drill = Drill::new(with(&diary));
    let drill = traffic.into_iter().fold(drill, Drill::traffic);
    let _ = drill.run_for(Duration::from_millis(length)).unwrap();
    let lines = diary.lines();
    let short = |line: &String| line.replace(" invoice of no tokens", "");
    let arrived = lines.iter().filter(|line| !line.contains("Abandoned"));
    arrived.map(short).collect()
}

#[test]
fn a_recording_that_repeats_begins_again_with_other_documents() {
    let once = ["0 a", "1000 b", "3000 c"];
    assert_eq!(arrivals(|once| vec![once], 4_500), once);
    let again = ["4500 a~1", "5500 b~1", "7500 c~1", "9000 a~2"];
    let repeated = arrivals(|traffic| vec![traffic.repeating()], 9_999);
    assert_eq!(repeated, [&once[..], &again[..]].concat());
}

/// Twice the load: each copy of a document is another one.
#[test]
fn a_recording_that_is_given_twice_comes_twice() {
    let both = arrivals(
        |traffic| vec![traffic.clone().repeating(), traffic.repeating()],
        4_500,
    );
    let expected = [
        "0 a", "0 a~1", "1000 b", "1000 b~1", "3000 c", "3000 c~1", "4500 a~2", "4500 a~3",
    ];
    assert_eq!(both, expected);
    let beside = arrivals(
        |traffic| vec![Traffic::of("note", 1).unwrap(), traffic],
        1_000,
    );
    let note = beside[0].starts_with("0 note-1 note");
    assert!(note && beside[1..] == ["0 a", "1000 b"], "{beside:?}");
}

#[test]
fn a_recording_that_cannot_be_drilled_is_refused() {
    refused(
        Traffic::recorded(&read("")),
        "recording: got `no call`, expected at least one call",
    );
    let mut only_a_correction = String::new();
    correction(&mut only_a_correction, 0, "a", r#""total""#);
    refused(
        Traffic::recorded(&read(&only_a_correction)),
        "recording: got `no call`, expected at least one call",
    );
    let diary = Diary::default();
    let drill = |traffic, length| {
        let drill = Drill::new(with(&diary)).traffic(traffic);
        drill.run_for(Duration::from_millis(length))
    };
    assert!(drill(recorded(&three()), 4_500).is_ok());
    refused(
        drill(recorded(&three()), 4_501),
        "length of a drill: got `4s 501ms`, expected at most 4s 500ms, the length of the recording; \
         or let it repeat (`repeating`)",
    );
    assert!(drill(recorded(&three()).repeating(), 4_501).is_ok());
    let mut one = String::new();
    call(&mut one, 0, "a", "");
    refused(
        drill(recorded(&read(&one)).repeating(), 1_000),
        "recording that repeats: got `calls at one time`, expected calls at two times or more, so \
         that there is a time between them",
    );
    let mut dense = String::new();
    for (after, document) in [(0, "a"), (0, "b"), (1, "c")] {
        call(&mut dense, after, document, "");
    }
    refused(
        drill(recorded(&read(&dense)).repeating(), 1_000),
        "documents of a recording that repeats: got `3 in 1ms`, expected at most 3600000 an hour",
    );
}

/// The healthy time of a set is longer than each of its drills.
#[test]
fn a_set_is_refused_if_its_healthy_time_is_longer_than_the_recording() {
    let set = |healthy| {
        DrillSet::new(|| Ok(Pipeline::builder(line_up()).guard(RouteLedger::default())))
            .traffic(recorded(&answered(1_200)))
            .settling(minutes(30))
            .watching(minutes(30))
            .healthy(healthy)
            .fault("calls hang", Fault::hang())
            .run()
    };
    assert!(set(minutes(120)).is_ok());
    refused(
        set(minutes(121)),
        "length of a drill: got `2h 1m`, expected at most 2h, the length of the recording; or let \
         it repeat (`repeating`)",
    );
}

type Set = Box<dyn Fn(Traffic) -> Traffic>;

#[test]
fn what_is_set_for_made_up_documents_is_refused_for_recorded_ones() {
    let why = |setting: &str| {
        format!(
            "`{setting}` of drill traffic: got `set`, expected made-up documents; recorded ones \
             come as they did"
        )
    };
    let total = || Field::new("total").unwrap();
    let half = Ratio::percent(50);
    let settings: [(&str, Set); 9] = [
        ("at_random", Box::new(Traffic::at_random)),
        ("by_hour", Box::new(|traffic| traffic.by_hour([100; 24]))),
        (
            "on_weekends",
            Box::new(move |traffic| traffic.on_weekends(half)),
        ),
        ("at_month_end", Box::new(|traffic| traffic.at_month_end(2))),
        ("tokens", Box::new(|traffic| traffic.tokens(900))),
        ("latency", Box::new(|traffic| traffic.latency(minutes(1)))),
        (
            "failing",
            Box::new(move |traffic| traffic.failing(FailureKind::Timeout, half)),
        ),
        (
            "confidence",
            Box::new(move |traffic| traffic.confidence(total(), Confidence::percent(90))),
        ),
        (
            "corrections",
            Box::new(move |traffic| traffic.corrections(half, minutes(1))),
        ),
    ];
    let run = |traffic| {
        let drill = Drill::new(with(&Diary::default())).traffic(traffic);
        drill.run_for(seconds(1))
    };
    for (name, set) in settings {
        refused(run(set(recorded(&three()))), &why(name));
    }
    refused(
        run(Traffic::of("invoice", 60).unwrap().repeating()),
        "`repeating` of drill traffic: got `set`, expected a recording; made-up documents do not end",
    );
}
