//! What a drill expects: met, not met, and blind.

use std::time::Duration;

use fusebox::drill::{Check, DrillOutcome, DrillReport, Fault, Traffic};
use fusebox::event::DriftEvent;
use fusebox::pipeline::Builder;
use fusebox::{
    Confidence, ConfidenceDriftMonitor, DocumentType, Drill, Error, ErrorRateBreaker, Event,
    EventKind, FailureKind, Guard, LineUp, Pipeline, Ratio, RouteLedger, TokenBudget, Version,
    VersionId,
};

use super::{HEALTHY, production};
use crate::support::{line_up, minutes, refused, seconds, v7};

fn invoices<P: Fn() -> Result<Builder, Error>>(production: P) -> Drill<P> {
    Drill::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .traffic(Traffic::of("statement", 12).unwrap())
}

fn outage() -> Fault {
    Fault::fail(FailureKind::ServerError).share(Ratio::percent(20))
}

fn only_check(report: &DrillReport) -> &Check {
    let [check] = report.checks() else {
        panic!("not one check: {report}");
    };
    check
}

fn assert_seen(report: &DrillReport, line: &str) {
    assert_eq!(only_check(report).to_string(), line);
    assert_eq!(report.outcome(), only_check(report).outcome);
}

/// 612 documents come in an hour, 153 in the window of 15 minutes: the eighth failure is more than
/// 5 %. 20 % of them fail, so that the eighth comes with about the 40th document, after 4 minutes;
/// in 3 minutes 31 come, of which 7 at most fail.
#[test]
fn a_page_in_time_passes_and_a_late_one_fails() {
    let run = |within| {
        let drill = invoices(production).fault(HEALTHY, outage());
        drill.detects_within(within).run_for(minutes(120)).unwrap()
    };
    let report = run(seconds(225 + 35));
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    let late = run(seconds(180));
    assert_eq!(late.outcome(), DrillOutcome::Failed, "{late}");
    let before = report.documents_met_before_page();
    assert_eq!(before, 8, "{report}");
    assert!(report.documents_met() > before);
}

#[test]
fn a_guard_that_is_proven_is_missed() {
    let drill = invoices(production).fault(HEALTHY, outage());
    let drill = drill.detects_within(minutes(30));
    let report = drill.must_fail_without("error-rate").run_for(minutes(120));
    let report = report.unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    let proof = report.checks().last().unwrap();
    assert_eq!(
        proof.to_string(),
        "passed: it fails without `error-rate`: it fails: no page came"
    );
}

#[test]
fn a_guard_that_the_drill_does_not_need_is_not_proven() {
    let drill = invoices(production).fault(HEALTHY, outage());
    let drill = drill.detects_within(minutes(30));
    let report = drill.must_fail_without("token-budget");
    let report = report.run_for(minutes(120)).unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Failed);
    let proof = report.checks().last().unwrap();
    assert_eq!(
        proof.to_string(),
        "failed: it fails without `token-budget`: it passes without it"
    );
}

/// That no page comes from a guard that is not there proves nothing.
#[test]
fn a_page_from_the_guard_itself_is_no_proof() {
    let drill = invoices(production).fault(HEALTHY, outage());
    let drill = drill.expect_page("error-rate");
    let report = drill.must_fail_without("error-rate").run_for(minutes(120));
    let report = report.unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Blind, "{report}");
}

#[test]
fn a_page_from_another_guard_is_not_the_one_expected() {
    let drill = invoices(production).fault(HEALTHY, outage());
    let report = drill.expect_page("ledger").run_for(minutes(120)).unwrap();
    assert_seen(
        &report,
        "failed: a page of `ledger`: pages came of `error-rate/failing/v7/1`",
    );
}

#[test]
fn a_page_is_found_by_the_whole_parts_of_its_incident() {
    let outcome = |incident| {
        let drill = invoices(production).fault(HEALTHY, outage());
        let report = drill.expect_page(incident).run_for(minutes(70)).unwrap();
        report.outcome()
    };
    for incident in [
        "error-rate",
        "error-rate/failing",
        "error-rate/failing/v7/1",
    ] {
        assert_eq!(outcome(incident), DrillOutcome::Passed, "{incident}");
    }
    for incident in ["error-rate/fail", "error-rate/failing/v6", "error-rate/"] {
        assert_eq!(outcome(incident), DrillOutcome::Failed, "{incident}");
    }
}

