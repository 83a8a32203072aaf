//! P6: a new version works on real documents beside production, and only the comparison comes out.

mod builder;
mod report;
mod sealed;

use std::collections::BTreeSet;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::call::{Comparison, Feedback, Signal, Ticket, TicketId};
use crate::error::Error;
use crate::event::{EventKind, PipelineEvent, Severity, ShadowEvent};
use crate::format::Format;
use crate::guard::{Cx, Guard, State};
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::stats::{BoundedMap, Place, wilson};

pub use builder::ShadowComparatorBuilder;
pub use report::{Divergence, ShadowCounts, ShadowReport, ShadowVerdict};
pub use sealed::Shadowed;

const NAME: &str = "shadow";
/// After the first look, it looks again each time that so many more documents were compared.
const LOOK_EVERY: u64 = 100;
/// Document types that are counted apart.
const TYPES: usize = 1_000;
/// How many fields of one diverging document are kept.
const FIELDS: usize = 100;

/// Counts how often a new version, run beside production on real documents, comes to another answer.
///
/// # What it watches
/// Comparisons that the application sends as [`Signal::Compared`] with the ticket of production's call. Each ticket counts
/// once, in one place: matched, diverged, candidate failed (which counts as diverged: silence is not agreement), or not
/// comparable (outside the rate). A document that the candidate itself served cannot be compared.
///
/// # When it acts
/// It looks after 200 compared documents, after each 100 more, and after 500, when the run is over; never in between,
/// because who looks all the time sees any rate once. Strictly more than 8 % diverging is too much: 41 of 500, not 40.
///
/// # What it does
/// Once a run it asks a person to look. It blocks nothing: it has no vote, and no document goes another way. What diverged
/// is in the [report](Self::report), ticket by ticket.
///
/// # What it cannot see
/// Which of the two is right; how often production disagrees with itself; documents for which no comparison was sent, and
/// types that never came. A comparison does not name its candidate: run one shadow run in a pipeline at a time.
///
/// # Defaults and why
/// 200 to 500 documents and 8 %: at a true rate of 5 % a single look at 500 asks for review in 0.2 % of runs, at 10 % in
/// 93 %. `CertifiedBelow` needs the upper end of a 95 % interval at or below 8 %: at most 8 of 200, or 28 of 500. Each look
/// is judged on its own; decide on the last one.
///
/// # Events
/// [`ReviewRequested`](crate::event::ShadowEvent::ReviewRequested) and [`KeysExhausted`](crate::event::PipelineEvent::KeysExhausted) (warnings),
/// [`ShadowFinished`](crate::event::ShadowEvent::ShadowFinished).
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use fusebox::{Call, LineUp, Pipeline, Report, ShadowComparator, Version, VersionId};
/// use fusebox::call::{Comparison, Signal};
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
///         pipeline.observe(&Signal::compared(settlement.ticket().clone(), comparison));
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
}

#[derive(Clone, Debug)]
struct Settings {
    candidate: VersionId,
    /// The candidate's hash, so that two candidates are shown different documents.
    seed: u64,
    min: u64,
    max: u64,
    threshold: Ratio,
    share: Ratio,
}

impl Settings {
    fn is_time_to_look(&self, compared: u64) -> bool {
        let is_checkpoint = |more: u64| more % LOOK_EVERY == 0;
        compared >= self.max || compared.checked_sub(self.min).is_some_and(is_checkpoint)
    }

    fn samples(&self, ticket: &Ticket) -> bool {
        let hash = XxHash3_64::oneshot_with_seed(self.seed, ticket.document().as_str().as_bytes());
        u128::from(hash) * u128::from(self.share.denominator())
            < u128::from(self.share.numerator()) << u64::BITS
    }
}

#[derive(Debug)]
struct Core {
    seen: BTreeSet<TicketId>,
    total: ShadowCounts,
    types: BoundedMap<DocumentType, ShadowCounts>,
    divergences: Vec<Divergence>,
    surplus: u64,
    looked: Option<Look>,
    review: bool,
    finished: bool,
}

