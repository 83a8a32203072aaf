//! P6: a new version runs on real documents in parallel to production, and its output serves only
//! for comparison.

mod builder;
mod report;
mod sealed;

use std::collections::BTreeSet;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::call::{Comparison, Feedback, ShadowEnd, Signal, Ticket, TicketId};
use crate::error::Error;
use crate::event::{EventKind, PipelineEvent, Severity, ShadowEvent};
use crate::format::Format;
use crate::guard::{Attached, Cx, Guard, State};
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::stats::{BoundedMap, Place, wilson};

pub use builder::ShadowComparatorBuilder;
pub use report::{Divergence, ShadowCounts, ShadowReport, ShadowVerdict};
pub use sealed::Shadowed;

const NAME: &str = "shadow";
/// The number of compared documents between two evaluations.
const EVALUATE_EVERY: u64 = 100;
/// The number of document types that are counted separately.
const TYPES: usize = 1_000;
/// The number of fields that are kept of one diverging document.
const FIELDS: usize = 100;

/// Counts how often the answers of a new version, which runs on real documents in parallel to
/// production, diverge from production's.
///
/// # What it watches
/// Comparisons that the application reports as [`Feedback::Compared`] with the ticket of
/// production's call. Each ticket counts once, as one of: matched, diverged, candidate failed (part
/// of the rate: no answer is no agreement), or not comparable (not part of the rate). A document
/// that the candidate itself served is not comparable.
///
/// # When it acts
/// The comparator evaluates the divergence rate after 200 compared documents, after every further
/// 100, and after 500, when the run is over. It does not evaluate in between: with a test after
/// every document, the rate would sooner or later exceed any threshold by chance. A rate of
/// strictly more than 8 % is too high: 41 of 500, but not 40.
///
/// # What it does
/// It requests a review, once per run. It blocks nothing: it has no vote, and it reroutes no
/// document. The [report](Self::report) lists the diverging documents with their tickets.
///
/// # What it cannot see
/// - Which of the two answers is right.
/// - How often production diverges from itself.
/// - Documents for which the application reports no comparison, and types that never arrived.
/// - Which candidate a comparison belongs to: run one shadow run at a time in a pipeline.
///
/// # Defaults and why
/// 200 to 500 documents and 8 %: at a true rate of 5 %, the evaluation at 500 documents alone
/// requests a review in 0.2 % of runs, at 10 % in 92 %. `CertifiedBelow` requires the upper end of
/// the 95 % interval to be at or below 8 %: at most 8 of 200, or 28 of 500. The intervals are not
/// corrected for repeated evaluation; decide on the last one.
///
/// # Events
/// Warnings: [`ReviewRequested`](crate::event::ShadowEvent::ReviewRequested),
/// [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted). Info:
/// [`ShadowFinished`](crate::event::ShadowEvent::ShadowFinished).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use fusebox::{Call, Feedback, LineUp, Pipeline, Report, ShadowComparator, Version, VersionId};
/// use fusebox::call::Comparison;
/// use fusebox::shadow::{ShadowVerdict, Shadowed};
///
/// let shadow = Arc::new(ShadowComparator::builder(VersionId::new("v8")?).build()?);
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).guard(Arc::clone(&shadow)).build()?;
///
/// if let Some(permit) = pipeline.admit(&Call::new("inv-1", "invoice")?).permit() {
///     let answer = "12.50"; // production's
///     let settlement = permit.answer(Report::new());
///     if shadow.wants(settlement.ticket()) {
///         let shadowed = Shadowed::new("12.50".to_owned()); // the candidate's
///         let comparison = shadowed.compare(answer, |production: &str, candidate| {
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
    attached: Attached,
}

#[derive(Clone, Debug)]
struct Settings {
    candidate: VersionId,
    /// A hash of the candidate's id, so that two candidates get different shares of the documents.
    seed: u64,
    min: u64,
    max: u64,
    threshold: Ratio,
    share: Ratio,
}

