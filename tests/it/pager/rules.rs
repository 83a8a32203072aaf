//! What each pager takes, written down from its documentation and not from the code under test.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What is wrong with a request.
type Wrong = Vec<String>;

/// An object: which fields it must have and may have.
fn object<'a>(
    at: &str,
    value: &'a Value,
    required: &[&str],
    optional: &[&str],
    wrong: &mut Wrong,
) -> Option<&'a Map<String, Value>> {
    let Some(fields) = value.as_object() else {
        wrong.push(format!("{at} is no object"));
        return None;
    };
    let missing = required.iter().filter(|name| !fields.contains_key(**name));
    wrong.extend(missing.map(|name| format!("{at}.{name} is missing")));
    let known: BTreeSet<&str> = required.iter().chain(optional).copied().collect();
    let unknown = fields.keys().filter(|name| !known.contains(name.as_str()));
    wrong.extend(unknown.map(|name| format!("{at}.{name} is unknown")));
    Some(fields)
}

/// A text of one to `longest` characters.
fn text(at: &str, value: Option<&Value>, longest: usize, wrong: &mut Wrong) {
    let Some(value) = value else { return };
    match value.as_str().map(|text| text.chars().count()) {
        Some(length) if length == 0 || length > longest => {
            wrong.push(format!("{at} has {length} characters"));
        }
        Some(_) => {}
        None => wrong.push(format!("{at} is no text")),
    }
}

fn one_of(at: &str, value: Option<&Value>, words: &[&str], wrong: &mut Wrong) {
    let word = value.and_then(Value::as_str);
    if word.is_none_or(|word| !words.contains(&word)) {
        wrong.push(format!("{at} is {value:?}"));
    }
}

/// RFC 3339 with `Z`, as `2026-03-13T21:00:00.000Z`: texts of it are ordered like times.
fn time<'a>(at: &str, value: Option<&'a Value>, wrong: &mut Wrong) -> &'a str {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    let form = regex::Regex::new(
        r"^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$",
    );
    if !form.unwrap().is_match(text) {
        wrong.push(format!("{at} is no time: {text}"));
    }
    text
}

fn address(at: &str, value: Option<&Value>, wrong: &mut Wrong) {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    let form = regex::Regex::new(
        r"^https?://[A-Za-z0-9.-]+(:\d+)?(/([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(#([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$",
    );
    if !form.unwrap().is_match(text) {
        wrong.push(format!("{at} is no address: {text}"));
    }
}

/// An object of texts.
fn flat(at: &str, value: &Value, name: &regex::Regex, wrong: &mut Wrong) {
    let Some(fields) = value.as_object() else {
        wrong.push(format!("{at} is no object"));
        return;
    };
    for (key, value) in fields {
        if !name.is_match(key) {
            wrong.push(format!("{at} has the name {key:?}"));
        }
        if value.as_str().is_none_or(str::is_empty) {
            wrong.push(format!("{at}.{key} is no text"));
        }
    }
}

fn links(at: &str, value: Option<&Value>, wrong: &mut Wrong) {
    for link in value.and_then(Value::as_array).into_iter().flatten() {
        if let Some(fields) = object(at, link, &["href"], &["text"], wrong) {
            address(&format!("{at}.href"), fields.get("href"), wrong);
            text(&format!("{at}.text"), fields.get("text"), 1_000, wrong);
        }
    }
}

fn read(body: &[u8], wrong: &mut Wrong) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|error| {
        wrong.push(format!("no JSON: {error}"));
        Value::Null
    })
}

/// PagerDuty's Events API v2: <https://developer.pagerduty.com/docs/send-alert-event> and
/// `/send-change-event`.
pub(super) fn of_pagerduty(path: &str, body: &[u8]) -> Wrong {
    let mut wrong = Wrong::new();
    if body.len() > 512 * 1_024 {
        wrong.push(format!("the body has {} bytes", body.len()));
    }
    let event = read(body, &mut wrong);
    let any = regex::Regex::new("").unwrap();
    let is_key = |key: &str| key.len() == 32 && key.bytes().all(|b| b.is_ascii_alphanumeric());
    if !event["routing_key"].as_str().is_some_and(is_key) {
        wrong.push("routing_key has not 32 characters".to_owned());
    }
    match path {
        "/v2/change/enqueue" => {
            object(
                "event",
                &event,
                &["routing_key", "payload"],
                &["links", "images"],
                &mut wrong,
            );
            let payload = object(
                "payload",
                &event["payload"],
                &["summary"],
                &["timestamp", "source", "custom_details"],
                &mut wrong,
            );
            if let Some(payload) = payload {
                text("summary", payload.get("summary"), 1_024, &mut wrong);
                time("timestamp", payload.get("timestamp"), &mut wrong);
                if let Some(details) = payload.get("custom_details") {
                    flat("custom_details", details, &any, &mut wrong);
                }
            }
        }
        "/v2/enqueue" => {
            object(
                "event",
                &event,
                &["routing_key", "event_action"],
                &[
                    "dedup_key",
                    "payload",
                    "links",
                    "images",
                    "client",
                    "client_url",
                ],
                &mut wrong,
            );
            let words = ["trigger", "acknowledge", "resolve"];
            one_of(
                "event_action",
                event.get("event_action"),
                &words,
                &mut wrong,
            );
            text("dedup_key", event.get("dedup_key"), 255, &mut wrong);
            if event["event_action"] == "trigger" {
                alert_payload(&event["payload"], &mut wrong);
            } else if event.get("dedup_key").is_none() {
                wrong.push("dedup_key is missing".to_owned());
            }
        }
        _ => wrong.push(format!("no such path: {path}")),
    }
    links("links", event.get("links"), &mut wrong);
    wrong
}

