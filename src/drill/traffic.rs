//! The documents that arrive in a drill.

use std::time::Duration;

use super::distribution::{ConfidenceDistribution, DelayDistribution};
use super::made_up::MadeUp;
use super::recorded::RecordedTraffic;
use super::replay::Recording;
use crate::error::Error;
use crate::failure::FailureKind;
use crate::name::{Field, VersionId};
use crate::ratio::Ratio;

/// Documents that arrive, and how their calls go without a fault: made up ([`of`](Self::of)), or
/// recorded by your own service ([`recorded`](Self::recorded)).
///
/// By default made-up documents arrive at even intervals, a document has 1,000 tokens, its call
/// takes 20 seconds and is answered, the confidence of its field `total` is 0.95, and reviewers
/// correct 3 % of the answers one hour later. The API reports as many input tokens as were sent,
/// where the version says how many its prompt has
/// ([`Version::with_system_prompt_tokens`](crate::Version::with_system_prompt_tokens)). Times of the
/// day, weekends and months are those of UTC.
///
/// ```
/// use std::time::Duration;
/// use fusebox::drill::{ConfidenceDistribution, DelayDistribution, Traffic};
/// use fusebox::{Confidence, FailureKind, Field, Ratio};
///
/// let mut office_hours = [10; 24];
/// office_hours[8..18].fill(100);
/// let hour = Duration::from_secs(3_600);
/// let invoices = Traffic::of("invoice", 600)?
///     .at_random()
///     .by_hour(office_hours)
///     .on_weekends(Ratio::percent(20))
///     .at_month_end(3)
///     .latency(DelayDistribution::log_normal(Duration::from_secs(12), Duration::from_secs(60))?)
///     .failing(FailureKind::Truncated, Ratio::percent(1))
///     .confidence(Field::new("total")?, ConfidenceDistribution::beta(Confidence::percent(94), 0.04)?)
///     .confidence(Field::new("vat_id")?, Confidence::percent(90))
///     .corrections(Ratio::percent(3), DelayDistribution::exponential(4 * hour)?);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Traffic {
    pub(super) source: Source,
    /// The candidate of a shadow run, and the share of the answers that it is compared on.
    pub(super) compared: Option<(VersionId, Ratio)>,
    /// The time until somebody picks up what waits for a person; `None` if nobody ever says so.
    pub(super) picked_up_after: Option<DelayDistribution>,
    /// A setting that documents of this source do not have.
    misfit: Option<&'static str>,
}

/// Where the documents come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    MadeUp(Box<MadeUp>),
    Recorded(RecordedTraffic),
}

impl Traffic {
    /// `per_hour` documents of a type in an hour; an error when the type is empty, or when the
    /// number is not from 1 to 3,600,000.
    pub fn of(document_type: impl AsRef<str>, per_hour: u32) -> Result<Self, Error> {
        let made_up = MadeUp::of(document_type, per_hour)?;
        Ok(Self::from_source(Source::MadeUp(Box::new(made_up))))
    }

