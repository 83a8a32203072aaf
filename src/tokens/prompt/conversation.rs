//! The messages of a conversation, counted turn by turn.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use super::frames::{Frames, is_system};
use super::image::Image;
use super::json;
use crate::error::Error;
use crate::tokens::count::TokenCount;
use crate::tokens::model::Framing;

/// The number of tokenizers and models whose counts a conversation keeps: more than a line-up and
/// its fallback models have.
const KEPT_COUNTS: usize = 64;
/// The characters of a refused value that an error shows.
const SHOWN: usize = 80;

/// One message of a conversation.
///
/// ```
/// use fusebox::tokens::Message;
///
/// let question = Message::user("Which of these invoices are overdue?");
/// let example = Message::new("system", "New synergies will help drive top-line growth.").with_name("example_user");
/// # let _ = (question, example);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    role: Arc<str>,
    name: Option<Arc<str>>,
    parts: Vec<Part>,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(Arc<str>),
    Image(Image),
    /// Content without a documented token count, by its length in bytes.
    Unknown(u64),
    /// Content that is not counted as text, such as audio or a file.
    Uncountable,
}

impl Message {
    /// A message with this role.
    pub fn new(role: impl AsRef<str>, text: impl Into<Arc<str>>) -> Self {
        Self {
            role: role.as_ref().into(),
            name: None,
            parts: vec![Part::Text(text.into())],
        }
    }

    /// A message of the user.
    pub fn user(text: impl Into<Arc<str>>) -> Self {
        Self::new("user", text)
    }

    /// An answer of the model.
    pub fn assistant(text: impl Into<Arc<str>>) -> Self {
        Self::new("assistant", text)
    }

    /// Adds the name of the participant.
    pub fn with_name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(name.as_ref().into());
        self
    }

    /// Adds an image.
    pub fn with_image(mut self, image: Image) -> Self {
        self.parts.push(Part::Image(image));
        self
    }

    /// Reads a message in the format of OpenAI's and Anthropic's APIs: `role`, `content` (a text,
    /// or a list of blocks), and optionally `name`.
    ///
    /// Text blocks are counted, image blocks by the model's rule. Unknown blocks and keys raise the
    /// bound by their length; audio and files make the message uncountable. Returns an error if
    /// there is no role.
    pub fn from_json(message: &Value) -> Result<Self, Error> {
        let text = |key: &str| {
            message
                .get(key)
                .and_then(Value::as_str)
                .map(Arc::<str>::from)
        };
        let Some(role) = text("role") else {
            return Err(Error::invalid(
                "role of a message",
                json::start(message, SHOWN),
                "a text",
            ));
        };
        let mut parts = match message.get("content") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => vec![Part::Text(text.as_str().into())],
            Some(Value::Array(blocks)) => blocks.iter().map(block).collect(),
            Some(other) => vec![Part::unknown(other)],
        };
        let others = message.as_object().into_iter().flatten();
        let unknown =
            others.filter(|(key, _)| !matches!(key.as_str(), "role" | "content" | "name"));
        parts.extend(unknown.map(|(_, value)| Part::unknown(value)));
        Ok(Self {
            role,
            name: text("name"),
            parts,
        })
    }

    /// The role, as the API names it.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The name of its author, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its texts, in order, without images, files and unknown parts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(&**text),
            Part::Image(_) | Part::Uncountable | Part::Unknown(_) => None,
        })
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The bytes of texts, names and unknown parts, and whether they bound the tokens of the whole.
    fn bytes(&self) -> (usize, bool) {
        let (mut bytes, mut bounded) = (self.name.as_deref().map_or(0, str::len), true);
        for part in &self.parts {
            match part {
                Part::Text(text) => bytes += text.len(),
                Part::Unknown(unknown) => bytes += usize::try_from(*unknown).unwrap_or(usize::MAX),
                Part::Image(_) | Part::Uncountable => bounded = false,
            }
        }
        (bytes, bounded)
    }
}

impl Part {
    fn unknown(value: &Value) -> Self {
        Self::Unknown(json::length(value))
    }
}

fn block(block: &Value) -> Part {
    let at = |path: &str| block.pointer(path).and_then(Value::as_str);
    match at("/type") {
        Some("text" | "input_text" | "output_text") => match at("/text") {
            Some(text) => Part::Text(text.into()),
            None => Part::unknown(block),
        },
        Some("image_url" | "image" | "input_image") => {
            let low = at("/image_url/detail").or(at("/detail")) == Some("low");
            let image = Image::of_unknown_size();
            Part::Image(if low { image.low_detail() } else { image })
        }
        Some("input_audio" | "file" | "input_file" | "document" | "video" | "audio") => {
            Part::Uncountable
        }
        _ => Part::unknown(block),
    }
}

