//! The catalogue of known models: data, with a source and a date for each row.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::calibration::Factor;
use super::model::{Encoding, Framing, ImageRule, Model, ToolRule};
use crate::error::Error;
use crate::time::Timestamp;

const BUNDLED: &str = include_str!("catalogue.json");

/// Known models: context window, largest input and answer, encoding, what the API adds to messages,
/// tools and images, and the announced end of life.
///
/// A lookup needs the exact name, `gpt-4o`, or the name with its provider, `azure/gpt-4o`. The
/// catalogue never guesses from a prefix, because wrong guesses stay unnoticed. Your own rows take
/// precedence over the bundled ones:
///
/// ```
/// use fusebox::{TokenBudget, tokens::Catalogue};
///
/// let ours = Catalogue::from_json(r#"{ "models": [
///     { "provider": "ours", "name": "gpt-4o", "context_window": 64000, "encoding": "o200k_base", "family": "gpt-4o",
///       "source": "our gateway cuts at 64,000", "date": "2026-11-23" }
/// ] }"#)?;
/// let catalogue = Catalogue::bundled().with(ours);
/// assert_eq!(catalogue.model("gpt-4o").map(|model| model.context_window()), Some(64_000));
/// let budget = TokenBudget::builder().catalogue(catalogue).build()?;
/// # Ok::<(), fusebox::Error>(())
/// ```
///
/// # The file
/// An object with `models`, and optionally `families` and `assumed_factor`; `catalogue.json` in the
/// same source folder is the bundled one. A model has `provider`, `name`, `context_window`,
/// `source`, `date`, and optionally `largest_input`, `largest_answer`, `encoding`, `family`,
/// `end_of_life` (a date). A family has `family`, `source`, `date`, and optionally `framing`,
/// `tools` and `images`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    models: BTreeMap<String, Model>,
    families: BTreeMap<String, Family>,
    assumed: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    assumed_factor: Option<AssumedFactor>,
    #[serde(default)]
    families: Vec<Family>,
    models: Vec<Row>,
}

/// By how much another tokenizer can understate the count, before there is a calibration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssumedFactor {
    thousandths: u32,
    #[serde(rename = "source")]
    _source: String,
    date: String,
}

/// What several models have in common.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    #[serde(rename = "family")]
    name: String,
    framing: Option<Framing>,
    tools: Option<ToolRule>,
    images: Option<ImageRule>,
    #[serde(rename = "source")]
    _source: String,
    date: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    provider: String,
    name: String,
    context_window: u64,
    largest_input: Option<u64>,
    largest_answer: Option<u64>,
    encoding: Option<Encoding>,
    family: Option<String>,
    end_of_life: Option<String>,
    #[serde(rename = "source")]
    _source: String,
    date: String,
}

impl Catalogue {
    /// The bundled catalogue: current models of OpenAI, Anthropic, Google, Mistral, Meta, Cohere
    /// and Amazon.
    pub fn bundled() -> Self {
        // A test reads the bundled file. If it were unreadable, no model would be known, and every
        // pipeline with a token budget would refuse to build.
        Self::from_json(BUNDLED).unwrap_or_else(|_| Self::empty())
    }

    /// An empty catalogue: every model must be declared.
    pub fn empty() -> Self {
        Self {
            models: BTreeMap::new(),
            families: BTreeMap::new(),
            assumed: u32::MAX,
        }
    }

    /// Reads a catalogue file. An error names the row and the field. A family that the file does
    /// not define is taken from the bundled catalogue.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let file: File =
            serde_json::from_str(text).map_err(|error| Error::unreadable("catalogue", error))?;
        let mut catalogue = Self::empty();
        if let Some(factor) = file.assumed_factor {
            moment("date of the assumed factor", &factor.date)?;
            if factor.thousandths < 1_000 {
                let allowed = "1000 thousandths or more";
                return Err(Error::invalid(
                    "assumed factor",
                    factor.thousandths,
                    allowed,
                ));
            }
            catalogue.assumed = factor.thousandths;
        }
        for family in file.families {
            moment(&format!("date of family `{}`", family.name), &family.date)?;
            catalogue.families.insert(family.name.clone(), family);
        }
        let bundled = if text == BUNDLED {
            Self::empty()
        } else {
            Self::bundled()
        };
        for row in file.models {
            let (provider, name) = (row.provider.clone(), row.name.clone());
            let model = catalogue.read(&row, &bundled)?;
            catalogue
                .models
                .insert(format!("{provider}/{name}"), model.clone());
            if provider != "azure" {
                catalogue.models.insert(name, model);
            }
        }
        Ok(catalogue)
    }

    /// Adds the rows of `other`, which take precedence.
    pub fn with(mut self, other: Self) -> Self {
        self.models.extend(other.models);
        self.families.extend(other.families);
        if other.assumed != u32::MAX {
            self.assumed = other.assumed;
        }
        self
    }

    /// The model of this exact name, with or without its provider.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.get(name)
    }

    /// Every model, by its name with and without its provider.
    pub fn models(&self) -> impl Iterator<Item = (&str, &Model)> {
        self.models
            .iter()
            .map(|(name, model)| (name.as_str(), model))
    }

    /// Applies a family to a model: how the API frames messages and counts tools and images.
    /// Returns an error if the family is unknown.
    pub fn of_family(&self, model: Model, family: &str) -> Result<Model, Error> {
        let Some(family) = self.families.get(family) else {
            let known: Vec<_> = self.families.keys().map(String::as_str).collect();
            let allowed = format!("one of {}", known.join(", "));
            let field = format!("family of model `{}`", model.name());
            return Err(Error::invalid(field, family, allowed));
        };
        Ok(family.applied_to(model))
    }

    pub(crate) fn assumed_factor(&self) -> Factor {
        Factor::assumed(self.assumed)
    }

    fn read(&self, row: &Row, bundled: &Self) -> Result<Model, Error> {
        let field = |what: &str| format!("{what} of model `{}`", row.name);
        let mut model = Model::new(&row.name, row.context_window)?;
        moment(&field("date"), &row.date)?;
        let limits = [
            ("largest input", row.largest_input),
            ("largest answer", row.largest_answer),
        ];
        for (what, tokens) in limits {
            if tokens.is_some_and(|tokens| tokens == 0 || tokens > row.context_window) {
                let allowed = format!("1 to the context window, {}", row.context_window);
                return Err(Error::invalid(field(what), tokens.unwrap_or(0), allowed));
            }
        }
        if let Some(tokens) = row.largest_input {
            model = model.with_largest_input(tokens);
        }
        if let Some(tokens) = row.largest_answer {
            model = model.with_largest_answer(tokens);
        }
        if let Some(encoding) = row.encoding {
            model = model.with_encoding(encoding);
        }
        if let Some(date) = &row.end_of_life {
            model = model.with_end_of_life(moment(&field("end of life"), date)?);
        }
        match &row.family {
            None => Ok(model),
            Some(family) if self.families.contains_key(family) => self.of_family(model, family),
            Some(family) => bundled.of_family(model, family),
        }
    }
}

