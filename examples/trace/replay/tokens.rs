//! `"guard": "tokens"`: the token budget.

use fusebox::tokens::Catalogue;
use fusebox::tokens::{
    Conversation, Encoding, Framing, Message, Model, TokenBreakdown, TokenCount,
};
use fusebox::{Admission, Call, LineUp, Pipeline, Ratio, TokenBudget, Version};
use serde_json::{Map, Value, json};

use super::input::Fields;
use super::{Guarded, Operation, Problem};

/// The model of a trace that names only an encoding.
const ANY_MODEL: &str = "any-model";

pub(super) struct Tokens {
    model: Model,
    /// The same model with an API's framing; `check` and `count` take plain texts.
    chat: Model,
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
        let catalogue = Catalogue::bundled();
        let name = config.optional("model", Fields::text)?;
        let encoding = match config.optional("encoding", Fields::text)? {
            Some(encoding) => Some(named(encoding)?),
            None => None,
        };
        let (name, encoding) = match (name, encoding) {
            (None, None) => return Err("config: expected a model or an encoding".to_owned()),
            (name, Some(encoding)) => (name.unwrap_or(ANY_MODEL), Some(encoding)),
            (Some(name), None) => (name, encoding_of(name, &catalogue)?),
        };
        let window = match config.optional("window", Fields::number)? {
            Some(window) => window,
            None => catalogue
                .model(name)
                .ok_or("window: is missing, and the model is not in the catalogue")?
                .context_window(),
        };
        let bare = |name: &str, window: u64, encoding: Option<Encoding>| {
            let model = Model::new(name, window).map_err(text)?;
            let mut model = model.with_framing(Framing::NONE);
            if let Some(encoding) = encoding {
                model = model.with_encoding(encoding);
            }
            if let Some(tokens) = catalogue.model(name).and_then(Model::largest_input) {
                model = model.with_largest_input(tokens);
            }
            Ok::<_, Problem>(model)
        };
        let model = bare(name, window, encoding)?;
        let family = family_of(name, encoding);
        let fallback = |fields: Fields<'_>| {
            fields.only(&["model", "window"])?;
            let name = fields.text("model")?;
            let encoding = encoding_of(name, &catalogue).unwrap_or(encoding);
            bare(name, fields.number("window")?, encoding)
        };
        let fallbacks = config
            .optional("fallbacks", Fields::objects)?
            .unwrap_or_default();
        Ok(Self {
            chat: catalogue.of_family(model.clone(), family).map_err(text)?,
            model,
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
        let system = fields.optional("system", Fields::long_text)?;
        let turns = fields.optional("history", Fields::long_texts)?;
        let turns = turns.unwrap_or_default();
        let history: Conversation = turns.into_iter().map(Message::user).collect();
        let document = fields.long_text("document")?;
        let call = call()?.with_document(document).with_history(&history);
        self.evaluate(&self.model, &system.unwrap_or_default(), None, &call)
    }

    fn messages(&self, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem> {
        let messages = Conversation::from_json(fields.get("messages")?).map_err(text)?;
        let tools = fields.optional("tools", Fields::get)?;
        let call = call()?.with_messages(&messages);
        self.evaluate(&self.chat, "", tools.cloned(), &call)
    }

    fn count(&self, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem> {
        let document = fields.long_text("text")?;
        let call = call()?.with_document(document);
        let breakdown = self
            .budget(&self.model)?
            .count(&call, &self.version("", None)?);
        Ok(counted(breakdown.map_err(text)?.document))
    }

    fn evaluate(
        &self,
        model: &Model,
        system: &str,
        tools: Option<Value>,
        call: &Call<'_>,
    ) -> Result<Map<String, Value>, Problem> {
        let version = self.version(system, tools)?;
        let breakdown = self.budget(model)?.count(call, &version);
        let tokens = breakdown.as_ref().map(TokenBreakdown::prompt).ok();
        let pipeline = Pipeline::builder(LineUp::new(version))
            .guard(self.budget(model)?)
            .build()
            .map_err(text)?;
        let admission = pipeline.admit(call);
        let route = match &admission {
            Admission::Diverted(_) => "human_review".to_owned(),
            Admission::Admitted(permit) if permit.ticket().model() == model.name() => {
                "primary".to_owned()
            }
            Admission::Admitted(permit) => format!("fallback:{}", permit.ticket().model()),
        };
        let mut seen = tokens.map(counted).unwrap_or_default();
        seen.insert("route".to_owned(), json!(route));
        Ok(seen)
    }

    fn version(&self, system: &str, tools: Option<Value>) -> Result<Version, Problem> {
        let version = Version::new("current", self.model.name()).map_err(text)?;
        let version = version
            .with_system_prompt(system)
            .with_reserved_answer_tokens(self.reserved);
        Ok(match tools {
            Some(tools) => version.with_tools(tools),
            None => version,
        })
    }

    fn budget(&self, model: &Model) -> Result<TokenBudget, Problem> {
        let budget = TokenBudget::builder()
            .limit(self.limit)
            .model(model.clone());
        let fallbacks = self.fallbacks.iter().cloned();
        let budget = fallbacks.fold(budget, fusebox::budget::TokenBudgetBuilder::fallback);
        budget.build().map_err(text)
    }
}

impl Guarded for Tokens {
    fn operation(&self, op: &str) -> Operation {
        match op {
            "check" => Operation::Known(&["t", "system", "document", "history"]),
            "count" => Operation::Known(&["t", "text"]),
            "messages" => Operation::Known(&["t", "messages", "tools"]),
            _ => Operation::Unknown,
        }
    }

    fn step(&mut self, op: &str, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem> {
        match op {
            "count" => self.count(fields),
            "messages" => self.messages(fields),
            _ => self.check(fields),
        }
    }

    fn expectations(&self) -> &'static [&'static str] {
        &["tokens", "route", "exact"]
    }
}

fn call() -> Result<Call<'static>, Problem> {
    Call::new("document", "trace").map_err(text)
}

fn counted(count: TokenCount) -> Map<String, Value> {
    let mut seen = Map::new();
    seen.insert("tokens".to_owned(), json!(count.upper()));
    seen.insert("exact".to_owned(), json!(count.is_exact()));
    seen
}

fn named(encoding: &str) -> Result<Encoding, Problem> {
    serde_json::from_value(json!(encoding)).map_err(|_| {
        format!(
            "encoding: got `{encoding}`, expected o200k_base, o200k_harmony, cl100k_base, p50k_base, p50k_edit or \
             r50k_base"
        )
    })
}

/// The encoding of a model, from the catalogue or from its family; `None` if it is not published.
fn encoding_of(model: &str, catalogue: &Catalogue) -> Result<Option<Encoding>, Problem> {
    if let Some(known) = catalogue.model(model) {
        return Ok(known.encoding());
    }
    let is = |prefix: &str| model.starts_with(prefix);
    match model {
        _ if is("gpt-4o") || is("gpt-4.1") || is("gpt-5") || is("o1") || is("o3") || is("o4") => {
            Ok(Some(Encoding::O200kBase))
        }
        _ if is("gpt-4") || is("gpt-3.5") => Ok(Some(Encoding::Cl100kBase)),
        _ => Err(format!(
            "model: got `{model}`, expected a known model or an encoding"
        )),
    }
}

/// The family whose framing a model has, by its name or else by its encoding.
fn family_of(model: &str, encoding: Option<Encoding>) -> &'static str {
    match model {
        "gpt-3.5-turbo-0301" => "gpt-3.5-turbo-0301",
        _ if model.starts_with("gpt-4o-mini") => "gpt-4o-mini",
        _ if encoding == Some(Encoding::Cl100kBase) => "gpt-4",
        _ => "gpt-4o",
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn text(error: fusebox::Error) -> Problem {
    error.to_string()
}
