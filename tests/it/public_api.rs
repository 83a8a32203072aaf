//! What users rely on: types that cross threads, traits that can be boxed, formats that can be read
//! again.

use std::sync::Arc;

use fusebox::call::Signal;
use fusebox::clock::{Clock, MockClock, SystemClock};
use fusebox::drill::DrillReport;
use fusebox::event::LedgerEvent;
use fusebox::guard::Verdict;
use fusebox::pipeline::{Builder, Snapshot};
use fusebox::sink::Sink;
use fusebox::sink::{
    Background, ChannelSink, EventReceiver, Fanout, Filter, JsonLines, MemorySink,
};
use fusebox::tokens::TokenCounter;
use fusebox::{
    Admission, Call, Drill, Event, EventKind, Feedback, Guard, LineUp, Permit, Pipeline, Reason,
    Report, RouteLedger, Served, Settlement, Severity, Ticket, Timestamp, TokenBudget,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{Bench, EVENING};

#[test]
fn public_types_are_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Admission>();
    check::<fusebox::pager::Alertmanager>();
    check::<fusebox::pager::PagerDuty>();
    check::<fusebox::pager::Slack>();
    #[cfg(feature = "webhook")]
    check::<fusebox::pager::Webhook>();
    #[cfg(feature = "reqwest")]
    check::<fusebox::reqwest::ReqwestPost>();
    check::<Background>();
    check::<Builder>();
    check::<Call<'_>>();
    check::<ChannelSink>();
    check::<Drill<fn() -> Result<Builder, fusebox::Error>>>();
    check::<DrillReport>();
    check::<fusebox::drill::Recording>();
    check::<fusebox::drill::ReplayReport>();
    check::<Event>();
    check::<Fanout>();
    check::<Filter<MemorySink>>();
    check::<fusebox::Error>();
    check::<fusebox::ErrorRateBreaker>();
    check::<JsonLines<Vec<u8>>>();
    check::<LineUp>();
    check::<MemorySink>();
    check::<MockClock>();
    check::<Permit>();
    check::<Pipeline>();
    check::<Report>();
    check::<RouteLedger>();
    check::<Served<String, std::io::ErrorKind>>();
    check::<Settlement>();
    check::<Signal>();
    check::<Snapshot>();
    check::<SystemClock>();
    check::<Ticket>();
    check::<TokenBudget>();
    check::<Verdict>();
}

#[test]
fn an_event_receiver_moves_to_its_thread() {
    fn check<T: Send + 'static>() {}
    check::<EventReceiver>();
}

#[test]
fn traits_are_object_safe_and_pointers_pass_them_on() {
    let _: Option<Box<dyn Clock>> = None;
    let _: Option<Box<dyn Sink>> = None;
    let _: Option<Box<dyn TokenCounter>> = None;
    let boxed: Box<dyn Guard> = Box::new(RouteLedger::default());
    let shared: Arc<dyn Guard> = Arc::new(boxed);
    assert_eq!(shared.name(), "ledger");
}

fn read_again<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) -> Value {
    let written = serde_json::to_value(value).unwrap();
    let read: T = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(read, *value);
    written
}

#[test]
fn a_ticket_is_read_again_and_has_a_format() {
    let bench = Bench::with_guard(RouteLedger::default());
    let ticket = bench.permit("invoice").release();
    let mut written = read_again(&ticket);
    let id = written["id"].as_str().unwrap().to_owned();
    let fingerprint = bench.pipeline.line_up().stable().fingerprint().to_string();
    assert_eq!(
        written,
        json!({
            "format": 1, "id": id, "document": "invoice-1", "document_type": "invoice", "version": "v7", "role": "stable",
            "model": "gpt-4o", "stage": null, "admitted_at": EVENING.as_millis(), "fingerprint": fingerprint,
        })
    );
    written["format"] = json!(2);
    let error = serde_json::from_value::<Ticket>(written)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("unknown format 2") && error.contains("reads format 1"),
        "{error}"
    );
}

