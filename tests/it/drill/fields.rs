//! Documents with several fields: each has confidences, corrections and differences of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use fusebox::drill::{ConfidenceDistribution, DrillReport, Fault, Traffic};
use fusebox::event::DriftEvent;
use fusebox::{
    Confidence, ConfidenceDriftMonitor, Drill, EventKind, FailureKind, Field, Pipeline, Ratio,
    VersionId,
};

use super::diary::Diary;
use crate::support::{line_up, minutes, refused};

fn field(name: &str) -> Field {
    Field::new(name).unwrap()
}

/// A total at 0.9, and a tax id at 0.8.
fn two_fields() -> Traffic {
    Traffic::of("invoice", 600)
        .unwrap()
        .confidence(field("total"), Confidence::percent(90))
        .confidence(field("vat_id"), Confidence::percent(80))
}

/// What guards are told in an hour.
fn told(traffic: Traffic, fault: Option<Fault>) -> Vec<String> {
    let diary = Diary::default();
    let drill = Drill::new(|| Ok(Pipeline::builder(line_up()).guard(diary.clone())));
    let drill = drill.traffic(traffic);
    let drill = fault
        .into_iter()
        .fold(drill, |drill, fault| drill.fault(Duration::ZERO, fault));
    let _ = drill.run_for(minutes(60)).unwrap();
    diary.lines()
}

