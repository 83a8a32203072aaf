//! P2: when the confidence of a field falls, more of its answers go to human review.

mod acknowledged;
mod baseline;
mod bets;
mod builder;
mod certainty;
mod commands;
mod core;
mod corrections;
mod falls;
mod findings;
mod incident;
mod key;
mod mix;
mod raised;
mod reporting;
mod review_queue;
mod season;
mod segment;
mod slow;
mod stored;
mod threshold;
mod verdict;
mod voice;
mod watch;

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;

use self::core::Core;
use crate::call::{Outcome, Reason, Report, Signal, Ticket};
use crate::confidence::Confidence;
use crate::error::Error;
use crate::event::{DriftEvent, EventKind, Severity};
use crate::guard::{
    Acceptance, Attached, Cx, Guard, Share, State, Symptom, Wanted, time_to_exceed,
};
use crate::name::{DocumentType, Field, VersionId};
use crate::order::{Order, check_revision};
use crate::revision::Revision;
use crate::stats::Tracked;
use crate::time::{Timestamp, hours};

pub use crate::event::drift::{DriftRule, ShapeChange, TypeShare};
use acknowledged::Acknowledged;
pub use builder::ConfidenceDriftMonitorBuilder;
use commands::{Asks, Command};
pub use corrections::DriftCorrections;
use key::{Key, Names};
pub use season::{Season, Slot};
use stored::Stored;
use threshold::Settings;
pub use verdict::{ConfidenceMeans, DriftState, DriftStatus, SequentialTest, ShapeComparison};
use watch::Watch;

const NAME: &str = "confidence-drift";
/// For so long a drift can be acknowledged.
const LONGEST_SILENCE: Duration = hours(30 * 24);

