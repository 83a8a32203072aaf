use fusebox::pager::Pager;

use super::*;
use crate::support::refused;

fn sent(notification: &Notification, now: Timestamp) -> Value {
    let request = alertmanager().request(notification, Form::Full, now);
    let mut alerts = body(&request.unwrap());
    assert_eq!(alerts.as_array().map(Vec::len), Some(1));
    alerts[0].take()
}

#[test]
fn labels_say_which_incident_it_is_and_nothing_that_changes() {
    let first = sent(&triggered(), EVENING);
    assert_eq!(
        first["labels"],
        json!({
            "alertname": "FuseboxFailing", "pipeline": "invoices", "guard": "error-rate",
            "version": "v7", "incident": "invoices/error-rate/failing/v7/1",
            "severity": "critical",
        })
    );
    let grown = changed(
        &triggered(),
        json!({
            "summary": "worse", "things": 12, "told_at": (EVENING + minutes(9)).as_millis(),
            "evidence": { "calls": 1_000 }, "well_since": EVENING.as_millis(),
            "done_already": "nothing", "ends_when": "never", "undo": "nothing",
        }),
    );
    let later = sent(&grown, EVENING + minutes(9));
    assert_eq!(later["labels"], first["labels"]);
    assert_ne!(later["annotations"], first["annotations"]);
    assert_eq!(
        sent(&ended(Action::Resolve), EVENING)["labels"],
        first["labels"]
    );
    let request = alertmanager().request(&triggered(), Form::Minimal, EVENING);
    assert_eq!(body(&request.unwrap())[0]["labels"], first["labels"]);
}

#[test]
fn an_alert_fires_for_five_minutes_and_is_sent_again_every_minute() {
    let now = EVENING + minutes(30);
    let alert = sent(&triggered(), now);
    assert_eq!(alert["startsAt"], "2026-03-13T21:00:00.000Z");
    assert_eq!(alert["endsAt"], "2026-03-13T21:35:00.000Z");
    assert_eq!(alertmanager().repeats_every(), Some(minutes(1)));
}

#[test]
fn an_end_has_the_start_and_comes_after_it() {
    let alert = sent(&ended(Action::Resolve), EVENING + minutes(20));
    assert_eq!(alert["startsAt"], "2026-03-13T21:00:00.000Z");
    assert_eq!(alert["endsAt"], "2026-03-13T21:10:00.000Z");
    let at_once = triggered().ended(Action::Resolve, EVENING);
    let alert = sent(&at_once, EVENING + minutes(20));
    assert_eq!(alert["endsAt"], "2026-03-13T21:00:00.001Z");
    // The clock of the one who sends is behind.
    let alert = sent(&triggered(), Timestamp::EPOCH);
    assert_eq!(alert["endsAt"], "2026-03-13T21:00:00.001Z");
}

#[test]
fn what_ended_untold_is_not_sent() {
    let missed = ended(Action::Missed);
    assert!(
        alertmanager()
            .request(&missed, Form::Full, EVENING)
            .is_none()
    );
}

#[test]
fn all_else_is_in_annotations() {
    let alert = sent(&triggered(), EVENING);
    let annotations = &alert["annotations"];
    let runbook = &triggered().runbook;
    assert_eq!(annotations["runbook_url"], *runbook);
    assert_eq!(alert["generatorURL"], *runbook);
    assert_eq!(annotations["done_already"], "v6 serves instead of v7");
    assert_eq!(annotations["evidence_threshold"], "5 of 100");
    assert!(
        annotations["summary"]
            .as_str()
            .unwrap()
            .starts_with("invoices: ")
    );
}

#[test]
fn labels_of_ones_own_are_added() {
    let alertmanager = Alertmanager::new("http://127.0.0.1:9093").unwrap();
    let alertmanager = alertmanager.with_label("team", "documents").unwrap();
    let request = alertmanager
        .request(&triggered(), Form::Full, EVENING)
        .unwrap();
    assert_eq!(request.url.reveal(), "http://127.0.0.1:9093/api/v2/alerts");
    assert_eq!(body(&request)[0]["labels"]["team"], "documents");
    assert_eq!(header(&request, "authorization"), None);
    let with = |name: &str| alertmanager.clone().with_label(name, "x");
    for name in ["", "0a", "a-b", "ä", "a b"] {
        let message =
            format!("label: got `{name}`, expected letters, digits and `_`, and no digit first");
        refused(with(name), &message);
    }
    for name in [
        "alertname",
        "guard",
        "incident",
        "pipeline",
        "severity",
        "version",
        "team",
    ] {
        let message = format!("label: got `{name}`, expected one that is not there yet");
        refused(with(name), &message);
    }
    refused(
        alertmanager.with_label("site", ""),
        "label site: got ``, expected at least one character",
    );
}

#[test]
fn a_proxy_is_authorised() {
    let request = alertmanager().request(&triggered(), Form::Full, EVENING);
    assert_eq!(
        header(&request.unwrap(), "authorization"),
        Some(AUTHORIZATION)
    );
    for value in ["", " ", "Bearer a\r\nx: y", "Bearer ä"] {
        let error = alertmanager()
            .with_authorization(value)
            .unwrap_err()
            .to_string();
        let expected = "authorization: got `(secret)`, expected visible ASCII characters";
        assert_eq!(error, expected);
    }
}
