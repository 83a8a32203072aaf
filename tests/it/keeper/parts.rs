//! The state in parts: only what has changed is written, and what comes back is the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use fusebox::guard::{Cx, Share, State, Wanted};
use fusebox::tokens::{Framing, Model};
use fusebox::{
    CanaryPolicy, ConfidenceDriftMonitor, Error, Feedback, Field, Guard, LineUp, RouteLedger,
    ShadowComparator, StoreFault, TokenBudget, VersionId,
};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::support::{call, minutes, seconds, version};

/// A pipeline with all guards that have a state.
fn pipeline(clock: &MockClock, line_up: LineUp) -> (Pipeline, Guards) {
    let breaker = ErrorRateBreaker::builder()
        .by_document_type(true)
        .min_calls(5);
    // A field falls within a test.
    let drift = ConfidenceDriftMonitor::builder()
        .baseline_documents(8)
        .min_documents(4);
    let guards = Guards {
        breaker: Arc::new(breaker.build().unwrap()),
        drift: Arc::new(drift.build().unwrap()),
        canary: Arc::new(CanaryPolicy::default()),
    };
    let shadow = ShadowComparator::builder(VersionId::new("v8").unwrap());
    let model = Model::new("gpt-4o", 40_000).unwrap();
    let budget = TokenBudget::builder().model(model.with_framing(Framing::NONE));
    let built = Pipeline::builder(line_up)
        .guard(budget.build().unwrap())
        .guard(Arc::clone(&guards.breaker))
        .guard(Arc::clone(&guards.drift))
        .guard(Arc::clone(&guards.canary))
        .guard(shadow.build().unwrap())
        .guard(RouteLedger::default())
        .clock(clock.clone())
        .build();
    (built.unwrap(), guards)
}

struct Guards {
    breaker: Arc<ErrorRateBreaker>,
    drift: Arc<ConfidenceDriftMonitor>,
    canary: Arc<CanaryPolicy>,
}

fn keeper(pipeline: &Pipeline, store: &Arc<MemoryStore>) -> Keeper {
    let builder = Keeper::builder("invoices", pipeline).unwrap();
    wait(builder.store(Arc::clone(store)).start()).unwrap()
}

/// The states of the guards; every list is sorted, since some have no order.
fn states(pipeline: &Pipeline) -> Value {
    let mut snapshot = serde_json::to_value(pipeline.snapshot().unwrap()).unwrap();
    let mut guards = snapshot["guards"].take();
    sort(&mut guards);
    guards
}

fn sort(value: &mut Value) {
    match value {
        Value::Array(values) => {
            values.iter_mut().for_each(sort);
            values.sort_by_cached_key(Value::to_string);
        }
        Value::Object(values) => values.values_mut().for_each(sort),
        _ => {}
    }
}

const LINE_UPS: [(&str, &str, Option<&str>); 4] = [
    ("v7", "v6", Some("v8")),
    ("v7", "v6", None),
    ("v8", "v7", None),
    ("v7", "v6", Some("v9")),
];

fn deployed(number: usize) -> LineUp {
    let (stable, previous, candidate) = LINE_UPS[number];
    let line_up = LineUp::new(version(stable)).with_previous(version(previous));
    match candidate {
        None => line_up,
        Some(candidate) => line_up.with_candidate(version(candidate)),
    }
}

/// What happens to a pipeline.
#[derive(Clone, Debug)]
enum Step {
    Answer {
        of_type: u8,
        percent: u8,
        corrected: bool,
    },
    Fail {
        of_type: u8,
    },
    /// The reviewer was wrong: the first correction that stands is taken back.
    Retract,
    Wait {
        minutes: u64,
    },
    Deploy(usize),
    /// A person takes a field's mean as normal, puts a version back, or ends a rollout or begins it anew.
    Order(u8),
    /// The keeper writes.
    Write,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let answer = (0_u8..3, 60_u8..100, any::<bool>()).prop_map(|(of_type, percent, corrected)| {
        Step::Answer {
            of_type,
            percent,
            corrected,
        }
    });
    let step = prop_oneof![
        10 => answer,
        4 => (0_u8..3).prop_map(|of_type| Step::Fail { of_type }),
        2 => Just(Step::Retract),
        2 => (1_u64..200).prop_map(|minutes| Step::Wait { minutes }),
        1 => (0..LINE_UPS.len()).prop_map(Step::Deploy),
        1 => (0_u8..5).prop_map(Step::Order),
        4 => Just(Step::Write),
    ];
    prop::collection::vec(step, 1..150)
}