    /// The calls of a recording, into which a drill injects its faults.
    ///
    /// The first call comes as the drill begins, each other as long after it as it was recorded,
    /// with its document, type and tokens. Without a fault it takes as long, fails or is answered
    /// as recorded, with the recorded confidences, and is corrected as long after its answer. Begin
    /// at the time of the first call ([`Drill::beginning_at`](crate::Drill::beginning_at)) if the
    /// hour of the day matters.
    ///
    /// - The pipeline chooses the version, and may divert a call, which then does not go on as
    ///   recorded. Where it chooses another version than the recorded one, the recorded usage is
    ///   left out, as it is that of another prompt.
    /// - A call that was never answered hangs.
    /// - Corrections that came before the answer, or of documents without a call, are left out.
    /// - Tokens that a fault adds are added to the reported usage too. An answer that only a fault
    ///   corrects is corrected after a delay drawn from the recorded ones, one hour if there are
    ///   none.
    ///
    /// A drill is at most as long as the recording from its first call to its last, and the mean
    /// time between two; or else it is [repeated](Self::repeating).
    ///
    /// An error when the recording has no call, or spans more than ten years. What is set for
    /// made-up documents, such as [`tokens`](Self::tokens), is an error of the drill; only
    /// [`compared_with`](Self::compared_with) is for both.
    ///
    /// ```
    /// use std::fmt::Write;
    /// use std::time::Duration;
    /// use fusebox::{Drill, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Ratio, Version};
    /// use fusebox::drill::{DrillOutcome, Fault, Recording, Traffic};
    ///
    /// # let mut lines = String::new();
    /// # for n in 0..1_200_u64 {
    /// #     let at = 1_767_600_000_000 + n * 6_000;
    /// #     writeln!(lines, r#"{{"at":{at},"document":"inv-{n}","document_type":"invoice","document_tokens":900,"version":"v7","latency_ms":2000,"confidences":{{"total":0.95}}}}"#).unwrap();
    /// # }
    /// # let file = lines.as_bytes();
    /// // One line for each call: {"at":"2026-01-05T08:00:00Z","document":"inv-1", ..
    /// let recording = Recording::from_json_lines(file)?;
    /// let production = || {
    ///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
    ///     Ok(Pipeline::builder(line_up).guard(ErrorRateBreaker::default()))
    /// };
    /// let hour = Duration::from_secs(3_600);
    /// let report = Drill::new(production)
    ///     .traffic(Traffic::recorded(&recording)?)
    ///     .fault(hour, Fault::fail(FailureKind::ServerError).share(Ratio::percent(20)))
    ///     .detects_within(Duration::from_secs(30 * 60))
    ///     .run_for(2 * hour)?;
    /// assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn recorded(recording: &Recording) -> Result<Self, Error> {
        let recorded = RecordedTraffic::of(recording)?;
        Ok(Self::from_source(Source::Recorded(recorded)))
    }

    fn from_source(source: Source) -> Self {
        Self {
            source,
            compared: None,
            picked_up_after: None,
            misfit: None,
        }
    }

    /// A recording begins again where it ends, after the mean time between two of its calls, for
    /// drills that are longer. A document that comes again is another one: `inv-1` is then
    /// `inv-1~1`. Record whole days or weeks where these matter.
    pub fn repeating(mut self) -> Self {
        match &mut self.source {
            Source::Recorded(recorded) => recorded.repeats = true,
            Source::MadeUp(_) => self.misfit = self.misfit.or(Some("repeating")),
        }
        self
    }

    /// Documents arrive at random, each without regard to the others (a Poisson process).
    pub fn at_random(self) -> Self {
        self.set("at_random", MadeUp::at_random)
    }

    /// How many documents arrive in each hour of the day, in percent of the usual number.
    pub fn by_hour(self, percent: [u32; 24]) -> Self {
        self.set("by_hour", |made_up| made_up.rates_mut().by_hour = percent)
    }

    /// The share of the usual number that arrives on Saturdays and Sundays.
    pub fn on_weekends(self, share: Ratio) -> Self {
        self.set("on_weekends", |made_up| made_up.rates_mut().weekend = share)
    }

    /// How many times as many documents arrive on the last three days of a month.
    pub fn at_month_end(self, times: u32) -> Self {
        self.set("at_month_end", |made_up| {
            made_up.rates_mut().month_end = times;
        })
    }

    /// The tokens of each document.
    pub fn tokens(self, tokens: u64) -> Self {
        self.set("tokens", |made_up| made_up.tokens = tokens)
    }

    /// The time that a call takes: a [`Duration`], or a distribution.
    pub fn latency(self, latency: impl Into<DelayDistribution>) -> Self {
        self.set("latency", |made_up| made_up.latency = latency.into())
    }

    /// The share of the calls that always fails, and how.
    pub fn failing(self, kind: FailureKind, share: Ratio) -> Self {
        self.set("failing", |made_up| made_up.failing = Some((kind, share)))
    }

    /// A field that each answer has, and its confidence: a [`Confidence`](crate::Confidence), or a
    /// distribution. Called with several fields, each answer has all of them, each with a
    /// confidence of its own.
    pub fn confidence(self, field: Field, confidence: impl Into<ConfidenceDistribution>) -> Self {
        self.set("confidence", |made_up| {
            made_up.set_confidence(field, confidence.into());
        })
    }

    /// The share of the answers that reviewers correct, each in one of its fields, and the time
    /// until each correction: a [`Duration`], or a distribution.
    pub fn corrections(self, share: Ratio, delay: impl Into<DelayDistribution>) -> Self {
        self.set("corrections", |made_up| {
            made_up.corrections = share;
            made_up.correction_delay = delay.into();
        })
    }

    /// The share of the answers that a shadow run compares with those of this candidate. They agree,
    /// but for [`Fault::diverge`](super::Fault::diverge).
    pub fn compared_with(mut self, candidate: VersionId, share: Ratio) -> Self {
        self.compared = Some((candidate, share));
        self
    }

    /// The time until a person picks up a document that was diverted or whose answer needs review
    /// ([`Feedback::PickedUp`](crate::Feedback::PickedUp)): a [`Duration`], or a distribution. By
    /// default nobody reports that.
    pub fn picked_up_after(mut self, delay: impl Into<DelayDistribution>) -> Self {
        self.picked_up_after = Some(delay.into());
        self
    }

    /// Sets something of made-up documents.
    fn set(mut self, name: &'static str, set: impl FnOnce(&mut MadeUp)) -> Self {
        match &mut self.source {
            Source::MadeUp(made_up) => set(made_up),
            Source::Recorded(_) => self.misfit = self.misfit.or(Some(name)),
        }
        self
    }

    /// An error if something is set that these documents do not have, or that cannot be.
    pub(super) fn check_settings(&self) -> Result<(), Error> {
        match (&self.source, self.misfit) {
            (Source::MadeUp(made_up), None) => made_up.check(),
            (Source::Recorded(_), None) => Ok(()),
            (source, Some(setting)) => {
                let allowed = match source {
                    Source::MadeUp(_) => "a recording; made-up documents do not end",
                    Source::Recorded(_) => "made-up documents; recorded ones come as they did",
                };
                Err(Error::invalid(
                    format!("`{setting}` of drill traffic"),
                    "set",
                    allowed,
                ))
            }
        }
    }

    /// An error if the documents cannot come as they should in a drill of this length.
    pub(super) fn check(&self, drill: Duration) -> Result<(), Error> {
        self.check_settings()?;
        match &self.source {
            Source::MadeUp(_) => Ok(()),
            Source::Recorded(recorded) => recorded.check(drill),
        }
    }
}
