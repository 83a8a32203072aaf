//! The counter for an encoding: the fastest one that is compiled in.

use std::sync::Arc;

use super::TokenCounter;
use crate::error::Error;
use crate::tokens::count::TokenCount;
use crate::tokens::model::Encoding;

impl Encoding {
    /// The counter for this encoding. Without one, returns an error that names the feature to
    /// enable.
    ///
    /// Prefers the feature `bpe` if it has the encoding, because it is faster; the counts are the
    /// same.
    pub fn counter(self) -> Result<Arc<dyn TokenCounter>, Error> {
        #[cfg(feature = "bpe")]
        if let Ok(counter) = super::bpe::Bpe::new(self) {
            return Ok(Arc::new(counter));
        }
        self.without_bpe()
    }

    #[cfg(feature = "tiktoken")]
    #[allow(
        clippy::unnecessary_wraps,
        reason = "without the feature it is an error"
    )]
    fn without_bpe(self) -> Result<Arc<dyn TokenCounter>, Error> {
        Ok(Arc::new(super::tiktoken::Tiktoken::new(self)))
    }

    #[cfg(not(feature = "tiktoken"))]
    fn without_bpe(self) -> Result<Arc<dyn TokenCounter>, Error> {
        let allowed = "an encoding that is compiled in: enable feature `tiktoken` of fusebox (or `bpe`, for \
                       cl100k_base, o200k_base and o200k_harmony), or add a counter with `.counter(model, ..)`";
        Err(Error::invalid("encoding", self, allowed))
    }
}

/// The fewest tokens, in millionths, for what [`proxy`] counts as one: no published tokenizer gives
/// half as many for a whole text.
pub(crate) const LEAST_FOR_PROXY: u64 = if cfg!(any(feature = "tiktoken", feature = "bpe")) {
    500_000
} else {
    // A token of 16 bytes is long.
    62_500
};

/// The counter for models without a published tokenizer.
pub(crate) fn proxy() -> Arc<dyn TokenCounter> {
    Encoding::O200kBase
        .counter()
        .unwrap_or_else(|_| Arc::new(Bytes))
}

/// Counts bytes, to be multiplied by a factor, if no tokenizer is compiled in.
#[derive(Debug)]
struct Bytes;

impl TokenCounter for Bytes {
    fn name(&self) -> &'static str {
        "bytes"
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        Ok(self.bounds(text))
    }

    fn bounds(&self, text: &str) -> TokenCount {
        TokenCount::exact(text.len() as u64)
    }
}
