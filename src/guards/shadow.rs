//! P6: a new version runs on real documents in parallel to production, and its output serves only
//! for comparison.

mod acknowledged;
mod baseline;
mod builder;
mod clearance;
pub mod compare;
mod core;
mod corrections;
mod counts;
mod divergences;
mod ignore;
mod in_flight;
mod interval;
mod judged;
mod report;
mod sealed;
mod settings;
mod stored;
mod verdict;

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::call::{Feedback, Signal, Ticket};
use crate::error::Error;
use crate::guard::{Attached, Cx, Guard, State};
use crate::name::VersionId;
use crate::order::Order;
use crate::ratio::Ratio;
use crate::time::Timestamp;

use self::core::Core;
use compare::JsonFields;
use judged::Judged;
use settings::Settings;
use stored::StoredRun;

pub use self::core::Selection;
pub use acknowledged::Acknowledgement;
pub use baseline::BaselineNoise;
pub use builder::ShadowComparatorBuilder;
pub use counts::{Bucket, ShadowCounts};
pub use divergences::Divergence;
pub use ignore::{IgnoreRule, IgnoreRules};
pub(crate) use in_flight::{RunId, Stop};
pub use interval::IntervalMethod;
pub use judged::{
    DocumentsNeeded, JudgedCounts, JudgedFeasibility, JudgedGap, JudgedReport, JudgedVerdict,
    LookedAt, PairCounts,
};
pub use report::ShadowReport;
pub use sealed::Sealed;
pub use verdict::{Blindness, ShadowVerdict};

const NAME: &str = "shadow";

/// Counts how often the answers of a new version, which runs on real documents in parallel to
/// production, diverge from production's.
///
/// # What it watches
/// A share of the documents, 0 % by default. [`ShadowRunner`](crate::ShadowRunner) calls the candidate
/// on them beside production; without it, ask [`select`](Self::select), call the candidate yourself,
/// and report how it ended as [`Feedback::Compared`] with the ticket of production's call.
///
/// Each ticket counts once, in one [`Bucket`], and the buckets add up: no document is lost. A
/// candidate that fails, panics or does not answer in time is part of the rate, as diverging,
/// because no answer is no agreement.
///
/// # When it acts
/// The comparator evaluates the divergence rate after 200 compared documents, after every further
/// 100, and after 500, when the run is over. It does not evaluate in between: with a test after
/// every document, the rate would sooner or later exceed any threshold by chance. A rate of
/// strictly more than 8 % is too high: 41 of 500, but not 40.
///
/// It is blind, and says why, when fewer than half of the documents on which it began could be
/// compared, when it has spent its limit before the first evaluation, and when its share is 0 %.
///
/// # What it does
/// It requests a review, once for each version of production. It blocks nothing: it has no vote, and
/// it reroutes no document. The [report](Self::report) lists the diverging documents with their
/// tickets; [`acknowledge`](Self::acknowledge) records who has taken note. A rollout can wait for
/// [its clearance](crate::rollout::RolloutPolicyBuilder::after_shadow).
///
/// # What it cannot see
/// - Which of the two answers is right, unless people's corrections
///   [judge](ShadowComparatorBuilder::judged_by_corrections) it.
/// - How often production diverges from itself, unless a
///   [share](ShadowComparatorBuilder::baseline_share) of documents measures it.
/// - Documents that it is not offered.
/// - Side effects: Rust cannot keep a candidate's code from acting. Its answer is
///   [sealed](Sealed), and it gets no [`LiveEffects`](crate::pipeline::LiveEffects).
/// - A panic, if the program is built with `panic = "abort"`.
///
/// # Defaults and why
/// 200 to 500 documents and 8 %: at a true rate of 5 %, the evaluation at 500 documents alone
/// requests a review in 0.2 % of runs, at 10 % in 92 %. `CertifiedBelow` requires the upper end of
/// the 95 % interval to be at or below 8 %: at most 8 of 200, or 28 of 500. The intervals are not
/// corrected for repeated evaluation; decide on the last one.
///
/// # Events
/// Warnings: [`ReviewRequested`](crate::event::ShadowEvent::ReviewRequested),
/// [`ShadowBlind`](crate::event::ShadowEvent::ShadowBlind),
/// [`CandidateWorse`](crate::event::ShadowEvent::CandidateWorse),
/// [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted). Info:
/// [`CandidateNoWorse`](crate::event::ShadowEvent::CandidateNoWorse),
/// [`ReviewAcknowledged`](crate::event::ShadowEvent::ReviewAcknowledged),
/// [`ShadowFinished`](crate::event::ShadowEvent::ShadowFinished).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use fusebox::{Call, Feedback, LineUp, Pipeline, Ratio, Report, ShadowComparator, Version, VersionId};
/// use fusebox::call::Comparison;
/// use fusebox::shadow::{Sealed, Selection, ShadowVerdict};
///
/// let shadow = ShadowComparator::builder(VersionId::new("v8")?).share(Ratio::percent(100)).build()?;
/// let shadow = Arc::new(shadow);
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).guard(Arc::clone(&shadow)).build()?;
///
/// if let Some(permit) = pipeline.admit(&Call::new("inv-1", "invoice")?).permit() {
///     let answer = "12.50"; // production's
///     let settlement = permit.answer(Report::new());
///     if shadow.select(settlement.ticket(), pipeline.now()) == Selection::Run {
///         let sealed = Sealed::new("12.50".to_owned()); // the candidate's
///         let comparison = sealed.compare(answer, |production: &str, candidate| {
///             if production == candidate { Comparison::Match } else { Comparison::Diverged(vec![]) }
///         });
///         let feedback = Feedback::compared(shadow.candidate().clone(), comparison);
///         pipeline.observe(settlement.ticket(), feedback);
///     }
/// }
/// assert_eq!(shadow.verdict(), ShadowVerdict::Collecting { compared: 1, needed: 200 });
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "shadow traffic")]
#[doc(alias = "dark launch")]
pub struct ShadowComparator {
    settings: Settings,
    core: Mutex<Core>,
    /// Apart, so that a document outside the share takes no lock.
    not_sampled: AtomicU64,
    attached: Attached,
}

