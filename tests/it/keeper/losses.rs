//! A store that lost what it had, or had to drop some of it.

use fusebox::store::Cut;
use fusebox::{Feedback, Severity};

use super::odd_store::OddStore;
use super::reported::Reviewed;
use super::*;
use crate::support::{minutes, seconds};

/// What the guards had is not lost with the store, though nothing in them changes any more.
#[test]
fn a_store_that_forgot_all_is_written_anew_and_somebody_is_told() {
    let world = World::new();
    let process = world.process();
    process.fail();
    process.turn();
    // What became of the page is stored, and changes no more.
    process.turn();
    let before = world.stored();
    assert!(before.registers.len() > 1);

    world.store.lose();
    // The next thing to write finds out.
    process.answer("inv-1");
    process.turn_after(seconds(5));
    process.turn();
    process.turn();
    let keys = |stored: &Stored| -> Vec<String> {
        let registers = stored.registers.iter();
        registers.map(|register| register.key.clone()).collect()
    };
    assert_eq!(keys(&world.stored()), keys(&before));
    let told = [
        "trigger error-rate/failing/v7/1",
        "trigger pipeline/store-replaced/-/1",
    ];
    assert_eq!(world.service.taken("pager"), told);
    drop(process);

    let process = world.process();
    process.turn();
    let open = ["error-rate/failing/v7/1", "pipeline/store-replaced/-/1"];
    assert_eq!(process.open(), open);
    assert_eq!(world.service.taken("pager"), told, "nobody is told twice");
    for _ in 0..62 {
        process.turn_after(minutes(1));
    }
    assert_eq!(world.service.open("pager"), ["error-rate/failing/v7/1"]);
}

#[test]
fn feedback_after_a_loss_counts_once_after_a_restart() {
    let world = World::new();
    let process = Reviewed::start(&world);
    let keeper = process.keeper.clone();
    let ticket = |document: &str| process.ticket(document);
    for n in 0..20 {
        wait(keeper.feedback(&ticket(&format!("inv-{n}")), Feedback::Reviewed)).unwrap();
    }
    wait(keeper.turn()).unwrap();
    world.store.lose();
    let late = ticket("late");
    wait(keeper.feedback(&late, Feedback::Reviewed)).unwrap_err();
    world.clock.advance(seconds(5));
    wait(keeper.turn()).unwrap();
    assert_eq!(process.counted(), 21);
    // Not in the state that is stored: only the fact tells.
    wait(keeper.feedback(&ticket("last"), Feedback::Reviewed)).unwrap();
    assert_eq!(process.counted(), 22);
    drop((keeper, process));
    assert_eq!(Reviewed::start(&world).counted(), 22);
}

#[test]
fn what_a_store_drops_before_its_time_is_a_warning_that_ends() {
    let world = World::new();
    let store = Arc::new(OddStore::default());
    let process = world.process_on(Arc::clone(&store));
    let cut = |early, expired| {
        let mut cut = Cut::default();
        (cut.early, cut.until, cut.expired) = (early, Some(EVENING), expired);
        *store.cut.lock().unwrap() = Some(cut);
    };
    cut(0, 50);
    process.turn();
    assert!(
        process.open().is_empty(),
        "what expired in its time is no loss"
    );
    cut(12, 50);
    process.turn();
    assert_eq!(process.open(), ["pipeline/facts-dropped/-/1"]);
    let told = &process.pipeline.incidents()[0];
    assert_eq!(told.severity, Severity::Warning);
    assert_eq!(
        told.evidence.to_string(),
        format!(
            "12 facts were dropped too early, up to those of {EVENING}: the store has reached \
             the most that it may hold"
        )
    );
    for _ in 0..62 {
        process.turn_after(minutes(1));
    }
    assert!(process.open().is_empty());
}