/// The calls that end from 60 to 62 minutes, one each six seconds, hang. The ledger, which waits for
/// ten minutes, has not told of them after 65.
#[test]
fn a_document_that_does_not_end_is_lost_until_an_event_names_it() {
    let drill = || {
        let hang = Fault::hang().lasting(minutes(2));
        invoices(production).fault(HEALTHY, hang).loses_nothing()
    };
    let lost = "21 documents did not end and no event names them, such as invoice-610";
    let report = drill().run_for(minutes(65)).unwrap();
    assert_seen(&report, &format!("failed: no document is lost: {lost}"));
    let told = drill().must_fail_without("ledger").run_for(minutes(90));
    let told = told.unwrap();
    assert_eq!(told.outcome(), DrillOutcome::Passed, "{told}");
    let proof = told.checks().last().unwrap();
    assert_eq!(proof.seen, format!("it fails: {lost}"));
}

#[test]
fn a_document_that_the_application_drops_is_named() {
    let drop = Fault::abandon().share(Ratio::percent(10));
    let drill = invoices(production).fault(HEALTHY, drop).loses_nothing();
    let report = drill.must_fail_without("ledger").run_for(minutes(70));
    let report = report.unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
}

#[test]
fn a_fault_that_met_no_document_is_blind() {
    let elsewhere = outage().of_type(DocumentType::new("invoicee").unwrap());
    let drill = invoices(production).fault(HEALTHY, elsewhere);
    let report = drill.expect_no_page().run_for(minutes(120)).unwrap();
    assert_seen(&report, "blind: no page: fault 1 met no document");
}

#[test]
fn a_drill_that_expects_nothing_is_blind() {
    let report = invoices(production).run_for(minutes(60)).unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Blind);
    assert!(
        report
            .to_string()
            .starts_with("blind: nothing was expected")
    );
}

#[test]
fn healthy_traffic_passes_where_no_page_is_expected_and_an_outage_does_not() {
    let healthy = invoices(production).expect_no_page().run_for(minutes(60));
    assert_seen(&healthy.unwrap(), "passed: no page: no page came");
    let broken = invoices(production).fault(HEALTHY, outage());
    let broken = broken.expect_no_page().run_for(minutes(120)).unwrap();
    assert_eq!(broken.outcome(), DrillOutcome::Failed);
}

/// All versions fail, so that it is the provider: its circuit is probed, and closes by itself.
#[test]
fn a_fault_that_ends_is_resolved_and_one_that_lasts_is_not() {
    let run = |fault: Fault| {
        let drill = invoices(production).fault(HEALTHY, fault);
        drill.expect_resolve().run_for(minutes(600)).unwrap()
    };
    let lasting = run(outage());
    assert_eq!(lasting.outcome(), DrillOutcome::Failed, "{lasting}");
    assert!(
        only_check(&lasting)
            .seen
            .starts_with("still open: `error-rate/")
    );
    let over = run(outage().lasting(minutes(30)));
    assert_seen(&over, "passed: every page's incident ends: none is open");
    let never = invoices(production).expect_resolve().run_for(minutes(60));
    assert_seen(
        &never.unwrap(),
        "failed: every page's incident ends: no page came",
    );
}

#[test]
fn the_version_that_serves_at_the_end_is_seen() {
    let run = |version: &str| {
        let fault = outage().of_version(v7());
        let drill = invoices(production).fault(HEALTHY, fault);
        let drill = drill.serves_from(VersionId::new(version).unwrap());
        drill.run_for(minutes(80)).unwrap()
    };
    assert_seen(
        &run("v6"),
        "passed: version v6 serves at the end: served at the end: `v6`",
    );
    assert_seen(
        &run("v7"),
        "failed: version v7 serves at the end: served at the end: `v6`",
    );
}

#[test]
fn prompts_that_grow_without_a_deployment_are_known() {
    let production = || {
        let version = Version::new("v7", "gpt-4")?
            .with_system_prompt_tokens(100)
            .with_reserved_answer_tokens(400);
        Ok(Pipeline::builder(LineUp::new(version)).guard(TokenBudget::builder().build()?))
    };
    let traffic = Traffic::of("invoice", 600).unwrap().tokens(6_500);
    let report = Drill::new(production)
        .traffic(traffic)
        .fault(HEALTHY, Fault::add_tokens(2_000))
        .detects_within(minutes(5))
        .must_fail_without("token-budget")
        .run_for(minutes(120))
        .unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
}

