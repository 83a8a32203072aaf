//! What counts once: a document, a batch, a burst of failures.

use std::time::Duration;

use fusebox::name::BatchKey;
use fusebox::rollout::Evidence;
use fusebox::rollout::{Measure, RolloutState};
use fusebox::{Call, CanaryPolicy, FailureKind, Feedback, Field, Permit, Report, Role, Ticket};

use super::{answers, correct, experience, hours, running};
use crate::support::{Bench, minutes};

fn counted(canary: &CanaryPolicy, measure: Measure) -> (u64, u64) {
    let at_once = canary.status().at_once;
    let found = at_once.iter().find(|evidence| evidence.measure == measure);
    let evidence: &Evidence = found.unwrap();
    (
        evidence.candidate.events + evidence.stable.events,
        evidence.candidate.documents + evidence.stable.documents,
    )
}

fn in_batch(bench: &Bench, document: &str, batch: &str) -> Ticket {
    let call = Call::new(document, "invoice").unwrap();
    let call = call.in_batch(BatchKey::new(batch).unwrap());
    let permit = bench.pipeline.admit(&call).permit().unwrap();
    permit.answer(Report::new()).ticket().clone()
}

fn call(bench: &Bench, document: &str) -> Permit {
    let call = Call::new(document, "invoice").unwrap();
    bench.pipeline.admit(&call).permit().unwrap()
}

/// Names of documents that the candidate serves.
fn of_candidate(bench: &Bench, count: usize) -> Vec<String> {
    let names = (0..).map(|n| format!("document-{n}"));
    let of_candidate = |name: &String| call(bench, name).release().role() == Role::Candidate;
    names.filter(of_candidate).take(count).collect()
}

/// One poisoned document of a hundred, tried four times: 1 of 100.
#[test]
fn a_document_that_is_tried_again_fails_once() {
    let (bench, canary) = running();
    experience(&bench, (0, 99), (0, 1_900));
    let document = of_candidate(&bench, 1).remove(0);
    for _ in 0..4 {
        call(&bench, &document).fail(FailureKind::MalformedOutput);
    }
    assert_eq!(counted(&canary, Measure::Failures), (1, 2_000));
    let answer = call(&bench, &document).answer(Report::new());
    assert_eq!(counted(&canary, Measure::Failures), (1, 2_000));
    assert_eq!(canary.status().evidence.candidate.documents, 100);
    let total = Field::new("total").unwrap();
    bench
        .pipeline
        .observe(answer.ticket(), Feedback::corrected(total));
    assert_eq!(canary.status().evidence.candidate.events, 1);
}

#[test]
fn the_documents_of_a_batch_see_one_version() {
    let (bench, _canary) = running();
    let mut candidates = 0;
    for batch in 0..400 {
        let role = |n| {
            in_batch(
                &bench,
                &format!("{batch}-{n}"),
                &format!("supplier-{batch}"),
            )
            .role()
        };
        let first = role(0);
        assert!((1..5).all(|n| role(n) == first), "batch {batch}");
        candidates += u32::from(first == Role::Candidate);
    }
    // 20 of 400 are expected; four standard deviations of the binomial are 17.
    assert!((3..=37).contains(&candidates), "{candidates}");
}

#[test]
fn a_batch_is_corrected_once() {
    let (bench, canary) = running();
    let of_both = |canary: &CanaryPolicy| {
        let evidence = canary.status().evidence;
        evidence.candidate.events + evidence.stable.events
    };
    let tickets: Vec<_> = (0..20)
        .map(|n| in_batch(&bench, &format!("a-{n}"), "supplier 22"))
        .collect();
    let other = in_batch(&bench, "b", "supplier 23");
    correct(&bench, &tickets, 20);
    assert_eq!(of_both(&canary), 1);
    correct(&bench, std::slice::from_ref(&other), 1);
    assert_eq!(of_both(&canary), 2);
    let total = || Feedback::retracted(Field::new("total").unwrap());
    for ticket in &tickets[..19] {
        bench.pipeline.observe(ticket, total());
    }
    assert_eq!(of_both(&canary), 2, "one of the batch is still wrong");
    bench.pipeline.observe(&tickets[19], total());
    assert_eq!(of_both(&canary), 1);
}