/// Sends answers with a low confidence to human review, and more of them when the confidence of a
/// field falls below its baseline.
///
/// # What it watches
/// The confidence of every field of every answer, accepted or sent to review. For each document
/// type, field and version, the monitor keeps a baseline, measured on the first 100 documents and
/// then frozen, and the confidences of the last 4 hours. Confidences within one document are not
/// independent, so documents are counted, and a field that a report names more than once counts
/// once, with its mean.
///
/// # When it acts
/// At a document, when one of two rules finds a fall; time alone never raises a threshold.
/// - **The mean over the window** is below the baseline by strictly more than 0.05 and by at least 4
///   standard errors, over at least 30 documents, or 16 times their variance divided by 0.05 squared
///   if that is more. With fewer documents, the state is
///   [`InsufficientData`](DriftState::InsufficientData), not [`Healthy`](DriftState::Healthy).
/// - **The sequential test** bets on each document that the mean is below the baseline by more than
///   0.01, or by two standard errors of the baseline if that is more. It raises one false alarm a
///   month at most, in expectation and over all fields together, whatever the distribution and the
///   traffic; with an
///   [`average_run_length`](ConfidenceDriftMonitorBuilder::average_run_length), one in a stated
///   number of documents of each field.
///
/// At the end of a bucket of 5 minutes, the monitor compares the distribution with that of the
/// baseline. It reports a change that is certain (Kolmogorov-Smirnov, one in a thousand divided by
/// the number of fields) and large (Wasserstein distance of more than 0.03), and raises no threshold
/// for it: the state is [`Suspected`](DriftState::Suspected).
///
/// Every 12 hours, at 00:00 and 12:00 UTC, it compares the mean over the last 7 days with the same
/// baseline. It reports a slow drift, a mean that is below by strictly more than 0.02 and as
/// certain as the mean over the window must be, and raises no threshold for it: the state is
/// [`Suspected`](DriftState::Suspected). A slow drift ends when the drop is less than 0.012, and
/// while a threshold is raised there is none.
///
/// At the end of a bucket it also compares the mean over all documents of a version, of which each
/// counts once with the mean of its fields, with that of a reference: the first 1,000 documents of
/// the version, and what else comes within its first day. Where that mean has fallen by more than
/// 0.05 for certain, and the fall within document types is at most 0.03, it reports a shift of the
/// mix: types with a lower confidence come more often. It raises no threshold for it.
///
/// # What it does
/// An answer with a confidence below its field's acceptance threshold needs review; one equal to
/// the threshold does not. The threshold is 0.80. When a field drifts, the monitor raises its
/// threshold for this version to 0.85 and pages. Fields and types that fall in the same bucket of 5
/// minutes join the incident: the page names the worst ten of the document, a warning at the end of
/// the bucket the worst ten of all, and an info event each of them. The threshold stays raised, even when no documents arrive, until
/// the operator [resolves](Self::resolve) the drift or [rebaselines](Self::rebaseline) the field
/// (which can be [undone](Self::undo_rebaseline)); then it returns to 0.80. No page comes for what
/// the operator [acknowledges](Self::acknowledge), until the time that was given for it. The state
/// becomes [`Recovering`](DriftState::Recovering) when the mean over a whole window is near the
/// baseline again;
/// [`restore_when_recovered`](ConfidenceDriftMonitorBuilder::restore_when_recovered) lowers the
/// threshold then, step by step.
///
/// The threshold can rise further, to
/// [hold the expected error](ConfidenceDriftMonitorBuilder::hold_expected_error) of accepted answers,
/// and what is raised can be capped by the
/// [capacity](ConfidenceDriftMonitorBuilder::review_capacity) of the reviewers. The
/// [ticket](Ticket::thresholds) of an answer has the generation of the thresholds that decided on
/// it.
///
/// With a [season](ConfidenceDriftMonitorBuilder::season), Mondays are compared with Mondays, or
/// month ends with month ends; the verdict names what it compared with.
///
/// Reviews and corrections of a drifted field are counted and compared with those before: a warning
/// says when they [confirm](DriftCorrections::confirm) the drift, an info event when a hundred reviewed
/// documents do not.
///
/// An answer with a confidence that is not a number from 0 to 1 needs review whatever the
/// threshold, and that confidence counts in no mean. The monitor pages when a confidence has become
/// the same in 100 documents, and when less than half as many answers have it as at first.
///
/// # What it cannot see
/// - Whether a confident answer is right, until reviewers have seen some.
/// - A confidence that was already low while the baseline was measured: each version has its own, so
///   a new version without a [given baseline](ConfidenceDriftMonitorBuilder::baseline) is compared
///   with its own first documents.
/// - A change of the distribution, where only the mean of the baseline is given.
/// - A drop that is too small for the traffic: [`DriftStatus::detectable_drop`] says which drop 30
///   minutes reveal.
/// - Fields that were never reported; their answers are accepted.
/// - Times that differ, such as Mondays, without a season: each of them is a fall.
/// - The share that a type has at this hour: where a type comes at night only, each night may be a
///   shift of the mix.
/// - A slow drift of less than four standard errors of the baseline: 0.026, where that has 100
///   documents with a standard deviation of 0.065.
/// - A fall within the 5 minutes in which the first document of a field comes, but by the mean.
///
/// # Defaults and why
/// Means over 4 hours in 48 buckets, of at least 30 documents: with a mean of 0.90 and a standard
/// deviation of 0.065, smaller windows would page on noise (beta-distributed scores: 1.4 % of all
/// windows with 10 documents, less than 0.01 % with 30). The price is delay: a drop of 0.15 takes 80
/// minutes, one of 0.05 about 4 hours. So the sequential test stands beside it: with 112 documents
/// in 4 hours and two false alarms a month it finds a drop of 0.40 after 7 documents, 0.15 after 13,
/// 0.08 after 23, 0.05 after 45 and 0.03 after 107 (median of 21 simulated runs: `cargo test --test
/// it drift::sequential -- --nocapture`). Ten times as many fields need about a quarter more
/// documents. A drift ends below 0.03 and not below 0.05, or a mean near the limit would raise and
/// lower the threshold all the time; with the sequential test it ends where that would find nothing.
/// At most 10,000 pairs are watched separately; further ones share one entry, `other`, in which a
/// document counts once.
///
/// The mean over 7 days has each weekday once, so a weekly pattern is no slow drift. The reference
/// of the mix has as many documents as ten baselines, so the error of a share is at most 0.016, and
/// the types of a whole day.
///
/// # Events
/// What each page means and what to do:
/// [the runbook](crate::documentation::runbooks::confidence_drift).
///
/// Pages: [`DriftDetected`](crate::event::DriftEvent::DriftDetected),
/// [`AcknowledgementExpired`](crate::event::DriftEvent::AcknowledgementExpired),
/// [`ReviewCapacityReached`](crate::event::DriftEvent::ReviewCapacityReached),
/// [`ConfidenceConstant`](crate::event::DriftEvent::ConfidenceConstant) (a warning where it always
/// was), [`ConfidenceMissing`](crate::event::DriftEvent::ConfidenceMissing). Warnings:
/// [`DriftReviewed`](crate::event::DriftEvent::DriftReviewed) where it confirms the drift,
/// [`InvalidConfidence`](crate::event::DriftEvent::InvalidConfidence),
/// [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted),
/// [`MixShift`](crate::event::DriftEvent::MixShift),
/// [`RaisedWithoutData`](crate::event::DriftEvent::RaisedWithoutData),
/// [`ShapeChanged`](crate::event::DriftEvent::ShapeChanged),
/// [`SlowDrift`](crate::event::DriftEvent::SlowDrift). Info:
/// [`AcceptedUnreviewed`](crate::event::DriftEvent::AcceptedUnreviewed),
/// [`BaselineRestored`](crate::event::DriftEvent::BaselineRestored),
/// [`DriftAcknowledged`](crate::event::DriftEvent::DriftAcknowledged),
/// [`DriftReviewed`](crate::event::DriftEvent::DriftReviewed) where it does not,
/// [`ThresholdRaised`](crate::event::DriftEvent::ThresholdRaised),
/// [`DriftRecovered`](crate::event::DriftEvent::DriftRecovered),
/// [`DriftResolved`](crate::event::DriftEvent::DriftResolved),
/// [`BaselineRestarted`](crate::event::DriftEvent::BaselineRestarted).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use fusebox::{Call, Confidence, ConfidenceDriftMonitor, DocumentType, Field, LineUp, Pipeline, Report, Version};
/// use fusebox::drift::DriftState;
///
/// let (invoice, total) = (DocumentType::new("invoice")?, Field::new("total")?);
/// let baseline = Confidence::percent(92);
/// let drift = ConfidenceDriftMonitor::builder().baseline(invoice.clone(), total.clone(), baseline, 5_000).build()?;
/// let drift = Arc::new(drift);
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).guard(Arc::clone(&drift)).build()?;
///
/// for n in 0..30 {
///     if let Some(permit) = pipeline.admit(&Call::new(format!("inv-{n}"), "invoice")?).permit() {
///         let _ = permit.answer(Report::new().confidence("total", 0.84));
///     }
/// }
/// assert_eq!(drift.state(&invoice, &total), DriftState::Raised);
/// assert_eq!(drift.threshold(&invoice, &total), Confidence::percent(85));
///
/// // Once the operator understands the drift:
/// let seen = drift.status(&invoice, &total).revision;
/// drift.resolve(&invoice, &total, seen, "ada", "the scanner was dirty")?;
/// assert_eq!(drift.threshold("invoice", "total"), Confidence::percent(80));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
pub struct ConfidenceDriftMonitor {
    settings: Settings,
    core: Mutex<Core>,
    attached: Attached,
}

