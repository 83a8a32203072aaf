//! What an operator reads, and what a sink writes: each event as one line and as flat JSON.

use std::collections::BTreeSet;

use fusebox::event::{OpenIncident, Outbox};
use fusebox::guard::{Cx, Incidents};
use fusebox::{Event, EventKind, Severity};
use serde_json::{Value, json};

use crate::support::{EVENING, line_up};

const GOLDEN: &str = include_str!("../golden/events.txt");

const GROUPS: [(&str, &str); 8] = [
    ("breaker", include_str!("../../src/event/breaker.rs")),
    ("budget", include_str!("../../src/event/budget.rs")),
    ("drift", include_str!("../../src/event/drift.rs")),
    ("incident", include_str!("../../src/event/incident.rs")),
    ("ledger", include_str!("../../src/event/ledger.rs")),
    ("pipeline", include_str!("../../src/event/pipeline.rs")),
    ("rollout", include_str!("../../src/event/rollout.rs")),
    ("shadow", include_str!("../../src/event/shadow.rs")),
];
const ALL_GROUPS: &str = include_str!("../../src/event/kind.rs");

/// The events that open an incident.
pub(crate) const OF_INCIDENTS: [&str; 39] = [
    "abandoned_rate_exceeded",
    "acknowledgement_expired",
    "approval_needed",
    "budget_alarm",
    "confidence_constant",
    "confidence_missing",
    "count_wrong",
    "drift_detected",
    "error_rate_exceeded",
    "events_lost",
    "exhausted",
    "facts_dropped",
    "fallback_missing",
    "found_worse",
    "guard_panicked",
    "lost_in_restart",
    "mix_shift",
    "model_ends",
    "no_tick",
    "nothing_comes_out",
    "overdue",
    "pages_undelivered",
    "probes_failed",
    "prompt_cut",
    "review_capacity_reached",
    "review_queue",
    "rolled_back",
    "rollout_escalated",
    "shape_changed",
    "silent",
    "sink_broken",
    "slow_drift",
    "store_down",
    "store_replaced",
    "store_shared",
    "throttled_rate_exceeded",
    "type_excluded",
    "urgent_failure",
    "usage_not_believed",
];

fn later(minutes: u64) -> u64 {
    EVENING.as_millis() + minutes * 60_000
}

/// A command of an operator.
fn by_ada(mut event: Value) -> Value {
    event["who"] = json!("ada");
    event["why"] = json!("looked at it");
    event
}

/// The same, of one that changes a guard.
fn changed_by_ada(event: Value) -> Value {
    let mut event = by_ada(event);
    event["before"] = json!("what was the case");
    event["after"] = json!("what is the case");
    event
}

fn probes_failed(reason: &str, failure: Option<&str>, next_at: Option<u64>) -> Value {
    json!({
        "event": "probes_failed", "version": "v7", "reason": reason, "failure": failure,
        "next_at": next_at,
    })
}

