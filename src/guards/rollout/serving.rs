//! Whether each version serves the documents that the split gives it, and what of a stage counts
//! because both do. Any other guard can send documents elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counts::Pair;
use crate::call::Role;
use crate::event::{HoldReason, NotServing};
use crate::name::{DocumentType, VersionId};
use crate::time::{Timestamp, as_millis, minutes};

/// A version is away when this many more of its calls went elsewhere than it served, and back when
/// it has served as many: a few documents that another guard keeps from it stop no stage, and
/// neither does a single probe make it serve.
const AWAY: u8 = 3;
/// Types beyond this number are evaluated with all documents only.
const TYPES: usize = 1_000;
/// A pause between two calls counts as this much of the time in which documents come, at most.
const LULL: Duration = minutes(30);
/// A version that comes and goes is reported once in this time.
const REPORT_AGAIN: Duration = minutes(15);

/// Who served a call that the split gives to one version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Routed<'a> {
    pub(super) document_type: &'a DocumentType,
    /// The version to which the split gives the document.
    pub(super) assigned: Role,
    pub(super) served: Served<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served<'a> {
    AsAssigned,
    By(&'a VersionId),
    ByNone,
}

/// The versions' presence in the current stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Serving {
    all_documents: Pair<Presence>,
    /// The types of which calls have lately gone elsewhere.
    by_type: BTreeMap<DocumentType, Pair<Presence>>,
    /// Which version is away; production, if both are.
    away: Option<HoldReason>,
    /// Since when it is, or since when both versions serve.
    from: Timestamp,
    lost: Lost,
    /// The time of the stage in which documents came and the stage could be decided.
    #[serde(with = "as_millis")]
    busy: Duration,
    latest_call: Timestamp,
    /// The documents that each version has processed while both served.
    processed: Pair<u64>,
    /// The absence that was reported last, and when.
    reported: Option<(HoldReason, Timestamp)>,
}

/// The time of the stage in which production, or the candidate alone, was away.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Lost {
    #[serde(with = "as_millis")]
    production: Duration,
    #[serde(with = "as_millis")]
    candidate: Duration,
}

impl Lost {
    fn add(&mut self, reason: HoldReason, time: Duration) {
        let lost = match reason {
            HoldReason::CandidateNotServing => &mut self.candidate,
            _ => &mut self.production,
        };
        *lost = lost.saturating_add(time);
    }
}

/// Whether a version serves its documents: all, or those of one type.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Presence {
    /// One up for each call that goes elsewhere, one down for each that does not; at most `AWAY`.
    elsewhere: u8,
    is_away: bool,
    /// When `elsewhere` rose above zero.
    began: Timestamp,
    /// How many calls have gone elsewhere since then.
    rerouted: u32,
    latest: Timestamp,
    /// The version that served the last of them, if one did.
    instead: Option<VersionId>,
}

impl Presence {
    /// Takes in a call; returns whether the version went away or came back.
    fn take(&mut self, served: Served<'_>, now: Timestamp) -> bool {
        let was_away = self.is_away;
        if served == Served::AsAssigned {
            self.elsewhere = self.elsewhere.saturating_sub(1);
            self.is_away &= self.elsewhere > 0;
        } else {
            if self.elsewhere == 0 {
                (self.began, self.rerouted) = (now, 0);
            }
            self.elsewhere = self.elsewhere.saturating_add(1).min(AWAY);
            self.rerouted = self.rerouted.saturating_add(1);
            self.is_away |= self.elsewhere == AWAY;
            self.instead = match served {
                Served::By(version) => Some(version.clone()),
                Served::AsAssigned | Served::ByNone => None,
            };
        }
        self.latest = now;
        self.is_away != was_away
    }
}

