//! The known models, and an estimator for each version with each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;

use super::estimate::{Estimator, Tokenizer};
use super::headroom::Space;
use crate::call::{LineUp, Version};
use crate::error::Error;
use crate::name::ModelName;
use crate::ratio::Ratio;
use crate::tokens::{ByteBound, Catalogue, Encoding, Factor, Model, TokenCounter, proxy};

/// The number of versions whose prompts stay counted.
const REMEMBERED_VERSIONS: usize = 32;

/// The models that versions may call, and the estimators of the versions.
#[derive(Debug)]
pub(super) struct Models {
    limit: Ratio,
    catalogue: Catalogue,
    declared: Vec<Model>,
    /// Cheapest first.
    fallbacks: Vec<Model>,
    counters: BTreeMap<ModelName, Arc<dyn TokenCounter>>,
    estimators: RwLock<Vec<Arc<Estimators>>>,
}

/// The estimators of a version: with its own model, and with each fallback.
#[derive(Debug)]
pub(super) struct Estimators {
    pub(super) version: Version,
    pub(super) own: Estimator,
    /// The room that the version leaves in its model's window.
    pub(super) space: Space,
    pub(super) fallbacks: Vec<Estimator>,
}

impl Models {
    pub(super) fn new(
        limit: Ratio,
        catalogue: Catalogue,
        declared: Vec<Model>,
        mut fallbacks: Vec<Model>,
        counters: BTreeMap<ModelName, Arc<dyn TokenCounter>>,
    ) -> Result<Self, Error> {
        let all = declared.iter().chain(&fallbacks);
        let distinct: BTreeSet<&Model> = all.collect();
        let mut names = BTreeSet::new();
        for model in distinct {
            if !names.insert(model.name()) {
                let field = format!("context window of model `{}`", model.name());
                let allowed = "one declaration per model";
                return Err(Error::invalid(field, model.context_window(), allowed));
            }
            if let Some(encoding) = model.encoding() {
                if !counters.contains_key(model.name()) {
                    encoding.counter()?;
                }
            }
        }
        fallbacks.sort_by_key(Model::cost);
        Ok(Self {
            limit,
            catalogue,
            declared,
            fallbacks,
            counters,
            estimators: RwLock::new(Vec::new()),
        })
    }

    pub(super) fn settings(&self) -> String {
        let Self {
            limit,
            catalogue,
            declared,
            fallbacks,
            counters,
            estimators: _,
        } = self;
        let counters: Vec<_> = counters.keys().collect();
        format!("{limit:?} {declared:?} {fallbacks:?} {counters:?} {catalogue:?}")
    }

    /// The estimators of a version, created at first use. Returns an error if its model is unknown,
    /// its prompt not counted, or its reserved answer too large.
    pub(super) fn estimators(&self, version: &Version) -> Result<Arc<Estimators>, Error> {
        let known = |estimators: &&Arc<Estimators>| estimators.version.counts_like(version);
        if let Some(estimators) = self.estimators.read().iter().find(known) {
            return Ok(Arc::clone(estimators));
        }
        let estimators = Arc::new(self.read(version)?);
        let mut all = self.estimators.write();
        if all.len() >= REMEMBERED_VERSIONS {
            all.remove(0);
        }
        all.push(Arc::clone(&estimators));
        Ok(estimators)
    }

    fn read(&self, version: &Version) -> Result<Estimators, Error> {
        let of = |what: &str| format!("{what} of version `{}`", version.id());
        let Some(known) = self.model(version.model()) else {
            let allowed = self.catalogue.expected_instead_of(version.model().as_str());
            return Err(Error::invalid(of("model"), version.model(), allowed));
        };
        // A ticket has the name by which the version calls the model, `azure/gpt-4o` too.
        let model = &known.clone().called(version.model());
        let reserved = version.reserved_answer_tokens();
        if reserved >= model.context_window() {
            let (name, window) = (model.name(), model.context_window());
            let allowed = format!("fewer than the context window of `{name}`, {window}");
            return Err(Error::invalid(
                of("reserved answer tokens"),
                reserved,
                allowed,
            ));
        }
        if let Some(largest) = model.largest_answer().filter(|largest| reserved > *largest) {
            let allowed = format!(
                "at most the largest answer of `{}`, {largest}",
                model.name()
            );
            return Err(Error::invalid(
                of("reserved answer tokens"),
                reserved,
                allowed,
            ));
        }
        let tokenizer = self.tokenizer(model, version)?;
        // Nobody can count for a model whose tokenizer is not published, except its provider.
        let are_foreign = !tokenizer.is_own && !self.is_declared(model.name());
        let counted_by = tokenizer.counter.name().to_owned();
        let own = Estimator::new(version, model, tokenizer, are_foreign, self.limit)?;
        self.check_room(&own, version)?;
        let usable =
            |fallback: &&Model| fallback.name() != model.name() && writes(fallback, version);
        let fallbacks = self.fallbacks.iter().filter(usable).map(|fallback| {
            let tokenizer = self.tokenizer(fallback, version)?;
            let are_foreign = are_foreign || tokenizer.counter.name() != counted_by;
            Estimator::new(version, fallback, tokenizer, are_foreign, self.limit)
        });
        let fallbacks = fallbacks.collect::<Result<_, _>>()?;
        Ok(Estimators {
            version: version.clone(),
            space: Space::of(&own, self.assumed_factor()),
            own,
            fallbacks,
        })
    }