fn alert_payload(payload: &Value, wrong: &mut Wrong) {
    let optional = ["timestamp", "component", "group", "class", "custom_details"];
    let required = ["summary", "source", "severity"];
    let Some(payload) = object("payload", payload, &required, &optional, wrong) else {
        return;
    };
    text("summary", payload.get("summary"), 1_024, wrong);
    text("source", payload.get("source"), usize::MAX, wrong);
    let words = ["critical", "error", "warning", "info"];
    one_of("severity", payload.get("severity"), &words, wrong);
    time("timestamp", payload.get("timestamp"), wrong);
    for name in ["component", "group", "class"] {
        text(name, payload.get(name), usize::MAX, wrong);
    }
    if let Some(details) = payload.get("custom_details") {
        flat(
            "custom_details",
            details,
            &regex::Regex::new("").unwrap(),
            wrong,
        );
    }
}

/// Alertmanager's `postableAlerts`, as `api/v2/openapi.yaml` of 0.25 has it, and what its code checks.
pub(super) fn of_alertmanager(path: &str, body: &[u8]) -> Wrong {
    let mut wrong = Wrong::new();
    if path != "/am/api/v2/alerts" {
        wrong.push(format!("no such path: {path}"));
    }
    let alerts = read(body, &mut wrong);
    let name = regex::Regex::new("^[a-zA-Z_][a-zA-Z0-9_]*$").unwrap();
    let Some(alerts) = alerts.as_array() else {
        return vec!["no array".to_owned()];
    };
    for alert in alerts {
        let optional = ["annotations", "startsAt", "endsAt", "generatorURL"];
        object("alert", alert, &["labels"], &optional, &mut wrong);
        flat("labels", &alert["labels"], &name, &mut wrong);
        flat("annotations", &alert["annotations"], &name, &mut wrong);
        if alert["labels"].as_object().is_none_or(Map::is_empty) {
            wrong.push("no labels".to_owned());
        }
        let starts_at = time("startsAt", alert.get("startsAt"), &mut wrong);
        let ends_at = time("endsAt", alert.get("endsAt"), &mut wrong);
        if ends_at < starts_at {
            wrong.push("start time must be before end time".to_owned());
        }
        if alert.get("generatorURL").is_some() {
            address("generatorURL", alert.get("generatorURL"), &mut wrong);
        }
    }
    wrong
}

/// A message of Slack: <https://docs.slack.dev/reference/block-kit/blocks/section-block>.
pub(super) fn of_slack(path: &str, body: &[u8]) -> Wrong {
    let mut wrong = Wrong::new();
    if !path.starts_with("/services/T00000000/B00000000/") {
        wrong.push(format!("no such path: {path}"));
    }
    let message = read(body, &mut wrong);
    object("message", &message, &["text"], &["blocks"], &mut wrong);
    text("text", message.get("text"), 4_000, &mut wrong);
    let blocks = message["blocks"].as_array().cloned().unwrap_or_default();
    if blocks.is_empty() || blocks.len() > 50 {
        wrong.push(format!("{} blocks", blocks.len()));
    }
    let mut texts = vec![message["text"].clone()];
    for block in &blocks {
        object("block", block, &["type", "text"], &[], &mut wrong);
        one_of("type", block.get("type"), &["section"], &mut wrong);
        object("text", &block["text"], &["type", "text"], &[], &mut wrong);
        one_of(
            "text.type",
            block["text"].get("type"),
            &["mrkdwn"],
            &mut wrong,
        );
        text("text.text", block["text"].get("text"), 3_000, &mut wrong);
        texts.push(block["text"]["text"].clone());
    }
    let known = regex::Regex::new(r"&(amp|lt|gt);|<https?://([^<>|&]|&amp;)*\|Runbook>").unwrap();
    for text in texts {
        let rest = known
            .replace_all(text.as_str().unwrap_or_default(), "")
            .into_owned();
        if rest.contains(['<', '>', '&']) {
            wrong.push(format!("not escaped: {rest}"));
        }
    }
    wrong
}