fn breaker() -> Vec<Value> {
    let trip = |event: &str, reason: &str, errors: u64, kinds: Value| {
        json!({
            "event": event, "version": "v7",
            "reason": reason, "errors": errors, "calls": 100, "threshold": [5, 100],
            "kinds": kinds, "first_failed": "00000000000000ff-7", "last_failed": null,
            "cause": "prompt", "failed_alike": [], "probes_at": null,
        })
    };
    let with = |mut event: Value, key: &str, value: Value| {
        event[key] = value;
        event
    };
    let provider = |mut event: Value| {
        event["cause"] = json!("provider");
        event["failed_alike"] = json!(["v6", "v8"]);
        event["probes_at"] = json!(later(1));
        event
    };
    let exceeded = "error_rate_exceeded";
    vec![
        json!({
            "event": "abandoned_rate_exceeded", "version": "v7", "abandoned": 20, "calls": 100,
            "threshold": [5, 100],
        }),
        changed_by_ada(json!({ "event": "breaker_reconfigured" })),
        changed_by_ada(json!({ "event": "breaker_reset" })),
        changed_by_ada(json!({ "event": "breaker_switched", "mode": "disabled" })),
        changed_by_ada(json!({ "event": "breaker_switched", "mode": "enforce" })),
        changed_by_ada(json!({ "event": "breaker_switched", "mode": "forced_fallback" })),
        changed_by_ada(json!({ "event": "breaker_switched", "mode": "observe_only" })),
        with(
            trip(exceeded, "error_rate", 6, json!({ "server_error": 6 })),
            "fallback",
            json!("v6"),
        ),
        with(
            trip(exceeded, "consecutive_failures", 5, json!({ "timeout": 5 })),
            "fallback",
            json!("v6"),
        ),
        with(
            trip(
                exceeded,
                "last_calls",
                8,
                json!({ "server_error": 6, "timeout": 2 }),
            ),
            "fallback",
            json!("v6"),
        ),
        with(
            trip(exceeded, "slow_calls", 51, json!({})),
            "fallback",
            Value::Null,
        ),
        with(
            provider(trip(
                "exhausted",
                "error_rate",
                9,
                json!({ "overloaded": 9 }),
            )),
            "destination",
            json!({ "queue": "backup" }),
        ),
        with(
            provider(trip(exceeded, "error_rate", 6, json!({ "timeout": 6 }))),
            "fallback",
            json!("v6"),
        ),
        json!({ "event": "fallback_missing", "version": "v7" }),
        json!({
            "event": "fallback_out_of_service", "version": "v8", "fallback": "v7",
            "destination": "human_review",
        }),
        probes_failed("call_failed", Some("timeout"), Some(later(3))),
        probes_failed("call_failed", Some("malformed_output"), None),
        probes_failed("lease_expired", None, Some(later(3))),
        json!({ "event": "probes_started", "version": "v7", "probes": 1 }),
        json!({ "event": "probes_started", "version": "v7", "probes": 3 }),
        changed_by_ada(json!({ "event": "rearmed", "version": "v7" })),
        json!({ "event": "recovered", "version": "v7", "proven_by": null }),
        json!({ "event": "recovered", "version": "v6", "proven_by": "v7" }),
        json!({
            "event": "throttled_rate_exceeded", "version": "v7", "throttled": 30, "calls": 100,
            "threshold": [20, 100],
        }),
        json!({ "event": "urgent_failure", "version": "v7", "failure": "auth" }),
        json!({ "event": "urgent_failure", "version": "v7", "failure": "not_found" }),
        json!({ "event": "urgent_failure", "version": "v7", "failure": "quota_exhausted" }),
        json!({ "event": "urgent_failure", "version": "v7", "failure": "refusal" }),
        json!({
            "event": "would_trip", "version": "v7", "reason": "error_rate", "errors": 6,
            "calls": 100, "threshold": [5, 100],
        }),
    ]
}

fn tokens(lower: u64, upper: Option<u64>, provenance: &str) -> Value {
    json!({ "lower": lower, "upper": upper, "provenance": provenance })
}

fn budget() -> Vec<Value> {
    let alarm = |tokens: Value, limit: u64| {
        json!({
            "event": "budget_alarm", "document_type": "invoice", "version": "v7", "documents": 3,
            "within": 900_000, "tokens": tokens, "limit": limit,
        })
    };
    let wrong = |reported: Value| {
        json!({
            "event": "count_wrong", "document": "inv-1", "document_type": "invoice",
            "version": "v7", "model": "gpt-4o", "counted": tokens(9_000, Some(9_000), "exact"),
            "reported": reported,
        })
    };
    let cut = |counted: Value| {
        json!({
            "event": "prompt_cut", "document": "inv-1", "document_type": "invoice",
            "model": "gpt-4o", "counted": counted, "reported": 10, "alike": 0,
        })
    };
    vec![
        json!({
            "event": "bound_missed", "document_type": "invoice", "model": "claude-x", "misses": 12,
            "documents": 200,
        }),
        alarm(tokens(9_001, Some(9_001), "exact"), 9_000),
        alarm(Value::Null, 0),
        wrong(json!(9_500)),
        wrong(Value::Null),
        json!({
            "event": "little_headroom", "document_type": "invoice", "version": "v7",
            "documents": 500, "p99": 105_000, "largest_prompt": 127_000,
        }),
        json!({ "event": "model_ends", "model": "gpt-4o", "ends_at": 1_795_996_800_000_u64 }),
        cut(tokens(522, Some(522), "exact")),
        cut(tokens(522, Some(64_899), "bound")),
        json!({
            "event": "prompt_cut", "document": "inv-1", "document_type": "invoice",
            "model": "llama3.1", "counted": tokens(3_500, Some(9_000), "assumed"),
            "reported": 4_096, "alike": 2,
        }),
        json!({ "event": "tokenizer_changed", "model": "claude-x", "percent": 72 }),
        json!({
            "event": "usage_not_believed", "document": "inv-1", "document_type": "invoice",
            "model": "claude-x", "counted": tokens(500, Some(2_200), "assumed"),
            "reported": 10_000,
        }),
    ]
}

