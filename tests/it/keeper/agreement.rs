//! Overlapping processes take the same steps of a rollout, whichever of them decides.

use std::sync::atomic::Ordering;

use fusebox::clock::Clock;
use fusebox::event::RolloutEvent;
use fusebox::rollout::RolloutState;
use fusebox::sink::MemorySink;
use fusebox::store::{Batch, Instance, Slot};
use fusebox::{
    CanaryPolicy, Error, EventKind, Feedback, Guard, LineUp, Ratio, Revision, Role, StoreFault,
};
use proptest::prelude::*;
use serde_json::json;

use super::odd_store::OddStore;
use super::*;
use crate::operator::{abort, approve, hold, pause, promote, resume};
use crate::support::{minutes, seconds, version};

const ROLLED_BACK: &str = "canary/rolled-back/v8/1";
const STEP: &str = "guard/canary/step";

/// A process with a rollout.
struct Rolling {
    pipeline: Pipeline,
    canary: Arc<CanaryPolicy>,
    keeper: Keeper,
    sink: MemorySink,
}

fn with_candidate() -> LineUp {
    line_up().with_candidate(version("v8"))
}

impl World {
    fn rolling(&self) -> Rolling {
        self.rolling_with(with_candidate(), Arc::clone(&self.store))
    }

    fn rolling_with(&self, line_up: LineUp, store: impl Store + 'static) -> Rolling {
        self.deciding_by(CanaryPolicy::default(), line_up, store)
    }

    fn deciding_by(
        &self,
        canary: CanaryPolicy,
        line_up: LineUp,
        store: impl Store + 'static,
    ) -> Rolling {
        let (canary, sink) = (Arc::new(canary), MemorySink::new());
        let pipeline = Pipeline::builder(line_up)
            .guard(Arc::clone(&canary))
            .clock(self.clock.clone())
            .sink(sink.clone())
            .build()
            .unwrap();
        let builder = Keeper::builder("invoices", &pipeline).unwrap();
        let builder = builder.store(store).post(self.service.clone());
        let route = PagerRoute::new("on call", Plain("pager")).unwrap();
        Rolling {
            keeper: wait(builder.route(route).start()).unwrap(),
            pipeline,
            canary,
            sink,
        }
    }

    /// Two processes whose rollout has begun, and is the same one.
    fn two_rolling(&self) -> (Rolling, Rolling) {
        self.two_rolling_with(Arc::clone(&self.store))
    }

    /// The same, the first with another store over this one.
    fn two_rolling_with(&self, store: impl Store + 'static) -> (Rolling, Rolling) {
        let first = self.rolling_with(with_candidate(), store);
        first.turn();
        let second = self.rolling();
        self.go_round(&[&first, &second]);
        (first, second)
    }

    /// A turn of each, after the time in which all that is not urgent is written.
    fn go_round(&self, processes: &[&Rolling]) {
        self.clock.advance(seconds(5));
        for process in processes {
            process.turn();
        }
    }

    fn steps(&self) -> Vec<Slot> {
        let stored = self.stored().slots.into_iter();
        stored.filter(|slot| slot.name == STEP).collect()
    }
}

/// What people see of a rollout.
type Seen = (RolloutState, u8, Ratio, bool, Revision);

impl Rolling {
    fn turn(&self) {
        let _ = wait(self.keeper.turn());
    }

    fn seen(&self) -> Seen {
        let status = self.canary.status();
        let (state, stage, share) = (status.state, status.stage, status.share);
        (state, stage, share, status.paused, status.revision)
    }

    /// The candidate fails until it is rolled back.
    fn fail(&self) {
        for n in 0..4_000 {
            let call = Call::new(format!("inv-{n}"), "invoice").unwrap();
            let permit = self.pipeline.admit(&call).permit().unwrap();
            if permit.ticket().role() == Role::Candidate {
                permit.fail(FailureKind::MalformedOutput);
            } else {
                let _ = permit.answer(Report::new());
            }
            self.pipeline.tick();
            if self.canary.status().state == RolloutState::RolledBack {
                return;
            }
        }
        panic!("{}", self.canary.status());
    }

    fn open(&self) -> Vec<String> {
        let open = self.pipeline.incidents();
        open.iter().map(|open| open.key.to_string()).collect()
    }

    /// What it did after another process.
    fn followed(&self) -> Vec<String> {
        let events = self.sink.take().into_iter();
        let followed = events.filter_map(|event| match event.kind {
            EventKind::Rollout(RolloutEvent::RolloutFollowed { after, .. }) => Some(after),
            _ => None,
        });
        followed.collect()
    }
}

