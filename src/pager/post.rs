//! The seam to the network: a request that a pager wants to be sent, and what came back.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use super::line::one_line;
use super::secret::Secret;

/// How much of an answer's body stands in an error, in characters.
const LONGEST_SAID: usize = 140;
/// A shorter secret is not looked for in an answer: it stands in any text.
const SHORTEST_HIDDEN: usize = 8;

/// One HTTP POST that a pager wants to be sent. Its `Debug` shows how long the body is, and no more.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostRequest {
    /// The address; of some pagers it is the secret.
    pub url: Secret,
    /// Names in lower case, and values. `content-type` is among them.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body.
    pub body: Vec<u8>,
    /// What must not be seen: the address, headers, keys in the body.
    hidden: Vec<Secret>,
}

impl PostRequest {
    /// A request with a JSON body.
    pub fn json(url: Secret, body: &serde_json::Value) -> Self {
        Self::of(url, body)
    }

    /// The same, of what always has a JSON form: its fields keep their order.
    pub(super) fn of(url: Secret, body: &impl Serialize) -> Self {
        Self {
            hidden: vec![url.clone()],
            url,
            headers: vec![("content-type", Secret::new("application/json"))],
            body: serde_json::to_vec(body).unwrap_or_default(),
        }
    }

    /// The same request with one more header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<Secret>) -> Self {
        let value = value.into();
        self.hidden.push(value.clone());
        self.headers.push((name, value));
        self
    }

    /// The same request, which has this secret in its body.
    pub fn with_hidden(mut self, secret: impl Into<Secret>) -> Self {
        self.hidden.push(secret.into());
        self
    }

    /// A text without the secrets of this request. An answer, or a proxy on the way, may repeat the
    /// address or a key; so nothing of an answer is kept or shown without this.
    pub fn redact(&self, text: &str) -> String {
        let hidden = self.hidden.iter().map(Secret::reveal);
        let path = self.path();
        hidden
            .chain(path)
            .filter(|secret| secret.len() >= SHORTEST_HIDDEN)
            .fold(text.to_owned(), |text, secret| {
                text.replace(secret, "(secret)")
            })
    }

    /// The address without its host: servers repeat it where they do not know it.
    fn path(&self) -> Option<&str> {
        let (_, rest) = self.url.reveal().split_once("://")?;
        rest.find('/').and_then(|at| rest.get(at..))
    }
}

impl fmt::Debug for PostRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("PostRequest")
            .field("url", &self.url)
            .field("headers", &names)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// What a pager answered. Printed as the status and the beginning of the body, in one line of at most
/// 160 characters.
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

impl fmt::Display for PostAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered {}", self.status)?;
        let said = one_line(&self.body, LONGEST_SAID);
        if said.is_empty() {
            return Ok(());
        }
        write!(f, ": {said}")
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
