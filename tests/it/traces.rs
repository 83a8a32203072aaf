//! Recorded cases replay as they say, and a trace that is wrong says where.

#[path = "../../examples/trace/replay/mod.rs"]
mod replay;

use std::path::Path;

#[test]
fn every_recorded_case_replays() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for result in replay::file(&path).unwrap() {
            assert!(
                result.passed,
                "{} {}: {:?}",
                path.display(),
                result.id,
                result.failures
            );
            assert!(!result.observed.is_empty());
            cases += 1;
        }
    }
    assert!(cases >= 20, "{cases} cases");
}

fn breaker(steps: &str) -> String {
    format!(
        r#"{{"guard": "breaker", "id": "X", "title": "x", "config": {{"window_ms": 1000, "buckets": 10, "min_calls": 2,
            "threshold": [1, 2]}}, "steps": [{steps}]}}"#
    )
}

fn drift(steps: &str) -> String {
    format!(
        r#"{{"guard": "drift", "id": "X", "title": "x", "config": {{"rule": "full", "sequential": {{"limit": 1000}}}},
            "steps": [{steps}]}}"#
    )
}

fn rollout(steps: &str) -> String {
    format!(
        r#"{{"guard": "rollout", "id": "X", "title": "x", "config": {{"policy": "canary"}}, "steps": [{steps}]}}"#
    )
}

