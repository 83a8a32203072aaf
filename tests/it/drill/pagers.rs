//! Drills of a service with a keeper: its page counts when a pager has accepted it, whatever the
//! store, the sink or the network do.

use std::time::Duration;

use fusebox::drill::{DrillOutcome, DrillReport, Fault, Traffic};
use fusebox::event::PipelineEvent;
use fusebox::pager::{
    Form, Notification, Pager, PagerDuty, PagerReply, PagerRoute, PostAnswer, PostRequest,
};
use fusebox::pipeline::Builder;
use fusebox::{DocumentType, Drill, Error, EventKind, FailureKind, Ratio, Severity, Timestamp};

use super::{HEALTHY, production};
use crate::support::{minutes, seconds};

fn pager_duty() -> PagerDuty {
    PagerDuty::new("0123456789abcdef0123456789abcdef").unwrap()
}

fn on_call() -> PagerRoute {
    PagerRoute::new("on call", pager_duty()).unwrap()
}

fn service() -> Drill<fn() -> Result<Builder, Error>> {
    Drill::new(production as fn() -> Result<Builder, Error>)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .traffic(Traffic::of("statement", 12).unwrap())
}

fn outage() -> Fault {
    Fault::fail(FailureKind::ServerError).share(Ratio::percent(20))
}

fn assert_line(report: &DrillReport, number: usize, line: &str) {
    assert_eq!(report.checks()[number].to_string(), line, "{report}");
}

#[test]
fn healthy_traffic_with_a_pager_pages_nobody() {
    let drill = service().pager(on_call()).expect_no_page();
    let report = drill.run_for(minutes(120)).unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
}

/// The keeper turns with each tick, so the page arrives at the next one.
#[test]
fn a_pager_that_answers_has_the_page_at_the_next_tick() {
    let run = |drill: Drill<_>| {
        drill
            .fault(HEALTHY, outage())
            .run_for(minutes(120))
            .unwrap()
    };
    let at_sink = run(service()).time_to_page().unwrap();
    let report = run(service().pager(on_call()));
    let at_pager = report.time_to_page().unwrap();
    assert!(
        at_sink <= at_pager && at_pager <= at_sink + seconds(5),
        "{at_sink:?} {at_pager:?}"
    );
    assert!(report.documents_met_before_page() > 0);
}

/// 612 documents come in an hour, of which a fifth fails: the page waits from the fourth minute on.
/// The waits between two tries are at most 144 s, and a tick comes each 5 s.
#[test]
fn a_page_counts_when_the_pager_has_accepted_it() {
    let drill = || {
        let down = Fault::pager_down().lasting(minutes(20));
        let drill = service().pager(on_call()).fault(HEALTHY, outage());
        drill.fault(HEALTHY, down).must_fail_without("error-rate")
    };
    let late = drill().detects_within(minutes(20));
    let late = late.run_for(minutes(120)).unwrap();
    assert_eq!(late.outcome(), DrillOutcome::Failed, "{late}");
    let time = late.time_to_page().unwrap();
    assert!(
        time > minutes(20) && time <= minutes(20) + seconds(149),
        "{late}"
    );
    // In 20 minutes 204 documents come, and more than a fifth of them is met by the outage; the
    // other fault meets each as it arrives.
    assert!(late.documents_met_before_page() >= 204 + 40, "{late}");
    let in_time = drill()
        .detects_within(minutes(20) + seconds(149))
        .expect_page("error-rate/failing")
        .expect_page("pipeline/pages-undelivered")
        .expect_page_with("pages_undelivered")
        .run_for(minutes(120))
        .unwrap();
    assert_eq!(in_time.outcome(), DrillOutcome::Passed, "{in_time}");
}

#[test]
fn a_page_that_never_arrives_is_none_and_is_not_no_page_either() {
    let drill = || {
        let drill = service().pager(on_call()).fault(HEALTHY, outage());
        drill.fault(HEALTHY, Fault::pager_down())
    };
    let missed = drill().detects_within(minutes(30)).expect_resolve();
    let missed = missed.run_for(minutes(120)).unwrap();
    assert_line(&missed, 0, "failed: a page within 30m: no page came");
    assert_line(
        &missed,
        1,
        "failed: every page's incident ends: no page came",
    );
    let none = drill().expect_no_page().run_for(minutes(120)).unwrap();
    let paged = none
        .events()
        .filter(|event| event.severity == Severity::Page);
    let seen = format!("failed: no page: {} no pager accepted", paged.count());
    assert_line(&none, 0, &seen);
}

