//! Asking a provider's endpoint for counts, before the guards are asked.

use std::future::Future;

use crate::token_count::TokenCount;
use crate::tokens::ProviderCounts;

impl ProviderCounts {
    /// Asks the provider how many tokens a text has, unless it said so before, and keeps the answer. An error of your
    /// client comes back untouched, and the text stays bounded by its length.
    ///
    /// # Cancel safety
    /// Dropping the future keeps nothing; asking again is safe.
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
}
