//! The estimator of one version with one model: the tokens that the version needs before a document
//! is added, and whether a call fits.

use std::ops::Add;
use std::sync::Arc;

use crate::call::{Call, Content, History, SystemPrompt, Version};
use crate::error::Error;
use crate::ratio::Ratio;
use crate::tokens::{
    Conversation, Factor, MessageTokens, Model, TokenBreakdown, TokenCount, TokenCounter,
    image_tokens, message_tokens, reply_framing, role_framing, tool_tokens,
};

/// Estimates the tokens of calls of one version with one model.
#[derive(Debug)]
pub(super) struct Estimator {
    pub(super) model: Model,
    pub(super) tokenizer: Tokenizer,
    /// The most prompt tokens that the model accepts after reserving the answer.
    pub(super) largest_prompt: u64,
    /// The share of `largest_prompt` that a call may need, in tokens.
    pub(super) limit: u64,
    /// The key under which conversations cache this estimator's counts.
    key: String,
    system: Size,
    tools: TokenCount,
    /// The framing of the system prompt and of the reply.
    framing: TokenCount,
    document_framing: TokenCount,
    answer: u64,
    /// Whether token counts from the caller are for another tokenizer.
    numbers_are_foreign: bool,
    /// The version's own tokens, if the tokenizer is the model's own.
    plain: Option<TokenCount>,
}

/// The counter of a model's texts, and whether it is the model's own tokenizer.
#[derive(Clone, Debug)]
pub(super) struct Tokenizer {
    pub(super) counter: Arc<dyn TokenCounter>,
    pub(super) is_own: bool,
}

/// The result of measuring a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    pub(super) breakdown: TokenBreakdown,
    /// The count by another tokenizer, if one counted the whole prompt.
    pub(super) raw: Option<u64>,
}

/// The size of a text: tokens as the counter counts them, bytes, and tokens that need no
/// conversion.
#[derive(Clone, Copy, Debug)]
struct Size {
    given: TokenCount,
    raw: TokenCount,
    bytes: u64,
}

impl Size {
    const NOTHING: Self = Self::given(TokenCount::ZERO);

    const fn given(given: TokenCount) -> Self {
        Self {
            given,
            raw: TokenCount::ZERO,
            bytes: 0,
        }
    }

    const fn text(raw: TokenCount, bytes: usize) -> Self {
        Self {
            given: TokenCount::ZERO,
            raw,
            bytes: bytes as u64,
        }
    }

    fn has_numbers(self) -> bool {
        self.given != TokenCount::ZERO
    }
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            given: self.given + other.given,
            raw: self.raw + other.raw,
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// The parts of the prompt that the call adds, as far as they are counted.
#[derive(Clone, Copy)]
struct Brought {
    document: Size,
    history: Size,
    framing: TokenCount,
    images: TokenCount,
}

impl Estimator {
    /// `counted_by` is the counter of the version's own model, which the caller's token counts are
    /// for.
    pub(super) fn new(
        version: &Version,
        model: &Model,
        tokenizer: Tokenizer,
        counted_by: Option<&dyn TokenCounter>,
        limit: Ratio,
    ) -> Result<Self, Error> {
        let answer = version.reserved_answer_tokens();
        let largest_prompt = model.largest_prompt(answer);
        let counter = &*tokenizer.counter;
        let is_foreign = counted_by.is_some_and(|own| own.name() != counter.name());
        let mut estimator = Self {
            model: model.clone(),
            largest_prompt,
            limit: limit.of(largest_prompt),
            key: format!(
                "{} {} {:?} {:?}",
                model.name(),
                counter.name(),
                model.framing(),
                model.image_rule()
            ),
            system: Size::NOTHING,
            tools: version.tools().map_or(TokenCount::ZERO, |tools| {
                tool_tokens(tools, model.tool_rule(), counter)
            }),
            framing: reply_framing(model),
            document_framing: role_framing("user", model, counter),
            answer,
            numbers_are_foreign: is_foreign,
            plain: None,
            tokenizer,
        };
        let counter = &*estimator.tokenizer.counter;
        let has_prompt = match version.prompt() {
            SystemPrompt::Unmeasured => {
                let field = format!("system prompt of version `{}`", version.id());
                let allowed = "a system prompt, given with `.with_system_prompt(..)` or as a token count with `.with_system_prompt_tokens(..)`";
                return Err(Error::invalid(field, "not counted", allowed));
            }
            SystemPrompt::Counted(tokens) => {
                estimator.system = Size::given(TokenCount::exact(*tokens));
                *tokens > 0
            }
            SystemPrompt::Text(text) => {
                estimator.system = Size::text(counter.count(text)?, text.len());
                !text.is_empty()
            }
        };
        if has_prompt {
            estimator.framing = estimator.framing + role_framing("system", model, counter);
        }
        if estimator.tokenizer.is_own && !is_foreign {
            // The model's own tokenizer needs no factor.
            estimator.plain = Some(estimator.own_tokens(Factor::assumed(1_000)));
        }
        Ok(estimator)
    }

