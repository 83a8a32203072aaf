//! A process that is killed, and the next one.

use std::sync::OnceLock;

use fusebox::breaker::BreakerMode;
use fusebox::{ErrorKind, Feedback, Field, StoreFault};
use futures_util::FutureExt;

use super::reported::Reviewed;
use super::*;
use crate::support::{minutes, seconds};

#[test]
fn a_version_that_was_out_of_service_stays_out_and_its_page_is_not_sent_again() {
    let world = World::new();
    let first = world.process();
    first.fail();
    first.turn();
    assert_eq!(
        world.service.taken("pager"),
        ["trigger error-rate/failing/v7/1"]
    );
    // What became of the page is written with the next turn.
    first.turn_after(seconds(1));
    drop(first);

    world.clock.advance(minutes(1));
    let second = world.process();
    assert_eq!(second.serving(), "v6");
    assert_eq!(second.open(), ["error-rate/failing/v7/1"]);
    second.turn();
    assert_eq!(
        world.service.taken("pager"),
        ["trigger error-rate/failing/v7/1"]
    );
}

#[test]
fn a_page_that_was_not_sent_before_the_crash_goes_out_after_it() {
    let world = World::new();
    let first = world.process();
    world
        .service
        .otherwise("pager", Ends::Unanswered { arrived: false });
    first.fail();
    first.turn();
    drop(first);
    world.service.otherwise("pager", Ends::Answered(202));
    let second = world.process();
    second.turn();
    assert_eq!(
        world.service.taken("pager"),
        ["trigger error-rate/failing/v7/1"]
    );
}

#[test]
fn an_incident_that_ended_is_resolved_although_the_process_that_paged_is_gone() {
    let world = World::new();
    let first = world.process();
    first.fail();
    first.turn();
    drop(first);
    let second = world.process();
    let seen = second.breaker.status().revision;
    let rearm = || {
        second
            .breaker
            .rearm("v7", seen, "ada", "the prompt was not at fault")
    };
    wait(second.keeper.command(rearm)).unwrap();
    second.turn();
    assert!(second.open().is_empty());
    assert!(world.service.open("pager").is_empty());
}

#[test]
fn a_command_and_its_reason_are_stored_when_it_returns() {
    let world = World::new();
    let first = world.process();
    let seen = first.breaker.status().revision;
    let switch = || {
        let why = "the provider announced an outage";
        first
            .breaker
            .switch(BreakerMode::ObserveOnly, seen, "ada", why)
    };
    wait(first.keeper.command(switch)).unwrap();
    drop(first);

    let second = world.process();
    assert_eq!(second.breaker.status().mode, BreakerMode::ObserveOnly);
    let commands = world.facts("command");
    let values: Vec<_> = commands.iter().map(|fact| &fact.value).collect();
    assert_eq!(values.len(), 1);
    assert_eq!(values[0]["event"], "breaker_switched");
    assert_eq!(values[0]["who"], "ada");
    assert_eq!(values[0]["why"], "the provider announced an outage");
}

#[test]
fn feedback_counts_once_whenever_the_process_is_killed() {
    let world = World::new();
    let first = Reviewed::start(&world);
    let keeper = first.keeper.clone();
    let (early, late) = (first.ticket("early"), first.ticket("late"));
    let report = |keeper: &Keeper, ticket: &Ticket| {
        let corrected = Feedback::corrected(Field::new("total").unwrap());
        wait(keeper.feedback(ticket, corrected))
    };
    report(&keeper, &early).unwrap();
    wait(keeper.turn()).unwrap();
    report(&keeper, &late).unwrap();
    report(&keeper, &late).unwrap();
    assert_eq!(first.counted(), 2);
    // The state that is stored has the first only.
    drop((keeper, first));

    let second = Reviewed::start(&world);
    let keeper = second.keeper.clone();
    assert_eq!(second.counted(), 2);
    report(&keeper, &late).unwrap();
    assert_eq!(second.counted(), 2);
    // What the store does not take counts at once, and is stored later.
    world
        .store
        .fail(StoreFault::Busy, "held by another process");
    let third = Feedback::Reviewed;
    wait(keeper.feedback(&late, third)).unwrap_err();
    assert_eq!(second.counted(), 3);
    world.store.repair();
    wait(keeper.turn()).unwrap();
    assert_eq!(second.counted(), 3);
    drop((keeper, second));
    assert_eq!(Reviewed::start(&world).counted(), 3);
}