#[test]
fn an_expectation_that_is_not_met_is_reported() {
    let case = breaker(
        r#"{"op": "call", "t": 0, "outcome": "ok", "state": "open", "total": 1, "route": "fallback"}"#,
    );
    let result = &replay::cases(&case).unwrap()[0];
    assert!(!result.passed);
    let failures: Vec<_> = result
        .failures
        .iter()
        .map(|failure| (failure.step, failure.key.as_str()))
        .collect();
    assert_eq!(failures, [(1, "state"), (1, "route")]);
    let line = serde_json::to_string(result).unwrap();
    assert!(
        line.contains(r#"{"step":1,"key":"state","expected":"open","got":"closed"}"#),
        "{line}"
    );
}

fn is_named(case: &str, message: &str) {
    let problem = replay::cases(case).unwrap_err();
    assert!(problem.contains(message), "{problem}");
}

#[test]
fn what_is_wrong_is_named() {
    for (case, message) in [
        ("{", "not JSON: "),
        ("[1]", "case: expected an object"),
        (r#"{"guard": "breaker"}"#, "id: is missing"),
        (
            r#"{"guard": "x", "id": "1", "title": "", "config": {}, "steps": []}"#,
            "case 1: guard: got `x`, expected breaker",
        ),
        (
            r#"{"guard": "shadow", "id": "1", "title": "", "config": {}, "steps": []}"#,
            "case 1: guard `shadow` is not replayed yet",
        ),
    ] {
        is_named(case, message);
    }
}

#[test]
fn what_is_wrong_in_a_trace_of_a_drift_monitor_is_named() {
    for (case, message) in [
        (
            &drift("").replace("full", "strict"),
            "rule: got `strict`, expected full or published",
        ),
        (
            &drift("").replace("full", "published"),
            "sequential: expected only with the rule full",
        ),
        (
            &drift("").replace(r#""rule""#, r#""bucket_ms": 7, "rule""#),
            "bucket_ms: got `7`, expected a part of window_ms (14400000)",
        ),
        (
            &drift("").replace(r#""rule""#, r#""delta_micro": 1000001, "rule""#),
            "delta_micro: confidence: got `1000001`, expected 0 to 1000000 millionths",
        ),
        (
            &drift("").replace(r#""rule""#, r#""restore": "later", "rule""#),
            "restore: got `later`, expected manual or auto",
        ),
        (
            &drift("").replace("1000", "0"),
            "drift average_run_length: got `0`, expected 1 to 1000000000000 documents",
        ),
        (
            &drift("").replace("1000", r#"1000, "p": 0.1"#),
            "key: got `p`, expected one of limit, lambdas",
        ),
        (
            &drift("").replace("1000", r#"1000, "lambdas": [1, 2, 4]"#),
            "lambdas: expected five numbers",
        ),
        (
            &drift("").replace("1000", r#"1000, "lambdas": [1, 2, 4, 6, 0]"#),
            "drift lambdas: got `0`, expected finite numbers above 0",
        ),
    ] {
        is_named(case, message);
    }
}

#[test]
fn what_is_wrong_in_a_step_of_a_drift_monitor_is_named() {
    for (case, message) in [
        (
            &drift(
                r#"{"op": "look", "t": 0, "type": "invoice", "field": "total"},
                {"op": "baseline", "type": "invoice", "field": "total", "score": 0.9}"#,
            ),
            "step 2: baseline: expected before all other operations",
        ),
        (
            &drift(
                r#"{"op": "baseline", "type": "invoice", "field": "total", "scores": [0.9], "n": 2}"#,
            ),
            "scores: expected without score and n",
        ),
        (
            &drift(r#"{"op": "baseline", "type": "invoice", "field": "total", "score": 1.1}"#),
            "confidence: got `1.1`, expected a number from 0 to 1",
        ),
        (
            &drift(r#"{"op": "doc", "t": 0, "type": "invoice", "fields": {"total": "low"}}"#),
            "fields: total: expected a number",
        ),
        (
            &drift(
                r#"{"op": "doc", "t": 0, "type": "invoice", "fields": {"a": 0.9, "b": 0.9}, "state": "healthy"}"#,
            ),
            "state: expected in a step of one field: `look` at one of them",
        ),
        (
            &drift(r#"{"op": "restore", "t": 0, "type": "invoice", "field": "total"}"#),
            "field: got `invoice.total`, expected a field that has been reported",
        ),
        (
            &rollout(
                r#"{"op": "traffic", "t": 0, "type": "invoice", "candidate": 1, "batch": "b"}"#,
            ),
            "step 1: batch: expected a whole number from 0 on",
        ),
        (
            &rollout(
                r#"{"op": "traffic", "t": 0, "type": "invoice", "candidate": 1, "candidate_corrected": 2}"#,
            ),
            "traffic: more are corrected than answered",
        ),
        (
            &rollout(
                r#"{"op": "abort", "t": 0}, {"op": "traffic", "t": 0, "type": "invoice", "candidate": 1}"#,
            ),
            "step 2: traffic: one of the versions gets no documents now",
        ),
        (
            &rollout(r#"{"op": "resume", "t": 0}"#),
            "canary resume: got `running`, expected a paused rollout",
        ),
        (
            &rollout("").replace("canary", "green"),
            "policy: got `green`, expected canary or blue_green",
        ),
        (
            &breaker(r#"{"op": "tick", "t": 0, "stat": "open"}"#),
            "case X: step 1: key: got `stat`, expected one of op, t, state, total",
        ),
        (
            &breaker(r#"{"op": "explode", "t": 0}"#),
            "op: got `explode`, expected an operation of this guard",
        ),
        (
            &breaker(r#"{"op": "call", "t": -1, "outcome": "ok"}"#),
            "t: expected a whole number from 0 on",
        ),
        (
            &breaker(r#"{"op": "call", "t": 0, "outcome": "drop"}"#),
            "outcome: got `drop`, expected one of ok, err, ignore",
        ),
        (
            &breaker(r#"{"op": "done", "t": 0, "id": "p", "outcome": "ok"}"#),
            "id: `p` was not acquired",
        ),
        (
            &breaker("").replace(r#""min_calls": 2"#, r#""min_calls": 2, "recovery": "wait""#),
            "wait_ms: is missing",
        ),
        (
            &breaker("").replace("1000", "0"),
            "error rate window: got `0s`, expected longer than zero",
        ),
    ] {
        is_named(case, message);
    }
}