    /// The prompt and the call's part of it, if the document alone surely fits: the common case, in
    /// which no text needs to be counted.
    pub(super) fn fits_at_once(&self, call: &Call<'_>) -> Option<(TokenCount, TokenCount)> {
        let plain = self.plain?;
        let document = match call.content() {
            Content::Text(text) => self.tokenizer.counter.bounds(text),
            Content::Counted(count) => *count,
            Content::Unmeasured | Content::InHistory => return None,
        };
        let history = match call.history() {
            History::Counted(count) => *count,
            History::Unmeasured | History::Messages(_) => return None,
        };
        let brought = document + history;
        let prompt = plain + brought;
        (call.images().is_empty() && prompt.fits(self.limit)).then_some((prompt, brought))
    }

    /// The tokens that a call needs, counted only until it is certain whether they exceed `limit`,
    /// or in full without a limit. `None` if a part cannot be counted.
    pub(super) fn measure(
        &self,
        call: &Call<'_>,
        limit: Option<u64>,
        usage: Option<Factor>,
        assumed: Factor,
    ) -> Option<Estimate> {
        let factor = usage.unwrap_or(assumed);
        let mut brought = Brought {
            document: self.document_bounds(call.content(), assumed)?,
            history: Size::NOTHING,
            framing: match call.content() {
                Content::InHistory => TokenCount::ZERO,
                _ => self.document_framing,
            },
            images: self.images(call)?,
        };
        let messages = match call.history() {
            History::Unmeasured => return None,
            History::Counted(count) => {
                brought.history = Size::given(self.number(*count, assumed));
                None
            }
            History::Messages(messages) => Some(messages),
        };
        let decided = |brought: Brought| {
            let estimate = self.estimate(brought, factor, assumed);
            let prompt = estimate.breakdown.prompt();
            limit.and_then(|limit| {
                (prompt.fits(limit) || prompt.lower() > limit).then_some(estimate)
            })
        };
        if let Some(messages) = messages {
            if let Some(framing) = messages.most_framing() {
                let bytes = messages.bytes();
                let bounded = Brought {
                    history: Size::text(TokenCount::at_most(bytes as u64), bytes),
                    framing: brought.framing + TokenCount::at_most(framing),
                    ..brought
                };
                if let Some(estimate) = decided(bounded) {
                    return Some(estimate);
                }
            }
            let tally = self.tally(messages);
            brought.history = Size::text(tally.text?, messages.bytes());
            brought.framing = brought.framing + tally.framing;
            brought.images = brought.images + tally.images?;
        }
        if let Some(estimate) = decided(brought) {
            return Some(estimate);
        }
        if let Content::Text(text) = call.content() {
            let count = match limit {
                None => self.tokenizer.counter.count(text),
                Some(limit) => {
                    let left = self.left(limit, brought, factor, assumed);
                    self.tokenizer.counter.count_up_to(text, left)
                }
            };
            brought.document = Size::text(count.ok()?, text.len());
        }
        Some(self.estimate(brought, factor, assumed))
    }

    /// The tokens of the version itself: system prompt, tools and the framing of one document.
    pub(super) fn own_tokens(&self, factor: Factor) -> TokenCount {
        let nothing = Brought {
            document: Size::NOTHING,
            history: Size::NOTHING,
            framing: self.document_framing,
            images: TokenCount::ZERO,
        };
        self.estimate(nothing, factor, factor).breakdown.prompt()
    }

