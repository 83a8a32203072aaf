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

fn shadow(config: &str, steps: &str) -> String {
    format!(
        r#"{{"guard": "shadow", "id": "X", "title": "x", "config": {{{config}}}, "steps": [{steps}]}}"#
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

#[test]
fn every_expectation_of_a_shadow_run_is_checked() {
    let step = r#"{"op": "pair", "t": 0, "doc": "d", "production": 1, "candidate": 2"#;
    for (key, right, wrong) in [
        ("bucket", r#""diverged""#, r#""match""#),
        ("kind", r#""changed""#, r#""missing""#),
        ("paths", r#"[""]"#, r#"["", "/a"]"#),
        ("verdict", r#""collecting""#, r#""blind""#),
        ("compared", "1", "2"),
        ("diverged", "1", "0"),
        ("interval", "[0.206549314, 1]", "[0.206549315, 1]"),
        ("reviews", "0", "1"),
        ("uncovered", "[]", r#"["invoice"]"#),
    ] {
        for (expected, passes) in [(right, true), (wrong, false)] {
            let case = shadow("", &format!(r#"{step}, "{key}": {expected}}}"#));
            let result = &replay::cases(&case).unwrap()[0];
            assert_eq!(result.passed, passes, "{key}: {:?}", result.failures);
        }
    }
}

#[test]
fn a_tolerance_holds_for_each_number_of_a_list() {
    let pair = r#"{"op": "pair", "t": 0, "doc": "d", "production": 1, "candidate": 2, "#;
    for (interval, passes) in [
        ("[0.2067, 1]", true),
        ("[0.2068, 1]", false),
        ("[0.2067, 1.002]", false),
        ("[0.2067]", false),
    ] {
        let case = shadow("", &format!(r#"{pair}"interval": {interval}}}"#));
        let case = case.replace(r#""title""#, r#""tolerance": 0.001, "title""#);
        let result = &replay::cases(&case).unwrap()[0];
        assert_eq!(result.passed, passes, "{interval}");
    }
}

/// Finding out which of so many elements belong together takes too long.
#[test]
fn an_answer_that_cannot_be_compared_is_counted_so() {
    let list = |from: u64| (0..1_000).map(|n| n * 10 + from).collect::<Vec<_>>();
    let config = r#""compare": {"unordered": [""], "tolerance": {"": {"absolute": 1}}}"#;
    let step = format!(
        r#"{{"op": "pair", "t": 0, "doc": "d", "production": {:?}, "candidate": {:?},
            "bucket": "not_comparable", "kind": null, "paths": [], "compared": 0, "uncovered": ["invoice"]}}"#,
        list(0),
        list(3)
    );
    let result = &replay::cases(&shadow(config, &step)).unwrap()[0];
    assert!(result.passed, "{:?}", result.failures);
}

#[test]
fn what_is_wrong_in_the_configuration_of_a_shadow_run_is_named() {
    for (config, message) in [
        (
            r#""share": 1"#,
            "key: got `share`, expected one of min, max, threshold_bp, checkpoints, timeout_ms, in_flight, compare, \
             expected_types",
        ),
        (
            r#""min": 20, "max": 10"#,
            "shadow documents: got `20 to 10`, expected 1 <= min <= max <= 100000",
        ),
        (
            r#""min": 20, "checkpoints": [10]"#,
            "shadow checkpoint: got `10`, expected 20 to 500, as the run's documents",
        ),
        (
            r#""checkpoints": [1.5]"#,
            "checkpoints: expected a list of whole numbers",
        ),
        (
            r#""threshold_bp": 0"#,
            "shadow threshold: got `0 %`, expected more than 0 % and less than 100 %",
        ),
        (
            r#""timeout_ms": 0"#,
            "shadow timeout: got `0ns`, expected more than 0 s and at most 24 h",
        ),
        (
            r#""in_flight": 0"#,
            "shadow calls in flight: got `0`, expected 1 to 10000",
        ),
        (
            r#""expected_types": [""]"#,
            "document type: got ``, expected at least one character",
        ),
        (
            r#""compare": {"path": 1}"#,
            "compare: key: got `path`, expected one of critical, tolerance, unordered, ignore, text",
        ),
        (
            r#""compare": {"critical": ["total"]}"#,
            "compare: critical path: got `total`, expected a JSON pointer such as `/lines/*/amount`",
        ),
        (
            r#""compare": {"text": "similar"}"#,
            "compare: text: got `similar`, expected exact or normalised",
        ),
        (
            r#""compare": {"tolerance": {"/a": 1}}"#,
            "compare: tolerance: /a: expected an object",
        ),
        (
            r#""compare": {"tolerance": {"/a": {}}}"#,
            "compare: tolerance: /a: expected one of absolute, relative",
        ),
        (
            r#""compare": {"tolerance": {"/a": {"absolute": true}}}"#,
            "compare: tolerance: /a: absolute: expected a number",
        ),
        (
            r#""compare": {"tolerance": {"/a": {"relative": 1}}}"#,
            "compare: relative tolerance: got `1`, expected a decimal number from 0 to less than 1",
        ),
    ] {
        is_named(&shadow(config, ""), message);
    }
}

#[test]
fn what_is_wrong_in_a_step_of_a_shadow_run_is_named() {
    let pair =
        |more: &str| format!(r#"{{"op": "pair", "t": 0, "doc": "d", "production": 1, {more}}}"#);
    for (step, message) in [
        (
            pair(r#""candidate": 1, "kinds": "changed""#),
            "case X: step 1: key: got `kinds`, expected one of op, t, doc, type, production, candidate, n, every, bucket",
        ),
        (pair(r#""type": "a""#), "step 1: candidate: is missing"),
        (
            pair(r#""candidate": 1, "type": """#),
            "document type: got ``, expected at least one character",
        ),
        (pair(r#""candidate": 1, "n": 0"#), "n: expected at least 1"),
        (
            pair(r#""candidate": {"$error": 429}"#),
            "candidate: $error: expected a text",
        ),
        (
            pair(r#""candidate": {"$panic": null}"#),
            "candidate: $panic: expected a text",
        ),
        (
            pair(r#""candidate": {"$hang": false}"#),
            "candidate: $hang: expected true",
        ),
        (
            r#"{"op": "review", "t": 0}"#.to_owned(),
            "op: got `review`, expected an operation of this guard",
        ),
        (
            r#"{"op": "look", "t": 0, "who": "ada"}"#.to_owned(),
            "key: got `who`, expected one of op, t, bucket",
        ),
        (
            r#"{"op": "acknowledge", "t": 0}"#.to_owned(),
            "shadow review: got `0 of 0`, expected a review that was requested",
        ),
    ] {
        is_named(&shadow("", &step), message);
    }
}