impl Serving {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            from: now,
            latest_call: now,
            ..Self::default()
        }
    }

    /// Begins a stage: who is away stays away, and nothing has been counted.
    pub(super) fn enter(&mut self, now: Timestamp) {
        (self.from, self.lost) = (now, Lost::default());
        (self.processed, self.reported) = (Pair::default(), None);
        (self.busy, self.latest_call) = (Duration::ZERO, now);
    }

    /// The time of the stage in which documents came, while production served and nothing else was
    /// waited for.
    pub(super) fn busy(&self) -> Duration {
        self.busy
    }

    /// Takes in that a call came. `counts`: whether the time until it is time in which the stage could
    /// have been decided.
    pub(super) fn call(&mut self, now: Timestamp, counts: bool) {
        if counts && self.away != Some(HoldReason::StableNotServing) {
            self.pass(now.since(self.latest_call).min(LULL));
        }
        self.latest_call = now;
    }

    /// Lets time pass in which documents come.
    pub(super) fn pass(&mut self, time: Duration) {
        self.busy = self.busy.saturating_add(time);
    }

    /// Which version does not serve its share: the reason to hold.
    pub(super) fn away(&self) -> Option<HoldReason> {
        self.away
    }

    /// The time of the stage in which production was away.
    pub(super) fn without_production(&self, now: Timestamp) -> Duration {
        self.lost(now).production
    }

    /// The time of the stage in which only the candidate was away.
    pub(super) fn without_candidate(&self, now: Timestamp) -> Duration {
        self.lost(now).candidate
    }

    fn lost(&self, now: Timestamp) -> Lost {
        let mut lost = self.lost;
        if let Some(reason) = self.away {
            lost.add(reason, now.since(self.from));
        }
        lost
    }

    /// Takes in who serves a call.
    pub(super) fn route(&mut self, call: Routed<'_>, now: Timestamp, is_paused: bool) {
        let Routed {
            document_type,
            assigned,
            served,
        } = call;
        let is_own = served == Served::AsAssigned;
        let all_documents = self.all_documents.of(assigned);
        if is_own && all_documents.elsewhere == 0 && self.by_type.is_empty() {
            return;
        }
        let mut changed = all_documents
            .take(served, now)
            .then(|| all_documents.clone());
        if !is_own && self.by_type.len() < TYPES && !self.by_type.contains_key(document_type) {
            self.by_type.insert(document_type.clone(), Pair::default());
        }
        if let Some(own) = self.by_type.get_mut(document_type) {
            let presence = own.of(assigned);
            if presence.take(served, now) && changed.is_none() {
                changed = Some(presence.clone());
            }
            if own.candidate.elsewhere == 0 && own.stable.elsewhere == 0 {
                self.by_type.remove(document_type);
            }
        }
        if let Some(presence) = changed {
            if self.away.is_none() && presence.instead.is_some() {
                // The calls by which an absence was noticed belong to the version; those that no
                // version served belong to nobody.
                add(self.processed.of(assigned), u64::from(presence.rerouted));
            }
            self.settle(presence.began, now, is_paused);
        }
    }

    /// Counts the time until now for who was away, if that has changed. An absence began when the
    /// first call went elsewhere, but not before the other condition.
    fn settle(&mut self, began: Timestamp, now: Timestamp, is_paused: bool) {
        let types = || self.by_type.values();
        let away = if self.all_documents.stable.is_away || types().any(|own| own.stable.is_away) {
            Some(HoldReason::StableNotServing)
        } else if self.all_documents.candidate.is_away || types().any(|own| own.candidate.is_away) {
            Some(HoldReason::CandidateNotServing)
        } else {
            None
        };
        if away == self.away {
            return;
        }
        match self.away {
            None => self.from = self.from.max(began),
            Some(reason) => {
                if !is_paused {
                    self.lost.add(reason, now.since(self.from));
                }
                self.from = now;
            }
        }
        if away.is_none() {
            let types = self.by_type.values_mut();
            for pair in types.chain([&mut self.all_documents]) {
                (pair.candidate.rerouted, pair.stable.rerouted) = (0, 0);
            }
        }
        self.away = away;
    }

    /// Stops the clock of the stage.
    pub(super) fn pause(&mut self, now: Timestamp) {
        self.lost = self.lost(now);
        self.from = now;
    }

    /// Starts the clock of the stage again.
    pub(super) fn resume(&mut self, now: Timestamp) {
        self.from = now;
    }

    /// Counts a document that its version processed. Calls from before both versions served are not
    /// counted: those of one version are missing.
    pub(super) fn processed(&mut self, role: Role, admitted_at: Timestamp) {
        if self.away.is_none() && admitted_at >= self.from {
            add(self.processed.of(role), 1);
        }
    }

    /// Counts documents in bulk.
    pub(super) fn add(&mut self, candidate: u64, stable: u64) {
        add(&mut self.processed.candidate, candidate);
        add(&mut self.processed.stable, stable);
    }

    /// The documents that the two versions processed while both served.
    pub(super) fn split(&self) -> Pair<u64> {
        self.processed
    }

    /// Forgets a type that is no longer compared.
    pub(super) fn forget(&mut self, document_type: &DocumentType, now: Timestamp, is_paused: bool) {
        self.by_type.remove(document_type);
        self.settle(now, now, is_paused);
    }

    /// Forgets types without a document for this long: nobody waits for a type that does not come.
    pub(super) fn forget_quiet(&mut self, after: Duration, now: Timestamp, is_paused: bool) {
        if self.by_type.is_empty() {
            return;
        }
        self.by_type.retain(|_, own| {
            for presence in [&mut own.candidate, &mut own.stable] {
                if now.since(presence.latest) >= after {
                    *presence = Presence::default();
                }
            }
            own.candidate.elsewhere > 0 || own.stable.elsewhere > 0
        });
        self.settle(now, now, is_paused);
    }

    /// Whether a hold was reported shortly before, and need not be again; if not, it is now.
    pub(super) fn is_reported(&mut self, reason: HoldReason, now: Timestamp) -> bool {
        if self.away != Some(reason) {
            return false;
        }
        let mut reported = self.reported.iter();
        let is_reported =
            reported.any(|(before, at)| *before == reason && now.since(*at) < REPORT_AGAIN);
        if !is_reported {
            self.reported = Some((reason, now));
        }
        is_reported
    }

    /// Who is away, and who serves instead.
    pub(super) fn not_serving(&self, stable: &VersionId, candidate: &VersionId) -> Vec<NotServing> {
        if self.away.is_none() {
            return Vec::new();
        }
        let mut all = Vec::new();
        for (version, of) in [
            (
                stable,
                (|pair| &pair.stable) as fn(&Pair<Presence>) -> &Presence,
            ),
            (candidate, |pair| &pair.candidate),
        ] {
            let mut push = |document_type: Option<&DocumentType>, presence: &Presence| {
                if presence.is_away {
                    let instead = presence.instead.clone();
                    all.push(NotServing::new(version, document_type, instead));
                }
                presence.is_away
            };
            if !push(None, of(&self.all_documents)) {
                for (document_type, own) in &self.by_type {
                    push(Some(document_type), of(own));
                }
            }
        }
        all
    }
}

fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}