    /// The number of document tokens, by this estimator's counter, that are left below the limit.
    fn left(&self, limit: u64, brought: Brought, factor: Factor, assumed: Factor) -> u64 {
        let without = Brought {
            document: Size::NOTHING,
            ..brought
        };
        if self.tokenizer.is_own {
            let used = self.estimate(without, factor, assumed).breakdown.prompt();
            return limit.saturating_sub(used.upper().unwrap_or(limit));
        }
        let texts = self.system + without.history;
        let given = texts.given + self.tools + self.framing + brought.images + brought.framing;
        let for_texts = limit.saturating_sub(given.upper().unwrap_or(limit));
        let used = texts.raw.upper().unwrap_or(u64::MAX);
        factor.raw_of(for_texts).saturating_sub(used)
    }

    fn estimate(&self, brought: Brought, factor: Factor, assumed: Factor) -> Estimate {
        let texts = self.system + brought.document + brought.history;
        let convert = self.conversion(texts, factor);
        let breakdown = TokenBreakdown {
            system: convert(self.system_size(assumed)),
            document: convert(brought.document),
            history: convert(brought.history),
            tools: self.tools,
            images: brought.images,
            framing: self.framing + brought.framing,
            answer: self.answer,
        };
        let counted = texts
            .raw
            .upper()
            .filter(|upper| *upper == texts.raw.lower());
        let is_raw = !self.tokenizer.is_own && !texts.has_numbers();
        Estimate {
            breakdown,
            raw: counted.filter(|_| is_raw),
        }
    }

    /// Converts sizes to tokens of this model: unchanged from its own tokenizer, otherwise by bytes
    /// or by the factor, whichever gives less for the whole prompt. (Not for each part, because the
    /// factor is calibrated on whole prompts.)
    fn conversion(&self, texts: Size, factor: Factor) -> impl Fn(Size) -> TokenCount + use<> {
        let is_own = self.tokenizer.is_own;
        let by_factor = texts.raw.upper().map(|upper| factor.most(upper));
        let by_bytes = by_factor.is_none_or(|tokens| texts.bytes <= tokens);
        move |size: Size| {
            let text = if is_own {
                size.raw
            } else if by_bytes {
                TokenCount::at_most(size.bytes)
            } else {
                let upper = size.raw.upper().map(|upper| factor.most(upper));
                TokenCount::new(factor.least(size.raw.lower()), upper, factor.provenance)
            };
            if size.bytes == 0 {
                size.given
            } else {
                size.given + text
            }
        }
    }

    fn system_size(&self, assumed: Factor) -> Size {
        if self.system.has_numbers() {
            Size::given(self.number(self.system.given, assumed))
        } else {
            self.system
        }
    }

    /// A token count from the caller: exact, unless it is for another tokenizer.
    fn number(&self, count: TokenCount, assumed: Factor) -> TokenCount {
        if !self.numbers_are_foreign {
            return count;
        }
        let upper = count.upper().map(|upper| assumed.most(upper));
        TokenCount::new(0, upper, assumed.provenance)
    }

    fn document_bounds(&self, content: &Content<'_>, assumed: Factor) -> Option<Size> {
        match content {
            Content::Unmeasured => None,
            Content::InHistory => Some(Size::NOTHING),
            Content::Counted(count) => Some(Size::given(self.number(*count, assumed))),
            Content::Text(text) => {
                Some(Size::text(self.tokenizer.counter.bounds(text), text.len()))
            }
        }
    }

    fn images(&self, call: &Call<'_>) -> Option<TokenCount> {
        let Some(rule) = self.model.image_rule() else {
            return call.images().is_empty().then_some(TokenCount::ZERO);
        };
        let images = call.images().iter();
        Some(images.map(|image| image_tokens(*image, rule)).sum())
    }

    fn tally(&self, messages: &Conversation) -> MessageTokens {
        messages.tally(&self.key, |message| {
            message_tokens(message, &self.model, &*self.tokenizer.counter)
        })
    }
}
