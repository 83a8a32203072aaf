//! What a guard proposes is decided once for all processes, and each is told.

use std::sync::atomic::{AtomicBool, Ordering};

use fusebox::clock::Clock;
use fusebox::guard::{Cx, Decided, Share, Wanted};
use fusebox::sink::MemorySink;
use fusebox::{Error, Guard};
use serde_json::{Value, json};

use super::odd_store::OddStore;
use super::*;
use crate::support::seconds;

/// A guard that proposes what the test says, and notes what was decided.
#[derive(Debug, Default)]
struct Proposes {
    proposals: Mutex<BTreeMap<&'static str, Value>>,
    decided: Mutex<Vec<String>>,
    /// Whether it proposes with its facts.
    is_confused: AtomicBool,
    cannot_read: AtomicBool,
    facts: Mutex<Vec<Fact>>,
}

impl Proposes {
    fn propose(&self, slot: &'static str, value: impl Into<Value>) {
        self.proposals.lock().unwrap().insert(slot, value.into());
    }

    fn withdraw(&self) {
        self.proposals.lock().unwrap().clear();
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.decided.lock().unwrap())
    }
}

impl Guard for Proposes {
    fn name(&self) -> &'static str {
        "a/guard"
    }

    fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        if wanted == Wanted::Facts {
            let facts = std::mem::take(&mut *self.facts.lock().unwrap());
            if !facts.is_empty() {
                return Ok(Share::of_facts(facts));
            }
        }
        let mut share = Share::default();
        if wanted == Wanted::Facts && !self.is_confused.load(Ordering::Relaxed) {
            return Ok(share);
        }
        for (slot, value) in &*self.proposals.lock().unwrap() {
            share.propose(*slot, value, cx)?;
        }
        Ok(share)
    }

    fn decided(&self, decided: &Decided, cx: &Cx<'_>) -> Result<(), Error> {
        if self.cannot_read.load(Ordering::Relaxed) {
            return Err(Error::state(cx.guard(), "no such decision"));
        }
        let Decided {
            slot,
            value,
            is_own,
            ..
        } = decided;
        let by = if *is_own { "own" } else { "other" };
        self.decided
            .lock()
            .unwrap()
            .push(format!("{slot} {value} {by}"));
        if *is_own {
            self.proposals.lock().unwrap().remove(slot.as_str());
        }
        Ok(())
    }
}

struct Voter {
    guard: Arc<Proposes>,
    keeper: Keeper,
    sink: MemorySink,
}

impl World {
    fn voter(&self) -> Voter {
        self.voter_on(Arc::clone(&self.store))
    }

    fn voter_on(&self, store: impl Store + 'static) -> Voter {
        let (guard, sink) = (Arc::new(Proposes::default()), MemorySink::new());
        let pipeline = Pipeline::builder(line_up()).guard(Arc::clone(&guard));
        let pipeline = pipeline.clock(self.clock.clone()).sink(sink.clone());
        let builder = Keeper::builder("invoices", &pipeline.build().unwrap()).unwrap();
        let keeper = wait(builder.store(store).start()).unwrap();
        Voter {
            guard,
            keeper,
            sink,
        }
    }

    fn vote(&self, voter: &Voter) -> Result<(), Error> {
        self.clock.advance(seconds(5));
        wait(voter.keeper.turn())
    }

    fn numbers(&self) -> Vec<(String, u64)> {
        let slots = self.stored().slots.into_iter();
        slots.map(|slot| (slot.name, slot.number)).collect()
    }
}

