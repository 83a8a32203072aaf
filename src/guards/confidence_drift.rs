//! P2: when the confidence of a field falls, more of its answers go to human review.

mod builder;
mod commands;
mod key;
mod threshold;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::call::{Outcome, Reason, Report, Signal, Ticket};
use crate::confidence::Confidence;
use crate::error::Error;
use crate::event::{DriftEvent, EventKind, PipelineEvent, Severity};
use crate::format::Format;
use crate::guard::{Acceptance, Attached, Cx, Guard, State, Trouble};
use crate::order::{Order, check_revision};
use crate::revision::Revision;
use crate::stats::{BoundedMap, Place};
use crate::time::Timestamp;

pub use builder::ConfidenceDriftMonitorBuilder;
use commands::Command;
use key::Key;
use threshold::Settings;
pub use watch::{ConfidenceMeans, DriftState};
use watch::{Fall, Sums, Watch};

const NAME: &str = "confidence-drift";

/// Sends answers with a low confidence to human review, and more of them when the mean confidence
/// of a field falls below its baseline.
///
/// # What it watches
/// The confidence of every field of every answer, accepted or sent to review. For each pair of
/// document type and field, the monitor keeps a baseline, the mean over the first 100 documents,
/// and the mean over the last 4 hours. Confidences within one document are not independent, so a
/// field that a report names more than once counts once, with its mean.
///
/// # When it acts
/// When the mean over at least 30 documents is below the baseline by strictly more than 0.05. The
/// monitor evaluates a field whenever an answer contains it; time alone never triggers it. With
/// fewer documents, the state is [`InsufficientData`](DriftState::InsufficientData), not
/// [`Healthy`](DriftState::Healthy).
///
/// # What it does
/// An answer with a confidence below its field's acceptance threshold needs review; one equal to
/// the threshold does not. The threshold is 0.80. When a field drifts, the monitor raises its
/// threshold to 0.85 and sends one page. The threshold stays raised, even when no documents arrive,
/// until the operator [resolves](Self::resolve) the drift or [rebaselines](Self::rebaseline) the
/// field; then it returns to 0.80.
///
/// An answer with a confidence that is not a number from 0 to 1 needs review whatever the
/// threshold, and that confidence counts in no mean.
///
/// # What it cannot see
/// - Reports without confidences: the monitor accepts such an answer.
/// - Whether a confident answer is right.
/// - A change of the distribution that leaves the mean unchanged.
/// - A confidence that was already low while the baseline was measured.
/// - The drift of a pair with fewer than 30 documents in 4 hours.
///
/// # Defaults and why
/// 4 hours in 48 buckets: one unusual batch does not page. At least 30 documents: with a mean of
/// 0.90 and a standard deviation of 0.065, smaller windows would page on noise (beta-distributed
/// scores: 1.3 % of all windows with 10 documents, less than 0.01 % with 30). The price is delay:
/// when the confidence drops by 0.4 at once, the mean has dropped by 0.05 after half an hour; when
/// it drops by 0.1, only after two hours. At most 10,000 pairs are watched separately; further ones
/// share one entry, `other`, in which a document counts once.
///
/// # Events
/// What each page means and what to do:
/// [the runbook](crate::documentation::runbooks::confidence_drift).
///
/// Page: [`DriftDetected`](crate::event::DriftEvent::DriftDetected). Warnings:
/// [`InvalidConfidence`](crate::event::DriftEvent::InvalidConfidence),
/// [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted). Info:
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

#[derive(Debug)]
struct Core {
    /// Shared with snapshots that are being written.
    watches: BoundedMap<Key, Arc<Watch>>,
    commands: Vec<Command>,
    latest: Timestamp,
}