/// The messages of a conversation. Each is counted once per tokenizer, so a turn costs only its own
/// length.
///
/// ```
/// use fusebox::Call;
/// use fusebox::tokens::{Conversation, Message};
///
/// let mut conversation = Conversation::new();
/// conversation.push(Message::user("What does the supplier owe us?"));
/// conversation.push(Message::assistant("312.40 EUR."));
/// let call = Call::new("mail-77", "inquiry")?.with_document("And since when?").with_history(&conversation);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Default)]
pub struct Conversation {
    messages: Vec<Message>,
    bytes: usize,
    frames: Frames,
    /// The place of the first system message.
    system: Option<usize>,
    /// Whether it has content whose tokens are not bounded by its bytes.
    unbounded: bool,
    /// The last one was used last.
    counted: Mutex<Vec<Counted>>,
}

/// One tokenizer's counts of the first messages of a conversation.
#[derive(Clone, Debug)]
struct Counted {
    key: String,
    messages: usize,
    tally: MessageTokens,
    /// The messages that are to be counted again each time, by their place: the counter failed, or
    /// only bounded them.
    unsettled: Vec<usize>,
}

impl Counted {
    fn new(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            messages: 0,
            tally: MessageTokens::NOTHING,
            unsettled: Vec::new(),
        }
    }
}

/// The tokens of messages; `None` for content that cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageTokens {
    pub(crate) text: Option<TokenCount>,
    pub(crate) framing: TokenCount,
    pub(crate) images: Option<TokenCount>,
    /// Whether the counter counted all texts: another time it may know more of the others.
    pub(crate) is_settled: bool,
}

impl MessageTokens {
    pub(crate) const NOTHING: Self = Self {
        text: Some(TokenCount::ZERO),
        framing: TokenCount::ZERO,
        images: Some(TokenCount::ZERO),
        is_settled: true,
    };

    pub(crate) fn plus(self, other: Self) -> Self {
        let sum = |one: Option<TokenCount>, other: Option<TokenCount>| Some(one? + other?);
        Self {
            text: sum(self.text, other.text),
            framing: self.framing + other.framing,
            images: sum(self.images, other.images),
            is_settled: self.is_settled && other.is_settled,
        }
    }
}

impl Conversation {
    /// An empty conversation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads messages in the format of a chat API; see [`Message::from_json`].
    pub fn from_json(messages: &Value) -> Result<Self, Error> {
        let Some(messages) = messages.as_array() else {
            return Err(Error::invalid(
                "messages",
                json::start(messages, SHOWN),
                "a list of messages",
            ));
        };
        let messages = messages.iter().map(Message::from_json);
        Ok(messages
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .collect())
    }

    /// Adds a message.
    pub fn push(&mut self, message: Message) {
        let (bytes, bounded) = message.bytes();
        self.bytes = self.bytes.saturating_add(bytes);
        self.unbounded |= !bounded;
        self.frames.add(&message.role, message.name.is_some());
        if self.system.is_none() && is_system(&message.role) {
            self.system = Some(self.messages.len());
        }
        self.messages.push(message);
    }

    /// The messages, in order.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The number of messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are no messages.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The bytes of text in all messages.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// An upper bound of the framing of all messages by `framing`; `None` if the bytes do not bound
    /// the rest.
    pub(crate) fn most_framing(&self, framing: Option<Framing>) -> Option<u64> {
        (!self.unbounded).then(|| self.frames.most_tokens(framing))
    }

    /// The message to which the API adds tool definitions, if there is one.
    pub(crate) fn system_message(&self) -> Option<&Message> {
        self.messages.get(self.system?)
    }

    /// The tokens of the messages for the tokenizer and model called `key`; calls `count` for
    /// messages that `key` has not counted yet.
    pub(crate) fn tally(
        &self,
        key: &str,
        count: impl Fn(&Message) -> MessageTokens,
    ) -> MessageTokens {
        let mut all = self.counted.lock();
        let known = all.iter().position(|counted| counted.key == key);
        let mut counted = known.map_or_else(|| Counted::new(key), |at| all.remove(at));
        let mut unsettled = MessageTokens::NOTHING;
        let again = std::mem::take(&mut counted.unsettled);
        for at in again
            .into_iter()
            .chain(counted.messages..self.messages.len())
        {
            let Some(message) = self.messages.get(at) else {
                continue;
            };
            let tokens = count(message);
            if tokens.is_settled {
                counted.tally = counted.tally.plus(tokens);
            } else {
                unsettled = unsettled.plus(tokens);
                counted.unsettled.push(at);
            }
        }
        counted.messages = self.messages.len();
        let tally = counted.tally.plus(unsettled);
        if all.len() >= KEPT_COUNTS {
            all.remove(0);
        }
        all.push(counted);
        tally
    }
}

impl FromIterator<Message> for Conversation {
    fn from_iter<I: IntoIterator<Item = Message>>(messages: I) -> Self {
        let mut conversation = Self::new();
        conversation.extend(messages);
        conversation
    }
}

impl Extend<Message> for Conversation {
    fn extend<I: IntoIterator<Item = Message>>(&mut self, messages: I) {
        for message in messages {
            self.push(message);
        }
    }
}

impl Clone for Conversation {
    fn clone(&self) -> Self {
        Self {
            messages: self.messages.clone(),
            bytes: self.bytes,
            frames: self.frames,
            system: self.system,
            unbounded: self.unbounded,
            counted: Mutex::new(self.counted.lock().clone()),
        }
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("messages", &self.messages.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
