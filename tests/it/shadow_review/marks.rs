//! What a reviewer saved is read back, or refused with what is allowed.

use std::time::Duration;

use fusebox::call::DifferenceKind;
use fusebox::report::{MarkVerdict, Marks};
use fusebox::shadow::IgnoreRules;
use fusebox::{ErrorKind, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_773_014_400_000);
const DAY: u64 = 86_400_000;

fn mark(document_type: &str, field: Option<&str>, verdict: &str, at: u64) -> Value {
    json!({
        "entry": 1, "document": "inv-1", "document_type": document_type, "field": field,
        "kind": field.map(|_| "changed"), "verdict": verdict, "note": "", "marked_at": at,
    })
}

fn file(marks: &[Value]) -> Value {
    json!({
        "format": 1, "report": "00f3a1c2d4e5b697", "production": "v7", "candidate": "v8", "reviewer": "Ada",
        "saved_at": NOW.as_millis(), "marks": marks,
    })
}

fn rules_of(marks: &[Value], now: Timestamp) -> IgnoreRules {
    let marks = Marks::read(file(marks).to_string()).unwrap();
    marks.ignore_rules(now).unwrap()
}

fn subjects(rules: &IgnoreRules) -> Vec<(&str, &str, u64)> {
    let subjects = rules.iter().map(|rule| {
        let name = rule.document_type.as_str();
        (name, rule.field.as_str(), rule.expires.as_millis())
    });
    subjects.collect()
}

#[test]
fn a_file_is_read_with_all_that_it_says() {
    let mut saved = mark("invoice", Some("/total"), "reject", 7);
    saved["note"] = "a factor of 100".into();
    let marks = Marks::read(file(&[saved]).to_string()).unwrap();
    assert_eq!(
        (marks.report(), marks.reviewer()),
        ("00f3a1c2d4e5b697", "Ada")
    );
    assert_eq!(
        (marks.production().as_str(), marks.candidate().as_str()),
        ("v7", "v8")
    );
    assert_eq!(marks.saved_at(), NOW);
    let [mark] = marks.marks() else {
        panic!("one mark");
    };
    assert_eq!(
        (mark.document.as_str(), mark.document_type.as_str()),
        ("inv-1", "invoice")
    );
    assert_eq!(mark.field.as_ref().unwrap(), "/total");
    assert_eq!(mark.kind, Some(DifferenceKind::Changed));
    assert_eq!(
        (mark.verdict, &mark.note[..]),
        (MarkVerdict::Reject, "a factor of 100")
    );
    assert_eq!(mark.marked_at.as_millis(), 7);
    let again = Marks::read(serde_json::to_string(&marks).unwrap()).unwrap();
    assert_eq!(again, marks);
}

