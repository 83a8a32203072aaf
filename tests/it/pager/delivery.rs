//! Pages over HTTP, to a PagerDuty with its real rules and to servers that fail.

use std::time::Duration;

use fusebox::pager::{NoAnswer, Pager, PagerReply, Post, Secret};
use fusebox::reqwest::ReqwestPost;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::fake_pagerduty::{FakeIncident, FakePagerDuty, Outage};
use super::*;
use crate::support::seconds;

const OTHER_KEY: &str = "ffffffffffffffffffffffffffffffff";
const LATER: PagerReply = PagerReply::Later { wait: None };

struct Sender {
    post: ReqwestPost,
    pager: PagerDuty,
}

impl Sender {
    fn to(base_url: &str, routing_key: &str) -> Self {
        let pager = PagerDuty::new(routing_key).unwrap();
        Self {
            post: ReqwestPost::new().unwrap(),
            pager: pager.with_base_url(base_url).unwrap(),
        }
    }

    async fn send(&self, notification: &Notification) -> Result<PagerReply, NoAnswer> {
        self.send_as(notification, Form::Full).await
    }

    async fn send_as(
        &self,
        notification: &Notification,
        form: Form,
    ) -> Result<PagerReply, NoAnswer> {
        let request = self.pager.request(notification, form, EVENING).unwrap();
        self.send_request(request).await
    }

    async fn send_request(&self, request: PostRequest) -> Result<PagerReply, NoAnswer> {
        let answer = self.post.post(request).await?;
        Ok(self.pager.reply(&answer))
    }
}

fn incident(is_open: bool, triggers: u32) -> FakeIncident {
    FakeIncident {
        dedup_key: "invoices/error-rate/failing/v7/1".to_owned(),
        is_open,
        triggers,
    }
}

#[tokio::test]
async fn three_replicas_page_once_and_the_end_resolves_it() {
    let fake = FakePagerDuty::start().await;
    let incidents = || fake.known(|known| known.of(ROUTING_KEY));
    for _ in 0..3 {
        let sender = Sender::to(&fake.base_url, ROUTING_KEY);
        assert_eq!(sender.send(&triggered()).await, Ok(PagerReply::Accepted));
    }
    assert_eq!(incidents(), [incident(true, 3)]);
    let sender = Sender::to(&fake.base_url, ROUTING_KEY);
    let minimal = sender.send_as(&triggered(), Form::Minimal).await;
    assert_eq!(minimal, Ok(PagerReply::Accepted));
    assert_eq!(incidents(), [incident(true, 4)]);
    let resolved = sender.send(&ended(Action::Resolve)).await;
    assert_eq!(resolved, Ok(PagerReply::Accepted));
    assert_eq!(incidents(), [incident(false, 4)]);
    // Why a late trigger must not follow its resolve.
    assert_eq!(sender.send(&triggered()).await, Ok(PagerReply::Accepted));
    assert_eq!(incidents(), [incident(false, 4), incident(true, 1)]);
}

#[tokio::test]
async fn a_resolve_through_another_key_is_taken_and_does_nothing() {
    let fake = FakePagerDuty::start().await;
    let (sender, other) = (
        Sender::to(&fake.base_url, ROUTING_KEY),
        Sender::to(&fake.base_url, OTHER_KEY),
    );
    sender.send(&triggered()).await.unwrap();
    let resolved = other.send(&ended(Action::Resolve)).await;
    assert_eq!(resolved, Ok(PagerReply::Accepted));
    let known = fake.known(|known| (known.of(ROUTING_KEY), known.of(OTHER_KEY)));
    assert_eq!(known, (vec![incident(true, 1)], vec![]));
}

#[tokio::test]
async fn what_was_missed_is_a_change_and_no_incident() {
    let fake = FakePagerDuty::start().await;
    let sender = Sender::to(&fake.base_url, ROUTING_KEY);
    let missed = sender.send(&ended(Action::Missed)).await;
    assert_eq!(missed, Ok(PagerReply::Accepted));
    let known = fake.known(|known| (known.of(ROUTING_KEY).len(), known.changes.len()));
    assert_eq!(known, (0, 1));
}

