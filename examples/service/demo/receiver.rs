//! A receiver of pages, as a program of your own may have it: it believes only what is signed with
//! its key, and what comes twice is the same page.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Router, serve};
use fusebox::clock::{Clock, SystemClock};
use fusebox::pager::{Secret, verify_signature};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::error::AnyError;

const TOLERANCE: Duration = Duration::from_secs(300);

/// What a page says, as far as it is shown here.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Page {
    /// `trigger` or `resolve`.
    pub(crate) action: String,
    /// The same in an incident's trigger and in its end.
    pub(crate) key: String,
    pub(crate) summary: String,
}

impl Page {
    /// The incident, as the service knows it: its key without the pipeline.
    pub(crate) fn incident(&self) -> &str {
        self.key
            .split_once('/')
            .map_or("", |(_, incident)| incident)
    }
}

struct Receiver {
    key: Secret,
    clock: SystemClock,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    ids: BTreeSet<String>,
    pages: Vec<Page>,
}

pub(crate) async fn run(key: String) -> Result<(), AnyError> {
    let receiver = Receiver {
        key: Secret::new(key),
        clock: SystemClock::new(),
        taken: Mutex::default(),
    };
    let routes = Router::new()
        .route("/pages", get(list).post(take))
        .with_state(Arc::new(receiver));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(serve(listener, routes).await?)
}

async fn take(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let header = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let signature = header("x-fusebox-signature");
    let now = receiver.clock.now();
    if let Err(error) = verify_signature(&receiver.key, signature, &body, now, TOLERANCE) {
        println!("refused a page: {error}");
        return (StatusCode::UNAUTHORIZED, error.to_string());
    }
    let page: Page = match serde_json::from_slice(&body) {
        Ok(page) => page,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()),
    };
    let mut taken = receiver
        .taken
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if taken.ids.insert(header("idempotency-key").to_owned()) {
        println!("{} {}: {}", page.action, page.key, page.summary);
        taken.pages.push(page);
    }
    (StatusCode::ACCEPTED, String::new())
}

async fn list(State(receiver): State<Arc<Receiver>>) -> Json<Vec<Page>> {
    let taken = receiver
        .taken
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    Json(taken.pages.clone())
}
