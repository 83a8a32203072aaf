//! The process that a drill runs: it starts, deploys, and goes on after a restart.

use super::keeping::{self, Keeping};
use super::recorder::Recorder;
use crate::call::{Feedback, LineUp, Ticket};
use crate::error::Error;
use crate::keeper::Keeper;
use crate::pipeline::clock::MockClock;
use crate::pipeline::{Builder, Pipeline, Snapshot};

/// Builds the pipeline of each process of a drill.
pub(super) type Production<'a> = &'a dyn Fn() -> Result<Builder, Error>;

pub(super) struct Process<'a> {
    production: Production<'a>,
    clock: MockClock,
    recorder: Recorder,
    /// How many processes there were before.
    number: u64,
    pub(super) keeping: Option<Keeping>,
    keeper: Option<Keeper>,
    pub(super) pipeline: Pipeline,
}

impl<'a> Process<'a> {
    pub(super) fn start(
        production: Production<'a>,
        clock: MockClock,
        recorder: Recorder,
        keeping: Option<Keeping>,
    ) -> Result<Self, Error> {
        let pipeline = rehearsed(production()?, &clock, &recorder).build()?;
        Ok(Self {
            keeper: started(keeping.as_ref(), &pipeline)?,
            keeping,
            pipeline,
            production,
            clock,
            recorder,
            number: 0,
        })
    }

    /// What a service does every few seconds.
    pub(super) fn tick(&self) {
        match &self.keeper {
            Some(keeper) => keeping::turn(keeper),
            None => self.pipeline.tick(),
        }
    }

    /// Somebody reports feedback on an answer.
    pub(super) fn report(&self, ticket: &Ticket, feedback: Feedback) {
        match &self.keeper {
            Some(keeper) => keeping::report(keeper, ticket, feedback),
            None => self.pipeline.observe(ticket, feedback),
        }
    }

    /// Ends this process and starts another one, with the versions that were live. `lost` are the
    /// calls that were open: they end with the process, and no event says so.
    pub(super) fn restart<T>(&mut self, with_snapshot: bool, lost: T) -> Result<(), Error> {
        let is_kept = self.keeper.take().is_some();
        let has_snapshot = with_snapshot && !is_kept;
        let snapshot = has_snapshot.then(|| written(&self.pipeline)).transpose()?;
        if let Some(keeping) = self.keeping.as_mut().filter(|_| !with_snapshot) {
            keeping.begin_anew();
        }
        let line_up = LineUp::clone(&self.pipeline.line_up());
        self.recorder.end();
        drop(lost);
        self.recorder = self.recorder.of_next_process();
        self.number += 1;
        let builder = rehearsed((self.production)()?, &self.clock, &self.recorder);
        let builder = builder.with_line_up(line_up).instance(self.number);
        self.pipeline = builder.build()?;
        self.keeper = started(self.keeping.as_ref(), &self.pipeline)?;
        snapshot.map_or(Ok(()), |snapshot| self.pipeline.restore(&snapshot))
    }
}

fn started(keeping: Option<&Keeping>, pipeline: &Pipeline) -> Result<Option<Keeper>, Error> {
    keeping.map(|keeping| keeping.start(pipeline)).transpose()
}

fn rehearsed(builder: Builder, clock: &MockClock, recorder: &Recorder) -> Builder {
    let builder = builder.rehearse(clock.clone(), recorder.clone());
    builder.sink(recorder.second())
}

/// A snapshot that was written and read again, as a file is.
fn written(pipeline: &Pipeline) -> Result<Snapshot, Error> {
    let text = serde_json::to_string(&pipeline.snapshot()?);
    text.and_then(|text| serde_json::from_str(&text))
        .map_err(|error| Error::unreadable("snapshot of a drill", error))
}
