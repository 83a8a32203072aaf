//! What an API's error means.

mod classify;
#[cfg(feature = "async-openai")]
mod client;
mod finish;
mod litellm;
mod overflow;
mod wait;

use fusebox::failure::ApiError;
use fusebox::{Classify, FailureKind};

fn kind(status: u16, body: &str) -> FailureKind {
    ApiError::from_response(status, body.as_bytes()).failure_kind()
}
