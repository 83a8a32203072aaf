//! The catalogue's own file format.

use std::cell::LazyCell;

use serde::Deserialize;

use super::family::{Families, Family};
use super::row::CatalogueRow;
use crate::error::Error;
use crate::time::Timestamp;
use crate::tokens::model::{Encoding, Model};

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    provider: String,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    context_window: u64,
    largest_input: Option<u64>,
    largest_answer: Option<u64>,
    encoding: Option<Encoding>,
    family: Option<String>,
    end_of_life: Option<String>,
    source: String,
    date: String,
}

/// What a file says.
pub(super) struct Contents {
    pub(super) entries: Vec<Entry>,
    pub(super) families: Families,
    pub(super) assumed: Option<u32>,
}

/// A row, with the names that it has besides the one with its provider.
pub(super) struct Entry {
    pub(super) row: CatalogueRow,
    /// Names without a provider, each with the name that it stands for.
    pub(super) bare_names: Vec<(String, String)>,
    /// Further names with a provider or a gateway, each with the model of that name.
    pub(super) aliases: Vec<(String, Model)>,
}

/// Reads a file; `bundled` has the families that the file need not define.
pub(super) fn read(text: &str, bundled: impl FnOnce() -> Families) -> Result<Contents, Error> {
    let file: File =
        serde_json::from_str(text).map_err(|error| Error::unreadable("catalogue", error))?;
    let assumed = file.assumed_factor.map(|factor| {
        moment("date of the assumed factor", &factor.date)?;
        if factor.thousandths < 1_000 {
            let (field, allowed) = ("assumed factor", "1000 thousandths or more");
            return Err(Error::invalid(field, factor.thousandths, allowed));
        }
        Ok(factor.thousandths)
    });
    let mut families = Families::default();
    for family in file.families {
        moment(&format!("date of family `{}`", family.name), &family.date)?;
        families.insert(family);
    }
    let bundled = LazyCell::new(bundled);
    let families_of = |family: &str| {
        if families.has(family) {
            &families
        } else {
            &*bundled
        }
    };
    let entries = file.models.into_iter().map(|row| {
        let model = |name: &str| row.model(name, families_of);
        let full_name = |name: &str| format!("{}/{name}", row.provider);
        let (mut aliases, mut bare_names) = (Vec::new(), Vec::new());
        // A customer of Azure names deployments as they like.
        if row.provider != "azure" {
            bare_names.push((row.name.clone(), full_name(&row.name)));
        }
        for alias in &row.aliases {
            let model = model(within(alias, &row.provider))?;
            if alias.contains('/') {
                aliases.push((alias.clone(), model));
            } else {
                bare_names.push((alias.clone(), full_name(alias)));
                aliases.push((full_name(alias), model));
            }
        }
        let date = moment(&row.field("date"), &row.date)?;
        if row.source.trim().is_empty() {
            let allowed = "where the limits come from";
            return Err(Error::invalid(row.field("source"), &row.source, allowed));
        }
        Ok(Entry {
            aliases,
            bare_names,
            row: CatalogueRow {
                name: full_name(&row.name),
                model: model(&row.name)?,
                source: row.source.clone(),
                date: Some(date),
                assumption: None,
            },
        })
    });
    Ok(Contents {
        entries: entries.collect::<Result<_, Error>>()?,
        assumed: assumed.transpose()?,
        families,
    })
}

/// A name as the provider's API has it: without `provider/`. A gateway's name, with more parts, is
/// kept.
fn within<'n>(name: &'n str, provider: &str) -> &'n str {
    match name.split_once('/') {
        Some((first, rest)) if first == provider && !rest.contains('/') => rest,
        _ => name,
    }
}

impl Row {
    fn field(&self, what: &str) -> String {
        format!("{what} of model `{}`", self.name)
    }

    /// The model, under one of its names.
    fn model<'f>(
        &self,
        name: &str,
        families_of: impl Fn(&str) -> &'f Families,
    ) -> Result<Model, Error> {
        let mut model = Model::new(name, self.context_window)?;
        let limits = [
            ("largest input", self.largest_input),
            ("largest answer", self.largest_answer),
        ];
        for (what, tokens) in limits {
            if tokens.is_some_and(|tokens| tokens == 0 || tokens > self.context_window) {
                let allowed = format!("1 to the context window, {}", self.context_window);
                return Err(Error::invalid(
                    self.field(what),
                    tokens.unwrap_or(0),
                    allowed,
                ));
            }
        }
        if let Some(tokens) = self.largest_input {
            model = model.with_largest_input(tokens);
        }
        if let Some(tokens) = self.largest_answer {
            model = model.with_largest_answer(tokens);
        }
        if let Some(encoding) = self.encoding {
            model = model.with_encoding(encoding);
        }
        if let Some(date) = &self.end_of_life {
            model = model.with_end_of_life(moment(&self.field("end of life"), date)?);
        }
        match &self.family {
            None => Ok(model),
            Some(family) => families_of(family).apply(family, model),
        }
    }
}

/// The start of a day such as `2026-11-30`.
pub(super) fn moment(field: &str, date: &str) -> Result<Timestamp, Error> {
    let time = humantime::parse_rfc3339(&format!("{date}T00:00:00Z"));
    time.map(Timestamp::from)
        .map_err(|_| Error::invalid(field.to_owned(), date, "a date such as 2026-11-30"))
}
