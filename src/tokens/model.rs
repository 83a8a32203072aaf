//! Models: what they can read and write in one call, and how what they read is counted.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::name::ModelName;
use crate::time::Timestamp;

/// A model that can be called: its exact name, how much it can read and write in one call, and how that is counted.
///
/// Well-known models come from the [`Catalogue`](crate::tokens::Catalogue) and need no declaration. Ordered by context
/// window, then by name.
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
    /// The model `name` with a context window of so many tokens (prompt and answer together); an error when the name
    /// is empty or the window zero.
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

    /// The same model behind something that lets less through, or more; an error when the window is zero.
    pub fn with_context_window(mut self, tokens: u64) -> Result<Self, Error> {
        if tokens == 0 {
            let field = format!("context window of model `{}`", self.name);
            return Err(Error::invalid(field, tokens, "at least 1 token"));
        }
        self.context_window = tokens;
        Ok(self)
    }

    /// The most tokens that it reads in one call, where that is less than the context window.
    pub fn with_largest_input(mut self, tokens: u64) -> Self {
        self.largest_input = Some(tokens);
        self
    }

    /// The most tokens that it writes in one call.
    pub fn with_largest_answer(mut self, tokens: u64) -> Self {
        self.largest_answer = Some(tokens);
        self
    }

    /// The encoding that it reads. Without one, texts are judged by a bound that is learnt from what the API reports.
    pub fn with_encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = Some(encoding);
        self
    }

    /// What the API adds to each message. Without it, a few more tokens are assumed than any documented API adds.
    pub fn with_framing(mut self, framing: Framing) -> Self {
        self.framing = Some(framing);
        self
    }

    /// How the definitions of tools are counted. Without it they are bounded by their length.
    pub fn with_tool_rule(mut self, tools: ToolRule) -> Self {
        self.tools = Some(tools);
        self
    }

    /// How images are counted. Without it, a call with an image is unmeasured.
    pub fn with_image_rule(mut self, images: ImageRule) -> Self {
        self.images = Some(images);
        self
    }

    /// What a million tokens of input cost, in whatever unit you use for all of them: the cheapest fallback that fits
    /// is taken.
    pub fn with_input_price(mut self, price: u64) -> Self {
        self.input_price = Some(price);
        self
    }

    /// When the provider switches it off.
    pub fn with_end_of_life(mut self, at: Timestamp) -> Self {
        self.end_of_life = Some(at);
        self
    }

    /// The name, as the API knows it.
    pub fn name(&self) -> &ModelName {
        &self.name
    }

    /// Tokens of prompt and answer together.
    pub fn context_window(&self) -> u64 {
        self.context_window
    }

    /// The most tokens that it reads in one call, if that is limited beside the context window.
    pub fn largest_input(&self) -> Option<u64> {
        self.largest_input
    }

    /// The most tokens that it writes in one call, if that is known.
    pub fn largest_answer(&self) -> Option<u64> {
        self.largest_answer
    }

    /// The encoding that it reads, if that is published.
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// When the provider switches it off, if that is announced.
    pub fn end_of_life(&self) -> Option<Timestamp> {
        self.end_of_life
    }

    /// The most tokens that a prompt can have when so many are reserved for the answer: the largest input, or what the
    /// reserve leaves of the context window, whichever is less.
    pub fn largest_prompt(&self, reserved_answer: u64) -> u64 {
        let left = self.context_window.saturating_sub(reserved_answer);
        self.largest_input.map_or(left, |largest| largest.min(left))
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

    /// What fallbacks are tried in the order of: cheap before dear, priced before unpriced, small before large.
    pub(crate) fn cost(&self) -> impl Ord + use<> {
        (self.input_price.unwrap_or(u64::MAX), self.context_window)
    }
}

/// A published way to turn text into tokens.
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
    /// The name that OpenAI gives it: `o200k_base`.
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

/// What a chat API adds to the texts of a conversation.
///
/// For OpenAI's models: 3 tokens a message, 1 for a name, 3 that open the reply
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
    /// Nothing: the texts are the whole prompt.
    pub const NONE: Self = Self {
        per_message: 0,
        per_name: 0,
        reply: 0,
        counts_roles: false,
    };

    /// So many tokens for each message, its role not among them.
    pub const fn per_message(tokens: u32) -> Self {
        Self {
            per_message: tokens,
            per_name: 0,
            reply: 0,
            counts_roles: true,
        }
    }

    /// So many more for a message with a name (fewer, if negative).
    pub const fn with_name(mut self, tokens: i32) -> Self {
        self.per_name = tokens;
        self
    }

    /// So many more, once, to open the reply.
    pub const fn with_reply(mut self, tokens: u32) -> Self {
        self.reply = tokens;
        self
    }

    /// Tokens for one message, its texts not among them.
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

/// What an API adds to the texts of tool definitions, as OpenAI's cookbook counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolRule {
    /// For each function.
    pub function: u32,
    /// Once for the properties of a function that has any.
    pub properties: u32,
    /// For each property.
    pub property: u32,
    /// Once for a property with listed values; may be negative.
    pub values: i32,
    /// For each listed value.
    pub value: u32,
    /// Once for all functions.
    pub end: u32,
}

/// How an image becomes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageRule {
    /// OpenAI: fitted into 2,048 pixels square, the shorter side to 768, then cut into tiles of 512. Low detail is the
    /// base alone.
    Tiles {
        /// For each image.
        base: u32,
        /// For each tile.
        tile: u32,
    },
    /// Anthropic: the longer side to `edge` at most, then patches of `side` pixels square, `most` at most.
    Patches {
        /// The side of a patch.
        side: u32,
        /// The longer side of the image at most.
        edge: u32,
        /// The most tokens of an image.
        most: u32,
    },
}
