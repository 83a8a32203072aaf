//! Two processes that keep one pipeline in one store.

use std::sync::atomic::{AtomicBool, Ordering};

use fusebox::guard::{Cx, Trouble};
use fusebox::store::{Batch, Instance, Register};
use fusebox::{EventKind, Guard, StoreFault};
use futures_util::FutureExt;

use super::odd_store::OddStore;
use super::*;
use crate::support::{minutes, seconds};

const SHARED: &str = "pipeline/store-shared/-/1";

impl World {
    /// Each of these processes takes a document and has a turn, each five seconds.
    fn go_on(&self, processes: &[&Process], time: Duration) {
        for _ in 0..time.as_secs() / 5 {
            self.clock.advance(seconds(5));
            for process in processes {
                process.answer("inv-1");
                process.turn();
            }
        }
    }
}

#[test]
fn a_handover_with_a_minute_of_overlap_tells_nothing_and_a_longer_one_does() {
    let overlapping = |time| {
        let world = World::new();
        let old = world.process();
        world.go_on(&[&old], minutes(10));
        let new = world.process();
        world.go_on(&[&old, &new], time);
        drop(old);
        world.go_on(&[&new], minutes(20));
        world.service.taken("pager")
    };
    // The old one writes after five seconds first. It ends before it knows of the new one's minute.
    assert!(overlapping(seconds(60)).is_empty());
    assert_eq!(
        overlapping(seconds(65)),
        [format!("trigger {SHARED}"), format!("resolve {SHARED}")]
    );
}

#[test]
fn each_process_tells_it_once_and_it_ends_when_one_is_stopped() {
    let world = World::new();
    let (stays, goes) = (world.process(), world.process());
    world.go_on(&[&stays, &goes], minutes(240));
    let told = [format!("trigger {SHARED}"), format!("trigger {SHARED}")];
    assert_eq!(world.service.taken("pager"), told);
    let shown = stays.pipeline.incidents()[0].evidence.to_string();
    let number = goes.answer("inv-1").id().to_string();
    let number = number.split_once('-').unwrap().0;
    let since = EVENING + seconds(10);
    assert!(
        shown.starts_with(&format!(
            "process {number} has written to the same store since {since}"
        )),
        "{shown}"
    );

    drop(goes);
    world.go_on(&[&stays], minutes(15));
    assert_eq!(world.service.open("pager"), [SHARED]);
    world.go_on(&[&stays], minutes(2));
    assert!(world.service.open("pager").is_empty());
    assert!(stays.open().is_empty());
}

#[test]
fn processes_that_restart_again_and_again_do_not_tell_it_again() {
    let world = World::new();
    let stays = world.process();
    let mut restarts = world.process();
    world.go_on(&[&stays, &restarts], minutes(5));
    let told = world.service.taken("pager");
    for time in [30, 90, 300, 30, 90, 300] {
        drop(restarts);
        restarts = world.process();
        assert_eq!(restarts.open(), [SHARED]);
        world.go_on(&[&stays, &restarts], seconds(time));
    }
    assert_eq!(world.service.taken("pager"), told);
    drop(stays);
    // Whoever is left ends it.
    drop(restarts);
    let last = world.process();
    world.go_on(&[&last], minutes(17));
    assert!(last.open().is_empty());
    assert!(world.service.open("pager").is_empty());
}

/// None of them is there for a minute, so none of them shares the store by itself.
#[test]
fn processes_that_come_one_after_the_other_are_told_unless_it_is_a_deployment() {
    let told_after = |times: u64, each: u64, pause: u64| {
        let world = World::new();
        let stays = world.process();
        world.go_on(&[&stays], minutes(1));
        for _ in 0..times {
            let other = world.process();
            world.go_on(&[&stays, &other], seconds(each));
            drop(other);
            world.go_on(&[&stays], seconds(pause));
        }
        world.service.taken("pager")
    };
    let trigger = format!("trigger {SHARED}");
    assert_eq!(told_after(6, 50, 10), [trigger.as_str()]);
    // It restarts for ever: still one page.
    assert_eq!(told_after(100, 50, 10), [trigger.as_str()]);
    assert!(
        told_after(3, 50, 10).is_empty(),
        "three deployments in three minutes"
    );
    assert!(told_after(10, 50, 70).is_empty(), "ten, with a rest");
}

