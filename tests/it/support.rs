//! What most tests need: versions, a pipeline on a mock clock, calls that end.

use std::sync::Arc;
use std::time::Duration;

use fusebox::clock::MockClock;
use fusebox::guard::Mount;
use fusebox::pipeline::{Builder, Snapshot};
use fusebox::sink::MemorySink;
use fusebox::{
    Admission, Call, Error, ErrorKind, ErrorRateBreaker, Event, EventKind, FailureKind, Guard,
    LineUp, Permit, Pipeline, Report, Severity, Ticket, Timestamp, Version, VersionId,
};

/// 2026-03-13 21:00 UTC.
pub(crate) const EVENING: Timestamp = Timestamp::from_millis(1_773_435_600_000);

pub(crate) const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn version(id: &str) -> Version {
    Version::new(id, "gpt-4o")
        .unwrap()
        .with_system_prompt_tokens(1_000)
        .with_reserved_answer_tokens(1_000)
}

pub(crate) fn v6() -> VersionId {
    VersionId::new("v6").unwrap()
}

pub(crate) fn v7() -> VersionId {
    VersionId::new("v7").unwrap()
}

pub(crate) fn line_up() -> LineUp {
    LineUp::new(version("v7")).with_previous(version("v6"))
}

pub(crate) fn call(document: &str, document_type: &str) -> Call<'static> {
    Call::new(document, document_type)
        .unwrap()
        .with_document_tokens(500)
}

/// A pipeline on a mock clock, with everything that it told.
pub(crate) struct Bench {
    pub(crate) pipeline: Pipeline,
    pub(crate) clock: MockClock,
    pub(crate) sink: MemorySink,
    documents: std::cell::Cell<u64>,
}

impl Bench {
    pub(crate) fn with_guard(guard: impl Mount) -> Self {
        Self::with(line_up(), |builder| builder.guard(guard))
    }

    /// With a guard that the test keeps a hand on.
    pub(crate) fn and_guard<G: Guard + 'static>(guard: G) -> (Self, Arc<G>) {
        let guard = Arc::new(guard);
        (Self::with_guard(Arc::clone(&guard)), guard)
    }

    pub(crate) fn with(line_up: LineUp, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = MockClock::at(EVENING);
        let sink = MemorySink::new();
        let builder = Pipeline::builder(line_up)
            .clock(clock.clone())
            .sink(sink.clone());
        let pipeline = configure(builder).build().unwrap();
        sink.take();
        Self {
            pipeline,
            clock,
            sink,
            documents: std::cell::Cell::new(0),
        }
    }

    /// The same pipeline in a new process, which read the snapshot from a file.
    pub(crate) fn restarted(&self, guard: impl Guard + 'static) -> Self {
        let next = Self::with_guard(guard);
        next.pipeline.restore(&stored(&self.pipeline)).unwrap();
        next
    }

    /// Another pipeline at the same time, which goes on with the same documents.
    pub(crate) fn in_another_process(
        &self,
        line_up: LineUp,
        configure: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let other = Self::with(line_up, configure);
        other.clock.set(fusebox::clock::Clock::now(&self.clock));
        other.documents.set(self.documents.get());
        other
    }

    pub(crate) fn admit(&self, document_type: &str) -> Admission {
        let n = self.documents.get() + 1;
        self.documents.set(n);
        self.pipeline
            .admit(&call(&format!("{document_type}-{n}"), document_type))
    }

    pub(crate) fn permit(&self, document_type: &str) -> Permit {
        match self.admit(document_type) {
            Admission::Admitted(permit) => permit,
            Admission::Diverted(diversion) => panic!("{diversion}"),
        }
    }

    pub(crate) fn answer(&self, n: usize) {
        for _ in 0..n {
            let _ = self.permit("invoice").answer(Report::new());
        }
    }

    pub(crate) fn fail(&self, n: usize) {
        for _ in 0..n {
            self.permit("invoice").fail(FailureKind::ServerError);
        }
    }

    /// The version that serves the next document.
    pub(crate) fn serving(&self) -> String {
        let permit = self.permit("invoice");
        let version = permit.ticket().version().to_string();
        permit.release();
        version
    }

    pub(crate) fn tick_after(&self, duration: Duration) {
        self.clock.advance(duration);
        self.pipeline.tick();
    }

    /// The events since the last look, without those about missing ticks: most tests move the clock
    /// without ticks, and `pipeline/ticks.rs` looks for itself.
    pub(crate) fn events(&self) -> Vec<Event> {
        let events = self.sink.take().into_iter();
        events
            .filter(|event| event.kind.name() != "no_tick")
            .collect()
    }

    /// The pages since the last look at the events.
    pub(crate) fn pages(&self) -> Vec<EventKind> {
        let pages = self
            .events()
            .into_iter()
            .filter(|event| event.severity == Severity::Page);
        pages.map(|event| event.kind).collect()
    }
}

/// The ticket of an answer given now.
pub(crate) fn answered(permit: Permit, report: Report) -> Ticket {
    permit.answer(report).ticket().clone()
}

/// What another process reads of this one.
pub(crate) fn stored(pipeline: &Pipeline) -> Snapshot {
    let text = serde_json::to_string(&pipeline.snapshot().unwrap()).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>, message: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), message);
}

/// A breaker with the rate alone, for tests that fail many calls in a row.
pub(crate) fn rate_only() -> Arc<ErrorRateBreaker> {
    Arc::new(
        ErrorRateBreaker::builder()
            .consecutive_failures(None)
            .build()
            .unwrap(),
    )
}
