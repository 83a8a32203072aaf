//! The seam to the network: a request that a pager wants to be sent, and what came back.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::secret::Secret;

/// One HTTP POST that a pager wants to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostRequest {
    /// The address; of some pagers it is the secret.
    pub url: Secret,
    /// Names in lower case, and values. `content-type` is among them.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body.
    pub body: Vec<u8>,
}

impl PostRequest {
    /// A request with a JSON body.
    pub fn json(url: Secret, body: &serde_json::Value) -> Self {
        Self {
            url,
            headers: vec![("content-type", Secret::new("application/json"))],
            body: body.to_string().into_bytes(),
        }
    }

    /// The same request with one more header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<Secret>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What a pager answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostAnswer {
    /// The HTTP status.
    pub status: u16,
    /// How long to wait before the next request, where the answer says so (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// The beginning of the body, at most a kilobyte.
    pub body: String,
}

impl PostAnswer {
    /// An answer with this status and an empty body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// The same answer with the time that it asks to wait.
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same answer with the beginning of its body.
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }
}

/// No answer came: the network, TLS, or the time was up. Whether the request arrived is unknown.
///
/// The reason must have no secret in it, so no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer(String);

impl NoAnswer {
    /// For this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoAnswer {}

/// Sends requests. The feature `reqwest` has one; a service with an HTTP client of its own writes
/// its own in ten lines.
///
/// It must give up after about ten seconds, follow no redirects, and keep no queue: what is sent
/// again, and when, is decided here.
#[async_trait]
pub trait Post: fmt::Debug + Send + Sync {
    /// Sends one request.
    async fn post(&self, request: PostRequest) -> Result<PostAnswer, NoAnswer>;
}