fn drift() -> Vec<Value> {
    vec![
        json!({
            "event": "accepted_unreviewed", "document": "inv-1", "document_type": "invoice",
            "version": "v7",
        }),
        json!({
            "event": "acknowledgement_expired", "document_type": "invoice", "field": "total",
            "baseline": 950_000, "mean": 900_000, "documents": 112, "threshold": 850_000,
            "who": "ada", "note": "the new scanner; support is at it",
        }),
        changed_by_ada(json!({
            "event": "baseline_restarted", "document_type": "invoice", "field": "total",
            "threshold": 800_000, "generation": 4,
        })),
        changed_by_ada(json!({
            "event": "baseline_restored", "document_type": "invoice", "field": "total",
            "threshold": 800_000, "generation": 5,
        })),
        json!({
            "event": "confidence_constant", "document_type": "invoice", "field": "total",
            "confidence": 1_000_000, "documents": 240,
        }),
        json!({
            "event": "confidence_missing", "document_type": "invoice", "field": "total",
            "documents": 3, "answers": 90,
        }),
        json!({
            "event": "drift_acknowledged", "document_type": "invoice", "field": "total",
            "until": later(1_440), "who": "ada", "note": "the new scanner; support is at it",
            "before": "raised, threshold 0.850", "after": "acknowledged, threshold 0.850",
        }),
        json!({
            "event": "drift_detected", "document_type": "invoice", "field": "total",
            "version": "v7", "rule": "mean", "baseline": 950_000, "baseline_number": 1, "mean": 700_000,
            "standard_error": 12_000, "documents": 30, "threshold": 850_000, "generation": 1,
            "detectable_drop": 150_000, "compared_with": "Monday", "also": [], "more": 0,
        }),
        json!({
            "event": "drift_detected", "document_type": "invoice", "field": "total",
            "version": null, "rule": "sequential", "baseline": 950_000, "baseline_number": 2, "mean": 920_000,
            "standard_error": 12_000, "documents": 112, "threshold": 850_000, "generation": 2,
            "detectable_drop": null, "compared_with": null, "also": ["invoice.date", "invoice.vendor"], "more": 3,
        }),
        json!({
            "event": "drift_recovered", "document_type": "invoice", "field": "total",
            "version": "v7",
            "baseline": 950_000, "mean": 940_000, "documents": 112, "threshold": 800_000,
            "generation": 3,
        }),
        changed_by_ada(json!({
            "event": "drift_resolved", "document_type": "invoice", "field": "total",
            "threshold": 800_000, "generation": 3,
        })),
        json!({
            "event": "drift_reviewed", "document_type": "invoice", "field": "total", "confirmed": true,
            "reviewed_before": 200, "corrected_before": 4,
            "reviewed_since": 50, "corrected_since": 12,
        }),
        json!({
            "event": "drift_reviewed", "document_type": "invoice", "field": "total", "confirmed": false,
            "reviewed_before": 200, "corrected_before": 4,
            "reviewed_since": 100, "corrected_since": 3,
        }),
    ]
}

