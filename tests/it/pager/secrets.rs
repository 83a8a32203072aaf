use fusebox::pager::{NoAnswer, OutboxRow, PagerRoute, Secret, reconcile};

use super::*;

const SECRETS: [&str; 7] = [
    ROUTING_KEY,
    "XXXXXXXXXXXXXXXXXXXXXXXX",
    "hooks.slack.com",
    "pass-word",
    "f0f0f0f0f0f0f0f0",
    "f00dfeedf00dfeed",
    "sixteen bytes",
];

fn shows_none(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {text}");
        // The bytes of a body, as `Debug` of a vector shows them.
        let bytes: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
        assert!(!text.contains(&bytes.join(", ")), "{secret} in {text}");
    }
}

#[test]
fn neither_pagers_nor_requests_nor_routes_show_a_secret() {
    for (name, pager) in pagers() {
        shows_none(&format!("{pager:?} {pager:#?}"));
        for form in [Form::Full, Form::Minimal] {
            let request = pager.request(&triggered(), form, EVENING).unwrap();
            shows_none(&format!("{request:?} {request:#?} {}", request.url));
            assert!(format!("{request:?}").contains("content-type"), "{name}");
        }
    }
    shows_none(&format!(
        "{:?}",
        PagerRoute::new("on-call", pagerduty()).unwrap()
    ));
}

#[test]
fn rows_have_the_name_of_the_route_and_no_secret() {
    let routes = [
        PagerRoute::new("on-call", pagerduty()).unwrap(),
        PagerRoute::new("channel", slack()).unwrap(),
        PagerRoute::new("alerts", alertmanager()).unwrap(),
    ];
    let none: [&OutboxRow; 0] = [];
    let rows = reconcile(&invoices(), &[failing()], none, &routes, EVENING);
    assert_eq!(rows.len(), 3);
    for row in rows {
        shows_none(&format!("{row:?}"));
        shows_none(&serde_json::to_string(&row).unwrap());
    }
}

/// nginx, and proxies, repeat the address or a header in a page of an error.
#[test]
fn what_an_answer_repeats_is_not_shown() {
    for (name, pager) in pagers() {
        let request = pager.request(&triggered(), Form::Full, EVENING).unwrap();
        let url = request.url.reveal();
        let path = url.splitn(4, '/').nth(3).unwrap();
        let headers: Vec<String> = request
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.reveal()))
            .collect();
        let echo = format!(
            "cannot POST {url}; cannot POST /{path}; {}; {}",
            headers.join("; "),
            String::from_utf8_lossy(&request.body)
        );
        let answer = PostAnswer::new(404).with_body(request.redact(&echo));
        shows_none(&request.redact(&echo));
        shows_none(&answer.to_string());
        assert!(
            answer
                .to_string()
                .starts_with("answered 404: cannot POST (secret)"),
            "{name}: {answer}"
        );
    }
}

#[test]
fn an_answer_is_shown_in_one_short_line() {
    assert_eq!(PostAnswer::new(502).to_string(), "answered 502");
    let long = PostAnswer::new(400).with_body("<html>\r\n\u{1b}[31m".repeat(1_000));
    let shown = long.to_string();
    assert!(
        shown.chars().count() <= 160 && !shown.chars().any(char::is_control),
        "{shown}"
    );
    assert_eq!(NoAnswer::new("timed out").to_string(), "timed out");
}

/// Short words stand in any text, so they are not taken out; no secret of a pager is as short.
#[test]
fn only_secrets_are_taken_out() {
    let request = PostRequest::json(Secret::new("http://a:1/"), &json!({}));
    let request = request.with_hidden("a").with_hidden("eight by");
    assert_eq!(
        request.redact("a status eight by eight"),
        "a status (secret) eight"
    );
}