/// The fake refuses what PagerDuty refuses; the property test shows that we send no such thing.
#[tokio::test]
async fn a_summary_key_or_body_that_is_too_long_is_refused_and_says_why() {
    let fake = FakePagerDuty::start().await;
    let sender = Sender::to(&fake.base_url, ROUTING_KEY);
    let with = |pointer: &str, text: String| {
        let request = sender
            .pager
            .request(&triggered(), Form::Full, EVENING)
            .unwrap();
        let mut event = body(&request);
        *event.pointer_mut(pointer).unwrap() = json!(text);
        PostRequest::json(request.url, &event)
    };
    let cases = [
        ("/payload/summary", 1_024, 1_025),
        ("/dedup_key", 255, 256),
        ("/payload/custom_details/undo", 500_000, 512 * 1_024),
    ];
    for (pointer, longest, too_long) in cases {
        let sent = sender
            .send_request(with(pointer, "x".repeat(longest)))
            .await;
        assert_eq!(sent, Ok(PagerReply::Accepted), "{pointer}");
        let sent = sender
            .send_request(with(pointer, "x".repeat(too_long)))
            .await;
        assert_eq!(sent, Ok(PagerReply::Refused), "{pointer}");
    }
    let answer = sender
        .post
        .post(with("/payload/source", String::new()))
        .await
        .unwrap();
    let said = answer.to_string();
    assert!(
        said.starts_with("answered 400: {\"errors\":[\"source has 0 characters\"]"),
        "{said}"
    );
}

#[tokio::test]
async fn more_than_120_events_a_minute_are_for_later() {
    let fake = FakePagerDuty::start().await;
    let sender = Sender::to(&fake.base_url, ROUTING_KEY);
    for _ in 0..120 {
        assert_eq!(sender.send(&triggered()).await, Ok(PagerReply::Accepted));
    }
    assert_eq!(sender.send(&triggered()).await, Ok(LATER));
    let other = Sender::to(&fake.base_url, OTHER_KEY);
    assert_eq!(other.send(&triggered()).await, Ok(PagerReply::Accepted));
}

#[tokio::test]
async fn a_server_that_fails_is_asked_later_and_a_redirect_is_not_followed() {
    let fake = FakePagerDuty::start().await;
    let sender = Sender::to(&fake.base_url, ROUTING_KEY);
    fake.suffers(Outage::Fails);
    assert_eq!(sender.send(&triggered()).await, Ok(LATER));
    fake.suffers(Outage::Redirects);
    assert_eq!(sender.send(&triggered()).await, Ok(PagerReply::Refused));
    assert_eq!(fake.known(|known| known.requests), 2);
    fake.suffers(Outage::None);
    assert_eq!(sender.send(&triggered()).await, Ok(PagerReply::Accepted));
}

/// The runtime's clock jumps to the next timer when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up_after_ten_seconds() {
    let fake = FakePagerDuty::start().await;
    let sender = Sender::to(&fake.base_url, ROUTING_KEY);
    fake.suffers(Outage::Hangs);
    let began = tokio::time::Instant::now();
    let error = sender.send(&triggered()).await.unwrap_err().to_string();
    let waited = began.elapsed();
    assert!(waited >= seconds(10) && waited < seconds(11), "{waited:?}");
    assert!(error.contains("timed out"), "{error}");
    assert!(!error.contains(&fake.base_url), "{error}");
    assert_eq!(fake.known(|known| known.requests), 1, "it may have arrived");
}

/// A server that reads one request and says just this, then closes.
async fn says(answer: impl Into<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let answer = answer.into();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut part = [0; 4_096];
        while !is_whole(&request) {
            let read = stream.read(&mut part).await.unwrap();
            request.extend(&part[..read]);
        }
        stream.write_all(&answer).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    base_url
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.unwrap().parse().unwrap()
}

async fn answered(answer: impl Into<Vec<u8>>) -> Result<PostAnswer, NoAnswer> {
    let url = format!("{}/with/a-secret-path", says(answer).await);
    let post = ReqwestPost::new().unwrap();
    post.post(PostRequest::json(Secret::new(url), &json!({})))
        .await
}