    /// Refuses a version whose own part of the prompt leaves no room for a document: everything
    /// would go to human review.
    fn check_room(&self, own: &Estimator, version: &Version) -> Result<(), Error> {
        let needed = own.own_tokens(Factor::assumed(1_000));
        if own.limit > 0 && needed.lower() <= own.limit {
            return Ok(());
        }
        let field = format!("prompt of version `{}` without a document", version.id());
        let allowed = format!(
            "at most {} tokens, {} of the {} that `{}` leaves beside {} for the answer",
            own.limit,
            self.limit,
            own.largest_prompt,
            own.model.name(),
            version.reserved_answer_tokens()
        );
        Err(Error::invalid(field, needed, allowed))
    }

    /// Refuses a fallback that is smaller than the smallest model of the versions, or that cannot
    /// write the answer of any of them.
    pub(super) fn check_fallbacks(&self, line_up: &LineUp) -> Result<(), Error> {
        for fallback in &self.fallbacks {
            let mut versions = line_up.versions();
            if !versions.any(|version| writes(fallback, version)) {
                let reserved = line_up
                    .versions()
                    .map(Version::reserved_answer_tokens)
                    .min();
                let field = format!("largest answer of fallback `{}`", fallback.name());
                let largest = fallback
                    .largest_answer()
                    .unwrap_or(fallback.context_window());
                let allowed = format!(
                    "at least what a version reserves for the answer, {}",
                    reserved.unwrap_or(0)
                );
                return Err(Error::invalid(field, largest, allowed));
            }
        }
        let models = line_up.versions();
        let models = models.filter_map(|version| self.model(version.model()));
        let Some(smallest) = models.min_by_key(|model| model.largest_prompt(0)) else {
            return Ok(());
        };
        let needed = smallest.largest_prompt(0);
        let too_small = |fallback: &&Model| fallback.largest_prompt(0) < needed;
        match self.fallbacks.iter().find(too_small) {
            Some(fallback) => {
                let field = format!("context window of fallback `{}`", fallback.name());
                let allowed = format!("at least that of `{}`, {needed}", smallest.name());
                Err(Error::invalid(field, fallback.largest_prompt(0), allowed))
            }
            None => Ok(()),
        }
    }

    /// The model of this name: declared, or from the catalogue.
    pub(super) fn model(&self, name: &ModelName) -> Option<&Model> {
        let declared = self.declared(name);
        declared.or_else(|| self.catalogue.model(name.as_str()))
    }

    fn declared(&self, name: &ModelName) -> Option<&Model> {
        let mut declared = self.declared.iter().chain(&self.fallbacks);
        declared.find(|known| known.name() == name)
    }

    fn is_declared(&self, name: &ModelName) -> bool {
        self.declared(name).is_some()
    }

    /// Whether two models share a tokenizer, so that sizes measured for one hold for the other.
    pub(super) fn share_tokenizer(&self, one: &ModelName, other: &ModelName) -> bool {
        let of_one = self.tokenizer_name(one);
        one == other || of_one.is_some() && of_one == self.tokenizer_name(other)
    }

    fn tokenizer_name(&self, name: &ModelName) -> Option<String> {
        let model = self.model(name);
        if let Some(counter) = self.counter(name, model) {
            return Some(counter.name().to_owned());
        }
        let encoding = model?.encoding()?;
        Some(encoding.name().to_owned())
    }

    pub(super) fn assumed_factor(&self) -> Factor {
        self.catalogue.assumed_factor()
    }

    /// The caller's own counter for a model: under the name by which it is called, or that of the
    /// catalogue.
    fn counter(&self, name: &ModelName, model: Option<&Model>) -> Option<&Arc<dyn TokenCounter>> {
        let of_name = self.counters.get(name);
        of_name.or_else(|| self.counters.get(model?.name()))
    }

    fn tokenizer(&self, model: &Model, version: &Version) -> Result<Tokenizer, Error> {
        let own = |counter| Tokenizer {
            counter,
            is_own: true,
        };
        if let Some(counter) = self.counter(model.name(), self.model(model.name())) {
            return Ok(own(Arc::clone(counter)));
        }
        match model.encoding().map(Encoding::counter) {
            Some(Ok(counter)) => Ok(own(counter)),
            // Adding up numbers needs no tokenizer; a text that still arrives is bounded by its
            // bytes.
            Some(Err(_)) if !version.has_text() => Ok(own(Arc::new(ByteBound))),
            Some(Err(error)) => Err(error),
            None => Ok(Tokenizer {
                counter: proxy(),
                is_own: false,
            }),
        }
    }
}

/// Whether a model can write the answer for which a version reserves tokens.
fn writes(model: &Model, version: &Version) -> bool {
    let reserved = version.reserved_answer_tokens();
    let largest = model.largest_answer();
    reserved < model.context_window() && largest.is_none_or(|largest| reserved <= largest)
}
