use fusebox::pager::Pager;

use super::*;

fn sent(notification: &Notification, form: Form) -> (String, Value) {
    let request = pagerduty().request(notification, form, EVENING).unwrap();
    (request.url.reveal().to_owned(), body(&request))
}

#[test]
fn an_incident_is_one_alert_that_is_triggered_and_resolved() {
    let (url, trigger) = sent(&triggered(), Form::Full);
    assert_eq!(url, "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(trigger["event_action"], "trigger");
    assert_eq!(trigger["dedup_key"], "invoices/error-rate/failing/v7/1");
    let payload = &trigger["payload"];
    assert_eq!(payload["source"], "invoices");
    assert_eq!(payload["severity"], "critical");
    assert_eq!(payload["group"], "error-rate");
    assert_eq!(payload["component"], "v7");
    assert_eq!(payload["class"], "failing");
    assert_eq!(payload["timestamp"], "2026-03-13T21:00:00.000Z");
    let (url, resolve) = sent(&ended(Action::Resolve), Form::Full);
    assert_eq!(url, "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(
        resolve,
        json!({
            "routing_key": ROUTING_KEY, "event_action": "resolve",
            "dedup_key": "invoices/error-rate/failing/v7/1",
        })
    );
}

/// What a person needs first stands first.
#[test]
fn details_are_flat_texts_in_the_order_of_need() {
    let request = pagerduty().request(&triggered(), Form::Full, EVENING);
    let text = String::from_utf8(request.unwrap().body).unwrap();
    let at = |name: &str| {
        text.find(&format!("\"{name}\":\""))
            .unwrap_or_else(|| panic!("{name}: {text}"))
    };
    let names = [
        "summary",
        "done_already",
        "still_wrong",
        "since",
        "ends_when",
        "undo",
        "incident",
        "evidence_calls",
        "href",
    ];
    assert!(names.map(at).is_sorted(), "{text}");
    let (_, body) = sent(&triggered(), Form::Full);
    let details = &body["payload"]["custom_details"];
    assert_eq!(details["done_already"], "v6 serves instead of v7");
    assert_eq!(details["still_wrong"], "it goes on");
    assert_eq!(details["incident"], "error-rate/failing/v7/1");
    assert_eq!(details["evidence_threshold"], "5 of 100");
    assert_eq!(details["evidence_kinds_server_error"], "6");
}

#[test]
fn a_warning_is_a_warning() {
    let warning = changed(&triggered(), json!({ "severity": "warning" }));
    assert_eq!(
        sent(&warning, Form::Full).1["payload"]["severity"],
        "warning"
    );
}

#[test]
fn what_ended_untold_is_a_change_and_pages_nobody() {
    let (url, change) = sent(&ended(Action::Missed), Form::Full);
    assert_eq!(url, "https://events.pagerduty.com/v2/change/enqueue");
    assert!(change.get("event_action").is_none() && change.get("dedup_key").is_none());
    let summary = change["payload"]["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("over before it could be told: invoices: "),
        "{summary}"
    );
    let details = &change["payload"]["custom_details"];
    assert_eq!(details["lasted"], "10m");
    assert_eq!(details["ended_at"], "2026-03-13T21:10:00.000Z");
    assert!(details.get("undo").is_none(), "nothing is left to do");
}

#[test]
fn the_minimal_form_is_ascii_and_short() {
    let long = changed(&triggered(), json!({ "summary": "größer ".repeat(100) }));
    let (_, minimal) = sent(&long, Form::Minimal);
    let summary = minimal["payload"]["summary"].as_str().unwrap();
    assert!(summary.is_ascii() && summary.len() == 200, "{summary}");
    assert!(minimal.get("links").is_none());
    assert!(minimal["payload"].get("custom_details").is_none());
    let (_, full) = sent(&long, Form::Full);
    assert_eq!(minimal["dedup_key"], full["dedup_key"]);
}

#[test]
fn a_summary_of_1024_characters_is_sent_whole_and_a_longer_one_cut() {
    let summary = |length: usize| {
        let long = changed(&triggered(), json!({ "summary": "🔥".repeat(length) }));
        sent(&long, Form::Full).1["payload"]["summary"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(summary(1_024), "🔥".repeat(1_024));
    assert_eq!(summary(1_025), format!("{}…", "🔥".repeat(1_023)));
}

#[test]
fn a_region_and_an_address_can_be_chosen() {
    let url = |pager: PagerDuty| {
        let request = pager.request(&triggered(), Form::Full, EVENING).unwrap();
        request.url.reveal().to_owned()
    };
    assert_eq!(
        url(pagerduty().in_eu()),
        "https://events.eu.pagerduty.com/v2/enqueue"
    );
    let local = pagerduty().with_base_url("http://127.0.0.1:8080/").unwrap();
    assert_eq!(url(local), "http://127.0.0.1:8080/v2/enqueue");
}

#[test]
fn a_routing_key_has_32_letters_and_digits() {
    for refused in [
        "",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789abcdef0123456789abcde-",
    ] {
        let error = PagerDuty::new(refused).unwrap_err().to_string();
        assert_eq!(
            error,
            "routing key: got `(secret)`, expected 32 letters and digits"
        );
    }
    assert!(PagerDuty::new("0123456789abcdef0123456789abcdef").is_ok());
}
