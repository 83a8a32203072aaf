//! Each fault, and when it is known.

use std::time::Duration;

use fusebox::drill::{DrillOutcome, DrillReport, Fault, Traffic};
use fusebox::event::{BudgetEvent, DriftEvent, LedgerEvent, RolloutEvent, ShadowEvent};
use fusebox::{
    CanaryPolicy, Confidence, ConfidenceDriftMonitor, DocumentType, Drill, ErrorRateBreaker,
    EventKind, FailureKind, LineUp, Pipeline, Ratio, RouteLedger, ShadowComparator, TokenBudget,
    Version, VersionId,
};

use super::{HEALTHY, drill, production};
use crate::support::{line_up, minutes, seconds, v7, version};

#[test]
fn step_faults_are_seen_in_the_time_that_arithmetic_says() {
    // A window of 15 minutes that was full of successes exceeds 5 % when 0.75 / rate minutes have
    // passed. Documents come every 6 s and calls take 20 s, which adds up to 35 s.
    for (percent, minutes_to_page) in [(100, 0.75), (50, 1.5), (20, 3.75), (10, 7.5)] {
        let report = drill(
            production,
            Fault::fail(FailureKind::ServerError).share(Ratio::percent(percent)),
        );
        let time = report
            .time_to_page()
            .unwrap_or_else(|| panic!("{percent} % was not seen"));
        let expected = Duration::from_secs_f64(minutes_to_page * 60.0);
        assert!(
            time <= expected + seconds(35),
            "{percent} %: {time:?}, expected about {expected:?}"
        );
        assert!(report.is_known_in_time() && report.false_pages().is_empty());
    }
}

/// Six of a hundred exceed five of a hundred after 12.5 minutes. One failure comes every 17 calls,
/// which at ten calls a minute is 100 s: the one too many may come so much later.
#[test]
fn six_percent_are_seen() {
    for (per_hour, late) in [(600, 100), (6_000, 10)] {
        let report = Drill::new(production)
            .traffic(Traffic::of("invoice", per_hour).unwrap())
            .traffic(Traffic::of("statement", 12).unwrap())
            .fault(
                HEALTHY,
                Fault::fail(FailureKind::ServerError).share(Ratio::percent(6)),
            )
            .run_for(minutes(180))
            .unwrap();
        let time = report.time_to_page().unwrap();
        assert!(
            time <= seconds(750 + 35 + late),
            "{per_hour} an hour: {time:?}"
        );
        assert!(report.false_pages().is_empty());
    }
}

/// Twelve statements an hour among 600 invoices: all of them fail, and 2 % of all calls are no
/// alarm.
#[test]
fn a_type_that_fails_alone_is_known_by_its_fifth_failure() {
    let statement = DocumentType::new("statement").unwrap();
    let by_type = ErrorRateBreaker::builder().by_document_type(true);
    let production = || Ok(Pipeline::builder(line_up()).guard(by_type.clone().build()?));
    let report = Drill::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .traffic(Traffic::of("statement", 12).unwrap())
        .fault(
            HEALTHY,
            Fault::fail(FailureKind::ContextLengthExceeded).of_type(statement.clone()),
        )
        .run_for(minutes(180))
        .unwrap();
    assert_eq!(report.page().unwrap().only_for, Some(statement));
    assert!(report.is_known_in_time());
}

#[test]
fn the_longer_prompt_of_the_outage_is_known_in_minutes() {
    let prompt = |id: &str, tokens| {
        let version = Version::new(id, "gpt-4").unwrap();
        version
            .with_system_prompt_tokens(tokens)
            .with_reserved_answer_tokens(500)
    };
    let after = LineUp::new(prompt("v7", 1_200)).with_previous(prompt("v6", 1_000));
    let production = || {
        Ok(Pipeline::builder(LineUp::new(prompt("v6", 1_000)))
            .guard(TokenBudget::builder().build()?)
            .guard(ErrorRateBreaker::default())
            .guard(RouteLedger::default()))
    };
    let report = Drill::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .traffic(Traffic::of("long_invoice", 30).unwrap().tokens(5_800))
        .fault(HEALTHY, Fault::deploy(after))
        .run_for(minutes(180))
        .unwrap();
    let page = report.page().unwrap();
    assert!(
        matches!(&page.kind, EventKind::Budget(BudgetEvent::BudgetAlarm { document_type, .. }) if *document_type == "long_invoice"),
        "{page}"
    );
    assert_eq!(
        report.time_to_page(),
        Some(minutes(4)),
        "the third long invoice: one every two minutes, from the first on"
    );
    assert!(report.false_pages().is_empty());
}

#[test]
fn calls_that_hang_are_known() {
    let report = drill(production, Fault::hang().share(Ratio::percent(50)));
    assert!(matches!(
        report.page().unwrap().kind,
        EventKind::Ledger(LedgerEvent::Overdue { .. })
    ));
    assert!(report.is_known_in_time());
}

#[test]
fn a_type_that_stops_arriving_is_known() {
    let report = drill(
        production,
        Fault::silence().of_type(DocumentType::new("statement").unwrap()),
    );
    assert!(matches!(
        report.page().unwrap().kind,
        EventKind::Ledger(LedgerEvent::Silent { .. })
    ));
    assert!(report.is_known_in_time());
}

#[test]
fn one_type_that_fails_alone_is_known_by_its_empty_queue() {
    let fault = Fault::fail(FailureKind::ContextLengthExceeded);
    let report = Drill::new(|| Ok(Pipeline::builder(line_up()).guard(RouteLedger::default())))
        .traffic(Traffic::of("statement", 12).unwrap())
        .fault(HEALTHY, fault)
        .run_for(minutes(180))
        .unwrap();
    assert!(matches!(
        report.page().unwrap().kind,
        EventKind::Ledger(LedgerEvent::NothingComesOut { .. })
    ));
    assert!(report.is_known_in_time());
}

