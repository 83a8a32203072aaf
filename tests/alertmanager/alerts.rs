//! Pages in a real Alertmanager. It needs `prometheus-alertmanager` on the path, and fails without
//! it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use fusebox::clock::{Clock, MockClock, SystemClock};
use fusebox::event::OpenIncident;
use fusebox::name::PipelineName;
use fusebox::pager::{
    Action, Alertmanager, Form, Notification, Pager, PagerReply, Post, PostRequest, Secret,
};
use fusebox::reqwest::ReqwestPost;
use fusebox::{Call, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Timestamp, Version};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{interval, timeout};

/// For how long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(30);
/// An alert that is sent so long ago, by its sender's clock, ends two seconds from now.
const ALMOST_OVER: Duration = Duration::from_secs(298);

/// An Alertmanager that tells the test of its alerts.
struct Server {
    base_url: String,
    told: UnboundedReceiver<Value>,
    _process: Child,
}

impl Server {
    /// In a folder of this name.
    async fn start(name: &str) -> Self {
        let (send, told) = unbounded_channel();
        let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver_url = format!("http://{}", receiver.local_addr().unwrap());
        let app = Router::new().route("/", post(tell)).with_state(send);
        tokio::spawn(async move { axum::serve(receiver, app).await });

        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let config = folder.join("alertmanager.yml");
        let text = json!({
            "route": {
                "receiver": "test", "group_by": ["incident"], "group_wait": "100ms",
                "group_interval": "200ms", "repeat_interval": "1h",
            },
            "receivers": [{
                "name": "test",
                "webhook_configs": [{ "url": receiver_url, "send_resolved": true }],
            }],
        });
        // YAML reads JSON.
        fs::write(&config, text.to_string()).unwrap();
        let mut process = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .arg("--cluster.listen-address=")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("an Alertmanager on the path: `apt-get install prometheus-alertmanager`");
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = timeout(DEADLINE, async {
            while let Some(line) = log.next_line().await.unwrap() {
                if line.contains("msg=\"Listening on\"") {
                    return line.split("address=").nth(1).unwrap().trim().to_owned();
                }
            }
            panic!("Alertmanager ended before it listened");
        });
        let base_url = format!("http://{}", address.await.unwrap());
        // A pipe that nobody reads would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        let server = Self {
            base_url,
            told,
            _process: process,
        };
        server
            .until("it is ready", async || server.is_ready().await)
            .await;
        server
    }

    async fn is_ready(&self) -> bool {
        let answer = reqwest::get(format!("{}/-/ready", self.base_url)).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Asks again and again.
    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let mut again = interval(Duration::from_millis(50));
        let asked = timeout(DEADLINE, async {
            while !is_so().await {
                again.tick().await;
            }
        });
        asked
            .await
            .unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"));
    }

    /// The alerts that fire.
    async fn firing(&self) -> Vec<Value> {
        let url = format!("{}/api/v2/alerts", self.base_url);
        let answer = reqwest::get(url).await.unwrap();
        answer.json().await.unwrap()
    }

    /// The next notification: its status, and the alerts in it.
    async fn next_told(&mut self) -> (String, Vec<Value>) {
        let told = timeout(DEADLINE, self.told.recv()).await;
        let mut told = told.expect("a notification").unwrap();
        let status = told["status"].as_str().unwrap().to_owned();
        let alerts = told["alerts"].as_array_mut().unwrap();
        (status, std::mem::take(alerts))
    }

    fn sender(&self) -> Sender {
        Sender {
            pager: Alertmanager::new(self.base_url.as_str()).unwrap(),
            post: ReqwestPost::new().unwrap(),
        }
    }
}

async fn tell(State(send): State<UnboundedSender<Value>>, Json(told): Json<Value>) {
    send.send(told).unwrap();
}

/// A replica.
struct Sender {
    pager: Alertmanager,
    post: ReqwestPost,
}

impl Sender {
    async fn send(&self, notification: &Notification, now: Timestamp) {
        assert_eq!(
            self.send_as(notification, Form::Full, now).await,
            PagerReply::Accepted
        );
    }