/// The mean stays at 0.7, so that only the comparison of shapes sees it, which pages nobody.
#[test]
fn confidences_that_spread_at_the_same_mean_are_reported() {
    let is_reported = |monitor: fn() -> ConfidenceDriftMonitor| {
        let field = fusebox::Field::new("total").unwrap();
        let traffic = Traffic::of("invoice", 600).unwrap();
        let spread = Fault::spread_confidence(Confidence::percent(25));
        let report = Drill::new(move || Ok(Pipeline::builder(line_up()).guard(monitor())))
            .traffic(traffic.confidence(field, Confidence::percent(70)))
            .fault(minutes(300), spread)
            .expect_no_page()
            .run_for(minutes(480))
            .unwrap();
        assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
        let is_shape = |event: &Event| {
            matches!(
                event.kind,
                EventKind::Drift(DriftEvent::ShapeChanged { .. })
            )
        };
        report.events().any(is_shape)
    };
    assert!(is_reported(ConfidenceDriftMonitor::default));
    assert!(!is_reported(ConfidenceDriftMonitor::with_plain_mean));
}

/// An hour in which nothing came: the ledger pages for it at once.
#[test]
fn a_clock_that_jumps_forward_is_a_time_without_documents() {
    let drill = invoices(production).fault(HEALTHY, Fault::jump_clock_forward(minutes(60)));
    let drill = drill.detects_within(seconds(5)).expect_page("ledger");
    let report = drill.run_for(minutes(120)).unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
}

/// An hour forward and back again: nobody is paged for the jump of a quarter of an hour, and what
/// breaks later is known.
#[test]
fn a_clock_that_jumps_hides_no_outage() {
    for jump in [Fault::jump_clock_forward, Fault::jump_clock_back] {
        let report =
            invoices(|| Ok(Pipeline::builder(line_up()).guard(ErrorRateBreaker::default())))
                .fault(HEALTHY, jump(minutes(10)).lasting(minutes(30)))
                .fault(minutes(120), outage())
                .detects_within(minutes(60 + 10))
                .run_for(minutes(180))
                .unwrap();
        assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
        assert!(report.time_to_page() > Some(minutes(60)), "{report}");
    }
}

#[test]
fn what_cannot_be_expected_is_an_error() {
    let drill = || invoices(production);
    refused(
        drill().must_fail_without("error_rate").run_for(minutes(60)),
        "drill guard: got `error_rate`, expected a guard of the pipeline: `token-budget`, `error-rate`, `ledger`",
    );
    refused(
        drill().expect_page("budget").run_for(minutes(60)),
        "drill guard: got `budget`, expected a guard of the pipeline: `token-budget`, `error-rate`, `ledger`",
    );
    refused(
        drill().detects_within(minutes(30)).run_for(minutes(60)),
        "drill expectation: got `a page within 30m`, expected a fault to detect; add it with `.fault(..)`",
    );
    let broken = |fault| drill().fault(Duration::ZERO, fault).run_for(minutes(60));
    refused(
        broken(Fault::deploy(line_up()).lasting(minutes(1))),
        "drill fault: got `a deployment with an end`, expected another deployment to undo it",
    );
    refused(
        broken(Fault::deploy(line_up()).share(Ratio::percent(5))),
        "drill fault: got `a part of the documents`, expected all documents: a deployment, a restart, a clock, a tick, a sink, a pager and a store concern all of them",
    );
    refused(
        broken(Fault::silence().of_version(v7())),
        "drill fault: got `a version`, expected no version: the fault comes before a version is chosen",
    );
    refused(
        broken(outage().lasting(Duration::ZERO)),
        "drill fault: got `no time`, expected more than no time",
    );
}

#[test]
fn guards_that_only_watch_or_are_named_otherwise_are_known_by_their_names() {
    let production = || {
        let contracts = ErrorRateBreaker::default().named("contracts");
        Ok(Pipeline::builder(line_up())
            .guard(contracts)
            .guard(RouteLedger::default()))
    };
    let drill = invoices(production).fault(HEALTHY, outage());
    let drill = drill.detects_within(minutes(30));
    let report = drill.must_fail_without("contracts").run_for(minutes(120));
    assert_eq!(report.unwrap().outcome(), DrillOutcome::Passed);
}

/// All documents are diverted after the fault: that v7 served before it says nothing.
#[test]
fn a_version_that_served_only_before_the_fault_does_not_serve() {
    let huge = Fault::add_tokens(1_000_000_000);
    let drill = invoices(production).fault(HEALTHY, huge);
    let report = drill.serves_from(v7()).run_for(minutes(120)).unwrap();
    assert_seen(
        &report,
        "failed: version v7 serves at the end: no document was admitted since the last fault",
    );
}