/// The form that the documentation of `Webhook` promises.
pub(super) fn of_webhook(path: &str, body: &[u8]) -> Wrong {
    let mut wrong = Wrong::new();
    if path != "/fusebox?token=f00dfeedf00dfeed" {
        wrong.push(format!("no such path: {path}"));
    }
    if body.len() > 256 * 1_024 {
        wrong.push(format!("the body has {} bytes", body.len()));
    }
    let event = read(body, &mut wrong);
    let required = [
        "format", "action", "key", "pipeline", "severity", "summary", "details", "links", "since",
        "ended_at", "at",
    ];
    object("event", &event, &required, &[], &mut wrong);
    if event["format"] != 1 {
        wrong.push("format is not 1".to_owned());
    }
    let words = ["trigger", "resolve", "missed"];
    one_of("action", event.get("action"), &words, &mut wrong);
    one_of(
        "severity",
        event.get("severity"),
        &["page", "warning", "info"],
        &mut wrong,
    );
    text("key", event.get("key"), 255, &mut wrong);
    text("pipeline", event.get("pipeline"), 256, &mut wrong);
    text("summary", event.get("summary"), 1_024, &mut wrong);
    flat(
        "details",
        &event["details"],
        &regex::Regex::new("^[a-zA-Z0-9_]+$").unwrap(),
        &mut wrong,
    );
    links("links", event.get("links"), &mut wrong);
    time("since", event.get("since"), &mut wrong);
    time("at", event.get("at"), &mut wrong);
    if event["action"] == "trigger" {
        if !event["ended_at"].is_null() {
            wrong.push("what is open has no end".to_owned());
        }
    } else {
        time("ended_at", event.get("ended_at"), &mut wrong);
    }
    wrong
}

/// What is wrong with a request to a pager of this name.
pub(super) fn of(pager: &str, url: &str, body: &[u8]) -> Wrong {
    let host = url.splitn(4, '/').nth(3).unwrap_or_default();
    let path = format!("/{host}");
    match pager {
        "pagerduty" => of_pagerduty(&path, body),
        "alertmanager" => of_alertmanager(&path, body),
        "slack" => of_slack(&path, body),
        "webhook" => of_webhook(&path, body),
        _ => vec![format!("no rules of {pager}")],
    }
}

#[test]
fn the_rules_find_what_is_wrong() {
    let payload = |summary: &str| {
        serde_json::json!({
            "summary": summary, "source": "a", "severity": "critical",
            "timestamp": "2026-03-13T21:00:00.000Z",
        })
    };
    let event = |summary: usize, key: usize| {
        serde_json::json!({
            "routing_key": "0".repeat(32), "event_action": "trigger",
            "dedup_key": "k".repeat(key), "payload": payload(&"ä".repeat(summary)),
        })
    };
    let wrong = |event: &Value| of_pagerduty("/v2/enqueue", event.to_string().as_bytes());
    assert_eq!(wrong(&event(1_024, 255)), Wrong::new());
    assert_eq!(wrong(&event(1_025, 255)), ["summary has 1025 characters"]);
    assert_eq!(wrong(&event(1_024, 256)), ["dedup_key has 256 characters"]);
    let mut missing = event(1, 1);
    missing["payload"].as_object_mut().unwrap().remove("source");
    missing["payload"]["severity"] = "page".into();
    assert_eq!(
        wrong(&missing),
        [
            "payload.source is missing",
            "severity is Some(String(\"page\"))"
        ]
    );
    missing["links"] = serde_json::json!([{ "href": "javascript:x" }]);
    assert_eq!(wrong(&missing).len(), 3);
    let slack = serde_json::json!({ "text": "<!channel>", "blocks": [] });
    let slack = of_slack(
        "/services/T00000000/B00000000/X",
        slack.to_string().as_bytes(),
    );
    assert_eq!(slack, ["0 blocks", "not escaped: <!channel>"]);
    let alert = serde_json::json!([{
        "labels": { "a-b": "c" }, "annotations": { "n": 1 },
        "startsAt": "2026-03-13T21:00:00.000Z", "endsAt": "2026-03-13T20:00:00.000Z",
    }]);
    assert_eq!(
        of_alertmanager("/am/api/v2/alerts", alert.to_string().as_bytes()),
        [
            "labels has the name \"a-b\"",
            "annotations.n is no text",
            "start time must be before end time"
        ]
    );
}