impl Family {
    fn applied_to(&self, mut model: Model) -> Model {
        if let Some(framing) = self.framing {
            model = model.with_framing(framing);
        }
        if let Some(tools) = self.tools {
            model = model.with_tool_rule(tools);
        }
        if let Some(images) = self.images {
            model = model.with_image_rule(images);
        }
        model
    }
}

/// The start of a day such as `2026-11-30`.
fn moment(field: &str, date: &str) -> Result<Timestamp, Error> {
    let time = humantime::parse_rfc3339(&format!("{date}T00:00:00Z"));
    time.map(Timestamp::from)
        .map_err(|_| Error::invalid(field.to_owned(), date, "a date such as 2026-11-30"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_factor(thousandths: u32) -> Result<Catalogue, Error> {
        Catalogue::from_json(&format!(
            r#"{{"models":[],"assumed_factor":{{"thousandths":{thousandths},"source":"s","date":"2026-11-23"}}}}"#
        ))
    }

    /// A catalogue of one model, which is of a family.
    fn of_family(families: &str, family: &str) -> Catalogue {
        let text = format!(
            r#"{{"families":[{families}],"models":[{{"provider":"ours","name":"m","context_window":8000,"family":"{family}","end_of_life":"2026-11-30","source":"s","date":"2026-11-23"}}]}}"#
        );
        Catalogue::from_json(&text).unwrap()
    }

    const OUR_GPT_4: &str =
        r#"{"family":"gpt-4","framing":{"per_message":5},"source":"s","date":"2026-11-23"}"#;

    /// 2.2 times is above the 2.18 that was reported (litellm issue 27632); an empty catalogue
    /// assumes the worst.
    #[test]
    fn a_factor_of_ones_own_wins_and_without_one_the_other_stands() {
        let bundled = Catalogue::bundled();
        assert_eq!(bundled.assumed_factor(), Factor::assumed(2_200));
        let ours = bundled.clone().with(with_factor(3_000).unwrap());
        assert_eq!(ours.assumed_factor(), Factor::assumed(3_000));
        let ours = bundled.with(of_family("", "gpt-4"));
        assert_eq!(ours.assumed_factor(), Factor::assumed(2_200));
        let ours = Catalogue::empty().with(Catalogue::bundled());
        assert_eq!(ours.assumed_factor(), Factor::assumed(2_200));
        assert_eq!(
            Catalogue::empty().assumed_factor(),
            Factor::assumed(u32::MAX)
        );
    }

    #[test]
    fn a_factor_of_one_is_the_smallest() {
        assert_eq!(
            with_factor(1_000).unwrap().assumed_factor(),
            Factor::assumed(1_000)
        );
        assert!(with_factor(999).is_err());
    }

    /// The cookbook's 3 tokens a message, 1 for a name and 3 for the reply; and a rule of our own
    /// for the same family.
    #[test]
    fn a_family_of_ones_own_wins_and_another_comes_from_the_bundled_file() {
        let cookbook = Framing::per_message(3).with_name(1).with_reply(3);
        let framing = |catalogue: &Catalogue| catalogue.model("m").unwrap().framing();
        assert_eq!(framing(&of_family("", "gpt-4")), Some(cookbook));
        assert_eq!(
            framing(&of_family(OUR_GPT_4, "gpt-4")),
            Some(Framing::per_message(5))
        );
        assert_eq!(framing(&of_family(OUR_GPT_4, "gpt-4o")), Some(cookbook));
    }

    #[test]
    fn two_catalogues_together_know_the_families_of_both() {
        let both = Catalogue::bundled().with(of_family(OUR_GPT_4, "gpt-4"));
        let framing = |family: &str| {
            let model = Model::new("m", 8_000).unwrap();
            both.of_family(model, family).unwrap().framing()
        };
        assert_eq!(framing("gpt-4"), Some(Framing::per_message(5)));
        let cookbook = Framing::per_message(3).with_name(1).with_reply(3);
        assert_eq!(framing("gpt-4o"), Some(cookbook));
    }

    /// 2026-11-30 is day 20,787 after 1970-01-01.
    #[test]
    fn a_date_is_the_beginning_of_its_day() {
        let catalogue = of_family("", "gpt-4");
        assert_eq!(
            catalogue.model("ours/m").unwrap().end_of_life(),
            Some(Timestamp::from_millis(20_787 * 24 * 60 * 60 * 1_000))
        );
    }
}
