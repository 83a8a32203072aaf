//! What a drill needs, and what it proves: that a page came, or that none did.

use fusebox::drill::{DrillReport, Fault, Traffic};
use fusebox::{
    Drill, ErrorRateBreaker, FailureKind, Guard, LineUp, Pipeline, Ratio, RouteLedger, TokenBudget,
};

use super::{drill, production};
use crate::support::{line_up, minutes, refused, version};

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
}
