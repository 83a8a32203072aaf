//! What people say of answers: late, more than once, in batches, taken back, or not at all.

use std::sync::Arc;
use std::time::Duration;

use fusebox::Feedback;
use fusebox::event::RolloutEvent;
use fusebox::name::CorrectionId;
use fusebox::pipeline::Snapshot;
use fusebox::rollout::{CanaryPolicyBuilder, Denominator, HoldReason, NotCounted, RolloutState};
use fusebox::{CanaryPolicy, Correction, Event, EventKind, Field, LineUp, Ratio, Role, Ticket};

use super::{answers, correct, held, hours, started, with_candidate};
use crate::operator::{hold, pause, promote, resume};
use crate::support::{Bench, answered, line_up, minutes, version};

fn field(name: &str) -> Field {
    Field::new(name).unwrap()
}

fn total() -> Correction {
    Correction::new(field("total"))
}

fn id(id: &str) -> Correction {
    total().with_id(CorrectionId::new(id).unwrap())
}

fn stages() -> CanaryPolicyBuilder {
    CanaryPolicy::builder()
        .stage(Ratio::percent(5), hours(2))
        .stage(Ratio::percent(25), hours(4))
}

fn running() -> (Bench, Arc<CanaryPolicy>) {
    started(stages().build().unwrap())
}

/// Corrected answers of the candidate.
fn corrected(canary: &CanaryPolicy) -> u64 {
    canary.status().evidence.candidate.events
}

fn say(bench: &Bench, ticket: &Ticket, correction: &Correction) {
    let feedback = Feedback::corrected(correction.clone());
    bench.pipeline.observe(ticket, feedback);
}

fn take_back(bench: &Bench, ticket: &Ticket, correction: &Correction) {
    let feedback = Feedback::retracted(correction.clone());
    bench.pipeline.observe(ticket, feedback);
}

fn review(bench: &Bench, tickets: &[Ticket]) {
    for ticket in tickets {
        bench.pipeline.observe(ticket, Feedback::Reviewed);
    }
}

fn not_counted(events: &[Event]) -> Vec<NotCounted> {
    let reasons = events.iter().filter_map(|event| match event.kind {
        EventKind::Rollout(RolloutEvent::CorrectionNotCounted { reason, .. }) => Some(reason),
        _ => None,
    });
    reasons.collect()
}

#[test]
fn a_document_is_corrected_until_all_its_corrections_are_taken_back() {
    let (bench, canary) = running();
    let (candidates, _) = answers(&bench, "invoice", 10, 10);
    let vendor = Correction::new(field("vendor"));
    for correction in [&id("1"), &id("1"), &id("2"), &total(), &vendor] {
        say(&bench, &candidates[0], correction);
    }
    assert_eq!(corrected(&canary), 1);
    for correction in [&id("1"), &id("2"), &total()] {
        take_back(&bench, &candidates[0], correction);
        assert_eq!(corrected(&canary), 1);
    }
    take_back(&bench, &candidates[0], &vendor);
    assert_eq!(corrected(&canary), 0);
    say(&bench, &candidates[0], &vendor);
    assert_eq!(corrected(&canary), 1, "and again");
}

#[test]
fn corrections_that_are_taken_back_let_a_stage_end() {
    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    correct(&bench, &stables, 570);
    correct(&bench, &candidates, 42);
    bench.tick_after(hours(2));
    assert_eq!(held(&canary), Some(HoldReason::Unclear));
    for ticket in &candidates[..12] {
        take_back(&bench, ticket, &total());
    }
    bench.pipeline.tick();
    assert_eq!(canary.status().stage, 2);
}

