//! What reviewers find says whether a drift is real.

use fusebox::drift::DriftCorrections;
use fusebox::event::DriftEvent;
use fusebox::{EventKind, Feedback, Field, Severity, Ticket};

use super::{Bench, with_baseline};
use crate::operator::resolve;
use crate::support::minutes;

/// Answers with this score, as many with a correction as `corrected`.
fn review(bench: &Bench, score: f64, documents: u64, corrected: u64) -> Vec<Ticket> {
    let tickets: Vec<_> = (0..documents)
        .map(|n| {
            let call = fusebox::Call::new(format!("{score}-{n}"), "invoice").unwrap();
            let report = fusebox::Report::new().confidence("total", score);
            let permit = bench.pipeline.admit(&call).permit().unwrap();
            permit.answer(report).ticket().clone()
        })
        .collect();
    let total = || Field::new("total").unwrap();
    for (n, ticket) in tickets.iter().enumerate() {
        if (n as u64) < corrected {
            bench.pipeline.observe(ticket, Feedback::corrected(total()));
        }
        bench.pipeline.observe(ticket, Feedback::Reviewed);
        bench.pipeline.observe(ticket, Feedback::Reviewed);
    }
    tickets
}

fn drifted(reviewed: u64, corrected: u64) -> Bench {
    let bench = Bench::new(with_baseline(0.90));
    review(&bench, 0.90, reviewed, corrected);
    bench.clock.advance(minutes(300));
    bench.totals(0.84, 30);
    bench.clock.advance(minutes(1));
    bench.pipeline.tick();
    bench.sink.take();
    bench
}

fn said(bench: &Bench) -> Vec<(bool, Severity)> {
    bench.pipeline.tick();
    let events = bench.sink.take().into_iter();
    let of_reviews = events.filter_map(|event| match event.kind {
        EventKind::Drift(DriftEvent::DriftReviewed { confirmed, .. }) => {
            Some((confirmed, event.severity))
        }
        _ => None,
    });
    of_reviews.collect()
}

fn corrections(bench: &Bench) -> DriftCorrections {
    bench.drift.status("invoice", "total").corrections
}

/// Wilson's intervals (95 %, by hand from the formula): 4 of 200 has 0.78 to 5.03 %; 3 of 30 has
/// 3.46 to 25.6 %, which meets it; 5 of 30 has 7.34 to 33.6 %, which does not.
#[test]
fn corrections_confirm_a_drift_when_they_are_more_than_before() {
    for (corrected, expected) in [(3, None), (5, Some((true, Severity::Warning)))] {
        let bench = drifted(200, 4);
        review(&bench, 0.84, 30, corrected);
        assert_eq!(said(&bench), Vec::from_iter(expected), "{corrected}");
        let found = corrections(&bench);
        assert_eq!((found.reviewed_before, found.corrected_before), (200, 4));
        assert_eq!(
            (found.reviewed_since, found.corrected_since),
            (30, corrected)
        );
        assert_eq!(said(&bench), [], "once");
        let later = bench.restarted(with_baseline(0.90));
        assert_eq!(corrections(&later), found, "after a restart");
        assert_eq!(said(&later), []);
    }
}

#[test]
fn a_hundred_reviewed_documents_do_not_confirm_it() {
    let bench = drifted(200, 4);
    review(&bench, 0.841, 99, 2);
    assert_eq!(said(&bench), []);
    review(&bench, 0.842, 1, 0);
    assert_eq!(said(&bench), [(false, Severity::Info)]);
    assert_eq!(corrections(&bench).confirm(), Some(false));
    review(&bench, 0.843, 60, 40);
    assert_eq!(said(&bench), [(true, Severity::Warning)], "it has changed");
}

#[test]
fn too_few_reviews_say_nothing() {
    let bench = drifted(29, 0);
    review(&bench, 0.84, 200, 150);
    assert_eq!(said(&bench), []);
    assert_eq!(corrections(&bench).confirm(), None);
}

#[test]
fn a_correction_of_an_earlier_answer_says_nothing_of_the_drift() {
    let bench = Bench::new(with_baseline(0.90));
    let early = review(&bench, 0.90, 50, 0);
    bench.clock.advance(minutes(300));
    bench.totals(0.84, 30);
    bench.clock.advance(minutes(1));
    let total = Field::new("total").unwrap();
    bench
        .pipeline
        .observe(&early[0], Feedback::corrected(total.clone()));
    let found = corrections(&bench);
    assert_eq!((found.corrected_before, found.corrected_since), (1, 0));
    bench
        .pipeline
        .observe(&early[0], Feedback::corrected(total.clone()));
    assert_eq!(corrections(&bench), found, "counts once");
    bench
        .pipeline
        .observe(&early[0], Feedback::retracted(total.clone()));
    bench
        .pipeline
        .observe(&early[0], Feedback::retracted(total));
    assert_eq!(corrections(&bench).corrected_before, 0);
}

/// What was found since a drift began belongs to the time before the next.
#[test]
fn a_resolved_drift_settles_its_corrections() {
    let bench = drifted(100, 1);
    review(&bench, 0.84, 40, 20);
    assert_eq!(said(&bench).len(), 1);
    resolve(&bench.drift, "invoice", "total").unwrap();
    bench.pipeline.tick();
    let found = corrections(&bench);
    assert_eq!((found.reviewed_before, found.corrected_before), (140, 21));
    assert_eq!((found.reviewed_since, found.corrected_since), (0, 0));
}
