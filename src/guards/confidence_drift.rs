//! P2: when the model becomes less sure of a field, more of its answers go to people.

mod builder;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::call::{Outcome, Reason, Report, Signal, Ticket};
use crate::confidence::Confidence;
use crate::error::Error;
use crate::event::{DriftEvent, EventKind, PipelineEvent, Severity};
use crate::format::Format;
use crate::guard::{Acceptance, Cx, Guard, State};
use crate::name::{DocumentType, Field};
use crate::stats::{BoundedMap, Place};
use crate::time::Timestamp;

pub use builder::ConfidenceDriftMonitorBuilder;
pub use watch::{ConfidenceMeans, DriftState};
use watch::{Fall, Settings, Sums, Watch};

const NAME: &str = "confidence-drift";

/// Sends answers that the model is not sure of to people, and more of them when its confidence has fallen.
///
/// # What it watches
/// The confidence of every field of every answer, accepted or held for review. Per document type and field it keeps a
/// baseline, learnt from the first 100 documents and then left alone, and the mean over the last 4 hours. Scores of one
/// document are not independent, so a field that a report names more than once counts once, with its mean.
///
/// # When it acts
/// When the mean over at least 30 documents is below the baseline by strictly more than 0.05. It looks at every answer;
/// time passing alone never triggers it. With fewer documents it says [`InsufficientData`](DriftState::InsufficientData),
/// and not that all is well.
///
/// # What it does
/// An answer with a confidence below its field's threshold needs review; one that is equal to it does not. The threshold
/// is 0.80. When the mean of a field has fallen, its threshold rises to 0.85, and one page is sent. It stays there, even
/// if documents stop coming, until a person [resolves](Self::resolve) it. It never falls below where it started.
///
/// A score that is no number from 0 to 1 needs review whatever the threshold is, and counts in no mean.
///
/// # What it cannot see
/// A report without confidences: such an answer is accepted. Whether a confident answer is right. A shift of shape that
/// leaves the mean where it was. What was wrong already while the baseline was learnt. A shift of a pair that has fewer
/// than 30 documents in 4 hours.
///
/// # Defaults and why
/// 4 hours in 48 steps, so that one odd batch does not page. At least 30 documents: scores around 0.90 that vary by 0.065
/// would otherwise page on noise (in 1.4 % of all windows with 10 documents, in 0.004 % with 30). The price is time: after
/// a sudden fall by 0.4 the mean is down by 0.05 after half an hour, after a fall by 0.1 only after two hours.
/// At most 10,000 pairs are watched apart; past it new ones share one entry, `other`, in which a document counts once.
///
/// # Events
/// [`DriftDetected`](crate::event::DriftEvent::DriftDetected) (page), [`DriftResolved`](crate::event::DriftEvent::DriftResolved),
/// [`InvalidConfidence`](crate::event::DriftEvent::InvalidConfidence), [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted) (warnings).
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
/// drift.resolve(&invoice, &total); // once a person understands the shift
/// pipeline.tick();
/// assert_eq!(drift.threshold("invoice", "total"), Confidence::percent(80));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
pub struct ConfidenceDriftMonitor {
    settings: Settings,
    core: Mutex<Core>,
}

#[derive(Debug)]
struct Core {
    watches: BoundedMap<Key, Watch>,
    commands: Vec<Command>,
    latest: Timestamp,
}

/// What is watched apart. Cloning copies two pointers, so a lookup costs no allocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Key {
    document_type: DocumentType,
    field: Field,
}

impl Key {
    fn of(ticket: &Ticket, field: &Field) -> Self {
        Self {
            document_type: ticket.document_type().clone(),
            field: field.clone(),
        }
    }

    /// From what a person wrote; an empty name names nothing.
    fn named(document_type: impl AsRef<str>, field: impl AsRef<str>) -> Option<Self> {
        Some(Self {
            document_type: DocumentType::new(document_type).ok()?,
            field: Field::new(field).ok()?,
        })
    }

    /// The name of the entry that keys share.
    fn other() -> Self {
        Self {
            document_type: DocumentType::other(),
            field: Field::other(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.document_type, self.field)
    }
}

/// What a person said; it waits for the next moment at which its event can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    Rebaseline(Key),
    Resolve(Key),
}

impl ConfidenceDriftMonitor {
    /// A shift is understood: the threshold goes back to where it started. The baseline stays, and the window is
    /// emptied; if confidence is still low after 30 more documents, the threshold rises again.
    ///
    /// Takes effect at the pipeline's next answer or tick. A field that is not raised is left alone.
    pub fn resolve(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) {
        self.command(Key::named(document_type, field).map(Command::Resolve));
    }

    /// A shift is the new normal: the threshold goes back to where it started, and a new baseline is learnt from the
    /// next 100 documents. While it is being learnt, no shift is seen.
    ///
    /// Takes effect at the pipeline's next answer or tick. A field that was never seen is left alone.
    pub fn rebaseline(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) {
        self.command(Key::named(document_type, field).map(Command::Rebaseline));
    }