#[test]
fn what_cannot_be_counted_is_counted_as_that_and_told_once() {
    let (bench, canary) = running();
    let (candidates, _) = answers(&bench, "invoice", 3, 3);
    bench.events();
    take_back(&bench, &candidates[0], &total());
    take_back(&bench, &candidates[1], &total());
    let before_its_answer = bench.permit("contract");
    say(&bench, before_its_answer.ticket(), &total());
    answered(before_its_answer, fusebox::Report::new());
    bench.pipeline.deploy(line_up()).unwrap();
    bench.pipeline.tick();
    let without_a_rollout = answered(bench.permit("invoice"), fusebox::Report::new());
    bench.pipeline.deploy(with_candidate()).unwrap();
    bench.pipeline.tick();
    assert_eq!(canary.status().not_counted.len(), 0, "another rollout");
    say(&bench, &without_a_rollout, &total());
    bench
        .pipeline
        .observe(&without_a_rollout, Feedback::Reviewed);
    assert_eq!(
        not_counted(&bench.events()),
        [
            NotCounted::NothingToRetract,
            NotCounted::NoAnswer,
            NotCounted::NotCompared
        ]
    );
    assert_eq!(canary.status().not_counted[&NotCounted::NotCompared], 2);
}

#[test]
fn a_correction_that_came_too_early_counts_when_it_is_told_again() {
    let (bench, canary) = running();
    let permit = bench.permit("contract");
    let early = permit.ticket().clone();
    say(&bench, &early, &total());
    let seen = |canary: &CanaryPolicy| {
        let evidence = canary.status().evidence;
        evidence.candidate.events + evidence.stable.events
    };
    assert_eq!(seen(&canary), 0);
    answered(permit, fusebox::Report::new());
    say(&bench, &early, &total());
    assert_eq!(seen(&canary), 1);
}

