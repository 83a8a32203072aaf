//! Adapters to other crates, each behind a feature of that crate's name and only over the public API.

#[cfg(feature = "async-openai")]
mod async_openai;
