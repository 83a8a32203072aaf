//! Counting tokens: counts, counters, the parts of a prompt, and the catalogue of models.

mod breakdown;
mod calibration;
mod catalogue;
mod count;
mod counter;
mod measurement;
mod model;
mod prompt;

pub use breakdown::TokenBreakdown;
pub(crate) use calibration::{Calibration, Factor, Learnt, UNIT, ratio};
pub use catalogue::{Catalogue, CatalogueRow, SkippedRow};
pub use count::{Provenance, TokenCount};
pub use counter::TokenCounter;
#[cfg(feature = "bpe")]
pub use counter::bpe::Bpe;
pub use counter::byte_bound::ByteBound;
pub use counter::provider::ProviderCounts;
pub(crate) use counter::select::{LEAST_FOR_PROXY, proxy};
#[cfg(feature = "tiktoken")]
pub use counter::tiktoken::Tiktoken;
pub(crate) use measurement::Basis;
pub use measurement::Measurement;
pub use model::{Encoding, Framing, ImageRule, Model, ToolRule};
pub(crate) use prompt::conversation::MessageTokens;
pub use prompt::conversation::{Conversation, Message};
pub(crate) use prompt::framing::{message_tokens, reply_framing, role_framing};
pub use prompt::image::Image;
pub(crate) use prompt::image::image_tokens;
pub(crate) use prompt::json::flattened;
pub(crate) use prompt::tools::{LINE_FEED, UNKNOWN_TOOLS, line_feed_tokens, tool_tokens};