/// One ends, and in the moment in which another looks after what it left, a third one pages.
#[test]
fn a_page_of_the_moment_in_which_another_process_is_looked_after_stays_open() {
    let world = World::new();
    let store = Arc::new(OddStore::over(&world.store));
    let stays = world.process_on(Arc::clone(&store));
    let (leaves, fails) = (world.process(), world.process());
    world.go_on(&[&stays, &leaves], seconds(30));
    drop(leaves);
    let has_failed = Arc::new(AtomicBool::new(false));
    let failed = Arc::clone(&has_failed);
    store.before_load.set(move || {
        fails.fail();
        fails.keeper.turn().now_or_never().unwrap().unwrap();
        failed.store(true, Ordering::Relaxed);
    });
    while !has_failed.load(Ordering::Relaxed) {
        world.go_on(&[&stays], seconds(5));
    }
    world.go_on(&[&stays], seconds(15));
    assert_eq!(world.service.open("pager"), ["error-rate/failing/v7/1"]);
}

#[test]
fn no_process_ends_what_is_open_in_another_that_runs() {
    let world = World::new();
    let (fails, mut other) = (world.process(), world.process());
    world.go_on(&[&fails, &other], minutes(5));
    fails.fail();
    world.go_on(&[&fails, &other], minutes(1));
    let failing = "error-rate/failing/v7/1";
    assert_eq!(world.service.open("pager"), [failing, SHARED]);
    // The other one goes on from its own state, in which v7 serves, and has read the row.
    world.go_on(&[&other], seconds(5));
    drop(other);
    other = world.process();
    assert_eq!(other.open(), [SHARED]);
    other.turn();
    // It does not need any documents to be heard.
    for _ in 0..120 {
        fails.turn();
        world.go_on(&[&other], seconds(5));
    }
    assert_eq!(world.service.open("pager"), [failing, SHARED]);

    drop(fails);
    world.go_on(&[&other], seconds(55));
    assert_eq!(world.service.open("pager"), [failing, SHARED]);
    world.go_on(&[&other], seconds(30));
    assert_eq!(world.service.open("pager"), [SHARED]);
}

/// Both know of it, and only one of them finds it well.
#[test]
fn what_two_processes_have_open_ends_with_the_last_of_them() {
    let world = World::new();
    let first = world.process();
    first.fail();
    world.go_on(&[&first], seconds(30));
    let second = world.process();
    let failing = "error-rate/failing/v7/1";
    assert_eq!(second.open(), [failing]);
    world.go_on(&[&first, &second], seconds(30));
    // It is a copy: what is changed in one does not change the other.
    second.rearm();
    assert!(second.open().is_empty());
    world.go_on(&[&first, &second], seconds(30));
    assert_eq!(world.service.open("pager"), [failing]);
    first.rearm();
    world.go_on(&[&first, &second], seconds(5));
    assert!(world.service.open("pager").is_empty());
}

#[test]
fn what_an_old_process_opened_during_a_handover_is_ended_by_the_new_one() {
    let world = World::new();
    let old = world.process();
    world.go_on(&[&old], minutes(1));
    let new = world.process();
    world.go_on(&[&old, &new], seconds(20));
    old.fail();
    world.go_on(&[&old, &new], seconds(10));
    assert_eq!(world.service.open("pager"), ["error-rate/failing/v7/1"]);
    drop(old);
    world.go_on(&[&new], seconds(90));
    assert!(new.open().is_empty());
    assert!(world.service.open("pager").is_empty());
}

/// Each counts its incidents by itself, so that two of them can have one key: after ten minutes, and
/// after the time in which the first of them is forgotten.
#[test]
fn an_incident_is_told_once_and_ends_though_another_process_has_used_its_key() {
    for lasts in [minutes(10), minutes(70)] {
        let world = World::new();
        let (goes, stays) = (world.process(), world.process());
        world.go_on(&[&goes, &stays], seconds(10));
        goes.fail();
        world.go_on(&[&goes, &stays], seconds(10));
        goes.rearm();
        world.go_on(&[&goes, &stays], seconds(10));
        drop(goes);
        world.go_on(&[&stays], seconds(90));
        let told = ["trigger", "resolve", "trigger", "resolve"];
        let told = told.map(|action| format!("{action} error-rate/failing/v7/1"));
        assert_eq!(world.service.taken("pager"), told[..2]);
        stays.fail();
        world.go_on(&[&stays], lasts);
        assert_eq!(world.service.taken("pager"), told[..3]);
        stays.rearm();
        world.go_on(&[&stays], seconds(10));
        assert_eq!(world.service.taken("pager"), told);
    }
}

