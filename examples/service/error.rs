//! What goes wrong, as a program and as an answer over HTTP.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fusebox::ErrorKind;
use serde_json::json;

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
