use std::time::Duration;

use fusebox::pager::{BadSignature, Pager, Secret, Webhook, verify_signature};

use super::*;

fn sent(notification: &Notification, form: Form, now: Timestamp) -> PostRequest {
    webhook().request(notification, form, now).unwrap()
}

fn verified(request: &PostRequest, now: Timestamp) -> Result<(), BadSignature> {
    let signature = header(request, "x-fusebox-signature").unwrap();
    verify_signature(
        &Secret::new(SIGNING_KEY),
        signature,
        &request.body,
        now,
        minutes(5),
    )
}

#[test]
fn the_body_is_what_the_documentation_says() {
    let request = sent(&triggered(), Form::Full, EVENING + minutes(1));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    assert_eq!(header(&request, "authorization"), Some(AUTHORIZATION));
    let mut event = body(&request);
    let details = event["details"].take();
    assert_eq!(details["done_already"], "v6 serves instead of v7");
    let notification = triggered();
    assert_eq!(
        event,
        json!({
            "format": 1, "action": "trigger", "key": "invoices/error-rate/failing/v7/1",
            "pipeline": "invoices", "severity": "page", "summary": notification.summary,
            "details": null, "links": [{ "href": notification.runbook, "text": "Runbook" }],
            "since": "2026-03-13T21:00:00.000Z", "ended_at": null,
            "at": "2026-03-13T21:00:00.000Z",
        })
    );
    let event = body(&sent(&ended(Action::Resolve), Form::Full, EVENING));
    assert_eq!(event["action"], "resolve");
    assert_eq!(
        [&event["ended_at"], &event["at"]],
        ["2026-03-13T21:10:00.000Z"; 2]
    );
    let event = body(&sent(&triggered(), Form::Minimal, EVENING));
    assert_eq!(
        [&event["details"], &event["links"]],
        [&json!({}), &json!([])]
    );
}

/// RFC 4231's first key is 20 bytes that are no text, so: `printf '%s' '1773435600.{"format":1}' |
/// openssl dgst -sha256 -hmac 'sixteen bytes at least'`.
#[test]
fn the_code_is_that_of_openssl() {
    let code = "4c44144101d4d17da4940fbd3a8b8fa0e0c231899117d1c4ab37a22a44e2f1b4";
    let key = Secret::new(SIGNING_KEY);
    let verify = |header: &str, body: &[u8], now: Timestamp| {
        verify_signature(&key, header, body, now, minutes(5))
    };
    let body = br#"{"format":1}"#;
    let signature = format!("t=1773435600,v1={code}");
    assert_eq!(verify(&signature, body, EVENING), Ok(()));
    assert_eq!(
        verify(&format!("v1={code}, t=1773435600"), body, EVENING),
        Ok(())
    );
    let upper = format!("t=1773435600,v1={}", code.to_uppercase());
    assert_eq!(verify(&upper, body, EVENING), Ok(()));
    let one_of_two = format!("t=1773435600,v1={},v1={code},v0=x", "0".repeat(64));
    assert_eq!(verify(&one_of_two, body, EVENING), Ok(()));
    assert_eq!(
        verify(&signature, br#"{"format":2}"#, EVENING),
        Err(BadSignature::Wrong)
    );
    let other_time = format!("t=1773435601,v1={code}");
    assert_eq!(verify(&other_time, body, EVENING), Err(BadSignature::Wrong));
    for end in [
        "",
        "v1=",
        &code[..62],
        &format!("{code}00"),
        &"é".repeat(32),
    ] {
        let cut = format!("t=1773435600,v1={end}");
        assert_eq!(
            verify(&cut, body, EVENING),
            Err(BadSignature::Wrong),
            "{cut}"
        );
    }
    for unreadable in [
        "",
        "t=1773435600",
        &format!("v1={code}"),
        &format!("t=x,v1={code}"),
        &format!("t={},v1={code}", u64::MAX),
        &format!("t=1,{signature}"),
    ] {
        assert_eq!(
            verify(unreadable, body, EVENING),
            Err(BadSignature::Unreadable),
            "{unreadable}"
        );
    }
}

#[test]
fn what_is_sent_is_signed_with_the_time_and_old_ones_are_not_believed() {
    let request = sent(
        &triggered(),
        Form::Full,
        EVENING + Duration::from_millis(999),
    );
    assert_eq!(verified(&request, EVENING), Ok(()));
    assert_eq!(
        verified(&request, EVENING + minutes(5) + Duration::from_millis(999)),
        Ok(())
    );
    let late = EVENING + minutes(5) + Duration::from_secs(1);
    assert_eq!(verified(&request, late), Err(BadSignature::NotNow));
    let early = Timestamp::from_millis(EVENING.as_millis() - 301_000);
    assert_eq!(verified(&request, early), Err(BadSignature::NotNow));
    let mut changed = request.clone();
    changed.body.push(b' ');
    assert_eq!(verified(&changed, EVENING), Err(BadSignature::Wrong));
    let other = Webhook::new(WEBHOOK_URL, "sixteen bytes or more").unwrap();
    let other = other.request(&triggered(), Form::Full, EVENING).unwrap();
    assert_eq!(verified(&other, EVENING), Err(BadSignature::Wrong));
}

#[test]
fn every_attempt_of_the_same_has_the_same_body_and_key() {
    let key = |request: &PostRequest| header(request, "idempotency-key").unwrap().to_owned();
    let first = sent(&triggered(), Form::Full, EVENING);
    let again = sent(&triggered(), Form::Full, EVENING + minutes(7));
    assert_eq!((&first.body, key(&first)), (&again.body, key(&again)));
    assert!(key(&first).len() == 32 && key(&first).is_ascii());
    let grown = changed(&triggered(), json!({ "told_at": EVENING.as_millis() + 1 }));
    let others = [
        sent(&grown, Form::Full, EVENING),
        sent(&triggered(), Form::Minimal, EVENING),
        sent(&ended(Action::Resolve), Form::Full, EVENING),
        sent(&ended(Action::Missed), Form::Full, EVENING),
    ];
    let mut keys: Vec<String> = others.iter().chain([&first]).map(key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 5);
}

#[test]
fn a_key_has_at_least_16_bytes() {
    let error = Webhook::new(WEBHOOK_URL, "fifteen bytes..").unwrap_err();
    let expected = "signing key: got `(secret)`, expected at least 16 bytes";
    assert_eq!(error.to_string(), expected);
    assert!(Webhook::new(WEBHOOK_URL, "sixteen bytes...").is_ok());
}
