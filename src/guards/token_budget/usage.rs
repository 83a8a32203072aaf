//! What reported usage shows: the sizes of documents, and how a model without a published tokenizer
//! counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cuts::Cuts;
use super::headroom::{Sizes, Space};
use super::shift::Shift;
use crate::call::{Ticket, Version};
use crate::error::Error;
use crate::event::{BudgetEvent, EventKind, Severity};
use crate::guard::{Cx, Share, Trouble};
use crate::name::{DocumentType, ModelName, VersionId};
use crate::stats::{DEFAULT_KEYS, Entries, SharedMap};
use crate::time::{Timestamp, hours};
use crate::tokens::{
    Basis, Calibration, Factor, LEAST_FOR_PROXY, Measurement, Provenance, TokenCount, UNIT, ratio,
};

/// In shorter prompts the ratio is mostly framing.
const SHORTEST_SAMPLE: u64 = 500;

/// A text has at most so many times the tokens that another tokenizer counts; or twice the factor
/// that is assumed, where that is less. A report above it is not believed.
const MOST_RATIO: u64 = 8 * UNIT;
/// Reports that are not believed are one matter until a model has had none for this time.
const HOLD_OPEN: Duration = hours(24);

/// What the keys of the registers of calibrations begin with ..
const CALIBRATIONS: &str = "calibration";
/// .. and of sizes.
const SIZES: &str = "sizes";

type Key = (DocumentType, ModelName);

/// What all document types have shown of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct OfModel {
    pooled: Calibration,
    #[serde(default)]
    cuts: Cuts,
    #[serde(default)]
    shift: Shift,
}

/// Calibrations and sizes, by type and model.
#[derive(Debug)]
pub(super) struct UsageHistory {
    calibrations: SharedMap<Key, Calibration>,
    models: BTreeMap<ModelName, OfModel>,
    sizes: SharedMap<Key, Sizes>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Stored {
    calibrations: Vec<(Key, Arc<Calibration>)>,
    #[serde(default)]
    models: Vec<(ModelName, OfModel)>,
    sizes: Vec<(Key, Arc<Sizes>)>,
}

impl Stored {
    /// Moves each type and model into a register of its own.
    pub(super) fn share(&mut self, share: &mut Share, cx: &Cx<'_>) -> Result<(), Error> {
        for (key, calibration) in self.calibrations.drain(..) {
            let (name, model) = &key;
            let names = [CALIBRATIONS, name.as_str(), model.as_str()];
            share.register(&names, &(&key, calibration), cx)?;
        }
        for (key, sizes) in self.sizes.drain(..) {
            let (name, model) = &key;
            share.register(&[SIZES, name.as_str(), model.as_str()], &(&key, sizes), cx)?;
        }
        Ok(())
    }

    /// Takes back what was shared.
    pub(super) fn take(&mut self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        self.calibrations.extend(shared.within(CALIBRATIONS, cx)?);
        self.sizes.extend(shared.within(SIZES, cx)?);
        Ok(())
    }
}

/// The history at one moment, to be written without its lock.
#[derive(Debug)]
pub(super) struct Shared {
    calibrations: Entries<Key, Calibration>,
    models: BTreeMap<ModelName, OfModel>,
    sizes: Entries<Key, Sizes>,
}

impl Shared {
    pub(super) fn stored(self) -> Stored {
        Stored {
            calibrations: self.calibrations.list(),
            models: self.models.into_iter().collect(),
            sizes: self.sizes.list(),
        }
    }
}

impl UsageHistory {
    pub(super) fn new() -> Self {
        Self {
            calibrations: SharedMap::new(DEFAULT_KEYS),
            models: BTreeMap::new(),
            sizes: SharedMap::new(DEFAULT_KEYS),
        }
    }

    /// The factor for a model: from documents of the type if there are enough. With few, the bound
    /// of all types has as much weight as is missing, and no coverage is promised.
    pub(super) fn factor(
        &self,
        document_type: &DocumentType,
        model: &ModelName,
        assumed: Factor,
    ) -> Factor {
        let of_all = self.models.get(model).map(|model| &model.pooled);
        let prior = of_all.filter(|pooled| pooled.is_settled());
        let prior = prior.and_then(Calibration::factor).map(|factor| Factor {
            provenance: Provenance::Assumed,
            ..factor
        });
        let key = (document_type.clone(), model.clone());
        let own = self.calibrations.get(&key);
        let own = own.and_then(|own| match prior {
            Some(prior) => own.factor_beside(prior),
            None => own.factor().filter(|_| own.is_enough_alone()),
        });
        own.or(prior).unwrap_or(assumed)
    }

