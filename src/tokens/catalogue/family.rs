//! What several models have in common: how the API frames messages and counts tools and images.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;
use crate::tokens::model::{Framing, ImageRule, Model, ToolRule};

/// The rules of one family.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    #[serde(rename = "family")]
    pub(super) name: String,
    framing: Option<Framing>,
    tools: Option<ToolRule>,
    images: Option<ImageRule>,
    #[serde(rename = "source")]
    _source: String,
    pub(super) date: String,
}

/// The families that are known, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Families(BTreeMap<String, Family>);

impl Families {
    pub(super) fn insert(&mut self, family: Family) {
        self.0.insert(family.name.clone(), family);
    }

    /// Adds the families of `other`, which take precedence.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn has(&self, family: &str) -> bool {
        self.0.contains_key(family)
    }

    /// Applies a family to a model. Returns an error if the family is unknown.
    pub(super) fn apply(&self, family: &str, mut model: Model) -> Result<Model, Error> {
        let Some(family) = self.0.get(family) else {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            let allowed = format!("one of {}", known.join(", "));
            let field = format!("family of model `{}`", model.name());
            return Err(Error::invalid(field, family, allowed));
        };
        if let Some(framing) = family.framing {
            model = model.with_framing(framing);
        }
        if let Some(tools) = family.tools {
            model = model.with_tool_rule(tools);
        }
        if let Some(images) = family.images {
            model = model.with_image_rule(images);
        }
        Ok(model)
    }
}
