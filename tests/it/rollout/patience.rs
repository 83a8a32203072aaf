//! How long a stage waits, and what still decides after it has asked a person.

use fusebox::event::RolloutEvent;
use fusebox::rollout::{Denominator, HoldReason, RolloutState};
use fusebox::{CanaryPolicy, Event, EventKind, LineUp, Ratio, Role};

use super::{
    answers, busy, correct, experience, experience_of, held, hours, promoted, running, started,
    with_candidate,
};
use crate::support::{Bench, line_up, minutes, version};

/// From 16:00 to 18:00, and from 08:00 on the next days: 50 documents of the candidate in a working
/// day are too few to decide.
#[test]
fn nights_without_documents_wake_nobody() {
    let (bench, canary) = running();
    let mut worked = 0;
    for day in 0..5 {
        let length = if day == 0 { 2 } else { 10 };
        for _ in 0..length {
            assert_eq!(bench.pages(), [], "after {worked} hours of work");
            busy(&bench, hours(1));
            worked += 1;
            if canary.status().state == RolloutState::Escalated {
                // Four times two hours of work.
                assert_eq!((day, worked), (1, 8));
                return;
            }
        }
        bench.tick_after(hours(14));
    }
    panic!("it never asks");
}

/// 6 h after they were given, known from before: nobody is asked while they are on their way.
#[test]
fn corrections_that_are_late_as_always_are_waited_for() {
    let canary = std::sync::Arc::new(CanaryPolicy::default());
    let bench = Bench::with(LineUp::new(version("v7")), |builder| {
        builder.guard(std::sync::Arc::clone(&canary))
    });
    for _ in 0..5 {
        let tickets: Vec<_> = (0..10)
            .map(|_| crate::support::answered(bench.permit("invoice"), fusebox::Report::new()))
            .collect();
        bench.tick_after(hours(20));
        correct(&bench, &tickets, 10);
    }
    bench.pipeline.deploy(with_candidate()).unwrap();
    bench.pipeline.tick();
    let (candidates, stables) = answers(&bench, "invoice", 900, 17_100);
    correct(&bench, &stables, 200);
    correct(&bench, &candidates, 10);
    busy(&bench, hours(18));
    assert_eq!(held(&canary), Some(HoldReason::Immature));
    assert_eq!(bench.pages(), []);
    correct(&bench, &stables, 513);
    correct(&bench, &candidates, 27);
    busy(&bench, hours(10));
    assert_eq!(canary.status().stage, 2, "{}", canary.status());
}

#[test]
fn after_an_escalation_clear_evidence_still_promotes_and_says_so() {
    let (bench, canary) = running();
    experience(&bench, (0, 100), (0, 1_900));
    busy(&bench, hours(8));
    assert_eq!(canary.status().state, RolloutState::Escalated);
    assert_eq!(bench.pages().len(), 1);
    experience(&bench, (30, 1_000), (570, 19_000));
    bench.tick_after(minutes(1));
    bench.tick_after(minutes(1));
    assert_eq!(
        (canary.status().state, canary.status().stage),
        (RolloutState::Running, 2)
    );
    let events = bench.events();
    let is_start = |event: &&Event| {
        matches!(
            event.kind,
            EventKind::Rollout(RolloutEvent::StageStarted { stage: 2, .. })
        )
    };
    assert_eq!(events.iter().filter(is_start).count(), 1, "{events:?}");
    assert!(bench.pipeline.incidents().is_empty(), "it has ended");
}

/// 1,000 reviewed and wrong of 1,000 looks like 100 of 100, which is no comparison.
#[test]
fn without_reviews_of_both_versions_no_stage_ends() {
    let reviewed = CanaryPolicy::builder().stage(Ratio::percent(5), hours(2));
    let reviewed = reviewed.denominator(Denominator::Reviewed).build().unwrap();
    let (bench, canary) = started(reviewed);
    experience(&bench, (357, 1_000), (2_114, 19_000));
    bench.tick_after(hours(2));
    assert_eq!(held(&canary), Some(HoldReason::NoReviews));
    let (candidates, stables) = answers(&bench, "invoice", 1, 1);
    bench
        .pipeline
        .observe(&stables[0], fusebox::Feedback::Reviewed);
    bench.tick_after(minutes(1));
    assert_eq!(held(&canary), Some(HoldReason::NoReviews), "of one alone");
    bench
        .pipeline
        .observe(&candidates[0], fusebox::Feedback::Reviewed);
    bench.tick_after(minutes(1));
    assert_ne!(held(&canary), Some(HoldReason::NoReviews));
}

