//! Reads `LiteLLM`'s model table, `model_prices_and_context_window.json`.
//!
//! The table has no context window, only a largest input and a largest answer, and some rows give
//! the whole window as the input, others the window without the answer. Where the catalogue cannot
//! tell which, it takes the smaller reading, and says so.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;

use super::file::moment;
use super::row::{CatalogueRow, SkippedRow};
use crate::error::Error;
use crate::tokens::model::Model;

/// What a table says.
pub(super) struct Table {
    /// The rows, each with its name without any provider.
    pub(super) rows: Vec<(String, CatalogueRow)>,
    pub(super) skipped: Vec<SkippedRow>,
}

/// The modes of models that answer a prompt with text.
const MODES: [&str; 3] = ["chat", "completion", "responses"];
/// Providers with several names, one for each way to call them.
const SAME_PROVIDER: [(&str, &str); 4] = [
    ("azure_text", "azure"),
    ("bedrock_converse", "bedrock"),
    ("cohere_chat", "cohere"),
    ("text-completion-openai", "openai"),
];

const ONE_WINDOW: &str = "the largest input is the window of prompt and answer together";
const NO_ANSWER: &str = "the largest input is the window of prompt and answer together, and the \
                         largest answer is not known";
const EQUAL: &str = "the largest input and the largest answer are equal: they are one window of \
                     prompt and answer together";
const LONG_ANSWER: &str = "the largest answer, which is above the largest input, is the window of \
                           prompt and answer together";

/// Reads a table; `known` is the model that the bundled catalogue has under a name.
pub(super) fn read<'k>(
    text: &str,
    known: impl Fn(&str) -> Option<&'k Model>,
) -> Result<Table, Error> {
    let entries: Entries = serde_json::from_str(text)
        .map_err(|error| Error::unreadable("LiteLLM's model table", error))?;
    let found = entries.0.len();
    let mut named: BTreeMap<String, Vec<Usable>> = BTreeMap::new();
    let mut skipped = Vec::new();
    for (key, entry) in entries.0 {
        match entry.usable(key, &known) {
            Ok(usable) => named
                .entry(usable.row.name.clone())
                .or_default()
                .push(usable),
            Err(row) => skipped.push(row),
        }
    }
    let mut rows = Vec::with_capacity(named.len());
    for same_name in named.into_values() {
        let mut same_name = same_name.into_iter();
        let Some(first) = same_name.next() else {
            continue;
        };
        let others: Vec<_> = same_name.collect();
        let agrees = |other: &Usable| has_limits_of(&other.row.model, &first.row.model);
        if others.iter().all(agrees) {
            rows.push((first.base, first.row));
        } else {
            skipped.extend([first].into_iter().chain(others).map(Usable::skipped));
        }
    }
    if rows.is_empty() {
        let allowed = "at least one chat, completion or responses model with a largest input";
        return Err(Error::invalid(
            "rows of LiteLLM's model table",
            found,
            allowed,
        ));
    }
    Ok(Table { rows, skipped })
}

/// Whether two models have the same limits.
pub(super) fn has_limits_of(one: &Model, other: &Model) -> bool {
    let limits = |model: &Model| {
        (
            model.context_window(),
            model.largest_input(),
            model.largest_answer(),
        )
    };
    limits(one) == limits(other)
}

/// A row that can be used, its key in the table, and its name without any provider.
struct Usable {
    key: String,
    base: String,
    row: CatalogueRow,
}

impl Usable {
    /// The row as one of several that contradict each other.
    fn skipped(self) -> SkippedRow {
        let field = format!("limits of `{}`", self.row.name);
        let window = self.row.model.context_window();
        let allowed = "the same in each row of this name";
        SkippedRow {
            reason: Error::invalid(field, window, allowed).to_string(),
            name: self.key,
        }
    }
}

/// The rows of a table in their order; a key may come twice.
struct Entries(Vec<(String, Entry)>);

/// The fields of a row that are read; `None` of them in what is no row.
#[derive(Default)]
struct Entry {
    provider: Option<Value>,
    mode: Option<Value>,
    largest_input: Option<Value>,
    largest_answer: Option<Value>,
    end_of_life: Option<Value>,
    source: Option<Value>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    LitellmProvider,
    Mode,
    MaxInputTokens,
    MaxOutputTokens,
    DeprecationDate,
    Source,
    #[serde(other)]
    Other,
}