impl ConfidenceDriftMonitor {
    /// Resolves a drift: lowers the threshold to its initial value, keeps the baseline and empties
    /// the window. If the mean is still low after 30 more documents, the threshold rises again.
    ///
    /// Takes effect at once; the event is emitted at the pipeline's next answer or tick. An error
    /// if the field has changed since the [`status`](Self::status) with the revision `meant_for`,
    /// if its threshold is not raised, or if `who` or `why` is blank or not one line of
    /// at most 1,000 bytes. Nothing is changed then.
    pub fn resolve(
        &self,
        document_type: impl AsRef<str>,
        field: impl AsRef<str>,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        let key = Key::new(document_type, field)?;
        self.command(Asks::Resolve, key, Order::new(who, why)?, meant_for)
    }

    /// Says that somebody knows of a drift: until then no page comes for it. The threshold stays
    /// raised, and the state is [`Acknowledged`](DriftState::Acknowledged). If the drift is not
    /// resolved by then, a page says so.
    ///
    /// The event is emitted at the pipeline's next answer or tick. An error if the field has changed
    /// since the [`status`](Self::status) with the revision `meant_for`, if its threshold is not
    /// raised, if `until` is past or more than 30 days away, or if `who` or `note` is blank or not
    /// one line of at most 1,000 bytes. Nothing is changed then.
    pub fn acknowledge(
        &self,
        document_type: impl AsRef<str>,
        field: impl AsRef<str>,
        meant_for: Revision,
        until: Timestamp,
        who: impl AsRef<str>,
        note: impl AsRef<str>,
    ) -> Result<(), Error> {
        let key = Key::new(document_type, field)?;
        let asks = Asks::Acknowledge { until };
        self.command(asks, key, Order::new(who, note)?, meant_for)
    }

