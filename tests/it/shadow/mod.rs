//! P6: a shadow run counts how often a candidate disagrees, asks a person to look, and changes
//! nothing.

use std::sync::Arc;

use fusebox::Feedback;
use fusebox::call::{Comparison, Difference, ShadowEnd};
use fusebox::clock::MockClock;
use fusebox::event::ShadowEvent;
use fusebox::shadow::{Selection, ShadowComparatorBuilder};
use fusebox::sink::MemorySink;
use fusebox::{
    Call, Event, EventKind, Field, LineUp, Pipeline, Ratio, Report, ShadowComparator, Ticket,
    Version, VersionId,
};

use crate::support::stored;

mod buckets;
mod comparisons;
mod corrections;
mod restart;
mod runner;
mod verdict;

struct Bench {
    pipeline: Pipeline,
    shadow: Arc<ShadowComparator>,
    sink: MemorySink,
    clock: MockClock,
}

impl Bench {
    fn new(builder: ShadowComparatorBuilder) -> Self {
        let (shadow, sink) = (Arc::new(builder.build().unwrap()), MemorySink::new());
        let clock = MockClock::new();
        let line_up = LineUp::new(version("v7")).with_candidate(version("v8"));
        let pipeline = Pipeline::builder(line_up)
            .guard(Arc::clone(&shadow))
            .clock(clock.clone())
            .sink(sink.clone())
            .build()
            .unwrap();
        sink.take();
        Self {
            pipeline,
            shadow,
            sink,
            clock,
        }
    }

    /// A document that production served.
    fn ticket(&self, document: &str, document_type: &str) -> Ticket {
        let call = Call::new(document, document_type).unwrap();
        let permit = self.pipeline.admit(&call).permit().unwrap();
        permit.answer(Report::new()).ticket().clone()
    }

    fn compare(&self, end: impl Into<ShadowEnd>) -> Ticket {
        let ticket = self.ticket("document", "invoice");
        self.report(&ticket, end);
        ticket
    }

    fn report(&self, ticket: &Ticket, end: impl Into<ShadowEnd>) {
        self.pipeline.observe(ticket, compared(end));
    }

    /// What becomes of a document that production serves and the run is offered.
    fn select(&self, document: &str) -> Selection {
        let ticket = self.ticket(document, "invoice");
        self.shadow.select(&ticket, self.pipeline.now())
    }

    /// So many documents, of which so many diverge, evenly spread.
    fn run(&self, diverging: u64, documents: u64) {
        let by_then = |n: u64| diverging * n / documents;
        for n in 0..documents {
            if by_then(n + 1) > by_then(n) {
                self.compare(diverged());
            } else {
                self.compare(Comparison::Match);
            }
        }
    }

    fn reviews(&self) -> Vec<Event> {
        let mut events = self.sink.events();
        events.retain(|event| {
            matches!(
                event.kind,
                EventKind::Shadow(ShadowEvent::ReviewRequested { .. })
            )
        });
        events
    }

    fn restarted(&self, builder: ShadowComparatorBuilder) -> Self {
        let next = Self::new(builder);
        next.pipeline.restore(&stored(&self.pipeline)).unwrap();
        next
    }
}

fn version(id: &str) -> Version {
    Version::new(id, "gpt-4o").unwrap()
}

fn builder() -> ShadowComparatorBuilder {
    ShadowComparator::builder(VersionId::new("v8").unwrap()).share(Ratio::ONE)
}

fn diverged() -> Comparison {
    let total = Field::new("total").unwrap();
    Comparison::Diverged(vec![Difference::changed(total)])
}

fn not_comparable() -> Comparison {
    Comparison::NotComparable("a tool call".to_owned())
}

fn compared(end: impl Into<ShadowEnd>) -> Feedback {
    Feedback::compared(VersionId::new("v8").unwrap(), end)
}