fn order(guards: &Guards, which: u8) {
    let (who, why) = ("ada", "a test");
    let Guards {
        breaker,
        drift,
        canary,
    } = guards;
    // Some are refused, as in life.
    match which {
        0 => {
            let seen = drift.status("type-0", "total").revision;
            let _ = drift.rebaseline("type-0", "total", seen, who, why);
        }
        1 => {
            let seen = breaker.status().revision;
            let _ = breaker.rearm("v7", seen, who, why);
        }
        2 => {
            let rule = ErrorRateBreaker::builder().by_document_type(false);
            let seen = breaker.status().revision;
            let _ = breaker.reconfigure(rule, seen, who, why);
        }
        3 => {
            let seen = canary.status().revision;
            let _ = canary.abort(seen, who, why);
        }
        _ => {
            let seen = canary.status().revision;
            let _ = canary.readmit(seen, who, why);
        }
    }
}

/// Lives through the steps, and writes a last time.
fn live(pipeline: &Pipeline, guards: &Guards, keeper: &Keeper, clock: &MockClock, steps: &[Step]) {
    let total = Field::new("total").unwrap();
    let mut stand = VecDeque::new();
    for (n, step) in steps.iter().enumerate() {
        match step {
            Step::Answer {
                of_type,
                percent,
                corrected,
            } => {
                let call = call(&format!("inv-{n}"), &format!("type-{of_type}"));
                let Some(permit) = pipeline.admit(&call).permit() else {
                    continue;
                };
                let confidence = f64::from(*percent) / 100.0;
                let report = Report::new().confidence("total", confidence).usage(900, 80);
                let ticket = permit.answer(report).ticket().clone();
                let feedback = if *corrected {
                    Feedback::corrected(total.clone())
                } else {
                    Feedback::Reviewed
                };
                pipeline.observe(&ticket, feedback);
                if *corrected {
                    stand.push_back(ticket);
                }
            }
            Step::Retract => {
                if let Some(ticket) = stand.pop_front() {
                    pipeline.observe(&ticket, Feedback::retracted(total.clone()));
                }
            }
            Step::Fail { of_type } => {
                let call = call(&format!("bad-{n}"), &format!("type-{of_type}"));
                if let Some(permit) = pipeline.admit(&call).permit() {
                    permit.fail(FailureKind::MalformedOutput);
                }
            }
            Step::Wait { minutes: waited } => {
                clock.advance(minutes(*waited));
                pipeline.tick();
            }
            Step::Deploy(number) => pipeline.deploy(deployed(*number)).unwrap(),
            Step::Order(which) => order(guards, *which),
            Step::Write => {
                clock.advance(seconds(6));
                wait(keeper.turn()).unwrap();
            }
        }
    }
    clock.advance(seconds(6));
    wait(keeper.turn()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A process that goes on from what was written in parts has the state of one that goes on from a
    /// whole snapshot.
    #[test]
    fn what_was_written_in_parts_comes_back_as_a_whole(lives in [steps(), steps()]) {
        let (store, clock) = (Arc::<MemoryStore>::default(), MockClock::at(EVENING));
        let (mut process, mut guards) = pipeline(&clock, deployed(0));
        let mut kept = keeper(&process, &store);
        for steps in lives {
            live(&process, &guards, &kept, &clock, &steps);
            let line_up = process.line_up().as_ref().clone();
            let (of_whole, _) = pipeline(&clock, line_up.clone());
            of_whole.restore(&process.snapshot().unwrap()).unwrap();
            // The next process, in which life goes on.
            (process, guards) = pipeline(&clock, line_up);
            kept = keeper(&process, &store);
            prop_assert_eq!(states(&process), states(&of_whole));
        }
    }
}

/// The registers of a guard that were written with the latest write, without those of the rest.
fn latest(stored: &Stored, guard: &str) -> BTreeSet<String> {
    let revision = stored
        .registers
        .iter()
        .map(|register| register.revision)
        .max();
    let prefix = format!("guard/{guard}/");
    let latest = stored
        .registers
        .iter()
        .filter(|register| Some(register.revision) == revision);
    let names = latest.filter_map(|register| register.key.strip_prefix(&prefix));
    names.map(str::to_owned).collect()
}

#[test]
fn of_many_types_only_those_that_had_answers_are_written() {
    let world = World::new();
    let (pipeline, _) = pipeline(&world.clock, deployed(0));
    let keeper = keeper(&pipeline, &world.store);
    let answer = |document: &str, document_type: &str| {
        let admission = pipeline.admit(&call(document, document_type));
        let ticket = admission
            .permit()
            .unwrap()
            .answer(Report::new().confidence("total", 0.9))
            .ticket()
            .clone();
        pipeline.observe(&ticket, Feedback::Reviewed);
    };
    let write = || {
        world.clock.advance(seconds(6));
        wait(keeper.turn()).unwrap();
        world.stored()
    };
    let types = ["letter", "contract", "a/b"];
    for document_type in types {
        // A part of the documents that a rollout has counted is 256.
        for n in 0..200 {
            answer(&format!("{document_type}-{n}"), document_type);
        }
    }
    let of_types = |types: &[&str]| -> BTreeSet<String> {
        types.iter().map(|name| format!("type/{name}")).collect()
    };
    let all = of_types(&["letter", "contract", "a%2Fb"]);
    let stored = write();
    for guard in ["confidence-drift", "error-rate", "canary", "ledger"] {
        assert!(latest(&stored, guard).is_superset(&all), "{guard}");
    }
    assert!(latest(&stored, "canary").contains("documents/known-2"));
    answer("another", "letter");
    let stored = write();
    for guard in ["error-rate", "ledger"] {
        assert_eq!(latest(&stored, guard), of_types(&["letter"]), "{guard}");
    }
    let mut of_drift = of_types(&["letter"]);
    // The 601st report is in the tenth part of 64.
    of_drift.insert("reports/9".to_owned());
    assert_eq!(latest(&stored, "confidence-drift"), of_drift);
    let sizes = latest(&stored, "token-budget");
    assert_eq!(sizes, ["sizes/letter/gpt-4o".to_owned()].into());
    let of_canary = latest(&stored, "canary");
    assert!(of_canary.contains("type/letter") && !of_canary.contains("type/contract"));
    // One document, one part of all that have been counted.
    let documents = of_canary.iter().filter(|key| key.starts_with("documents/"));
    assert!(documents.eq(["documents/known-2"]), "{of_canary:?}");
}

/// Shares what it is told, in parts.
#[derive(Debug, Default)]
struct InParts {
    parts: Mutex<BTreeMap<&'static str, u32>>,
    changed: Mutex<BTreeSet<&'static str>>,
    has_forgotten: AtomicBool,
    cannot: AtomicBool,
    asked: Mutex<Vec<Wanted>>,
}

impl InParts {
    fn set(&self, part: &'static str, value: u32) {
        self.parts.lock().unwrap().insert(part, value);
        self.changed.lock().unwrap().insert(part);
    }

    fn forget(&self, part: &'static str) {
        self.parts.lock().unwrap().remove(part);
        self.has_forgotten.store(true, Ordering::Relaxed);
    }

    fn asked(&self) -> Vec<Wanted> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Guard for InParts {
    fn name(&self) -> &'static str {
        "in/parts"
    }

    fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        let mut share = Share::default();
        if wanted == Wanted::Facts {
            return Ok(share);
        }
        self.asked.lock().unwrap().push(wanted);
        let changed = std::mem::take(&mut *self.changed.lock().unwrap());
        share.is_whole =
            self.has_forgotten.swap(false, Ordering::Relaxed) || wanted == Wanted::AllRegisters;
        if self.cannot.load(Ordering::Relaxed) {
            // As a guard that cannot write its state.
            return State::write(&BTreeMap::from([((), 0)]), cx).map(Share::of_state);
        }
        for (part, value) in &*self.parts.lock().unwrap() {
            if share.is_whole || changed.contains(part) {
                share.register(&["part", part], &(*part, value), cx)?;
            }
        }
        Ok(share)
    }

    fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        for (part, value) in shared.within::<(String, u32)>("part", cx)? {
            self.set(part.leak(), value);
        }
        Ok(())
    }
}