    /// How many other prompts were reported with the very usage of this one, if the service cuts
    /// prompts there.
    pub(super) fn cut_alike(&self, measurement: &Measurement, reported: u64) -> Option<u64> {
        let model = self.models.get(&measurement.model)?;
        let raw = measurement.raw.filter(|raw| *raw >= SHORTEST_SAMPLE)?;
        // Before that is known, the lengths of the texts alone tell.
        let least = |raw| model.pooled.usually_at_least(raw).unwrap_or(u64::MAX);
        model.cuts.alike(raw, reported, least)
    }

    /// Records the tokens that the API reported for a prompt that another tokenizer counted. A
    /// prompt that `is_cut` teaches nothing of how the model counts, unless many have fewer tokens by
    /// one factor: then the model has another tokenizer, and they were not cut.
    pub(super) fn calibrate(
        &mut self,
        ticket: &Ticket,
        measurement: &Measurement,
        reported: u64,
        is_cut: bool,
        assumed: Factor,
        cx: &Cx<'_>,
    ) {
        let Some(raw) = measurement.raw.filter(|raw| *raw >= SHORTEST_SAMPLE) else {
            return;
        };
        let name = &measurement.model;
        let text = reported.saturating_sub(measurement.beside);
        let ratio = ratio(raw, text);
        if ratio > MOST_RATIO.min(assumed.upper.saturating_mul(2)) {
            let trouble = Trouble::new("usage-not-believed")
                .about(name.as_str())
                .told_as(Severity::Warning)
                .seen()
                .held_open_for(HOLD_OPEN);
            let kind = EventKind::Budget(BudgetEvent::UsageNotBelieved {
                document: ticket.document().clone(),
                document_type: ticket.document_type().clone(),
                model: name.clone(),
                counted: measurement.prompt,
                reported,
            });
            return cx.page(&trouble, kind);
        }
        let model = self.models.entry(name.clone()).or_default();
        let is_repeated = model.cuts.is_repeated(reported);
        model.cuts.record(raw, reported, is_cut);
        if is_cut && (is_repeated || ratio < LEAST_FOR_PROXY) {
            return;
        }
        let key = (ticket.document_type().clone(), name.clone());
        let own = self.calibrations.entry(&key, Calibration::default);
        let learnt = if is_cut {
            own.compare(raw, text)
        } else {
            model.pooled.learn(raw, text);
            own.learn(raw, text)
        };
        if let Some((misses, documents)) = learnt.fallen {
            let kind = EventKind::Budget(BudgetEvent::BoundMissed {
                document_type: ticket.document_type().clone(),
                model: name.clone(),
                misses,
                documents,
            });
            cx.emit(Severity::Warning, kind);
        }
        if let Some(by) = model.shift.add(learnt) {
            model.pooled.scale(by);
            self.calibrations
                .change(|(_, of)| of == name, |own| own.scale(by));
            let kind = EventKind::Budget(BudgetEvent::TokenizerChanged {
                model: name.clone(),
                percent: by / (UNIT / 100),
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
        sizes.add_at(size, at);
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
            models: self.models.clone(),
            sizes: self.sizes.shared(),
        }
    }

    /// What has changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> Stored {
        let models = self.models.iter();
        Stored {
            calibrations: self.calibrations.take_changed(),
            models: models
                .map(|(name, model)| (name.clone(), model.clone()))
                .collect(),
            sizes: self.sizes.take_changed(),
        }
    }

    pub(super) fn restore(&mut self, stored: Stored) {
        let calibrations = stored.calibrations.into_iter();
        let restored =
            calibrations.map(|(key, value)| (key, Arc::unwrap_or_clone(value).restored()));
        self.calibrations.refill(restored);
        let models = stored.models.into_iter();
        let models = models.map(|(name, model)| {
            let pooled = model.pooled.restored();
            (name, OfModel { pooled, ..model })
        });
        self.models = models.collect();
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
    if measurement.basis == Basis::Own {
        return TokenCount::by_provider(reported.saturating_sub(space.own));
    }
    let (part, whole) = (
        brought.upper().unwrap_or(u64::MAX),
        measurement.prompt.upper().unwrap_or(u64::MAX),
    );
    let share = u128::from(reported) * u128::from(part) / u128::from(whole.max(1));
    TokenCount::by_provider(u64::try_from(share).unwrap_or(u64::MAX))
}