impl Entry {
    fn usable<'k>(
        &self,
        key: String,
        known: impl Fn(&str) -> Option<&'k Model>,
    ) -> Result<Usable, SkippedRow> {
        match self.row(&key, known) {
            Ok((base, row)) => Ok(Usable { key, base, row }),
            Err(error) => Err(SkippedRow {
                name: key,
                reason: error.to_string(),
            }),
        }
    }

    /// The row, and its name without any provider.
    fn row<'k>(
        &self,
        key: &str,
        known: impl Fn(&str) -> Option<&'k Model>,
    ) -> Result<(String, CatalogueRow), Error> {
        let mode = text("mode", self.mode.as_ref())?;
        if !MODES.contains(&mode) {
            return Err(Error::invalid("mode", mode, MODES.join(", ")));
        }
        let provider = provider_of(text("litellm_provider", self.provider.as_ref())?);
        let input = tokens("max_input_tokens", self.largest_input.as_ref())?;
        let input = input.ok_or_else(|| missing("max_input_tokens"))?;
        let answer = tokens("max_output_tokens", self.largest_answer.as_ref())?;
        let after = key.strip_prefix(provider);
        let name = after.and_then(|rest| rest.strip_prefix('/')).unwrap_or(key);
        let base = name.rsplit('/').next().unwrap_or(name);
        let (mut model, assumption) = limited(name, input, answer, known(base))?;
        if let Some(date) = &self.end_of_life {
            let date = text("deprecation_date", Some(date))?;
            model = model.with_end_of_life(moment("deprecation_date", date)?);
        }
        let source = self.source.as_ref().and_then(Value::as_str);
        let row = CatalogueRow {
            name: if key.contains('/') {
                key.to_owned()
            } else {
                format!("{provider}/{key}")
            },
            model,
            source: source.unwrap_or_default().to_owned(),
            date: None,
            assumption,
        };
        Ok((base.to_owned(), row))
    }
}

/// The model with these limits, and what was assumed of them. The bundled model of the same name
/// tells the window from the largest input where it has one of the numbers, and has the tokenizer
/// and the rules for counting.
fn limited(
    name: &str,
    input: u64,
    answer: Option<u64>,
    known: Option<&Model>,
) -> Result<(Model, Option<&'static str>), Error> {
    let told = known
        .filter(|known| known.context_window() == input || known.largest_input() == Some(input));
    let largest_input = told.and_then(Model::largest_input);
    let (window, largest_input, assumption) = match (told, answer) {
        (Some(told), _) => (told.context_window(), largest_input, None),
        (None, None) => (input, None, Some(NO_ANSWER)),
        (None, Some(answer)) if answer == input => (input, None, Some(EQUAL)),
        (None, Some(answer)) if answer > input => (answer, Some(input), Some(LONG_ANSWER)),
        (None, Some(_)) => (input, None, Some(ONE_WINDOW)),
    };
    let mut model = Model::new(name, window)?;
    if let Some(tokens) = largest_input {
        model = model.with_largest_input(tokens);
    }
    // An answer as large as the window is no limit of its own.
    if let Some(tokens) = answer.filter(|answer| *answer < window) {
        model = model.with_largest_answer(tokens);
    }
    let Some(known) = known else {
        return Ok((model, assumption));
    };
    if let Some(encoding) = known.encoding() {
        model = model.with_encoding(encoding);
    }
    if let Some(framing) = known.framing() {
        model = model.with_framing(framing);
    }
    if let Some(tools) = known.tool_rule() {
        model = model.with_tool_rule(tools);
    }
    if let Some(images) = known.image_rule() {
        model = model.with_image_rule(images);
    }
    Ok((model, assumption))
}

fn provider_of(provider: &str) -> &str {
    // "vertex_ai-anthropic_models" and the like are all called as "vertex_ai/..".
    if provider.starts_with("vertex_ai-") {
        return "vertex_ai";
    }
    let same = SAME_PROVIDER.iter().find(|(name, _)| *name == provider);
    same.map_or(provider, |(_, name)| name)
}

fn missing(field: &'static str) -> Error {
    Error::invalid(field, "nothing", "a number of tokens")
}

fn text<'v>(field: &'static str, value: Option<&'v Value>) -> Result<&'v str, Error> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(value) => Err(Error::invalid(field, value, "a text")),
        None => Err(Error::invalid(field, "nothing", "a text")),
    }
}

/// A number of tokens; `None` if the field is absent or null.
fn tokens(field: &'static str, value: Option<&Value>) -> Result<Option<u64>, Error> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    // Some rows have had numbers such as 128000.0.
    let digits = value.to_string();
    let tokens = digits.strip_suffix(".0").unwrap_or(&digits).parse();
    match tokens {
        Ok(tokens) if tokens > 0 => Ok(Some(tokens)),
        _ => Err(Error::invalid(field, value, "a number of tokens")),
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a row for each model")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
                let mut entry = Entry::default();
                while let Some(key) = map.next_key()? {
                    let field = match key {
                        Key::LitellmProvider => &mut entry.provider,
                        Key::Mode => &mut entry.mode,
                        Key::MaxInputTokens => &mut entry.largest_input,
                        Key::MaxOutputTokens => &mut entry.largest_answer,
                        Key::DeprecationDate => &mut entry.end_of_life,
                        Key::Source => &mut entry.source,
                        Key::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *field = Some(map.next_value()?);
                }
                Ok(entry)
            }

            // What is no object is no row, and need not make the other rows unreadable.
            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Entry, A::Error> {
                while values.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Entry::default())
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Entry, E> {
                Ok(Entry::default())
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Entry, E> {
                Ok(Entry::default())
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Entry, E> {
                Ok(Entry::default())
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Entry, E> {
                Ok(Entry::default())
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Entry, E> {
                Ok(Entry::default())
            }

            fn visit_unit<E: de::Error>(self) -> Result<Entry, E> {
                Ok(Entry::default())
            }
        }

        deserializer.deserialize_any(Fields)
    }
}
