//! What goes wrong, as a program and as an answer over HTTP.

use std::collections::BTreeSet;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fusebox::{ErrorKind, Reason};
use serde_json::{Value, json};

pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A request that is not served.
pub(crate) struct Refused {
    status: StatusCode,
    why: String,
}

impl Refused {
    /// No answer was given for this document, or too long ago.
    pub(crate) fn unknown(document: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            why: format!("no answer for a document {document:?} is known"),
        }
    }
}

impl From<fusebox::Error> for Refused {
    fn from(error: fusebox::Error) -> Self {
        let status = match error.kind() {
            // It passes: the same request may be sent again.
            ErrorKind::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let why = error.to_string();
        Self { status, why }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.why }))).into_response()
    }
}

/// Why a document goes to a reviewer.
pub(crate) fn in_words(reasons: &BTreeSet<Reason>) -> Value {
    reasons.iter().map(ToString::to_string).collect()
}