/// A process with a guard that shares in parts.
fn in_parts(world: &World, store: impl Store + 'static) -> (Arc<InParts>, Keeper) {
    let guard = Arc::new(InParts::default());
    let pipeline = Pipeline::builder(line_up()).guard(Arc::clone(&guard));
    let pipeline = pipeline.clock(world.clock.clone()).build().unwrap();
    let builder = Keeper::builder("invoices", &pipeline).unwrap();
    (guard, wait(builder.store(store).start()).unwrap())
}

fn parts(world: &World) -> BTreeMap<String, Json> {
    let stored = world.stored().registers.into_iter();
    let parts = stored.filter_map(|register| {
        let name = register.key.strip_prefix("guard/in%2Fparts/part/")?;
        Some((name.to_owned(), register.value))
    });
    parts.collect()
}

#[test]
fn a_part_that_is_gone_does_not_come_back() {
    let world = World::new();
    let (guard, keeper) = in_parts(&world, Arc::clone(&world.store));
    for (part, value) in [("a", 1), ("a/b", 2), ("c", 3)] {
        guard.set(part, value);
    }
    wait(keeper.turn()).unwrap();
    guard.forget("a");
    guard.set("c", 4);
    world.clock.advance(seconds(6));
    wait(keeper.turn()).unwrap();
    assert_eq!(
        guard.asked(),
        [Wanted::AllRegisters, Wanted::ChangedRegisters]
    );
    let stored: Vec<_> = parts(&world).into_iter().collect();
    let shown: Vec<_> = stored
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("a", "null"),
            ("a%2Fb", r#"["a/b",2]"#),
            ("c", r#"["c",4]"#)
        ]
    );
    let (next, _) = in_parts(&world, Arc::clone(&world.store));
    assert_eq!(*next.parts.lock().unwrap(), [("a/b", 2), ("c", 4)].into());
}

