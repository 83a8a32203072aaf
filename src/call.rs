//! One call, from the request to the feedback about its answer days later.

mod comparison;
mod feedback;
mod line_up;
mod outcome;
mod pin;
mod reason;
mod report;
mod signal;
mod ticket;
mod version;

use std::borrow::Cow;

use crate::error::Error;
use crate::name::{BatchKey, DocumentId, DocumentType};
use crate::tokens::{Conversation, Image, TokenCount};

pub(crate) use comparison::Comparable;
pub use comparison::{Comparison, Difference, DifferenceKind, ShadowEnd, ShadowResult};
pub use feedback::{Correction, Feedback, SettledValue};
pub use line_up::{LineUp, Role};
pub use outcome::Outcome;
pub use pin::Pin;
pub use reason::{Destination, Reason};
pub use report::Report;
pub use signal::Signal;
pub(crate) use ticket::Given;
pub use ticket::{Ticket, TicketId};
pub(crate) use version::SystemPrompt;
pub use version::{Fingerprint, Version};

/// A call to make for a document: its texts, or their token counts.
///
/// It borrows texts and copies none. A call without a text or a token count is over every token
/// budget. A guard counts a text only as far as it needs to, and uses a token count as given.
///
/// ```
/// use fusebox::Call;
///
/// let text = "Invoice 2026-0417 ..";
/// let call = Call::new("inv-2026-0417", "invoice")?.with_document(text);
/// let counted_elsewhere = Call::new("inv-2026-0418", "invoice")?.with_document_tokens(3_180);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Call<'t> {
    document: DocumentId,
    document_type: DocumentType,
    content: Content<'t>,
    history: History<'t>,
    images: Vec<Image>,
    pin: Option<Pin>,
    batch: Option<BatchKey>,
}

/// The document of a call.
#[derive(Clone, Debug)]
pub(crate) enum Content<'t> {
    Unmeasured,
    Counted(TokenCount),
    Text(Cow<'t, str>),
    /// It is among the messages of the conversation.
    InHistory,
}

/// The conversation that is sent with the document.
#[derive(Clone, Debug)]
pub(crate) enum History<'t> {
    Unmeasured,
    Counted(TokenCount),
    Messages(Cow<'t, Conversation>),
}