#[test]
fn what_is_not_such_a_file_is_refused_with_what_is_allowed() {
    let changed = |change: fn(&mut Value)| {
        let mut file = file(&[mark("invoice", Some("/total"), "accept", 0)]);
        change(&mut file);
        file.to_string()
    };
    for (json, expected) in [
        (String::new(), "marks: file: got `EOF"),
        (
            "[]".to_owned(),
            "expected the JSON file that a review page saves",
        ),
        (
            changed(|file| file["format"] = json!(2)),
            "unknown format 2; this version of fusebox reads format 1",
        ),
        (
            changed(|file| file["surplus"] = json!(2)),
            "unknown field `surplus`",
        ),
        (
            changed(|file| file["reviewer"] = json!(" ")),
            "marks: reviewer: got ` `, expected at least one character",
        ),
        (
            changed(|file| file["reviewer"] = json!("a\nb")),
            "expected one line, without control characters",
        ),
        (
            changed(|file| file["marks"][0]["verdict"] = json!("maybe")),
            "unknown variant `maybe`, expected `accept` or `reject`",
        ),
        (
            changed(|file| file["marks"][0]["document"] = json!("")),
            "document id: got ``",
        ),
        (
            changed(|file| file["marks"][0]["kind"] = json!(null)),
            "expected a field together with a kind, or neither",
        ),
        (
            changed(|file| file["marks"][0]["marked_at"] = json!(-1)),
            "marks: file: got `invalid value",
        ),
        (
            changed(|file| file["marks"][0]["note"] = json!("x".repeat(10_001))),
            "marks: note: got `xxx",
        ),
    ] {
        let error = Marks::read(&json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(
            error.to_string().contains(expected),
            "{error} has no {expected}"
        );
    }
    Marks::read(changed(|file| {
        file["marks"][0]["note"] = json!("x".repeat(10_000));
    }))
    .unwrap();
    Marks::read([0xff, 0xfe]).unwrap_err();
}

#[test]
fn a_file_of_10_megabytes_is_read_and_a_larger_one_is_not() {
    let text = file(&[]).to_string();
    let padded = |length: usize| format!("{text}{}", " ".repeat(length - text.len()));
    Marks::read(padded(10_000_000)).unwrap();
    let error = Marks::read(padded(10_000_001)).unwrap_err().to_string();
    assert_eq!(
        error,
        "marks: file: got `10000001`, expected at most 10000000 bytes"
    );
}

#[test]
fn what_was_accepted_does_not_count_for_30_days_after_its_mark() {
    let at = NOW.as_millis() - DAY;
    let rules = rules_of(&[mark("invoice", Some("/unit"), "accept", at)], NOW);
    assert_eq!(subjects(&rules), [("invoice", "/unit", at + 30 * DAY)]);
    let rule = rules.iter().next().unwrap();
    assert_eq!((&rule.by[..], rule.kind), ("Ada", DifferenceKind::Changed));
    let expired = rules_of(
        &[mark(
            "invoice",
            Some("/unit"),
            "accept",
            NOW.as_millis() - 30 * DAY,
        )],
        NOW,
    );
    assert!(expired.is_empty());
    let just = rules_of(
        &[mark(
            "invoice",
            Some("/unit"),
            "accept",
            NOW.as_millis() - 30 * DAY + 1,
        )],
        NOW,
    );
    assert_eq!(just.len(), 1);
}

#[test]
fn a_browser_whose_clock_is_ahead_makes_no_longer_rule() {
    let ahead = NOW.as_millis() + 400 * DAY;
    let rules = rules_of(&[mark("invoice", Some("/unit"), "accept", ahead)], NOW);
    assert_eq!(
        subjects(&rules),
        [("invoice", "/unit", NOW.as_millis() + 30 * DAY)]
    );
    let last = rules_of(&[mark("invoice", Some("/unit"), "accept", u64::MAX)], NOW);
    assert_eq!(
        subjects(&last),
        [("invoice", "/unit", NOW.as_millis() + 30 * DAY)]
    );
}

#[test]
fn one_rejection_of_a_field_and_kind_leaves_no_rule() {
    let now = NOW.as_millis();
    let rules = rules_of(
        &[
            mark("invoice", Some("/lines/0/unit"), "accept", now),
            mark("invoice", Some("/lines/4/unit"), "reject", now),
            mark("contract", Some("/lines/0/unit"), "accept", now),
            mark("invoice", Some("/total"), "reject", now),
            mark("invoice", None, "accept", now),
        ],
        NOW,
    );
    assert_eq!(
        subjects(&rules),
        [("contract", "/lines/*/unit", now + 30 * DAY)]
    );
}

#[test]
fn a_rule_has_the_latest_mark_and_the_first_note() {
    let (early, late) = (NOW.as_millis() - 2 * DAY, NOW.as_millis() - DAY);
    let mut with_note = mark("invoice", Some("/lines/1/unit"), "accept", early);
    with_note["note"] = "pcs is piece".into();
    let rules = rules_of(
        &[
            mark("invoice", Some("/lines/0/unit"), "accept", late),
            with_note,
        ],
        NOW,
    );
    assert_eq!(
        subjects(&rules),
        [("invoice", "/lines/*/unit", late + 30 * DAY)]
    );
    assert_eq!(rules.iter().next().unwrap().note, "pcs is piece");
}

#[test]
fn another_time_is_more_than_zero_and_at_most_366_days() {
    let marks =
        Marks::read(file(&[mark("invoice", Some("/unit"), "accept", NOW.as_millis())]).to_string())
            .unwrap();
    let days = |days: u64| Duration::from_millis(days * DAY);
    let rules = marks.ignore_rules_for(days(366), NOW).unwrap();
    assert_eq!(
        subjects(&rules),
        [("invoice", "/unit", NOW.as_millis() + 366 * DAY)]
    );
    for time in [Duration::ZERO, days(366) + Duration::from_millis(1)] {
        let error = marks.ignore_rules_for(time, NOW).unwrap_err().to_string();
        assert!(
            error.contains("more than zero and at most 366 days"),
            "{error}"
        );
    }
}

#[test]
fn a_thousand_rules_are_made_and_one_more_is_an_error() {
    let of = |count: usize| {
        let marks =
            (0..count).map(|n| mark("invoice", Some(&format!("f{n}")), "accept", NOW.as_millis()));
        let marks = Marks::read(file(&marks.collect::<Vec<_>>()).to_string()).unwrap();
        marks.ignore_rules(NOW).map(|rules| rules.len())
    };
    assert_eq!(of(1_000).unwrap(), 1_000);
    let error = of(1_001).unwrap_err().to_string();
    assert_eq!(
        error,
        "ignore rules: got `1001`, expected at most 1000 rules"
    );
}

#[test]
fn a_note_of_many_bytes_still_makes_a_rule() {
    let mut noted = mark("invoice", Some("/unit"), "accept", NOW.as_millis());
    noted["note"] = "é".repeat(5_000).into();
    assert_eq!(rules_of(&[noted], NOW).len(), 1);
}

proptest! {
    /// Whatever bytes come, reading them ends with marks or an error.
    #[test]
    fn no_file_makes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..400) {
        let _ = Marks::read(&bytes);
        let text = file(&[mark("invoice", Some("/total"), "accept", 0)]).to_string();
        let cut = cut.min(text.len() - 1);
        prop_assert!(Marks::read(&text[..cut]).is_err());
    }
}
