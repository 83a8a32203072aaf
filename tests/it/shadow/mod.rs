//! P6: a shadow run counts how often a candidate disagrees, asks a person to look, and changes
//! nothing.

use std::sync::Arc;

use fusebox::Feedback;
use fusebox::call::Comparison;
use fusebox::clock::MockClock;
use fusebox::event::ShadowEvent;
use fusebox::shadow::ShadowComparatorBuilder;
use fusebox::sink::MemorySink;
use fusebox::{
    Call, Event, EventKind, Field, LineUp, Pipeline, Report, ShadowComparator, Ticket, Version,
    VersionId,
};

use crate::support::stored;

mod comparisons;
mod restart;
mod verdict;

struct Bench {
    pipeline: Pipeline,
    shadow: Arc<ShadowComparator>,
    sink: MemorySink,
}

impl Bench {
    fn new(builder: ShadowComparatorBuilder) -> Self {
        let (shadow, sink) = (Arc::new(builder.build().unwrap()), MemorySink::new());
        let line_up = LineUp::new(version("v7")).with_candidate(version("v8"));
        let pipeline = Pipeline::builder(line_up)
            .guard(Arc::clone(&shadow))
            .clock(MockClock::new())
            .sink(sink.clone())
            .build()
            .unwrap();
        sink.take();
        Self {
            pipeline,
            shadow,
            sink,
        }
    }

    /// A document that production served.
    fn ticket(&self, document: &str, document_type: &str) -> Ticket {
        let call = Call::new(document, document_type).unwrap();
        let permit = self.pipeline.admit(&call).permit().unwrap();
        permit.answer(Report::new()).ticket().clone()
    }

    fn compare(&self, comparison: Comparison) -> Ticket {
        let ticket = self.ticket("document", "invoice");
        self.pipeline
            .observe(&ticket, Feedback::Compared(comparison));
        ticket
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
    ShadowComparator::builder(VersionId::new("v8").unwrap())
}

fn diverged() -> Comparison {
    Comparison::Diverged(vec![Field::new("total").unwrap()])
}
