//! Recorded history through a configuration, on virtual time: what would have fired?

mod answers;
#[cfg(feature = "csv")]
mod columns;
mod engine;
mod extent;
mod file;
mod in_order;
mod json_line;
mod open_calls;
mod record;
mod recording;
mod report;
mod row_reader;
mod rows;
mod seen;
mod side_by_side;
mod timetable;

use crate::error::Error;
use crate::pipeline::Builder;

#[cfg(feature = "csv")]
pub use columns::{CsvColumns, CsvTime};
pub(super) use record::{RecordedCall, RecordedEnd};
pub use recording::Recording;
pub use report::{Diversions, OtherVersion, ReplayReport, Reviews};
pub use row_reader::{RecordingCounts, RejectedRow};
pub use seen::{CorrectionCounts, ReplayCounts};
pub use side_by_side::SideBySide;
pub(super) use timetable::Timetable;

/// Runs recorded history through a production pipeline on a virtual clock: who would have been paged
/// and when, how often a week, and which documents would have gone elsewhere.
///
/// It answers "what if the window were 10 minutes?" with the last weeks of your own service. The
/// guards, their numbers and the line-up are those that the function builds; the replay replaces
/// only the clock and the sinks, as a [`Drill`](crate::Drill) does. The calls begin and end as they
/// were recorded, and the pipeline is ticked every 5 seconds of recorded time, through quiet hours
/// too. Nothing depends on how fast it runs: the same recording and configuration give the same
/// report, to the byte.
///
/// What the pipeline decides may differ from what happened:
///
/// - A call that it diverts is not made, and has no outcome. Corrections of it are counted, and no
///   guard learns of them.
/// - Where it chooses another version than the recorded one, the call ends as recorded, because the
///   answer of that version is not known; the report counts these calls. The recorded token usage is
///   left out, as it is that of another prompt.
/// - A correction is about the latest call of its document that had begun.
///
/// A replay begins with guards that know nothing, and ends with the last row or the last end of a
/// call. [docs/replay.md](crate::documentation::replay) has the format of a row, what the numbers
/// mean, and what a replay cannot know.
///
/// ```
/// use std::fmt::Write;
/// use std::time::Duration;
/// use fusebox::drill::{Recording, Replay, SideBySide};
/// use fusebox::{Error, ErrorRateBreaker, LineUp, Pipeline, Version};
/// use fusebox::pipeline::Builder;
///
/// # // A call every 6 s from 08:00; from 09:00 on every fifth fails.
/// # let mut lines = String::new();
/// # for n in 0..1_200_u64 {
/// #     let at = 1_767_600_000_000 + n * 6_000;
/// #     let end = if n >= 600 && n % 5 == 0 { r#""failure":"server_error""# } else { r#""confidences":{"total":0.95}"# };
/// #     writeln!(lines, r#"{{"at":{at},"document":"inv-{n}","document_type":"invoice","document_tokens":900,"version":"v7","latency_ms":2000,{end}}}"#).unwrap();
/// # }
/// # let file = lines.as_bytes();
/// // One line for each call: {"at":"2026-01-05T08:00:00Z","document":"inv-1", ..
/// let recording = Recording::from_json_lines(file)?;
///
/// fn with_window(minutes: u64) -> Result<Builder, Error> {
///     let window = Duration::from_secs(60 * minutes);
///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
///     Ok(Pipeline::builder(line_up).guard(ErrorRateBreaker::builder().window(window).build()?))
/// }
///
/// let as_it_is = Replay::new(|| with_window(15)).named("15 minutes").run(&recording)?;
/// let shorter = Replay::new(|| with_window(10)).named("10 minutes").run(&recording)?;
/// assert!(shorter.pages().next().unwrap().at < as_it_is.pages().next().unwrap().at);
/// println!("{as_it_is}\n{}", SideBySide::of([&as_it_is, &shorter]));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a replay does nothing before `run`"]
pub struct Replay<P> {
    production: P,
    name: String,
}

impl<P> Replay<P>
where
    P: Fn() -> Result<Builder, Error>,
{
    /// A replay through the pipeline that this function builds, with another clock and another sink.
    /// Each run needs guards of its own.
    pub fn new(production: P) -> Self {
        Self {
            production,
            name: "replay".to_owned(),
        }
    }

    /// The name of the configuration, for a table of several ([`SideBySide`]); `replay` by default.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Runs the recording.
    ///
    /// An error when it has no call, when it spans more than ten years, as it does when one time has a
    /// digit too many, when the pipeline cannot be built, or when the recording's file cannot be read or
    /// has changed.
    pub fn run(&self, recording: &Recording) -> Result<ReplayReport, Error> {
        self.run_telling(recording, |_, _| {})
    }

    /// The same; `progress` is told after every few thousand rows how many are done, and of how many.
    pub fn run_telling(
        &self,
        recording: &Recording,
        progress: impl FnMut(u64, u64),
    ) -> Result<ReplayReport, Error> {
        recording.check()?;
        let builder = (self.production)()?;
        let seen = engine::run(builder, recording, progress)?;
        Ok(ReplayReport::new(self.name.clone(), recording, seen))
    }
}