impl<'t> Call<'t> {
    /// A call for the document with this id and type; an error if either is empty.
    pub fn new(document: impl AsRef<str>, document_type: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self::of(
            DocumentId::new(document)?,
            DocumentType::new(document_type)?,
        ))
    }

    /// The same from names that are already checked; it copies no text.
    pub fn of(document: DocumentId, document_type: DocumentType) -> Self {
        Self {
            document,
            document_type,
            content: Content::Unmeasured,
            history: History::Counted(TokenCount::ZERO),
            images: Vec::new(),
            pin: None,
            batch: None,
        }
    }

    /// The document's text.
    pub fn with_document(mut self, text: impl Into<Cow<'t, str>>) -> Self {
        self.content = Content::Text(text.into());
        self
    }

    /// The token count of the document: a number, or a [`TokenCount`] if only bounds are known.
    pub fn with_document_tokens(mut self, tokens: impl Into<TokenCount>) -> Self {
        self.content = match tokens.into() {
            TokenCount::UNKNOWN => Content::Unmeasured,
            count => Content::Counted(count),
        };
        self
    }

    /// All messages that are sent after the version's system prompt; the document is among them.
    pub fn with_messages(mut self, conversation: &'t Conversation) -> Self {
        self.content = Content::InHistory;
        self.with_history(conversation)
    }

    /// The conversation that is sent with the document (none by default).
    pub fn with_history(mut self, conversation: &'t Conversation) -> Self {
        self.history = History::Messages(Cow::Borrowed(conversation));
        self
    }

    /// The token count of the conversation, including what the API adds to its messages;
    /// [`TokenCount::UNKNOWN`](crate::tokens::TokenCount::UNKNOWN) if it could not be counted.
    pub fn with_history_tokens(mut self, tokens: impl Into<TokenCount>) -> Self {
        self.history = match tokens.into() {
            TokenCount::UNKNOWN => History::Unmeasured,
            count => History::Counted(count),
        };
        self
    }

    /// An image that is part of the document.
    pub fn with_image(mut self, image: Image) -> Self {
        self.images.push(image);
        self
    }

    /// Pins the call to the version of an earlier call for the document, so that one version serves
    /// all of them: pass the earlier call's ticket, or a [`Pin`].
    ///
    /// ```
    /// # use fusebox::{Call, Pipeline, Ticket};
    /// # fn next(pipeline: &Pipeline, first: &Ticket) -> Result<(), fusebox::Error> {
    /// let check = Call::new("inv-2026-0417", "invoice")?.pinned_to(first);
    /// let admission = pipeline.admit(&check);
    /// if admission.ticket().has_lost_pin() {
    ///     println!("{} begins, {} goes on", first.version(), admission.ticket().version());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// A pin is one more vote: for production, if that is the pinned version. So a document that
    /// began with production stays there when its candidate gets a larger share or is promoted. One
    /// that began with the candidate stays there too, by the rollout's split and under another role
    /// after a deployment.
    ///
    /// The strictest vote wins as always, and a pin adds none for a candidate or for the previous
    /// version, which no breaker watches while production serves. If the pinned version was rolled
    /// back, is out of service, has become the previous version or is no longer live, the version
    /// that the guards choose serves. The new ticket says so
    /// ([`has_lost_pin`](crate::Ticket::has_lost_pin)), and an event
    /// ([`PinLost`](crate::event::PipelineEvent::PinLost)). With [`Pin::or_review`] the document
    /// goes to human review instead.
    ///
    /// A pin says nothing of the model: a token budget chooses a larger one call by call. A call
    /// that the pin alone keeps from the candidate, or from being made, has no stage on its ticket,
    /// so no rollout counts it.
    pub fn pinned_to(mut self, pin: impl Into<Pin>) -> Self {
        self.pin = Some(pin.into());
        self
    }

    /// What it is pinned to, if it is.
    pub fn pin(&self) -> Option<&Pin> {
        self.pin.as_ref()
    }

    /// Puts the document into a batch, all of which sees one version: what comes from one supplier, in
    /// one upload or delivery, and is often right or wrong for one cause. A rollout assigns the batch
    /// to a version, not the document, and what goes wrong with its documents counts once.
    ///
    /// Give every document a batch or none: a batch of one is a document. A batch that is as large as
    /// a day's traffic leaves a rollout with few facts.
    ///
    /// ```
    /// use fusebox::Call;
    /// use fusebox::name::BatchKey;
    ///
    /// let call = Call::new("inv-17", "invoice")?.in_batch(BatchKey::new("supplier-22/2026-03-13")?);
    /// assert_eq!(call.batch().map(BatchKey::as_str), Some("supplier-22/2026-03-13"));
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn in_batch(mut self, batch: BatchKey) -> Self {
        self.batch = Some(batch);
        self
    }

    /// The batch, if the document is in one.
    pub fn batch(&self) -> Option<&BatchKey> {
        self.batch.as_ref()
    }

    /// The document's id.
    pub fn document(&self) -> &DocumentId {
        &self.document
    }

    /// The document's type.
    pub fn document_type(&self) -> &DocumentType {
        &self.document_type
    }

    /// The document's text, if it was given.
    pub fn document_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same call with owned texts, to move into a task.
    pub fn into_owned(self) -> Call<'static> {
        Call {
            document: self.document,
            document_type: self.document_type,
            content: match self.content {
                Content::Text(text) => Content::Text(Cow::Owned(text.into_owned())),
                Content::Counted(count) => Content::Counted(count),
                Content::Unmeasured => Content::Unmeasured,
                Content::InHistory => Content::InHistory,
            },
            history: match self.history {
                History::Messages(messages) => History::Messages(Cow::Owned(messages.into_owned())),
                History::Counted(count) => History::Counted(count),
                History::Unmeasured => History::Unmeasured,
            },
            images: self.images,
            pin: self.pin,
            batch: self.batch,
        }
    }

    /// The bytes of text that a guard may have to count.
    pub fn text_bytes(&self) -> usize {
        let history = match &self.history {
            History::Messages(messages) => messages.bytes(),
            _ => 0,
        };
        self.document_text().map_or(0, str::len) + history
    }

    pub(crate) fn content(&self) -> &Content<'t> {
        &self.content
    }

    pub(crate) fn history(&self) -> &History<'t> {
        &self.history
    }

    /// The images that are part of the document.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// The token count of the document, if that was given instead of its text.
    pub fn document_tokens(&self) -> Option<TokenCount> {
        match self.content {
            Content::Counted(count) => Some(count),
            Content::InHistory | Content::Text(_) | Content::Unmeasured => None,
        }
    }

    /// The conversation that is sent with the document, or that has it among its messages.
    pub fn conversation(&self) -> Option<&Conversation> {
        match &self.history {
            History::Messages(conversation) => Some(conversation),
            History::Counted(_) | History::Unmeasured => None,
        }
    }

    /// The token count of the conversation, if that was given instead of its messages; zero without
    /// a conversation.
    pub fn history_tokens(&self) -> Option<TokenCount> {
        match self.history {
            History::Counted(count) => Some(count),
            History::Messages(_) | History::Unmeasured => None,
        }
    }
}