    async fn send_as(&self, notification: &Notification, form: Form, now: Timestamp) -> PagerReply {
        let request = self.pager.request(notification, form, now).unwrap();
        let answer = self.post.post(request).await.unwrap();
        self.pager.reply(&answer)
    }
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

fn ago(time: Duration) -> Timestamp {
    let millis = u64::try_from(time.as_millis()).unwrap();
    Timestamp::from_millis(now().as_millis() - millis)
}

/// An incident that a breaker opens at this time.
fn failing(since: Timestamp) -> OpenIncident {
    let version = |id: &str| Version::new(id, "gpt-4o").unwrap();
    let line_up = LineUp::new(version("v7")).with_previous(version("v6"));
    let pipeline = Pipeline::builder(line_up)
        .clock(MockClock::at(since))
        .guard(ErrorRateBreaker::default())
        .build()
        .unwrap();
    for n in 0..5 {
        let call = Call::new(format!("inv-{n}"), "invoice").unwrap();
        let permit = pipeline.admit(&call).permit().unwrap();
        permit.fail(FailureKind::ServerError);
    }
    pipeline.incidents().remove(0)
}

fn triggered(since: Timestamp) -> Notification {
    Notification::triggered(&PipelineName::new("invoices").unwrap(), &failing(since))
}

#[tokio::test]
async fn three_senders_of_one_incident_make_one_alert_and_one_notification() {
    let mut server = Server::start("three_senders").await;
    let first_since = ago(Duration::from_secs(10));
    for replica in [2, 0, 4] {
        // Replicas see it up to some seconds apart.
        let notification = triggered(first_since + Duration::from_secs(replica));
        server.sender().send(&notification, now()).await;
    }
    let firing = server.firing().await;
    assert_eq!(firing.len(), 1, "{firing:#?}");
    assert_eq!(firing[0]["startsAt"], first_since.to_string());
    assert_eq!(firing[0]["status"]["state"], "active");
    assert_eq!(firing[0]["labels"]["alertname"], "FuseboxFailing");
    let (status, alerts) = server.next_told().await;
    assert_eq!((status.as_str(), alerts.len()), ("firing", 1));
    assert_eq!(
        alerts[0]["labels"]["incident"],
        "invoices/error-rate/failing/v7/1"
    );
    let undo = alerts[0]["annotations"]["undo"].as_str().unwrap();
    assert!(undo.contains("`rearm`"), "{undo}");

    let end = triggered(first_since).ended(Action::Resolve, now());
    server.sender().send(&end, now()).await;
    // What is told next is the end: the three senders made one notification.
    let (status, alerts) = server.next_told().await;
    assert_eq!((status.as_str(), alerts.len()), ("resolved", 1));
    assert_eq!(alerts[0]["startsAt"], first_since.to_string());
    assert!(server.firing().await.is_empty());
}

#[tokio::test]
async fn an_alert_that_is_not_sent_again_ends_by_itself() {
    let mut server = Server::start("not_sent_again").await;
    let notification = triggered(ago(ALMOST_OVER));
    server.sender().send(&notification, ago(ALMOST_OVER)).await;
    assert_eq!(server.next_told().await.0, "firing");
    assert_eq!(server.next_told().await.0, "resolved");
    assert!(server.firing().await.is_empty());
}

#[tokio::test]
async fn an_alert_that_is_sent_again_goes_on_firing() {
    let mut server = Server::start("sent_again").await;
    let sender = server.sender();
    let notification = triggered(ago(ALMOST_OVER));
    sender.send(&notification, ago(ALMOST_OVER)).await;
    let ends_at = now() + Duration::from_secs(2);
    sender.send(&notification, now()).await;
    server
        .until("the first end is over", async || {
            assert_eq!(server.firing().await.len(), 1);
            now() > ends_at + Duration::from_secs(1)
        })
        .await;
    assert_eq!(server.next_told().await.0, "firing");
    assert!(
        server.told.try_recv().is_err(),
        "it was told once, and no end"
    );
}

#[tokio::test]
async fn every_form_and_any_text_is_taken() {
    let server = Server::start("any_text").await;
    let mut hostile = serde_json::to_value(triggered(now())).unwrap();
    hostile["pipeline"] = json!("in\u{0}voices\n\"{}🔥");
    hostile["guard"] = json!("guard \u{1b}[31m");
    hostile["summary"] = json!("🔥\u{0}\n".repeat(10_000));
    hostile["undo"] = json!("<b>&\"'`${}{{ .Labels }}".repeat(10_000));
    hostile["runbook"] = json!("https://docs.example/a b#ä|\u{0}");
    hostile["evidence"] = json!({ "größe-1": { "": "x", "a.b": [1, 2, 3] }, "0": "\u{7f}" });
    let hostile: Notification = serde_json::from_value(hostile).unwrap();
    let sender = server.sender();
    for form in [Form::Full, Form::Minimal] {
        // The clock of the sender is an hour behind, then right.
        for now in [ago(Duration::from_secs(3_600)), now()] {
            let taken = sender.send_as(&hostile, form, now).await;
            assert_eq!(taken, PagerReply::Accepted);
        }
    }
    assert_eq!(server.firing().await.len(), 1);
    let end = hostile.ended(Action::Resolve, Timestamp::EPOCH);
    assert_eq!(
        sender.send_as(&end, Form::Full, now()).await,
        PagerReply::Accepted
    );
    assert!(server.firing().await.is_empty());
}

/// Why names are checked, and why an end has its start: what the server refuses.
#[tokio::test]
async fn what_the_server_refuses_is_what_the_pager_does_not_send() {
    let server = Server::start("refused").await;
    let sender = server.sender();
    let url = format!("{}/api/v2/alerts", server.base_url);
    let alert = |labels: Value, starts_at: Timestamp, ends_at: Timestamp| {
        let alert = json!({
            "labels": labels, "startsAt": starts_at.to_string(), "endsAt": ends_at.to_string(),
        });
        PostRequest::json(Secret::new(url.as_str()), &json!([alert]))
    };
    let (before, at) = (ago(Duration::from_secs(1)), now());
    let mut seen = BTreeSet::new();
    for (labels, starts_at, ends_at, status) in [
        (json!({ "a_b": "c" }), before, at, 200),
        (json!({ "a-b": "c" }), before, at, 400),
        (json!({ "0ab": "c" }), before, at, 400),
        (json!({}), before, at, 400),
        (json!({ "a_b": "c" }), at, before, 400),
    ] {
        let request = alert(labels.clone(), starts_at, ends_at);
        let answer = sender.post.post(request).await.unwrap();
        assert_eq!(answer.status, status, "{labels} {answer}");
        let is_refused = sender.pager.reply(&answer) == PagerReply::Refused;
        assert_eq!(is_refused, status == 400);
        seen.insert(status);
    }
    assert_eq!(seen.len(), 2);
}
