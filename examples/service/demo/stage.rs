//! What the demonstration works with: the processes, and what it asks them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fusebox::breaker::BreakerState;
use fusebox::event::OpenIncident;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::child::Child;
use super::receiver::Page;
use crate::error::AnyError;

/// More than anything takes that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Stage {
    http: Client,
    folder: PathBuf,
    model: Child,
    receiver: Child,
    /// `None` between its end and its next start.
    service: Option<Child>,
    documents: u32,
}

/// How a document ended.
#[derive(Deserialize)]
pub(crate) struct Answer {
    pub(crate) end: String,
    pub(crate) version: String,
}

/// What the service says of itself.
#[derive(Deserialize)]
pub(crate) struct Status {
    breaker: Breaker,
    ledger: Ledger,
    incidents: Vec<OpenIncident>,
}

#[derive(Deserialize)]
struct Breaker {
    versions: BTreeMap<String, BreakerState>,
}

#[derive(Deserialize)]
struct Ledger {
    open: u64,
    awaiting_review: u64,
}

impl Answer {
    pub(crate) fn is(&self, end: &str, version: &str) -> bool {
        self.end == end && self.version == version
    }
}

impl Status {
    pub(crate) fn of(&self, version: &str) -> Option<BreakerState> {
        self.breaker.versions.get(version).copied()
    }

    pub(crate) fn open_calls(&self) -> u64 {
        self.ledger.open
    }

    pub(crate) fn awaiting_review(&self) -> u64 {
        self.ledger.awaiting_review
    }

    /// The incident that a page is about.
    pub(crate) fn incident(&self, page: &Page) -> Result<&OpenIncident, AnyError> {
        let mut open = self.incidents.iter();
        let found = open.find(|open| open.key.as_str() == page.incident());
        found.ok_or_else(|| format!("no incident {}", page.incident()).into())
    }
}

impl Stage {
    pub(crate) async fn set(folder: PathBuf) -> Result<Self, AnyError> {
        Ok(Self {
            http: Client::builder().no_proxy().build()?,
            folder,
            model: Child::start("model", &[]).await?,
            receiver: Child::start("receiver", &[]).await?,
            service: None,
            documents: 0,
        })
    }

    /// Starts the service, with times that fit into a demonstration.
    pub(crate) async fn start_service(&mut self) -> Result<(), AnyError> {
        let state = self.folder.join("invoices.db");
        let state = state
            .to_str()
            .ok_or("the folder for files that pass is not UTF-8")?;
        let model = format!("http://{}/v1", self.model.address);
        let webhook = self.pages_url();
        let where_to = ["--state", state, "--model", &model, "--webhook", &webhook];
        let times = ["--probe-after", "15s", "--hold-open", "2s"];
        let arguments = [&where_to[..], &times[..]].concat();
        self.service = Some(Child::start("serve", &arguments).await?);
        Ok(())
    }

    /// Sends the service a signal, and waits for its end: whether it ended as it should.
    pub(crate) async fn kill_service(&mut self, signal: &str) -> Result<bool, AnyError> {
        let service = self.service.take().ok_or("the service does not run")?;
        println!("  $ kill {signal} {}", service.id());
        Ok(service.kill(signal).await?.success())
    }

    /// The id of the next document.
    pub(crate) fn next_id(&mut self) -> String {
        self.documents += 1;
        format!("inv-{}", self.documents)
    }

    pub(crate) fn document(&self, id: &str, text: &str) -> Result<RequestBuilder, AnyError> {
        let document = json!({ "id": id, "type": "invoice", "text": text });
        Ok(self.http.post(self.url("/documents")?).json(&document))
    }

    /// Sends a document that is like most.
    pub(crate) async fn send(&mut self) -> Result<Answer, AnyError> {
        let id = self.next_id();
        answer(self.document(&id, "an invoice")?).await
    }

    /// Corrects the total of a document.
    pub(crate) async fn correct(&self, id: &str) -> Result<StatusCode, AnyError> {
        let correction = json!({ "field": "total", "id": "review-1" });
        let url = self.url(&format!("/documents/{id}/corrections"))?;
        Ok(self.http.post(url).json(&correction).send().await?.status())
    }

    pub(crate) async fn acknowledge(
        &self,
        page: &Page,
        note: &str,
    ) -> Result<StatusCode, AnyError> {
        let body = json!({ "incident": page.incident(), "who": "ada", "note": note });
        let request = self.http.post(self.url("/acknowledgements")?).json(&body);
        Ok(request.send().await?.status())
    }

    pub(crate) async fn status(&self) -> Result<Status, AnyError> {
        let request = self.http.get(self.url("/status")?);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Whether the model answers the newest prompt with prose.
    pub(crate) async fn set_fault(&self, is_on: bool) -> Result<(), AnyError> {
        let url = format!("http://{}/fault", self.model.address);
        let request = self.http.post(url).json(&is_on);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// What the receiver has.
    pub(crate) async fn pages(&self) -> Result<Vec<Page>, AnyError> {
        Ok(self.http.get(self.pages_url()).send().await?.json().await?)
    }

    /// Waits until the receiver has such a page of an incident whose key begins like this.
    pub(crate) async fn page(&self, action: &str, of: &str) -> Result<Page, AnyError> {
        eventually(&format!("the {action} of {of}"), async || {
            let mut pages = self.pages().await?.into_iter();
            Ok(pages.find(|page| page.action == action && page.incident().starts_with(of)))
        })
        .await
    }

    fn url(&self, path: &str) -> Result<String, AnyError> {
        let service = self.service.as_ref().ok_or("the service does not run")?;
        Ok(format!("http://{}{path}", service.address))
    }

    fn pages_url(&self) -> String {
        format!("http://{}/pages", self.receiver.address)
    }
}

pub(crate) async fn answer(document: RequestBuilder) -> Result<Answer, AnyError> {
    Ok(document.send().await?.error_for_status()?.json().await?)
}

/// Asks again and again, until there is an answer; `what` is what does not come otherwise.
pub(crate) async fn eventually<T>(
    what: &str,
    ask: impl AsyncFn() -> Result<Option<T>, AnyError>,
) -> Result<T, AnyError> {
    let asking = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let too_late = |_| format!("not within {PATIENCE:?}: {what}");
    timeout(PATIENCE, asking).await.map_err(too_late)?
}
