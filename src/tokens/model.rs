//! Models: their limits for one call, and the rules for counting their input.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::name::ModelName;
use crate::time::Timestamp;

/// A model: its exact name, its limits for input and answer in one call, and the rules for counting
/// its input.
///
/// Well-known models are in the [`Catalogue`](crate::tokens::Catalogue) and need no declaration.
/// Models are ordered by context window, then by name.
///
/// ```
/// use fusebox::tokens::{Encoding, Framing, Model};
///
/// let model = Model::new("llama-on-our-gpus", 131_072)?
///     .with_largest_answer(8_192)
///     .with_framing(Framing::per_message(5).with_reply(4));
/// let azure = Model::new("our-gpt-4o-deployment", 128_000)?.with_encoding(Encoding::O200kBase);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Model {
    context_window: u64,
    name: ModelName,
    #[serde(default)]
    largest_input: Option<u64>,
    #[serde(default)]
    largest_answer: Option<u64>,
    #[serde(default)]
    encoding: Option<Encoding>,
    #[serde(default)]
    framing: Option<Framing>,
    #[serde(default)]
    tools: Option<ToolRule>,
    #[serde(default)]
    images: Option<ImageRule>,
    #[serde(default)]
    input_price: Option<u64>,
    #[serde(default)]
    end_of_life: Option<Timestamp>,
}

impl Model {
    /// The model `name` with this context window in tokens (prompt and answer together). Returns an
    /// error if the name is empty or the window zero.
    pub fn new(name: impl AsRef<str>, context_window: u64) -> Result<Self, Error> {
        let model = Self {
            context_window,
            name: ModelName::new(name)?,
            largest_input: None,
            largest_answer: None,
            encoding: None,
            framing: None,
            tools: None,
            images: None,
            input_price: None,
            end_of_life: None,
        };
        model.with_context_window(context_window)
    }

    /// Replaces the context window, for example behind a gateway with another limit. Returns an
    /// error if it is zero.
    pub fn with_context_window(mut self, tokens: u64) -> Result<Self, Error> {
        if tokens == 0 {
            let field = format!("context window of model `{}`", self.name);
            return Err(Error::invalid(field, tokens, "at least 1 token"));
        }
        self.context_window = tokens;
        Ok(self)
    }

    /// The largest input in tokens, if it is less than the context window.
    pub fn with_largest_input(mut self, tokens: u64) -> Self {
        self.largest_input = Some(tokens);
        self
    }

    /// The largest answer in tokens.
    pub fn with_largest_answer(mut self, tokens: u64) -> Self {
        self.largest_answer = Some(tokens);
        self
    }

    /// The encoding of its tokenizer. Without one, texts are bounded by a factor that is calibrated
    /// from reported usage.
    pub fn with_encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = Some(encoding);
        self
    }

    /// What the API adds to each message. Without it, the bound assumes a few more tokens than any
    /// documented API adds.
    pub fn with_framing(mut self, framing: Framing) -> Self {
        self.framing = Some(framing);
        self
    }

    /// How tool definitions are counted. Without it they are bounded by their length, plus 1,000
    /// tokens.
    pub fn with_tool_rule(mut self, tools: ToolRule) -> Self {
        self.tools = Some(tools);
        self
    }

    /// How images are counted. Without it, a call with an image is unmeasured.
    pub fn with_image_rule(mut self, images: ImageRule) -> Self {
        self.images = Some(images);
        self
    }

    /// The price of a million input tokens, in the same unit for all models: the cheapest fallback
    /// that fits is chosen.
    pub fn with_input_price(mut self, price: u64) -> Self {
        self.input_price = Some(price);
        self
    }

    /// When the provider switches the model off.
    pub fn with_end_of_life(mut self, at: Timestamp) -> Self {
        self.end_of_life = Some(at);
        self
    }

    /// The name, as the API knows it.
    pub fn name(&self) -> &ModelName {
        &self.name
    }

    /// The context window: tokens of prompt and answer together.
    pub fn context_window(&self) -> u64 {
        self.context_window
    }

    /// The largest input in tokens, if it has its own limit.
    pub fn largest_input(&self) -> Option<u64> {
        self.largest_input
    }

    /// The largest answer in tokens, if known.
    pub fn largest_answer(&self) -> Option<u64> {
        self.largest_answer
    }

    /// The encoding of its tokenizer, if published.
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// When the provider switches the model off, if announced.
    pub fn end_of_life(&self) -> Option<Timestamp> {
        self.end_of_life
    }

    /// The largest prompt in tokens if `reserved_answer` tokens are reserved for the answer: the
    /// largest input, or the context window minus the reserve, whichever is less.
    pub fn largest_prompt(&self, reserved_answer: u64) -> u64 {
        let left = self.context_window.saturating_sub(reserved_answer);
        self.largest_input.map_or(left, |largest| largest.min(left))
    }

    /// The same model under another name: what a gateway calls it.
    pub(crate) fn called(mut self, name: &ModelName) -> Self {
        self.name.clone_from(name);
        self
    }

    pub(crate) fn framing(&self) -> Option<Framing> {
        self.framing
    }

    pub(crate) fn tool_rule(&self) -> Option<ToolRule> {
        self.tools
    }

    pub(crate) fn image_rule(&self) -> Option<ImageRule> {
        self.images
    }

    /// The order in which fallbacks are tried: cheap before expensive, priced before unpriced,
    /// small before large.
    pub(crate) fn cost(&self) -> impl Ord + use<> {
        (self.input_price.unwrap_or(u64::MAX), self.context_window)
    }
}