/// Reviewers look at all of the candidate's answers and at a third of production's, and say so: of
/// what they look at, as much is wrong.
#[test]
fn what_is_looked_at_more_often_is_not_worse() {
    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    for ticket in candidates.iter().chain(&stables[..6_000]) {
        bench.pipeline.observe(ticket, fusebox::Feedback::Reviewed);
    }
    correct(&bench, &stables, 180);
    correct(&bench, &candidates, 30);
    let status = canary.status();
    assert!((status.evidence.ratio.unwrap() - 1.0).abs() < 1e-12);
    assert!(!status.findings.equal_review_assumed);
    bench.tick_after(hours(2));
    assert_eq!(canary.status().stage, 2);
}

/// Together they are fine, but one type is corrected more often, not beyond doubt.
#[test]
fn a_type_that_looks_worse_holds_the_stage() {
    let (bench, canary) = running();
    experience_of(&bench, "invoice", (30, 1_000), (570, 19_000));
    experience_of(&bench, "contract", (8, 100), (76, 1_900));
    bench.tick_after(hours(2));
    let status = canary.status();
    assert_eq!(held(&canary), Some(HoldReason::Unclear), "{status}");
    let name = status.findings.document_type;
    assert_eq!(name.unwrap().as_str(), "contract");
    assert!(status.evidence.p_exceeds < 0.05);
}

#[test]
fn what_was_rolled_back_says_so_when_it_is_deployed_again_and_can_be_readmitted() {
    let (bench, canary) = running();
    experience(&bench, (60, 1_000), (570, 19_000));
    assert_eq!(canary.status().state, RolloutState::RolledBack);
    bench.pipeline.deploy(line_up()).unwrap();
    bench.pipeline.tick();
    bench.events();
    bench.pipeline.deploy(with_candidate()).unwrap();
    bench.pipeline.tick();
    let events = bench.events();
    let is_barred = |event: &Event| {
        matches!(
            &event.kind,
            EventKind::Rollout(RolloutEvent::CandidateBarred { candidate }) if *candidate == "v8"
        )
    };
    assert!(events.iter().any(is_barred), "{events:?}");
    assert_eq!(answers(&bench, "invoice", 0, 100).0.len(), 0);

    let revision = canary.status().revision;
    canary
        .readmit(revision, "ada", "the review tool was broken")
        .unwrap();
    let status = canary.status();
    assert_eq!((status.state, status.stage), (RolloutState::Running, 1));
    assert_eq!(status.evidence.candidate.documents, 0, "it starts over");
    answers(&bench, "invoice", 10, 0);
    bench.pipeline.deploy(line_up()).unwrap();
    bench.pipeline.tick();
    bench.pipeline.deploy(with_candidate()).unwrap();
    bench.pipeline.tick();
    assert_eq!(canary.status().state, RolloutState::Running, "for good");
    let revision = canary.status().revision;
    let refused = canary.readmit(revision, "ada", "again").unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("a candidate that was taken out of service"),
        "{text}"
    );
}

/// The candidate becomes production an hour after its promotion, and what people correct of its
/// earlier answers is still told.
#[test]
fn the_watch_goes_on_when_the_candidate_becomes_production() {
    let (bench, canary, late) = promoted();
    let next = LineUp::new(version("v8")).with_previous(version("v7"));
    bench.pipeline.deploy(next).unwrap();
    bench.tick_after(hours(1));
    bench.events();
    correct(&bench, &late, 200);
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Rollout(RolloutEvent::FoundWorse { .. })]
        ),
        "{pages:?}"
    );
    let permit = bench.permit("invoice");
    assert_eq!(permit.ticket().version().as_str(), "v8");
    assert_eq!(permit.release().role(), Role::Stable);
    let revision = canary.status().revision;
    let refused = canary.abort(revision, "ada", "it is worse").unwrap_err();
    assert!(refused.to_string().contains("deploy another"), "{refused}");
}
