//! The known models, and an estimator for each version with each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;

use super::estimate::{Estimator, Tokenizer};
use crate::call::Version;
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
        let Some(model) = self.model(version.model()) else {
            let allowed = "a model of the catalogue, or one declared with `.model(Model::new(name, window)?)`";
            return Err(Error::invalid(of("model"), version.model(), allowed));
        };
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
        let counted_by = Some(&*tokenizer.counter);
        let own = Estimator::new(version, model, tokenizer.clone(), counted_by, self.limit)?;
        let usable = |fallback: &&Model| {
            fallback.name() != model.name() && reserved < fallback.context_window()
        };
        let fallbacks = self.fallbacks.iter().filter(usable).map(|fallback| {
            let tokenizer = self.tokenizer(fallback, version)?;
            Estimator::new(version, fallback, tokenizer, counted_by, self.limit)
        });
        let fallbacks = fallbacks.collect::<Result<_, _>>()?;
        Ok(Estimators {
            version: version.clone(),
            own,
            fallbacks,
        })
    }

    /// Refuses a fallback that is smaller than the smallest model of the versions.
    pub(super) fn check_fallbacks<'a>(
        &self,
        versions: impl Iterator<Item = &'a Version>,
    ) -> Result<(), Error> {
        let models = versions.filter_map(|version| self.model(version.model()));
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
        let mut declared = self.declared.iter().chain(&self.fallbacks);
        declared
            .find(|known| known.name() == name)
            .or_else(|| self.catalogue.model(name.as_str()))
    }

    /// Whether two models share a tokenizer, so that sizes measured for one hold for the other.
    pub(super) fn share_tokenizer(&self, one: &ModelName, other: &ModelName) -> bool {
        let of_one = self.tokenizer_name(one);
        one == other || of_one.is_some() && of_one == self.tokenizer_name(other)
    }

    fn tokenizer_name(&self, name: &ModelName) -> Option<String> {
        if let Some(counter) = self.counters.get(name) {
            return Some(counter.name().to_owned());
        }
        let encoding = self.model(name)?.encoding()?;
        Some(encoding.name().to_owned())
    }

    pub(super) fn assumed_factor(&self) -> Factor {
        self.catalogue.assumed_factor()
    }

    fn tokenizer(&self, model: &Model, version: &Version) -> Result<Tokenizer, Error> {
        let own = |counter| Tokenizer {
            counter,
            is_own: true,
        };
        if let Some(counter) = self.counters.get(model.name()) {
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
