//! Which of the two versions was right, by what people decided about production's answers.

mod batch;
mod bets;
mod digest;
mod document;
mod report;
mod settings;
mod stored;
mod told;
mod waiting;

use std::collections::{BTreeSet, HashMap, VecDeque};

use foldhash::fast::RandomState;

use self::batch::Batch;
use self::bets::Bets;
use self::document::{Differing, Document};
use self::report::Standing;
pub(crate) use self::stored::Stored as StoredJudged;
use self::stored::{Called, Stored};
use self::waiting::Waiting;
use crate::call::{Comparison, Correction, Ticket, TicketId};
use crate::error::Error;
use crate::format::Format;
use crate::name::{BatchKey, DocumentType, Field};
use crate::ratio::Ratio;
use crate::stats::BoundedMap;
use crate::time::Timestamp;

pub(crate) use self::digest::{DigestKey, Settled};
pub use self::report::{
    DocumentsNeeded, JudgedCounts, JudgedFeasibility, JudgedGap, JudgedReport, JudgedVerdict,
    PairCounts,
};
pub(crate) use self::settings::JudgedSettings;
pub use self::settings::LookedAt;

/// The number of document types that are counted separately.
const TYPES: usize = 1_000;

/// Says of each compared document which of the two versions was right, and what that shows.
///
/// # How
/// Production's answer goes to people, and they settle on a value for each field: the corrected one,
/// or production's own where they accepted it. The candidate is right in a field if its value is the
/// settled one. No value is kept: of the candidate's values a keyed hash, of a document on which both
/// agree nothing but its name, type and time. Corrections must be those of critical fields.
///
/// # Which documents count
/// Those that somebody looked at ([`LookedAt`]): reviewed ones, ten minutes after the review was
/// told, so that its corrections are there; or all, 48 h after their comparison. Before that a
/// document is counted as unreviewed, because mistakes of production show at once and mistakes of the
/// candidate alone only when somebody accepts production's answer. Corrections without a review count
/// apart, and never for the verdict. A document that either version did not answer is not compared.
///
/// # Feedback may come in any order
/// It may come before the comparison, late, twice, and be retracted: the counts are always those of
/// what stands. When a document is let go, it stays as it was counted.
///
/// # How long a verdict stands
/// "Worse" stands, whatever comes after it, until a fact on which it was called is revised (a
/// correction retracted, another value settled on) so that the facts of that moment no longer show
/// it. "No worse" is as of now: a bold step needs evidence that is still there.
///
/// # What it cannot see
/// Documents that are reviewed because the candidate differs, or because it agrees, are no fair
/// sample; reviewers who know the candidate's answer are no judges of it.
#[derive(Debug)]
pub(crate) struct Judged {
    settings: JudgedSettings,
    key: DigestKey,
    bets: Bets,
    now: Timestamp,
    documents: HashMap<TicketId, Document, RandomState>,
    /// The remembered documents by time of their comparison.
    order: VecDeque<TicketId>,
    /// When documents count as looked at.
    due: BTreeSet<(Timestamp, TicketId)>,
    waiting: Waiting,
    batches: HashMap<BatchKey, Batch, RandomState>,
    types: BoundedMap<DocumentType, JudgedCounts>,
    total: JudgedCounts,
    units: PairCounts,
    called: Option<Called>,
    let_go: u64,
}

impl Judged {
    pub(crate) fn new(settings: JudgedSettings, key: DigestKey) -> Result<Self, Error> {
        let settings = settings.checked()?;
        Ok(Self {
            bets: Bets::new(settings.max_ratio),
            settings,
            key,
            now: Timestamp::EPOCH,
            documents: HashMap::default(),
            order: VecDeque::new(),
            due: BTreeSet::new(),
            waiting: Waiting::default(),
            batches: HashMap::default(),
            types: BoundedMap::new(TYPES),
            total: JudgedCounts::default(),
            units: PairCounts::default(),
            called: None,
            let_go: 0,
        })
    }

