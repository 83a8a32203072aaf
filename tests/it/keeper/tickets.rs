//! Feedback that comes with the id of a document alone.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;

use fusebox::breaker::BreakerMode;
use fusebox::event::{LedgerEvent, PipelineEvent};
use fusebox::guard::{Cx, Share, Wanted};
use fusebox::sink::MemorySink;
use fusebox::{
    Error, Event, EventKind, Feedback, Field, Guard, Role, RouteLedger, StoreFault, TicketBook,
};

use super::*;
use crate::support::{Bench, minutes};

fn process(world: &World) -> Keeper {
    let pipeline = Pipeline::builder(line_up())
        .guard(TicketBook::new())
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let builder = Keeper::builder("invoices", &pipeline).unwrap();
    wait(builder.store(Arc::clone(&world.store)).start()).unwrap()
}

fn answer(keeper: &Keeper, document: &str) -> Ticket {
    let call = Call::new(document, "invoice").unwrap();
    let permit = keeper.pipeline().admit(&call).permit().unwrap();
    permit.answer(Report::new()).ticket().clone()
}

fn corrected() -> Feedback {
    Feedback::corrected(Field::new("total").unwrap())
}

/// The tickets that the feedback in the store is about.
fn reported(world: &World) -> Vec<String> {
    let facts = world.facts("feedback");
    let ids = facts
        .iter()
        .map(|fact| fact.value["ticket"]["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[test]
fn feedback_finds_its_answer_before_and_after_a_restart() {
    let world = World::new();
    let keeper = process(&world);
    let (fresh, kept) = (answer(&keeper, "fresh"), answer(&keeper, "kept"));
    // Nothing was written yet.
    wait(keeper.feedback_for("fresh", corrected())).unwrap();
    wait(keeper.turn()).unwrap();
    drop(keeper);

    let keeper = process(&world);
    wait(keeper.feedback_for("kept", corrected())).unwrap();
    let ids = [fresh.id().to_string(), kept.id().to_string()];
    assert_eq!(reported(&world), ids);
    assert_eq!(wait(keeper.ticket_of("kept")).unwrap(), Some(kept));
}

#[test]
fn a_ticket_is_stored_with_its_feedback() {
    let world = World::new();
    let keeper = process(&world);
    let ticket = answer(&keeper, "inv-1");
    wait(keeper.feedback_for("inv-1", corrected())).unwrap();
    // Killed before its first turn.
    drop(keeper);
    let keeper = process(&world);
    assert_eq!(wait(keeper.ticket_of("inv-1")).unwrap(), Some(ticket));
}

#[test]
fn the_latest_answer_counts_whichever_process_gave_it() {
    let world = World::new();
    let keeper = process(&world);
    let first = answer(&keeper, "inv-1");
    wait(keeper.turn()).unwrap();
    let second = answer(&keeper, "inv-1");
    assert_eq!(wait(keeper.ticket_of("inv-1")).unwrap(), Some(second));
    wait(keeper.turn()).unwrap();
    drop(keeper);
    let keeper = process(&world);
    answer(&keeper, "inv-1");
    let fourth = answer(&keeper, "inv-1");
    // Both wait for the store, and then it has both.
    for _ in 0..2 {
        let found = wait(keeper.ticket_of("inv-1")).unwrap();
        assert_eq!(found, Some(fourth.clone()));
        wait(keeper.turn()).unwrap();
    }
    assert_ne!(first.id(), fourth.id());
}

#[test]
fn a_document_without_an_answer_is_refused() {
    let world = World::new();
    let keeper = process(&world);
    let call = Call::new("failed", "invoice").unwrap();
    let permit = keeper.pipeline().admit(&call).permit().unwrap();
    permit.fail(FailureKind::MalformedOutput);
    wait(keeper.turn()).unwrap();
    for document in ["failed", "unknown", "", "inv-1' OR 1=1 --"] {
        let error = wait(keeper.feedback_for(document, corrected())).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "document: got `{document}`, expected a document that was answered or diverted \
                 while a `TicketBook` was among the guards, and whose ticket the store still has"
            )
        );
    }
    assert!(world.facts("ticket").is_empty());
}

#[test]
fn tickets_wait_for_a_store_that_is_down() {
    let world = World::new();
    let keeper = process(&world);
    world.store.fail(StoreFault::Full, "no room on the disk");
    for n in 0..7_000 {
        answer(&keeper, &format!("inv-{n}"));
    }
    let oldest = wait(keeper.ticket_of("inv-0")).unwrap();
    assert_eq!(oldest.unwrap().role(), Role::Stable);
    wait(keeper.turn()).unwrap_err();
    wait(keeper.feedback_for("unknown", corrected())).unwrap_err();
    world.store.repair();
    for _ in 0..3 {
        world.clock.advance(Duration::from_millis(250));
        wait(keeper.turn()).unwrap();
    }
    let ids: Vec<String> = world
        .facts("ticket")
        .into_iter()
        .map(|fact| fact.id)
        .collect();
    assert_eq!(ids.len(), 7_000);
    let sequence = |id: &String| id.rsplit_once('-').unwrap().1.parse::<u64>().unwrap();
    assert!(
        ids.is_sorted_by_key(sequence),
        "the oldest are written first"
    );
}

/// Nobody takes them out: the pipeline has no keeper.
#[test]
fn tickets_above_the_most_that_wait_are_told() {
    let bench = Bench::with_guard(TicketBook::new());
    bench.answer(100_003);
    bench.tick_after(minutes(1));
    let told: Vec<String> = bench
        .events()
        .iter()
        .map(|event| event.kind.to_string())
        .collect();
    assert_eq!(
        told,
        [format!(
            "3 facts were dropped too early, up to those of {EVENING}: 100000 tickets wait \
             for a keeper"
        )]
    );
}

/// The keeper takes 5,000 tickets with each turn, and keeps 100,000 of them and 10,000 commands.
#[test]
fn what_waits_too_long_for_a_store_that_is_down_is_dropped_and_told() {
    let world = World::new();
    let breaker = Arc::new(ErrorRateBreaker::default());
    let sink = MemorySink::new();
    let pipeline = Pipeline::builder(line_up())
        .guard(TicketBook::new())
        .guard(Arc::clone(&breaker))
        .clock(world.clock.clone())
        .sink(sink.clone())
        .build()
        .unwrap();
    let builder = Keeper::builder("invoices", &pipeline).unwrap();
    let keeper = wait(builder.store(Arc::clone(&world.store)).start()).unwrap();
    world.store.fail(StoreFault::Full, "no room on the disk");
    for n in 0..100_002 {
        answer(&keeper, &format!("inv-{n}"));
        if n % 5_000 == 4_999 {
            wait(keeper.turn()).unwrap_err();
        }
    }
    for n in 0..10_003 {
        let seen = breaker.status().revision;
        let switched = breaker.switch(BreakerMode::ObserveOnly, seen, "ada", "a test");
        switched.unwrap();
        if n % 500 == 0 {
            pipeline.tick();
        }
    }
    let dropped = || {
        let events = sink.take().into_iter();
        let dropped = events.filter_map(|event| match event.kind {
            EventKind::Pipeline(PipelineEvent::FactsDropped { facts, reason, .. }) => {
                assert_eq!(reason, "too many waited for the store");
                Some(facts)
            }
            _ => None,
        });
        dropped.sum::<u64>()
    };
    for _ in 0..3 {
        wait(keeper.turn()).unwrap_err();
    }
    assert_eq!(dropped(), 2 + 3);
    world.store.repair();
    for _ in 0..25 {
        world.clock.advance(Duration::from_millis(250));
        wait(keeper.turn()).unwrap();
    }
    assert_eq!(dropped(), 0, "told once");
    assert_eq!(world.facts("ticket").len(), 100_000);
    assert_eq!(world.facts("command").len(), 10_000);
    assert_eq!(world.facts("command")[0].value["event"], "breaker_switched");
    assert_eq!(wait(keeper.ticket_of("inv-1")).unwrap(), None);
    assert!(wait(keeper.ticket_of("inv-2")).unwrap().is_some());
}

#[test]
fn a_diverted_document_is_found_unless_it_has_an_answer() {
    let world = World::new();
    let keeper = process(&world);
    let pipeline = keeper.pipeline();
    let answered = answer(&keeper, "answered");
    // From now on every document is diverted to a person.
    pipeline.stop_admitting();
    let call = |document: &str| Call::new(document, "invoice").unwrap();
    let diverted = pipeline.admit(&call("diverted")).ticket().clone();
    assert!(pipeline.admit(&call("answered")).permit().is_none());
    for _ in 0..2 {
        assert_eq!(
            wait(keeper.ticket_of("diverted")).unwrap(),
            Some(diverted.clone())
        );
        assert_eq!(
            wait(keeper.ticket_of("answered")).unwrap(),
            Some(answered.clone())
        );
        wait(keeper.turn()).unwrap();
    }
    wait(keeper.feedback_for("diverted", Feedback::PickedUp)).unwrap();
    assert_eq!(reported(&world), [diverted.id().to_string()]);
}

/// The state of the ledger is five seconds old at most, a ticket a quarter of a second.
#[test]
fn after_a_kill_the_calls_of_the_last_write_are_named_and_later_ones_are_not() {
    let world = World::new();
    let sink = MemorySink::new();
    let process = || {
        let pipeline = Pipeline::builder(line_up())
            .guard(TicketBook::new())
            .guard(RouteLedger::default())
            .clock(world.clock.clone())
            .sink(sink.clone())
            .build()
            .unwrap();
        let builder = Keeper::builder("invoices", &pipeline).unwrap();
        wait(builder.store(Arc::clone(&world.store)).start()).unwrap()
    };
    let keeper = process();
    let admit = |document: &str| {
        let call = Call::new(document, "invoice").unwrap();
        keeper.pipeline().admit(&call).permit().unwrap()
    };
    let (_old, ends) = (admit("old"), admit("old, ends"));
    wait(keeper.turn()).unwrap();
    world.clock.advance(Duration::from_millis(4_900));
    drop(ends.answer(Report::new()));
    answer(&keeper, "new, ends");
    let new = admit("new");
    wait(keeper.turn()).unwrap();
    sink.take();
    let next = process();
    next.pipeline().tick();
    let named = |event: Event| match event.kind {
        EventKind::Ledger(LedgerEvent::LostInRestart { document, .. }) => {
            Some(document.to_string())
        }
        _ => None,
    };
    let named: BTreeSet<_> = sink.take().into_iter().filter_map(named).collect();
    assert_eq!(named, ["old", "old, ends"].map(str::to_owned).into());
    let has_ticket = |document| wait(next.ticket_of(document)).unwrap().is_some();
    assert!(has_ticket("old, ends") && has_ticket("new, ends"));
    assert!(!has_ticket("old") && !has_ticket("new"));
    drop(new);
}

/// Shares nothing, and is asked for it until the test goes on.
#[derive(Debug)]
struct Slow {
    asked: mpsc::SyncSender<()>,
    goes_on: Mutex<mpsc::Receiver<()>>,
}

impl Guard for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn share(&self, wanted: Wanted, _cx: &Cx<'_>) -> Result<Share, Error> {
        if wanted != Wanted::Facts {
            return Ok(Share::default());
        }
        let _ = self.asked.try_send(());
        // An end of the test is no longer waited for.
        let _ = self.goes_on.lock().unwrap().recv();
        Ok(Share::default())
    }
}

