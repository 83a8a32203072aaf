//! The catalogue of known models: data, with a source and a date for each row.

mod family;
mod file;
mod litellm;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use family::Families;
pub use row::{CatalogueRow, SkippedRow};

use super::calibration::Factor;
use super::model::Model;
use crate::error::Error;
use crate::time::Timestamp;

const BUNDLED: &str = include_str!("catalogue.json");
/// The candidates for a name that an error lists.
const LISTED: usize = 8;

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
/// `end_of_life` (a date) and `aliases`: further names under which the same model is called, such as
/// a snapshot's, or a gateway's `azure/eu/gpt-4o`. A family has `family`, `source`, `date`, and
/// optionally `framing`, `tools` and `images`. No two rows of a file have a name in common, but a
/// row of provider `azure` is found only by its name with the provider: there, each customer names
/// the deployments.
///
/// # How long rows are true
/// Providers retire models and change limits with as little as 60 days' notice
/// ([Anthropic](https://platform.claude.com/docs/en/about-claude/model-deprecations)). Check rows
/// that are older than that; [`rows_older_than`](Self::rows_older_than) lists them:
///
/// ```
/// use std::time::Duration;
/// use fusebox::{Timestamp, tokens::Catalogue};
///
/// # let now = Timestamp::EPOCH;
/// let days = |n: u64| Duration::from_secs(n * 24 * 60 * 60);
/// for row in Catalogue::bundled().rows_older_than(days(60), now) {
///     eprintln!("check {row}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// By name with the provider.
    rows: BTreeMap<String, CatalogueRow>,
    /// By further names with a provider or a gateway.
    aliases: BTreeMap<String, Model>,
    bare_names: BTreeMap<String, BareName>,
    skipped: Vec<SkippedRow>,
    families: Families,
    assumed: u32,
}

/// A name without a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct BareName {
    /// The name with a provider that a file says it stands for.
    owner: Option<String>,
    /// Every name with a provider that it may stand for.
    candidates: BTreeSet<String>,
}

impl Catalogue {
    /// The bundled catalogue: current models of OpenAI, Anthropic, Google, Mistral, Meta, Cohere,
    /// Amazon, xAI, `DeepSeek`, Alibaba, Moonshot and Zhipu, some of them at Azure and Amazon
    /// Bedrock too.
    pub fn bundled() -> Self {
        // A test reads the bundled file. If it were unreadable, no model would be known, and every
        // pipeline with a token budget would refuse to build.
        Self::read(BUNDLED, Families::default).unwrap_or_else(|_| Self::empty())
    }

    /// An empty catalogue: every model must be declared.
    pub fn empty() -> Self {
        Self {
            rows: BTreeMap::new(),
            aliases: BTreeMap::new(),
            bare_names: BTreeMap::new(),
            skipped: Vec::new(),
            families: Families::default(),
            assumed: u32::MAX,
        }
    }