impl Settings {
    fn is_checkpoint(&self, compared: u64) -> bool {
        let is_multiple = |more: u64| more % EVALUATE_EVERY == 0;
        compared >= self.max || compared.checked_sub(self.min).is_some_and(is_multiple)
    }

    fn samples(&self, ticket: &Ticket) -> bool {
        let hash = XxHash3_64::oneshot_with_seed(self.seed, ticket.document().as_str().as_bytes());
        self.share.contains_hash(hash)
    }
}

#[derive(Debug)]
struct Core {
    seen: BTreeSet<TicketId>,
    total: ShadowCounts,
    types: BoundedMap<DocumentType, ShadowCounts>,
    divergences: Vec<Divergence>,
    surplus: u64,
    evaluated: Option<Evaluated>,
    review: bool,
    finished: bool,
}

/// The counts at the latest evaluation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Evaluated {
    diverging: u64,
    compared: u64,
}

impl Core {
    fn new() -> Self {
        Self {
            seen: BTreeSet::new(),
            total: ShadowCounts::default(),
            types: BoundedMap::new(TYPES),
            divergences: Vec::new(),
            surplus: 0,
            evaluated: None,
            review: false,
            finished: false,
        }
    }

    fn verdict(&self, settings: &Settings) -> ShadowVerdict {
        let Some(evaluated) = self.evaluated else {
            return ShadowVerdict::Collecting {
                compared: self.total.compared(),
                needed: settings.min,
            };
        };
        let (_, high) = wilson(evaluated.diverging, evaluated.compared);
        if self.review {
            ShadowVerdict::ReviewRequired
        } else if high <= settings.threshold.as_f64() {
            ShadowVerdict::CertifiedBelow
        } else {
            ShadowVerdict::NotShownBelow
        }
    }
}

impl ShadowComparator {
    /// The version that runs in the shadow run.
    pub fn candidate(&self) -> &VersionId {
        &self.settings.candidate
    }

    /// Whether to run the candidate on this document too: the document is in the share, another
    /// version served it, and the run is not over.
    ///
    /// Whether a document is in the share is the same on every replica and every retry; a larger
    /// share contains a smaller one.
    pub fn wants(&self, ticket: &Ticket) -> bool {
        *ticket.version() != self.settings.candidate
            && self.settings.samples(ticket)
            && self.core.lock().total.compared() < self.settings.max
    }

    /// The verdict on the candidate, as of the latest evaluation.
    pub fn verdict(&self) -> ShadowVerdict {
        self.core.lock().verdict(&self.settings)
    }

    /// The findings so far: the verdict, the counts, and every diverging document.
    pub fn report(&self) -> ShadowReport {
        let core = self.core.lock();
        ShadowReport {
            verdict: core.verdict(&self.settings),
            total: core.total,
            types: core
                .types
                .iter()
                .map(|(document_type, counts)| (document_type.clone(), *counts))
                .collect(),
            other: core.types.other().copied(),
            surplus: core.surplus,
            divergences: core.divergences.clone(),
        }
    }

    fn count(&self, core: &mut Core, ticket: &Ticket, end: &ShadowEnd, cx: &Cx<'_>) {
        if core.seen.contains(&ticket.id()) {
            return;
        }
        if core.total.compared() >= self.settings.max {
            core.surplus = core.surplus.saturating_add(1);
            return;
        }
        let own = ShadowEnd::Compared(Comparison::NotComparable("the candidate served it".into()));
        let end = if *ticket.version() == self.settings.candidate {
            &own
        } else {
            end
        };
        // The length of the run limits the number of compared tickets, but not that of tickets that
        // are not comparable. Of these, ids above the limit are not stored: a repeated one counts
        // again, outside the rate.
        let room = core.total.not_comparable < self.settings.max;
        if room || !matches!(end, ShadowEnd::Compared(Comparison::NotComparable(_))) {
            core.seen.insert(ticket.id());
        }
        core.total.add(end);
        let limit = core.types.limit();
        let (counts, place) = core
            .types
            .entry(ticket.document_type(), ShadowCounts::default);
        counts.add(end);
        if place == Place::FirstOverflow {
            let first = ticket.document_type().to_string();
            cx.emit(
                Severity::Warning,
                EventKind::Pipeline(PipelineEvent::KeysExhausted { limit, first }),
            );
        }
        if ShadowCounts::is_divergence(end) {
            core.divergences.push(Divergence {
                ticket: ticket.clone(),
                end: bounded(end),
            });
        }
        self.evaluate(core, cx);
    }

