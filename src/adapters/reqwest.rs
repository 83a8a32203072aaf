//! Posts over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use crate::error::Error;
use crate::pager::{NoAnswer, Post, PostAnswer, PostRequest};
use crate::pipeline::clock::{Clock, SystemClock};
use crate::time::Timestamp;

/// A request that has no answer by then has none: it may have arrived.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read, in bytes.
const MOST_OF_A_BODY: usize = 1_024;

/// Posts pages with `reqwest`, over TLS with the roots that the system trusts.
///
/// - It gives up after 10 seconds in all, from connecting to the end of the answer.
/// - It follows no redirects: an address that has moved must be changed where it is set, for it may
///   be the secret.
/// - It uses no proxy, whatever `HTTPS_PROXY` says: an alarm that depends on the surroundings of a
///   process is found broken at night. Where there is no way out but through one, give it a
///   [client of yours](Self::with_client).
/// - Of the answer it reads the status, `Retry-After` in seconds or as a date, and the first kilobyte
///   of the body, in which the request's secrets are taken out. Where the body does not end well, the
///   status counts: the pager has decided.
///
/// It needs a tokio runtime with I/O and time.
///
/// ```
/// # fn main() -> Result<(), fusebox::Error> {
/// use fusebox::reqwest::ReqwestPost;
///
/// let post = ReqwestPost::new()?;
/// # let _ = post;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ReqwestPost {
    client: Client,
}

impl ReqwestPost {
    /// With a client of its own; an error if TLS cannot be set up here.
    pub fn new() -> Result<Self, Error> {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .user_agent(concat!("fusebox/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map(Self::with_client).map_err(|error| {
            let error = chain(&error.without_url());
            Error::invalid(
                "HTTP client",
                error,
                "TLS with roots that the system trusts",
            )
        })
    }

    /// With your client, for a proxy or for roots of your own. It must follow no redirects; the 10
    /// seconds hold for its requests too.
    pub fn with_client(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Post for ReqwestPost {
    async fn post(&self, request: PostRequest) -> Result<PostAnswer, NoAnswer> {
        let no_answer = |error: reqwest::Error| {
            let reason = chain(&error.without_url());
            NoAnswer::new(request.redact(&reason))
        };
        let headers = headers(&request)?;
        let sent = self
            .client
            .post(request.url.reveal())
            .timeout(TIMEOUT)
            .headers(headers)
            .body(request.body.clone())
            .send();
        let response = sent.await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let wait = retry_after(response.headers());
        let body = request.redact(&beginning(response).await);
        let answer = PostAnswer::new(status).with_body(body);
        Ok(match wait {
            Some(wait) => answer.with_retry_after(wait),
            None => answer,
        })
    }
}

fn headers(request: &PostRequest) -> Result<HeaderMap, NoAnswer> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::try_from(*name);
        let value = HeaderValue::try_from(value.reveal());
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(NoAnswer::new("a header cannot be sent"));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The beginning of the body, as far as it comes.
async fn beginning(mut response: Response) -> String {
    let mut body = Vec::new();
    while body.len() < MOST_OF_A_BODY {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend(chunk),
            Ok(None) | Err(_) => break,
        }
    }
    body.truncate(MOST_OF_A_BODY);
    String::from_utf8_lossy(&body).into_owned()
}

/// The wait of a `Retry-After`: seconds, or until a date by the clock of the one who answers.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text| httpdate::parse_http_date(text).ok().map(Timestamp::from);
    let answered_at = headers.get(DATE).and_then(|date| date.to_str().ok());
    let answered_at = answered_at.and_then(date);
    Some(date(asked)?.since(answered_at.unwrap_or_else(|| SystemClock::default().now())))
}

/// What went wrong, and below it: the message of `reqwest` alone says too little.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}