    /// Accepts a drift as the new normal: lowers the threshold to its initial value and measures a
    /// new baseline of each version on its next 100 documents. Until then the monitor detects no drift.
    /// The reference of the mix of document types is measured anew as well.
    ///
    /// Takes effect at once; the event is emitted at the pipeline's next answer or tick. An error
    /// if the field has changed since the [`status`](Self::status) with the revision `meant_for`,
    /// if it has never been reported, or if `who` or `why` is blank or not one line of
    /// at most 1,000 bytes. Nothing is changed then.
    pub fn rebaseline(
        &self,
        document_type: impl AsRef<str>,
        field: impl AsRef<str>,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        let key = Key::new(document_type, field)?;
        self.command(Asks::Rebaseline, key, Order::new(who, why)?, meant_for)
    }

    /// Takes [`rebaseline`](Self::rebaseline) back: the baseline before it counts again, with an
    /// empty window, whether or not the new one has been measured.
    ///
    /// Takes effect at once; the event is emitted at the pipeline's next answer or tick. An error
    /// if the field has changed since the [`status`](Self::status) with the revision `meant_for`,
    /// if no baseline was replaced since, or if `who` or `why` is blank or not one line of at most
    /// 1,000 bytes. Nothing is changed then.
    pub fn undo_rebaseline(
        &self,
        document_type: impl AsRef<str>,
        field: impl AsRef<str>,
        meant_for: Revision,
        who: impl AsRef<str>,
        why: impl AsRef<str>,
    ) -> Result<(), Error> {
        let key = Key::new(document_type, field)?;
        self.command(Asks::UndoRebaseline, key, Order::new(who, why)?, meant_for)
    }