/// How many answers have these confidences, as they are printed.
fn confidences(traffic: Traffic, fault: Option<Fault>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in told(traffic, fault) {
        if let Some((_, rest)) = line.split_once("Accepted Report { confidences: [") {
            let (scores, _) = rest.split_once(']').unwrap();
            *counts.entry(scores.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// Documents come from 0 s to 3,600 s, one each 6 s, and those of the last 20 s do not end.
const ANSWERS: usize = 597;

#[test]
fn each_answer_has_all_fields_and_a_field_has_the_confidence_that_was_set_last() {
    let both = r#"("total", Some(900000e-6)), ("vat_id", Some(800000e-6))"#;
    let expected = BTreeMap::from([(both.to_owned(), ANSWERS)]);
    assert_eq!(confidences(two_fields(), None), expected);
    let again = two_fields().confidence(field("total"), Confidence::percent(70));
    let changed = both.replace("900000", "700000");
    assert_eq!(
        confidences(again, None),
        BTreeMap::from([(changed, ANSWERS)])
    );
    let usual = Traffic::of("invoice", 600).unwrap();
    let total = r#"("total", Some(950000e-6))"#.to_owned();
    assert_eq!(confidences(usual, None), BTreeMap::from([(total, ANSWERS)]));
}

/// Two fields of one distribution: of 1,024 values each, two are the same in one answer of 1,024.
#[test]
fn each_field_is_drawn_for_itself() {
    let scores = || ConfidenceDistribution::beta(Confidence::percent(80), 0.1).unwrap();
    let traffic = two_fields()
        .confidence(field("total"), scores())
        .confidence(field("vat_id"), scores());
    let drawn = confidences(traffic, None);
    let is_same = |pair: &&String| {
        let mut scores = pair
            .split("Some(")
            .skip(1)
            .map(|rest| rest.split('e').next());
        scores.next() == scores.next()
    };
    assert!(drawn.keys().filter(is_same).count() < 10, "{drawn:?}");
}

#[test]
fn a_fault_of_one_field_leaves_the_others() {
    let fall = || Fault::lower_confidence(Confidence::percent(30));
    let both = |total, vat_id| {
        format!(r#"("total", Some({total}00000e-6)), ("vat_id", Some({vat_id}00000e-6))"#)
    };
    let under = |fault| confidences(two_fields(), Some(fault));
    assert_eq!(under(fall()), BTreeMap::from([(both(6, 5), ANSWERS)]));
    let one = under(fall().of_field(field("vat_id")));
    assert_eq!(one, BTreeMap::from([(both(9, 5), ANSWERS)]));
    let spread = Fault::spread_confidence(Confidence::percent(10)).of_field(field("vat_id"));
    let spread = under(spread);
    assert_eq!(spread.len(), 2, "{spread:?}");
    assert!(spread[&both(9, 7)].abs_diff(ANSWERS / 2) < 10, "{spread:?}");
}

fn drifted(fault: Fault) -> DrillReport {
    let production = || Ok(Pipeline::builder(line_up()).guard(ConfidenceDriftMonitor::default()));
    let drill = Drill::new(production).traffic(two_fields());
    drill
        .fault(minutes(300), fault)
        .run_for(minutes(420))
        .unwrap()
}

#[test]
fn the_page_names_the_field_that_fell() {
    let fall = Fault::lower_confidence(Confidence::percent(20));
    let report = drifted(fall.clone().of_field(field("vat_id")));
    assert!(report.is_known_in_time(), "{report}");
    let fields = report.events().filter_map(|event| match &event.kind {
        EventKind::Drift(DriftEvent::DriftDetected { field, .. }) => Some(field.as_str()),
        _ => None,
    });
    let fields: Vec<_> = fields.collect();
    assert!(
        !fields.is_empty() && fields.iter().all(|field| *field == "vat_id"),
        "{fields:?}"
    );
}

#[test]
fn a_fault_of_a_field_that_no_document_has_met_none() {
    let fall = Fault::lower_confidence(Confidence::percent(20));
    let report = drifted(fall.of_field(field("vat")));
    assert_eq!((report.documents_met(), report.time_to_page()), (0, None));
}

/// The fields that are corrected, and how often.
fn corrected(fault: Option<Fault>) -> BTreeMap<String, usize> {
    let traffic = two_fields().corrections(Ratio::percent(40), Duration::from_secs(1));
    let mut counts = BTreeMap::new();
    for line in told(traffic, fault) {
        if let Some((_, rest)) = line.split_once("Corrected(Correction { field: \"") {
            let (field, _) = rest.split_once('"').unwrap();
            *counts.entry(field.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// Of 239 corrections one half each, which scatters by 7.7, of which four are allowed.
#[test]
fn each_field_is_corrected_as_often_as_the_others() {
    let counts = corrected(None);
    assert_eq!(
        counts.values().sum::<usize>().abs_diff(ANSWERS * 2 / 5),
        0,
        "{counts:?}"
    );
    assert!(
        counts["total"].abs_diff(counts["vat_id"]) < 62,
        "{counts:?}"
    );
}

#[test]
fn a_fault_corrects_the_field_that_it_is_of() {
    let all = || Fault::correct(Ratio::ONE);
    let some = corrected(Some(all()));
    assert_eq!(some.values().sum::<usize>(), ANSWERS, "{some:?}");
    // One correction each, and where that is of the total, one more.
    let more = corrected(Some(all().of_field(field("vat_id"))));
    assert_eq!(more["vat_id"], ANSWERS);
    assert_eq!(more["total"], corrected(None)["total"]);
}

#[test]
fn a_fault_lets_the_field_differ_that_it_is_of() {
    let v8 = || VersionId::new("v8").unwrap();
    let differing = |fault: Fault| -> (usize, usize) {
        let lines = told(two_fields().compared_with(v8(), Ratio::ONE), Some(fault));
        let differing = lines.iter().filter(|line| line.contains("Diverged"));
        let of = |name: &str| {
            let name = format!("field: \"{name}\"");
            differing
                .clone()
                .filter(|line| line.contains(&name))
                .count()
        };
        (of("total"), of("vat_id"))
    };
    let all = || Fault::diverge(Ratio::ONE);
    assert_eq!(differing(all().of_field(field("vat_id"))), (0, ANSWERS));
    let (total, vat_id) = differing(all());
    assert_eq!(total + vat_id, ANSWERS);
    assert!(total.abs_diff(vat_id) < 98, "{total} and {vat_id}");
}

#[test]
fn a_fault_that_is_of_no_field_is_refused() {
    let broken = |fault: Fault| {
        let production = || Ok(Pipeline::builder(line_up()).guard(Diary::default()));
        let drill = Drill::new(production).traffic(two_fields());
        let fault = fault.of_field(field("total"));
        drill.fault(Duration::ZERO, fault).run_for(minutes(1))
    };
    let why = "drill fault: got `a field`, expected no field: only confidences, corrections and \
               differences have one";
    for fault in [
        Fault::fail(FailureKind::Timeout),
        Fault::silence(),
        Fault::hang(),
        Fault::stop_feedback(),
    ] {
        refused(broken(fault), why);
    }
    refused(
        broken(Fault::correct(Ratio::ONE).lasting(Duration::ZERO)),
        "drill fault: got `no time`, expected more than no time",
    );
}
