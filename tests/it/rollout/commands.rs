//! What a person can tell a rollout: in every state, over a restart, and with the time it should
//! have.

use std::sync::Arc;

use fusebox::event::RolloutEvent;
use fusebox::pipeline::Snapshot;
use fusebox::rollout::{CanaryPolicyBuilder, HoldReason, RolloutCommand, RolloutState};
use fusebox::{CanaryPolicy, Error, ErrorKind, EventKind, Ratio, Severity};

use super::{
    answers, busy, correct, experience, held, hours, promoted, running, started, with_candidate,
};
use crate::operator::{abort, approve, hold, pause, promote, resume};
use crate::support::{Bench, line_up, minutes, version};

/// Corrections that speak for the candidate, enough for every stage.
fn healthy(bench: &Bench) {
    experience(bench, (30, 1_000), (570, 19_000));
}

type Command = fn(&CanaryPolicy) -> Result<(), Error>;

const COMMANDS: [(&str, Command); 6] = [
    ("promote", promote),
    ("abort", abort),
    ("pause", pause),
    ("resume", resume),
    ("hold", hold),
    ("approve", approve),
];

/// A state, and how a rollout gets there.
type Reached = (&'static str, fn(&Bench, &CanaryPolicy));

const STATES: [Reached; 7] = [
    ("running", |_, _| {}),
    ("running and paused", |_, canary| pause(canary).unwrap()),
    ("held", |_, canary| hold(canary).unwrap()),
    ("escalated", |bench, canary| {
        busy(bench, hours(8));
        assert_eq!(canary.status().state, RolloutState::Escalated);
    }),
    ("promoted", |_, canary| {
        promote(canary).unwrap();
        promote(canary).unwrap();
        assert_eq!(canary.status().state, RolloutState::Promoted);
    }),
    ("aborted", |_, canary| abort(canary).unwrap()),
    ("rolled back", |bench, canary| {
        experience(bench, (60, 1_000), (570, 19_000));
        assert_eq!(canary.status().state, RolloutState::RolledBack);
    }),
];

#[test]
fn a_command_says_what_it_has_changed() {
    let (bench, canary) = running();
    for (_, act) in [
        ("pause", pause as Command),
        ("resume", resume),
        ("hold", hold),
        ("promote", promote),
        ("abort", abort),
    ] {
        act(&canary).unwrap();
    }
    bench.pipeline.tick();
    let events = bench.events().into_iter();
    let changed = events.filter_map(|event| match event.kind {
        EventKind::Rollout(RolloutEvent::RolloutCommanded { before, after, .. }) => {
            Some((before, after))
        }
        _ => None,
    });
    let states = [
        "running at stage 1 with 5 %",
        "running at stage 1 with 5 %, paused",
        "running at stage 1 with 5 %",
        "running at stage 1 with 5 %, held",
        "running at stage 2 with 25 %",
        "aborted at stage 2 with 0 %",
    ];
    let expected = states.iter().zip(&states[1..]);
    let expected: Vec<_> = expected
        .map(|(before, after)| ((*before).to_owned(), (*after).to_owned()))
        .collect();
    assert_eq!(changed.collect::<Vec<_>>(), expected);
}

#[test]
fn every_command_is_legal_in_a_state_or_a_clear_error() {
    let legal = [
        ("running", "promote abort pause hold"),
        ("running and paused", "promote abort resume hold"),
        ("held", "promote abort pause hold approve"),
        ("escalated", "promote abort pause hold"),
        ("promoted", "abort"),
        ("aborted", ""),
        ("rolled back", ""),
    ];
    for ((state, reach), (known, legal)) in STATES.iter().zip(legal) {
        assert_eq!(*state, known);
        for (command, act) in COMMANDS {
            let (bench, canary) = running();
            reach(&bench, &canary);
            let before = canary.status();
            let result = act(&canary);
            let expected = legal.split(' ').any(|name| name == command);
            assert_eq!(
                result.is_ok(),
                expected,
                "{command} while {state}: {result:?}"
            );
            if let Err(error) = result {
                let text = error.to_string();
                let shown = if *state == "held" { "running" } else { state };
                let begin = format!("canary {command}: got `{shown}`, expected a ");
                assert!(text.starts_with(&begin), "{text}");
                assert_eq!(canary.status(), before, "nothing is changed");
            }
        }
    }
}

#[test]
fn without_a_rollout_every_command_is_an_error() {
    let canary = Arc::new(CanaryPolicy::default());
    let bench = Bench::with(line_up(), |builder| builder.guard(Arc::clone(&canary)));
    bench.pipeline.tick();
    for (command, act) in COMMANDS {
        let error = act(&canary).unwrap_err().to_string();
        let expected = format!(
            "canary {command}: got `no rollout`, expected a rollout, which starts with the first call or tick after a candidate is deployed"
        );
        assert_eq!(error, expected);
    }
}

#[test]
fn a_pause_makes_the_stage_longer_by_its_length() {
    let (bench, canary) = running();
    healthy(&bench);
    bench.tick_after(hours(1));
    pause(&canary).unwrap();
    bench.tick_after(hours(30));
    let status = canary.status();
    assert_eq!((status.stage, status.paused), (1, true));
    assert_eq!(status.share, Ratio::percent(5));
    assert_eq!(held(&canary), Some(HoldReason::Paused));
    resume(&canary).unwrap();
    bench.tick_after(minutes(59));
    assert_eq!(canary.status().stage, 1);
    assert_eq!(held(&canary), Some(HoldReason::NotDue));
    bench.tick_after(minutes(1));
    assert_eq!(canary.status().stage, 2);
    assert!(!canary.status().paused);
    assert_eq!(bench.pages(), [], "a pause is no reason to ask anybody");
}

#[test]
fn no_pause_masks_a_candidate_that_is_worse() {
    for command in [pause as Command, hold] {
        let (bench, canary) = running();
        command(&canary).unwrap();
        experience(&bench, (60, 1_000), (570, 19_000));
        assert_eq!(canary.status().state, RolloutState::RolledBack);
        assert_eq!(bench.pages().len(), 1);
    }
}

#[test]
fn a_restart_goes_on_with_a_pause() {
    let (before, canary) = running();
    healthy(&before);
    before.tick_after(hours(1));
    pause(&canary).unwrap();
    let snapshot = before.pipeline.snapshot().unwrap();

    let (after, canary) = running();
    after.pipeline.restore(&snapshot).unwrap();
    after.tick_after(hours(9));
    assert_eq!(held(&canary), Some(HoldReason::Paused));
    resume(&canary).unwrap();
    after.tick_after(minutes(59));
    assert_eq!(canary.status().stage, 1, "nine hours down were a pause");
    after.tick_after(minutes(1));
    assert_eq!(canary.status().stage, 2);
}

/// The pause ends with the first word after a restart, before any call.
#[test]
fn a_command_knows_the_time_after_a_restart() {
    let (before, canary) = running();
    healthy(&before);
    before.tick_after(hours(1));
    pause(&canary).unwrap();
    before.tick_after(hours(9));
    let snapshot = before.pipeline.snapshot().unwrap();

    let (after, canary) = running();
    after.pipeline.restore(&snapshot).unwrap();
    resume(&canary).unwrap();
    after.tick_after(minutes(59));
    assert_eq!(canary.status().stage, 1);
    after.tick_after(minutes(1));
    assert_eq!(canary.status().stage, 2);
}

#[test]
fn a_restart_keeps_an_approval_and_what_was_asked() {
    for is_approved in [true, false] {
        let (before, canary) = started(with_approval().build().unwrap());
        healthy(&before);
        before.tick_after(hours(2));
        if is_approved {
            approve(&canary).unwrap();
        }
        let snapshot = before.pipeline.snapshot().unwrap();
        let (after, canary) = started(with_approval().build().unwrap());
        after.pipeline.restore(&snapshot).unwrap();
        after.events();
        after.tick_after(hours(2));
        assert_eq!(canary.status().stage, 1 + u8::from(is_approved));
        let events = after.events();
        let asked = |event: &fusebox::Event| {
            matches!(
                event.kind,
                EventKind::Rollout(RolloutEvent::ApprovalNeeded { .. })
            )
        };
        assert!(!events.iter().any(asked), "it was asked before");
    }
    let (before, canary) = running();
    hold(&canary).unwrap();
    let snapshot = before.pipeline.snapshot().unwrap();
    let (after, canary) = running();
    after.pipeline.restore(&snapshot).unwrap();
    healthy(&after);
    after.tick_after(hours(2));
    assert_eq!(held(&canary), Some(HoldReason::Approval));
}

fn with_approval() -> CanaryPolicyBuilder {
    CanaryPolicy::builder()
        .stage(Ratio::percent(5), hours(2))
        .then_approval()
        .stage(Ratio::percent(25), hours(4))
}

#[test]
fn a_late_approval_gives_the_next_stage_its_full_time() {
    let (bench, canary) = started(with_approval().build().unwrap());
    healthy(&bench);
    bench.tick_after(hours(2));
    assert_eq!(held(&canary), Some(HoldReason::Approval));
    bench.tick_after(hours(5));
    assert_eq!(canary.status().stage, 1);
    let asked = |bench: &Bench| {
        let events = bench.events().into_iter();
        let asked = events.filter(|event| {
            matches!(
                event.kind,
                EventKind::Rollout(RolloutEvent::ApprovalNeeded { .. })
            )
        });
        asked.map(|event| event.severity).collect::<Vec<_>>()
    };
    assert_eq!(asked(&bench), [Severity::Warning], "once");
    approve(&canary).unwrap();
    bench.tick_after(minutes(1));
    assert_eq!(canary.status().stage, 2);
    bench.tick_after(minutes(4 * 60 - 1));
    assert_eq!(canary.status().state, RolloutState::Running);
    bench.tick_after(minutes(1));
    assert_eq!(
        canary.status().state,
        RolloutState::Promoted,
        "no approval here"
    );
}

#[test]
fn an_approval_is_for_one_stage() {
    let (bench, canary) = started(with_approval().then_approval().build().unwrap());
    healthy(&bench);
    approve(&canary).unwrap();
    bench.tick_after(hours(2));
    assert_eq!(canary.status().stage, 2);
    bench.tick_after(hours(4));
    assert_eq!(held(&canary), Some(HoldReason::Approval));
    let events = bench.events();
    let asked = |event: &&fusebox::Event| {
        matches!(
            event.kind,
            EventKind::Rollout(RolloutEvent::ApprovalNeeded { .. })
        )
    };
    assert_eq!(events.iter().filter(asked).count(), 1);
}

#[test]
fn going_on_ends_a_pause() {
    let (bench, canary) = running();
    pause(&canary).unwrap();
    promote(&canary).unwrap();
    let status = canary.status();
    assert_eq!((status.stage, status.paused), (2, false));
    experience(&bench, (30, 1_000), (90, 3_000));
    bench.tick_after(hours(4));
    assert_eq!(canary.status().state, RolloutState::Promoted);
}

#[test]
fn an_approval_does_not_replace_evidence() {
    let (bench, canary) = started(with_approval().build().unwrap());
    approve(&canary).unwrap();
    bench.tick_after(hours(3));
    assert_eq!(canary.status().stage, 1);
    assert_eq!(held(&canary), Some(HoldReason::NoEvidence));
    healthy(&bench);
    bench.tick_after(minutes(5));
    assert_eq!(canary.status().stage, 2);
}

#[test]
fn an_approval_that_nobody_gives_is_a_page() {
    let (bench, canary) = started(with_approval().build().unwrap());
    healthy(&bench);
    busy(&bench, hours(8));
    assert_eq!(canary.status().state, RolloutState::Escalated);
    assert_eq!(bench.pages().len(), 1);
    promote(&canary).unwrap();
    assert_eq!(canary.status().stage, 2, "a person decides");
}

#[test]
fn a_stage_that_is_held_waits_for_an_approval_and_only_that_stage() {
    let (bench, canary) = running();
    healthy(&bench);
    hold(&canary).unwrap();
    bench.tick_after(hours(2));
    assert_eq!(held(&canary), Some(HoldReason::Approval));
    approve(&canary).unwrap();
    hold(&canary).unwrap();
    bench.pipeline.tick();
    assert_eq!(canary.status().stage, 1, "held again");
    approve(&canary).unwrap();
    bench.pipeline.tick();
    assert_eq!(canary.status().stage, 2);
    bench.tick_after(hours(4));
    assert_eq!(canary.status().state, RolloutState::Promoted);
}

/// She looks, the policy promotes by itself, and a second later she promotes: to 25 %, she thinks.
#[test]
fn a_promotion_that_the_policy_has_just_made_is_not_made_twice() {
    let (bench, canary) = running();
    healthy(&bench);
    let seen = canary.status();
    assert_eq!(seen.stage, 1);
    bench.tick_after(hours(2));
    assert_eq!(canary.status().stage, 2, "by itself");
    let refused = canary
        .promote(seen.revision, "ada", "looks fine")
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Outdated);
    assert_eq!(
        refused.to_string(),
        format!(
            "canary promote: meant for revision {}, but it is {} now: v8 running at stage 2 with \
             25 %",
            seen.revision,
            canary.status().revision
        )
    );
    assert_eq!(canary.status().share, Ratio::percent(25));
}

