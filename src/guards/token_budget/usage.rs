//! What reported usage shows: the sizes of documents, and how a model without a published tokenizer
//! counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::headroom::{Sizes, Space};
use crate::call::{Ticket, Version};
use crate::event::{BudgetEvent, EventKind, Severity};
use crate::guard::Cx;
use crate::name::{DocumentType, ModelName, VersionId};
use crate::stats::{DEFAULT_KEYS, Entries, SharedMap};
use crate::time::Timestamp;
use crate::tokens::{Calibration, Coverage, Factor, Measurement, Provenance, TokenCount};

/// In shorter prompts the ratio is mostly framing.
const SHORTEST_SAMPLE: u64 = 500;

type Key = (DocumentType, ModelName);

/// Calibrations and sizes, by type and model.
#[derive(Debug)]
pub(super) struct UsageHistory {
    calibrations: SharedMap<Key, Calibration>,
    pooled: BTreeMap<ModelName, Calibration>,
    sizes: SharedMap<Key, Sizes>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    calibrations: Vec<(Key, Arc<Calibration>)>,
    pooled: Vec<(ModelName, Calibration)>,
    sizes: Vec<(Key, Arc<Sizes>)>,
}

/// The history at one moment, to be written without its lock.
#[derive(Debug)]
pub(super) struct Shared {
    calibrations: Entries<Key, Calibration>,
    pooled: BTreeMap<ModelName, Calibration>,
    sizes: Entries<Key, Sizes>,
}

impl Shared {
    pub(super) fn stored(self) -> Stored {
        Stored {
            calibrations: self.calibrations.list(),
            pooled: self.pooled.into_iter().collect(),
            sizes: self.sizes.list(),
        }
    }
}

impl UsageHistory {
    pub(super) fn new() -> Self {
        Self {
            calibrations: SharedMap::new(DEFAULT_KEYS),
            pooled: BTreeMap::new(),
            sizes: SharedMap::new(DEFAULT_KEYS),
        }
    }

    /// The factor for a model: from documents of the type if there are enough, otherwise from all
    /// types.
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

    /// Records the tokens that the API reported for a prompt that another tokenizer counted.
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
        let own = self.calibrations.entry(&key, Calibration::default);
        let coverage = own.learn(raw, reported, assumed);
        let pooled = self.pooled.entry(measurement.model.clone()).or_default();
        let _ = pooled.learn(raw, reported, assumed);
        if let Coverage::Fell { misses, documents } = coverage {
            let kind = EventKind::Budget(BudgetEvent::BoundMissed {
                document_type: ticket.document_type().clone(),
                model: measurement.model.clone(),
                misses,
                documents,
            });
            cx.emit(Severity::Warning, kind);
        }
    }

    /// Records the size of a document; `reported` is the API's count of its prompt in tokens of the
    /// version's model.
    pub(super) fn record_call(
        &mut self,
        document_type: &DocumentType,
        version: &VersionId,
        measurement: &Measurement,
        reported: Option<u64>,
        space: Space,
        cx: &Cx<'_>,
    ) {
        let model = &measurement.version_model;
        let sizes = self.sizes_of(document_type, version, model, space);
        let size = refined(measurement, reported, space);
        // If only the bytes are known and the document fits, its size is not known.
        if size.is_exact() || size.provenance() < Provenance::Bound || size.lower() > sizes.room {
            sizes.add(size, cx.now());
        } else {
            sizes.add_unmeasured(cx.now());
        }
        sizes.warn_of_little_room(document_type, version, space, cx);
    }

    /// Records the size of a document without a call, counted as far as possible.
    pub(super) fn record(
        &mut self,
        document_type: &DocumentType,
        version: &Version,
        size: TokenCount,
        space: Space,
        at: Timestamp,
    ) {
        let sizes = self.sizes_of(document_type, version.id(), version.model(), space);
        sizes.add(size, at);
    }

    fn sizes_of(
        &mut self,
        document_type: &DocumentType,
        version: &VersionId,
        model: &ModelName,
        space: Space,
    ) -> &mut Sizes {
        let room = space.limit.saturating_sub(space.own);
        let key = (document_type.clone(), model.clone());
        let sizes = self.sizes.entry(&key, || Sizes::new(version, room));
        sizes.serves(version, room);
        sizes
    }

    pub(super) fn sizes(&self) -> impl Iterator<Item = (&Key, &Sizes)> {
        self.sizes.iter()
    }

    /// The calibration of each type and model.
    pub(super) fn calibrations(&self) -> impl Iterator<Item = (&Key, &Calibration)> {
        self.calibrations.iter()
    }

    pub(super) fn shared(&self) -> Shared {
        Shared {
            calibrations: self.calibrations.shared(),
            pooled: self.pooled.clone(),
            sizes: self.sizes.shared(),
        }
    }

    pub(super) fn restore(&mut self, stored: Stored) {
        let calibrations = stored.calibrations.into_iter();
        let restored =
            calibrations.map(|(key, value)| (key, Arc::unwrap_or_clone(value).restored()));
        self.calibrations.refill(restored);
        let pooled = stored.pooled.into_iter();
        self.pooled = pooled
            .map(|(model, value)| (model, value.restored()))
            .collect();
        let sizes = stored.sizes.into_iter();
        self.sizes
            .refill(sizes.map(|(key, sizes)| (key, Arc::unwrap_or_clone(sizes))));
    }
}

/// The size of the call's part of the prompt, refined by the reported usage if it was not exact.
/// `reported` is in tokens of the version's model.
fn refined(measurement: &Measurement, reported: Option<u64>, space: Space) -> TokenCount {
    let brought = measurement.brought;
    let Some(reported) = reported.filter(|_| !brought.is_exact()) else {
        return brought;
    };
    let is_scaled = matches!(
        measurement.prompt.provenance(),
        Provenance::Calibrated { .. } | Provenance::Assumed
    );
    if !is_scaled {
        return TokenCount::by_provider(reported.saturating_sub(space.own));
    }
    let (part, whole) = (
        brought.upper().unwrap_or(u64::MAX),
        measurement.prompt.upper().unwrap_or(u64::MAX),
    );
    let share = u128::from(reported) * u128::from(part) / u128::from(whole.max(1));
    TokenCount::by_provider(u64::try_from(share).unwrap_or(u64::MAX))
}