fn with(headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 503 Later\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn an_answer_says_when_to_come_again() {
    let wait = async |headers: &str| answered(with(headers, "")).await.unwrap().retry_after;
    assert_eq!(wait("").await, None);
    assert_eq!(wait("Retry-After: 7\r\n").await, Some(seconds(7)));
    let date =
        "Date: Fri, 13 Mar 2026 21:00:00 GMT\r\nRetry-After: Fri, 13 Mar 2026 21:01:30 GMT\r\n";
    assert_eq!(wait(date).await, Some(seconds(90)));
    let past =
        "Date: Fri, 13 Mar 2026 21:00:00 GMT\r\nRetry-After: Fri, 13 Mar 2026 20:00:00 GMT\r\n";
    assert_eq!(wait(past).await, Some(Duration::ZERO));
    let without_date = wait("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n").await;
    assert!(without_date.unwrap() > minutes(60));
    for unreadable in ["soon", "-1", "1.5", "99999999999999999999", ""] {
        assert_eq!(
            wait(&format!("Retry-After: {unreadable}\r\n")).await,
            None,
            "{unreadable}"
        );
    }
}

#[tokio::test]
async fn a_kilobyte_of_the_body_is_kept_and_a_body_that_is_cut_counts_as_far_as_it_came() {
    let long = answered(with("", &"ä".repeat(100_000))).await.unwrap();
    assert_eq!((long.status, long.body.len()), (503, 1_024));
    let cut = "HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\n{\"status\":";
    let cut = answered(cut).await.unwrap();
    assert_eq!(cut.status, 202);
    let no_text =
        answered(b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n\xff\xfe".as_slice()).await;
    assert_eq!(no_text.unwrap().status, 202);
}

#[tokio::test]
async fn an_answer_that_repeats_the_address_shows_none_of_it() {
    let echo = "404: cannot POST /with/a-secret-path";
    assert_eq!(
        answered(with("", echo)).await.unwrap().body,
        "404: cannot POST (secret)"
    );
}

#[tokio::test]
async fn no_answer_says_why_and_shows_no_address() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let plain = says("no TLS here").await;
    let tls = plain.replace("http://", "https://");
    let post = ReqwestPost::new().unwrap();
    for (url, reason) in [
        (format!("http://{nobody}/a-secret-path"), "refused"),
        (format!("{tls}/a-secret-path"), "error"),
        (format!("{}/a-secret-path", says("").await), "closed"),
        (
            format!("{}/a-secret-path", says("HTTP/1.1 202").await),
            "closed",
        ),
        ("http://127.0.0.1:99999/a-secret-path".to_owned(), "port"),
        ("http://%zz/a-secret-path".to_owned(), "domain"),
    ] {
        let request = PostRequest::json(Secret::new(url.as_str()), &json!({}));
        let error = post.post(request).await.unwrap_err().to_string();
        assert!(!error.contains("a-secret-path"), "{error}");
        assert!(error.contains(reason), "{url}: {error}");
    }
    let request = PostRequest::json(Secret::new("http://127.0.0.1:1/"), &json!({}));
    let request = request.with_header("authorization", "Bearer a-secret-token\n");
    let error = post.post(request).await.unwrap_err().to_string();
    assert_eq!(error, "a header cannot be sent");
}

#[tokio::test]
async fn headers_arrive_and_say_who_sends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut part = [0; 4_096];
        while !is_whole(&request) {
            let read = stream.read(&mut part).await.unwrap();
            request.extend(&part[..read]);
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .await
            .unwrap();
        String::from_utf8(request).unwrap()
    });
    let request = PostRequest::json(Secret::new(url), &json!({ "a": 1 }));
    let request = request.with_header("authorization", AUTHORIZATION);
    let answer = ReqwestPost::new().unwrap().post(request).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    let request = server.await.unwrap();
    assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
    for line in [
        "content-type: application/json",
        &format!("authorization: {AUTHORIZATION}"),
        concat!("user-agent: fusebox/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(
            request.lines().any(|other| other == line),
            "{line}: {request}"
        );
    }
    assert!(request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
}
