//! The estimator of one version with one model: the tokens that the version needs before a document
//! is added, and whether a call fits.

use std::ops::Add;
use std::sync::Arc;

use crate::call::{Call, Content, History, SystemPrompt, Version};
use crate::error::Error;
use crate::ratio::Ratio;
use crate::tokens::{
    Basis, Conversation, Encoding, Factor, LINE_FEED, MessageTokens, Model, Provenance,
    TokenBreakdown, TokenCount, TokenCounter, UNKNOWN_TOOLS, image_tokens, line_feed_tokens,
    message_tokens, reply_framing, role_framing, tool_tokens,
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
    /// The tools of a version, as the model's own tokenizer and rule count them, or as a text.
    tools: Size,
    /// The framing of the system prompt and of the reply.
    framing: TokenCount,
    document_framing: TokenCount,
    /// The framing of the tools, if the version has no system message to add them to.
    tools_framing: TokenCount,
    answer: u64,
    /// Whether token counts from the caller that do not say otherwise are for another tokenizer.
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
    /// The count by another tokenizer, if one counted all texts and the rest of the prompt is known.
    pub(super) raw: Option<u64>,
    /// What else the prompt has at least: framing and images.
    pub(super) beside: u64,
    pub(super) basis: Basis,
}

/// The size of a text: tokens as the counter counts them, bytes, and tokens that need no
/// conversion.
#[derive(Clone, Copy, Debug)]
struct Size {
    given: TokenCount,
    raw: TokenCount,
    bytes: u64,
    /// Whether a part of `given` was counted for another tokenizer and is scaled.
    is_scaled: bool,
}

impl Size {
    const NOTHING: Self = Self::given(TokenCount::ZERO);

    const fn given(given: TokenCount) -> Self {
        Self {
            given,
            raw: TokenCount::ZERO,
            bytes: 0,
            is_scaled: false,
        }
    }

    const fn scaled(given: TokenCount) -> Self {
        Self {
            is_scaled: true,
            ..Self::given(given)
        }
    }

    /// A number of tokens as the counter counts them, of a text that is not there.
    const fn counted(raw: TokenCount) -> Self {
        Self {
            given: TokenCount::ZERO,
            bytes: u64::MAX,
            ..Self::text(raw, 0)
        }
    }

    const fn text(raw: TokenCount, bytes: usize) -> Self {
        Self {
            given: TokenCount::ZERO,
            raw,
            bytes: bytes as u64,
            is_scaled: false,
        }
    }

