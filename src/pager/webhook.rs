//! A webhook of one's own, signed.

use serde::Serialize;

use super::address;
use super::notification::{Action, Notification};
use super::post::PostRequest;
use super::seam::{Form, Pager};
use super::secret::Secret;
use super::signature::{digest, sign, signing_key};
use super::text::{Link, Named, PageText};
use crate::error::Error;
use crate::event::Severity;
use crate::time::Timestamp;

/// Any service that takes JSON: a program of your own, or one that reads JSON through a template
/// (incident.io, Jira Service Management, Power Automate).
///
/// ```text
/// POST <address>
/// content-type: application/json
/// idempotency-key: <32 hex digits>
/// x-fusebox-signature: t=<seconds since 1970>,v1=<HMAC-SHA256 of "t.body", 64 hex digits>
///
/// {
///   "format": 1,
///   "action": "trigger" | "resolve" | "missed",
///   "key": "invoices/error-rate/failing/v7/1",
///   "pipeline": "invoices",
///   "severity": "page" | "warning",
///   "summary": "invoices: v7 fails ..",
///   "details": { "done_already": "..", "still_wrong": "..", "since": "..", "ends_when": "..", "undo": "..", .. },
///   "links": [{ "href": "https://..", "text": "Runbook" }],
///   "since": "2026-03-13T21:00:00.000Z",
///   "ended_at": null,
///   "at": "2026-03-13T21:00:00.000Z"
/// }
/// ```
///
/// - `key` is the incident's: the same on all replicas, in its trigger and in its end.
/// - `missed` is what opened and ended while it could not be told: for the record.
/// - `details` are texts. The minimal form, sent after a refusal, has none, and no links.
/// - `at` is when it happened: the incident opened, grew or ended.
/// - The body is the same in every attempt, and so is the `idempotency-key`: what has one that was
///   seen before is the same again. The signature has the time of the attempt.
///
/// Any 2xx is taken as accepted; 408, 425, 429 and 5xx mean later.
///
/// # Limits
///
/// A key has at most 255 bytes, a summary 1,024 characters, a detail 1,000, and all numbers together
/// 32 KB: so a body stays below 256 KB, whatever is in it.
///
/// A receiver in Rust calls [`verify_signature`](super::verify_signature); the code is that of Stripe's
/// webhooks, so theirs are examples in other languages.
///
/// ```
/// use fusebox::pager::{PagerRoute, Webhook};
///
/// let webhook = Webhook::new("https://alarms.example/fusebox", "a key of your own, long enough")?;
/// let route = PagerRoute::new("alarms", webhook)?;
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Webhook {
    url: Secret,
    signing_key: Secret,
    authorization: Option<Secret>,
}

impl Webhook {
    /// The receiver at this address, and the key that it knows; an error if the address is none or
    /// the key is shorter than 16 bytes.
    pub fn new(url: impl Into<Secret>, key: impl Into<Secret>) -> Result<Self, Error> {
        Ok(Self {
            url: address::target("address of the webhook", url.into())?,
            signing_key: signing_key(key.into())?,
            authorization: None,
        })
    }

    /// The same with this value of the header `Authorization`, such as `Bearer ..`. An error if it
    /// has other characters than ASCII ones that are seen.
    pub fn with_authorization(self, value: impl Into<Secret>) -> Result<Self, Error> {
        let authorization = Some(address::header("authorization", value.into())?);
        Ok(Self {
            authorization,
            ..self
        })
    }
}

impl Pager for Webhook {
    fn request(
        &self,
        notification: &Notification,
        form: Form,
        now: Timestamp,
    ) -> Option<PostRequest> {
        let text = PageText::new(notification, form);
        let key = notification.dedup_key();
        let at = match notification.action {
            Action::Trigger => notification.told_at,
            Action::Resolve | Action::Missed => notification.ended_at.unwrap_or(notification.since),
        };
        let once = format!(
            "{key} {} {} {form:?}",
            notification.action.name(),
            at.as_millis()
        );
        let body = Body {
            format: 1,
            action: notification.action,
            key: &key,
            pipeline: notification.pipeline.as_str(),
            severity: notification.severity,
            summary: &text.headline,
            details: text.details(),
            links: text.links(),
            since: notification.since.to_string(),
            ended_at: notification.ended_at.map(|at| at.to_string()),
            at: at.to_string(),
        };
        let request = PostRequest::of(self.url.clone(), &body);
        let signature = sign(&self.signing_key, &request.body, now);
        let request = request
            .with_header("idempotency-key", digest(&once))
            .with_header("x-fusebox-signature", signature);
        Some(match &self.authorization {
            Some(authorization) => request.with_header("authorization", authorization.clone()),
            None => request,
        })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    format: u8,
    action: Action,
    key: &'a str,
    pipeline: &'a str,
    severity: Severity,
    summary: &'a str,
    details: Named,
    links: Vec<Link<'a>>,
    since: String,
    ended_at: Option<String>,
    at: String,
}