    /// The status of a field, as of the last answer or tick, with the revision that the next
    /// command must name.
    pub fn status(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> DriftStatus {
        let key = Key::new(document_type, field).ok();
        self.core.lock().status(key.as_ref(), &self.settings)
    }

    /// The current acceptance threshold of a field: the highest, where it differs by version.
    pub fn threshold(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> Confidence {
        let key = Key::new(document_type, field).ok();
        let core = self.core.lock();
        let watch = key.and_then(|key| core.watches.get(&key));
        watch
            .and_then(|watch| watch.raised_threshold())
            .unwrap_or(self.settings.threshold)
    }

    /// The fields whose threshold is raised, in order.
    pub fn raised(&self) -> Vec<(DocumentType, Field)> {
        let core = self.core.lock();
        let watches = core.watches.iter();
        let raised = watches.filter(|(_, watch)| watch.is_raised());
        let mut names: Vec<_> = raised
            .map(|(key, _)| (key.document_type.clone(), key.field.clone()))
            .collect();
        names.sort();
        names
    }

    /// The drift state of a field, as of the last answer or tick.
    pub fn state(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> DriftState {
        let key = Key::new(document_type, field).ok();
        self.with_watch(key, |watch, production, now| {
            watch.state(production, now, &self.settings)
        })
    }

    /// The baseline and the window mean of a field, as of the last answer or tick.
    pub fn means(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> ConfidenceMeans {
        let key = Key::new(document_type, field).ok();
        self.with_watch(key, |watch, production, now| {
            let slot = self.settings.slot_at(now);
            let span = self.settings.span;
            watch.read(production, slot, span, |segment| segment.means(now))
        })
    }

    /// Reads the watch of a field; one of a field that has never come, if there is none.
    fn with_watch<T>(
        &self,
        key: Option<Key>,
        read: impl FnOnce(&mut Watch, Option<&VersionId>, Timestamp) -> T,
    ) -> T {
        let core = &mut *self.core.lock();
        let mut unseen = Watch::new(None);
        let known = key.and_then(|key| core.watches.get_mut(&key));
        let watch = known.map_or(&mut unseen, Tracked::read);
        read(watch, core.production.as_ref(), core.latest)
    }

    /// How many confidences were not a number from 0 to 1, in answers that were not failures. They
    /// count in no mean.
    pub fn invalid_confidences(&self) -> u64 {
        self.core.lock().invalid
    }

    /// Does what the operator orders; the event comes with the next step.
    fn command(
        &self,
        asks: Asks,
        key: Key,
        mut order: Order,
        meant_for: Revision,
    ) -> Result<(), Error> {
        let core = &mut *self.core.lock();
        let now = core.latest;
        let name = format!("{NAME} {}", asks.name());
        let Some(watch) = core.watches.get_mut(&key) else {
            let allowed = "a field that has been reported";
            return Err(Error::invalid("field", key, allowed));
        };
        let watch = watch.change();
        let state = watch.state(core.production.as_ref(), now, &self.settings);
        let shown = format!("{key} {state}");
        check_revision(&name, meant_for, watch.revision(), &shown)?;
        let before = watch.in_words(core.production.as_ref(), now, &self.settings);
        let refused = |allowed| Err(Error::invalid(name.clone(), &shown, allowed));
        match asks {
            Asks::Acknowledge { .. } | Asks::Resolve if !watch.is_raised() => {
                return refused("a field whose threshold is raised");
            }
            Asks::Acknowledge { until } if until <= now || until > now + LONGEST_SILENCE => {
                let allowed = "a time from now on, at most 30 days away";
                return Err(Error::invalid(format!("{name} until"), until, allowed));
            }
            Asks::UndoRebaseline if !watch.has_replaced_baseline() => {
                return refused("a field with a baseline before the one that was asked for");
            }
            Asks::Acknowledge { until } => {
                let order = order.clone();
                watch.acknowledge(Acknowledged { until, order }, now);
            }
            Asks::Resolve => watch.lower(now),
            Asks::Rebaseline => {
                watch.restart_baseline(now);
                core.mixes.restart();
            }
            Asks::UndoRebaseline => watch.undo_baseline(now),
        }
        let after = watch.in_words(core.production.as_ref(), now, &self.settings);
        order.changed(before, after);
        core.generation += u64::from(asks.changes_threshold());
        core.commands.push(Command {
            asks,
            key,
            order,
            generation: core.generation,
        });
        Ok(())
    }
}

impl Guard for ConfidenceDriftMonitor {
    fn name(&self) -> &'static str {
        NAME
    }

    fn attached(&self) -> Option<&Attached> {
        Some(&self.attached)
    }

    fn settings(&self) -> String {
        format!("{:?}", self.settings)
    }

    fn time_to_exceed(&self, symptom: &Symptom) -> Option<Duration> {
        let Symptom::LowerConfidence(by) = *symptom else {
            return None;
        };
        let window = self.settings.span.length();
        let (most, drop) = (self.settings.max_drop, by);
        time_to_exceed(window, most.as_millionths(), drop.as_millionths())
    }

    fn review(&self, ticket: &Ticket, report: &Report, cx: &Cx<'_>) -> Acceptance {
        let mut core = self.core.lock();
        core.catch_up(&self.settings, cx);
        cx.mark_thresholds(core.generation);
        let mut reasons = BTreeSet::new();
        for (field, confidence) in report.confidences() {
            let Some(confidence) = *confidence else {
                let field = field.clone();
                if reasons.insert(Reason::InvalidConfidence {
                    field: field.clone(),
                }) {
                    let kind = EventKind::Drift(DriftEvent::InvalidConfidence {
                        document: ticket.document().clone(),
                        document_type: ticket.document_type().clone(),
                        field,
                    });
                    cx.emit(Severity::Warning, kind);
                }
                continue;
            };
            let names: &dyn Names = &(ticket.document_type(), field);
            let watch = core.watches.get(names);
            let raised = watch.and_then(|watch| watch.raised_threshold_for(ticket.version()));
            let threshold = raised.map_or(self.settings.threshold, |raised| {
                raised.min(core.cap(ticket, &self.settings))
            });
            if confidence < threshold {
                reasons.insert(Reason::LowConfidence {
                    field: field.clone(),
                    confidence,
                    threshold,
                });
            }
        }
        if reasons.is_empty() {
            Acceptance::Accept
        } else {
            Acceptance::Review(reasons)
        }
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        let mut core = self.core.lock();
        core.catch_up(&self.settings, cx);
        match signal {
            Signal::Settled {
                outcome: outcome @ (Outcome::Accepted | Outcome::NeedsReview),
                report,
            } => {
                let is_reviewed = *outcome == Outcome::NeedsReview;
                core.record(ticket, report, is_reviewed, &self.settings, cx);
            }
            Signal::Feedback(feedback) => core.learn(ticket, feedback),
            _ => {}
        }
    }

    fn tick(&self, cx: &Cx<'_>) {
        let mut core = self.core.lock();
        core.catch_up(&self.settings, cx);
        core.tick(&self.settings, cx);
    }

    fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        if wanted == Wanted::Facts {
            return Ok(Share::default());
        }
        let all = wanted == Wanted::AllRegisters;
        let changed = self.core.lock().take_changed(all, &self.settings);
        changed.share(cx)
    }

    fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        let stored = Stored::taken(shared, cx)?;
        self.core.lock().restore(stored, &self.settings, cx);
        Ok(())
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let mut stored = self.core.lock().stored(&self.settings);
        stored.sort();
        State::write(&stored, cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let stored: Stored = state.read(cx)?;
        self.core.lock().restore(stored, &self.settings, cx);
        Ok(())
    }
}
