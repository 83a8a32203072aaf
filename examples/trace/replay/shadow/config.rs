//! The configuration of a shadow run in a trace.

use std::time::Duration;

use fusebox::shadow::ShadowComparatorBuilder;
use fusebox::shadow::compare::{JsonFields, NormalisedText};
use fusebox::{DocumentType, Ratio, ShadowComparator, VersionId};
use serde_json::Value;

use super::{Fields, Problem, text};

const MIN: u64 = 200;
const MAX: u64 = 500;
const TIMEOUT_MS: u64 = 120_000;
/// More than a trace lists by hand, so that `paths` has all.
const DIFFERENCES: usize = 10_000;

pub(super) struct Plan {
    pub(super) builder: ShadowComparatorBuilder,
    pub(super) fields: JsonFields,
    pub(super) timeout: Duration,
}

impl Plan {
    pub(super) fn read(config: &Fields<'_>) -> Result<Self, Problem> {
        config.only(&[
            "min",
            "max",
            "threshold_bp",
            "checkpoints",
            "timeout_ms",
            "in_flight",
            "compare",
            "expected_types",
        ])?;
        let checkpoints = config.optional("checkpoints", whole_numbers)?;
        let (min, max) = documents(config, checkpoints.as_deref().unwrap_or_default())?;
        let timeout = config.optional("timeout_ms", Fields::number)?;
        let timeout = Duration::from_millis(timeout.unwrap_or(TIMEOUT_MS));
        let mut builder = ShadowComparator::builder(VersionId::new("candidate").map_err(text)?)
            .share(Ratio::ONE)
            .documents(min, max)
            .timeout(timeout);
        if let Some(checkpoints) = checkpoints {
            builder = builder.checkpoints(checkpoints);
        }
        if let Some(points) = config.optional("threshold_bp", Fields::small)? {
            builder = builder.threshold(Ratio::basis_points(points));
        }
        if let Some(calls) = config.optional("in_flight", Fields::number)? {
            builder = builder.in_flight(usize::try_from(calls).unwrap_or(usize::MAX));
        }
        if let Some(types) = config.optional("expected_types", Fields::long_texts)? {
            let types = types.iter().map(DocumentType::new);
            builder = builder.expect_types(types.collect::<Result<Vec<_>, _>>().map_err(text)?);
        }
        let fields = match config.optional("compare", Fields::get)? {
            Some(compare) => compared_by(&Fields::of(compare, "compare")?)
                .map_err(|problem| format!("compare: {problem}"))?,
            None => JsonFields::new(),
        };
        Ok(Self {
            builder,
            fields,
            timeout,
        })
    }
}

/// The documents at the first and at the last evaluation. What a trace leaves out never contradicts
/// what it says.
fn documents(config: &Fields<'_>, checkpoints: &[u64]) -> Result<(u64, u64), Problem> {
    let min = config.optional("min", Fields::number)?;
    let max = config.optional("max", Fields::number)?;
    let said = [min, max].into_iter().flatten();
    let said = || said.clone().chain(checkpoints.iter().copied());
    Ok((
        min.unwrap_or_else(|| said().fold(MIN, u64::min)),
        max.unwrap_or_else(|| said().fold(MAX, u64::max)),
    ))
}

fn compared_by(compare: &Fields<'_>) -> Result<JsonFields, Problem> {
    compare.only(&["critical", "tolerance", "unordered", "ignore", "text"])?;
    let paths = |key| {
        let paths = compare.optional(key, Fields::long_texts)?;
        Ok::<_, Problem>(paths.unwrap_or_default())
    };
    let mut builder = JsonFields::builder()
        .most_differences(DIFFERENCES)
        .critical(paths("critical")?)
        .unordered(paths("unordered")?)
        .ignored(paths("ignore")?);
    match compare.optional("text", Fields::text)? {
        None | Some("exact") => {}
        Some("normalised") => builder = builder.normalised_text([""], NormalisedText::new()),
        Some(other) => {
            return Err(format!("text: got `{other}`, expected exact or normalised"));
        }
    }
    if let Some(tolerances) = compare.optional("tolerance", Fields::get)? {
        let tolerances = tolerances
            .as_object()
            .ok_or("tolerance: expected an object")?;
        for (path, tolerance) in tolerances {
            let at = |problem| format!("tolerance: {problem}");
            let fields = Fields::of(tolerance, path).map_err(at)?;
            let at = |problem| format!("tolerance: {path}: {problem}");
            let (kind, bound) = bound(&fields).map_err(at)?;
            builder = match kind {
                "absolute" => builder.absolute_tolerance(path, bound),
                _ => builder.relative_tolerance(path, bound),
            };
        }
    }
    builder.build().map_err(text)
}

/// Whether a tolerance is absolute or relative, and its bound as a decimal without exponent.
fn bound(fields: &Fields<'_>) -> Result<(&'static str, String), Problem> {
    fields.only(&["absolute", "relative"])?;
    let bound = |key| fields.optional(key, Fields::get);
    let (kind, bound) = match (bound("absolute")?, bound("relative")?) {
        (Some(bound), None) => ("absolute", bound),
        (None, Some(bound)) => ("relative", bound),
        _ => return Err("expected one of absolute, relative".to_owned()),
    };
    let decimal = match bound {
        Value::String(decimal) => Some(decimal.clone()),
        Value::Number(number) if number.is_f64() => number.as_f64().map(|bound| bound.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let decimal = decimal.ok_or_else(|| format!("{kind}: expected a number"))?;
    Ok((kind, decimal))
}

fn whole_numbers(fields: &Fields<'_>, key: &str) -> Result<Vec<u64>, Problem> {
    let list = fields.get(key)?.as_array();
    let numbers = list.map(|list| list.iter().map(Value::as_u64).collect::<Option<_>>());
    let numbers = numbers.flatten();
    numbers.ok_or_else(|| format!("{key}: expected a list of whole numbers"))
}