/// The candidate is looked at twice as often; of what is looked at, people correct as much.
#[test]
fn of_reviews_by_sample_only_what_was_looked_at_counts() {
    let (bench, canary) = started(stages().denominator(Denominator::Reviewed).build().unwrap());
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    review(&bench, &stables[..1_900]);
    review(&bench, &candidates[..200]);
    review(&bench, &candidates[..200]);
    correct(&bench, &stables, 190);
    correct(&bench, &candidates, 20);
    let status = canary.status();
    assert_eq!(status.evidence.candidate.documents, 200);
    assert_eq!(status.evidence.stable.documents, 1_900);
    assert!((status.evidence.ratio.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(status.state, RolloutState::Running);

    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    correct(&bench, &stables, 190);
    correct(&bench, &candidates, 20);
    let ratio = canary.status().evidence.ratio.unwrap();
    assert!((ratio - 2.0).abs() < 1e-12, "of all answers: {ratio}");
}

#[test]
fn a_corrected_answer_was_looked_at() {
    let (bench, canary) = started(stages().denominator(Denominator::Reviewed).build().unwrap());
    let (candidates, _) = answers(&bench, "invoice", 10, 10);
    correct(&bench, &candidates, 4);
    review(&bench, &candidates[..6]);
    let tally = canary.status().evidence.candidate;
    assert_eq!((tally.events, tally.documents), (4, 6));
}

#[test]
fn all_documents_can_be_what_corrections_are_divided_by() {
    let (bench, canary) = started(
        stages()
            .denominator(Denominator::Processed)
            .build()
            .unwrap(),
    );
    answers(&bench, "invoice", 10, 10);
    let before = canary.status().evidence;
    let mut failed = (0, 0);
    for _ in 0..200 {
        let permit = bench.permit("invoice");
        match permit.ticket().role() {
            Role::Candidate => failed.0 += 1,
            _ => failed.1 += 1,
        }
        permit.fail(fusebox::FailureKind::Refusal);
    }
    let after = canary.status().evidence;
    assert_eq!(
        (
            after.candidate.documents - before.candidate.documents,
            after.stable.documents - before.stable.documents
        ),
        failed
    );
}

/// A service whose reviewers take so long: before the candidate comes, it serves and is corrected.
fn reviewers(delay: Duration) -> (Bench, Arc<CanaryPolicy>) {
    reviewers_of(LineUp::new(version("v7")), delay)
}

fn reviewers_of(before: LineUp, delay: Duration) -> (Bench, Arc<CanaryPolicy>) {
    let canary = Arc::new(CanaryPolicy::default());
    let bench = Bench::with(before, |builder| builder.guard(Arc::clone(&canary)));
    for _ in 0..8 {
        let tickets: Vec<_> = (0..10)
            .map(|_| answered(bench.permit("invoice"), fusebox::Report::new()))
            .collect();
        bench.tick_after(delay);
        correct(&bench, &tickets, 10);
    }
    bench.pipeline.deploy(with_candidate()).unwrap();
    bench.pipeline.tick();
    (bench, canary)
}

#[test]
fn no_stage_ends_while_most_corrections_are_still_to_come() {
    most_come_after_six_hours(reviewers(hours(6)));
}

#[test]
fn what_one_rollout_learnt_of_delays_holds_for_the_next() {
    let before = line_up().with_candidate(version("v9"));
    most_come_after_six_hours(reviewers_of(before, hours(6)));
}

/// A few corrections come at once, enough of them to tell; most come after six hours.
fn most_come_after_six_hours((bench, canary): (Bench, Arc<CanaryPolicy>)) {
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    correct(&bench, &stables, 114);
    bench.tick_after(hours(2));
    assert!(canary.status().evidence.information > 3.0);
    assert_eq!(held(&canary), Some(HoldReason::Immature));
    assert!(canary.status().findings.maturity.least() < 0.5);
    bench.tick_after(hours(4));
    correct(&bench, &stables, 570);
    correct(&bench, &candidates, 30);
    bench.tick_after(hours(1));
    assert_eq!(canary.status().stage, 2);
}

/// Reviewers take 20 minutes. Answers of the last half hour are a quarter of an hour old in the
/// mean.
#[test]
fn answers_are_as_old_as_they_are_in_the_mean() {
    let (bench, canary) = reviewers(minutes(20));
    bench.tick_after(minutes(95));
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    correct(&bench, &stables, 570);
    correct(&bench, &candidates, 30);
    bench.tick_after(minutes(25));
    assert_eq!(held(&canary), Some(HoldReason::Immature));
    bench.tick_after(minutes(15));
    assert_eq!(canary.status().stage, 2);
}

/// Nothing is known of the reviewers, who have only just begun.
#[test]
fn delays_that_are_not_known_yet_are_taken_for_long() {
    let (bench, canary) = running();
    let (_, stables) = answers(&bench, "invoice", 1_000, 19_000);
    bench.tick_after(minutes(110));
    correct(&bench, &stables, 114);
    bench.tick_after(minutes(10));
    assert_eq!(held(&canary), Some(HoldReason::Immature));
    assert!(canary.status().findings.maturity.least() < 0.01);
}

#[test]
fn when_all_is_looked_at_nothing_is_to_come() {
    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    bench.tick_after(minutes(110));
    correct(&bench, &stables, 570);
    correct(&bench, &candidates, 30);
    review(&bench, &stables);
    review(&bench, &candidates);
    bench.tick_after(minutes(10));
    assert_eq!(canary.status().stage, 2);
}

/// All of the candidate's answers are looked at before any of production's.
#[test]
fn what_nobody_has_looked_at_is_not_right_for_that() {
    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    review(&bench, &candidates);
    correct(&bench, &candidates, 30);
    let status = canary.status();
    assert_eq!(status.state, RolloutState::Running, "{status}");
    assert!(
        status.evidence.information.abs() < 1e-12,
        "nothing to compare"
    );
    bench.tick_after(hours(2));
    assert_eq!(held(&canary), Some(HoldReason::NoReviews));
    bench.tick_after(minutes(10));
    review(&bench, &stables);
    correct(&bench, &stables, 570);
    bench.tick_after(minutes(1));
    assert_eq!(canary.status().evidence.candidate.documents, 1_000);
    assert_eq!(canary.status().stage, 2);
}

#[test]
fn a_candidate_with_another_share_than_planned_is_not_promoted() {
    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 13_000);
    correct(&bench, &stables, 390);
    correct(&bench, &candidates, 30);
    bench.tick_after(hours(2));
    assert_eq!(held(&canary), Some(HoldReason::SplitBroken));
    assert_eq!(canary.status().stage, 1);
}

/// 17 of 120 where 6 are expected: the chi-square test is for counts of eight and more.
#[test]
fn a_few_documents_say_nothing_of_the_split() {
    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 17, 103);
    correct(&bench, &stables, 72);
    correct(&bench, &candidates, 12);
    bench.tick_after(hours(2));
    assert_eq!(canary.status().stage, 2);
}