    /// How many documents a run needs, if production's rate of corrections is `rate`, of which the
    /// candidate makes the share `in_common` too.
    pub(crate) fn feasibility(
        settings: &JudgedSettings,
        rate: Ratio,
        in_common: Ratio,
    ) -> Result<JudgedFeasibility, Error> {
        Bets::new(settings.max_ratio).feasibility(rate, in_common)
    }

    /// Takes in the comparison of a document. The first one of a ticket counts.
    pub(crate) fn compared(&mut self, ticket: &Ticket, comparison: &Comparison, now: Timestamp) {
        self.advance(now);
        let id = ticket.id();
        let Some(differing) = Differing::of(comparison, &self.key, self.settings.kept_bytes) else {
            return;
        };
        if self.documents.contains_key(&id) {
            return;
        }
        let document = Document {
            of_type: ticket.document_type().clone(),
            batch: ticket.batch().cloned(),
            compared_at: self.now,
            differing,
            told: self.waiting.take(id),
            looked_at: false,
            in_verdict: false,
            counted: Standing::default(),
        };
        let (counts, _) = self.types.entry(&document.of_type, JudgedCounts::default);
        counts.add(Standing::default());
        self.total.add(Standing::default());
        if let Some(batch) = &document.batch {
            let batch = self.batches.entry(batch.clone()).or_default();
            batch.remembered = batch.remembered.saturating_add(1);
        }
        self.due.extend(due(&self.settings, id, &document));
        self.documents.insert(id, document);
        self.order.push_back(id);
        self.revise(id);
        self.advance(now);
    }

    /// The candidate's value, where it is kept because it has no form that all equal values share.
    pub(crate) fn kept(&self, ticket: TicketId, field: &Field) -> Option<&str> {
        self.documents.get(&ticket)?.differing.kept(field)
    }

    /// Takes in a correction of a critical field, and the value that people settled on.
    pub(crate) fn corrected(
        &mut self,
        ticket: &Ticket,
        correction: &Correction,
        settled: Settled<'_>,
        now: Timestamp,
    ) {
        self.advance(now);
        let settled = self.key.settled(correction.field(), settled);
        self.told(ticket.id(), |told| told.correct(correction, settled));
    }

    /// Takes in that a correction was retracted: production was right.
    pub(crate) fn retracted(&mut self, ticket: &Ticket, correction: &Correction, now: Timestamp) {
        self.advance(now);
        let id = ticket.id();
        if self.documents.contains_key(&id) || self.waiting.contains(id) {
            self.told(id, |told| told.retract(correction));
        }
    }

    /// Takes in that somebody reviewed production's answer.
    pub(crate) fn reviewed(&mut self, ticket: &Ticket, now: Timestamp) {
        self.advance(now);
        let (id, now) = (ticket.id(), self.now);
        self.told(id, |told| told.review(now));
        if let Some(document) = self.documents.get(&id).filter(|found| !found.looked_at) {
            self.due.extend(due(&self.settings, id, document));
        }
    }