#[test]
fn what_a_reviewer_settled_on_is_not_stored() {
    let world = World::new();
    let process = world.process();
    let ticket = process.answer("inv-1");
    let correction = fusebox::Correction::new(Field::new("/iban").unwrap());
    let feedback = Feedback::corrected(correction.settled_on("DE02 1203 0000 0000 2020 51"));
    wait(process.keeper.feedback(&ticket, feedback)).unwrap();
    let facts = world.facts("feedback");
    assert_eq!(facts.len(), 1);
    assert!(!format!("{facts:?}").contains("DE02"));
}

#[test]
fn a_store_that_fails_is_one_incident_and_nothing_is_lost() {
    let world = World::new();
    let process = world.process();
    let ticket = process.answer("inv-1");
    process.turn();
    world.store.fail(StoreFault::Full, "no room on the disk");
    let corrected = Feedback::corrected(Field::new("total").unwrap());
    let error = wait(process.keeper.feedback(&ticket, corrected)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store(StoreFault::Full));
    assert_eq!(
        error.to_string(),
        "store memory is full: no room on the disk"
    );
    for _ in 0..30 {
        process.turn_after(seconds(1));
    }
    process.fail();
    process.turn();
    process.turn_after(seconds(1));
    let told = world.service.taken("pager");
    assert_eq!(
        told,
        [
            "trigger pipeline/store-down/-/1",
            "trigger error-rate/failing/v7/1"
        ]
    );

    world.store.repair();
    process.turn_after(seconds(1));
    assert_eq!(world.facts("feedback").len(), 1);
    for _ in 0..70 {
        process.turn_after(minutes(1));
    }
    assert_eq!(process.open(), ["error-rate/failing/v7/1"]);
    assert_eq!(world.service.open("pager"), ["error-rate/failing/v7/1"]);
}

/// In a tick the keeper says what is wrong with its store, and sinks may call back.
#[test]
fn a_sink_may_report_feedback_when_it_is_told_that_the_store_is_down() {
    let world = World::new();
    let keeper: Arc<OnceLock<(Keeper, Ticket)>> = Arc::default();
    let reports = Arc::clone(&keeper);
    let sink = fusebox::sink::from_fn(move |event| {
        if let Some((keeper, ticket)) = reports.get() {
            if event.kind.name() == "store_down" {
                let reported = keeper.feedback(ticket, Feedback::Reviewed).now_or_never();
                assert!(reported.unwrap().is_err());
            }
        }
    });
    let pipeline = Pipeline::builder(line_up())
        .guard(ErrorRateBreaker::default())
        .sink(sink)
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let permit = pipeline.admit(&Call::new("inv-1", "invoice").unwrap());
    let settlement = permit.permit().unwrap().answer(Report::new());
    let builder = Keeper::builder("invoices", &pipeline).unwrap();
    let started = wait(builder.store(Arc::clone(&world.store)).start()).unwrap();
    let ticket = settlement.ticket().clone();
    keeper.set((started.clone(), ticket)).unwrap();
    world
        .store
        .fail(StoreFault::Busy, "held by another process");
    for _ in 0..20 {
        world.clock.advance(seconds(1));
        let _ = wait(started.turn());
    }
    assert_eq!(pipeline.sink_panics(), 0);
    world.store.repair();
    wait(started.turn()).unwrap();
    assert_eq!(world.facts("feedback").len(), 1);
}

/// Its writes are later than those of the earlier one, of which there were more.
#[test]
fn a_process_with_the_number_of_an_earlier_one_writes_its_state() {
    let world = World::new();
    let start = || {
        let breaker = Arc::new(ErrorRateBreaker::default());
        let pipeline = Pipeline::builder(line_up())
            .guard(Arc::clone(&breaker))
            .instance(7)
            .clock(world.clock.clone());
        let pipeline = pipeline.build().unwrap();
        let keeper = Keeper::builder("invoices", &pipeline).unwrap();
        let keeper = wait(keeper.store(world.store.clone()).start()).unwrap();
        (breaker, pipeline, keeper)
    };
    let (_, pipeline, keeper) = start();
    for _ in 0..10 {
        world.clock.advance(seconds(5));
        wait(keeper.turn()).unwrap();
    }
    fail(&pipeline);
    wait(keeper.turn()).unwrap();
    drop((pipeline, keeper));
    assert_eq!(world.process().serving(), "v6");

    let (breaker, _pipeline, keeper) = start();
    let seen = breaker.status().revision;
    let rearm = || breaker.rearm("v7", seen, "ada", "well again");
    wait(keeper.command(rearm)).unwrap();
    assert_eq!(world.process().serving(), "v7");
}

#[test]
fn an_idle_pipeline_writes_nothing() {
    let world = World::new();
    let process = world.process();
    process.turn();
    let written = || wait(world.store.load(&World::name())).unwrap().position;
    let before = written();
    for _ in 0..60 {
        process.turn_after(seconds(1));
    }
    assert_eq!(written(), before);
}