    /// Reads a catalogue file. An error names the row and the field, or the two rows that have a
    /// name in common. A family that the file does not define is taken from the bundled catalogue.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Self::read(text, || Self::bundled().families)
    }

    /// Reads the model table of `LiteLLM`, `model_prices_and_context_window.json`, as your
    /// deployment of it has it; fusebox brings none. Use it on top of the bundled catalogue, which
    /// has the factor for unpublished tokenizers and the owners of names without a provider:
    ///
    /// ```
    /// use fusebox::tokens::Catalogue;
    ///
    /// # let text = r#"{
    /// #     "our-model": { "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 64000, "max_output_tokens": 4096 },
    /// #     "azure/gpt-4o": { "litellm_provider": "azure", "mode": "chat", "max_input_tokens": 128000, "max_output_tokens": 16384 }
    /// # }"#;
    /// // let text = std::fs::read_to_string("model_prices_and_context_window.json")?;
    /// let catalogue = Catalogue::bundled().with(Catalogue::from_litellm(&text)?);
    /// assert!(catalogue.model("azure/gpt-4o").is_some());
    /// for row in catalogue.skipped() {
    ///     eprintln!("not used: {row}");
    /// }
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    ///
    /// A model is found by its key in the table and by its provider and name, `openai/gpt-5` for
    /// `gpt-5`. A name without a provider is found if every provider that has it gives the same
    /// limits, or if another catalogue that this one is added to says whose it is;
    /// [`candidates`](Self::candidates) lists the rows that it may mean.
    ///
    /// The table has no context window, and some of its rows give the whole window as the largest
    /// input, others the window without the answer. Where the bundled catalogue has one of the
    /// numbers for a model of that name, it tells which is meant; elsewhere the smaller reading is
    /// taken, and [`CatalogueRow::assumption`] says so. The encoding and the rules for counting come
    /// from the bundled model of the same name. `max_tokens`, which is legacy, is not read.
    ///
    /// Rows of other modes than `chat`, `completion` and `responses`, and rows without a largest
    /// input, are [`skipped`](Self::skipped). Returns an error if the text is no such table, or if
    /// no row of it can be used.
    pub fn from_litellm(text: &str) -> Result<Self, Error> {
        let bundled = Self::bundled();
        let table = litellm::read(text, |name| bundled.model(name))?;
        let mut catalogue = Self::empty();
        for (base, row) in table.rows {
            let bare = catalogue.bare_names.entry(base).or_default();
            bare.candidates.insert(row.name.clone());
            catalogue.rows.insert(row.name.clone(), row);
        }
        catalogue.skipped = table.skipped;
        Ok(catalogue)
    }

    /// Adds the rows of `other`, which take precedence.
    pub fn with(mut self, other: Self) -> Self {
        for name in other.rows.keys() {
            self.aliases.remove(name);
        }
        self.rows.extend(other.rows);
        for (name, bare) in other.bare_names {
            let ours = self.bare_names.entry(name).or_default();
            ours.candidates.extend(bare.candidates);
            ours.owner = bare.owner.or_else(|| ours.owner.take());
        }
        self.aliases.extend(other.aliases);
        self.skipped.extend(other.skipped);
        self.families.extend(other.families);
        if other.assumed != u32::MAX {
            self.assumed = other.assumed;
        }
        self
    }

    /// The model of this exact name, with or without its provider. `None` also for a name without a
    /// provider that stands for models with different limits: see [`candidates`](Self::candidates).
    pub fn model(&self, name: &str) -> Option<&Model> {
        let of_bare_name = || self.of_bare_name(self.bare_names.get(name)?);
        self.of_full_name(name).or_else(of_bare_name)
    }

    /// The names with a provider that a name without one may mean: `azure/gpt-4o` and
    /// `openai/gpt-4o` for `gpt-4o`. None for another name.
    pub fn candidates(&self, name: &str) -> impl Iterator<Item = &str> {
        let bare = self.bare_names.get(name);
        bare.into_iter()
            .flat_map(|bare| bare.candidates.iter().map(String::as_str))
    }

    /// Every model, by each of its names; a name without a provider only where it is clear.
    pub fn models(&self) -> impl Iterator<Item = (&str, &Model)> {
        let rows = self.rows.values().map(|row| (row.name(), row.model()));
        let aliases = self.aliases.iter();
        let aliases = aliases.map(|(name, model)| (name.as_str(), model));
        let bare = self.bare_names.iter();
        let bare = bare.filter_map(|(name, bare)| Some((name.as_str(), self.of_bare_name(bare)?)));
        rows.chain(aliases).chain(bare)
    }

    /// The rows, each once, with its source and its date.
    pub fn rows(&self) -> impl Iterator<Item = &CatalogueRow> {
        self.rows.values()
    }

    /// The rows that were checked more than `age` before `now`. A row without a date is as old as
    /// its file, which the catalogue does not know: it is not listed.
    pub fn rows_older_than(
        &self,
        age: Duration,
        now: Timestamp,
    ) -> impl Iterator<Item = &CatalogueRow> {
        let is_older = move |date: Timestamp| now.since(date) > age;
        self.rows()
            .filter(move |row| row.date().is_some_and(is_older))
    }

    /// The rows of files that could not be used, and why.
    pub fn skipped(&self) -> &[SkippedRow] {
        &self.skipped
    }

    /// Applies a family to a model: how the API frames messages and counts tools and images.
    /// Returns an error if the family is unknown.
    pub fn of_family(&self, model: Model, family: &str) -> Result<Model, Error> {
        self.families.apply(family, model)
    }

    pub(crate) fn assumed_factor(&self) -> Factor {
        Factor::assumed(self.assumed)
    }

    /// What an error says that it expects instead of a name that is not found.
    pub(crate) fn expected_instead_of(&self, name: &str) -> String {
        let mut candidates: Vec<_> = self.candidates(name).take(LISTED + 1).collect();
        if candidates.is_empty() {
            return "a model of the catalogue, or one declared with \
                    `.model(Model::new(name, window)?)`"
                .to_owned();
        }
        if candidates.len() > LISTED {
            candidates.truncate(LISTED);
            candidates.push("..");
        }
        let candidates = candidates.join(", ");
        format!("the name with its provider, because their limits differ: one of {candidates}")
    }

    fn read(text: &str, bundled: impl FnOnce() -> Families) -> Result<Self, Error> {
        let file = file::read(text, bundled)?;
        let mut catalogue = Self::empty();
        let mut rows_of: BTreeMap<String, String> = BTreeMap::new();
        for entry in file.entries {
            let row = entry.row.name.clone();
            let bare_names = entry.bare_names.iter().map(|(bare, _)| bare);
            let aliases = entry.aliases.iter().map(|(alias, _)| alias);
            for name in [&row].into_iter().chain(bare_names).chain(aliases) {
                if let Some(other) = rows_of.insert(name.clone(), row.clone()) {
                    let field = format!("names of the rows `{other}` and `{row}`");
                    return Err(Error::invalid(field, name, "no name in common"));
                }
            }
            for (bare, owner) in entry.bare_names {
                let bare = catalogue.bare_names.entry(bare).or_default();
                bare.candidates.insert(owner.clone());
                bare.owner = Some(owner);
            }
            catalogue.aliases.extend(entry.aliases);
            catalogue.rows.insert(row, entry.row);
        }
        catalogue.families = file.families;
        catalogue.assumed = file.assumed.unwrap_or(u32::MAX);
        Ok(catalogue)
    }

    fn of_full_name(&self, name: &str) -> Option<&Model> {
        let row = || self.rows.get(name).map(CatalogueRow::model);
        self.aliases.get(name).or_else(row)
    }

    /// The model of the owner; without an owner, the model whose limits all candidates have. Of
    /// those, the first that is switched off is the one to warn of.
    fn of_bare_name(&self, bare: &BareName) -> Option<&Model> {
        if let Some(owner) = &bare.owner {
            return self.of_full_name(owner);
        }
        let names = || bare.candidates.iter();
        let models = || names().filter_map(|name| self.of_full_name(name));
        let first = models().next()?;
        let agree = models().all(|model| litellm::has_limits_of(model, first));
        let ends = |model: &&Model| {
            let end = model.end_of_life();
            (end.is_none(), end)
        };
        models().min_by_key(ends).filter(|_| agree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Framing;

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
