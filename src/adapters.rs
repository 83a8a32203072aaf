//! Adapters to other crates. Each uses only the public API, behind a feature with the crate's name or
//! that of what it makes.

#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "report")]
pub(crate) mod report;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;
