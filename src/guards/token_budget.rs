//! P1: tokens are measured before every call.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;

use crate::call::Call;
use crate::error::Error;
use crate::event::{EventKind, Severity};
use crate::guard::{Cx, Guard};
use crate::keyed::{DEFAULT_KEYS, Keyed, Place};
use crate::name::{DocumentType, ModelName, VersionId};
use crate::ratio::Ratio;
use crate::tokens::context_window;
use crate::verdict::{Destination, Reason, Verdict};
use crate::version::{LineUp, Model, Version};
use crate::window::{Span, Window};

const LIMIT: Ratio = Ratio::percent(90);
const ALARM_DOCUMENTS: u64 = 3;
/// For so many versions a type is not reported again.
const REMEMBERED_VERSIONS: usize = 8;
const ALARM_WITHIN: Span = Span::fixed(Duration::from_secs(15 * 60), 15);

/// Sends a document that does not fit into the model's context window to a larger model or to a person, before the call
/// is made.
///
/// # What it watches
/// The tokens of the version that will serve: its system prompt, the document, the conversation, and what is reserved
/// for the answer. A longer prompt is therefore seen at the first document that no longer fits.
///
/// # When it acts
/// When these are more than 90 % of the model's context window; exactly 90 % still goes through. A call that nobody
/// measured is over budget.
///
/// # What it does
/// Chooses the smallest declared fallback model that is larger than the version's and that the same call fits into with
/// the same limit; if there is none, or the call was not measured, diverts the document to human review. When three
/// documents of a type were over the budget of one version within 15 minutes, it pages once for that type and version.
///
/// # What it cannot see
/// The framing that a chat API adds to each message (a few tokens), tool schemas and images: leave room for them in the
/// limit. A fallback model is judged with the same counts, so declare only models with the same tokenizer or a leaner
/// one.
///
/// # Defaults and why
/// 90 %: room for framing and for an estimate that is a little low. Three documents in 15 minutes: one odd document wakes
/// nobody, a type that stopped fitting is known long before half an hour is over.
///
/// # Events
/// [`BudgetAlarm`](EventKind::BudgetAlarm) (page). Each diverted document is an event of the pipeline.
///
/// # Example
/// ```
/// use fusebox::{Admission, Call, LineUp, Model, Pipeline, TokenBudget, Version};
///
/// let v7 = Version::new("v7", "local-small")?.with_system_prompt_tokens(1_000).with_reserved_answer_tokens(500);
/// let budget = TokenBudget::builder()
///     .model(Model::new("local-small", 16_000)?)
///     .fallback(Model::new("gpt-4.1", 1_047_576)?)
///     .build()?;
/// let pipeline = Pipeline::builder(LineUp::new(v7)).guard(budget).build()?;
///
/// let fits = pipeline.admit(&Call::new("a", "invoice")?.with_document_tokens(12_900));
/// assert_eq!(*fits.ticket().model(), "local-small"); // 1,000 + 12,900 + 500 = 14,400 of 16,000: exactly 90 %
/// let large = pipeline.admit(&Call::new("b", "invoice")?.with_document_tokens(12_901));
/// assert_eq!(*large.ticket().model(), "gpt-4.1");
/// let unmeasured = pipeline.admit(&Call::new("c", "invoice")?);
/// assert!(matches!(unmeasured, Admission::Diverted(_)));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
pub struct TokenBudget {
    limit: Ratio,
    models: BTreeSet<Model>,
    fallbacks: BTreeSet<Model>,
    otherwise: Destination,
    larger_model_alarm: Severity,
    over_budget: Mutex<Keyed<DocumentType, OverBudget>>,
}

/// The documents of one type that were over budget lately.
#[derive(Debug)]
struct OverBudget {
    window: Window<1>,
    version: VersionId,
    /// The versions that an alarm was raised for, the latest of them.
    alarmed: VecDeque<VersionId>,
}

impl OverBudget {
    fn of(version: &VersionId) -> Self {
        Self {
            window: Window::new(ALARM_WITHIN),
            version: version.clone(),
            alarmed: VecDeque::new(),
        }
    }

    /// Whether no alarm was raised yet for the version that serves now; after this one was.
    fn is_news(&mut self) -> bool {
        if self.alarmed.contains(&self.version) {
            return false;
        }
        self.alarmed.truncate(REMEMBERED_VERSIONS - 1);
        self.alarmed.push_front(self.version.clone());
        true
    }
}

impl TokenBudget {
    /// A budget with the default numbers.
    pub fn builder() -> TokenBudgetBuilder {
        TokenBudgetBuilder {
            limit: LIMIT,
            models: Vec::new(),
            fallbacks: Vec::new(),
            otherwise: Destination::HumanReview,
            larger_model_alarm: Severity::Page,
        }
    }

    /// The context window of a model: as declared, or as known.
    fn window(&self, model: &ModelName) -> Option<u64> {
        let declared = self
            .models
            .iter()
            .chain(&self.fallbacks)
            .find(|known| known.name() == model);
        declared
            .map(Model::context_window)
            .or_else(|| context_window(model.as_str()))
    }

    fn smallest_fallback(&self, larger_than: u64, tokens: u64) -> Option<&Model> {
        let larger = self
            .fallbacks
            .iter()
            .filter(|model| model.context_window() > larger_than);
        larger
            .into_iter()
            .find(|model| !self.limit.is_exceeded_by(tokens, model.context_window()))
    }

