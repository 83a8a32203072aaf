//! Configuring a token budget.

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
    /// A builder with the default numbers.
    pub fn builder() -> TokenBudgetBuilder {
        TokenBudgetBuilder::new()
    }
}

/// Configures a [`TokenBudget`].
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

    /// The share of the available input that a prompt may need (default 90 %, at most 100 %).
    pub fn limit(mut self, limit: Ratio) -> Self {
        self.limit = limit;
        self
    }

    /// Replaces the bundled catalogue of models.
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = catalogue;
        self
    }

    /// Declares a model that versions call. Models in the catalogue need no declaration.
    pub fn model(mut self, model: Model) -> Self {
        self.models.push(model);
        self
    }

    /// Declares a model for documents that are too large for their version's model. Of several that
    /// fit, the guard takes the cheapest by input price, and without prices the one with the
    /// smallest context window.
    pub fn fallback(mut self, model: Model) -> Self {
        self.fallbacks.push(model);
        self
    }

    /// Counts the texts of the model `name` with your own counter instead of the model's encoding.
    pub fn counter(
        mut self,
        model: impl Into<String>,
        counter: impl TokenCounter + 'static,
    ) -> Self {
        self.counters.push((model.into(), Arc::new(counter)));
        self
    }

    /// Where a document goes that fits no model (default human review).
    pub fn otherwise(mut self, destination: Destination) -> Self {
        self.otherwise = destination;
        self
    }

    /// The severity when documents of a type move to a larger model (default page). Lower it if
    /// your pipeline relies on that.
    pub fn larger_model_alarm(mut self, severity: Severity) -> Self {
        self.larger_model_alarm = severity;
        self
    }

    /// Counts every document in full, even if its length alone shows that it fits. This gives
    /// [`TokenBudget::headroom`] sizes without usage reports, and detects every prompt that a
    /// provider cuts. It costs about 30 ms per megabyte.
    pub fn measure_every_document(mut self) -> Self {
        self.measure_all = true;
        self
    }

    /// Builds the budget. Returns an error if the limit is not above 0 % and at most 100 %, if one
    /// model has two different declarations, or if a declared encoding needs a feature that is
    /// disabled.
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