impl ShadowComparator {
    /// The version that runs in the shadow run.
    pub fn candidate(&self) -> &VersionId {
        &self.settings.candidate
    }

    /// The name of the experiment.
    pub fn experiment(&self) -> &str {
        &self.settings.experiment
    }

    /// Whether to call the candidate on this document too. Offer each ticket once; what is not run
    /// is counted.
    ///
    /// After [`Selection::Run`], report how the candidate's call ended with [`Feedback::compared`].
    /// If nothing is reported in time, the document counts as timed out.
    pub fn select(&self, ticket: &Ticket, now: Timestamp) -> Selection {
        if self.samples(ticket) {
            self.select_sampled(ticket, now)
        } else {
            Selection::NotSampled
        }
    }

    /// The first half of [`select`](Self::select), which needs no time and no lock: whether the
    /// document is in the share. It is counted if it is not.
    #[inline]
    pub(crate) fn samples(&self, ticket: &Ticket) -> bool {
        let samples = self.settings.samples(ticket);
        if !samples {
            self.not_sampled.fetch_add(1, Ordering::Relaxed);
        }
        samples
    }

    /// The second half, for a document in the share.
    pub(crate) fn select_sampled(&self, ticket: &Ticket, now: Timestamp) -> Selection {
        self.core.lock().select(&self.settings, ticket, now)
    }

    /// Whether to call production's version a second time on a document on which the candidate
    /// runs. Report how it ended with [`ShadowResult::of_baseline`](crate::call::ShadowResult).
    pub fn select_baseline(&self, ticket: &Ticket, now: Timestamp) -> bool {
        let mut core = self.core.lock();
        core.select_baseline(&self.settings, ticket, now)
    }

    /// The verdict on the candidate, as of the latest evaluation.
    pub fn verdict(&self) -> ShadowVerdict {
        self.core.lock().verdict(&self.settings)
    }

    /// The findings so far: the verdict, the counts, and every diverging document.
    pub fn report(&self) -> ShadowReport {
        let not_sampled = self.not_sampled.load(Ordering::Relaxed);
        ShadowReport::new(&self.core.lock(), not_sampled, &self.settings)
    }