    fn judge(&self, call: &Call, version: &Version) -> Verdict {
        let Some(window) = self.window(version.model()) else {
            return Verdict::divert(self.otherwise.clone(), Reason::Unmeasured);
        };
        let Some(tokens) = needed(call, version) else {
            return Verdict::divert(self.otherwise.clone(), Reason::Unmeasured);
        };
        if !self.limit.is_exceeded_by(tokens, window) {
            return Verdict::Proceed;
        }
        if let Some(model) = self.smallest_fallback(window, tokens) {
            return Verdict::UseModel(model.clone());
        }
        let reason = Reason::OverBudget {
            version: version.id().clone(),
            tokens,
            limit: self.limit.of(window),
            window,
        };
        Verdict::divert(self.otherwise.clone(), reason)
    }

    fn note(&self, call: &Call, version: &Version, severity: Severity, cx: &mut Cx<'_>) {
        let mut types = self.over_budget.lock();
        let limit = types.limit();
        let (over, place) = types.entry(call.document_type(), || OverBudget::of(version.id()));
        if place == Place::FirstOfOthers {
            let first = call.document_type().to_string();
            cx.emit(Severity::Warning, EventKind::KeysExhausted { limit, first });
        }
        if over.version != *version.id() {
            over.version = version.id().clone();
            over.window.clear();
        }
        over.window.add(cx.now(), [1]);
        let [documents] = over.window.total(cx.now());
        if documents >= ALARM_DOCUMENTS && over.is_news() {
            let window = self.window(version.model()).unwrap_or(0);
            let kind = EventKind::BudgetAlarm {
                document_type: call.document_type().clone(),
                version: version.id().clone(),
                documents,
                within: ALARM_WITHIN.length(),
                tokens: needed(call, version),
                limit: self.limit.of(window),
            };
            cx.emit(severity, kind);
        }
    }
}

/// What a call needs with this version; `None` when something was not measured.
fn needed(call: &Call, version: &Version) -> Option<u64> {
    let prompt = version
        .system_prompt_tokens()?
        .saturating_add(call.tokens()?);
    Some(prompt.saturating_add(version.reserved_answer_tokens()))
}

impl Guard for TokenBudget {
    fn name(&self) -> &'static str {
        "token-budget"
    }

    fn check(&self, call: &Call, version: &Version, cx: &mut Cx<'_>) -> Verdict {
        let verdict = self.judge(call, version);
        match &verdict {
            Verdict::Proceed => {}
            Verdict::UseModel(_) => self.note(call, version, self.larger_model_alarm, cx),
            Verdict::Divert(_) => self.note(call, version, Severity::Page, cx),
        }
        verdict
    }

    fn check_line_up(&self, line_up: &LineUp) -> Result<(), Error> {
        for version in line_up.versions() {
            let Some(window) = self.window(version.model()) else {
                let field = format!("model of version `{}`", version.id());
                let allowed = "a model whose context window is known or declared with `.model(Model::new(name, window)?)`";
                return Err(Error::invalid(field, version.model(), allowed));
            };
            if version.system_prompt_tokens().is_none() {
                let field = format!("system prompt tokens of version `{}`", version.id());
                let allowed = "count the prompt and say so with `.with_system_prompt_tokens(..)`";
                return Err(Error::invalid(field, "not counted", allowed));
            }
            if version.reserved_answer_tokens() >= window {
                let field = format!("reserved answer tokens of version `{}`", version.id());
                let allowed = format!(
                    "fewer than the context window of `{}`, {window}",
                    version.model()
                );
                return Err(Error::invalid(
                    field,
                    version.reserved_answer_tokens(),
                    allowed,
                ));
            }
        }
        Ok(())
    }
}

/// Puts a [`TokenBudget`] together.
#[derive(Clone, Debug)]
#[must_use = "nothing is guarded before `build`"]
pub struct TokenBudgetBuilder {
    limit: Ratio,
    models: Vec<Model>,
    fallbacks: Vec<Model>,
    otherwise: Destination,
    larger_model_alarm: Severity,
}

impl TokenBudgetBuilder {
    /// The share of the context window that a call may need (90 % by default, at most 100 %).
    pub fn limit(mut self, limit: Ratio) -> Self {
        self.limit = limit;
        self
    }

    /// Declares the context window of a model that versions call. Well-known models of OpenAI need no declaration.
    pub fn model(mut self, model: Model) -> Self {
        self.models.push(model);
        self
    }

    /// Declares a model that documents may move to when they are too large for their version's.
    pub fn fallback(mut self, model: Model) -> Self {
        self.fallbacks.push(model);
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

    /// The budget. An error when the limit is not above 0 % and at most 100 %, or when one model is declared with two
    /// context windows.
    pub fn build(self) -> Result<TokenBudget, Error> {
        if self.limit == Ratio::ZERO || self.limit > Ratio::ONE {
            return Err(Error::invalid(
                "token budget limit",
                self.limit,
                "more than 0 % and at most 100 %",
            ));
        }
        let declared: BTreeSet<&Model> = self.models.iter().chain(&self.fallbacks).collect();
        let mut names = BTreeSet::new();
        if let Some(twice) = declared
            .into_iter()
            .find(|model| !names.insert(model.name()))
        {
            let field = format!("context window of model `{}`", twice.name());
            return Err(Error::invalid(
                field,
                twice.context_window(),
                "one window for each model",
            ));
        }
        Ok(TokenBudget {
            limit: self.limit,
            models: self.models.into_iter().collect(),
            fallbacks: self.fallbacks.into_iter().collect(),
            otherwise: self.otherwise,
            larger_model_alarm: self.larger_model_alarm,
            over_budget: Mutex::new(Keyed::new(DEFAULT_KEYS)),
        })
    }
}
