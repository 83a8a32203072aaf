//! Putting a token budget together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::models::Models;
use super::{LIMIT, TokenBudget};
use crate::call::Destination;
use crate::error::Error;
use crate::event::Severity;
use crate::name::ModelName;
use crate::ratio::Ratio;
use crate::tokens::{Catalogue, Model, TokenCounter};

impl TokenBudget {
    /// A budget with the default numbers.
    pub fn builder() -> TokenBudgetBuilder {
        TokenBudgetBuilder::new()
    }
}

/// Puts a [`TokenBudget`] together.
#[derive(Clone, Debug)]
#[must_use = "nothing is guarded before `build`"]
pub struct TokenBudgetBuilder {
    limit: Ratio,
    catalogue: Catalogue,
    models: Vec<Model>,
    fallbacks: Vec<Model>,
    counters: Vec<(String, Arc<dyn TokenCounter>)>,
    otherwise: Destination,
    larger_model_alarm: Severity,
    measure_all: bool,
}

impl TokenBudgetBuilder {
    pub(super) fn new() -> Self {
        Self {
            limit: LIMIT,
            catalogue: Catalogue::bundled(),
            models: Vec::new(),
            fallbacks: Vec::new(),
            counters: Vec::new(),
            otherwise: Destination::HumanReview,
            larger_model_alarm: Severity::Page,
            measure_all: false,
        }
    }

    /// The share of what the model can read that a call may need (90 % by default, at most 100 %).
    pub fn limit(mut self, limit: Ratio) -> Self {
        self.limit = limit;
        self
    }

    /// What is known of models, if not the bundled catalogue.
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = catalogue;
        self
    }

    /// Declares a model that versions call. What stands in the catalogue needs no declaration.
    pub fn model(mut self, model: Model) -> Self {
        self.models.push(model);
        self
    }

    /// Declares a model that documents may move to when they are too large for their version's. Of several the cheapest
    /// that fits is taken: by input price where it is given, else the smallest.
    pub fn fallback(mut self, model: Model) -> Self {
        self.fallbacks.push(model);
        self
    }

    /// Counts the texts of the model `name` with a counter of yours, instead of the model's encoding.
    pub fn counter(
        mut self,
        model: impl Into<String>,
        counter: impl TokenCounter + 'static,
    ) -> Self {
        self.counters.push((model.into(), Arc::new(counter)));
        self
    }

    /// Where a document goes that fits nowhere (human review by default).
    pub fn otherwise(mut self, destination: Destination) -> Self {
        self.otherwise = destination;
        self
    }

    /// How urgent it is when a type of document moves to a larger model (a page by default): a warning, if that is how
    /// your pipeline is meant to work.
    pub fn larger_model_alarm(mut self, severity: Severity) -> Self {
        self.larger_model_alarm = severity;
        self
    }

    /// Counts every document in full, even where its length already says that it fits: for [`TokenBudget::headroom`]
    /// without reports of usage, and to see every prompt that a provider cuts. It costs some 30 ms for a megabyte.
    pub fn measure_every_document(mut self) -> Self {
        self.measure_all = true;
        self
    }

    /// The budget. An error when the limit is not above 0 % and at most 100 %, when one model is declared twice
    /// differently, or when a declared encoding needs a feature that is off.
    pub fn build(self) -> Result<TokenBudget, Error> {
        if self.limit == Ratio::ZERO || self.limit > Ratio::ONE {
            let allowed = "more than 0 % and at most 100 %";
            return Err(Error::invalid("token budget limit", self.limit, allowed));
        }
        let mut counters = BTreeMap::new();
        for (model, counter) in self.counters {
            counters.insert(ModelName::new(model)?, counter);
        }
        let models = Models::new(
            self.limit,
            self.catalogue,
            self.models,
            self.fallbacks,
            counters,
        )?;
        Ok(TokenBudget::of(
            models,
            self.otherwise,
            self.larger_model_alarm,
            self.measure_all,
        ))
    }
}
