//! Adapters to other crates. Each uses only the public API, behind a feature with the crate's name.

#[cfg(feature = "async-openai")]
mod async_openai;
