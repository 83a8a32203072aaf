//! Feedback counts once in every process, whichever it is reported to and whatever the store does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fusebox::call::Signal;
use fusebox::guard::{Cx, State};
use fusebox::store::{Batch, Instance};
use fusebox::{Error, Feedback, Guard, StoreFault};
use futures_util::FutureExt;

use super::odd_store::OddStore;
use super::*;
use crate::support::seconds;

/// A guard that counts feedback, and would count it twice if it were told twice.
#[derive(Debug, Default)]
pub(super) struct Counts {
    feedback: AtomicU64,
    /// What it was, in order.
    kinds: Mutex<String>,
    /// Whether its state cannot be written.
    is_broken: AtomicBool,
}

impl Guard for Counts {
    fn name(&self) -> &'static str {
        "counts"
    }

    fn observe(&self, _ticket: &Ticket, signal: &Signal, _cx: &Cx<'_>) {
        let Signal::Feedback(feedback) = signal else {
            return;
        };
        self.feedback.fetch_add(1, Ordering::Relaxed);
        self.kinds.lock().unwrap().push(match feedback {
            Feedback::Corrected(_) => 'c',
            Feedback::Retracted(_) => 'r',
            _ => '.',
        });
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        if self.is_broken.load(Ordering::Relaxed) {
            let deep = (0..200).fold(serde_json::json!(1), |value, _| serde_json::json!([value]));
            return State::write(&deep, cx).map(Some);
        }
        State::write(&self.feedback.load(Ordering::Relaxed), cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        self.feedback.store(state.read(cx)?, Ordering::Relaxed);
        Ok(())
    }
}

/// A process with that guard.
pub(super) struct Reviewed {
    guard: Arc<Counts>,
    pub(super) keeper: Keeper,
}

impl Reviewed {
    fn on(world: &World, store: impl Store + 'static) -> Self {
        let guard = Arc::new(Counts::default());
        let pipeline = Pipeline::builder(line_up())
            .guard(Arc::clone(&guard))
            .clock(world.clock.clone())
            .build()
            .unwrap();
        let keeper = Keeper::builder("invoices", &pipeline).unwrap().store(store);
        let keeper = wait(keeper.start()).unwrap();
        Self { guard, keeper }
    }

    pub(super) fn start(world: &World) -> Self {
        Self::on(world, Arc::clone(&world.store))
    }

    pub(super) fn counted(&self) -> u64 {
        self.guard.feedback.load(Ordering::Relaxed)
    }

    pub(super) fn ticket(&self, document: &str) -> Ticket {
        answer(self.keeper.pipeline(), document)
    }

    fn report(&self, ticket: &Ticket) -> Result<(), Error> {
        wait(self.keeper.feedback(ticket, Feedback::Reviewed))
    }
}

/// During a deployment the reviewers' requests reach either process, and the next one goes on from
/// the state of whichever wrote last.
#[test]
fn every_process_counts_what_is_reported_to_another_once() {
    let world = World::new();
    let (one, two) = (Reviewed::start(&world), Reviewed::start(&world));
    let tickets = ["a", "b", "c", "d"].map(|document| one.ticket(document));
    let turns = || {
        world.clock.advance(seconds(5));
        for process in [&one, &two] {
            wait(process.keeper.turn()).unwrap();
        }
    };
    one.report(&tickets[0]).unwrap();
    two.report(&tickets[1]).unwrap();
    // A reviewer whose first request timed out: it reaches both.
    one.report(&tickets[2]).unwrap();
    two.report(&tickets[2]).unwrap();
    turns();
    turns();
    assert_eq!((one.counted(), two.counted()), (3, 3));
    // The first ends; what it was told last was not read by the second one, nor written as state.
    one.report(&tickets[3]).unwrap();
    drop(one);
    assert_eq!(
        Reviewed::start(&world).counted(),
        4,
        "from the second's state"
    );
    world.clock.advance(seconds(5));
    wait(two.keeper.turn()).unwrap();
    assert_eq!(two.counted(), 4);
    drop(two);
    assert_eq!(Reviewed::start(&world).counted(), 4, "each once");
}