    fn evaluate(&self, core: &mut Core, cx: &Cx<'_>) {
        let (diverged, compared) = (core.total.diverging(), core.total.compared());
        if core.finished || !self.settings.is_checkpoint(compared) {
            return;
        }
        core.evaluated = Some(Evaluated {
            diverging: diverged,
            compared,
        });
        if self.settings.threshold.is_exceeded_by(diverged, compared) && !core.review {
            core.review = true;
            let kind = EventKind::Shadow(ShadowEvent::ReviewRequested {
                candidate: self.settings.candidate.clone(),
                diverged,
                compared,
                threshold: self.settings.threshold,
            });
            cx.emit(Severity::Warning, kind);
        }
        if compared >= self.settings.max {
            core.finished = true;
            let kind = EventKind::Shadow(ShadowEvent::ShadowFinished {
                candidate: self.settings.candidate.clone(),
                diverged,
                compared,
                not_comparable: core.total.not_comparable,
            });
            cx.emit(Severity::Info, kind);
        }
    }
}

/// The end with at most `FIELDS` fields.
fn bounded(end: &ShadowEnd) -> ShadowEnd {
    match end {
        ShadowEnd::Compared(Comparison::Diverged(fields)) => {
            Comparison::Diverged(fields.iter().take(FIELDS).cloned().collect()).into()
        }
        other => other.clone(),
    }
}

impl Guard for ShadowComparator {
    fn name(&self) -> &'static str {
        NAME
    }

    fn attached(&self) -> Option<&Attached> {
        Some(&self.attached)
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        if let Signal::Feedback(Feedback::Compared(result)) = signal {
            if result.candidate == self.settings.candidate && !result.baseline {
                self.count(&mut self.core.lock(), ticket, &result.end, cx);
            }
        }
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let core = self.core.lock();
        let types = core.types.iter();
        let mut stored = Stored {
            format: Format,
            candidate: self.settings.candidate.clone(),
            seen: core.seen.clone(),
            total: core.total,
            types: types
                .map(|(document_type, counts)| (document_type.clone(), *counts))
                .collect(),
            other: core.types.other().copied(),
            divergences: core.divergences.clone(),
            surplus: core.surplus,
            looked: core.evaluated,
            review: core.review,
            finished: core.finished,
        };
        drop(core);
        let types = &mut stored.types;
        types.sort_by(|(one, _), (other, _)| one.cmp(other));
        State::write(&stored, cx).map(Some)
    }

    /// Ignores the state of a run with another candidate: this run then starts from zero.
    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let stored: Stored = state.read(cx)?;
        if stored.candidate != self.settings.candidate {
            return Ok(());
        }
        let compared = stored.total.compared();
        if stored.divergences.len() as u64 != stored.total.diverging()
            || (stored.seen.len() as u64) < compared
        {
            let reason = "its counts do not match its tickets";
            return Err(Error::state(cx.guard(), reason));
        }
        let is_over = compared >= self.settings.max;
        let mut core = self.core.lock();
        let mut types = BoundedMap::new(TYPES);
        types.refill(stored.types, stored.other);
        *core = Core {
            seen: stored.seen,
            total: stored.total,
            types,
            divergences: stored.divergences,
            surplus: stored.surplus,
            evaluated: stored.looked,
            review: stored.review,
            finished: stored.finished && is_over,
        };
        if is_over {
            self.evaluate(&mut core, cx);
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    candidate: VersionId,
    seen: BTreeSet<TicketId>,
    total: ShadowCounts,
    types: Vec<(DocumentType, ShadowCounts)>,
    other: Option<ShadowCounts>,
    divergences: Vec<Divergence>,
    surplus: u64,
    looked: Option<Evaluated>,
    review: bool,
    finished: bool,
}