#[test]
fn a_rollback_holds_in_every_process_and_its_page_stays_until_it_is_acknowledged() {
    let world = World::new();
    let (old, new) = world.two_rolling();
    old.fail();
    old.turn();
    assert_eq!(new.canary.status().state, RolloutState::Running);
    world.go_round(&[&new]);
    assert_eq!(new.seen(), old.seen());
    assert_eq!(new.canary.status().state, RolloutState::RolledBack);
    for n in 0..200 {
        let call = Call::new(format!("after-{n}"), "invoice").unwrap();
        let permit = new.pipeline.admit(&call).permit().unwrap();
        assert_eq!(permit.ticket().role(), Role::Stable);
        permit.release();
    }
    let after = "rolled back at stage 1 with 0 %";
    assert_eq!(new.followed(), [after]);
    // With the findings of the process that decided: the other one has seen nothing.
    let told = new.pipeline.incidents();
    let told = told.iter().find(|open| open.key.to_string() == ROLLED_BACK);
    assert_eq!(
        told.unwrap().evidence,
        old.pipeline.incidents()[0].evidence,
        "{told:?}"
    );

    drop(old);
    for _ in 0..30 {
        world.go_round(&[&new]);
    }
    assert_eq!(world.service.open("pager"), [ROLLED_BACK]);
    let seen = new.seen();
    drop(new);
    let next = world.rolling();
    world.go_round(&[&next]);
    assert_eq!(next.seen(), seen);
    assert_eq!(next.open(), [ROLLED_BACK]);
    assert!(next.followed().is_empty(), "it is its own");
    assert_eq!(world.service.open("pager"), [ROLLED_BACK]);
}

type Command = fn(&CanaryPolicy) -> Result<(), Error>;

/// Whoever gives a command need not know which process gets it.
#[test]
fn commands_to_either_process_hold_in_both() {
    let world = World::new();
    let (one, two) = world.two_rolling();
    let readmit = |canary: &CanaryPolicy| {
        canary.readmit(canary.status().revision, "ada", "the provider's outage")
    };
    let commands: [(Command, &str); 8] = [
        (pause, "running at stage 1 with 5 %, paused"),
        (resume, "running at stage 1 with 5 %"),
        (hold, "running at stage 1 with 5 %, held"),
        (approve, "running at stage 1 with 5 %, held, approved"),
        (promote, "running at stage 2 with 25 %"),
        (abort, "aborted at stage 2 with 0 %"),
        (readmit, "running at stage 1 with 5 %"),
        (promote, "running at stage 2 with 25 %"),
    ];
    for (number, (command, after)) in commands.into_iter().enumerate() {
        let (from, to) = if number % 2 == 0 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        wait(from.keeper.command(|| command(&from.canary))).unwrap();
        world.go_round(&[to]);
        assert_eq!(to.seen(), from.seen(), "{after}");
        assert_eq!(to.followed(), [after]);
        world.go_round(&[&one, &two]);
        assert_eq!(
            to.followed() as Vec<String>,
            Vec::<String>::new(),
            "{after}"
        );
        assert_eq!(from.followed(), Vec::<String>::new(), "{after}");
    }
    assert_eq!(world.facts("command").len(), commands.len(), "each is one");
}

/// The two decide before either knows of the other.
#[test]
fn of_two_steps_at_the_same_time_the_more_cautious_one_holds() {
    type Act = fn(&Rolling);
    let roll_back: Act = Rolling::fail;
    let promote: Act = |process| promote(&process.canary).unwrap();
    let pause: Act = |process| pause(&process.canary).unwrap();
    let hold: Act = |process| hold(&process.canary).unwrap();
    let cases: [(Act, Act, &str); 5] = [
        (roll_back, promote, "rolled back at stage 1 with 0 %"),
        (roll_back, pause, "rolled back at stage 1 with 0 %"),
        (pause, promote, "running at stage 1 with 5 %, paused"),
        (hold, promote, "running at stage 1 with 5 %, held"),
        (pause, hold, "running at stage 1 with 5 %, paused"),
    ];
    for (cautious, bold, holds) in cases {
        for is_first in [true, false] {
            let world = World::new();
            let (one, two) = world.two_rolling();
            cautious(&one);
            bold(&two);
            let mut order = [&one, &two];
            if !is_first {
                order.reverse();
            }
            for _ in 0..4 {
                world.go_round(&order);
            }
            assert_eq!(one.seen(), two.seen(), "{holds}");
            assert_eq!(two.followed(), [holds]);
            assert!(one.followed().is_empty(), "{holds}");
            let agreed = world.steps();
            for _ in 0..5 {
                world.go_round(&order);
            }
            assert_eq!(world.steps(), agreed, "nobody goes on proposing");
        }
    }
}

