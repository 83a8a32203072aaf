//! What is learnt from reported usage: how large documents are, and how a model without a published tokenizer counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sizes::Sizes;
use crate::account::Measurement;
use crate::event::{EventKind, Severity};
use crate::guard::Cx;
use crate::keyed::{DEFAULT_KEYS, Keyed};
use crate::name::{DocumentType, ModelName, VersionId};
use crate::ratio::Ratio;
use crate::ticket::Ticket;
use crate::token_count::{Provenance, TokenCount};
use crate::tokens::{Calibration, Coverage, Factor};

/// A ratio learnt from a shorter prompt is mostly framing.
const SHORTEST_SAMPLE: u64 = 500;
/// A type is warned of when its 99th percentile passes this share of the window ..
const LITTLE_ROOM: Ratio = Ratio::percent(80);
/// .. over so many documents at least, looked at after every so many.
const ENOUGH_DOCUMENTS: u64 = 100;
const LOOK_EVERY: u64 = 20;

type Key = (DocumentType, ModelName);

/// What was learnt, by type and model.
#[derive(Debug)]
pub(super) struct Learnt {
    calibrations: Keyed<Key, Calibration>,
    pooled: BTreeMap<ModelName, Calibration>,
    sizes: Keyed<Key, Sizes>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    calibrations: Vec<(Key, Calibration)>,
    pooled: Vec<(ModelName, Calibration)>,
    sizes: Vec<(Key, Sizes)>,
}

/// What a version leaves of a model's window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    pub(super) largest_prompt: u64,
    pub(super) limit: u64,
    pub(super) own: u64,
}

impl Learnt {
    pub(super) fn new() -> Self {
        Self {
            calibrations: Keyed::new(DEFAULT_KEYS),
            pooled: BTreeMap::new(),
            sizes: Keyed::new(DEFAULT_KEYS),
        }
    }

    /// The factor for a model: learnt from documents of the type if there are enough, else from all of them.
    pub(super) fn factor(&self, document_type: &DocumentType, model: &ModelName) -> Option<Factor> {
        let own = self
            .calibrations
            .get(&(document_type.clone(), model.clone()));
        let pooled = self.pooled.get(model);
        let settled = |calibration: Option<&Calibration>| {
            calibration
                .filter(|calibration| calibration.is_settled())
                .and_then(Calibration::factor)
        };
        settled(own)
            .or_else(|| settled(pooled))
            .or_else(|| own.and_then(Calibration::factor))
            .or_else(|| pooled.and_then(Calibration::factor))
    }

    /// The API reported so many tokens for a prompt that another tokenizer counted.
    pub(super) fn calibrate(
        &mut self,
        ticket: &Ticket,
        measurement: &Measurement,
        reported: u64,
        assumed: Factor,
        cx: &Cx<'_>,
    ) {
        let Some(raw) = measurement.raw.filter(|raw| *raw >= SHORTEST_SAMPLE) else {
            return;
        };
        let key = (ticket.document_type().clone(), measurement.model.clone());
        let (own, _) = self.calibrations.entry(&key, Calibration::default);
        let coverage = own.learn(raw, reported, assumed);
        let pooled = self.pooled.entry(measurement.model.clone()).or_default();
        let _ = pooled.learn(raw, reported, assumed);
        if let Coverage::Fell { misses, documents } = coverage {
            let kind = EventKind::CoverageFell {
                document_type: ticket.document_type().clone(),
                model: measurement.model.clone(),
                misses,
                documents,
            };
            cx.emit(Severity::Warning, kind);
        }
    }

    /// A document of this size came, of which `reported` tokens of prompt were read if the API said so.
    pub(super) fn size(
        &mut self,
        document_type: &DocumentType,
        version: &VersionId,
        measurement: &Measurement,
        reported: Option<u64>,
        space: Space,
        cx: &Cx<'_>,
    ) {
        let room = space.limit.saturating_sub(space.own);
        let key = (document_type.clone(), measurement.version_model.clone());
        let (sizes, _) = self.sizes.entry(&key, || Sizes::new(version, room));
        if sizes.version != *version {
            sizes.version = version.clone();
        }
        sizes.room = room;
        sizes.add(refined(measurement, reported), cx.now());
        let documents = sizes.documents();
        if documents < ENOUGH_DOCUMENTS
            || documents % LOOK_EVERY != 0
            || sizes.warned.as_ref() == Some(version)
        {
            return;
        }
        let room = LITTLE_ROOM
            .of(space.largest_prompt)
            .saturating_sub(space.own);
        let larger = sizes.over(room, |room| room, |room| room).at_most;
        if larger > documents - (documents * 99).div_ceil(100) {
            let p99 = sizes.p99().unwrap_or(0);
            let prompt = p99.saturating_add(space.own);
            sizes.warned = Some(version.clone());
            let kind = EventKind::LittleHeadroom {
                document_type: document_type.clone(),
                version: version.clone(),
                documents,
                p99: prompt,
                largest_prompt: space.largest_prompt,
            };
            cx.emit(Severity::Warning, kind);
        }
    }

    pub(super) fn sizes(&self) -> impl Iterator<Item = (&Key, &Sizes)> {
        self.sizes.iter()
    }

    /// Coverage as observed, for each type and model that is calibrated.
    pub(super) fn calibrations(&self) -> impl Iterator<Item = (&Key, &Calibration)> {
        self.calibrations.iter()
    }

    pub(super) fn stored(&self) -> Stored {
        let owned = |(key, value): (&Key, &Calibration)| (key.clone(), value.clone());
        Stored {
            calibrations: self.calibrations.iter().map(owned).collect(),
            pooled: self.pooled.clone().into_iter().collect(),
            sizes: self
                .sizes
                .iter()
                .map(|(key, sizes)| (key.clone(), sizes.clone()))
                .collect(),
        }
    }

    pub(super) fn restore(&mut self, stored: Stored) {
        let calibrations = stored.calibrations.into_iter();
        let restored = calibrations.map(|(key, value)| (key, value.restored()));
        self.calibrations.refill(restored, None);
        let pooled = stored.pooled.into_iter();
        self.pooled = pooled
            .map(|(model, value)| (model, value.restored()))
            .collect();
        self.sizes.refill(stored.sizes, None);
    }
}

/// The size of what the caller brought, by what the API reported where that says more.
fn refined(measurement: &Measurement, reported: Option<u64>) -> TokenCount {
    let brought = measurement.brought;
    let (Some(reported), true) = (reported, measurement.model == measurement.version_model) else {
        return brought;
    };
    if brought.is_exact() {
        return brought;
    }
    let is_scaled = matches!(
        measurement.prompt.provenance(),
        Provenance::Calibrated { .. } | Provenance::Assumed
    );
    let (part, whole) = (
        brought.upper().unwrap_or(u64::MAX),
        measurement.prompt.upper().unwrap_or(u64::MAX),
    );
    let size = if is_scaled {
        let share = u128::from(reported) * u128::from(part) / u128::from(whole.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    } else {
        reported.saturating_sub(whole.saturating_sub(part))
    };
    TokenCount::by_provider(size)
}
