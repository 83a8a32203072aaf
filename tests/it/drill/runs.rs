//! What a drill needs, and what it proves: that a page came, or that none did.

use fusebox::drill::{DrillOutcome, DrillReport, Fault, Traffic};
use fusebox::{
    Drill, ErrorRateBreaker, FailureKind, Guard, LineUp, Pipeline, Ratio, RouteLedger, TokenBudget,
    VersionId,
};

use super::{drill, production};
use crate::support::{line_up, minutes, refused, seconds, v6, v7, version};

#[test]
fn healthy_traffic_pages_nobody() {
    let report = Drill::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .traffic(Traffic::of("statement", 12).unwrap())
        .run_for(minutes(24 * 60))
        .unwrap();
    assert!(
        report.false_pages().is_empty(),
        "{:?}",
        report.false_pages()
    );
    assert_eq!(report.time_to_page(), None);
    let events: Vec<_> = report.events().map(ToString::to_string).collect();
    assert_eq!(events.len(), 1, "the deployment: {events:?}");
}

#[test]
fn a_drill_fails_without_its_guard() {
    let production =
        || Ok(Pipeline::builder(LineUp::new(version("v7"))).guard(TokenBudget::builder().build()?));
    let report = drill(production, Fault::fail(FailureKind::ServerError));
    assert_eq!(report.time_to_page(), None);
    assert!(!report.is_known_in_time());
}

#[test]
fn a_guard_that_only_watches_does_not_page() {
    let production =
        || Ok(Pipeline::builder(line_up()).guard(ErrorRateBreaker::default().dry_run()));
    let report = drill(production, Fault::fail(FailureKind::ServerError));
    assert_eq!(report.time_to_page(), None);
    assert!(report.events().any(|event| event.dry_run));
}

#[test]
fn the_same_drill_gives_the_same_result() {
    let run = || {
        drill(
            production,
            Fault::fail(FailureKind::ServerError).share(Ratio::percent(10)),
        )
    };
    let lines = |report: &DrillReport| report.events().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(lines(&run()), lines(&run()));
}

#[test]
fn a_drill_says_what_it_needs() {
    let drill = || Drill::new(|| Ok(Pipeline::builder(line_up()).guard(RouteLedger::default())));
    refused(
        drill().run_for(minutes(1)),
        "drill traffic: got `none`, expected at least one document type; add it with `.traffic(..)`",
    );
    refused(
        Traffic::of("invoice", 0),
        "drill traffic per hour: got `0`, expected 1 to 3600000 documents",
    );
    let late = drill()
        .traffic(Traffic::of("invoice", 60).unwrap())
        .fault(minutes(60), Fault::fail(FailureKind::Timeout));
    refused(
        late.run_for(minutes(60)),
        "drill fault: got `1h`, expected less than the length of the drill, 1h",
    );
    let late = drill()
        .traffic(Traffic::of("invoice", 60).unwrap())
        .command(minutes(60), Pipeline::tick);
    refused(
        late.run_for(minutes(60)),
        "drill command: got `1h`, expected less than the length of the drill, 1h",
    );
}

/// Ten invoices are open in each minute: a call takes a minute, and one comes every six seconds.
fn restarts(fault: Fault) -> DrillReport {
    let invoices = Traffic::of("invoice", 600).unwrap();
    Drill::new(production)
        .traffic(invoices.latency(minutes(1)))
        .traffic(Traffic::of("statement", 12).unwrap())
        .fault(minutes(30), Fault::deploy(LineUp::new(version("v8"))))
        .fault(minutes(60), fault)
        .serves_from(VersionId::new("v8").unwrap())
        .loses_nothing()
        .run_for(minutes(90))
        .unwrap()
}

#[test]
fn a_restart_with_its_snapshot_names_what_was_open() {
    let report = restarts(Fault::restart());
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    let lost = report
        .events()
        .filter(|event| event.kind.name() == "lost_in_restart");
    assert_eq!(lost.count(), 10);
    let abandoned = |report: &DrillReport| {
        let mut events = report.events();
        events.any(|event| event.kind.name() == "abandoned")
    };
    assert!(!abandoned(&report), "a process that has ended says nothing");
}

#[test]
fn a_restart_without_its_snapshot_loses_what_was_open() {
    let report = restarts(Fault::restart_without_snapshot());
    assert_eq!(report.outcome(), DrillOutcome::Failed, "{report}");
    let [serves, loses] = [0, 1].map(|n| report.checks()[n].to_string());
    let [serves, loses] = if serves.contains("is lost") {
        [loses, serves]
    } else {
        [serves, loses]
    };
    assert!(serves.starts_with("passed: "), "{serves}");
    assert!(
        loses.starts_with(
            "failed: no document is lost: 10 documents did not end and no event names them"
        ),
        "{loses}"
    );
}

/// What is known after a restart is what the snapshot had: a version that is out of service stays
/// out, and without the snapshot it serves again until it has failed again.
#[test]
fn a_restart_goes_on_with_what_its_snapshot_knew() {
    let serving = |fault| {
        let failing = Fault::fail(FailureKind::MalformedOutput).of_version(v7());
        let report = Drill::new(production)
            .traffic(Traffic::of("invoice", 600).unwrap())
            .fault(minutes(10), failing.lasting(minutes(10)))
            .fault(minutes(30), fault)
            .serves_from(v6())
            .run_for(minutes(60))
            .unwrap();
        report.outcome()
    };
    assert_eq!(serving(Fault::restart()), DrillOutcome::Passed);
    let anew = serving(Fault::restart_without_snapshot());
    assert_eq!(anew, DrillOutcome::Failed);
}

/// Two statements an hour do not fit, and somebody picks up each after ten minutes.
#[test]
fn what_waits_for_a_person_is_picked_up_unless_nobody_works() {
    let waits = |fault: Option<Fault>| {
        let production = || {
            let ledger = RouteLedger::builder().review_within(minutes(30));
            Ok(Pipeline::builder(line_up())
                .guard(TokenBudget::builder().build()?)
                .guard(ledger.build()?))
        };
        let long = Traffic::of("statement", 2).unwrap().tokens(200_000);
        let drill = Drill::new(production)
            .traffic(Traffic::of("invoice", 60).unwrap())
            .traffic(long.picked_up_after(minutes(10)));
        let fault = fault.into_iter();
        let drill = fault.fold(drill, |drill, fault| drill.fault(minutes(60), fault));
        let report = drill.expect_page("ledger/review-queue").expect_resolve();
        report.run_for(minutes(300)).unwrap()
    };
    let nobody = waits(Some(Fault::stop_feedback().lasting(minutes(90))));
    assert_eq!(nobody.outcome(), DrillOutcome::Passed, "{nobody}");
    // The one of 60 minutes is told of when it has waited for longer than 30.
    let time = nobody.time_to_page().unwrap();
    assert!(
        time > minutes(30) && time <= minutes(30) + seconds(5),
        "{time:?}"
    );
    assert_eq!(waits(None).outcome(), DrillOutcome::Failed);
}