#[test]
fn the_first_proposal_wins_and_every_process_is_told_in_order() {
    let world = World::new();
    let (one, two) = (world.voter(), world.voter());
    one.guard.propose("latch", "one");
    two.guard.propose("latch", "two");
    two.guard.propose("a/b", 7);
    world.vote(&one).unwrap();
    assert_eq!(one.guard.told(), [r#"latch "one" own"#]);
    world.vote(&two).unwrap();
    assert_eq!(two.guard.told(), ["a/b 7 own", r#"latch "one" other"#]);
    // It keeps to its own, which is the next decision.
    world.vote(&two).unwrap();
    assert_eq!(two.guard.told(), [r#"latch "two" own"#]);
    two.guard.propose("latch", "three");
    world.vote(&two).unwrap();
    world.vote(&one).unwrap();
    let told = [
        "a/b 7 other",
        r#"latch "two" other"#,
        r#"latch "three" other"#,
    ];
    assert_eq!(one.guard.told(), told);
    let numbers = [("guard/a%2Fguard/a/b", 1), ("guard/a%2Fguard/latch", 3)];
    let numbers = numbers.map(|(name, number)| (name.to_owned(), number));
    assert_eq!(world.numbers(), numbers);

    // At the start, the latest of each.
    let next = world.voter();
    assert_eq!(
        next.guard.told(),
        ["a/b 7 own", r#"latch "three" own"#],
        "of the process that wrote last"
    );
}

#[test]
fn a_proposal_that_is_withdrawn_before_it_is_written_is_not_decided() {
    let world = World::new();
    let one = world.voter();
    world.vote(&one).unwrap();
    one.guard.propose("latch", 1);
    // Nothing is due yet.
    wait(one.keeper.turn()).unwrap();
    one.guard.withdraw();
    world.vote(&one).unwrap();
    assert!(world.numbers().is_empty());
}

/// The store has decided it, and the answer was lost.
#[test]
fn a_proposal_that_may_have_been_decided_is_not_withdrawn_unheard() {
    let world = World::new();
    let store = Arc::new(OddStore::over(&world.store));
    let (one, two) = (world.voter_on(Arc::clone(&store)), world.voter());
    one.guard.propose("latch", 1);
    store.loses_answers.store(true, Ordering::Relaxed);
    assert!(world.vote(&one).is_err());
    store.loses_answers.store(false, Ordering::Relaxed);
    one.guard.withdraw();
    world.vote(&two).unwrap();
    assert_eq!(two.guard.told(), ["latch 1 other"]);
    world.vote(&one).unwrap();
    assert_eq!(one.guard.told(), ["latch 1 own"]);
    world.vote(&one).unwrap();
    assert!(one.guard.told().is_empty());
    assert_eq!(world.numbers()[0].1, 1);
}

#[test]
fn what_a_guard_does_wrong_with_decisions_is_told_and_harms_nobody() {
    let world = World::new();
    let (one, two) = (world.voter(), world.voter());
    let told = |voter: &Voter| -> Vec<String> {
        let events = voter.sink.take().into_iter();
        events.map(|event| event.kind.to_string()).collect()
    };
    one.guard.propose("latch", 1);
    one.guard.is_confused.store(true, Ordering::Relaxed);
    world.vote(&one).unwrap();
    let wrong = "it shares registers or proposals where facts are wanted";
    let events = told(&one);
    assert!(events.iter().any(|told| told.contains(wrong)), "{events:?}");
    one.guard.is_confused.store(false, Ordering::Relaxed);

    two.guard.cannot_read.store(true, Ordering::Relaxed);
    world.vote(&two).unwrap();
    let events = told(&two);
    let wrong = "no such decision";
    assert!(events.iter().any(|told| told.contains(wrong)), "{events:?}");

    let deep = (0..200).fold(json!(1), |value, _| json!([value]));
    let fact = |id: &str, value| Fact::new("noted", id, world.clock.now(), value);
    let facts = vec![fact("a", json!(1)), fact("b", deep.clone())];
    *one.guard.facts.lock().unwrap() = facts;
    world.vote(&one).unwrap();
    assert_eq!(world.facts("noted").len(), 1);
    let events = told(&one);
    let wrong = "fact noted b: ";
    assert!(events.iter().any(|told| told.contains(wrong)), "{events:?}");

    one.guard.propose("deep", deep);
    let error = world.vote(&one).unwrap_err().to_string();
    assert!(error.contains("slot deep: "), "{error}");
    one.guard.withdraw();
    world.vote(&one).unwrap();
    assert_eq!(world.numbers().len(), 1);
}
