//! P4 and P5: a new version is exposed in steps or per document type, and rolled back when it is
//! worse.

use std::sync::Arc;
use std::time::Duration;

use fusebox::Feedback;
use fusebox::rollout::{Decision, HoldReason, RolloutState};
use fusebox::{CanaryPolicy, DocumentType, Field, Guard, LineUp, Report, Role, Ticket};

use crate::support::{Bench, answered, line_up, minutes, version};

mod after_shadow;
mod blue_green;
mod canary;
mod commands;
mod corrections;
mod feasibility;
mod fit;
mod numbering;
mod patience;
mod restart;
mod serving;
#[path = "../../../examples/rollouts/simulation/mod.rs"]
mod simulated;
mod simulation;
mod types;
mod units;
mod whole;

const fn hours(n: u64) -> Duration {
    minutes(60 * n)
}

fn name(text: &str) -> DocumentType {
    DocumentType::new(text).unwrap()
}

fn with_candidate() -> LineUp {
    line_up().with_candidate(version("v8"))
}

/// Lets time pass in which a document comes every half an hour, though nobody answers it.
fn busy(bench: &Bench, time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        let step = left.min(minutes(30));
        left -= step;
        bench.clock.advance(step);
        bench.permit("invoice").release();
        bench.pipeline.tick();
    }
}

/// A pipeline that has begun to expose `v8` as the policy says.
fn started<P: Guard + 'static>(policy: P) -> (Bench, Arc<P>) {
    let policy = Arc::new(policy);
    let bench = Bench::with(with_candidate(), |builder| {
        builder.guard(Arc::clone(&policy))
    });
    bench.pipeline.tick();
    (bench, policy)
}

fn running() -> (Bench, Arc<CanaryPolicy>) {
    started(CanaryPolicy::default())
}

/// So many answers of the candidate and of production; what comes beyond is released.
fn answers(
    bench: &Bench,
    document_type: &str,
    candidate: usize,
    stable: usize,
) -> (Vec<Ticket>, Vec<Ticket>) {
    let (mut candidates, mut stables) = (Vec::new(), Vec::new());
    while candidates.len() < candidate || stables.len() < stable {
        let permit = bench.permit(document_type);
        let (tickets, wanted) = match permit.ticket().role() {
            Role::Candidate => (&mut candidates, candidate),
            _ => (&mut stables, stable),
        };
        if tickets.len() < wanted {
            tickets.push(answered(permit, Report::new()));
        } else {
            permit.release();
        }
    }
    (candidates, stables)
}

fn correct(bench: &Bench, tickets: &[Ticket], n: usize) {
    for ticket in &tickets[..n] {
        bench
            .pipeline
            .observe(ticket, Feedback::corrected(Field::new("total").unwrap()));
    }
}

/// Answers and corrections of invoices: so many corrected of so many, for the candidate and for
/// production.
fn experience(bench: &Bench, candidate: (usize, usize), stable: (usize, usize)) {
    experience_of(bench, "invoice", candidate, stable);
}

fn experience_of(
    bench: &Bench,
    document_type: &str,
    (x, n): (usize, usize),
    (y, m): (usize, usize),
) {
    let (candidates, stables) = answers(bench, document_type, n, m);
    correct(bench, &stables, y);
    correct(bench, &candidates, x);
}

/// Promoted after two stages; 24 hours for what people say of earlier answers.
fn promoted() -> (Bench, Arc<CanaryPolicy>, Vec<Ticket>) {
    let (bench, canary) = running();
    let (candidates, stables) = answers(&bench, "invoice", 1_000, 19_000);
    correct(&bench, &stables, 570);
    correct(&bench, &candidates, 10);
    bench.tick_after(hours(2));
    bench.tick_after(hours(4));
    assert_eq!(canary.status().state, RolloutState::Promoted);
    bench.events();
    (bench, canary, candidates[10..].to_vec())
}

fn held(canary: &CanaryPolicy) -> Option<HoldReason> {
    match canary.status().decision {
        Some(Decision::Hold(reason)) => Some(reason),
        _ => None,
    }
}
