//! Time never goes back, and never stands still: behind a snapshot or its own past, it runs on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fusebox::clock::{Clock, MockClock};
use fusebox::guard::{Cx, Mount};
use fusebox::pipeline::Snapshot;
use fusebox::{Call, Guard, Pipeline, RouteLedger, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::{Gate, gate};
use crate::support::{Bench, EVENING, line_up, minutes, refused};

fn pipeline(clock: &MockClock) -> Pipeline {
    Pipeline::builder(line_up())
        .guard(RouteLedger::default())
        .clock(clock.clone())
        .build()
        .unwrap()
}

fn now(pipeline: &Pipeline) -> Timestamp {
    let admission = pipeline.admit(&Call::new("a", "invoice").unwrap());
    admission.ticket().admitted_at()
}

/// A snapshot that was taken at this time.
fn taken_at(at: Timestamp) -> Snapshot {
    let mut stored = serde_json::to_value(pipeline(&MockClock::new()).snapshot().unwrap()).unwrap();
    stored["at"] = json!(at.as_millis());
    serde_json::from_value(stored).unwrap()
}

#[test]
fn time_runs_on_after_a_restore_from_ahead_of_the_clock() {
    let clock = MockClock::at(EVENING);
    let pipeline = pipeline(&clock);
    pipeline.restore(&taken_at(EVENING + minutes(60))).unwrap();
    assert_eq!(now(&pipeline), EVENING + minutes(60));
    clock.advance(minutes(1));
    assert_eq!(now(&pipeline), EVENING + minutes(61));
    clock.advance(minutes(120));
    assert_eq!(now(&pipeline), EVENING + minutes(181));
}

#[test]
fn a_silent_type_is_told_after_a_restore_from_ahead_of_the_clock() {
    let bench = Bench::with_guard(RouteLedger::default());
    let permit = {
        bench
            .pipeline
            .restore(&taken_at(EVENING + minutes(600)))
            .unwrap();
        bench.permit("invoice")
    };
    bench.tick_after(minutes(11));
    assert_eq!(bench.pages().len(), 1, "the call is overdue");
    permit.release();
}

#[test]
fn time_runs_on_when_the_clock_jumps_back() {
    let clock = MockClock::at(EVENING);
    let pipeline = pipeline(&clock);
    clock.advance(minutes(10));
    assert_eq!(now(&pipeline), EVENING + minutes(10));
    clock.set(EVENING);
    assert_eq!(now(&pipeline), EVENING + minutes(10));
    clock.advance(minutes(1));
    assert_eq!(now(&pipeline), EVENING + minutes(11));
}

#[test]
fn of_two_restores_the_later_time_counts() {
    for order in [[60, 90], [90, 60]] {
        let clock = MockClock::at(EVENING);
        let pipeline = pipeline(&clock);
        for ahead in order {
            pipeline
                .restore(&taken_at(EVENING + minutes(ahead)))
                .unwrap();
        }
        clock.advance(minutes(1));
        assert_eq!(now(&pipeline), EVENING + minutes(91));
    }
}

#[test]
fn a_snapshot_from_behind_the_clock_changes_no_time() {
    let clock = MockClock::at(EVENING);
    let pipeline = pipeline(&clock);
    pipeline.restore(&taken_at(Timestamp::EPOCH)).unwrap();
    clock.advance(minutes(1));
    assert_eq!(now(&pipeline), EVENING + minutes(1));
}

/// The last time of the year 9999 is the last that can be printed; what is later is no time.
#[test]
fn a_snapshot_from_after_the_year_9999_is_refused_and_changes_nothing() {
    const LAST: u64 = 253_402_300_799_999;
    let clock = MockClock::at(EVENING);
    let pipeline = pipeline(&clock);
    for (at, got) in [
        (LAST + 1, "253402300800000"),
        (u64::MAX, "18446744073709551615"),
    ] {
        refused(
            pipeline.restore(&taken_at(Timestamp::from_millis(at))),
            &format!(
                "snapshot at: got `{got}`, expected at most 253402300799999, the end of the year \
                 9999 in milliseconds"
            ),
        );
    }
    assert_eq!(now(&pipeline), EVENING);
    let last = taken_at(Timestamp::from_millis(LAST));
    pipeline.restore(&last).unwrap();
    clock.advance(minutes(1));
    assert_eq!(
        now(&pipeline),
        Timestamp::from_millis(LAST) + minutes(1),
        "it runs"
    );
}

#[test]
fn threads_see_no_time_go_back_and_none_runs_ahead() {
    let clock = MockClock::at(EVENING);
    let pipeline = pipeline(&clock);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut last = Timestamp::EPOCH;
                for _ in 0..500 {
                    clock.advance(minutes(1));
                    let next = now(&pipeline);
                    assert!(next >= last);
                    last = next;
                }
            });
        }
    });
    assert_eq!(now(&pipeline), clock.now());
}