/// The second keeper of one pipeline writes under the number of the first.
#[test]
fn a_part_that_another_keeper_wrote_does_not_come_back_either() {
    let world = World::new();
    let (guard, keeper) = in_parts(&world, Arc::clone(&world.store));
    for part in ["a", "b"] {
        guard.set(part, 1);
    }
    wait(keeper.turn()).unwrap();
    let builder = Keeper::builder("invoices", keeper.pipeline()).unwrap();
    let keeper = wait(builder.store(Arc::clone(&world.store)).start()).unwrap();
    guard.forget("a");
    guard.set("b", 2);
    world.clock.advance(seconds(6));
    wait(keeper.turn()).unwrap();
    let (next, _) = in_parts(&world, Arc::clone(&world.store));
    assert_eq!(*next.parts.lock().unwrap(), [("b", 2)].into());
}

/// A store may have dropped what a process wrote of which it heard nothing for a day.
#[test]
fn after_an_hour_without_a_write_all_is_written() {
    let world = World::new();
    let (guard, keeper) = in_parts(&world, Arc::clone(&world.store));
    for part in ["a", "b"] {
        guard.set(part, 1);
    }
    wait(keeper.turn()).unwrap();
    world.clock.advance(minutes(61));
    guard.set("b", 2);
    wait(keeper.turn()).unwrap();
    let stored = world.stored().registers;
    let latest = stored.iter().map(|register| register.revision).max();
    let older = stored
        .iter()
        .filter(|register| Some(register.revision) < latest);
    assert_eq!(older.count(), 0);
}

#[test]
fn what_a_guard_gave_away_in_vain_is_wanted_again() {
    let world = World::new();
    let (guard, keeper) = in_parts(&world, Arc::clone(&world.store));
    guard.set("a", 1);
    wait(keeper.turn()).unwrap();
    guard.set("a", 2);
    guard.cannot.store(true, Ordering::Relaxed);
    world.clock.advance(seconds(6));
    wait(keeper.turn()).unwrap_err();
    guard.cannot.store(false, Ordering::Relaxed);
    world.clock.advance(seconds(6));
    wait(keeper.turn()).unwrap();
    let asked = [
        Wanted::AllRegisters,
        Wanted::ChangedRegisters,
        Wanted::AllRegisters,
    ];
    assert_eq!(guard.asked(), asked);
    assert_eq!(parts(&world)["a"].as_str(), r#"["a",2]"#);
}

#[test]
fn what_the_store_did_not_take_is_written_with_what_is_new() {
    let world = World::new();
    let (guard, keeper) = in_parts(&world, Arc::clone(&world.store));
    guard.set("a", 1);
    wait(keeper.turn()).unwrap();
    guard.set("a", 2);
    world.store.fail(StoreFault::Full, "the disk is full");
    world.clock.advance(seconds(6));
    wait(keeper.turn()).unwrap_err();
    world.store.repair();
    guard.set("b", 1);
    world.clock.advance(seconds(6));
    wait(keeper.turn()).unwrap();
    let stored = parts(&world);
    let shown: Vec<_> = stored.values().map(Json::as_str).collect();
    assert_eq!(shown, [r#"["a",2]"#, r#"["b",1]"#]);
    let asked = [
        Wanted::AllRegisters,
        Wanted::ChangedRegisters,
        Wanted::ChangedRegisters,
    ];
    assert_eq!(guard.asked(), asked);
}