    /// Whether the bytes of a prompt's texts bound their tokens better than the factor does. Not for
    /// each part, because the factor is calibrated on whole prompts.
    fn is_less_by_bytes(self, factor: Factor) -> bool {
        let by_factor = self.raw.upper().map(|upper| factor.most(upper));
        by_factor.is_none_or(|tokens| self.bytes <= tokens)
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
            is_scaled: self.is_scaled || other.is_scaled,
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
    /// `numbers_are_foreign`: whether token counts that do not say otherwise are for another
    /// tokenizer than that of `model`.
    pub(super) fn new(
        version: &Version,
        model: &Model,
        tokenizer: Tokenizer,
        numbers_are_foreign: bool,
        limit: Ratio,
    ) -> Result<Self, Error> {
        let answer = version.reserved_answer_tokens();
        let largest_prompt = model.largest_prompt(answer);
        let counter = &*tokenizer.counter;
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
            tools: Size::NOTHING,
            framing: reply_framing(model),
            document_framing: role_framing("user", model, counter),
            tools_framing: TokenCount::ZERO,
            answer,
            numbers_are_foreign,
            plain: None,
            tokenizer,
        };
        let counter = &*estimator.tokenizer.counter;
        if let Some(tools) = version.tools() {
            let by_rule = tool_tokens(tools, model.tool_rule(), counter);
            estimator.tools = Size::given(by_rule);
            if !estimator.tokenizer.is_own && by_rule != TokenCount::ZERO {
                // With a factor, their text is a better measure than their length.
                let text = tools.to_string();
                let around = TokenCount::at_most(UNKNOWN_TOOLS);
                let count = counter.count(&text).unwrap_or(TokenCount::UNKNOWN);
                estimator.tools = Size::text(count, text.len()) + Size::given(around);
            }
        }
        let has_tools = model.tool_rule().is_some() && estimator.tools.has_numbers();
        let has_prompt = match version.prompt() {
            SystemPrompt::Unmeasured => {
                let field = format!("system prompt of version `{}`", version.id());
                let allowed = "a system prompt, given with `.with_system_prompt(..)` or as a token count with `.with_system_prompt_tokens(..)`";
                return Err(Error::invalid(field, "not counted", allowed));
            }
            SystemPrompt::Counted(tokens) => {
                estimator.system = Size::given(TokenCount::exact(*tokens));
                if has_tools && *tokens > 0 {
                    estimator.tools = estimator.tools + Size::given(LINE_FEED);
                }
                *tokens > 0
            }
            SystemPrompt::Text(text) if has_tools && !text.is_empty() => {
                // The API adds the tools after a line feed.
                let text = format!("{text}\n");
                estimator.system = Size::text(counter.count(&text)?, text.len());
                true
            }
            SystemPrompt::Text(text) => {
                estimator.system = Size::text(counter.count(text)?, text.len());
                !text.is_empty()
            }
        };
        let system_framing = role_framing("system", model, counter);
        if has_prompt {
            estimator.framing = estimator.framing + system_framing;
        } else if has_tools {
            estimator.tools_framing = system_framing;
        }
        if estimator.tokenizer.is_own && !numbers_are_foreign {
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
            Content::Counted(count) => self.own_number(*count)?,
            Content::Unmeasured | Content::InHistory => return None,
        };
        let history = match call.history() {
            History::Counted(count) => self.own_number(*count)?,
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
        factor: Factor,
        assumed: Factor,
    ) -> Option<Estimate> {
        let mut brought = Brought {
            document: self.document_bounds(call.content(), assumed)?,
            history: Size::NOTHING,
            framing: match call.content() {
                Content::InHistory => self.tools_framing(call.history()),
                _ => self.document_framing + self.tools_framing(call.history()),
            },
            images: self.images(call)?,
        };
        let messages = match call.history() {
            History::Unmeasured => return None,
            History::Counted(count) => {
                brought.history = self.number(*count, assumed);
                None
            }
            History::Messages(messages) => Some(messages),
        };
        let decided = |brought: Brought| {
            let estimate = self.estimate(&brought, factor, assumed);
            let prompt = estimate.breakdown.prompt();
            limit.and_then(|limit| {
                (prompt.fits(limit) || prompt.lower() > limit).then_some(estimate)
            })
        };
        if let Some(messages) = messages {
            if let Some(framing) = messages.most_framing(self.model.framing()) {
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
                    let left = self.left(limit, &brought, factor, assumed);
                    self.tokenizer.counter.count_up_to(text, left)
                }
            };
            brought.document = Size::text(count.ok()?, text.len());
        }
        Some(self.estimate(&brought, factor, assumed))
    }

    /// The tokens of the version itself: system prompt, tools and the framing of one document.
    pub(super) fn own_tokens(&self, factor: Factor) -> TokenCount {
        let nothing = Brought {
            document: Size::NOTHING,
            history: Size::NOTHING,
            framing: self.document_framing + self.tools_framing,
            images: TokenCount::ZERO,
        };
        self.estimate(&nothing, factor, factor).breakdown.prompt()
    }

    /// The number of document tokens, by this estimator's counter, that are left below the limit.
    fn left(&self, limit: u64, brought: &Brought, factor: Factor, assumed: Factor) -> u64 {
        let without = Brought {
            document: Size::NOTHING,
            ..*brought
        };
        if self.tokenizer.is_own {
            let used = self.estimate(&without, factor, assumed).breakdown.prompt();
            return limit.saturating_sub(used.upper().unwrap_or(limit));
        }
        let texts = self.system_size(assumed) + self.tools + without.history;
        let given = texts.given + self.framing + brought.images + brought.framing;
        let for_texts = limit.saturating_sub(given.upper().unwrap_or(limit));
        let used = texts.raw.upper().unwrap_or(u64::MAX);
        factor.raw_of(for_texts).saturating_sub(used)
    }

