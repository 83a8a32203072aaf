//! A version as one model reads it: what it needs before a document is added, and whether a call fits.

use std::ops::Add;
use std::sync::Arc;

use crate::call::{Call, Content, History, SystemPrompt, Version};
use crate::error::Error;
use crate::ratio::Ratio;
use crate::tokens::{
    Conversation, Factor, MessageTokens, Model, TokenBreakdown, TokenCount, TokenCounter,
    image_tokens, message_tokens, reply_framing, role_framing, tool_tokens,
};

/// A version as one model reads it.
#[derive(Debug)]
pub(super) struct Estimator {
    pub(super) model: Model,
    pub(super) tokenizer: Tokenizer,
    /// The most tokens of prompt that the model takes beside the reserved answer.
    pub(super) largest_prompt: u64,
    /// The share of these that a call may need.
    pub(super) limit: u64,
    /// What conversations keep this reader's counts under.
    key: String,
    system: Size,
    tools: TokenCount,
    /// Around the system prompt and the reply.
    framing: TokenCount,
    document_framing: TokenCount,
    answer: u64,
    /// Whether numbers that the caller gives were counted for another tokenizer.
    numbers_are_foreign: bool,
    /// What the version needs beside a document, for the model's own tokenizer.
    plain: Option<TokenCount>,
}

/// What counts a model's texts, and whether it is the model's own tokenizer.
#[derive(Clone, Debug)]
pub(super) struct Tokenizer {
    pub(super) counter: Arc<dyn TokenCounter>,
    pub(super) is_own: bool,
}

/// What came of measuring a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    pub(super) breakdown: TokenBreakdown,
    /// What another tokenizer counts, where the whole prompt was counted by one.
    pub(super) raw: Option<u64>,
}

/// The size of a text: tokens as the counter counts them, and bytes; and tokens that need no conversion.
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

/// What the caller brings, as far as it was counted.
#[derive(Clone, Copy)]
struct Brought {
    document: Size,
    history: Size,
    framing: TokenCount,
    images: TokenCount,
}

impl Estimator {
    /// `counted_by` is the counter of the version's own model, for which numbers were counted.
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
                let allowed = "give it with `.with_system_prompt(..)`, or its tokens with `.with_system_prompt_tokens(..)`";
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
            // No factor is asked for when the tokenizer is the model's own.
            estimator.plain = Some(estimator.own_tokens(Factor::assumed(1_000)));
        }
        Ok(estimator)
    }

    /// The prompt and what the caller brings to it, where a document alone surely fits: the everyday case, in which no
    /// part must be looked at.
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

    /// What a call needs, counted as far as is needed to tell whether that is more than `limit`; all of it, if there is
    /// no limit. `None` when a part cannot be counted.
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

    /// What the version itself needs: system prompt, tools and the framing of one document.
    pub(super) fn own_tokens(&self, factor: Factor) -> TokenCount {
        let nothing = Brought {
            document: Size::NOTHING,
            history: Size::NOTHING,
            framing: self.document_framing,
            images: TokenCount::ZERO,
        };
        self.estimate(nothing, factor, factor).breakdown.prompt()
    }

    /// How many tokens of document, by this reader's counter, are left below the limit.
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

    /// How sizes become tokens of this model: as counted by its own tokenizer; else by their bytes or by a factor,
    /// whichever says less of the whole. (Of each part alone it would not hold: a factor is learnt from whole prompts.)
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

    /// A number that the caller gave: taken at its word, unless it was counted for another tokenizer.
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
