//! `"guard": "drift"`: a confidence drift monitor, with one version in production.
//!
//! The pipeline ticks after each document and after each step. What a step shows is that of its
//! field: the one that it names, or the only one of its documents. Its events are, in order:
//! `"base->raised:mean"` and `"base->raised:sequential"` by the rule that raised the threshold,
//! `"raised->base:recovered"`; commands stand alone: `"restored"`, `"rebaselined"`,
//! `"acknowledged"`; and so do reports that change no threshold: `"acknowledgement_expired"`,
//! `"shape:fell"`, `"shape:rose"`, `"shape:spread"`, `"constant"`, `"missing"`,
//! `"raised_without_data"`, `"refused:score"`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fusebox::clock::{Clock, MockClock};
use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftRule};
use fusebox::event::DriftEvent;
use fusebox::sink::MemorySink;
use fusebox::{
    Call, Confidence, ConfidenceDriftMonitor, DocumentType, EventKind, Field, LineUp, Pipeline,
    Report, Timestamp, Version,
};
use serde_json::{Map, Value, json};

use super::input::Fields;
use super::{Guarded, Operation, Problem};

/// Time 0 of a trace.
const BEGIN: Timestamp = Timestamp::EPOCH;
/// Who gives a trace's commands, and why.
const WHO: &str = "trace";
const WHY: &str = "a step of the trace";
const RAISED: &str = "base->raised:";
/// Unless a step says until when.
const ACKNOWLEDGED_FOR: Duration = Duration::from_secs(24 * 3_600);
const WINDOW_MS: u64 = 4 * 3_600_000;
const BUCKET_MS: u64 = 5 * 60_000;

/// What a step may expect of its field; only `error` is of all fields of a document.
const EXPECTATIONS: [&str; 10] = [
    "state",
    "threshold",
    "drop_micro",
    "docs",
    "ks",
    "ks_p",
    "w1",
    "sequential",
    "events",
    "error",
];

type Named = (DocumentType, Field);

/// What a restart builds again.
struct Running {
    pipeline: Pipeline,
    drift: Arc<ConfidenceDriftMonitor>,
}

/// The configuration of a case, with the baselines that its first steps give.
struct Plan {
    builder: ConfidenceDriftMonitorBuilder,
    baselines: BTreeMap<Named, Vec<Confidence>>,
    /// The average run length.
    run_length: Option<u64>,
}

pub(super) struct Drift {
    plan: Plan,
    running: Running,
    clock: MockClock,
    sink: MemorySink,
    /// Whether baselines can no longer be given.
    has_begun: bool,
    /// All so far, with the fields that each names.
    events: Vec<(Vec<String>, String)>,
}

impl Drift {
    pub(super) fn new(config: &Fields<'_>) -> Result<Self, Problem> {
        let plan = Plan::read(config)?;
        let (clock, sink) = (MockClock::at(BEGIN), MemorySink::new());
        Ok(Self {
            running: plan.start(&clock, &sink)?,
            plan,
            clock,
            sink,
            has_begun: false,
            events: Vec::new(),
        })
    }

    /// Several baselines of a field are one with the documents of all.
    fn baseline(&mut self, named: Named, fields: &Fields<'_>) -> Result<(), Problem> {
        if self.has_begun {
            return Err("baseline: expected before all other operations".to_owned());
        }
        let scores = if let Some(scores) = fields.optional("scores", Fields::numbers)? {
            if fields.get("score").is_ok() || fields.get("n").is_ok() {
                return Err("scores: expected without score and n".to_owned());
            }
            scores
        } else {
            let n = fields.optional("n", Fields::small)?.unwrap_or(1);
            (0..n)
                .map(|_| fields.float("score"))
                .collect::<Result<_, _>>()?
        };
        let scores = scores.into_iter().map(Confidence::new);
        let scores = scores.collect::<Result<Vec<_>, _>>().map_err(text)?;
        self.plan.baselines.entry(named).or_default().extend(scores);
        self.running = self.plan.start(&self.clock, &self.sink)?;
        Ok(())
    }