    /// The acceptance threshold of a field.
    pub fn threshold(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> Confidence {
        let key = Key::named(document_type, field);
        let core = self.core.lock();
        self.settings
            .threshold_of(key.and_then(|key| core.watches.get(&key)))
    }

    /// What is known of the confidence of a field, as of the last answer or tick.
    pub fn state(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> DriftState {
        self.with_watch(Key::named(document_type, field), |watch, now| {
            watch.state(now, &self.settings)
        })
        .unwrap_or(DriftState::Warming)
    }

    /// The two means that are compared for a field, as of the last answer or tick.
    pub fn means(&self, document_type: impl AsRef<str>, field: impl AsRef<str>) -> ConfidenceMeans {
        self.with_watch(Key::named(document_type, field), Watch::means)
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
        Some(read(watch, latest))
    }

    fn command(&self, command: Option<Command>) {
        let mut core = self.core.lock();
        if let Some(command) = command {
            let (Command::Rebaseline(key) | Command::Resolve(key)) = &command;
            if core.watches.get(key).is_some() && !core.commands.contains(&command) {
                core.commands.push(command);
            }
        }
    }

    /// Takes up the time and what people said.
    fn settle_in(&self, core: &mut Core, cx: &Cx<'_>) {
        core.latest = core.latest.max(cx.now());
        for command in std::mem::take(&mut core.commands) {
            let (Command::Rebaseline(key) | Command::Resolve(key)) = &command;
            let name = if core.watches.has_own(key) {
                key.clone()
            } else {
                Key::other()
            };
            let Some(watch) = core.watches.get_mut(key) else {
                continue;
            };
            match command {
                Command::Rebaseline(_) => watch.relearn(),
                Command::Resolve(_) if watch.is_raised() => watch.lower(),
                Command::Resolve(_) => continue,
            }
            let kind = EventKind::Drift(DriftEvent::DriftResolved {
                document_type: name.document_type,
                field: name.field,
                threshold: self.settings.threshold,
            });
            cx.emit(Severity::Info, kind);
        }
    }

    fn learn(&self, core: &mut Core, ticket: &Ticket, report: &Report, cx: &Cx<'_>) {
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
            let (watch, place) = core.watches.entry(&key, || Watch::new(self.settings.span));
            if place == Place::Own {
                watch.record(mean, core.latest, &self.settings);
                self.look(watch, &key, core.latest, cx);
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
            watch.record(mean, core.latest, &self.settings);
            self.look(watch, &Key::other(), core.latest, cx);
        }
    }

    fn look(&self, watch: &mut Watch, key: &Key, now: Timestamp, cx: &Cx<'_>) {
        let Some(fall) = watch.fall(now, &self.settings) else {
            return;
        };
        watch.raise();
        let Fall {
            baseline,
            mean,
            documents,
        } = fall;
        let kind = EventKind::Drift(DriftEvent::DriftDetected {
            document_type: key.document_type.clone(),
            field: key.field.clone(),
            baseline,
            mean,
            documents,
            threshold: self.settings.raised,
        });
        cx.emit(Severity::Page, kind);
    }
}

impl Guard for ConfidenceDriftMonitor {
    fn name(&self) -> &'static str {
        NAME
    }

    fn review(&self, ticket: &Ticket, report: &Report, cx: &Cx<'_>) -> Acceptance {
        let mut core = self.core.lock();
        self.settle_in(&mut core, cx);
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
            let threshold = self.settings.threshold_of(watch);
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
        self.settle_in(&mut core, cx);
        if let Signal::Settled {
            outcome: Outcome::Accepted | Outcome::NeedsReview,
            report,
        } = signal
        {
            self.learn(&mut core, ticket, report, cx);
        }
    }

    fn tick(&self, cx: &Cx<'_>) {
        self.settle_in(&mut self.core.lock(), cx);
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let core = self.core.lock();
        let mut watches: Vec<_> = core
            .watches
            .iter()
            .map(|(key, watch)| (key.clone(), watch.clone()))
            .collect();
        watches.sort_by(|(one, _), (other, _)| one.cmp(other));
        let stored = Stored {
            format: Format,
            watches,
            other: core.watches.other().cloned(),
            commands: core.commands.clone(),
        };
        State::write(&stored, cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let stored: Stored = state.read(cx)?;
        let mut core = self.core.lock();
        core.latest = core.latest.max(cx.now());
        let take_up = |mut watch: Watch, stored| {
            watch.take_up(stored);
            watch
        };
        let fresh = || Watch::new(self.settings.span);
        let mut watches: BTreeMap<_, _> = core
            .watches
            .iter()
            .filter(|(_, watch)| watch.is_given())
            .map(|(key, watch)| (key.clone(), watch.clone()))
            .collect();
        for (key, stored) in stored.watches {
            let watch = watches.remove(&key).unwrap_or_else(fresh);
            watches.insert(key, take_up(watch, stored));
        }
        let other = stored.other.map(|stored| take_up(fresh(), stored));
        core.watches.refill(watches, other);
        core.commands = stored.commands;
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    watches: Vec<(Key, Watch)>,
    other: Option<Watch>,
    commands: Vec<Command>,
}