fn drift_reports() -> Vec<Value> {
    vec![
        json!({
            "event": "invalid_confidence", "document": "inv-1", "document_type": "invoice",
            "field": "total",
        }),
        json!({
            "event": "mix_shift", "version": "v7", "before": 920_000, "mean": 860_000,
            "by_mix": 0.062, "within_types": -0.002, "documents": 720,
            "types": [
                {
                    "document_type": "contract", "before": [2_000, 10_000],
                    "now": [6_000, 10_000], "mean": 803_000,
                },
                {
                    "document_type": "invoice", "before": [8_000, 10_000], "now": [3_950, 10_000],
                    "mean": null,
                },
            ],
        }),
        json!({
            "event": "raised_without_data", "document_type": "invoice", "field": "total",
            "documents": 4, "threshold": 850_000,
        }),
        json!({
            "event": "review_capacity_reached", "document_type": "invoice", "version": "v7",
            "capacity": [1, 2], "wanted": 26, "documents": 30, "accepted": 11,
        }),
        json!({
            "event": "shape_changed", "document_type": "invoice", "field": "total",
            "change": "spread", "ks": 500_000, "p": 0.000_01, "distance": 74_000, "documents": 112,
        }),
        json!({
            "event": "slow_drift", "document_type": "invoice", "field": "total",
            "baseline": 950_000, "baseline_number": 1, "mean": 928_000, "standard_error": 2_000,
            "documents": 900,
        }),
        json!({
            "event": "threshold_raised", "document_type": "invoice", "field": "total",
            "threshold": 867_000, "generation": 6,
        }),
    ]
}

fn ledger() -> Vec<Value> {
    let ticket = "00000000000000ff-7";
    vec![
        json!({
            "event": "abandoned", "document": "inv-1", "document_type": "invoice", "version": "v7",
        }),
        json!({
            "event": "lost_in_restart", "ticket": ticket, "document": "inv-1",
            "document_type": "invoice",
        }),
        json!({
            "event": "nothing_comes_out", "document_type": "invoice", "arrived": 12,
            "silent_for": 900_000, "also": ["letter", "memo"], "more": 288,
        }),
        json!({
            "event": "overdue", "ticket": ticket, "document": "inv-1", "document_type": "invoice",
            "open_for": 601_000,
        }),
        json!({
            "event": "review_queue", "document": "inv-1", "document_type": "invoice",
            "waited": 32_400_000, "waiting": 12, "limit": 28_800_000,
        }),
        json!({
            "event": "silent", "document_type": "statement", "last_seen": later(0),
            "silent_for": 7_200_000, "also": [], "more": 0,
        }),
        json!({
            "event": "silent", "document_type": "statement", "last_seen": null,
            "silent_for": 7_200_000, "also": ["letter"], "more": 0,
        }),
        json!({ "event": "watched_anew", "lasted": 3_660_000 }),
        json!({
            "event": "written_off", "ticket": ticket, "document": "inv-1",
            "document_type": "invoice", "open_for": 660_000, "who": "ada",
            "why": "processed by hand",
        }),
    ]
}

