//! What a drift monitor does for a document with ten fields.
//!
//! Ids are `drift/observe/<segments>`: with one document type, and with 1,000 in turn.

#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "a bench may fail to start"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use fusebox::call::{Outcome, Signal};
use fusebox::event::Outbox;
use fusebox::guard::Cx;
use fusebox::{Call, ConfidenceDriftMonitor, Guard, LineUp, Report, Ticket, Timestamp, Version};

const FIELDS: usize = 10;
/// Three documents in a bucket of five minutes.
const GAP: u64 = 100_000;

/// The confidences that a language model gives.
const SCORES: [f64; 8] = [0.95, 0.9, 0.99, 0.85, 0.98, 0.92, 1.0, 0.8];

fn answer(nth: usize) -> Signal {
    let scores = SCORES.iter().cycle().skip(nth).take(FIELDS);
    let report = scores
        .enumerate()
        .fold(Report::new(), |report, (n, score)| {
            report.confidence(format!("field-{n}"), *score)
        });
    Signal::Settled {
        outcome: Outcome::Accepted,
        report,
    }
}

/// Documents of `types` types in turn, after a baseline was measured for each.
fn observe(bencher: &mut Bencher<'_>, types: usize) {
    let line_up = LineUp::new(Version::new("v7", "gpt-4o").expect("names"));
    let (outbox, guard) = (Outbox::new(), ConfidenceDriftMonitor::default());
    let tickets: Vec<_> = (0..types)
        .map(|n| Call::new("inv-1", format!("type-{n}")).expect("names"))
        .map(|call| Ticket::new(&call, line_up.stable()))
        .collect();
    let answers: Vec<_> = (0..SCORES.len()).map(answer).collect();
    let gap = GAP / types as u64;
    let mut at = 0;
    let mut next = || {
        let nth = usize::try_from(at).unwrap_or(0);
        let cx = Cx::new(Timestamp::from_millis(at * gap), &line_up, &outbox, "drift");
        let (ticket, answer) = (
            tickets.get(nth % types),
            answers.get(nth / types % SCORES.len()),
        );
        if let (Some(ticket), Some(answer)) = (ticket, answer) {
            guard.observe(black_box(ticket), black_box(answer), &cx);
        }
        at += 1;
    };
    (0..120 * types).for_each(|_| next());
    bencher.iter(next);
}

fn drift(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("drift/observe");
    for types in [1, 1_000] {
        group.bench_function((types * FIELDS).to_string(), |bencher| {
            observe(bencher, types)
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = drift
}
criterion_main!(benches);
