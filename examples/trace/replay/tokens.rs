//! `"guard": "tokens"`: the token budget.

use fusebox::tokens::{Tiktoken, TokenCounter};
use fusebox::{Admission, Call, LineUp, Model, Pipeline, Ratio, TokenBudget, TokenCount, Version};
use serde_json::{Map, Value, json};

use super::input::Fields;
use super::{Guarded, Operation, Problem};

/// The model of a trace that names only an encoding.
const ANY_MODEL: &str = "any-model";

pub(super) struct Tokens {
    counter: Tiktoken,
    model: String,
    window: u64,
    limit: Ratio,
    reserved: u64,
    fallbacks: Vec<Model>,
}

impl Tokens {
    pub(super) fn new(config: &Fields<'_>) -> Result<Self, Problem> {
        config.only(&[
            "model",
            "encoding",
            "window",
            "limit_bp",
            "reserved",
            "fallbacks",
        ])?;
        let model = config.optional("model", Fields::text)?;
        let encoding = match (config.optional("encoding", Fields::text)?, model) {
            (Some(encoding), _) => encoding,
            (None, Some(model)) => encoding_of(model)?,
            (None, None) => return Err("config: give a model or an encoding".to_owned()),
        };
        let counter = match encoding {
            "o200k_base" => Tiktoken::o200k_base(),
            "cl100k_base" => Tiktoken::cl100k_base(),
            other => {
                return Err(format!(
                    "encoding: `{other}` is not known; o200k_base or cl100k_base"
                ));
            }
        };
        let fallback = |fields: Fields<'_>| {
            fields.only(&["model", "window"])?;
            Model::new(fields.text("model")?, fields.number("window")?).map_err(text)
        };
        let fallbacks = config
            .optional("fallbacks", Fields::objects)?
            .unwrap_or_default();
        Ok(Self {
            counter,
            model: model.unwrap_or(ANY_MODEL).to_owned(),
            window: config.number("window")?,
            limit: Ratio::basis_points(
                config.optional("limit_bp", Fields::small)?.unwrap_or(9_000),
            ),
            reserved: config.optional("reserved", Fields::number)?.unwrap_or(0),
            fallbacks: fallbacks
                .into_iter()
                .map(fallback)
                .collect::<Result<_, Problem>>()?,
        })
    }

    fn check(&self, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem> {
        let system = self.count(
            &fields
                .optional("system", Fields::long_text)?
                .unwrap_or_default(),
        )?;
        let document = self.count(&fields.long_text("document")?)?;
        let mut history = TokenCount::exact(0);
        for turn in fields
            .optional("history", Fields::long_texts)?
            .unwrap_or_default()
        {
            history = plus(history, self.count(&turn)?);
        }
        let version = Version::new("current", &self.model).map_err(text)?;
        let version = version
            .with_system_prompt_tokens(system.upper())
            .with_reserved_answer_tokens(self.reserved);
        let mut budget = TokenBudget::builder()
            .limit(self.limit)
            .model(Model::new(&self.model, self.window).map_err(text)?);
        for fallback in &self.fallbacks {
            budget = budget.fallback(fallback.clone());
        }
        let budget = budget.build().map_err(text)?;
        let pipeline = Pipeline::builder(LineUp::new(version))
            .guard(budget)
            .build()
            .map_err(text)?;
        let call = Call::new("document", "trace").map_err(text)?;
        let admission = pipeline.admit(
            &call
                .with_document_tokens(document)
                .with_history_tokens(history),
        );
        let route = match &admission {
            Admission::Diverted(_) => "human_review".to_owned(),
            Admission::Admitted(permit) if *permit.ticket().model() == *self.model => {
                "primary".to_owned()
            }
            Admission::Admitted(permit) => format!("fallback:{}", permit.ticket().model()),
        };
        let mut seen = counted(plus(plus(system, document), history));
        seen.insert("route".to_owned(), json!(route));
        Ok(seen)
    }

    fn count(&self, document: &str) -> Result<TokenCount, Problem> {
        self.counter.count(document).map_err(text)
    }
}

impl Guarded for Tokens {
    fn operation(&self, op: &str) -> Operation {
        match op {
            "check" => Operation::Known(&["t", "system", "document", "history"]),
            "count" => Operation::Known(&["t", "text"]),
            "messages" => Operation::NotYet,
            _ => Operation::Unknown,
        }
    }

    fn step(&mut self, op: &str, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem> {
        match op {
            "count" => Ok(counted(self.count(&fields.long_text("text")?)?)),
            _ => self.check(fields),
        }
    }

    fn expectations(&self) -> &'static [&'static str] {
        &["tokens", "route", "exact"]
    }
}

fn counted(count: TokenCount) -> Map<String, Value> {
    let mut seen = Map::new();
    seen.insert("tokens".to_owned(), json!(count.upper()));
    seen.insert("exact".to_owned(), json!(count.is_exact()));
    seen
}

fn plus(one: TokenCount, other: TokenCount) -> TokenCount {
    let sum = one.upper() + other.upper();
    if one.is_exact() && other.is_exact() {
        TokenCount::exact(sum)
    } else {
        TokenCount::at_most(sum)
    }
}

fn encoding_of(model: &str) -> Result<&'static str, Problem> {
    let is = |prefix: &str| model.starts_with(prefix);
    match model {
        _ if is("gpt-4o") || is("gpt-4.1") || is("gpt-5") || is("o1") || is("o3") || is("o4") => {
            Ok("o200k_base")
        }
        _ if is("gpt-4") || is("gpt-3.5") => Ok("cl100k_base"),
        _ => Err(format!(
            "model: the encoding of `{model}` is not known; give an encoding"
        )),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn text(error: fusebox::Error) -> Problem {
    error.to_string()
}