/// The outage ends after half an hour; its window of 15 minutes and what holds an incident open are
/// over an hour later, when nothing reaches the pager any more.
#[test]
fn an_end_of_which_the_pager_does_not_know_is_none() {
    let run = |down: Fault| {
        let drill = service()
            .pager(on_call())
            .fault(HEALTHY, outage().lasting(minutes(30)));
        let drill = drill.fault(minutes(95), down).expect_resolve();
        drill.run_for(minutes(300)).unwrap()
    };
    let told = run(Fault::pager_down().lasting(minutes(120)));
    assert_eq!(told.outcome(), DrillOutcome::Passed, "{told}");
    let untold = run(Fault::pager_down());
    assert_line(
        &untold,
        0,
        "failed: every page's incident ends: still open: `error-rate/failing/v7/1`",
    );
}

/// Writes fail from the tick at the hour on, and ten seconds later that is an incident. Its page
/// waits a second for the store, so it goes out with the next tick, which is five seconds later.
#[test]
fn a_store_that_fails_is_paged_for_after_a_quarter_of_a_minute() {
    let drill = || service().pager(on_call());
    let down = Fault::store_down().lasting(minutes(10));
    let drilled = drill()
        .fault(HEALTHY, down)
        .expect_page("pipeline/store-down")
        .expect_resolve()
        .run_for(minutes(180))
        .unwrap();
    assert_eq!(drilled.outcome(), DrillOutcome::Passed, "{drilled}");
    assert_eq!(drilled.time_to_page(), Some(seconds(15)), "{drilled}");
    // An incident needs no store.
    let both = drill()
        .fault(HEALTHY, Fault::store_down())
        .fault(HEALTHY, outage())
        .expect_page("error-rate/failing");
    let both = both.run_for(minutes(120)).unwrap();
    assert_eq!(both.outcome(), DrillOutcome::Passed, "{both}");
}

/// The next write finds the store empty, and everything is written again.
#[test]
fn a_store_that_is_lost_is_paged_for_and_a_restart_knows_what_was_open() {
    let drill = || {
        let invoices = Traffic::of("invoice", 600).unwrap();
        let drill = Drill::new(production).pager(on_call());
        drill.traffic(invoices.latency(minutes(1)))
    };
    let lost = drill()
        .fault(minutes(30), Fault::lose_store())
        .expect_page("pipeline/store-replaced")
        .expect_page_with("store_replaced")
        .expect_end("pipeline/store-replaced")
        .run_for(minutes(95))
        .unwrap();
    assert_eq!(lost.outcome(), DrillOutcome::Passed, "{lost}");
    assert!(lost.time_to_page().unwrap() <= seconds(10), "{lost}");
    let restarted = drill()
        .fault(minutes(30), Fault::lose_store())
        .fault(minutes(31), Fault::restart())
        .loses_nothing()
        .run_for(minutes(45))
        .unwrap();
    assert_eq!(restarted.outcome(), DrillOutcome::Passed, "{restarted}");
}

/// Another process that is heard for more than a minute: half of a minute is a deployment.
#[test]
fn a_store_that_is_shared_is_paged_for_after_a_minute_and_not_for_a_deployment() {
    let run = |time| {
        let shared = Fault::share_store().lasting(time);
        let drill = service().pager(on_call()).fault(HEALTHY, shared);
        let drill = drill.expect_page("pipeline/store-shared");
        drill.expect_resolve().run_for(minutes(120)).unwrap()
    };
    let shared = run(minutes(10));
    assert_eq!(shared.outcome(), DrillOutcome::Passed, "{shared}");
    assert_eq!(shared.time_to_page(), Some(seconds(65)), "{shared}");
    let deployed = run(seconds(55));
    assert_eq!(deployed.outcome(), DrillOutcome::Failed, "{deployed}");
}

/// Reviewers correct 5 % of 600 invoices an hour, each after ten minutes: 25 until the hour, and
/// none is a fact where nobody corrects.
#[test]
fn facts_that_a_store_drops_are_a_warning() {
    let run = |invoices: Traffic| {
        let drill = Drill::new(production).pager(on_call()).traffic(invoices);
        drill
            .fault(HEALTHY, Fault::drop_facts())
            .expect_incident("pipeline/facts-dropped")
            .expect_end("pipeline/facts-dropped")
            .run_for(minutes(125))
            .unwrap()
    };
    let invoices = || Traffic::of("invoice", 600).unwrap();
    let dropped = run(invoices().corrections(Ratio::percent(5), minutes(10)));
    assert_eq!(dropped.outcome(), DrillOutcome::Passed, "{dropped}");
    let facts = dropped.events().find_map(|event| match event.kind {
        EventKind::Pipeline(PipelineEvent::FactsDropped { facts, .. }) => Some(facts),
        _ => None,
    });
    assert!(
        facts.is_some_and(|facts| (24..=26).contains(&facts)),
        "{facts:?}"
    );
    assert_eq!(run(invoices()).outcome(), DrillOutcome::Failed);
}

