//! A document that was sent to a person has not ended before the person takes it on.

use std::sync::Arc;

use fusebox::{
    Admission, Call, ConfidenceDriftMonitor, Feedback, Field, Report, RouteLedger, Ticket,
    TokenBudget,
};

use super::ticks;
use crate::support::{Bench, answered, line_up, minutes, refused, seconds, stored};

fn ledger() -> Arc<RouteLedger> {
    let ledger = RouteLedger::builder().review_within(minutes(30)).build();
    Arc::new(ledger.unwrap())
}

/// A pipeline that diverts what is not measured, and reviews what is uncertain.
fn bench(ledger: &Arc<RouteLedger>) -> Bench {
    Bench::with(line_up(), |builder| {
        builder
            .guard(Arc::clone(ledger))
            .guard(TokenBudget::builder().build().unwrap())
            .guard(ConfidenceDriftMonitor::default())
    })
}

fn divert(bench: &Bench, document: &str) -> Ticket {
    match bench
        .pipeline
        .admit(&Call::new(document, "invoice").unwrap())
    {
        Admission::Diverted(diversion) => diversion.into_ticket(),
        Admission::Admitted(permit) => panic!("{permit:?}"),
    }
}

fn pages(bench: &Bench) -> Vec<String> {
    let pages = bench.pages().into_iter();
    let about = pages.filter(|kind| kind.name() == "review_queue");
    about.map(|kind| kind.to_string()).collect()
}

fn open(bench: &Bench) -> Vec<String> {
    let open = bench.pipeline.incidents().into_iter();
    open.map(|incident| incident.key.to_string()).collect()
}

#[test]
fn a_queue_that_nobody_empties_is_a_page() {
    let ledger = ledger();
    let bench = bench(&ledger);
    divert(&bench, "inv-1");
    bench.clock.advance(seconds(1));
    let uncertain = Report::new().confidence("total", 0.1);
    answered(bench.permit("invoice"), uncertain);
    assert_eq!(ledger.report().awaiting_review(), 2);
    ticks(&bench, 29);
    bench.tick_after(seconds(59));
    assert_eq!(pages(&bench), [] as [String; 0], "30 minutes are allowed");
    bench.tick_after(seconds(1));
    assert_eq!(
        pages(&bench),
        [
            "1 document waited for more than 30m for a person, inv-1 for 30m 1s: nobody picks \
             them up"
        ]
    );
    assert_eq!(open(&bench), ["ledger/review-queue/-/1"]);
    ticks(&bench, 10);
    assert_eq!(pages(&bench), [] as [String; 0], "once");
}

#[test]
fn a_person_takes_it_on_and_it_is_over() {
    let picked_up = [
        Feedback::PickedUp,
        Feedback::Reviewed,
        Feedback::corrected(Field::new("total").unwrap()),
    ];
    for feedback in picked_up {
        let ledger = ledger();
        let bench = bench(&ledger);
        let ticket = divert(&bench, "inv-1");
        ticks(&bench, 31);
        assert_eq!(pages(&bench).len(), 1);
        bench.pipeline.observe(&ticket, feedback);
        assert_eq!(ledger.report().awaiting_review(), 0);
        ticks(&bench, 16);
        assert_eq!(open(&bench), [] as [String; 0]);
    }
}

#[test]
fn several_calls_for_a_document_are_one_document() {
    let ledger = ledger();
    let bench = bench(&ledger);
    let tickets = [(); 3].map(|()| divert(&bench, "inv-1"));
    assert_eq!(ledger.report().awaiting_review(), 1);
    bench.pipeline.observe(&tickets[1], Feedback::PickedUp);
    assert_eq!(ledger.report().awaiting_review(), 0);
}

#[test]
fn it_is_kept_over_a_restart() {
    let before = bench(&ledger());
    divert(&before, "inv-1");
    ticks(&before, 20);
    let ledger = ledger();
    let next = bench(&ledger);
    next.pipeline.restore(&stored(&before.pipeline)).unwrap();
    assert_eq!(ledger.report().awaiting_review(), 1);
    ticks(&next, 10);
    assert_eq!(pages(&next), [] as [String; 0]);
    ticks(&next, 1);
    assert_eq!(pages(&next).len(), 1);
}

#[test]
fn nobody_who_did_not_ask_for_it_is_paged() {
    let plain = Arc::new(RouteLedger::default());
    let bench = bench(&plain);
    divert(&bench, "inv-1");
    ticks(&bench, 24 * 60);
    assert_eq!(pages(&bench), [] as [String; 0]);
    assert_eq!(plain.report().awaiting_review(), 0);
    refused(
        RouteLedger::builder().review_within(minutes(0)).build(),
        "ledger review_within: got `0s`, expected longer than zero",
    );
}

#[test]
fn a_hundred_thousand_documents_are_tracked_and_no_more() {
    let ledger = ledger();
    let bench = bench(&ledger);
    for n in 0..100_001 {
        divert(&bench, &format!("inv-{n}"));
    }
    assert_eq!(ledger.report().awaiting_review(), 100_000);
    ticks(&bench, 31);
    assert_eq!(pages(&bench).len(), 1);
}
