//! PagerDuty, through the Events API v2.

use serde::Serialize;

use super::address;
use super::line;
use super::notification::{Action, Notification};
use super::post::PostRequest;
use super::seam::{Form, Pager};
use super::secret::Secret;
use super::text::{Link, Named, PageText, urgency};
use crate::error::Error;
use crate::time::Timestamp;

const EVENTS: &str = "https://events.pagerduty.com";
const EVENTS_IN_EU: &str = "https://events.eu.pagerduty.com";
/// The length of a routing key.
const KEY_LENGTH: usize = 32;

/// A service of PagerDuty, through its [Events API v2].
///
/// An incident is one alert with the [`dedup_key`](Notification::dedup_key): however often it is
/// triggered, by however many replicas, it pages once; its end resolves it. A page is `critical`, a
/// warning `warning`. What opened and ended while it could not be told becomes a change event,
/// which is seen beside the service's incidents and pages nobody.
///
/// # What it sends
///
/// | field | what is in it | PagerDuty's limit |
/// |---|---|---|
/// | `dedup_key` | pipeline, guard, what is wrong, version, number | 255 characters |
/// | `payload.summary` | what happened, the effect first | 1,024 characters |
/// | `payload.source`, `group`, `component`, `class` | pipeline, guard, version, what is wrong | none stated |
/// | `payload.custom_details` | what was done, what still goes wrong, what ends it, what to do, the numbers; flat texts | body |
/// | `links` | the runbook | body |
/// | the body | | 512 KB |
///
/// Texts are cut to these limits; of the details, the numbers go first, from the end, at 32 KB.
/// PagerDuty answers 202 to what it takes, 400 to what it never will, and 429 to more than about 120
/// events a minute with one key. The limits are those of PagerDuty's reference of the API.
///
/// A resolve through another key than that of the trigger does nothing: where you change the key of
/// a service, end its alerts there by hand.
///
/// ```
/// use fusebox::pager::{PagerDuty, PagerRoute};
///
/// let key = std::env::var("PAGERDUTY_ROUTING_KEY").unwrap_or("0".repeat(32));
/// let route = PagerRoute::new("on-call", PagerDuty::new(key)?.in_eu())?.with_warnings();
/// # Ok::<(), fusebox::Error>(())
/// ```
///
/// [Events API v2]: https://developer.pagerduty.com/docs/events-api-v2-overview
#[derive(Clone, Debug)]
pub struct PagerDuty {
    routing_key: Secret,
    base_url: Secret,
}

impl PagerDuty {
    /// The service, or the event orchestration, with this integration key; an error unless the key
    /// has 32 letters and digits.
    pub fn new(routing_key: impl Into<Secret>) -> Result<Self, Error> {
        let routing_key = routing_key.into();
        let text = routing_key.reveal();
        let is_key = text.len() == KEY_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_key {
            let allowed = "32 letters and digits";
            return Err(Error::invalid("routing key", routing_key, allowed));
        }
        Ok(Self {
            routing_key,
            base_url: Secret::new(EVENTS),
        })
    }

    /// The same, in PagerDuty's service region of the EU.
    pub fn in_eu(self) -> Self {
        Self {
            base_url: Secret::new(EVENTS_IN_EU),
            ..self
        }
    }

    /// The same at another address, such as that of a test; an error if it is none.
    pub fn with_base_url(self, url: impl Into<Secret>) -> Result<Self, Error> {
        let base_url = address::base("address of PagerDuty", url.into())?;
        Ok(Self { base_url, ..self })
    }

    fn post(&self, path: &str, body: &impl Serialize) -> PostRequest {
        let url = address::below(&self.base_url, path);
        PostRequest::of(url, body).with_hidden(self.routing_key.clone())
    }
}

impl Pager for PagerDuty {
    fn request(
        &self,
        notification: &Notification,
        form: Form,
        _now: Timestamp,
    ) -> Option<PostRequest> {
        let text = PageText::new(notification, form);
        let routing_key = self.routing_key.reveal();
        let dedup_key = notification.dedup_key();
        Some(match notification.action {
            Action::Trigger => self.post(
                "/v2/enqueue",
                &AlertEvent {
                    routing_key,
                    event_action: "trigger",
                    dedup_key: &dedup_key,
                    client: Some("fusebox"),
                    payload: Some(Payload::of(notification, &text)),
                    links: text.links(),
                },
            ),
            Action::Resolve => self.post(
                "/v2/enqueue",
                &AlertEvent {
                    routing_key,
                    event_action: "resolve",
                    dedup_key: &dedup_key,
                    client: None,
                    payload: None,
                    links: Vec::new(),
                },
            ),
            Action::Missed => self.post(
                "/v2/change/enqueue",
                &ChangeEvent {
                    routing_key,
                    payload: ChangePayload {
                        summary: &text.headline,
                        source: notification.pipeline.to_string(),
                        timestamp: notification.since.to_string(),
                        custom_details: text.details(),
                    },
                    links: text.links(),
                },
            ),
        })
    }
}

#[derive(Serialize)]
struct AlertEvent<'a> {
    routing_key: &'a str,
    event_action: &'static str,
    dedup_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link<'a>>,
}

#[derive(Serialize)]
struct Payload<'a> {
    summary: &'a str,
    source: String,
    severity: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    class: String,
    #[serde(skip_serializing_if = "Named::is_empty")]
    custom_details: Named,
}

impl<'a> Payload<'a> {
    fn of(notification: &Notification, text: &'a PageText) -> Self {
        Self {
            summary: &text.headline,
            source: notification.pipeline.to_string(),
            severity: urgency(notification.severity),
            timestamp: notification.since.to_string(),
            component: notification.version.as_ref().map(ToString::to_string),
            group: line::name(&notification.guard),
            class: line::name(notification.incident.what()),
            custom_details: text.details(),
        }
    }
}

#[derive(Serialize)]
struct ChangeEvent<'a> {
    routing_key: &'a str,
    payload: ChangePayload<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link<'a>>,
}

#[derive(Serialize)]
struct ChangePayload<'a> {
    summary: &'a str,
    source: String,
    timestamp: String,
    #[serde(skip_serializing_if = "Named::is_empty")]
    custom_details: Named,
}