/// What was there at the latest look.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Look {
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
            looked: None,
            review: false,
            finished: false,
        }
    }

    fn verdict(&self, settings: &Settings) -> ShadowVerdict {
        let Some(look) = self.looked else {
            return ShadowVerdict::Collecting {
                compared: self.total.compared(),
                needed: settings.min,
            };
        };
        let (_, high) = wilson(look.diverging, look.compared);
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
    /// The version that runs in the shadow.
    pub fn candidate(&self) -> &VersionId {
        &self.settings.candidate
    }

    /// Whether the candidate should work on this document too: it is in the share, production served it, and the run
    /// is not over.
    ///
    /// The same document always gets the same answer, on every replica and on every retry; a larger share contains a
    /// smaller one.
    pub fn wants(&self, ticket: &Ticket) -> bool {
        *ticket.version() != self.settings.candidate
            && self.settings.samples(ticket)
            && self.core.lock().total.compared() < self.settings.max
    }

    /// What may be said of the candidate, as of the latest look.
    pub fn verdict(&self) -> ShadowVerdict {
        self.core.lock().verdict(&self.settings)
    }

    /// What was found so far: the verdict, the counts, and every document that diverges.
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

    fn count(&self, core: &mut Core, ticket: &Ticket, comparison: &Comparison, cx: &Cx<'_>) {
        if core.seen.contains(&ticket.id()) {
            return;
        }
        if core.total.compared() >= self.settings.max {
            core.surplus = core.surplus.saturating_add(1);
            return;
        }
        let comparison = if *ticket.version() == self.settings.candidate {
            &Comparison::NotComparable
        } else {
            comparison
        };
        // Compared tickets always find room. Those that are not comparable can go on for ever, so they share what is
        // left: past it a second one may count again, outside the rate.
        let room = core.total.not_comparable < self.settings.max;
        if room || *comparison != Comparison::NotComparable {
            core.seen.insert(ticket.id());
        }
        core.total.add(comparison);
        let limit = core.types.limit();
        let (counts, place) = core
            .types
            .entry(ticket.document_type(), ShadowCounts::default);
        counts.add(comparison);
        if place == Place::FirstOverflow {
            let first = ticket.document_type().to_string();
            cx.emit(
                Severity::Warning,
                EventKind::Pipeline(PipelineEvent::KeysExhausted { limit, first }),
            );
        }
        if let Comparison::CandidateFailed(_) | Comparison::Diverged(_) = comparison {
            core.divergences.push(Divergence {
                ticket: ticket.clone(),
                comparison: bounded(comparison),
            });
        }
        self.look(core, cx);
    }

    fn look(&self, core: &mut Core, cx: &Cx<'_>) {
        let (diverged, compared) = (core.total.diverging(), core.total.compared());
        if core.finished || !self.settings.is_time_to_look(compared) {
            return;
        }
        core.looked = Some(Look {
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

/// The same with no more fields than are kept.
fn bounded(comparison: &Comparison) -> Comparison {
    match comparison {
        Comparison::Diverged(fields) => {
            Comparison::Diverged(fields.iter().take(FIELDS).cloned().collect())
        }
        other => other.clone(),
    }
}

impl Guard for ShadowComparator {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        if let Signal::Feedback(Feedback::Compared(comparison)) = signal {
            self.count(&mut self.core.lock(), ticket, comparison, cx);
        }
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let core = self.core.lock();
        let mut types: Vec<_> = core
            .types
            .iter()
            .map(|(document_type, counts)| (document_type.clone(), *counts))
            .collect();
        types.sort_by(|(one, _), (other, _)| one.cmp(other));
        let stored = Stored {
            format: Format,
            candidate: self.settings.candidate.clone(),
            seen: core.seen.clone(),
            total: core.total,
            types,
            other: core.types.other().copied(),
            divergences: core.divergences.clone(),
            surplus: core.surplus,
            looked: core.looked,
            review: core.review,
            finished: core.finished,
        };
        State::write(&stored, cx).map(Some)
    }

    /// A run belongs to its candidate: the state of another candidate's run is left alone, and this one starts anew.
    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let stored: Stored = state.read(cx)?;
        if stored.candidate != self.settings.candidate {
            return Ok(());
        }
        let compared = stored.total.compared();
        if stored.divergences.len() as u64 != stored.total.diverging()
            || (stored.seen.len() as u64) < compared
        {
            let reason = "its counts do not fit the tickets that it names";
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
            looked: stored.looked,
            review: stored.review,
            finished: stored.finished && is_over,
        };
        if is_over {
            self.look(&mut core, cx);
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
    looked: Option<Look>,
    review: bool,
    finished: bool,
}