/// The state that was written last is older than what was decided.
#[test]
fn a_start_takes_the_step_that_was_decided_after_the_state() {
    let world = World::new();
    let (one, two) = world.two_rolling();
    pause(&one.canary).unwrap();
    world.go_round(&[&one, &two]);
    resume(&two.canary).unwrap();
    world.go_round(&[&two]);
    let seen = two.seen();
    // Its state is paused when it is written, and it ends before its next one.
    world.go_round(&[&one]);
    drop((one, two));
    let next = world.rolling();
    assert_eq!(next.seen(), seen);
    assert!(!next.canary.status().paused);
}

/// The rollback that came between is known to nobody but the process that has ended.
#[test]
fn a_start_takes_a_rollout_that_began_anew_after_the_state() {
    let world = World::new();
    let (one, two) = world.two_rolling();
    two.fail();
    two.turn();
    let readmit = || {
        let seen = two.canary.status().revision;
        two.canary.readmit(seen, "ada", "the provider's outage")
    };
    wait(two.keeper.command(readmit)).unwrap();
    let seen = two.seen();
    world.clock.advance(seconds(5));
    answer(&one.pipeline, "inv-1");
    one.turn();
    drop((one, two));
    let next = world.rolling();
    assert_eq!(next.seen(), seen);
}

/// The rollout of the first process begins after the second one has started.
#[test]
fn a_process_joins_a_rollout_that_has_just_begun() {
    let joins_after = |time| {
        let world = World::new();
        let line_ups = [line_up(), line_up()];
        let [one, two] = line_ups.map(|line_up| world.rolling_with(line_up, world.store.clone()));
        world.go_round(&[&one, &two]);
        one.pipeline.deploy(with_candidate()).unwrap();
        one.pipeline.tick();
        promote(&one.canary).unwrap();
        world.go_round(&[&one, &two]);
        world.clock.advance(time);
        two.pipeline.deploy(with_candidate()).unwrap();
        two.pipeline.tick();
        let joined = two.seen();
        for _ in 0..6 {
            world.go_round(&[&one, &two]);
        }
        assert_eq!(one.seen(), two.seen());
        (joined.1, two.seen().1)
    };
    assert_eq!(joins_after(minutes(9)), (2, 2));
    // It may be that of a process that ended weeks ago. Since it goes on, it is followed, and not
    // set back to the first stage.
    assert_eq!(joins_after(minutes(11)), (1, 2));
}

/// Both have it among the rejected ones.
#[test]
fn a_candidate_that_was_readmitted_is_not_taken_out_of_service_by_a_process_that_bars_it() {
    let world = World::new();
    let (one, two) = world.two_rolling();
    one.fail();
    world.go_round(&[&one, &two]);
    two.pipeline.deploy(line_up()).unwrap();
    two.pipeline.tick();
    let readmit = || {
        let seen = one.canary.status().revision;
        one.canary.readmit(seen, "ada", "the provider's outage")
    };
    wait(one.keeper.command(readmit)).unwrap();
    world.go_round(&[&one, &two]);
    world.clock.advance(minutes(30));
    two.pipeline.deploy(with_candidate()).unwrap();
    two.pipeline.tick();
    assert_eq!(two.canary.status().state, RolloutState::RolledBack);
    for _ in 0..4 {
        world.go_round(&[&two, &one]);
    }
    assert_eq!(one.seen(), two.seen());
    assert_eq!(one.canary.status().state, RolloutState::Running);
}

impl World {
    /// Another process decides a step: the last one, changed.
    fn decide(&self, change: impl FnOnce(&mut Slot)) {
        let mut slot = self.steps().remove(0);
        slot.number += 1;
        slot.by = Instance::new(7);
        slot.at = self.clock.now();
        slot.value["begins"] = json!(false);
        change(&mut slot);
        let mut batch = Batch::after(Position::START);
        batch.slots.push(slot);
        wait(self.store.turn(&Self::name(), Instance::new(7), batch)).unwrap();
    }
}