/// A pager is driven by what is open, so an event that was lost loses no page.
#[test]
fn a_page_arrives_while_the_sink_is_down() {
    let drill = |drill: Drill<_>| {
        let drill = drill.fault(HEALTHY, outage());
        let drill = drill.fault(HEALTHY, Fault::sink_down());
        drill
            .detects_within(minutes(30))
            .run_for(minutes(120))
            .unwrap()
    };
    assert_eq!(drill(service()).outcome(), DrillOutcome::Failed);
    let with_pager = drill(service().pager(on_call()));
    assert_eq!(with_pager.outcome(), DrillOutcome::Passed, "{with_pager}");
}

/// A call takes a minute and one comes each 6 s, so ten are open at any time. The keeper writes with
/// each tick: the last one before the hour knows all that came by then, and the one five seconds
/// after the hour knows nothing of the invoice that comes a second later.
#[test]
fn a_restart_goes_on_from_what_the_store_has() {
    let run = |after, restart: Fault| {
        let drill = Drill::new(production)
            .traffic(Traffic::of("invoice", 600).unwrap().latency(minutes(1)))
            .pager(on_call())
            .fault(after, restart);
        drill.loses_nothing().run_for(minutes(90)).unwrap()
    };
    let restarted = run(HEALTHY, Fault::restart());
    assert_eq!(restarted.outcome(), DrillOutcome::Passed, "{restarted}");
    let events = restarted.events();
    let named = events.filter(|event| event.kind.name() == "lost_in_restart");
    assert_eq!(named.count(), 10);
    let lost = |report: &DrillReport| report.checks()[0].seen.clone();
    let between = run(HEALTHY + seconds(8), Fault::restart());
    assert!(
        lost(&between).starts_with("1 documents did not end"),
        "{between}"
    );
    let without_store = run(HEALTHY, Fault::restart_without_snapshot());
    assert!(
        lost(&without_store).starts_with("10 documents did not end"),
        "{without_store}"
    );
}

/// The outage is over before the restart, so only what the store has can end its incident.
#[test]
fn a_page_ends_after_a_restart() {
    let drill = service()
        .pager(on_call())
        .fault(HEALTHY, outage().lasting(minutes(10)))
        .fault(minutes(75), Fault::restart())
        .command(minutes(76), |pipeline| {
            for open in pipeline.incidents() {
                if open.guard == "ledger" {
                    let _ = pipeline.acknowledge(open.key, "ada", "sent again");
                }
            }
        })
        .expect_page("error-rate/failing")
        .expect_resolve();
    let report = drill.run_for(minutes(300)).unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
}

/// Refuses each answer that says it has taken it.
#[derive(Debug)]
struct Picky(PagerDuty);

impl Pager for Picky {
    fn request(&self, told: &Notification, form: Form, now: Timestamp) -> Option<PostRequest> {
        self.0.request(told, form, now)
    }

    fn reply(&self, _answer: &PostAnswer) -> PagerReply {
        PagerReply::Refused
    }
}

#[test]
fn an_answer_that_the_pager_reads_as_a_refusal_is_no_page() {
    let picky = PagerRoute::new("on call", Picky(pager_duty())).unwrap();
    let drill = service().pager(picky).fault(HEALTHY, outage());
    let report = drill.detects_within(minutes(30)).run_for(minutes(120));
    assert_line(
        &report.unwrap(),
        0,
        "failed: a page within 30m: no page came",
    );
}

#[test]
fn a_fault_of_a_pager_or_store_needs_one_and_concerns_all_documents() {
    let refused = |drill: Drill<_>, length: Duration| {
        let run: Result<DrillReport, Error> = drill.run_for(length);
        run.unwrap_err().to_string()
    };
    let cases = [
        (Fault::pager_down(), "a pager that is down"),
        (Fault::store_down(), "a store that is down"),
        (Fault::lose_store(), "a store that is lost"),
        (Fault::share_store(), "a store that is shared"),
        (Fault::drop_facts(), "facts that are dropped"),
    ];
    for (fault, what) in cases {
        assert_eq!(
            refused(service().fault(HEALTHY, fault.clone()), minutes(120)),
            format!(
                "drill fault: got `{what}`, expected a drill with a pager: `.pager(..)`, or `pager = \
                 true` in a scenario"
            )
        );
        let with_pager = |fault| {
            let error = refused(
                service().pager(on_call()).fault(HEALTHY, fault),
                minutes(120),
            );
            error.replace("drill fault: got ", "")
        };
        let one_type = fault.of_type(DocumentType::new("invoice").unwrap());
        let part = with_pager(one_type);
        assert!(
            part.starts_with("`a part of the documents`, expected all documents"),
            "{part}"
        );
    }
    for fault in [Fault::lose_store(), Fault::drop_facts()] {
        let drill = service()
            .pager(on_call())
            .fault(HEALTHY, fault.lasting(minutes(1)));
        assert_eq!(
            refused(drill, minutes(120)),
            "drill fault: got `a loss with an end`, expected no end: what is lost does not come back"
        );
    }
    assert_eq!(
        refused(service().pager(on_call()).pager(on_call()), minutes(120)),
        "route: got `on call`, expected a name that no other route has"
    );
}