    /// Answers documents; returns whether the monitor refused a score of one.
    fn documents(&mut self, at: u64, fields: &Fields<'_>) -> Result<bool, Problem> {
        let document_type = fields.text("type")?;
        let report = scores(fields)?
            .into_iter()
            .fold(Report::new(), |report, (field, score)| {
                report.confidence(field, score)
            });
        let Running { pipeline, drift } = &self.running;
        let refused = drift.invalid_confidences();
        let every = fields.optional("every", Fields::number)?.unwrap_or(0);
        for n in 0..fields.optional("n", Fields::number)?.unwrap_or(1) {
            set(&self.clock, at.saturating_add(n.saturating_mul(every)));
            let call = Call::new("document", document_type).map_err(text)?;
            let permit = pipeline.admit(&call).permit();
            let permit = permit.ok_or("doc: the document was diverted")?;
            let _ = permit.answer(report.clone());
            pipeline.tick();
        }
        Ok(drift.invalid_confidences() > refused)
    }

    fn restart(&mut self) -> Result<(), Problem> {
        let stored = self.running.pipeline.snapshot().map_err(text)?;
        let stored = serde_json::to_string(&stored).map_err(text)?;
        let snapshot = serde_json::from_str(&stored).map_err(text)?;
        self.running = self.plan.start(&self.clock, &self.sink)?;
        self.running.pipeline.restore(&snapshot).map_err(text)
    }

    fn acknowledge(
        &self,
        (document_type, field): &Named,
        fields: &Fields<'_>,
    ) -> Result<(), Problem> {
        let Running { pipeline, drift } = &self.running;
        // A command uses the time of the last tick.
        pipeline.tick();
        let until = match fields.optional("until", Fields::number)? {
            Some(until) => Timestamp::from_millis(until),
            None => self.clock.now() + ACKNOWLEDGED_FOR,
        };
        let seen = drift.status(document_type, field).revision;
        let done = drift.acknowledge(document_type, field, seen, until, WHO, WHY);
        done.map_err(text)
    }

    fn command(&self, op: &str, (document_type, field): &Named) -> Result<(), Problem> {
        let drift = &self.running.drift;
        // A command uses the time of the last tick.
        self.running.pipeline.tick();
        let seen = drift.status(document_type, field).revision;
        match op {
            "rebaseline" => drift.rebaseline(document_type, field, seen, WHO, WHY),
            _ => drift.resolve(document_type, field, seen, WHO, WHY),
        }
        .map_err(text)
    }

    fn take_events(&mut self) {
        for event in self.sink.take() {
            if let EventKind::Drift(event) = event.kind {
                let (mut named, shown) = (named_by(&event), shown(&event));
                if shown.starts_with(RAISED) {
                    // A later page may name a field again.
                    named.retain(|name| !self.is_raised(name));
                }
                self.events.push((named, shown));
            }
        }
    }

    fn is_raised(&self, name: &String) -> bool {
        let events = self.events.iter().filter(|(of, _)| of.contains(name));
        let ends = ["raised->base:recovered", "restored", "rebaselined"];
        let is_change = |event: &&String| event.starts_with(RAISED) || ends.contains(&&***event);
        let latest = events.map(|(_, event)| event).rfind(is_change);
        latest.is_some_and(|event| event.starts_with(RAISED))
    }

    fn look(&self, named: &Named) -> Map<String, Value> {
        let status = self.running.drift.status(&named.0, &named.1);
        let mut seen = Map::new();
        let mut see = |key: &str, value| seen.insert(key.to_owned(), value);
        let state = match json!(status.state) {
            state if state == "insufficient_data" => json!("insufficient"),
            state => state,
        };
        see("state", state);
        let threshold = f64::from(status.threshold.as_millionths()) / 1e6;
        see("threshold", json!(threshold));
        let millionths = |mean: Confidence| i64::from(mean.as_millionths());
        let means = status.means.baseline.zip(status.means.window);
        let drop = means.map(|(before, now)| millionths(before) - millionths(now));
        see("drop_micro", json!(drop));
        see("docs", json!(status.means.window_documents));
        see("ks", json!(status.shape.map(|shape| shape.ks)));
        see("ks_p", json!(status.shape.map(|shape| shape.p)));
        see("w1", json!(status.shape.map(|shape| shape.distance)));
        let limit = self.plan.run_length.and_then(|n| u32::try_from(n).ok());
        let value = status.sequential.map(|test| test.value);
        let value = value.map(|value| value * limit.map_or(1.0, f64::from));
        see("sequential", json!(value));
        let name = format!("{}.{}", named.0, named.1);
        let events = self.events.iter().filter(|(of, _)| of.contains(&name));
        see("events", events.map(|(_, event)| json!(event)).collect());
        seen
    }
}