/// A published tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Encoding {
    /// GPT-4 and GPT-3.5.
    Cl100kBase,
    /// GPT-4o and later models of OpenAI.
    O200kBase,
    /// gpt-oss; for ordinary text the same as `O200kBase`.
    O200kHarmony,
    /// Codex of 2021, text-davinci-003.
    P50kBase,
    /// text-davinci-edit-001.
    P50kEdit,
    /// GPT-2 and GPT-3.
    R50kBase,
}

impl Encoding {
    /// OpenAI's name for it, such as `o200k_base`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cl100kBase => "cl100k_base",
            Self::O200kBase => "o200k_base",
            Self::O200kHarmony => "o200k_harmony",
            Self::P50kBase => "p50k_base",
            Self::P50kEdit => "p50k_edit",
            Self::R50kBase => "r50k_base",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The tokens that a chat API adds to the texts of a conversation.
///
/// For OpenAI's models: 3 tokens per message, 1 for a name, 3 to start the reply
/// ([cookbook](https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Framing {
    per_message: u32,
    #[serde(default)]
    per_name: i32,
    #[serde(default)]
    reply: u32,
    #[serde(default = "yes")]
    counts_roles: bool,
}

const fn yes() -> bool {
    true
}

impl Framing {
    /// No framing: the texts are the whole prompt.
    pub const NONE: Self = Self {
        per_message: 0,
        per_name: 0,
        reply: 0,
        counts_roles: false,
    };

    /// This many tokens per message; the role is counted in addition.
    pub const fn per_message(tokens: u32) -> Self {
        Self {
            per_message: tokens,
            per_name: 0,
            reply: 0,
            counts_roles: true,
        }
    }

    /// Additional tokens for a message with a name (negative for fewer).
    pub const fn with_name(mut self, tokens: i32) -> Self {
        self.per_name = tokens;
        self
    }

    /// Tokens that start the reply, once per prompt.
    pub const fn with_reply(mut self, tokens: u32) -> Self {
        self.reply = tokens;
        self
    }

    /// The tokens around one message, without its texts and role.
    pub(crate) fn message(self, named: bool) -> u64 {
        let name = if named { i64::from(self.per_name) } else { 0 };
        u64::try_from(i64::from(self.per_message) + name).unwrap_or(0)
    }

    pub(crate) fn reply(self) -> u64 {
        u64::from(self.reply)
    }

    pub(crate) fn counts_roles(self) -> bool {
        self.counts_roles
    }
}

/// How an API shows tool definitions to its model: as a namespace of TypeScript, in the system
/// message, or in one of their own if there is none.
///
/// This gives every total that is published for OpenAI's models
/// ([openai-chat-tokens](https://github.com/hmarr/openai-chat-tokens), and the
/// [cookbook](https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb)).
/// A count is exact for definitions like those of the totals. Otherwise it is an interval, and what
/// has no known form raises the upper end by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolRule {
    /// The tokens that the API adds once.
    pub once: u32,
    /// The most functions in a published total.
    pub functions: u32,
    /// The most properties in a published total.
    pub properties: u32,
    /// The most levels of types in a published total; one, if no property has lists, objects or
    /// alternatives.
    pub levels: u32,
    /// The width of the interval, in percent down and up, where no total is published.
    pub spread: u32,
}

/// How the size of an image converts to tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageRule {
    /// OpenAI: scaled to fit 2,048 by 2,048 pixels, then to a shorter side of at most 768, then cut
    /// into tiles of 512. Low detail costs only the base.
    Tiles {
        /// Per image.
        base: u32,
        /// Per tile.
        tile: u32,
    },
    /// Anthropic: scaled to a longer side of at most `edge`, then cut into patches of `side` by
    /// `side` pixels, at most `most`.
    Patches {
        /// The side of a patch.
        side: u32,
        /// The maximum of the longer side.
        edge: u32,
        /// The maximum number of tokens per image.
        most: u32,
    },
}
