//! What guards may know about a call before it is made: which document, of what type, and how many tokens.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::name::{DocumentId, DocumentType};

/// How many tokens a text has, and whether that is exact or an upper bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenCount {
    tokens: u64,
    exact: bool,
}

impl TokenCount {
    /// Exactly this many tokens.
    pub const fn exact(tokens: u64) -> Self {
        Self {
            tokens,
            exact: true,
        }
    }

    /// This many tokens or fewer.
    pub const fn at_most(tokens: u64) -> Self {
        Self {
            tokens,
            exact: false,
        }
    }

    /// The most tokens that it can be: what a budget is judged by.
    pub const fn upper(self) -> u64 {
        self.tokens
    }

    /// Whether the count is exact.
    pub const fn is_exact(self) -> bool {
        self.exact
    }
}

/// What came of counting a text: a number, a [`TokenCount`], or nothing.
///
/// You never name this type; it is what lets [`Call::with_document_tokens`] take `3_180`, a count, or an `Option` of one.
#[derive(Clone, Copy, Debug)]
pub struct Measured(Option<TokenCount>);

impl From<u64> for Measured {
    fn from(tokens: u64) -> Self {
        Self(Some(TokenCount::exact(tokens)))
    }
}

impl From<TokenCount> for Measured {
    fn from(count: TokenCount) -> Self {
        Self(Some(count))
    }
}

impl From<Option<TokenCount>> for Measured {
    fn from(count: Option<TokenCount>) -> Self {
        Self(count)
    }
}

/// A call that is about to be made for a document. It holds counts, not texts.
///
/// Nothing is measured until you say so, and an unmeasured call is over every token budget.
///
/// ```
/// use fusebox::Call;
///
/// let call = Call::new("inv-2026-0417", "invoice")?.with_document_tokens(3_180);
/// # Ok::<(), fusebox::Error>(())
/// ```
///
/// [`Call::measure`] counts a text with a [`TokenCounter`](crate::TokenCounter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    document: DocumentId,
    document_type: DocumentType,
    document_tokens: Option<TokenCount>,
    history_tokens: Option<TokenCount>,
}

impl Call {
    /// A call for the document with this id and type; an error when either is empty.
    pub fn new(document: impl AsRef<str>, document_type: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self::of(
            DocumentId::new(document)?,
            DocumentType::new(document_type)?,
        ))
    }

    /// The same from names that were checked before; it copies no text.
    pub fn of(document: DocumentId, document_type: DocumentType) -> Self {
        Self {
            document,
            document_type,
            document_tokens: None,
            history_tokens: Some(TokenCount::exact(0)),
        }
    }

    /// How many tokens the document has; `None` when they could not be counted.
    pub fn with_document_tokens(mut self, tokens: impl Into<Measured>) -> Self {
        self.document_tokens = tokens.into().0;
        self
    }

    /// How many tokens of conversation go with it (none by default); `None` when they could not be counted.
    pub fn with_history_tokens(mut self, tokens: impl Into<Measured>) -> Self {
        self.history_tokens = tokens.into().0;
        self
    }

    /// Which document.
    pub fn document(&self) -> &DocumentId {
        &self.document
    }

    /// What type of document.
    pub fn document_type(&self) -> &DocumentType {
        &self.document_type
    }

    /// The most tokens that document and conversation can have; `None` when either was not measured.
    pub fn tokens(&self) -> Option<u64> {
        let document = self.document_tokens?.upper();
        Some(document.saturating_add(self.history_tokens?.upper()))
    }
}