#[test]
fn a_page_that_is_lost_with_the_sink_is_a_page() {
    let drill = invoices(production).fault(minutes(1), Fault::sink_down());
    let drill = drill
        .fault(HEALTHY, outage().of_version(v7()))
        .expect_no_page();
    let report = drill.run_for(minutes(120)).unwrap();
    assert_seen(&report, "failed: no page: 1 came while the sink was down");
}

#[test]
fn a_drill_in_which_no_document_ends_loses_all_of_them() {
    let slow = Traffic::of("invoice", 600).unwrap().latency(minutes(120));
    let report = Drill::new(production).traffic(slow).loses_nothing();
    assert_seen(
        &report.run_for(minutes(60)).unwrap(),
        "failed: no document is lost: no document has ended yet",
    );
}

/// The ledger pages for receipts after 20 minutes, an hour before anything breaks: that is a false
/// page, and not one of the fault.
#[test]
fn a_page_before_the_fault_is_not_one_of_it() {
    let production = || {
        let ledger = RouteLedger::builder().expect(DocumentType::new("receipt")?, minutes(20));
        Ok(Pipeline::builder(line_up()).guard(ledger.build()?))
    };
    let drill = invoices(production).fault(minutes(80), Fault::stop_feedback());
    let drill = drill.detects_within(minutes(30));
    let report = drill.run_for(minutes(120)).unwrap();
    assert_seen(&report, "failed: a page within 30m: no page came");
    assert_eq!(report.false_pages().len(), 1);
}

/// Invoices, which nobody has declared, stop for 40 minutes: a warning after 30, which ends 15 minutes
/// after they come again.
#[test]
fn a_warning_is_expected_by_its_incident() {
    let quiet = || {
        let of_type = DocumentType::new("invoice").unwrap();
        let fault = Fault::silence().of_type(of_type).lasting(minutes(40));
        invoices(production).fault(HEALTHY, fault)
    };
    let report = quiet()
        .expect_incident("ledger/quiet")
        .run_for(minutes(120));
    assert_seen(
        &report.unwrap(),
        "passed: an incident `ledger/quiet`: incidents that opened: `ledger/quiet/-/1`",
    );
    let report = quiet()
        .expect_incident("ledger/silent")
        .run_for(minutes(120));
    assert_seen(
        &report.unwrap(),
        "failed: an incident `ledger/silent`: incidents that opened: `ledger/quiet/-/1`",
    );
    let report = quiet().expect_end("ledger").run_for(minutes(120)).unwrap();
    assert_seen(&report, "passed: each incident `ledger` ends: none is open");
    let report = quiet().expect_end("ledger").run_for(minutes(110)).unwrap();
    assert_seen(
        &report,
        "failed: each incident `ledger` ends: still open: `ledger/quiet/-/1`",
    );
    let report = quiet().expect_end("error-rate").run_for(minutes(120));
    assert_seen(
        &report.unwrap(),
        "failed: each incident `error-rate` ends: incidents that opened: `ledger/quiet/-/1`",
    );
    let report = quiet().expect_end("ledger").run_for(minutes(80)).unwrap();
    assert_seen(
        &report,
        "failed: each incident `ledger` ends: no incident opened",
    );
}

#[test]
fn a_page_is_expected_by_its_event() {
    let run = |event| {
        let drill = invoices(production).fault(HEALTHY, outage().of_version(v7()));
        drill.expect_page_with(event).run_for(minutes(120)).unwrap()
    };
    let passed = run("error_rate_exceeded");
    assert_seen(
        &passed,
        "passed: a page with an event `error_rate_exceeded`: pages came with `error_rate_exceeded`",
    );
    let quiet = Fault::silence().of_type(DocumentType::new("invoice").unwrap());
    let drill = invoices(production).fault(HEALTHY, quiet);
    let warned = drill.expect_page_with("silent").run_for(minutes(120));
    assert_seen(
        &warned.unwrap(),
        "failed: a page with an event `silent`: no page came",
    );
    assert_seen(
        &run("exhausted"),
        "failed: a page with an event `exhausted`: pages came with `error_rate_exceeded`",
    );
}

#[test]
fn a_restart_has_no_end_and_no_part() {
    let run = |fault| {
        invoices(production)
            .fault(HEALTHY, fault)
            .run_for(minutes(120))
    };
    refused(
        run(Fault::restart().lasting(minutes(1))),
        "drill fault: got `a restart with an end`, expected no end: the next process goes on at once",
    );
    for fault in [Fault::restart(), Fault::stop_ticks(), Fault::sink_panics()] {
        refused(
            run(fault.share(Ratio::percent(50))),
            "drill fault: got `a part of the documents`, expected all documents: a deployment, a restart, a clock, a tick, a sink, a pager and a store concern all of them",
        );
    }
}
