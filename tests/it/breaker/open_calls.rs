//! Open calls are counted exactly, whatever happens to the breaker while they are open.

use std::sync::{Arc, Mutex};

use fusebox::breaker::{BreakerMode, BreakerState, ErrorRateBreakerBuilder};
use fusebox::guard::{Cx, Verdict};
use fusebox::{Call, ErrorRateBreaker, Guard, Permit, Pipeline, Ratio, Version};

use super::bench;
use crate::operator::{rearm, reconfigure, reset, switch};
use crate::support::{Bench, call, line_up, minutes, seconds, v7};

/// Five calls that hang for 30 s take a version out.
fn slow() -> ErrorRateBreakerBuilder {
    ErrorRateBreaker::builder().slow_calls(seconds(30), Ratio::percent(50))
}

fn open(bench: &Bench, n: usize) -> Vec<Permit> {
    (0..n).map(|_| bench.permit("invoice")).collect()
}

fn release(permits: Vec<Permit>) {
    for permit in permits {
        let _ = permit.release();
    }
}

#[test]
fn calls_that_ended_while_the_rule_was_off_do_not_hang() {
    let (bench, breaker) = bench(slow());
    let calls = open(&bench, 10);
    reconfigure(&breaker, ErrorRateBreaker::builder()).unwrap();
    release(calls);
    reconfigure(&breaker, slow()).unwrap();
    bench.tick_after(minutes(2));
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
}

/// The end of a call that was never counted takes no other call's place.
#[test]
fn calls_from_before_the_rule_stand_for_no_others() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    let uncounted = open(&bench, 5);
    reconfigure(&breaker, slow()).unwrap();
    let hanging = open(&bench, 5);
    release(uncounted);
    bench.tick_after(minutes(1));
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    drop(hanging);
}

type Command = fn(&ErrorRateBreaker);

/// Runs something while a call is between the votes on it and its beginning.
#[derive(Default)]
struct InBetween(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl std::fmt::Debug for InBetween {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InBetween")
    }
}

impl Guard for InBetween {
    fn name(&self) -> &'static str {
        "in-between"
    }

    fn check(&self, _: &Call<'_>, _: &Version, _: &Cx<'_>) -> Verdict {
        let work = self.0.lock().unwrap().take();
        if let Some(work) = work {
            work();
        }
        Verdict::Proceed
    }
}

/// Admits and releases this many calls, each while the one before is being admitted; within the
/// last one comes the command, and a tick.
fn nested(
    calls: u32,
    pipeline: &Pipeline,
    held: &Arc<InBetween>,
    command: Box<dyn FnOnce() + Send>,
) {
    let (inner, next) = (pipeline.clone(), Arc::clone(held));
    *held.0.lock().unwrap() = Some(Box::new(move || {
        if calls == 1 {
            command();
            inner.tick();
        } else {
            nested(calls - 1, &inner, &next, command);
        }
    }));
    let admission = pipeline.admit(&call(&format!("inv-{calls}"), "invoice"));
    let _ = admission.permit().unwrap().release();
}

#[test]
fn a_command_while_a_call_is_admitted_leaves_nothing_open() {
    let commands: [Command; 3] = [
        |breaker| rearm(breaker, "v7"),
        reset,
        |breaker| {
            switch(breaker, BreakerMode::ForcedFallback);
            switch(breaker, BreakerMode::Enforce);
        },
    ];
    for (n, command) in commands.into_iter().enumerate() {
        let breaker = Arc::new(slow().build().unwrap());
        let held = Arc::new(InBetween::default());
        let bench = Bench::with(line_up(), |builder| {
            builder.guard(Arc::clone(&breaker)).guard(Arc::clone(&held))
        });
        let ordered = Arc::clone(&breaker);
        bench.answer(1);
        nested(
            6,
            &bench.pipeline,
            &held,
            Box::new(move || command(&ordered)),
        );
        bench.tick_after(minutes(2));
        assert_eq!(breaker.state(v7()), BreakerState::Closed, "command {n}");
    }
}