#[test]
fn events_are_flat_versioned_and_one_line_for_a_person() {
    let kind = EventKind::Ledger(LedgerEvent::Overdue {
        ticket: "00000000000000ff-7".parse().unwrap(),
        document: fusebox::DocumentId::new("inv\u{1b}[31m-1\n").unwrap(),
        document_type: fusebox::DocumentType::new("invoice").unwrap(),
        open_for: std::time::Duration::from_secs(601),
    });
    let event = Event::new(EVENING, "ledger", Severity::Page, kind);
    assert_eq!(
        read_again(&event),
        json!({
            "format": 1, "at": EVENING.as_millis(), "guard": "ledger", "severity": "page", "dry_run": false, "event": "overdue",
            "ticket": "00000000000000ff-7", "document": "inv\u{1b}[31m-1\n", "document_type": "invoice", "open_for": 601_000,
        })
    );
    let line = event.to_string();
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert!(
        line.starts_with("2026-03-13T21:00:00.000Z page    ledger: "),
        "{line}"
    );
    assert!(line.contains("has been open for 10m 1s"), "{line}");
}

#[test]
fn feedback_reasons_and_snapshots_are_read_again() {
    let bench = Bench::with_guard(RouteLedger::default());
    let ticket = bench.permit("invoice").release();
    read_again(&ticket);
    read_again(&Feedback::corrected(fusebox::Field::new("total").unwrap()));
    read_again(&Reason::PromptCut {
        counted: fusebox::tokens::TokenCount::between(9_001, 12_000),
        reported: 2_051,
        alike: 2,
    });
    let mut written = read_again(&bench.pipeline.snapshot().unwrap());
    written["format"] = json!(9);
    assert!(serde_json::from_value::<Snapshot>(written).is_err());
}

#[test]
fn a_reason_has_the_name_of_its_json() {
    let field = fusebox::Field::new("total").unwrap();
    let version = fusebox::VersionId::new("v7").unwrap();
    let confidence = fusebox::Confidence::percent(50);
    for reason in [
        Reason::DeadlinePassed,
        Reason::GuardFailed {
            guard: "own".into(),
        },
        Reason::InvalidConfidence {
            field: field.clone(),
        },
        Reason::LowConfidence {
            field,
            confidence,
            threshold: confidence,
        },
        Reason::NoVersionLeft,
        Reason::Other("why".into()),
        Reason::PinLost { version },
        Reason::Unmeasured,
    ] {
        let written = serde_json::to_value(&reason).unwrap();
        let keys = written.as_object().and_then(|object| object.keys().next());
        let name = keys.map(String::as_str).or_else(|| written.as_str());
        assert_eq!(name, Some(reason.name()));
    }
}

#[test]
fn a_timestamp_prints_whatever_it_is() {
    assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(
        Timestamp::from_millis(u64::MAX).to_string(),
        "9999-12-31T23:59:59.999Z"
    );
}

/// Reports can be stored and sent, states read in a line of text.
#[test]
fn reports_are_serialisable_and_states_are_printable() {
    fn report<T: Serialize>() {}
    fn state<T: Serialize + DeserializeOwned + std::fmt::Display>() {}
    report::<fusebox::breaker::VersionCounts>();
    report::<fusebox::budget::BoundReport>();
    report::<fusebox::budget::Headroom>();
    report::<fusebox::budget::WhatIf>();
    report::<fusebox::drift::ConfidenceMeans>();
    report::<DrillReport>();
    report::<fusebox::drill::ReplayReport>();
    report::<fusebox::ledger::LedgerReport>();
    report::<fusebox::rollout::Feasibility>();
    report::<fusebox::rollout::RolloutStatus>();
    report::<fusebox::shadow::ShadowReport>();
    state::<fusebox::breaker::BreakerMode>();
    state::<fusebox::breaker::BreakerState>();
    state::<fusebox::breaker::Health>();
    state::<fusebox::drift::DriftState>();
    state::<fusebox::drift::TypeShare>();
    state::<fusebox::rollout::RolloutState>();
    state::<fusebox::rollout::TypeVerdict>();
    state::<fusebox::shadow::ShadowVerdict>();
    let written = serde_json::to_value(RouteLedger::default().report()).unwrap();
    assert_eq!(
        written,
        json!({ "types": {}, "other": null, "open": 0, "awaiting_review": 0 })
    );
    let latched = fusebox::breaker::BreakerState::Latched;
    assert_eq!(format!("{latched:>8}"), " latched");
}
