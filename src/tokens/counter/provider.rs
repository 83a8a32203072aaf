//! Counts by the provider, kept for the calls that follow.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;

use parking_lot::Mutex;
use twox_hash::XxHash3_64;

use super::TokenCounter;
use super::byte_bound::ByteBound;
use crate::error::Error;
use crate::tokens::count::TokenCount;

const KEPT: usize = 10_000;

/// Counts by a provider's own endpoint (`count_tokens`), kept so that each text is counted once.
///
/// The guards themselves make no calls: ask the provider before the call with [`ask`](Self::ask),
/// and give the counter to the budget with
/// [`TokenBudgetBuilder::counter`](crate::budget::TokenBudgetBuilder::counter). A text without a
/// stored count is bounded by its length in bytes. The counter keeps the last 10,000 texts by their
/// hash.
///
/// ```
/// use std::sync::Arc;
/// use fusebox::TokenBudget;
/// use fusebox::tokens::{ProviderCounts, TokenCounter};
///
/// # async fn count_tokens(_: &str) -> Result<u64, std::convert::Infallible> { Ok(21) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let counts = Arc::new(ProviderCounts::new("claude-sonnet-5"));
/// let budget = TokenBudget::builder().counter("claude-sonnet-5", Arc::clone(&counts)).build()?;
///
/// let text = "The invoice of March is still open.";
/// counts.ask(text, || count_tokens(text)).await?; // your client's call
/// assert_eq!(counts.count(text)?.upper(), Some(21));
/// # let _ = budget;
/// # Ok(()) }
/// ```
pub struct ProviderCounts {
    name: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    counts: HashMap<(u64, usize), u64>,
    order: VecDeque<(u64, usize)>,
}

impl ProviderCounts {
    /// An empty store of counts for the model or tokenizer `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            known: Mutex::new(Known::default()),
        }
    }

    /// Asks the provider for the tokens of a text, unless the count is stored, and stores the
    /// answer. An error of your client is returned unchanged, and the text stays bounded by its
    /// length.
    ///
    /// # Cancel safety
    /// If the future is dropped, nothing is stored; asking again is safe.
    pub async fn ask<E, F, Fut>(&self, text: &str, count_tokens: F) -> Result<TokenCount, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<u64, E>>,
    {
        if let Some(known) = self.known(text) {
            return Ok(known);
        }
        let tokens = count_tokens().await?;
        self.learn(text, tokens);
        Ok(TokenCount::by_provider(tokens))
    }

    /// Stores the provider's count of a text.
    pub fn learn(&self, text: &str, tokens: u64) {
        let mut known = self.known.lock();
        if known.counts.insert(key(text), tokens).is_none() {
            known.order.push_back(key(text));
        }
        if known.order.len() > KEPT {
            if let Some(oldest) = known.order.pop_front() {
                known.counts.remove(&oldest);
            }
        }
    }

    /// The provider's count of a text, if it is stored.
    pub fn known(&self, text: &str) -> Option<TokenCount> {
        let tokens = self.known.lock().counts.get(&key(text)).copied();
        tokens.map(TokenCount::by_provider)
    }
}

fn key(text: &str) -> (u64, usize) {
    (XxHash3_64::oneshot(text.as_bytes()), text.len())
}

impl TokenCounter for ProviderCounts {
    fn name(&self) -> &str {
        &self.name
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        self.known(text).map_or_else(|| ByteBound.count(text), Ok)
    }

    fn bounds(&self, text: &str) -> TokenCount {
        ByteBound.bounds(text)
    }
}

impl fmt::Debug for ProviderCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderCounts")
            .field("name", &self.name)
            .field("known", &self.known.lock().counts.len())
            .finish_non_exhaustive()
    }
}