#[test]
fn types_that_were_excluded_anywhere_stay_excluded() {
    let world = World::new();
    let (one, two) = world.two_rolling();
    world.decide(|slot| slot.value["excluded"] = json!(["contract"]));
    // It is ahead and more cautious, and keeps to its pause.
    pause(&one.canary).unwrap();
    for _ in 0..3 {
        world.go_round(&[&one, &two]);
    }
    assert_eq!(one.seen(), two.seen());
    assert!(two.canary.status().paused);
    for process in [&one, &two] {
        for n in 0..200 {
            let call = Call::new(format!("inv-{n}"), "contract").unwrap();
            let permit = process.pipeline.admit(&call).permit().unwrap();
            assert_eq!(permit.ticket().role(), Role::Stable);
            permit.release();
        }
    }
}

#[test]
fn a_rollback_holds_at_a_stage_that_the_plan_does_not_have() {
    let world = World::new();
    let one = world.rolling();
    one.turn();
    world.decide(|slot| {
        slot.value["state"] = json!("rolled_back");
        slot.value["stage"] = json!(7);
    });
    for _ in 0..2 {
        world.go_round(&[&one]);
    }
    assert_eq!(one.canary.status().state, RolloutState::RolledBack);
    let agreed = world.steps();
    for _ in 0..3 {
        world.go_round(&[&one]);
    }
    assert_eq!(world.steps(), agreed);
}

/// The store's file was edited by hand.
#[test]
fn a_step_that_nobody_can_read_stops_nothing_else() {
    let world = World::new();
    let one = world.rolling();
    one.turn();
    world.decide(|slot| slot.value = json!({ "format": 9 }));
    pause(&one.canary).unwrap();
    world.clock.advance(seconds(5));
    wait(one.keeper.turn()).unwrap();
    drop(one);
    let next = world.rolling();
    assert!(next.canary.status().paused);
    world.clock.advance(seconds(5));
    wait(next.keeper.turn()).unwrap();
}

/// It has promoted v8, was started without it, and is started with it again.
#[test]
fn a_process_does_not_join_a_rollout_of_its_own_past() {
    let world = World::new();
    let one = world.rolling();
    one.turn();
    promote(&one.canary).unwrap();
    promote(&one.canary).unwrap();
    world.go_round(&[&one]);
    drop(one);
    let without = world.rolling_with(line_up(), world.store.clone());
    world.go_round(&[&without]);
    drop(without);
    let next = world.rolling();
    world.go_round(&[&next]);
    assert_eq!(next.canary.status().stage, 1);
    assert_eq!(next.canary.status().state, RolloutState::Running);
}

/// An earlier build went on from a state of this one, and its state says nothing of agreements.
#[test]
fn a_step_from_before_an_earlier_build_ran_undoes_nothing() {
    let world = World::new();
    let one = world.rolling();
    one.turn();
    pause(&one.canary).unwrap();
    world.go_round(&[&one]);
    resume(&one.canary).unwrap();
    let mut slots = world.steps();
    slots[0].by = Instance::new(7);
    world.go_round(&[&one]);
    drop(one);
    // As if that build had resumed it: the last step that was decided is the pause.
    let mut stored = world.stored().registers.into_iter();
    let state = stored.find(|register| register.key == "guard/canary");
    let mut state = state.unwrap();
    let mut value: serde_json::Value = state.value.read().unwrap();
    value.as_object_mut().unwrap().remove("agreed");
    state.value = Json::of(&value).unwrap();
    state.revision += 1;
    let owner = state.owner;
    let keeper = stored.find(|register| register.key == "keeper").unwrap();
    let versions = stored.find(|register| register.key == "versions").unwrap();
    let world = World {
        store: Arc::default(),
        ..world
    };
    let mut batch = Batch::after(Position::START);
    batch.registers = vec![state, keeper, versions];
    batch.slots = slots;
    wait(world.store.turn(&World::name(), owner, batch)).unwrap();
    world.clock.advance(minutes(60));
    let next = world.rolling();
    assert!(!next.canary.status().paused);
    world.go_round(&[&next]);
    assert_eq!(world.steps()[0].value["paused_at"], json!(null));
}

#[test]
fn a_dry_run_decides_nothing_for_others_and_follows_nobody() {
    let world = World::new();
    let one = world.rolling();
    one.turn();
    world.go_round(&[&one]);
    let canary = Arc::new(CanaryPolicy::default());
    let pipeline = Pipeline::builder(with_candidate())
        .guard(Arc::clone(&canary).dry_run())
        .clock(world.clock.clone());
    let builder = Keeper::builder("invoices", &pipeline.build().unwrap()).unwrap();
    let keeper = wait(builder.store(Arc::clone(&world.store)).start()).unwrap();
    abort(&canary).unwrap();
    world.clock.advance(seconds(5));
    wait(keeper.turn()).unwrap();
    pause(&one.canary).unwrap();
    world.go_round(&[&one]);
    world.clock.advance(seconds(5));
    wait(keeper.turn()).unwrap();
    assert!(one.canary.status().paused);
    assert_eq!(one.canary.status().state, RolloutState::Running);
    assert_eq!(canary.status().state, RolloutState::Aborted);
}

