//! P2: the confidence of each field is watched, and a fall sends more answers to people.

use std::sync::Arc;
use std::time::Duration;

use fusebox::clock::MockClock;
use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftState};
use fusebox::event::{DriftEvent, Outbox};
use fusebox::guard::{Cx, State};
use fusebox::sink::MemorySink;
use fusebox::{
    Call, Confidence, ConfidenceDriftMonitor, DocumentType, Event, EventKind, Field, Guard, LineUp,
    Pipeline, Report, Settlement, Timestamp, Version,
};

use crate::support::stored;

mod acknowledging;
mod corrections;
mod full;
mod hysteresis;
mod joining;
mod limits;
mod mix;
mod night;
mod reporting;
mod resolving;
mod response;
mod restart;
mod scores;
mod seasons;
mod sequential;
mod shape;
mod shift;
mod slow;
#[cfg(feature = "report")]
mod timeline;
mod versions;

const HOUR: Duration = Duration::from_secs(3_600);
/// The beginning of a bucket of five minutes.
const NOON: Timestamp = Timestamp::from_millis(1_763_899_200_000);

/// What a monitor would store.
fn state_of(drift: &ConfidenceDriftMonitor) -> Option<State> {
    let line_up = LineUp::new(Version::new("v7", "gpt-4o").unwrap());
    let outbox = Outbox::new();
    let cx = Cx::new(NOON, &line_up, &outbox, "confidence-drift");
    drift.snapshot(&cx).unwrap()
}

struct Bench {
    pipeline: Pipeline,
    drift: Arc<ConfidenceDriftMonitor>,
    clock: MockClock,
    sink: MemorySink,
}

impl Bench {
    fn new(builder: ConfidenceDriftMonitorBuilder) -> Self {
        Self::of(builder.build().unwrap())
    }

    fn of(drift: ConfidenceDriftMonitor) -> Self {
        let (drift, clock, sink) = (Arc::new(drift), MockClock::at(NOON), MemorySink::new());
        let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o").unwrap()))
            .guard(Arc::clone(&drift))
            .clock(clock.clone())
            .sink(sink.clone())
            .build()
            .unwrap();
        sink.take();
        Self {
            pipeline,
            drift,
            clock,
            sink,
        }
    }

    fn answer(&self, document_type: &str, report: Report) -> Settlement {
        let call = Call::new("document", document_type).unwrap();
        self.pipeline.admit(&call).permit().unwrap().answer(report)
    }

    fn total(&self, score: f64) -> Settlement {
        self.answer("invoice", Report::new().confidence("total", score))
    }

    fn totals(&self, score: f64, documents: u64) {
        for _ in 0..documents {
            let _ = self.total(score);
        }
    }

    fn state(&self) -> DriftState {
        self.drift.state("invoice", "total")
    }

    fn threshold(&self) -> Confidence {
        self.drift.threshold("invoice", "total")
    }

    /// The same after a restart, at the time of this one.
    fn restarted(&self, builder: ConfidenceDriftMonitorBuilder) -> Self {
        let snapshot = stored(&self.pipeline);
        let next = Self::new(builder);
        next.clock.set(snapshot.at());
        next.pipeline.restore(&snapshot).unwrap();
        next
    }
}

fn names() -> (DocumentType, Field) {
    (
        DocumentType::new("invoice").unwrap(),
        Field::new("total").unwrap(),
    )
}

fn confidence(score: f64) -> Confidence {
    Confidence::new(score).unwrap()
}

/// The bare rule.
fn plain() -> ConfidenceDriftMonitorBuilder {
    ConfidenceDriftMonitor::builder().plain_mean()
}

fn with_baseline(mean: f64) -> ConfidenceDriftMonitorBuilder {
    let (invoice, total) = names();
    plain().baseline(invoice, total, confidence(mean), 5_000)
}

fn is_accepted(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Accepted { .. })
}

fn is_detected(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Drift(DriftEvent::DriftDetected { .. })
    )
}
