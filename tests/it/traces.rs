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
            r#"{"guard": "drift", "id": "1", "title": "", "config": {}, "steps": []}"#,
            "case 1: guard `drift` is not replayed yet",
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
        let problem = replay::cases(case).unwrap_err();
        assert!(problem.contains(message), "{problem}");
    }
}
