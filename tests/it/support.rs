//! What most tests need: versions, a pipeline on a mock clock, calls that end.

use std::time::Duration;

use fusebox::clock::MockClock;
use fusebox::pipeline::Builder;
use fusebox::sink::MemorySink;
use fusebox::{
    Admission, Call, Event, EventKind, FailureKind, LineUp, Permit, Pipeline, Report, Severity,
    Ticket, Timestamp, Version,
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
    pub(crate) fn new(guard: impl fusebox::guard::Mount) -> Self {
        Self::with(line_up(), |builder| builder.guard(guard))
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

    pub(crate) fn events(&self) -> Vec<Event> {
        self.sink.take()
    }

    /// The pages since the last look at the events.
    pub(crate) fn pages(&self) -> Vec<EventKind> {
        let pages = self
            .sink
            .take()
            .into_iter()
            .filter(|event| event.severity == Severity::Page);
        pages.map(|event| event.kind).collect()
    }
}

/// The ticket of an answer given now.
pub(crate) fn answered(permit: Permit, report: Report) -> Ticket {
    permit.answer(report).ticket().clone()
}