/// The status of one field of one document type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DriftStatus {
    /// The revision, for the next command. Commands on the field change it, and its threshold that
    /// is raised.
    pub revision: Revision,
    /// Whether the field has drifted.
    pub state: DriftState,
    /// The current acceptance threshold.
    pub threshold: Confidence,
    /// The baseline and the window mean.
    pub means: ConfidenceMeans,
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
        self.command(Command::Resolve(key, Order::new(who, why)?), meant_for)
    }

    /// Accepts a drift as the new normal: lowers the threshold to its initial value and measures a
    /// new baseline on the next 100 documents. Until then the monitor detects no drift.
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
        self.command(Command::Rebaseline(key, Order::new(who, why)?), meant_for)
    }

    /// The status of a field, as of the last answer or tick, with the revision that the next
    /// command must name.
    pub fn status(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> DriftStatus {
        let key = Key::new(document_type, field).ok();
        let status = self.with_watch(key, |watch, now| self.status_of(watch, now));
        status.unwrap_or_else(|| {
            let mut unseen = Watch::new(self.settings.span);
            self.status_of(&mut unseen, Timestamp::EPOCH)
        })
    }

    fn status_of(&self, watch: &mut Watch, now: Timestamp) -> DriftStatus {
        DriftStatus {
            revision: watch.revision(),
            state: watch.state(now, &self.settings),
            threshold: self.settings.threshold(watch.is_raised()),
            means: watch.means(now),
        }
    }

    /// The current acceptance threshold of a field.
    pub fn threshold(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> Confidence {
        let key = Key::new(document_type, field).ok();
        let core = self.core.lock();
        let watch = key.and_then(|key| core.watches.get(&key));
        self.settings.threshold(is_raised(watch))
    }

    /// The drift state of a field, as of the last answer or tick.
    pub fn state(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> DriftState {
        self.with_watch(Key::new(document_type, field).ok(), |watch, now| {
            watch.state(now, &self.settings)
        })
        .unwrap_or(DriftState::Warming)
    }

    /// The baseline and the window mean of a field, as of the last answer or tick.
    pub fn means(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> ConfidenceMeans {
        self.with_watch(Key::new(document_type, field).ok(), Watch::means)
            .unwrap_or_default()
    }

    fn with_watch<T>(
        &self,
        key: Option<Key>,
        read: impl FnOnce(&mut Watch, Timestamp) -> T,
    ) -> Option<T> {
        let mut core = self.core.lock();
        let latest = core.latest;
        let watch = core.watches.get_mut(&key?)?;
        Some(read(Arc::make_mut(watch), latest))
    }

    /// Does what the operator orders; the event comes with the next step.
    fn command(&self, command: Command, meant_for: Revision) -> Result<(), Error> {
        let mut core = self.core.lock();
        let now = core.latest;
        let (name, key) = (format!("{NAME} {}", command.name()), command.key());
        let Some(watch) = core.watches.get_mut(key) else {
            let allowed = "a field that has been reported";
            return Err(Error::invalid("field", key, allowed));
        };
        let watch = Arc::make_mut(watch);
        let status = self.status_of(watch, now);
        let shown = format!("{key} {}", status.state);
        check_revision(&name, meant_for, status.revision, &shown)?;
        match &command {
            Command::Resolve(..) if !watch.is_raised() => {
                let allowed = "a field whose threshold is raised";
                return Err(Error::invalid(name, shown, allowed));
            }
            Command::Resolve(..) => watch.lower(now),
            Command::Rebaseline(..) => watch.restart_baseline(now),
        }
        core.commands.push(command);
        Ok(())
    }

    /// Advances the time and reports the commands.
    fn catch_up(&self, core: &mut Core, cx: &Cx<'_>) {
        core.latest = cx.now();
        for command in std::mem::take(&mut core.commands) {
            let key = command.key();
            let named = if core.watches.has_own(key) {
                key.clone()
            } else {
                Key::other()
            };
            let shown = named.to_string();
            let Key {
                document_type,
                field,
            } = named;
            let threshold = self.settings.threshold;
            let event = match command {
                Command::Rebaseline(_, Order { who, why }) => DriftEvent::BaselineRestarted {
                    document_type,
                    field,
                    threshold,
                    who,
                    why,
                },
                Command::Resolve(_, Order { who, why }) => DriftEvent::DriftResolved {
                    document_type,
                    field,
                    threshold,
                    who,
                    why,
                },
            };
            cx.emit(Severity::Info, EventKind::Drift(event));
            cx.put_right(&drift(&shown));
        }
    }

    fn record(&self, core: &mut Core, ticket: &Ticket, report: &Report, cx: &Cx<'_>) {
        let mut scores: Vec<_> = report
            .confidences()
            .iter()
            .filter_map(|(field, score)| Some((field, (*score)?)))
            .collect();
        scores.sort_by_key(|(field, _)| *field);
        let (mut shared, mut shared_by) = (Sums::default(), None);
        for scores in scores.chunk_by(|(one, _), (next, _)| one == next) {
            let mut document = Sums::default();
            for (_, score) in scores {
                document.add(*score);
            }
            let (Some((field, _)), Some(mean)) = (scores.first(), document.mean()) else {
                continue;
            };
            let key = Key::of(ticket, field);
            let limit = core.watches.limit();
            let fresh = || Arc::new(Watch::new(self.settings.span));
            let (watch, place) = core.watches.entry(&key, fresh);
            if place == Place::Own {
                let watch = Arc::make_mut(watch);
                watch.record(mean, core.latest, &self.settings);
                self.evaluate(watch, &key, core.latest, cx);
                continue;
            }
            if place == Place::FirstOverflow {
                let first = key.to_string();
                cx.emit(
                    Severity::Warning,
                    EventKind::Pipeline(PipelineEvent::KeysExhausted { limit, first }),
                );
            }
            shared.add(mean);
            shared_by = Some(key);
        }
        let watch = shared_by.and_then(|key| core.watches.get_mut(&key));
        if let (Some(watch), Some(mean)) = (watch, shared.mean()) {
            let watch = Arc::make_mut(watch);
            watch.record(mean, core.latest, &self.settings);
            self.evaluate(watch, &Key::other(), core.latest, cx);
        }
    }

    fn evaluate(&self, watch: &mut Watch, key: &Key, now: Timestamp, cx: &Cx<'_>) {
        let Some(fall) = watch.fall(now, &self.settings) else {
            return;
        };
        watch.raise(now);
        cx.page(&drift(&key.to_string()), self.detected(key, &fall));
    }

    /// Says which thresholds are still raised.
    fn report_raised(&self, core: &mut Core, cx: &Cx<'_>) {
        let now = core.latest;
        let report = |key: &Key, watch: &mut Arc<Watch>| {
            if watch.is_raised() {
                let watch = Arc::make_mut(watch);
                cx.still(&drift(&key.to_string()), || {
                    self.detected(key, &watch.now_fallen(now))
                });
            }
        };
        for (key, watch) in core.watches.iter_mut() {
            report(key, watch);
        }
        if let Some(watch) = core.watches.other_mut() {
            report(&Key::other(), watch);
        }
    }

    fn detected(&self, key: &Key, fall: &Fall) -> EventKind {
        EventKind::Drift(DriftEvent::DriftDetected {
            document_type: key.document_type.clone(),
            field: key.field.clone(),
            baseline: fall.baseline,
            mean: fall.mean,
            documents: fall.documents,
            threshold: self.settings.raised,
        })
    }
}

impl Guard for ConfidenceDriftMonitor {
    fn name(&self) -> &'static str {
        NAME
    }

    fn attached(&self) -> Option<&Attached> {
        Some(&self.attached)
    }

    fn review(&self, ticket: &Ticket, report: &Report, cx: &Cx<'_>) -> Acceptance {
        let mut core = self.core.lock();
        self.catch_up(&mut core, cx);
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
            let watch = core.watches.get(&Key::of(ticket, field));
            let threshold = self.settings.threshold(is_raised(watch));
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
        self.catch_up(&mut core, cx);
        if let Signal::Settled {
            outcome: Outcome::Accepted | Outcome::NeedsReview,
            report,
        } = signal
        {
            self.record(&mut core, ticket, report, cx);
        }
    }

    fn tick(&self, cx: &Cx<'_>) {
        let mut core = self.core.lock();
        self.catch_up(&mut core, cx);
        self.report_raised(&mut core, cx);
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let core = self.core.lock();
        let mut stored = Stored {
            format: Format,
            watches: core.watches.shared(),
            other: core.watches.other().cloned(),
            commands: core.commands.clone(),
        };
        drop(core);
        let watches = &mut stored.watches;
        watches.sort_by(|(one, _), (other, _)| one.cmp(other));
        State::write(&stored, cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let stored: Stored = state.read(cx)?;
        let mut core = self.core.lock();
        core.latest = cx.now();
        let restored = |mut watch: Arc<Watch>, stored| {
            Arc::make_mut(&mut watch).restore(Arc::unwrap_or_clone(stored));
            watch
        };
        let fresh = || Arc::new(Watch::new(self.settings.span));
        let mut watches: BTreeMap<_, _> = core
            .watches
            .iter()
            .filter(|(_, watch)| watch.has_given_baseline())
            .map(|(key, watch)| (key.clone(), Arc::clone(watch)))
            .collect();
        for (key, stored) in stored.watches {
            let watch = watches.remove(&key).unwrap_or_else(fresh);
            watches.insert(key, restored(watch, stored));
        }
        let other = stored.other.map(|stored| restored(fresh(), stored));
        core.watches.refill(watches, other);
        core.commands = stored.commands;
        Ok(())
    }
}

fn is_raised(watch: Option<&Arc<Watch>>) -> bool {
    watch.is_some_and(|watch| watch.is_raised())
}

/// The threshold of a field is raised; all fields that fall together are one incident.
fn drift(name: &str) -> Trouble<'_> {
    Trouble::new("drift").about(name).joins_always()
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    watches: Vec<(Key, Arc<Watch>)>,
    other: Option<Arc<Watch>>,
    commands: Vec<Command>,
}