fn pipeline() -> Vec<Value> {
    let diverted = |reasons: Value| {
        json!({
            "event": "diverted", "document": "inv-1", "document_type": "invoice", "version": "v7",
            "destination": "human_review", "reasons": reasons,
        })
    };
    let would_act = |route: Value, reasons: Value| {
        json!({
            "event": "would_act", "document": "inv-1", "document_type": "invoice", "route": route,
            "reasons": reasons,
        })
    };
    let breakdown = |lower: u64, upper: u64| {
        let none = tokens(0, Some(0), "exact");
        json!({
            "system": tokens(1_000, Some(1_000), "exact"),
            "document": tokens(lower, Some(upper), if lower == upper { "exact" } else { "bound" }),
            "history": none, "tools": none, "images": none, "framing": none, "answer": 1_000,
        })
    };
    let over_budget = |lower: u64, upper: u64| {
        json!({ "over_budget": {
            "version": "v7", "breakdown": breakdown(lower, upper), "limit": 9_000,
            "largest_prompt": 10_000,
        } })
    };
    vec![
        json!({ "event": "deployed", "stable": "v7", "previous": null, "candidate": null }),
        json!({ "event": "deployed", "stable": "v7", "previous": "v6", "candidate": "v8" }),
        diverted(json!(["deadline_passed"])),
        diverted(json!([{ "guard_failed": { "guard": "token-budget" } }])),
        diverted(json!(["no_version_left"])),
        diverted(json!([over_budget(8_001, 8_001)])),
        diverted(json!([over_budget(8_500, 8_900)])),
        diverted(json!([over_budget(10, 12_000)])),
        diverted(json!([over_budget(9_500, 12_000)])),
        diverted(json!([{ "pin_lost": { "version": "v7" } }])),
        diverted(json!([{ "other": "supplier is blocked" }, "unmeasured"])),
        json!({ "event": "events_lost", "lost": 3 }),
        json!({
            "event": "facts_dropped", "facts": 1, "until": null,
            "reason": "100000 waited for the store",
        }),
        json!({
            "event": "facts_dropped", "facts": 1_200, "until": later(5),
            "reason": "the store has reached the most that it may hold",
        }),
        json!({ "event": "guard_panicked", "panicked_guard": "token-budget" }),
        json!({ "event": "keys_exhausted", "limit": 1_000, "first": "memo" }),
        json!({
            "event": "larger_model", "document": "inv-1", "document_type": "invoice",
            "version": "v7", "model": "gpt-4.1",
        }),
        json!({ "event": "no_tick", "lasted": 300_001 }),
        json!({
            "event": "pages_undelivered", "route": "on call", "pages": 2, "lasted": 125_000,
            "reason": "answered 503: no\nthanks",
        }),
        json!({
            "event": "pin_lost", "document": "inv-1", "document_type": "invoice",
            "pinned_to": "v7", "version": "v8",
        }),
        by_ada(json!({
            "event": "rollout_forced", "candidate": "v8",
            "gaps": ["calls hang: no drill", "no sink reaches the operator"],
        })),
        json!({ "event": "sink_broken", "panics": 2 }),
        json!({
            "event": "store_down", "lasted": 12_000,
            "reason": "store fusebox.db is full: no room on the disk",
        }),
        json!({
            "event": "store_replaced",
            "reason": "store fusebox.db is replaced: it was damaged and is now `*.corrupt`",
        }),
        json!({ "event": "store_shared", "other": "00000000000000ab", "since": later(5) }),
        would_act(json!("the previous version"), json!([])),
        would_act(
            Value::Null,
            json!([
                { "invalid_confidence": { "field": "date" } },
                { "low_confidence": {
                    "field": "total", "confidence": 700_000, "threshold": 800_000,
                } },
                { "prompt_cut": {
                    "counted": tokens(522, Some(522), "exact"), "reported": 10, "alike": 0,
                } },
            ]),
        ),
        would_act(
            Value::Null,
            json!([{ "prompt_cut": {
                "counted": tokens(522, Some(64_899), "bound"), "reported": 10, "alike": 1,
            } }]),
        ),
        json!({
            "event": "would_refuse",
            "reason": "canary stages: got `none`, expected at least one stage",
        }),
    ]
}

fn findings(measure: &str, candidate: (u64, u64), stable: (u64, u64), ratio: Option<f64>) -> Value {
    json!({
        "document_type": null,
        "evidence": {
            "measure": measure,
            "candidate": { "documents": candidate.1, "events": candidate.0 },
            "stable": { "documents": stable.1, "events": stable.0 },
            "ratio": ratio, "ln_e": 0.0, "p_exceeds": 0.02, "information": 9.0, "exceeds": false,
        },
        "maturity": { "candidate": 0.8, "stable": 0.9 }, "equal_review_assumed": false,
        "slow_reviews": false, "uncovered": [], "unjudged": [], "excluded": [], "not_serving": [], "max_ratio": [3, 2], "next_evaluation": null,
        "by_operator": false,
    })
}

