//! What the application may say of a call, and what only the pipeline says: nobody can settle a
//! call twice.

use std::sync::Arc;

use fusebox::breaker::BreakerState;
use fusebox::call::{Comparison, ShadowEnd};
use fusebox::name::CorrectionId;
use fusebox::{Correction, ErrorRateBreaker, FailureKind, Feedback, Field, RouteLedger, VersionId};
use serde_json::json;

use crate::support::{Bench, line_up};

fn total() -> Field {
    Field::new("total").unwrap()
}

/// Ten replays of one failure would trip the breaker, if they could be told.
#[test]
fn the_end_of_a_call_cannot_be_told_again_not_even_from_stored_text() {
    for text in [
        json!({ "settled": { "outcome": { "failed": "server_error" }, "report": { "confidences": [], "usage": null, "failure": null } } }),
        json!("opened"),
        json!({ "opened": {} }),
    ] {
        assert!(serde_json::from_value::<Feedback>(text).is_err());
    }
}

#[test]
fn no_feedback_counts_as_the_end_of_a_call() {
    let (breaker, ledger) = (
        Arc::new(ErrorRateBreaker::default()),
        Arc::new(RouteLedger::default()),
    );
    let bench = Bench::with(line_up(), |builder| {
        builder
            .guard(Arc::clone(&breaker))
            .guard(Arc::clone(&ledger))
    });
    let ticket = bench.permit("invoice").fail(FailureKind::ServerError);
    let open = bench.permit("invoice");
    for _ in 0..10 {
        let failed = ShadowEnd::CandidateFailed(FailureKind::ServerError);
        for feedback in [
            Feedback::corrected(total()),
            Feedback::retracted(total()),
            Feedback::PickedUp,
            Feedback::Reviewed,
            Feedback::compared(VersionId::new("v8").unwrap(), failed),
        ] {
            bench.pipeline.observe(&ticket, feedback.clone());
            bench.pipeline.observe(open.ticket(), feedback);
        }
    }
    assert_eq!(breaker.state(ticket.version()), BreakerState::Closed);
    assert_eq!(breaker.counts(ticket.version()).calls, 1);
    let report = ledger.report();
    assert_eq!((report.total().total(), report.open()), (1, 1));
    open.release();
}

#[test]
fn feedback_is_written_as_people_would_write_it() {
    let correction = Correction::new(total()).with_id(CorrectionId::new("review-1").unwrap());
    for (feedback, written) in [
        (
            Feedback::corrected(correction.clone()),
            json!({ "corrected": { "field": "total", "id": "review-1" } }),
        ),
        (
            Feedback::retracted(correction),
            json!({ "retracted": { "field": "total", "id": "review-1" } }),
        ),
        (Feedback::PickedUp, json!("picked_up")),
        (Feedback::Reviewed, json!("reviewed")),
        (
            Feedback::compared(VersionId::new("v8").unwrap(), Comparison::Match),
            json!({ "compared": { "candidate": "v8", "end": { "compared": "match" } } }),
        ),
    ] {
        assert_eq!(serde_json::to_value(&feedback).unwrap(), written);
        assert_eq!(
            serde_json::from_value::<Feedback>(written).unwrap(),
            feedback
        );
    }
}
