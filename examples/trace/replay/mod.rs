//! The replayer: reads cases, drives a guard through their steps, and compares each step with its
//! expectations.

mod breaker;
mod drift;
mod input;
mod rollout;
mod shadow;
mod tokens;

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use input::Fields;

/// The result of one case.
#[derive(Debug, Serialize)]
pub(crate) struct CaseResult {
    pub(crate) id: String,
    pub(crate) passed: bool,
    pub(crate) failures: Vec<Failure>,
    /// What each step showed.
    #[serde(skip)]
    pub(crate) observed: Vec<Map<String, Value>>,
}

/// One expectation that was not met.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Failure {
    pub(crate) step: usize,
    pub(crate) key: String,
    pub(crate) expected: Value,
    pub(crate) got: Value,
}

/// What is wrong with a file; it names the case, the step and the key.
pub(crate) type Problem = String;

/// A guard that a trace drives.
trait Guarded {
    /// The keys that an operation may have, in addition to `op` and expectations.
    fn operation(&self, op: &str) -> Operation;
    /// Runs an operation, and shows the guard's state after it.
    fn step(&mut self, op: &str, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem>;
    /// The keys that a step may expect.
    fn expectations(&self) -> &'static [&'static str];
    /// Completes what the steps showed with what became known after them.
    fn end(&mut self, _observed: &mut [Map<String, Value>]) {}
}

enum Operation {
    /// An operation with these keys.
    Known(&'static [&'static str]),
    Unknown,
}

/// Replays every case of a file.
pub(crate) fn file(path: &Path) -> Result<Vec<CaseResult>, Problem> {
    let named = |problem: String| format!("{}: {problem}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    cases(&text).map_err(named)
}

/// Replays every case of a text: one case, or a list of them.
pub(crate) fn cases(text: &str) -> Result<Vec<CaseResult>, Problem> {
    match serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))? {
        Value::Array(cases) => cases.iter().map(case).collect(),
        one => Ok(vec![case(&one)?]),
    }
}

fn case(value: &Value) -> Result<CaseResult, Problem> {
    let fields = Fields::of(value, "case")?;
    let id = fields.text("id")?.to_owned();
    let at = |problem: Problem| format!("case {id}: {problem}");
    replay(&fields, &id).map_err(at)
}

fn replay(fields: &Fields<'_>, id: &str) -> Result<CaseResult, Problem> {
    fields.only(&["guard", "id", "title", "config", "steps", "tolerance"])?;
    fields.text("title")?;
    let tolerance = fields.optional("tolerance", Fields::float)?.unwrap_or(0.0);
    let config = Fields::of(fields.get("config")?, "config")?;
    let mut guard: Box<dyn Guarded> = match fields.text("guard")? {
        "breaker" => Box::new(breaker::Breaker::new(&config)?),
        "tokens" => Box::new(tokens::Tokens::new(&config)?),
        "rollout" => Box::new(rollout::Rollout::new(&config)?),
        "drift" => Box::new(drift::Drift::new(&config)?),
        "shadow" => Box::new(shadow::Shadow::new(&config)?),
        other => {
            return Err(format!(
                "guard: got `{other}`, expected breaker, tokens, drift, rollout or shadow"
            ));
        }
    };
    let steps = fields
        .get("steps")?
        .as_array()
        .ok_or("steps: expected a list")?;
    let mut result = CaseResult {
        id: id.to_owned(),
        passed: true,
        failures: Vec::new(),
        observed: Vec::new(),
    };
    for (number, step) in (1..).zip(steps) {
        let seen =
            one_step(&mut *guard, step).map_err(|problem| format!("step {number}: {problem}"))?;
        result.observed.push(seen);
    }
    guard.end(&mut result.observed);
    for ((number, step), seen) in (1..).zip(steps).zip(&result.observed) {
        let expected = guard
            .expectations()
            .iter()
            .filter_map(|key| Some((*key, step.get(key)?)));
        for (key, expected) in expected {
            let got = seen.get(key).cloned().unwrap_or(Value::Null);
            if !equal(expected, &got, tolerance) {
                let (key, expected) = (key.to_owned(), expected.clone());
                result.failures.push(Failure {
                    step: number,
                    key,
                    expected,
                    got,
                });
            }
        }
    }
    result.passed = result.failures.is_empty();
    Ok(result)
}

fn one_step(guard: &mut dyn Guarded, step: &Value) -> Result<Map<String, Value>, Problem> {
    let fields = Fields::of(step, "step")?;
    let op = fields.text("op")?;
    let keys = match guard.operation(op) {
        Operation::Known(keys) => keys,
        Operation::Unknown => {
            return Err(format!(
                "op: got `{op}`, expected an operation of this guard"
            ));
        }
    };
    fields.only(&[&["op"], keys, guard.expectations()].concat())?;
    guard.step(op, &fields)
}

fn equal(expected: &Value, got: &Value, tolerance: f64) -> bool {
    if let (Some(expected), Some(got)) = (expected.as_array(), got.as_array()) {
        let mut pairs = expected.iter().zip(got);
        return expected.len() == got.len()
            && pairs.all(|(one, other)| equal(one, other, tolerance));
    }
    match (expected.as_f64(), got.as_f64()) {
        // A whole number may stand for a float, and 0 for 0.0.
        (Some(expected), Some(got)) => (expected - got).abs() <= tolerance * expected.abs(),
        _ => expected == got,
    }
}
