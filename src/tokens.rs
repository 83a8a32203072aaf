//! Counting tokens: the seam, and the counters that come with the crate.

mod byte_bound;
mod catalogue;
#[cfg(feature = "tiktoken")]
mod tiktoken;

use std::fmt;

use crate::call::{Call, TokenCount};
use crate::error::Error;

pub use byte_bound::ByteBound;
pub(crate) use catalogue::context_window;
#[cfg(feature = "tiktoken")]
pub use tiktoken::Tiktoken;

/// Counts the tokens of a text for one model, or gives an upper bound.
///
/// It must never give too small a number: where it cannot count, it gives an error, and the call counts as unmeasured.
pub trait TokenCounter: fmt::Debug + Send + Sync {
    /// The tokens of `text` as ordinary text: what looks like a special token in a document is not one.
    fn count(&self, text: &str) -> Result<TokenCount, Error>;
}

impl Call {
    /// Counts the document's text. If the counter fails, the call stays unmeasured and goes to a person.
    ///
    /// The work grows with the text; a megabyte takes tens of milliseconds, so count large texts off an async runtime.
    ///
    /// ```
    /// use fusebox::{Call, tokens::ByteBound};
    ///
    /// let call = Call::new("inv-1", "invoice")?.measure(&ByteBound, "Total: 12.50 EUR");
    /// assert_eq!(call.tokens(), Some(16)); // a token has at least one byte
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn measure(self, counter: &dyn TokenCounter, document: &str) -> Self {
        self.with_document_tokens(counter.count(document).ok())
    }

    /// Counts the conversation that goes with the document, in the same way.
    pub fn measure_history(self, counter: &dyn TokenCounter, history: &str) -> Self {
        self.with_history_tokens(counter.count(history).ok())
    }
}