/// Whoever is second learns what the first has done, whatever the two commands are.
#[test]
fn of_two_commands_for_one_revision_the_second_is_refused() {
    for (first, act) in COMMANDS
        .into_iter()
        .filter(|(name, _)| !["resume", "approve"].contains(name))
    {
        let (bench, canary) = running();
        let seen = canary.status().revision;
        act(&canary).unwrap();
        let (who, why) = ("bob", "looks fine");
        for refused in [
            canary.promote(seen, who, why),
            canary.abort(seen, who, why),
            canary.pause(seen, who, why),
            canary.resume(seen, who, why),
            canary.hold(seen, who, why),
            canary.approve(seen, who, why),
        ] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Outdated, "{first}");
        }
        bench.pipeline.tick();
    }
}

/// Ada holds, Bob holds as well with a reason of his own: Ada's approval was not meant for that.
#[test]
fn a_command_that_repeats_another_counts() {
    let (_bench, canary) = running();
    hold(&canary).unwrap();
    let ada = canary.status().revision;
    canary.hold(ada, "bob", "legal says no").unwrap();
    let refused = canary.approve(ada, "ada", "looked at it").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Outdated);
}

#[test]
fn evidence_and_holds_leave_the_revision_and_a_restart_keeps_it() {
    let (bench, canary) = running();
    let seen = canary.status().revision;
    experience(&bench, (3, 100), (57, 1_900));
    bench.tick_after(hours(1));
    assert_eq!(canary.status().stage, 1, "it holds");
    assert_eq!(canary.status().revision, seen);
    pause(&canary).unwrap();
    resume(&canary).unwrap();
    let (after, again) = running();
    after
        .pipeline
        .restore(&bench.pipeline.snapshot().unwrap())
        .unwrap();
    assert_eq!(again.status().revision, canary.status().revision);
    bench.pipeline.deploy(line_up()).unwrap();
    bench.pipeline.tick();
    assert_ne!(canary.status().revision, again.status().revision);
}