#[test]
fn a_broken_split_masks_no_candidate_that_is_worse() {
    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 13_000);
    correct(&bench, &stables, 390);
    correct(&bench, &candidates, 70);
    assert_eq!(canary.status().state, RolloutState::RolledBack);
}

#[test]
fn what_was_said_is_known_after_a_restart() {
    let (bench, _canary) = running();
    let (candidates, _) = answers(&bench, "invoice", 10, 10);
    say(&bench, &candidates[0], &id("1"));
    say(&bench, &candidates[1], &total());
    let stored = serde_json::to_string(&bench.pipeline.snapshot().unwrap()).unwrap();
    let snapshot: Snapshot = serde_json::from_str(&stored).unwrap();
    let (after, canary) = running();
    after.pipeline.restore(&snapshot).unwrap();
    say(&after, &candidates[0], &id("1"));
    say(&after, &candidates[1], &total());
    assert_eq!(corrected(&canary), 2);
    take_back(&after, &candidates[0], &id("1"));
    assert_eq!(corrected(&canary), 1);
}

#[test]
fn counts_that_cannot_be_are_refused() {
    let (bench, canary) = running();
    let (candidates, _) = answers(&bench, "invoice", 10, 10);
    say(&bench, &candidates[0], &total());
    let good = serde_json::to_value(bench.pipeline.snapshot().unwrap()).unwrap();
    for (name, value) in [("corrected", 11), ("looked_at", 11), ("answered", 11)] {
        let mut bad = good.clone();
        let arm =
            &mut bad["guards"]["canary"]["trial"]["by_type"][0][0][1]["stages"][0]["candidate"];
        assert_eq!(arm["answered"], 10);
        arm[name] = value.into();
        let error = bench
            .pipeline
            .restore(&serde_json::from_value(bad).unwrap())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "state of `canary`: the counts of type invoice contradict each other (corrected, reviewed, answered, processed)"
        );
    }
    assert_eq!(corrected(&canary), 1, "the guard is as it was");
}

#[test]
fn the_next_look_is_when_something_is_decided() {
    let (bench, canary) = running();
    let begun = bench.pipeline.snapshot().unwrap().at();
    let next = || canary.status().findings.next_evaluation;
    pause(&canary).unwrap();
    assert_eq!(next(), None, "a person must act");
    resume(&canary).unwrap();
    hold(&canary).unwrap();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    correct(&bench, &stables, 570);
    correct(&bench, &candidates, 30);
    bench.tick_after(hours(2));
    assert_eq!(held(&canary), Some(HoldReason::Approval));
    assert_eq!(next(), Some(begun + hours(8)), "then it asks more loudly");
    promote(&canary).unwrap();
    promote(&canary).unwrap();
    let watched = begun + hours(2 + 24);
    assert_eq!(
        (canary.status().state, next()),
        (RolloutState::Promoted, Some(watched))
    );
    bench.tick_after(hours(24));
    assert_eq!(next(), None);
}

#[test]
fn a_hold_says_why_and_when_it_ends() {
    let (bench, canary) = running();
    bench.events();
    let begun = bench.pipeline.snapshot().unwrap().at();
    assert_eq!(
        canary.status().findings.next_evaluation,
        Some(begun + hours(2)),
        "not due"
    );
    bench.tick_after(hours(2));
    bench.tick_after(hours(1));
    let events = bench.events();
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    let EventKind::Rollout(RolloutEvent::RolloutHolds {
        reason, findings, ..
    }) = &event.kind
    else {
        panic!("{event}")
    };
    assert_eq!(*reason, HoldReason::NoEvidence);
    assert_eq!(findings.next_evaluation, Some(begun + hours(8)));
    assert!(
        event
            .to_string()
            .contains("v8 holds at stage 1: too few corrections to decide; corrected 0 of 0"),
        "{event}"
    );
    assert_eq!(
        canary.status().to_string(),
        "v8 running at stage 1 with 5 %, hold: too few corrections to decide; corrected 0 of 0, \
         production 0 of 0, no ratio yet (e-value 1.000, 34.0 % likely above the limit); limit 1.50; \
         0 % of expected corrections in, if both versions are reviewed alike; next evaluation at \
         2026-03-14T05:00:00.000Z"
    );
}