#[test]
fn what_is_written_while_a_process_starts_is_counted_once() {
    let elsewhere = World::new();
    let other = Reviewed::start(&elsewhere);
    other.report(&other.ticket("a")).unwrap();
    let facts = elsewhere.facts("feedback");
    assert_eq!(facts.len(), 1);
    let world = World::new();
    let store = OddStore::over(&world.store);
    let memory = Arc::clone(&world.store);
    store.after_load.set(move || {
        let (name, mut batch) = (World::name(), Batch::default());
        batch.facts = facts;
        let written = memory.turn(&name, Instance::new(1), batch);
        written.now_or_never().unwrap().unwrap();
    });
    let process = Reviewed::on(&world, store);
    assert_eq!(process.counted(), 0);
    wait(process.keeper.turn()).unwrap();
    assert_eq!(process.counted(), 1);
}

/// The guards have it before the store does; then the process ends.
#[test]
fn what_is_written_after_the_store_has_failed_is_counted_once() {
    let world = World::new();
    let process = Reviewed::start(&world);
    let ticket = process.ticket("a");
    world.store.fail(StoreFault::Unavailable, "gone");
    process.report(&ticket).unwrap_err();
    assert_eq!(process.counted(), 1, "the guards do not wait for the store");
    world.store.repair();
    world.clock.advance(seconds(5));
    wait(process.keeper.turn()).unwrap();
    assert_eq!(world.facts("feedback").len(), 1);
    drop(process);
    assert_eq!(Reviewed::start(&world).counted(), 1);
}

#[test]
fn a_state_that_cannot_be_written_holds_up_no_feedback() {
    let world = World::new();
    let process = Reviewed::start(&world);
    wait(process.keeper.turn()).unwrap();
    process.guard.is_broken.store(true, Ordering::Relaxed);
    world.clock.advance(seconds(5));
    process.report(&process.ticket("a")).unwrap();
    assert_eq!(world.facts("feedback").len(), 1);
    // It is told, although all else is written meanwhile.
    for n in 0..15 {
        world.clock.advance(seconds(1));
        process.report(&process.ticket(&n.to_string())).unwrap();
        let _ = wait(process.keeper.turn());
    }
    let open = process.keeper.pipeline().incidents();
    assert_eq!(open[0].key.to_string(), "pipeline/store-down/-/1");
    let evidence = open[0].evidence.to_string();
    assert!(evidence.contains("state of `counts`: "), "{evidence}");
    assert!(evidence.contains("at most 120 levels"), "{evidence}");
    process.guard.is_broken.store(false, Ordering::Relaxed);
    world.clock.advance(seconds(5));
    wait(process.keeper.turn()).unwrap();
    drop(process);
    assert_eq!(Reviewed::start(&world).counted(), 16);
}

#[test]
fn what_this_version_cannot_read_is_told_and_holds_up_nothing() {
    let world = World::new();
    let process = Reviewed::start(&world);
    let mut batch = Batch::default();
    let value = serde_json::json!({ "from": "a later version" });
    batch.facts.push(Fact::new("feedback", "a", EVENING, value));
    wait(world.store.turn(&World::name(), Instance::new(1), batch)).unwrap();
    wait(process.keeper.turn()).unwrap();
    let open = process.keeper.pipeline().incidents();
    let evidence = open[0].evidence.to_string();
    assert!(
        evidence.contains("another process wrote them"),
        "{evidence}"
    );
    process.report(&process.ticket("b")).unwrap();
    wait(process.keeper.turn()).unwrap();
    assert_eq!(process.counted(), 1);
    // Nor does it keep a process from starting that finds it there.
    let mut batch = Batch::default();
    let value = serde_json::json!({ "from": "a later version" });
    batch.facts.push(Fact::new("feedback", "c", EVENING, value));
    wait(world.store.turn(&World::name(), Instance::new(1), batch)).unwrap();
    drop(process);
    let next = Reviewed::start(&world);
    assert_eq!(next.counted(), 1);
    assert_eq!(next.keeper.pipeline().incidents().len(), 1);
}