    /// How many documents the run needs until corrections decide, if people correct `rate` of
    /// production's answers, and the candidate makes the share `in_common` of these mistakes too. An
    /// error if the rate is 0 % or more than 100 %, or the share more than 100 %.
    ///
    /// ```
    /// use fusebox::{Ratio, ShadowComparator, VersionId};
    ///
    /// let shadow = ShadowComparator::builder(VersionId::new("v8")?).build()?;
    /// let needed = shadow.feasibility(Ratio::percent(3), Ratio::ZERO)?;
    /// println!("a candidate twice as bad: {:?} documents in nine of ten runs", needed.nine_in_ten.worse);
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn feasibility(&self, rate: Ratio, in_common: Ratio) -> Result<JudgedFeasibility, Error> {
        Judged::feasibility(&self.settings.judging, rate, in_common)
    }

    /// From now on these are the differences that reviewers have accepted, instead of those before:
    /// a document that diverges in nothing else counts as ignored. What was counted stays so. The
    /// rules are not part of the stored state: read them from your own file at each start.
    pub fn ignore(&self, rules: IgnoreRules) {
        self.core.lock().ignore = rules;
    }

    /// Records that somebody has taken note of the review that the run requested, and why. The
    /// verdict stays, and no event repeats the review.
    ///
    /// An error when no review is open, or when `who` or `why` is blank or not one line of at most
    /// 1,000 bytes.
    pub fn acknowledge(&self, who: impl AsRef<str>, why: impl AsRef<str>) -> Result<(), Error> {
        let order = Order::new(who, why)?;
        self.core.lock().acknowledge(order)
    }

    /// An error if a runner compares by other rules than those by which corrections are judged.
    pub(crate) fn check_fields(&self, compared: Option<&JsonFields>) -> Result<(), Error> {
        let Settings { key, fields, .. } = &self.settings;
        match compared {
            Some(compared) if key.is_some() && !compared.has_rules_of(fields) => {
                let allowed = "the `fields` of the comparator, by which corrections are judged";
                Err(Error::invalid("shadow runner's rules", "others", allowed))
            }
            _ => Ok(()),
        }
    }

    /// What stops the call of a run that is overdue.
    pub(crate) fn stop_by(&self, run: RunId, stop: Stop) {
        let ended = self.core.lock().in_flight.stop_by(run, stop);
        if let Some(stop) = ended {
            stop.call();
        }
    }

    /// The candidate has answered in time.
    pub(crate) fn answered(&self, run: RunId, now: Timestamp) -> bool {
        self.core.lock().in_flight.answered(run, now)
    }

    /// The comparison begins.
    pub(crate) fn compares(&self, run: RunId, now: Timestamp) -> bool {
        let until = self.settings.until(now);
        self.core.lock().in_flight.compares(run, now, until)
    }

    fn end_overdue(&self, cx: &Cx<'_>) {
        let mut core = self.core.lock();
        core.report_acknowledgements(&self.settings, cx);
        core.report_types(cx);
        core.advance(&self.settings, cx);
        let stops = core.end_overdue(&self.settings, cx);
        drop(core);
        for stop in stops {
            stop.call();
        }
    }
}

impl Guard for ShadowComparator {
    fn name(&self) -> &'static str {
        NAME
    }

    fn attached(&self) -> Option<&Attached> {
        Some(&self.attached)
    }

    fn settings(&self) -> String {
        self.settings.as_text()
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        match signal {
            Signal::Feedback(Feedback::Compared(result)) => {
                if result.candidate == self.settings.candidate {
                    self.core.lock().end(&self.settings, ticket, result, cx);
                }
            }
            Signal::Feedback(feedback) if self.settings.key.is_some() => {
                self.core.lock().learn(&self.settings, ticket, feedback, cx);
            }
            Signal::Feedback(_) | Signal::Opened | Signal::Settled { .. } => {}
        }
    }

    fn tick(&self, cx: &Cx<'_>) {
        self.end_overdue(cx);
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let stored = {
            let not_sampled = self.not_sampled.load(Ordering::Relaxed);
            StoredRun::of(&self.core.lock(), not_sampled, &self.settings)
        };
        State::write(&stored, cx).map(Some)
    }

    /// Ignores the state of a run with another candidate or experiment: this run then starts from
    /// zero.
    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let stored: StoredRun = state.read(cx)?;
        if !stored.is_of(&self.settings) {
            return Ok(());
        }
        let not_sampled = stored.not_sampled;
        let corrections = self.settings.corrections()?;
        let mut core = self.core.lock();
        let ignore = core.ignore.clone();
        *core = stored.into_core(corrections, ignore, &self.settings, cx)?;
        drop(core);
        self.not_sampled.store(not_sampled, Ordering::Relaxed);
        Ok(())
    }
}