impl Guarded for Drift {
    fn operation(&self, op: &str) -> Operation {
        match op {
            "baseline" => Operation::Known(&["t", "type", "field", "score", "n", "scores"]),
            "doc" => Operation::Known(&["t", "type", "fields", "n", "every"]),
            "acknowledge" => Operation::Known(&["t", "type", "field", "until"]),
            "look" | "restore" | "rebaseline" | "restart" => {
                Operation::Known(&["t", "type", "field"])
            }
            _ => Operation::Unknown,
        }
    }

    fn step(&mut self, op: &str, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem> {
        let named = named(op, fields)?;
        if let Some(at) = fields.optional("t", Fields::number)? {
            set(&self.clock, at);
        }
        let mut is_refused = false;
        match (op, &named) {
            ("baseline", Some(named)) => self.baseline(named.clone(), fields)?,
            ("doc", _) => is_refused = self.documents(fields.number("t")?, fields)?,
            ("restart", _) => self.restart()?,
            ("acknowledge", Some(named)) => self.acknowledge(named, fields)?,
            ("restore" | "rebaseline", Some(named)) => self.command(op, named)?,
            _ => {}
        }
        self.has_begun |= op != "baseline";
        self.running.pipeline.tick();
        self.take_events();
        let mut seen = if let Some(named) = named {
            self.look(&named)
        } else if let Some(key) = EXPECTATIONS
            .iter()
            .find(|key| **key != "error" && fields.get(key).is_ok())
        {
            let problem = "expected in a step of one field: `look` at one of them";
            return Err(format!("{key}: {problem}"));
        } else {
            Map::new()
        };
        let error = is_refused.then_some("score");
        seen.insert("error".to_owned(), json!(error));
        Ok(seen)
    }

    fn expectations(&self) -> &'static [&'static str] {
        &EXPECTATIONS
    }
}

impl Plan {
    fn read(config: &Fields<'_>) -> Result<Self, Problem> {
        config.only(&[
            "window_ms",
            "bucket_ms",
            "delta_micro",
            "min_docs",
            "rule",
            "base_threshold",
            "step",
            "max_threshold",
            "restore",
            "exit_micro",
            "sequential",
        ])?;
        let window = config.optional("window_ms", Fields::number)?;
        let window = window.unwrap_or(WINDOW_MS);
        let bucket = config.optional("bucket_ms", Fields::number)?;
        let bucket = bucket.unwrap_or(BUCKET_MS);
        let buckets = window.checked_div(bucket).map(u32::try_from);
        let Some(Ok(buckets)) = buckets.filter(|_| window % bucket == 0) else {
            let allowed = format!("a part of window_ms ({window})");
            return Err(format!("bucket_ms: got `{bucket}`, expected {allowed}"));
        };
        let window = Duration::from_millis(window);
        let mut builder = ConfidenceDriftMonitor::builder()
            .window(window)
            .buckets(buckets);
        if let Some(drop) = config.optional("delta_micro", millionths)? {
            builder = builder.max_drop(drop);
        }
        if let Some(documents) = config.optional("min_docs", Fields::number)? {
            builder = builder.min_documents(documents);
        }
        if let Some(threshold) = config.optional("base_threshold", confidence)? {
            builder = builder.threshold(threshold);
        }
        if let Some(step) = config.optional("step", confidence)? {
            builder = builder.step(step);
        }
        if let Some(threshold) = config.optional("max_threshold", confidence)? {
            builder = builder.max_threshold(threshold);
        }
        if let Some(drop) = config.optional("exit_micro", millionths)? {
            builder = builder.exit_drop(drop);
        }
        match config.optional("restore", Fields::text)? {
            None | Some("manual") => {}
            Some("auto") => builder = builder.restore_when_recovered(),
            Some(other) => {
                return Err(format!("restore: got `{other}`, expected manual or auto"));
            }
        }
        let sequential = config.optional("sequential", Fields::get)?;
        let mut run_length = None;
        if let Some(sequential) = sequential {
            let sequential = Fields::of(sequential, "sequential")?;
            sequential.only(&["limit", "lambdas"])?;
            let limit = sequential.small("limit")?;
            builder = builder.average_run_length(u64::from(limit));
            run_length = Some(u64::from(limit));
            let lambdas = sequential.optional("lambdas", Fields::numbers)?;
            if let Some(lambdas) = lambdas {
                let five = <[f64; 5]>::try_from(lambdas);
                let five = five.map_err(|_| "lambdas: expected five numbers")?;
                builder = builder.lambdas(five);
            }
        }
        match config.optional("rule", Fields::text)? {
            None | Some("full") => {}
            Some("published") if run_length.is_some() => {
                return Err("sequential: expected only with the rule full".to_owned());
            }
            Some("published") => builder = builder.plain_mean(),
            Some(other) => {
                return Err(format!("rule: got `{other}`, expected full or published"));
            }
        }
        Ok(Self {
            builder,
            baselines: BTreeMap::new(),
            run_length,
        })
    }

