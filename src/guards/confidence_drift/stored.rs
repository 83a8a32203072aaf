//! What a monitor keeps over a restart: as one state, and in registers by document type.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bets::Pace;
use super::commands::Command;
use super::corrections::{KnownReport, KnownReports};
use super::key::Key;
use super::mix::{OfType, StoredMixes};
use super::reporting::Answers;
use super::watch::Watch;
use crate::confidence::Confidence;
use crate::error::Error;
use crate::format::Format;
use crate::guard::{Cx, Share};
use crate::name::{DocumentType, Field, VersionId};

/// What the keys of the registers of parts of the reports begin with.
const REPORTS: &str = "reports";

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) format: Format<1>,
    pub(super) watches: Vec<(Key, Arc<Watch>)>,
    pub(super) other: Option<Arc<Watch>>,
    pub(super) answers: Vec<((DocumentType, VersionId), Arc<Answers>)>,
    #[serde(default)]
    pub(super) mixes: StoredMixes,
    pub(super) commands: Vec<Command>,
    pub(super) generation: u64,
    pub(super) reports: VecDeque<(u64, u64)>,
    pub(super) pace: Pace,
    pub(super) invalid: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) season: Option<String>,
    /// The normal and the highest threshold.
    #[serde(default)]
    pub(super) thresholds: Option<(Confidence, Confidence)>,
}

/// What has changed since it was last stored.
pub(super) struct Changed {
    /// Whether it is all.
    pub(super) is_whole: bool,
    /// The parts of the reports, by their numbers.
    pub(super) reports: BTreeMap<u64, Vec<KnownReport>>,
    /// All but the reports.
    pub(super) stored: Stored,
}

impl Stored {
    /// In the same order, whoever writes it.
    pub(super) fn sort(&mut self) {
        self.watches.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.answers.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.mixes.sort();
    }

    /// What was shared.
    pub(super) fn taken(shared: &Share, cx: &Cx<'_>) -> Result<Self, Error> {
        let mut stored: Self = shared.rest(cx)?;
        for (name, of_type) in shared.types::<StoredType>(cx)? {
            let key = |field| Key {
                document_type: name.clone(),
                field,
            };
            let watches = of_type.watches.into_iter();
            stored
                .watches
                .extend(watches.map(|(field, watch)| (key(field), watch)));
            let answers = of_type.answers.into_iter();
            stored
                .answers
                .extend(answers.map(|(version, answers)| ((name.clone(), version), answers)));
            for (version, in_mix) in of_type.in_mixes {
                stored.mixes.insert(&version, &name, in_mix);
            }
        }
        let reports = KnownReports::of_parts(shared.within(REPORTS, cx)?);
        stored.reports.extend(reports);
        Ok(stored)
    }
}

impl Changed {
    /// A register for each document type, for each part of the reports, and for the rest.
    pub(super) fn share(self, cx: &Cx<'_>) -> Result<Share, Error> {
        let mut stored = self.stored;
        let mut types: BTreeMap<DocumentType, StoredType> = BTreeMap::new();
        for (key, watch) in stored.watches.drain(..) {
            let of_type = types.entry(key.document_type).or_default();
            of_type.watches.push((key.field, watch));
        }
        for ((name, version), answers) in stored.answers.drain(..) {
            let of_type = types.entry(name).or_default();
            of_type.answers.push((version, answers));
        }
        for (version, mix) in &mut stored.mixes.of_versions {
            for (name, in_mix) in mix.types.drain(..) {
                let of_type = types.entry(name).or_default();
                of_type.in_mixes.push((version.clone(), in_mix));
            }
        }
        let mut share = Share {
            is_whole: self.is_whole,
            ..Share::default()
        };
        share.add_types(&types, cx)?;
        for (number, part) in &self.reports {
            share.register(&[REPORTS, &number.to_string()], part, cx)?;
        }
        share.register(&[], &stored, cx)?;
        Ok(share)
    }
}

/// What is kept of a document type.
#[derive(Default, Serialize, Deserialize)]
struct StoredType {
    watches: Vec<(Field, Arc<Watch>)>,
    answers: Vec<(VersionId, Arc<Answers>)>,
    in_mixes: Vec<(VersionId, Arc<OfType>)>,
}
