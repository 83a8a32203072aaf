//! What pagers are told, and whether they take it.

use fusebox::event::OpenIncident;
use fusebox::name::PipelineName;
use fusebox::pager::{
    Action, Alertmanager, Form, Notification, PagerDuty, PostAnswer, PostRequest, Slack,
};
use fusebox::{FailureKind, Severity, Timestamp};
use serde_json::{Map, Value, json};

use crate::events::opened_by;
use crate::support::{Bench, EVENING, minutes, rate_only};

mod alertmanager;
#[cfg(feature = "reqwest")]
mod delivery;
#[cfg(feature = "reqwest")]
mod fake_pagerduty;
mod golden;
mod hostile;
mod pagerduty;
mod rules;
mod secrets;
mod slack;
#[cfg(feature = "webhook")]
mod webhook;

const ROUTING_KEY: &str = "0123456789abcdef0123456789ABCDEF";
const SLACK_URL: &str =
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";
#[cfg(feature = "webhook")]
const WEBHOOK_URL: &str = "https://alarms.example/fusebox?token=f00dfeedf00dfeed";
#[cfg(feature = "webhook")]
const SIGNING_KEY: &str = "sixteen bytes at least";
const AUTHORIZATION: &str = "Bearer f0f0f0f0f0f0f0f0";

type AnyPager = Box<dyn fusebox::pager::Pager>;

fn pagerduty() -> PagerDuty {
    PagerDuty::new(ROUTING_KEY).unwrap()
}

fn alertmanager() -> Alertmanager {
    let alertmanager = Alertmanager::new("http://user:pass-word@alertmanager:9093/am/").unwrap();
    alertmanager.with_authorization(AUTHORIZATION).unwrap()
}

fn slack() -> Slack {
    Slack::new(SLACK_URL).unwrap()
}

#[cfg(feature = "webhook")]
fn webhook() -> fusebox::pager::Webhook {
    let webhook = fusebox::pager::Webhook::new(WEBHOOK_URL, SIGNING_KEY).unwrap();
    webhook.with_authorization(AUTHORIZATION).unwrap()
}

/// Every pager, by its name.
fn pagers() -> Vec<(&'static str, AnyPager)> {
    vec![
        ("pagerduty", Box::new(pagerduty())),
        ("alertmanager", Box::new(alertmanager())),
        ("slack", Box::new(slack())),
        #[cfg(feature = "webhook")]
        ("webhook", Box::new(webhook())),
    ]
}

fn invoices() -> PipelineName {
    PipelineName::new("invoices").unwrap()
}

/// An incident that a breaker has opened: v7 fails, v6 serves.
fn failing() -> OpenIncident {
    let bench = Bench::with_guard(rate_only());
    bench.answer(94);
    for _ in 0..6 {
        bench.permit("invoice").fail(FailureKind::ServerError);
    }
    bench.pipeline.incidents().remove(0)
}

/// It has the same tickets in every run.
fn triggered() -> Notification {
    let mut triggered = Notification::triggered(&invoices(), &failing());
    for (name, ticket) in [
        ("first_failed", "00000000000000ff-95"),
        ("last_failed", "00000000000000ff-100"),
    ] {
        let there = triggered.evidence.insert(name.to_owned(), json!(ticket));
        assert!(there.is_some_and(|there| there.is_string()));
    }
    triggered
}

/// Ten minutes after [`triggered`].
fn ended(action: Action) -> Notification {
    triggered().ended(action, EVENING + minutes(10))
}

/// The same with other fields, as a row that somebody wrote may have them.
fn changed(notification: &Notification, fields: Value) -> Notification {
    let mut value = serde_json::to_value(notification).unwrap();
    let Value::Object(fields) = fields else {
        panic!("{fields}")
    };
    value.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(value).unwrap()
}

fn body(request: &PostRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&request.body));
    })
}

fn header<'a>(request: &'a PostRequest, name: &str) -> Option<&'a str> {
    let mut headers = request.headers.iter();
    let header = headers.find(|(other, _)| *other == name);
    header.map(|(_, value)| value.reveal())
}