/// Five healthy hours with 600 documents each, and three after the confidence fell.
fn confidence_falls(monitor: fn() -> ConfidenceDriftMonitor, drop: u32) -> DrillReport {
    let by = Confidence::percent(drop);
    let report = Drill::new(|| Ok(Pipeline::builder(line_up()).guard(monitor())))
        .traffic(Traffic::of("invoice", 600).unwrap())
        .fault(minutes(5 * 60), Fault::lower_confidence(by))
        .run_for(minutes(8 * 60))
        .unwrap();
    assert!(matches!(
        report.page().unwrap().kind,
        EventKind::Drift(DriftEvent::DriftDetected { .. })
    ));
    assert!(report.false_pages().is_empty());
    report
}

/// A mean over four hours falls by 0.05 when `240 min * 0.05 / drop` have passed; the window slides
/// in steps of five minutes.
#[test]
fn confidence_that_falls_is_known_as_soon_as_a_mean_over_four_hours_can_tell() {
    for (drop, in_time) in [(45, true), (15, false)] {
        let report = confidence_falls(ConfidenceDriftMonitor::with_plain_mean, drop);
        let expected = minutes(240 * 5 / u64::from(drop));
        let time = report.time_to_page().unwrap();
        assert!(
            time <= expected + minutes(6) && time + minutes(6) >= expected,
            "{drop}: {time:?}, not {expected:?}"
        );
        assert_eq!(report.is_known_in_time(), in_time);
    }
}

#[test]
fn confidence_that_falls_is_known_within_minutes_by_the_sequential_test() {
    for drop in [45, 15, 5] {
        let report = confidence_falls(ConfidenceDriftMonitor::default, drop);
        assert!(report.is_known_in_time(), "{drop}: {report:?}");
    }
}

#[test]
fn a_candidate_that_is_corrected_more_often_is_known_when_the_corrections_come() {
    let worse = Fault::correct(Ratio::percent(30)).of_version(VersionId::new("v8").unwrap());
    let line_up = || line_up().with_candidate(version("v8"));
    let report = Drill::new(|| Ok(Pipeline::builder(line_up()).guard(CanaryPolicy::default())))
        .traffic(
            Traffic::of("invoice", 6_000)
                .unwrap()
                .corrections(Ratio::percent(3), minutes(20)),
        )
        .fault(Duration::ZERO, worse)
        .run_for(minutes(60))
        .unwrap();
    assert!(matches!(
        report.page().unwrap().kind,
        EventKind::Rollout(RolloutEvent::RolledBack { .. })
    ));
    let time = report.time_to_page().unwrap();
    assert!(time > minutes(20) && report.is_known_in_time(), "{time:?}");
}

#[test]
fn wrong_credentials_are_known_at_once() {
    let report = drill(production, Fault::fail(FailureKind::Auth));
    assert!(report.time_to_page().unwrap() <= seconds(30));
}

#[test]
fn a_fault_of_one_version_ends_with_the_version_before() {
    let fault = Fault::fail(FailureKind::MalformedOutput)
        .share(Ratio::percent(20))
        .of_version(v7());
    let report = drill(production, fault);
    let pages = report
        .events()
        .filter(|event| event.severity == fusebox::Severity::Page)
        .count();
    assert_eq!(
        pages, 1,
        "the previous version serves, and nothing else happens"
    );
}

/// One compared answer in ten differs: the shadow run says so, and asks nobody out of bed.
#[test]
fn a_candidate_that_diverges_is_told() {
    let candidate = VersionId::new("v8").unwrap();
    let production = || {
        let shadow = ShadowComparator::builder(VersionId::new("v8")?).documents(200, 500);
        Ok(Pipeline::builder(line_up()).guard(shadow.build()?))
    };
    let run = |fault: Option<Fault>| {
        let traffic = Traffic::of("invoice", 600).unwrap();
        let traffic = traffic.compared_with(candidate.clone(), Ratio::percent(50));
        let drill = Drill::new(production).traffic(traffic);
        let drill = fault
            .into_iter()
            .fold(drill, |drill, fault| drill.fault(minutes(0), fault));
        drill.run_for(minutes(180)).unwrap()
    };
    let differs = |report: &DrillReport| {
        report.events().any(|event| {
            matches!(
                event.kind,
                EventKind::Shadow(ShadowEvent::ReviewRequested { .. })
            )
        })
    };
    let diverging = run(Some(Fault::diverge(Ratio::percent(20))));
    assert!(
        differs(&diverging),
        "{:?}",
        diverging.events().collect::<Vec<_>>()
    );
    assert!(!differs(&run(None)));
}

/// A page that is told while the pager is out is lost; the drill shows it.
#[test]
fn what_is_told_while_the_sink_is_down_is_lost() {
    let run = |down: Duration| {
        Drill::new(production)
            .traffic(Traffic::of("invoice", 600).unwrap())
            .traffic(Traffic::of("statement", 12).unwrap())
            .fault(HEALTHY, Fault::sink_down().lasting(down))
            .fault(
                HEALTHY,
                Fault::fail(FailureKind::ServerError).lasting(minutes(20)),
            )
            .expect_page("error-rate")
            .run_for(minutes(85))
            .unwrap()
    };
    assert_eq!(run(seconds(10)).outcome(), DrillOutcome::Passed);
    assert_eq!(run(minutes(20)).outcome(), DrillOutcome::Failed);
}
