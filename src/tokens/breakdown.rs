//! The tokens of a call, part by part.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::count::TokenCount;

/// The tokens that a call needs, part by part, so that a reader sees which part grew.
///
/// ```
/// # #[cfg(any(feature = "tiktoken", feature = "bpe"))]
/// # fn main() -> Result<(), fusebox::Error> {
/// use fusebox::{Call, TokenBudget, Version};
///
/// let version = Version::new("v7", "gpt-4o")?.with_system_prompt("You read invoices.").with_reserved_answer_tokens(800);
/// let budget = TokenBudget::builder().build()?;
/// let call = Call::new("inv-1", "invoice")?.with_document("Total: 12.50 EUR");
/// let breakdown = budget.count(&call, &version)?;
/// assert_eq!(breakdown.to_string(), "22 tokens (system prompt 4, document 7, framing 11), 800 for the answer");
/// # Ok(())
/// # }
/// # #[cfg(not(any(feature = "tiktoken", feature = "bpe")))]
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenBreakdown {
    /// The version's system prompt.
    pub system: TokenCount,
    /// The document.
    pub document: TokenCount,
    /// The messages of the conversation.
    pub history: TokenCount,
    /// The tool definitions.
    pub tools: TokenCount,
    /// Images.
    pub images: TokenCount,
    /// What the API adds to messages.
    pub framing: TokenCount,
    /// The tokens reserved for the answer; not part of the prompt.
    pub answer: u64,
}

impl TokenBreakdown {
    /// The whole prompt, without the reserved answer.
    pub fn prompt(&self) -> TokenCount {
        self.system + self.tools + self.brought() + self.framing
    }

    /// The call's part of the prompt: document, history and images.
    pub(crate) fn brought(&self) -> TokenCount {
        self.document + self.history + self.images
    }
}

impl fmt::Display for TokenBreakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.prompt())?;
        let parts = [
            ("system prompt", self.system),
            ("document", self.document),
            ("history", self.history),
            ("tools", self.tools),
            ("images", self.images),
            ("framing", self.framing),
        ];
        let mut comma = "";
        for (name, count) in parts {
            match (count.lower(), count.upper()) {
                (_, Some(0)) => continue,
                (lower, Some(upper)) if lower == upper => write!(f, "{comma}{name} {upper}")?,
                (_, Some(upper)) => write!(f, "{comma}{name} at most {upper}")?,
                (lower, None) => write!(f, "{comma}{name} at least {lower}")?,
            }
            comma = ", ";
        }
        f.write_str(")")?;
        if self.answer > 0 {
            write!(f, ", {} for the answer", self.answer)?;
        }
        Ok(())
    }
}