#[test]
fn nobody_commands_a_rollout_without_a_name_and_a_reason() {
    let (_bench, canary) = running();
    let seen = canary.status().revision;
    for (who, why, field) in [(" ", "fine", "who"), ("ada", "", "why")] {
        let refused = canary.promote(seen, who, why).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{field}: got `")), "{refused}");
    }
    assert_eq!(canary.status().stage, 1);
}

#[test]
fn a_command_is_told_once_and_survives_a_restart() {
    let (before, canary) = running();
    before.events();
    hold(&canary).unwrap();
    abort(&canary).unwrap();
    assert_eq!(canary.status().state, RolloutState::Aborted, "at once");
    let text = serde_json::to_string(&before.pipeline.snapshot().unwrap()).unwrap();
    let snapshot: Snapshot = serde_json::from_str(&text).unwrap();

    let (after, canary) = running();
    after.events();
    after.pipeline.restore(&snapshot).unwrap();
    assert_eq!(canary.status().state, RolloutState::Aborted);
    after.pipeline.tick();
    after.pipeline.tick();
    let events = after.events();
    let kinds: Vec<_> = events.iter().map(|event| &event.kind).collect();
    let [
        EventKind::Rollout(RolloutEvent::RolloutCommanded {
            command: RolloutCommand::Hold,
            ..
        }),
        EventKind::Rollout(RolloutEvent::RolloutCommanded {
            command: RolloutCommand::Abort,
            ..
        }),
        EventKind::Rollout(RolloutEvent::RolledBack { .. }),
    ] = kinds.as_slice()
    else {
        panic!("{kinds:?}");
    };
    assert!(
        events[0]
            .to_string()
            .ends_with("canary: ada held v8 at stage 1 (looked at it)")
    );
    assert!(
        answers(&after, "invoice", 0, 200).0.is_empty(),
        "nobody is exposed"
    );
}

#[test]
fn late_corrections_roll_back_after_the_promotion_for_a_day() {
    let (bench, canary, late) = promoted();
    bench.tick_after(minutes(24 * 60 - 1));
    correct(&bench, &late, 60);
    assert_eq!(canary.status().state, RolloutState::RolledBack);
    assert_eq!(bench.pages().len(), 1);
    assert_eq!(bench.serving(), "v7");

    let (bench, canary, late) = promoted();
    for _ in 0..24 {
        bench.tick_after(hours(1));
    }
    assert_eq!(bench.events(), [], "it was promoted once");
    correct(&bench, &late, 60);
    correct(&bench, &late, 100);
    bench.tick_after(minutes(1));
    assert_eq!(canary.status().state, RolloutState::Promoted);
    let events = bench.events();
    let [event] = &events[..] else {
        panic!("one event: {events:?}")
    };
    assert_eq!(
        event.severity,
        Severity::Warning,
        "nobody is woken a day later"
    );
    let EventKind::Rollout(RolloutEvent::FoundWorse {
        candidate, stable, ..
    }) = &event.kind
    else {
        panic!("{event}")
    };
    assert_eq!((candidate.as_str(), stable.as_str()), ("v8", "v7"));
    assert_eq!(bench.serving(), "v8", "nothing is taken back");
}

#[test]
fn a_promoted_candidate_can_be_taken_out_and_stays_out() {
    let (bench, canary, _) = promoted();
    abort(&canary).unwrap();
    assert_eq!(bench.serving(), "v7");
    bench.pipeline.deploy(line_up()).unwrap();
    bench.pipeline.tick();
    bench.pipeline.deploy(with_candidate()).unwrap();
    bench.pipeline.tick();
    assert_eq!(canary.status().share, Ratio::ZERO);
}

#[test]
fn a_third_version_takes_the_place_of_the_candidate_and_starts_over() {
    let (bench, canary) = running();
    healthy(&bench);
    bench.tick_after(hours(2));
    hold(&canary).unwrap();
    let third = line_up().with_candidate(version("v9"));
    bench.pipeline.deploy(third).unwrap();
    bench.pipeline.tick();
    let status = canary.status();
    assert_eq!(status.candidate.as_ref().unwrap(), &"v9");
    assert_eq!((status.stage, status.evidence.candidate.documents), (1, 0));
    assert_eq!(held(&canary), Some(HoldReason::NotDue));
    assert!(approve(&canary).is_err(), "what was held is gone");
}