    /// Lets time pass: documents count as looked at, and old ones are let go.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some((at, id)) = self.due.first().copied() {
            if at > self.now {
                break;
            }
            self.due.remove(&(at, id));
            if let Some(document) = self.documents.get_mut(&id) {
                document.looked_at = true;
                self.revise(id);
            }
        }
        while let Some(id) = self.order.front().copied() {
            let too_many = self.order.len() > self.settings.documents;
            let is_old = self
                .documents
                .get(&id)
                .is_none_or(|document| self.now.since(document.compared_at) > self.settings.age);
            if !too_many && !is_old {
                break;
            }
            self.order.pop_front();
            self.let_go(id);
        }
    }

    /// "Worse" or "no worse", or what is missing for either.
    pub(crate) fn decided(&self) -> Result<JudgedVerdict, JudgedGap> {
        if self.called.is_some() {
            return Ok(JudgedVerdict::Worse);
        }
        let looked_at = &self.total.looked_at;
        let documents = looked_at.total();
        let is_all = self.settings.looked_at == LookedAt::All;
        if documents == 0 && (is_all || self.total.corrected_only.total() == 0) {
            Err(JudgedGap::Unreviewed)
        } else if documents == 0 || !Bets::see_accepted(looked_at) {
            Err(JudgedGap::CorrectionsOnly)
        } else if self.bets.show_no_worse(&self.units, looked_at) {
            Ok(JudgedVerdict::NoWorse)
        } else {
            Err(JudgedGap::TooFew)
        }
    }

    /// The verdict so far. How many documents are needed takes a search, so each call and each tick
    /// asks [`decided`](Self::decided) instead.
    pub(crate) fn verdict(&self) -> JudgedVerdict {
        self.decided().unwrap_or_else(|reason| {
            let documents = self.total.looked_at.total();
            let needed = self.bets.still_needed(&self.units, documents);
            JudgedVerdict::NotEnough { reason, needed }
        })
    }

    /// What the verdict counts.
    pub(crate) fn units(&self) -> &PairCounts {
        &self.units
    }

    /// The findings so far.
    pub(crate) fn report(&self) -> JudgedReport {
        let (evidence_worse, evidence_no_worse) = self.bets.evidence(&self.units);
        let (ratio, p_one_sided, p_two_sided) = JudgedReport::of_units(&self.units);
        let types = self.types.iter();
        JudgedReport {
            verdict: self.verdict(),
            called_worse_at: self.called.map(|called| called.at),
            total: self.total,
            types: types.map(|(key, counts)| (key.clone(), *counts)).collect(),
            other: self.types.other().copied(),
            units: self.units,
            evidence_worse,
            evidence_no_worse,
            ratio,
            p_one_sided,
            p_two_sided,
            let_go: self.let_go,
        }
    }

    /// What is to be stored.
    pub(crate) fn stored(&self) -> Stored {
        let documents = self.order.iter();
        let mut stored = Stored {
            format: Format,
            key: self.key.check(),
            looked_at: self.settings.looked_at,
            now: self.now,
            documents: documents
                .filter_map(|id| Some((*id, self.documents.get(id)?.clone())))
                .collect(),
            waiting: self.waiting.clone(),
            batches: self
                .batches
                .iter()
                .map(|(key, batch)| (key.clone(), *batch))
                .collect(),
            types: self
                .types
                .iter()
                .map(|(key, counts)| (key.clone(), *counts))
                .collect(),
            other: self.types.other().copied(),
            total: self.total,
            units: self.units,
            called: self.called,
            let_go: self.let_go,
        };
        stored
            .batches
            .sort_by(|(one, _), (other, _)| one.cmp(other));
        stored.types.sort_by(|(one, _), (other, _)| one.cmp(other));
        stored
    }

    /// Continues from a stored state: an error of `owner` if it contradicts itself, or if its
    /// digests were made with another key or its documents counted in another way.
    pub(crate) fn restore(&mut self, owner: &str, stored: Stored) -> Result<(), Error> {
        let refuse = |reason: &str| Err(Error::state(owner, reason));
        if stored.key != self.key.check() {
            return refuse("its digests were made with another key");
        }
        if stored.looked_at != self.settings.looked_at {
            return refuse("its documents were looked at by another rule");
        }
        if let Some(contradiction) = stored.contradiction(TYPES) {
            return refuse(contradiction);
        }
        self.now = stored.now;
        self.order = stored.documents.iter().map(|(id, _)| *id).collect();
        self.documents = stored.documents.into_iter().collect();
        self.due.clear();
        for (id, document) in &mut self.documents {
            document.counted = document.standing();
            if !document.looked_at {
                self.due.extend(due(&self.settings, *id, document));
            }
        }
        self.waiting = stored.waiting;
        self.batches = stored.batches.into_iter().collect();
        self.types = BoundedMap::new(TYPES);
        self.types.refill(stored.types, stored.other);
        self.total = stored.total;
        self.units = stored.units;
        self.called = stored.called;
        self.let_go = stored.let_go;
        // The tolerated ratio or the number of documents may have been changed since.
        self.reconsider();
        self.advance(self.now);
        Ok(())
    }

    /// Adds to what was told of a document, compared or not.
    fn told(&mut self, id: TicketId, tell: impl FnOnce(&mut told::Told)) {
        match self.documents.get_mut(&id) {
            Some(document) => {
                tell(&mut document.told);
                self.revise(id);
            }
            None => tell(self.waiting.entry(id)),
        }
    }

    /// Counts a document as what it is now.
    fn revise(&mut self, id: TicketId) {
        let Some(document) = self.documents.get_mut(&id) else {
            return;
        };
        let standing = document.standing();
        let before = std::mem::replace(&mut document.counted, standing);
        if before == standing {
            return;
        }
        let counts = self.types.get_mut(&document.of_type);
        for counts in counts.into_iter().chain([&mut self.total]) {
            counts.take(before);
            counts.add(standing);
        }
        let key = document.batch.as_ref();
        let batch = key.and_then(|key| self.batches.get_mut(key));
        let (before, after, in_verdict) = match batch {
            None => (before.pair(), standing.pair(), document.in_verdict),
            Some(batch) => {
                let whole = batch.pair();
                batch.revise(before.pair(), standing.pair());
                (whole, batch.pair(), batch.in_verdict)
            }
        };
        if before == after {
            return;
        }
        let called = self.called.as_mut().filter(|_| in_verdict);
        let of_verdict = called.map(|called| &mut called.units);
        for units in of_verdict.into_iter().chain([&mut self.units]) {
            units.revise(before, after);
        }
        self.reconsider();
    }

    /// Withdraws the verdict if the facts on which it was called no longer show it, and calls it if
    /// those of now do.
    fn reconsider(&mut self) {
        let stands = |called: &Called| self.bets.show_worse(&called.units);
        if self.called.as_ref().is_some_and(stands) {
            return;
        }
        if self.called.take().is_some() {
            self.mark(false);
        }
        if self.bets.show_worse(&self.units) {
            self.called = Some(Called {
                at: self.now,
                units: self.units,
            });
            self.mark(true);
        }
    }

    /// Marks what is counted now as part of the verdict, or as no part of it.
    fn mark(&mut self, in_verdict: bool) {
        for document in self.documents.values_mut() {
            let counts = document.batch.is_none() && document.counted.pair().is_some();
            document.in_verdict = in_verdict && counts;
        }
        for batch in self.batches.values_mut() {
            batch.in_verdict = in_verdict && batch.pair().is_some();
        }
    }

    fn let_go(&mut self, id: TicketId) {
        let Some(document) = self.documents.remove(&id) else {
            return;
        };
        self.let_go = self.let_go.saturating_add(1);
        if let Some(due) = due(&self.settings, id, &document) {
            self.due.remove(&due);
        }
        if let Some(key) = &document.batch {
            if let Some(batch) = self.batches.get_mut(key) {
                batch.remembered = batch.remembered.saturating_sub(1);
                if batch.remembered == 0 {
                    self.batches.remove(key);
                }
            }
        }
    }
}

/// When a document counts as looked at.
fn due(
    settings: &JudgedSettings,
    id: TicketId,
    document: &Document,
) -> Option<(Timestamp, TicketId)> {
    let at = match settings.looked_at {
        LookedAt::All => document.compared_at + settings.settles_after,
        LookedAt::Reviewed => document.told.reviewed_at? + settings.review_grace,
    };
    Some((at, id))
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
