//! The demonstration: the service is killed with -9 in the middle of an outage, and goes on.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::child::Child;
use crate::error::AnyError;
use crate::receiver::Page;

pub(crate) const WEBHOOK_KEY: &str = "only for this demonstration";
/// More than all that a step waits for.
const PATIENCE: Duration = Duration::from_secs(20);
const NEWEST: &str = "v7";
const FALLBACK: &str = "v6";

/// What the demonstration works with.
struct Demo {
    http: Client,
    folder: PathBuf,
    model: Child,
    receiver: Child,
    /// `None` between the kill and the next start.
    service: Option<Child>,
    steps: u32,
    documents: u32,
}

pub(crate) async fn run() -> Result<(), AnyError> {
    let folder = std::env::temp_dir().join(format!("fusebox-service-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = tokio::select! {
        result = story(folder.clone()) => result,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    std::fs::remove_dir_all(&folder)?;
    result
}

async fn story(folder: PathBuf) -> Result<(), AnyError> {
    let mut demo = Demo::start(folder).await?;

    demo.step("Invoices come; one is hard to read, and one call does not end.");
    for _ in 0..6 {
        let answer = demo.send().await?;
        let is_accepted = answer["end"] == "accepted" && answer["version"] == NEWEST;
        holds(
            is_accepted,
            &format!("{} is accepted from {NEWEST}", demo.last_id()),
        )?;
    }
    let blurred = demo.next_id();
    let answer = demo
        .send_as(&blurred, "an invoice that is hard to read")
        .await?;
    holds(
        answer["end"] == "review",
        &format!("{blurred} goes to a reviewer"),
    )?;
    let endless = demo.next_id();
    let call = demo.request(&endless, "an endless invoice")?;
    let hangs = tokio::spawn(call.send());
    let is_open = eventually(async || {
        let status = demo.status().await?;
        Ok((status["ledger"]["open"] == 1).then_some(()))
    });
    shown(is_open.await, &format!("{endless} is open"))?;

    demo.step("The provider changes its model: it answers the prompt of v7 with prose.");
    demo.set_fault(true).await?;
    let mut failed = 0;
    let mut answer = demo.send().await?;
    while answer["end"] == "failed" && failed < 20 {
        failed += 1;
        answer = demo.send().await?;
    }
    let is_rerouted = answer["end"] == "accepted" && answer["version"] == FALLBACK;
    holds(
        is_rerouted,
        &format!("{failed} answers fail, then {FALLBACK} serves"),
    )?;
    let outage = demo.page("trigger", "error-rate").await?;
    let before = demo.incident(&outage).await?;
    // What is urgent is written within a quarter of a second.
    sleep(Duration::from_secs(1)).await;

    demo.step("A reviewer corrects an answer; the service is killed as soon as it says 204.");
    let waiting = demo.status().await?["ledger"]["awaiting_review"].clone();
    holds(waiting == 1, &format!("{blurred} waits for a reviewer"))?;
    let said = demo.correct(&blurred).await?;
    demo.kill_9().await?;
    hangs.abort();
    holds(
        said == StatusCode::NO_CONTENT,
        "the correction is accepted, with 204",
    )?;

    demo.step("It is started again, on the same file.");
    demo.serve().await?;
    let status = demo.status().await?;
    let state = &status["breaker"]["versions"][NEWEST];
    holds(
        state == "open",
        &format!("{NEWEST} is still out of service"),
    )?;
    let answer = demo.send().await?;
    holds(
        answer["version"] == FALLBACK,
        &format!("{FALLBACK} serves the first document"),
    )?;
    let after = demo.incident(&outage).await?;
    holds(
        after["since"] == before["since"],
        "the incident is the same, since the same time",
    )?;
    let waiting = &status["ledger"]["awaiting_review"];
    holds(
        waiting == 0,
        &format!("the correction is there: {blurred} waits no more"),
    )?;
    let lost = demo.page("trigger", "ledger/lost-in-restart").await?;
    let is_told = lost.summary.contains(&endless);
    holds(
        is_told,
        &format!("it is told that {endless} was open at the kill"),
    )?;
    sleep(Duration::from_secs(3)).await;
    let pages = demo.pages().await?;
    let of_outage = pages.iter().filter(|page| page.key == outage.key).count();
    holds(of_outage == 1, "no second page came for the outage")?;

    demo.step("A person acknowledges what was lost, and the provider mends its model.");
    let said = demo.acknowledge(&lost, &endless).await?;
    holds(
        said == StatusCode::NO_CONTENT,
        "the acknowledgement is accepted, with 204",
    )?;
    demo.page("resolve", "ledger/lost-in-restart").await?;
    demo.set_fault(false).await?;
    let mut answer = demo.send().await?;
    let mut tries = 0;
    while answer["version"] != NEWEST && tries < 60 {
        sleep(Duration::from_millis(250)).await;
        answer = demo.send().await?;
        tries += 1;
    }
    holds(answer["version"] == NEWEST, &format!("{NEWEST} is probed"))?;
    for _ in 0..3 {
        demo.send().await?;
    }
    let end = demo.page("resolve", "error-rate").await?;
    holds(
        end.key == outage.key,
        "it is the end of the page of the outage",
    )?;
    let state = demo.status().await?["breaker"]["versions"][NEWEST].clone();
    holds(state == "closed", &format!("{NEWEST} serves again"))?;

    demo.step("The service is told to end.");
    let service = demo.service.take().ok_or("the service does not run")?;
    println!("    $ kill -TERM {}", service.id());
    let status = service.kill("-TERM").await?;
    holds(status.success(), "it ends by itself")?;
    println!("\nAll of this held.");
    Ok(())
}

impl Demo {
    async fn start(folder: PathBuf) -> Result<Self, AnyError> {
        println!("The state is in {}.", folder.join("invoices.db").display());
        let mut demo = Self {
            http: Client::builder().no_proxy().build()?,
            folder,
            model: Child::start("model", &[]).await?,
            receiver: Child::start("receiver", &[]).await?,
            service: None,
            steps: 0,
            documents: 0,
        };
        demo.serve().await?;
        Ok(demo)
    }

    fn step(&mut self, what: &str) {
        self.steps += 1;
        println!("\n{}. {what}", self.steps);
    }

    /// Starts the service, with times that fit into a demonstration.
    async fn serve(&mut self) -> Result<(), AnyError> {
        let state = self.folder.join("invoices.db");
        let model = format!("http://{}/v1", self.model.address);
        let arguments = [
            "--state",
            state
                .to_str()
                .ok_or("the folder for temporary files is not UTF-8")?,
            "--model",
            &model,
            "--webhook",
            &self.pages_url(),
            "--probe-after",
            "10s",
            "--hold-open",
            "2s",
        ];
        self.service = Some(Child::start("serve", &arguments).await?);
        Ok(())
    }

    async fn kill_9(&mut self) -> Result<(), AnyError> {
        let service = self.service.take().ok_or("the service does not run")?;
        println!("    $ kill -9 {}", service.id());
        service.kill("-9").await?;
        Ok(())
    }

    fn url(&self, path: &str) -> Result<String, AnyError> {
        let service = self.service.as_ref().ok_or("the service does not run")?;
        Ok(format!("http://{}{path}", service.address))
    }

    fn pages_url(&self) -> String {
        format!("http://{}/pages", self.receiver.address)
    }

    fn next_id(&mut self) -> String {
        self.documents += 1;
        self.last_id()
    }

    fn last_id(&self) -> String {
        format!("inv-{}", self.documents)
    }

    fn request(&self, id: &str, text: &str) -> Result<RequestBuilder, AnyError> {
        let document = json!({ "id": id, "document_type": "invoice", "text": text });
        Ok(self.http.post(self.url("/documents")?).json(&document))
    }

    async fn send_as(&self, id: &str, text: &str) -> Result<Value, AnyError> {
        Ok(self.request(id, text)?.send().await?.json().await?)
    }

    async fn send(&mut self) -> Result<Value, AnyError> {
        let id = self.next_id();
        self.send_as(&id, "an invoice").await
    }

    async fn correct(&self, id: &str) -> Result<StatusCode, AnyError> {
        let correction = json!({ "field": "total", "id": "review-1" });
        let url = self.url(&format!("/documents/{id}/corrections"))?;
        Ok(self.http.post(url).json(&correction).send().await?.status())
    }

    async fn acknowledge(&self, page: &Page, document: &str) -> Result<StatusCode, AnyError> {
        let note = format!("{document} is processed again");
        let body = json!({ "incident": incident(page), "who": "ada", "note": note });
        let request = self.http.post(self.url("/acknowledgements")?).json(&body);
        Ok(request.send().await?.status())
    }

    async fn set_fault(&self, is_on: bool) -> Result<(), AnyError> {
        let url = format!("http://{}/fault", self.model.address);
        self.http
            .post(url)
            .json(&is_on)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    async fn status(&self) -> Result<Value, AnyError> {
        Ok(self
            .http
            .get(self.url("/status")?)
            .send()
            .await?
            .json()
            .await?)
    }

    /// The incident that a page is about, as the service lists it.
    async fn incident(&self, page: &Page) -> Result<Value, AnyError> {
        let status = self.status().await?;
        let all = status["incidents"].as_array().into_iter().flatten();
        let found = all.cloned().find(|open| open["key"] == incident(page));
        found.ok_or_else(|| format!("no incident {}", incident(page)).into())
    }

    async fn pages(&self) -> Result<Vec<Page>, AnyError> {
        Ok(self.http.get(self.pages_url()).send().await?.json().await?)
    }

    /// Waits until the receiver has such a page.
    async fn page(&self, action: &str, of: &str) -> Result<Page, AnyError> {
        let what = format!("{action} of {of} reaches the receiver");
        let page = eventually(async || {
            let mut pages = self.pages().await?.into_iter();
            Ok(pages.find(|page| page.action == action && incident(page).starts_with(of)))
        });
        shown(page.await, &what)
    }
}

/// The key of a page without the pipeline before it.
fn incident(page: &Page) -> &str {
    page.key.split_once('/').map_or("", |(_, key)| key)
}

/// Asks until there is an answer.
async fn eventually<T>(ask: impl AsyncFn() -> Result<Option<T>, AnyError>) -> Result<T, AnyError> {
    let asking = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, asking).await?
}

/// Says whether something holds; if not, the demonstration ends.
fn holds(it_does: bool, what: &str) -> Result<(), AnyError> {
    shown(
        it_does
            .then_some(())
            .ok_or_else(|| "it does not hold".into()),
        what,
    )
}

fn shown<T>(result: Result<T, AnyError>, what: &str) -> Result<T, AnyError> {
    let mark = if result.is_ok() { "ok  " } else { "FAIL" };
    println!("  {mark} {what}");
    result.map_err(|error| format!("{what}: {error}").into())
}