    fn start(&self, clock: &MockClock, sink: &MemorySink) -> Result<Running, Problem> {
        let mut builder = self.builder.clone();
        for ((document_type, field), scores) in &self.baselines {
            let (document_type, field) = (document_type.clone(), field.clone());
            builder = builder.baseline_confidences(document_type, field, scores.iter().copied());
        }
        let drift = Arc::new(builder.build().map_err(text)?);
        let line_up = LineUp::new(Version::new("current", "any-model").map_err(text)?);
        let pipeline = Pipeline::builder(line_up)
            .guard(Arc::clone(&drift))
            .clock(clock.clone())
            .sink(sink.clone())
            .build()
            .map_err(text)?;
        pipeline.tick();
        Ok(Running { pipeline, drift })
    }
}

/// The field that a step shows: the one that it names, or the only one of its documents.
fn named(op: &str, fields: &Fields<'_>) -> Result<Option<Named>, Problem> {
    let field = if op == "doc" {
        match scores(fields)?.as_slice() {
            [(field, _)] => field.clone(),
            _ => return Ok(None),
        }
    } else if op == "restart" && fields.get("field").is_err() && fields.get("type").is_err() {
        return Ok(None);
    } else {
        Field::new(fields.text("field")?).map_err(text)?
    };
    let document_type = DocumentType::new(fields.text("type")?).map_err(text)?;
    Ok(Some((document_type, field)))
}

/// The scores of a document. `null`, `"NaN"`, `"Infinity"` and `"-Infinity"` stand for numbers that
/// JSON does not have.
fn scores(fields: &Fields<'_>) -> Result<Vec<(Field, f64)>, Problem> {
    let scores = fields.get("fields")?.as_object();
    let scores = scores.ok_or("fields: expected an object")?;
    let score = |(name, score): (&String, &Value)| {
        let score = match (score, score.as_str()) {
            (Value::Null, _) | (_, Some("NaN")) => f64::NAN,
            (_, Some("Infinity")) => f64::INFINITY,
            (_, Some("-Infinity")) => f64::NEG_INFINITY,
            _ => score
                .as_f64()
                .ok_or_else(|| format!("fields: {name}: expected a number"))?,
        };
        Ok((Field::new(name).map_err(text)?, score))
    };
    scores.iter().map(score).collect()
}

/// The fields that an event names.
fn named_by(event: &DriftEvent) -> Vec<String> {
    let event = json!(event);
    let name = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
    let also = event.get("also").and_then(Value::as_array);
    let also = also.into_iter().flatten().filter_map(Value::as_str);
    let first = format!("{}.{}", name("document_type"), name("field"));
    also.map(str::to_owned).chain([first]).collect()
}

fn shown(event: &DriftEvent) -> String {
    let shown = match event {
        DriftEvent::BaselineRestarted { .. } => "rebaselined",
        DriftEvent::DriftAcknowledged { .. } => "acknowledged",
        DriftEvent::ConfidenceConstant { .. } => "constant",
        DriftEvent::ConfidenceMissing { .. } => "missing",
        DriftEvent::DriftDetected { rule, .. } => match rule {
            DriftRule::Sequential => "base->raised:sequential",
            _ => "base->raised:mean",
        },
        DriftEvent::DriftRecovered { .. } => "raised->base:recovered",
        DriftEvent::DriftResolved { .. } => "restored",
        DriftEvent::InvalidConfidence { .. } => "refused:score",
        DriftEvent::ShapeChanged { change, .. } => return format!("shape:{change}"),
        other => other.name(),
    };
    shown.to_owned()
}

fn confidence(fields: &Fields<'_>, key: &str) -> Result<Confidence, Problem> {
    Confidence::new(fields.float(key)?).map_err(|error| format!("{key}: {error}"))
}

fn millionths(fields: &Fields<'_>, key: &str) -> Result<Confidence, Problem> {
    Confidence::try_from(fields.small(key)?).map_err(|error| format!("{key}: {error}"))
}

fn set(clock: &MockClock, at: u64) {
    clock.set(BEGIN + Duration::from_millis(at));
}

fn text(error: impl std::fmt::Display) -> Problem {
    error.to_string()
}
