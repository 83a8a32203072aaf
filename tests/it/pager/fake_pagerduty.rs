//! PagerDuty's Events API v2 as its documentation has it, on the loopback.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::rules;

/// The events that one key may send in a minute.
const A_MINUTE: usize = 120;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outage {
    #[default]
    None,
    /// It answers 500.
    Fails,
    /// It takes requests and never answers.
    Hangs,
    /// It sends a request somewhere else.
    Redirects,
}

/// An alert of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FakeIncident {
    pub(crate) dedup_key: String,
    pub(crate) is_open: bool,
    /// How often it was triggered. It wakes somebody the first time only.
    pub(crate) triggers: u32,
}

/// What it knows.
#[derive(Debug, Default)]
pub(crate) struct Known {
    outage: Outage,
    /// All requests that came, whatever became of them.
    pub(crate) requests: usize,
    /// By routing key, in the order in which they opened.
    pub(crate) incidents: BTreeMap<String, Vec<FakeIncident>>,
    pub(crate) changes: Vec<Value>,
    sent: BTreeMap<String, VecDeque<Instant>>,
}

impl Known {
    /// The incidents of a service.
    pub(crate) fn of(&self, routing_key: &str) -> Vec<FakeIncident> {
        self.incidents.get(routing_key).cloned().unwrap_or_default()
    }

    fn take(&mut self, path: &str, body: &[u8]) -> (StatusCode, Value) {
        let wrong = rules::of_pagerduty(path, body);
        if !wrong.is_empty() {
            let invalid = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": wrong });
            return (StatusCode::BAD_REQUEST, invalid);
        }
        let event: Value = serde_json::from_slice(body).unwrap();
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let routing_key = text("routing_key");
        if !self.is_within_the_rate(&routing_key, Instant::now()) {
            let message = json!({ "status": "throttle exceeded", "message": "Requests for this service are arriving too quickly." });
            return (StatusCode::TOO_MANY_REQUESTS, message);
        }
        if path == "/v2/change/enqueue" {
            self.changes.push(event);
            return (
                StatusCode::ACCEPTED,
                json!({ "status": "success", "message": "Change event processed" }),
            );
        }
        let dedup_key = text("dedup_key");
        let incidents = self.incidents.entry(routing_key).or_default();
        let mut open = incidents.iter_mut();
        let open = open.find(|incident| incident.is_open && incident.dedup_key == dedup_key);
        match (text("event_action").as_str(), open) {
            ("trigger", Some(incident)) => incident.triggers += 1,
            ("trigger", None) => incidents.push(FakeIncident {
                dedup_key: dedup_key.clone(),
                is_open: true,
                triggers: 1,
            }),
            ("resolve", Some(incident)) => incident.is_open = false,
            // A resolve of what is not open, or of another service, is taken and dropped.
            _ => {}
        }
        let taken =
            json!({ "status": "success", "message": "Event processed", "dedup_key": dedup_key });
        (StatusCode::ACCEPTED, taken)
    }

    fn is_within_the_rate(&mut self, routing_key: &str, now: Instant) -> bool {
        let sent = self.sent.entry(routing_key.to_owned()).or_default();
        while sent
            .front()
            .is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(60))
        {
            sent.pop_front();
        }
        let is_within = sent.len() < A_MINUTE;
        if is_within {
            sent.push_back(now);
        }
        is_within
    }
}

/// A server on the loopback, for as long as the runtime of the test.
#[derive(Clone, Debug)]
pub(crate) struct FakePagerDuty {
    pub(crate) base_url: String,
    known: Arc<Mutex<Known>>,
}

impl FakePagerDuty {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let known = Arc::default();
        let app = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&known));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base_url, known }
    }

    pub(crate) fn suffers(&self, outage: Outage) {
        self.known.lock().unwrap().outage = outage;
    }

    pub(crate) fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.lock().unwrap())
    }
}

async fn answer(
    State(known): State<Arc<Mutex<Known>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (outage, taken) = {
        let mut known = known.lock().unwrap();
        known.requests += 1;
        let outage = known.outage;
        let taken = (outage == Outage::None).then(|| known.take(uri.path(), &body));
        (outage, taken)
    };
    assert_eq!(headers["content-type"], "application/json");
    match (outage, taken) {
        (_, Some((status, message))) => (status, message.to_string()).into_response(),
        (Outage::Hangs, _) => std::future::pending().await,
        (Outage::Redirects, _) => {
            let headers = [("location", format!("{uri}?again"))];
            (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response(),
    }
}