    fn estimate(&self, brought: &Brought, factor: Factor, assumed: Factor) -> Estimate {
        let system = self.system_size(assumed);
        let texts = system + self.tools + brought.document + brought.history;
        let by_bytes = texts.is_less_by_bytes(factor);
        let convert = |size| self.converted(size, factor, by_bytes);
        let breakdown = TokenBreakdown {
            system: convert(system),
            document: convert(brought.document),
            history: convert(brought.history),
            tools: convert(self.tools),
            images: brought.images,
            framing: self.framing + brought.framing,
            answer: self.answer,
        };
        let counted = texts
            .raw
            .upper()
            .filter(|upper| *upper == texts.raw.lower());
        let has_numbers = [system, brought.document, brought.history]
            .into_iter()
            .any(Size::has_numbers);
        let is_known = brought.images.upper() == Some(brought.images.lower());
        let is_raw = !self.tokenizer.is_own && !has_numbers && is_known;
        let beside = self.framing + brought.framing + brought.images;
        Estimate {
            breakdown,
            raw: counted.filter(|_| is_raw),
            beside: beside.lower(),
            basis: if texts.is_scaled {
                Basis::Factor
            } else if self.tokenizer.is_own {
                Basis::Own
            } else if by_bytes {
                Basis::Bytes
            } else {
                Basis::Factor
            },
        }
    }

    /// A size in tokens of this model: unchanged from its own tokenizer, otherwise by bytes or by the
    /// factor.
    fn converted(&self, size: Size, factor: Factor, by_bytes: bool) -> TokenCount {
        let text = if self.tokenizer.is_own {
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

    fn system_size(&self, assumed: Factor) -> Size {
        if self.system.has_numbers() {
            self.number(self.system.given, assumed)
        } else {
            self.system
        }
    }

    /// A token count from the caller in tokens of this model; `None` if it was counted with another
    /// tokenizer.
    fn own_number(&self, count: TokenCount) -> Option<TokenCount> {
        let is_own = match count.encoding() {
            Some(encoding) => {
                self.tokenizer.is_own && encoding.name() == self.tokenizer.counter.name()
            }
            None => !self.numbers_are_foreign || count.provenance() == Provenance::Provider,
        };
        is_own.then(|| TokenCount::new(count.lower(), count.upper(), count.provenance()))
    }

    /// The size of what the caller has counted: as given, by the factor for the tokenizer that stands
    /// in for this model's, or by the factor that is assumed between any two.
    fn number(&self, count: TokenCount, assumed: Factor) -> Size {
        if let Some(own) = self.own_number(count) {
            return Size::given(own);
        }
        let is_raw = |encoding: Encoding| encoding.name() == self.tokenizer.counter.name();
        if count.encoding().is_some_and(is_raw) {
            return Size::counted(TokenCount::new(
                count.lower(),
                count.upper(),
                count.provenance(),
            ));
        }
        let upper = count.upper().map(|upper| assumed.most(upper));
        let lower = assumed.least(count.lower());
        Size::scaled(TokenCount::new(lower, upper, assumed.provenance))
    }

    fn document_bounds(&self, content: &Content<'_>, assumed: Factor) -> Option<Size> {
        match content {
            Content::Unmeasured => None,
            Content::InHistory => Some(Size::NOTHING),
            Content::Counted(count) => Some(self.number(*count, assumed)),
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

    /// The framing of the tools. If a message of the conversation is a system message, the API adds
    /// the tools to that one.
    fn tools_framing(&self, history: &History<'_>) -> TokenCount {
        let framing = self.tools_framing;
        match history {
            _ if framing == TokenCount::ZERO => framing,
            History::Messages(messages) => match messages.system_message() {
                Some(message) if self.model.encoding().is_some() => {
                    let text = message.texts().last().unwrap_or_default();
                    line_feed_tokens(text, &*self.tokenizer.counter)
                }
                Some(_) => LINE_FEED,
                None => framing,
            },
            History::Counted(count) if *count != TokenCount::ZERO => {
                framing.upper().map_or(framing, TokenCount::at_most)
            }
            _ => framing,
        }
    }

    fn tally(&self, messages: &Conversation) -> MessageTokens {
        messages.tally(&self.key, |message| {
            message_tokens(message, &self.model, &*self.tokenizer.counter)
        })
    }
}