/// Gives some readings, and then those of a mock clock.
#[derive(Debug, Default)]
struct Readings {
    first: Mutex<VecDeque<Timestamp>>,
    then: MockClock,
}

impl Clock for Readings {
    fn now(&self) -> Timestamp {
        let first = self.first.lock().unwrap().pop_front();
        first.unwrap_or_else(|| self.then.now())
    }
}

/// The clock jumps back and forth between two readings of one step, and back again.
#[test]
fn a_time_given_out_after_a_jump_is_not_followed_by_an_earlier_one() {
    let clock = Arc::new(Readings::default());
    clock.then.set(EVENING);
    let pipeline = Pipeline::builder(line_up())
        .guard(RouteLedger::default())
        .clock(Arc::clone(&clock))
        .build()
        .unwrap();
    let readings = [Timestamp::EPOCH, EVENING + minutes(2)];
    clock.first.lock().unwrap().extend(readings);
    clock.then.set(EVENING + minutes(1));
    assert_eq!(now(&pipeline), EVENING + minutes(2));
    assert_eq!(now(&pipeline), EVENING + minutes(2));
    clock.then.advance(minutes(1));
    assert_eq!(now(&pipeline), EVENING + minutes(3));
}

/// Lets the first tick wait before the guards behind it have theirs.
#[derive(Debug)]
struct FirstWaits {
    gate: Gate,
    has_come: AtomicBool,
}

impl Guard for FirstWaits {
    fn name(&self) -> &'static str {
        "first-waits"
    }

    fn tick(&self, _: &Cx<'_>) {
        if !self.has_come.swap(true, Ordering::SeqCst) {
            self.gate.pass();
        }
    }
}

/// A tick that begins now and gets to the guard only after `meanwhile`.
fn overtaken(guard: impl Mount, meanwhile: impl FnOnce(&Bench)) -> Bench {
    let (gate, keeper) = gate();
    let first_waits = FirstWaits {
        gate,
        has_come: AtomicBool::new(false),
    };
    let bench = Bench::with(line_up(), |builder| builder.guard(first_waits).guard(guard));
    let pipeline = bench.pipeline.clone();
    let earlier = std::thread::spawn(move || pipeline.tick());
    keeper.wait_for_arrival();
    meanwhile(&bench);
    keeper.let_one_pass();
    earlier.join().unwrap();
    bench
}

/// Keeps the time of each tick, as it is when the guard has its lock.
#[derive(Debug, Default)]
struct Times(Mutex<Vec<Timestamp>>);

impl Guard for Times {
    fn name(&self) -> &'static str {
        "times"
    }

    fn tick(&self, cx: &Cx<'_>) {
        let mut times = self.0.lock().unwrap();
        times.push(cx.now());
    }
}

#[test]
fn a_guard_sees_no_time_go_back_when_a_later_step_overtakes_an_earlier_one() {
    let times = Arc::new(Times::default());
    overtaken(Arc::clone(&times), |bench| bench.tick_after(minutes(4)));
    let later = EVENING + minutes(4);
    assert_eq!(*times.0.lock().unwrap(), [later, later]);
}

#[test]
fn a_guard_sees_no_time_go_back_when_a_restore_overtakes_a_step() {
    let times = Arc::new(Times::default());
    let ahead = EVENING + minutes(60);
    let bench = overtaken(Arc::clone(&times), |bench| {
        bench.pipeline.restore(&taken_at(ahead)).unwrap();
    });
    bench.tick_after(minutes(1));
    assert_eq!(*times.0.lock().unwrap(), [ahead, ahead + minutes(1)]);
}

#[test]
fn a_guard_sees_no_time_go_back_with_the_clock() {
    let (bench, times) = Bench::and_guard(Times::default());
    bench.tick_after(minutes(10));
    bench.clock.set(EVENING);
    bench.pipeline.tick();
    bench.tick_after(minutes(1));
    let after = [10, 10, 11].map(|n| EVENING + minutes(n));
    assert_eq!(*times.0.lock().unwrap(), after);
}

/// The ledger ran at 0 and 4 minutes, whichever it saw first; until 8 minutes it had no pause of
/// more than five.
#[test]
fn an_overtaken_step_is_no_pause_of_the_ledger() {
    let bench = overtaken(RouteLedger::default(), |bench| bench.tick_after(minutes(4)));
    bench.tick_after(minutes(4));
    assert_eq!(bench.events(), []);
}

proptest! {
    /// Time moves by as much as the clock moves forward, and not by what it jumps back.
    #[test]
    fn time_is_the_sum_of_what_the_clock_ran(moves in prop::collection::vec(-100_i64..100, 1..50)) {
        let clock = MockClock::at(EVENING);
        let pipeline = pipeline(&clock);
        let mut expected = EVENING.as_millis();
        for by in moves {
            let next = clock.now().as_millis().saturating_add_signed(by);
            clock.set(Timestamp::from_millis(next));
            expected += u64::try_from(by).unwrap_or(0);
            prop_assert_eq!(now(&pipeline).as_millis(), expected);
        }
    }
}