/// A call of the version fails, if it still gets one.
fn fail(bench: &Bench, role: Role, kind: FailureKind) {
    for _ in 0..1_000 {
        let permit = bench.permit("invoice");
        if permit.ticket().role() == role {
            permit.fail(kind);
            return;
        }
        permit.release();
    }
}

/// All calls of the candidate fail for two minutes: one failure. After more than five minutes each
/// of them counts.
#[test]
fn a_burst_of_failures_is_one_failure_until_it_lasts() {
    let (bench, canary) = running();
    answers(&bench, "invoice", 100, 1_900);
    for _ in 0..12 {
        fail(&bench, Role::Candidate, FailureKind::ServerError);
        bench.tick_after(minutes(1) / 6);
    }
    assert_eq!(counted(&canary, Measure::Failures), (1, 2_001));
    answers(&bench, "invoice", 3, 0);
    fail(&bench, Role::Candidate, FailureKind::ServerError);
    assert_eq!(counted(&canary, Measure::Failures), (2, 2_005));
    assert_eq!(canary.status().state, RolloutState::Running);

    let (bench, canary) = running();
    answers(&bench, "invoice", 100, 1_900);
    for _ in 0..40 {
        fail(&bench, Role::Candidate, FailureKind::ServerError);
        bench.tick_after(minutes(1) / 6);
    }
    assert_eq!(canary.status().state, RolloutState::RolledBack, "it lasts");
}

/// In a burst that lasts, each document fails once, however often it was tried meanwhile; one that
/// was answered after all is one document.
#[test]
fn documents_that_are_tried_again_in_a_burst_fail_once() {
    let (bench, canary) = running();
    answers(&bench, "invoice", 1_000, 19_000);
    let documents = of_candidate(&bench, 12);
    let (answered, failing) = documents.split_first().unwrap();
    let fail = |document: &str| {
        call(&bench, document).fail(FailureKind::ServerError);
        bench.tick_after(Duration::from_secs(5));
    };
    for document in failing.iter().chain([answered]) {
        fail(document);
    }
    let _ = call(&bench, answered).answer(Report::new());
    assert_eq!(counted(&canary, Measure::Failures), (1, 20_002));
    for document in failing.iter().cycle().take(6 * failing.len()) {
        fail(document);
    }
    assert_eq!(counted(&canary, Measure::Failures), (12, 20_012));
}

/// A failure that no longer counts takes nothing else with it: a retraction finds the correction of
/// an earlier answer.
#[test]
fn a_burst_leaves_what_else_is_known_of_a_document() {
    let (bench, canary) = running();
    let documents = of_candidate(&bench, 3);
    let answer = call(&bench, &documents[1]).answer(Report::new());
    let total = || Field::new("total").unwrap();
    let observe = |feedback| bench.pipeline.observe(answer.ticket(), feedback);
    observe(Feedback::corrected(total()));
    for document in &documents {
        call(&bench, document).fail(FailureKind::ServerError);
    }
    assert_eq!(counted(&canary, Measure::Failures), (1, 2));
    observe(Feedback::retracted(total()));
    assert_eq!(canary.status().evidence.candidate.events, 0);
    observe(Feedback::Reviewed);
    assert_eq!(
        canary.status().evidence.candidate.documents,
        1,
        "one review"
    );
}

/// What the prompt causes is no burst.
#[test]
fn answers_that_are_no_good_all_count() {
    let (bench, canary) = running();
    answers(&bench, "invoice", 100, 1_900);
    for _ in 0..10 {
        fail(&bench, Role::Candidate, FailureKind::MalformedOutput);
    }
    assert_eq!(canary.status().state, RolloutState::RolledBack);
}

/// A document with many corrections does not make the others mature.
#[test]
fn delays_are_learnt_of_documents() {
    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    for ticket in candidates[..1].iter().chain(&stables[..1]) {
        for n in 0..20 {
            let field = Field::new(format!("field-{n}")).unwrap();
            bench.pipeline.observe(ticket, Feedback::corrected(field));
        }
    }
    bench.tick_after(hours(2));
    let maturity = canary.status().findings.maturity;
    assert!(maturity.least() < 0.01, "{maturity:?}");
}