#[test]
fn a_ticket_is_found_while_it_is_on_its_way_to_the_store() {
    let world = World::new();
    let (asked, is_asked) = mpsc::sync_channel(1);
    let (go_on, goes_on) = mpsc::channel();
    let slow = Slow {
        asked,
        goes_on: Mutex::new(goes_on),
    };
    let pipeline = Pipeline::builder(line_up()).guard(TicketBook::new());
    let pipeline = pipeline.guard(slow).clock(world.clock.clone()).build();
    let builder = Keeper::builder("invoices", &pipeline.unwrap()).unwrap();
    let keeper = wait(builder.store(Arc::clone(&world.store)).start()).unwrap();
    let ticket = answer(&keeper, "inv-1");
    let turning = keeper.clone();
    let turn = thread::spawn(move || wait(turning.turn()).unwrap());
    // The book has given the ticket away, and nobody has it yet.
    is_asked.recv().unwrap();
    let (found, is_found) = mpsc::channel();
    let look = thread::spawn(move || {
        let ticket = wait(keeper.ticket_of("inv-1")).unwrap();
        found.send(ticket).is_ok()
    });
    let early = is_found.recv_timeout(Duration::from_millis(100));
    drop(go_on);
    turn.join().unwrap();
    assert!(look.join().unwrap());
    assert_eq!(early.or_else(|_| is_found.recv()), Ok(Some(ticket)));
}