/// A reviewer whose request was not answered asks again, and reaches this process or another.
#[test]
fn what_is_reported_again_counts_once_whatever_the_store_did() {
    let world = World::new();
    let (one, two) = (Reviewed::start(&world), Reviewed::start(&world));
    let tickets = ["a", "b"].map(|document| one.ticket(document));
    world.store.fail(StoreFault::Busy, "another process");
    for _ in 0..3 {
        one.report(&tickets[0]).unwrap_err();
    }
    assert_eq!(one.counted(), 1);
    world.store.repair();
    two.report(&tickets[0]).unwrap();
    let turns = || {
        world.clock.advance(seconds(5));
        for process in [&one, &two] {
            wait(process.keeper.turn()).unwrap();
        }
    };
    turns();
    assert_eq!((one.counted(), two.counted()), (1, 1));
    // The first has read it from the second, and then a try of its own is lost.
    two.report(&tickets[1]).unwrap();
    turns();
    let lost = one.keeper.feedback(&tickets[1], Feedback::Reviewed);
    drop(lost);
    one.report(&tickets[1]).unwrap();
    turns();
    assert_eq!((one.counted(), two.counted()), (2, 2));
    drop((one, two));
    assert_eq!(Reviewed::start(&world).counted(), 2);
}

#[test]
fn a_retraction_follows_the_correction_that_another_process_was_told_of() {
    let world = World::new();
    let (one, two) = (Reviewed::start(&world), Reviewed::start(&world));
    let ticket = one.ticket("a");
    let total = fusebox::Field::new("total").unwrap();
    wait(
        two.keeper
            .feedback(&ticket, Feedback::corrected(total.clone())),
    )
    .unwrap();
    wait(one.keeper.feedback(&ticket, Feedback::retracted(total))).unwrap();
    assert_eq!(*one.guard.kinds.lock().unwrap(), "cr");
    world.clock.advance(seconds(5));
    wait(two.keeper.turn()).unwrap();
    assert_eq!(*two.guard.kinds.lock().unwrap(), "cr");
}

/// A new file has what another process was told meanwhile; an old copy of the file has what counted
/// long ago.
#[test]
fn in_another_store_than_before_what_is_news_counts() {
    let world = World::new();
    let (one, two) = (Reviewed::start(&world), Reviewed::start(&world));
    let tickets = ["a", "b"].map(|document| one.ticket(document));
    two.report(&tickets[0]).unwrap();
    wait(one.keeper.turn()).unwrap();
    let old = world.facts("feedback");
    world.clock.advance(seconds(60));
    wait(one.keeper.turn()).unwrap();
    world.store.lose();
    wait(two.keeper.turn()).unwrap_err();
    let mut batch = Batch::default();
    batch.facts = old;
    wait(world.store.turn(&World::name(), Instance::new(1), batch)).unwrap();
    world.clock.advance(seconds(5));
    two.report(&tickets[1]).unwrap();
    world.store.fail(StoreFault::Replaced, "a new file");
    wait(one.keeper.turn()).unwrap_err();
    world.store.repair();
    world.clock.advance(seconds(5));
    wait(one.keeper.turn()).unwrap();
    assert_eq!((one.counted(), two.counted()), (2, 2));
}

/// Takes its time.
#[derive(Debug)]
struct Slow(MockClock);

impl Guard for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        self.0.advance(Duration::from_millis(400));
        State::write(&1, cx).map(Some)
    }
}

/// Killed in between, the next process would not know of what the page is, and would end it.
#[test]
fn a_page_is_stored_with_the_state_that_caused_it_however_long_that_takes() {
    let world = World::new();
    let breaker = ErrorRateBreaker::default();
    let pipeline = Pipeline::builder(line_up())
        .guard(breaker)
        .guard(Slow(world.clock.clone()))
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let keeper = Keeper::builder("invoices", &pipeline).unwrap();
    let route = PagerRoute::new("on call", Plain("pager")).unwrap();
    let keeper = keeper.store(Arc::clone(&world.store)).route(route);
    let keeper = wait(keeper.post(world.service.clone()).start()).unwrap();
    wait(keeper.turn()).unwrap();
    fail(&pipeline);
    let incident = "error-rate/failing/v7/1";
    let is_in_state = || {
        let registers = world.stored().registers;
        registers
            .iter()
            .any(|register| register.value.as_str().contains(incident))
    };
    let mut waited = Duration::ZERO;
    loop {
        wait(keeper.turn()).unwrap();
        assert_eq!(is_in_state(), !world.store.rows(&World::name()).is_empty());
        if is_in_state() {
            break;
        }
        assert_eq!(world.service.taken("pager"), [""; 0]);
        world.clock.advance(Duration::from_millis(250));
        waited += Duration::from_millis(250);
    }
    assert!(
        waited > Duration::ZERO && waited <= seconds(1),
        "{waited:?}"
    );
    assert_eq!(world.service.open("pager"), [incident]);
}