/// The one that goes on has used the key before, and still has the rows of it.
#[test]
fn a_page_that_a_process_left_ends_though_this_one_has_used_its_key() {
    let world = World::new();
    let (goes, stays) = (world.process(), world.process());
    world.go_on(&[&goes, &stays], seconds(10));
    stays.fail();
    world.go_on(&[&goes, &stays], seconds(10));
    stays.rearm();
    world.go_on(&[&goes, &stays], seconds(10));
    goes.fail();
    world.go_on(&[&goes, &stays], seconds(10));
    let failing = "error-rate/failing/v7/1".to_owned();
    assert!(world.service.open("pager").contains(&failing));
    drop(goes);
    world.go_on(&[&stays], seconds(90));
    assert!(!world.service.open("pager").contains(&failing));
}

/// A store that does not answer says nothing of the other process.
#[test]
fn a_process_that_could_not_be_read_has_not_ended() {
    let world = World::new();
    let (fails, other) = (world.process(), world.process());
    world.go_on(&[&fails, &other], seconds(10));
    fails.fail();
    world.go_on(&[&fails, &other], seconds(20));
    drop(other);
    let other = world.process();
    world.go_on(&[&fails, &other], seconds(20));
    world
        .store
        .fail(StoreFault::Busy, "held by another program");
    world.go_on(&[&fails, &other], minutes(10));
    world.store.repair();
    world.go_on(&[&other, &fails], seconds(20));
    let failing = "error-rate/failing/v7/1".to_owned();
    let open = world.service.open("pager");
    assert!(
        open.contains(&failing),
        "{open:?} {:?}",
        world.service.taken("pager")
    );
}

/// As where a file was replaced by an older copy of it.
#[test]
fn what_a_process_wrote_that_has_ended_is_no_sign_of_life() {
    let world = World::new();
    let store = Arc::new(OddStore {
        repeats: true,
        ..OddStore::default()
    });
    let process = world.process_on(Arc::clone(&store));
    let ends = world.process_on(Arc::clone(&store));
    ends.fail();
    world.go_on(&[&ends], minutes(10));
    drop(ends);
    // Of another one, whose guard did not change for long.
    let other = Instance::new(7);
    let mut batch = Batch::default();
    for (key, at) in [("guard/a", EVENING), ("keeper", EVENING + minutes(9))] {
        let register = Register::new(other, key, 1, at, Json::default());
        batch.registers.push(register);
    }
    wait(store.turn(&World::name(), other, batch)).unwrap();
    world.go_on(&[&process], minutes(2));
    // Nothing is shared, and what it left open was read once and has ended.
    let failing = "error-rate/failing/v7/1";
    assert_eq!(
        world.service.taken("pager"),
        [format!("trigger {failing}"), format!("resolve {failing}")]
    );
}

/// Pages once, and then nothing in it changes.
#[derive(Debug, Default)]
struct PagesOnce(AtomicBool);

impl Guard for PagesOnce {
    fn name(&self) -> &'static str {
        "once"
    }

    fn tick(&self, cx: &Cx<'_>) {
        if !self.0.swap(true, Ordering::Relaxed) {
            let trouble = Trouble::new("told").until_acknowledged();
            cx.page(&trouble, EventKind::custom("told", "once"));
        }
    }
}

#[test]
fn a_process_in_which_nothing_changes_is_heard_while_it_has_an_incident() {
    let world = World::new();
    let busy = world.process();
    world.go_on(&[&busy], seconds(30));
    let pipeline = Pipeline::builder(line_up())
        .guard(PagesOnce::default())
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let builder = Keeper::builder("invoices", &pipeline).unwrap();
    let builder = builder
        .store(world.store.clone())
        .post(world.service.clone());
    let route = PagerRoute::new("on call", Plain("pager")).unwrap();
    let idle = wait(builder.route(route).start()).unwrap();
    wait(idle.turn()).unwrap();
    wait(idle.turn()).unwrap();
    // The next process knows the row of the other, and nothing of its incident.
    world.go_on(&[&busy], seconds(5));
    drop(busy);
    let busy = world.process();
    assert!(busy.open().is_empty());
    for _ in 0..120 {
        wait(idle.turn()).unwrap();
        world.go_on(&[&busy], seconds(5));
    }
    assert_eq!(world.service.open("pager"), ["once/told/-/1", SHARED]);
    drop(idle);
    world.go_on(&[&busy], minutes(2));
    assert_eq!(world.service.open("pager"), [SHARED]);
}
