//! Faults in recorded traffic: what they make of each document, and when they are known.

use std::time::Duration;

use fusebox::drill::{Detection, DrillOutcome, DrillReport, DrillSet, Fault};
use fusebox::{
    Confidence, ConfidenceDriftMonitor, DocumentType, Drill, ErrorRateBreaker, FailureKind, Field,
    LineUp, Pipeline, Ratio, RouteLedger, ShadowComparator, TokenBudget, Version, VersionId,
};

use super::{ANSWERED, answered, call, of_each_kind, read, recorded, told};
use crate::support::{line_up, minutes, seconds, v7, version};

/// What becomes of one recorded document under a fault.
fn under(fault: Fault, document: &str) -> Vec<String> {
    let lines = told(&of_each_kind(), seconds(310), &[fault]);
    let of = |line: &&String| line.split(' ').nth(1) == Some(document);
    lines.iter().filter(of).cloned().collect()
}

fn report_of(lines: &[String]) -> &str {
    lines[1].split_once("confidences: ").unwrap().1
}

#[test]
fn confidences_fall_from_the_recorded_ones() {
    let fall = || Fault::lower_confidence(Confidence::percent(20));
    let usual = under(
        Fault::silence().of_type(DocumentType::new("note").unwrap()),
        "two-fields",
    );
    assert!(
        report_of(&usual).starts_with(
            r#"[("odd", None), ("total", Some(600000e-6)), ("vat_id", Some(700000e-6))]"#
        ),
        "{usual:?}"
    );
    let both = under(fall(), "two-fields");
    assert!(
        report_of(&both).starts_with(
            r#"[("odd", None), ("total", Some(400000e-6)), ("vat_id", Some(500000e-6))]"#
        ),
        "{both:?}"
    );
    let one = under(fall().of_field(Field::new("vat_id").unwrap()), "two-fields");
    assert!(
        report_of(&one).starts_with(
            r#"[("odd", None), ("total", Some(600000e-6)), ("vat_id", Some(500000e-6))]"#
        ),
        "{one:?}"
    );
}

/// The API would report what is added; of another version's prompt it is not known.
#[test]
fn tokens_are_added_to_the_recorded_ones_and_to_the_usage() {
    let creep = || Fault::add_tokens(100);
    let plain = under(creep(), "plain");
    assert_eq!(plain[0], "0 plain invoice of 1000 tokens");
    let unknown = under(creep(), "no-tokens");
    assert_eq!(unknown[0], "1001 no-tokens invoice of no tokens");
    let used = under(creep(), "used");
    assert!(
        used[1].contains("usage: Some(Usage { input: 400,"),
        "{used:?}"
    );
    let of_v6 = under(creep(), "of-v6");
    assert!(of_v6[1].contains("usage: None"), "{of_v6:?}");
    // v6 is deployed.
    let of_v6 = under(Fault::deploy(LineUp::new(version("v6"))), "of-v6");
    assert!(
        of_v6[1].contains("usage: Some(Usage { input: 300,"),
        "{of_v6:?}"
    );
}

#[test]
fn calls_fail_hang_are_dropped_or_never_come() {
    let failed = under(Fault::fail(FailureKind::Overloaded), "plain");
    assert!(
        failed[1].starts_with("2000 plain Failed(Overloaded)"),
        "{failed:?}"
    );
    // No answer, so nothing to correct.
    assert_eq!(failed.len(), 2);
    let open = under(Fault::hang(), "plain");
    assert!(open[1].starts_with("310000 plain Abandoned"), "{open:?}");
    let dropped = under(Fault::abandon(), "plain");
    assert!(
        dropped[1].starts_with("2000 plain Abandoned"),
        "{dropped:?}"
    );
    assert!(under(Fault::silence(), "plain").is_empty());
}

