//! What a rollout keeps over a restart: as one state, and in registers by document type and by
//! documents.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::agreement::Agreed;
use super::counts::TypeCounts;
use super::documents::Part;
use super::outlook::Outlook;
use super::review_delays::{Delayed, StoredDelays};
use super::trial::Trial;
use crate::error::Error;
use crate::event::{EventKind, Severity};
use crate::format::Format;
use crate::guard::{Cx, Share};
use crate::name::{DocumentType, VersionId};
use crate::revision::Revision;
use crate::stats::Tracked;
use crate::time::Timestamp;

/// What the keys of the registers of parts of the documents begin with.
const DOCUMENTS: &str = "documents";

#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) format: Format<1>,
    pub(super) trial: Option<Trial>,
    #[serde(default)]
    pub(super) revision: Revision,
    pub(super) delays: StoredDelays,
    #[serde(default)]
    pub(super) outlook: Outlook,
    pub(super) seen: Vec<(DocumentType, Timestamp)>,
    pub(super) rejected: VecDeque<VersionId>,
    pub(super) pending_events: Vec<(Severity, EventKind)>,
    pub(super) latest: Timestamp,
    #[serde(default)]
    pub(super) agreed: Option<Agreed>,
}

/// What has changed since it was last stored.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Whether it is all.
    pub(super) is_whole: bool,
    pub(super) types: HashSet<DocumentType>,
    /// Those of the trial, in parts.
    pub(super) documents: Vec<(String, Part)>,
}

/// What is kept of a document type.
#[derive(Default, Serialize, Deserialize)]
struct StoredType {
    /// In the trial.
    counts: Option<Arc<TypeCounts>>,
    delayed: Option<Arc<Delayed>>,
}

impl Stored {
    /// A register for each document type, for each part of the documents, and for the rest.
    pub(super) fn share(mut self, changed: &Changed, cx: &Cx<'_>) -> Result<Share, Error> {
        let mut share = Share {
            is_whole: changed.is_whole,
            ..Share::default()
        };
        let is_wanted = |name: &DocumentType| changed.is_whole || changed.types.contains(name);
        let mut types: BTreeMap<DocumentType, StoredType> = BTreeMap::new();
        let delays = self.delays.types.drain(..);
        for (name, delayed) in delays.filter(|(name, _)| is_wanted(name)) {
            types.entry(name).or_default().delayed = Some(delayed);
        }
        if let Some(trial) = &mut self.trial {
            for (name, counts) in trial.by_type.shared(is_wanted) {
                types.entry(name).or_default().counts = Some(counts);
            }
            let other = trial.by_type.other().cloned();
            trial.by_type.refill([], other);
        }
        for (name, part) in &changed.documents {
            share.register(&[DOCUMENTS, name], part, cx)?;
        }
        share.add_types(&types, cx)?;
        share.register(&[], &self, cx)?;
        Ok(share)
    }

    /// What was shared.
    pub(super) fn taken(shared: &Share, cx: &Cx<'_>) -> Result<Self, Error> {
        let mut stored: Self = shared.rest(cx)?;
        let (mut counted, mut delayed) = (Vec::new(), Vec::new());
        for (name, of_type) in shared.types::<StoredType>(cx)? {
            counted.extend(
                of_type
                    .counts
                    .map(|counts| (name.clone(), Tracked::of(counts))),
            );
            delayed.extend(of_type.delayed.map(|delayed| (name, delayed)));
        }
        stored.delays.types.extend(delayed);
        if let Some(trial) = &mut stored.trial {
            let by_type = &mut trial.by_type;
            let (own, other) = (by_type.iter(), by_type.other().cloned());
            counted.extend(own.map(|(name, counts)| (name.clone(), counts.clone())));
            by_type.refill(counted, other);
            for part in shared.within(DOCUMENTS, cx)? {
                trial.documents.take(part);
            }
        }
        Ok(stored)
    }
}