/// The exchange that fails has feedback in it, which is written first the next time.
#[test]
fn a_readmission_after_a_lost_answer_is_not_undone() {
    let world = World::new();
    let store = Arc::new(OddStore::over(&world.store));
    let (one, two) = world.two_rolling_with(Arc::clone(&store));
    let ticket = answer(&one.pipeline, "inv-1");
    one.fail();
    store.loses_answers.store(true, Ordering::Relaxed);
    assert!(wait(one.keeper.feedback(&ticket, Feedback::Reviewed)).is_err());
    one.turn();
    store.loses_answers.store(false, Ordering::Relaxed);
    world.go_round(&[&two]);
    assert_eq!(two.canary.status().state, RolloutState::RolledBack);
    let readmit = || {
        let seen = two.canary.status().revision;
        two.canary.readmit(seen, "ada", "the provider's outage")
    };
    wait(two.keeper.command(readmit)).unwrap();
    for _ in 0..4 {
        world.go_round(&[&one, &two]);
    }
    assert_eq!(one.seen(), two.seen());
    assert_eq!(two.canary.status().state, RolloutState::Running);
}

#[test]
fn a_candidate_that_was_rolled_back_elsewhere_gets_no_document_when_it_is_deployed() {
    let world = World::new();
    let one = world.rolling();
    let two = world.rolling_with(line_up(), world.store.clone());
    one.fail();
    world.go_round(&[&one, &two]);
    world.clock.advance(minutes(60));
    two.pipeline.deploy(with_candidate()).unwrap();
    two.pipeline.tick();
    assert_eq!(two.canary.status().state, RolloutState::RolledBack);
}

/// The old process tries v8, the new one v9.
#[test]
fn rollouts_of_two_candidates_do_not_disturb_each_other() {
    let world = World::new();
    let one = world.rolling();
    one.turn();
    let other = line_up().with_candidate(version("v9"));
    let two = world.rolling_with(other, world.store.clone());
    for _ in 0..3 {
        world.go_round(&[&one, &two]);
    }
    let (v9, agreed) = (two.seen(), world.steps());
    one.fail();
    for _ in 0..3 {
        world.go_round(&[&one, &two]);
    }
    assert_eq!((two.seen(), two.followed().len()), (v9, 0));
    assert_eq!(one.canary.status().state, RolloutState::RolledBack);
    let after = world.steps();
    assert_eq!(after[0].number, agreed[0].number + 1);
    for _ in 0..3 {
        world.go_round(&[&one, &two]);
    }
    assert_eq!(world.steps(), after);
}

/// The store has what was proposed, and nobody knows.
#[test]
fn a_proposal_whose_answer_was_lost_undoes_no_later_command() {
    let world = World::new();
    let store = Arc::new(OddStore::over(&world.store));
    let (one, two) = world.two_rolling_with(Arc::clone(&store));
    store.loses_answers.store(true, Ordering::Relaxed);
    pause(&one.canary).unwrap();
    one.turn();
    store.loses_answers.store(false, Ordering::Relaxed);
    world.go_round(&[&two]);
    assert!(two.canary.status().paused);
    resume(&one.canary).unwrap();
    for _ in 0..2 {
        world.go_round(&[&one, &two]);
    }
    assert_eq!(one.seen(), two.seen());
    assert!(!two.canary.status().paused);
    assert!(one.followed().is_empty());
}

#[test]
fn what_was_decided_is_written_again_to_a_store_that_lost_it() {
    let world = World::new();
    let (one, two) = world.two_rolling();
    pause(&one.canary).unwrap();
    world.go_round(&[&one, &two]);
    let decided = world.steps();
    world.store.lose();
    for _ in 0..3 {
        world.go_round(&[&one, &two]);
    }
    assert_eq!(world.steps(), decided);
    resume(&two.canary).unwrap();
    for _ in 0..2 {
        world.go_round(&[&two, &one]);
    }
    assert_eq!(one.seen(), two.seen());
    assert_eq!(world.steps()[0].number, decided[0].number + 1);
}