/// A version, the document type, and who serves instead.
type Away = (&'static str, Option<&'static str>, Option<&'static str>);

fn away(mut holds: Value, versions: &[Away]) -> Value {
    let versions = versions.iter().map(|(version, document_type, instead)| {
        json!({ "version": version, "document_type": document_type, "instead": instead })
    });
    holds["findings"]["not_serving"] = versions.collect();
    holds
}

fn worse(measure: &str) -> Value {
    let mut worse = findings(measure, (60, 1_000), (570, 19_000), Some(2.0));
    let evidence = &mut worse["evidence"];
    (evidence["ln_e"], evidence["exceeds"]) = (json!(5.0), json!(true));
    evidence["p_exceeds"] = json!(0.999);
    worse
}

fn plan_too_short() -> Value {
    json!({
        "event": "plan_too_short", "candidate": "v8", "stage": 1, "corrected": 22,
        "over": 86_400_000, "waits": 28_800_000, "needed": 273_600_000,
    })
}

fn first_stage(mut started: Value) -> Value {
    started["share"] = json!([5, 100]);
    started
}

fn of_contracts(mut findings: Value) -> Value {
    findings["document_type"] = json!("contract");
    findings["excluded"] = json!(["contract", "memo"]);
    findings
}

fn followed() -> Value {
    json!({
        "event": "rollout_followed", "candidate": "v8", "stage": 1,
        "before": "running at stage 1 with 5 %", "after": "rolled back at stage 1 with 0 %",
    })
}

fn waits() -> Value {
    let why = "collecting: 10 of 200 documents compared";
    json!({ "event": "rollout_waits", "candidate": "v8", "why": why })
}

fn rollout() -> Vec<Value> {
    let fine = || findings("corrections", (30, 1_000), (570, 19_000), Some(1.0));
    let empty = || {
        let mut empty = findings("corrections", (0, 0), (0, 0), None);
        empty["evidence"]["p_exceeds"] = json!(0.34);
        empty["maturity"] = json!({ "candidate": 0.0, "stable": 0.0 });
        empty
    };
    let by_operator = |mut findings: Value| {
        findings["by_operator"] = json!(true);
        findings
    };
    let assumed = |mut findings: Value| {
        findings["equal_review_assumed"] = json!(true);
        findings
    };
    let event = |event: &str, stage: u8, findings: Value| json!({ "event": event, "candidate": "v8", "stage": stage, "findings": findings });
    let rolled_back = |findings: Value| event("rolled_back", 2, findings);
    let holds = |reason: &str, next_evaluation: Value| {
        let mut holds = event("rollout_holds", 1, empty());
        (holds["reason"], holds["findings"]["next_evaluation"]) = (json!(reason), next_evaluation);
        holds
    };
    let commanded = |command: &str| {
        changed_by_ada(json!({
            "event": "rollout_commanded", "candidate": "v8", "stage": 1, "command": command,
        }))
    };
    let not_counted = |reason: &str| {
        json!({
            "event": "correction_not_counted", "document": "inv-1", "document_type": "invoice",
            "version": "v7", "reason": reason,
        })
    };
    let mut certain = worse("corrections");
    certain["evidence"]["ln_e"] = json!(20.0);
    let mut escalated = fine();
    escalated["uncovered"] = json!(["statement", "year_end"]);
    escalated["slow_reviews"] = json!(true);
    escalated["unjudged"] = (1..=12).map(|n| json!(format!("type-{n}"))).collect();
    let mut excluded = event("type_excluded", 2, of_contracts(worse("corrections")));
    excluded["document_type"] = json!("contract");
    vec![
        event("approval_needed", 1, fine()),
        json!({ "event": "candidate_barred", "candidate": "v8" }),
        not_counted("no_answer"),
        not_counted("not_compared"),
        not_counted("nothing_to_retract"),
        json!({
            "event": "found_worse", "candidate": "v8", "stable": "v7",
            "findings": assumed(worse("corrections")),
        }),
        plan_too_short(),
        rolled_back(certain),
        rolled_back(worse("failures")),
        rolled_back(worse("abandonments")),
        rolled_back(worse("diversions")),
        rolled_back(by_operator(worse("truncations"))),
        commanded("abort"),
        commanded("approve"),
        commanded("hold"),
        commanded("pause"),
        commanded("promote"),
        commanded("readmit"),
        commanded("resume"),
        event("rollout_escalated", 3, escalated),
        followed(),
        holds("not_cleared", Value::Null),
        holds("paused", Value::Null),
        away(
            holds("stable_not_serving", Value::Null),
            &[("v7", None, Some("v6")), ("v8", None, Some("v6"))],
        ),
        away(
            holds("stable_not_serving", Value::Null),
            &[
                ("v7", Some("contract"), Some("v6")),
                ("v7", Some("memo"), None),
            ],
        ),
        away(
            holds("candidate_not_serving", json!(later(480))),
            &[("v8", None, Some("v7"))],
        ),
        holds("not_due", json!(later(120))),
        holds("no_reviews", json!(later(480))),
        holds("no_evidence", json!(later(480))),
        holds("immature", json!(later(480))),
        holds("split_broken", json!(later(480))),
        holds("coverage", json!(later(480))),
        holds("unclear", json!(later(480))),
        holds("approval", json!(later(480))),
        json!({ "event": "rollout_promoted", "candidate": "v8", "findings": fine() }),
        waits(),
        first_stage(event("stage_started", 1, empty())),
        excluded,
    ]
}

fn shadow() -> Vec<Value> {
    vec![
        json!({
            "event": "candidate_no_worse", "candidate": "v8", "candidate_wrong": 61,
            "production_wrong": 60, "documents": 2000,
        }),
        json!({
            "event": "candidate_worse", "candidate": "v8", "candidate_wrong": 61,
            "production_wrong": 30, "documents": 1000,
        }),
        json!({
            "event": "review_acknowledged", "candidate": "v8", "who": "ada",
            "why": "all of one supplier",
        }),
        json!({
            "event": "review_requested", "candidate": "v8", "production": "v7", "diverged": 41,
            "compared": 500, "threshold": [8, 100],
        }),
        json!({
            "event": "shadow_blind", "candidate": "v8",
            "why": "only 90 of 200 documents could be compared",
        }),
        json!({
            "event": "shadow_finished", "candidate": "v8", "diverged": 20, "compared": 500,
            "not_comparable": 3,
        }),
    ]
}

fn incident() -> Vec<Value> {
    vec![
        json!({
            "event": "incident_acknowledged", "opened_by": "lost_in_restart", "version": null,
            "about": null, "opened_at": later(0), "who": "ada", "note": "all three processed again",
        }),
        json!({
            "event": "incident_resolved", "opened_by": "error_rate_exceeded", "version": "v7",
            "about": null, "opened_at": later(0), "times": 1,
        }),
        json!({
            "event": "incident_resolved", "opened_by": "error_rate_exceeded", "version": "v7",
            "about": "statement", "opened_at": later(0), "times": 4,
        }),
    ]
}

pub(crate) fn samples() -> Vec<Value> {
    let custom = json!({ "event": "custom", "name": "expensive", "message": "inv-1 cost 2 EUR" });
    let groups = [
        breaker(),
        budget(),
        drift(),
        drift_reports(),
        incident(),
        ledger(),
        pipeline(),
        rollout(),
        shadow(),
    ];
    let mut all: Vec<Value> = groups.into_iter().flatten().collect();
    all.push(custom);
    all
}

pub(crate) fn read(sample: &Value) -> EventKind {
    serde_json::from_value(sample.clone()).unwrap_or_else(|error| panic!("{sample}: {error}"))
}

#[test]
fn an_operator_reads_these_lines() {
    let lines: Vec<String> = samples()
        .iter()
        .map(read)
        .map(|kind| format!("{}: {kind}", kind.name()))
        .collect();
    for (line, golden) in lines.iter().zip(GOLDEN.lines()) {
        assert_eq!(line, golden);
    }
    assert_eq!(lines.len(), GOLDEN.lines().count());
}

/// The incident that an event opens.
pub(crate) fn opened_by(kind: EventKind) -> OpenIncident {
    let (line_up, outbox, incidents) = (line_up(), Outbox::new(), Incidents::new());
    let cx = Cx::new(EVENING, &line_up, &outbox, "guard-1").with_incidents(&incidents);
    cx.emit(Severity::Page, kind);
    incidents.open("guard-1").remove(0)
}

/// What was done, what ends it, and what to do.
fn guidance(kind: EventKind) -> [String; 3] {
    let incident = opened_by(kind);
    [incident.done_already, incident.ends_when, incident.undo]
}

/// All others have the words for a guard of one's own, of which the library knows nothing.
#[test]
fn every_event_that_opens_an_incident_has_guidance_of_its_own() {
    let general = guidance(EventKind::custom("expensive", "inv-1 cost 2 EUR"));
    let kinds: Vec<_> = samples().iter().map(read).collect();
    let guided = kinds
        .iter()
        .filter(|kind| guidance((*kind).clone()) != general);
    let names: BTreeSet<_> = guided.map(EventKind::name).collect();
    assert_eq!(names, BTreeSet::from(OF_INCIDENTS));
}

#[test]
fn json_is_flat_and_read_again() {
    for sample in samples() {
        let kind = read(&sample);
        assert_eq!(sample["event"], kind.name());
        assert_eq!(serde_json::to_value(&kind).unwrap(), sample);
        let event = Event::new(EVENING, "guard-1", Severity::Page, kind);
        let text = serde_json::to_string(&event).unwrap();
        let mut flat = sample;
        for (key, value) in [
            ("format", json!(1)),
            ("at", json!(EVENING.as_millis())),
            ("guard", json!("guard-1")),
            ("severity", json!("page")),
            ("dry_run", json!(false)),
        ] {
            assert!(flat.get(key).is_none(), "two fields of {flat} are {key}");
            flat[key] = value;
        }
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), flat);
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

#[test]
fn the_stage_in_the_text_is_the_one_in_the_json() {
    let staged = |sample: &Value| sample.get("stage").and_then(Value::as_u64);
    let mut names = BTreeSet::new();
    for sample in samples() {
        if let Some(stage) = staged(&sample) {
            let kind = read(&sample);
            let text = format!("{kind} ");
            let ends = [' ', ',', ':'].map(|end| format!(" stage {stage}{end}"));
            assert!(ends.iter().any(|end| text.contains(end)), "{stage}: {text}");
            names.insert(kind.name());
        }
    }
    let source = GROUPS[6].1;
    let (fields, _) = source.split_once("impl RolloutEvent").unwrap();
    assert_eq!(names.len(), fields.matches("        stage: u8,").count());
}

fn body_of_name(source: &str) -> &str {
    let (_, body) = source.split_once("pub fn name(&self)").unwrap();
    let (body, _) = body.split_once("\n    }\n").unwrap();
    body
}

fn names(source: &str) -> BTreeSet<&str> {
    let arms = body_of_name(source).lines();
    arms.filter_map(|arm| arm.split_once(" => \""))
        .map(|(_, name)| name.trim_end_matches("\","))
        .collect()
}

#[test]
fn no_event_is_without_a_line() {
    let groups: Vec<String> = body_of_name(ALL_GROUPS)
        .lines()
        .filter_map(|arm| arm.trim().strip_suffix("(event) => event.name(),"))
        .map(|group| group.trim_start_matches("Self::").to_lowercase())
        .collect();
    assert_eq!(groups, GROUPS.map(|(group, _)| group));
    let mut all = names(ALL_GROUPS);
    assert_eq!(all, BTreeSet::from(["custom"]));
    for (group, source) in GROUPS {
        let names = names(source);
        let arms = body_of_name(source).matches("Self::").count();
        assert_eq!(names.len(), arms, "{group}: {names:?}");
        all.extend(names);
    }
    let golden: BTreeSet<&str> = GOLDEN
        .lines()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(golden, all);
}