#[test]
fn corrections_stop_or_come_for_all() {
    let corrections = |fault: Fault, document| {
        let lines = under(fault, document);
        let is_correction = |line: &&String| line.contains("Corrected");
        lines
            .iter()
            .filter(is_correction)
            .cloned()
            .collect::<Vec<_>>()
    };
    let none = Fault::silence().of_type(DocumentType::new("note").unwrap());
    assert_eq!(corrections(none.clone(), "plain").len(), 2);
    assert_eq!(corrections(Fault::stop_feedback(), "plain"), [""; 0]);
    assert_eq!(corrections(none, "at-once"), [""; 0]);
    let all = || Fault::correct(Ratio::ONE);
    // As recorded where it was corrected, and only then.
    assert_eq!(corrections(all(), "plain").len(), 2);
    // Of the recorded delays: 148 and 158 s, 149 s and 108 s (rounded down).
    let added = corrections(all(), "at-once");
    let [added] = added.as_slice() else {
        panic!("{added:?}")
    };
    let after = added.split(' ').next().unwrap().parse::<u64>().unwrap() - 8_008;
    assert!(
        [148_000, 158_000, 148_991, 107_997].contains(&after),
        "{added}"
    );
    assert!(added.contains(r#"field: "total""#), "{added}");
    let vat_id = Field::new("vat_id").unwrap();
    assert_eq!(
        corrections(all().of_field(vat_id.clone()), "at-once"),
        [""; 0]
    );
    let both = corrections(all().of_field(vat_id), "two-fields");
    assert_eq!(both.len(), 2, "it was corrected anyway: {both:?}");
}

/// 100 calls a minute: 20 % of them exceed 5 % in 15 minutes after 3 min 45 s. A call takes 2 s,
/// and a document comes each 600 ms.
#[test]
fn an_outage_in_recorded_traffic_is_known_when_arithmetic_says() {
    let mut lines = String::new();
    for n in 0..12_000 {
        call(&mut lines, n * 600, &format!("inv-{n}"), ANSWERED);
    }
    let recording = read(&lines);
    let production = || Ok(Pipeline::builder(line_up()).guard(ErrorRateBreaker::default()));
    let outage = || Fault::fail(FailureKind::ServerError).share(Ratio::percent(20));
    let run = |seed| {
        Drill::new(production)
            .traffic(recorded(&recording))
            .fault(minutes(60), outage())
            .seed(seed)
            .detects_within(minutes(4))
            .must_fail_without("error-rate")
            .run_for(minutes(120))
            .unwrap()
    };
    let report = run(1);
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    let time = report.time_to_page().unwrap();
    assert!(time.abs_diff(seconds(225)) <= seconds(15), "{time:?}");
    // Nothing is drawn: the same again, and with any seed.
    let json = |report: &DrillReport| serde_json::to_string(report).unwrap();
    assert_eq!(json(&run(1)), json(&report));
    assert_eq!(json(&run(2)), json(&report));

    let matrix = DrillSet::new(production)
        .traffic(recorded(&recording).repeating())
        .settling(minutes(60))
        .watching(minutes(60))
        .healthy(minutes(180))
        .fault("a fifth fails", outage())
        .run()
        .unwrap();
    let Detection { time_to_page, .. } = matrix.rows()[0].together.clone();
    assert_eq!(time_to_page, Some(time));
    assert_eq!(matrix.false_pages(), 0);
}

/// A fault in the recording itself: it is no healthy traffic.
#[test]
fn a_recorded_outage_pages_without_a_fault() {
    let mut lines = String::new();
    for n in 0..1_200 {
        let end = if n >= 600 && n % 5 == 0 {
            ANSWERED.replace(r#""confidences":{"total":0.95}"#, r#""failure":"timeout""#)
        } else {
            ANSWERED.to_owned()
        };
        call(&mut lines, n * 6_000, &format!("inv-{n}"), &end);
    }
    let production = || Ok(Pipeline::builder(line_up()).guard(ErrorRateBreaker::default()));
    let drill = Drill::new(production).traffic(recorded(&read(&lines)));
    let report = drill.expect_no_page().run_for(minutes(120)).unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Failed, "{report}");
    assert_eq!(report.false_pages()[0].guard, "error-rate");
}

/// The ledger names it after ten minutes.
#[test]
fn a_call_that_was_never_answered_is_lost_until_an_event_names_it() {
    let mut lines = String::new();
    for n in 0..200 {
        let end = if n == 50 { "" } else { ANSWERED };
        call(&mut lines, n * 6_000, &format!("inv-{n}"), end);
    }
    let recording = read(&lines);
    let run = |length| {
        let production = || Ok(Pipeline::builder(line_up()).guard(RouteLedger::default()));
        let drill = Drill::new(production).traffic(recorded(&recording));
        drill.loses_nothing().run_for(length).unwrap()
    };
    let early = run(seconds(300 + 590));
    assert_eq!(early.outcome(), DrillOutcome::Failed, "{early}");
    assert!(early.to_string().contains("such as inv-50"), "{early}");
    let told = run(seconds(300 + 610));
    assert_eq!(told.outcome(), DrillOutcome::Passed, "{told}");
}

/// Prompts that grow are known by the tokens that were recorded: 6,500 and 500 fit into 8,192
/// beside a prompt of 500, 2,000 more do not.
#[test]
fn token_creep_in_recorded_traffic_is_known() {
    let long = ANSWERED.replace("900", "6500");
    let mut lines = String::new();
    for n in 0..1_200 {
        call(&mut lines, n * 6_000, &format!("inv-{n}"), &long);
    }
    let production = || {
        let version = Version::new("v7", "gpt-4")?
            .with_system_prompt_tokens(100)
            .with_reserved_answer_tokens(400);
        Ok(Pipeline::builder(LineUp::new(version)).guard(TokenBudget::builder().build()?))
    };
    let report = Drill::new(production)
        .traffic(recorded(&read(&lines)))
        .fault(minutes(60), Fault::add_tokens(2_000))
        .detects_within(minutes(5))
        .must_fail_without("token-budget")
        .run_for(minutes(120))
        .unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    assert!(report.false_pages().is_empty());
}

/// Scores that scatter as they were recorded are no alarm, and a fall among them is one.
#[test]
fn a_fall_of_recorded_confidences_is_known() {
    let mut lines = String::new();
    for n in 0..7_200_u64 {
        // 0.80 to 0.99, in no order: 7 and 20 have no common divisor.
        let score = 80 + n * 7 % 20;
        let end = ANSWERED.replace("0.95", &format!("0.{score}"));
        call(&mut lines, n * 6_000, &format!("inv-{n}"), &end);
    }
    let production = || Ok(Pipeline::builder(line_up()).guard(ConfidenceDriftMonitor::default()));
    let report = Drill::new(production)
        .traffic(recorded(&read(&lines)))
        .fault(
            minutes(360),
            Fault::lower_confidence(Confidence::percent(10)),
        )
        .detects_within(minutes(30))
        .run_for(minutes(720))
        .unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    assert!(report.false_pages().is_empty(), "{report}");
}

#[test]
fn recorded_answers_are_compared_with_a_candidate() {
    let v8 = || VersionId::new("v8").unwrap();
    let production = || {
        let shadow = ShadowComparator::builder(VersionId::new("v8")?).documents(200, 500);
        Ok(Pipeline::builder(line_up()).guard(shadow.build()?))
    };
    let recording = answered(1_800);
    let run = |share| {
        let traffic = recorded(&recording).compared_with(v8(), Ratio::percent(50));
        let drill = Drill::new(production).traffic(traffic);
        let drill = drill.fault(Duration::ZERO, Fault::diverge(Ratio::percent(share)));
        drill.expect_event("review_requested").run_for(minutes(180))
    };
    assert_eq!(run(20).unwrap().outcome(), DrillOutcome::Passed);
    assert_eq!(run(0).unwrap().outcome(), DrillOutcome::Blind);
}

/// A version that was not recorded serves with the recorded answers.
#[test]
fn a_fault_of_a_version_meets_what_that_version_serves() {
    let recording = answered(600);
    let run = |version| {
        let production = || Ok(Pipeline::builder(line_up()).guard(RouteLedger::default()));
        let fault = Fault::fail(FailureKind::Timeout).of_version(version);
        let drill = Drill::new(production).traffic(recorded(&recording));
        let report = drill.fault(minutes(30), fault).run_for(minutes(60));
        report.unwrap().documents_met()
    };
    assert!(run(v7()) > 250);
    assert_eq!(run(VersionId::new("v9").unwrap()), 0);
}