#[test]
fn a_stage_that_the_plan_does_not_have_is_told_and_changes_nothing() {
    let world = World::new();
    let one = world.rolling();
    one.turn();
    let short = CanaryPolicy::builder()
        .stage(Ratio::percent(5), minutes(60))
        .build()
        .unwrap();
    let two = world.deciding_by(short, with_candidate(), world.store.clone());
    world.go_round(&[&one, &two]);
    promote(&one.canary).unwrap();
    let before = two.seen();
    world.go_round(&[&one, &two]);
    assert_eq!(two.seen(), before);
    let told: Vec<_> = two.sink.take().iter().map(ToString::to_string).collect();
    let expected = "another process is at stage 2, which the plan has not";
    assert!(told.iter().any(|told| told.contains(expected)), "{told:?}");
    let agreed = world.steps();
    for _ in 0..3 {
        world.go_round(&[&one, &two]);
    }
    assert_eq!(world.steps(), agreed);
}

/// A single process writes a step when it takes one, and nothing else.
#[test]
fn a_step_is_written_once() {
    let world = World::new();
    let one = world.rolling();
    for _ in 0..20 {
        world.go_round(&[&one]);
    }
    assert_eq!(world.steps()[0].number, 1);
    wait(one.keeper.command(|| pause(&one.canary))).unwrap();
    wait(one.keeper.command(|| resume(&one.canary))).unwrap();
    for _ in 0..20 {
        world.go_round(&[&one]);
    }
    assert_eq!(world.steps()[0].number, 3);
}

#[derive(Clone, Debug)]
enum Act {
    Command(usize, usize),
    Turn(usize),
    LosesAnswer(usize),
    Restart(usize),
    Outage(usize),
    Lose,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let process = 0..3_usize;
    let act = prop_oneof![
        4 => (process.clone(), 0..7_usize).prop_map(|(process, command)| Act::Command(process, command)),
        6 => process.clone().prop_map(Act::Turn),
        1 => process.clone().prop_map(Act::LosesAnswer),
        1 => process.clone().prop_map(Act::Restart),
        1 => process.prop_map(Act::Outage),
        1 => Just(Act::Lose),
    ];
    proptest::collection::vec(act, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever was commanded where, and whatever failed: in the end all are at the same step, and
    /// propose nothing more.
    #[test]
    fn all_processes_come_to_the_same_step(acts in acts()) {
        let world = World::new();
        let stores: [Arc<OddStore>; 3] = std::array::from_fn(|_| Arc::new(OddStore::over(&world.store)));
        let start = |number: usize| world.rolling_with(with_candidate(), Arc::clone(&stores[number]));
        let mut processes = vec![start(0)];
        processes[0].turn();
        processes.extend([start(1), start(2)]);
        let readmit = |canary: &CanaryPolicy| canary.readmit(canary.status().revision, "ada", "well");
        for act in acts {
            world.clock.advance(seconds(1));
            match act {
                Act::Command(process, command) => {
                    let canary = &processes[process].canary;
                    let _ = match command {
                        0 => pause(canary),
                        1 => resume(canary),
                        2 => hold(canary),
                        3 => approve(canary),
                        4 => promote(canary),
                        5 => abort(canary),
                        _ => readmit(canary),
                    };
                }
                Act::Turn(process) => {
                    world.clock.advance(seconds(5));
                    processes[process].turn();
                }
                Act::LosesAnswer(process) => {
                    let loses = &stores[process].loses_answers;
                    loses.store(true, Ordering::Relaxed);
                    world.clock.advance(seconds(5));
                    processes[process].turn();
                    loses.store(false, Ordering::Relaxed);
                }
                Act::Restart(process) => {
                    // Not at once after a loss: nobody has what only it had.
                    processes[process].turn();
                    processes[process] = start(process);
                    processes[process].pipeline.tick();
                }
                Act::Outage(process) => {
                    world.store.fail(StoreFault::Unavailable, "a test");
                    world.clock.advance(seconds(5));
                    processes[process].turn();
                    world.store.repair();
                }
                Act::Lose => world.store.lose(),
            }
        }
        let all: Vec<_> = processes.iter().collect();
        for _ in 0..10 {
            world.go_round(&all);
        }
        let seen = processes[0].seen();
        for process in &processes {
            prop_assert_eq!(process.seen(), seen);
        }
        let agreed = world.steps();
        for _ in 0..3 {
            world.go_round(&all);
        }
        prop_assert_eq!(world.steps(), agreed);
    }
}
