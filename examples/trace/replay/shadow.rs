//! `"guard": "shadow"`: a shadow run of all documents, with one version in production.
//!
//! A pair goes through a `ShadowRunner`: what a side gives is what its call does. The tasks of the
//! run are polled after each document and after each tick, so that nothing waits for real time.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use fusebox::call::{Comparison, Difference, ShadowEnd, ShadowResult};
use fusebox::clock::{Clock, MockClock};
use fusebox::event::ShadowEvent;
use fusebox::pipeline::Task;
use fusebox::shadow::compare::{Compare, JsonFields};
use fusebox::shadow::{Bucket, ShadowCounts, ShadowVerdict};
use fusebox::sink::MemorySink;
use fusebox::{
    Call, EventKind, FailureKind, Feedback, LineUp, Pipeline, Report, ShadowComparator,
    ShadowRunner, Ticket, Timestamp, Version,
};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Map, Value, json};

use super::input::Fields;
use super::{Guarded, Operation, Problem};

mod config;
mod given;

use config::Plan;
use given::Given;

/// Time 0 of a trace.
const BEGIN: Timestamp = Timestamp::EPOCH;
/// Who acknowledges, and why, unless a step says it.
const WHO: &str = "trace";
const WHY: &str = "a step of the trace";
/// The type of a document that has none.
const DOCUMENT_TYPE: &str = "invoice";
/// The keys of a pair.
const PAIR: &[&str] = &["t", "doc", "type", "production", "candidate", "n", "every"];

pub(super) struct Shadow {
    plan: Plan,
    running: Running,
    clock: MockClock,
    sink: MemorySink,
    steps: usize,
    /// The last document of each pair.
    shown: Vec<Shown>,
    /// The latest ticket of each document.
    tickets: BTreeMap<String, Ticket>,
    /// Reviews that were requested so far.
    reviews: u64,
}

/// What a restart builds again.
struct Running {
    pipeline: Pipeline,
    shadow: Arc<ShadowComparator>,
    runner: Arc<ShadowRunner<Value>>,
    spawned: Receiver<Task>,
    compared: Receiver<Comparison>,
    /// The calls of candidates.
    tasks: FuturesUnordered<Task>,
    /// The calls of production that do not end.
    open: Vec<Pin<Box<dyn Future<Output = ()>>>>,
}

/// A document, and how it ended.
#[derive(Clone)]
struct Shown {
    step: usize,
    ticket: Ticket,
    is_in_flight: bool,
    bucket: Option<Bucket>,
    differences: Vec<Difference>,
}

impl Shadow {
    pub(super) fn new(config: &Fields<'_>) -> Result<Self, Problem> {
        let plan = Plan::read(config)?;
        let (clock, sink) = (MockClock::at(BEGIN), MemorySink::new());
        Ok(Self {
            running: Running::start(&plan, &clock, &sink)?,
            plan,
            clock,
            sink,
            steps: 0,
            shown: Vec::new(),
            tickets: BTreeMap::new(),
            reviews: 0,
        })
    }

    /// Runs an operation for each document of a step; what the last one gives is the step's.
    fn documents(
        &mut self,
        fields: &Fields<'_>,
        one: impl Fn(&mut Self, &Document<'_>) -> Result<Shown, Problem>,
    ) -> Result<Shown, Problem> {
        let (name, at) = (fields.text("doc")?, self.clock.now().as_millis());
        let document_type = fields.optional("type", Fields::text)?;
        let every = fields.optional("every", Fields::number)?;
        let numbers = fields.optional("n", Fields::number)?;
        let mut document = Document {
            name: name.to_owned(),
            of_type: document_type.unwrap_or(DOCUMENT_TYPE),
            production: Given::read(fields, "production")?,
            candidate: Given::read(fields, "candidate")?,
        };
        let mut last = None;
        for n in 0..numbers.unwrap_or(1) {
            if let Some(every) = every {
                self.pass_to(at.saturating_add(n.saturating_mul(every)));
            }
            if numbers.is_some() {
                document.name = format!("{name}-{}", n + 1);
            }
            last = Some(one(self, &document)?);
        }
        last.ok_or_else(|| "n: expected at least 1".to_owned())
    }

    fn pair(&mut self, document: &Document<'_>) -> Result<Shown, Problem> {
        let call = Call::new(&document.name, document.of_type).map_err(text)?;
        let (runner, (ticket, tickets)) = (Arc::clone(&self.running.runner), mpsc::channel());
        let (production, candidate) = (document.production.clone(), document.candidate.clone());
        let run = async move {
            let production = |of, _| {
                // The receiver outlives the first poll, in which this is called.
                let _ = ticket.send(of);
                production.as_production().give()
            };
            let served = runner.run(&call, production, |_| candidate.give());
            drop(served.await);
        };
        let before = self.running.shadow.report();
        self.running.make(Box::pin(run));
        let ticket: Ticket = tickets.try_recv().map_err(|_| "doc: it was diverted")?;
        let after = self.running.shadow.report();
        self.tickets.insert(document.name.clone(), ticket.clone());
        let differences = self.running.compared.try_iter().last().map(differences);
        Ok(Shown {
            step: self.steps,
            ticket,
            is_in_flight: after.in_flight > before.in_flight,
            bucket: entered(&before.total, &after.total),
            differences: differences.unwrap_or_default(),
        })
    }

    /// Compares production's answer with a second one of the same version.
    fn noise(&mut self, document: &Document<'_>) -> Result<Shown, Problem> {
        let ticket = match self.tickets.get(&document.name) {
            Some(ticket) => ticket.clone(),
            None => self.ticket(document)?,
        };
        let end = match (document.production.as_production(), &document.candidate) {
            (Given::Hang, _) | (_, Given::Hang) => None,
            (Given::Answer(one), Given::Answer(other)) => {
                Some(self.plan.fields.compare(&one, other).into())
            }
            (Given::Answer(_), Given::Panic(_)) => Some(ShadowEnd::CandidatePanicked),
            (Given::Answer(_), _) => Some(ShadowEnd::CandidateFailed(FailureKind::Unknown)),
            _ => Some(ShadowEnd::ProductionFailed),
        };
        let bucket = end.as_ref().map(Bucket::of);
        let Running {
            pipeline, shadow, ..
        } = &self.running;
        if let Some(end) = end.clone() {
            let result = ShadowResult::of_baseline(shadow.candidate().clone(), end);
            pipeline.observe(&ticket, Feedback::Compared(result));
        }
        let differences = match end {
            Some(ShadowEnd::Compared(comparison)) => differences(comparison),
            _ => Vec::new(),
        };
        Ok(Shown {
            step: self.steps,
            ticket,
            is_in_flight: false,
            bucket,
            differences,
        })
    }

    /// A document that production answered outside the run.
    fn ticket(&mut self, document: &Document<'_>) -> Result<Ticket, Problem> {
        let call = Call::new(&document.name, document.of_type).map_err(text)?;
        let permit = self.running.pipeline.admit(&call).permit();
        let permit = permit.ok_or("doc: it was diverted")?;
        let ticket = permit.answer(Report::new()).ticket().clone();
        self.tickets.insert(document.name.clone(), ticket.clone());
        Ok(ticket)
    }

    fn acknowledge(&self, fields: &Fields<'_>) -> Result<(), Problem> {
        let who = fields.optional("who", Fields::text)?.unwrap_or(WHO);
        let why = fields.optional("why", Fields::text)?.unwrap_or(WHY);
        self.running.shadow.acknowledge(who, why).map_err(text)
    }

    /// What was in flight is cancelled; a snapshot goes through its text, as in a file.
    fn restart(&mut self) -> Result<(), Problem> {
        let before = self.running.shadow.report().total;
        let stored = self.running.pipeline.snapshot().map_err(text)?;
        let stored = serde_json::to_string(&stored).map_err(text)?;
        let snapshot = serde_json::from_str(&stored).map_err(text)?;
        self.running = Running::start(&self.plan, &self.clock, &self.sink)?;
        self.running.pipeline.restore(&snapshot).map_err(text)?;
        self.find_cancelled(&before);
        Ok(())
    }

    fn pass_to(&mut self, at: u64) {
        self.clock.set(BEGIN + Duration::from_millis(at));
        self.tick();
    }

    fn tick(&mut self) {
        self.running.pipeline.tick();
        self.running.work();
        self.find_overdue();
    }

    /// Of what was in flight only what is overdue ends by itself; the report lists it.
    fn find_overdue(&mut self) {
        let in_flight = self.shown.iter_mut().filter(|shown| shown.is_in_flight);
        let mut in_flight = in_flight.peekable();
        if in_flight.peek().is_none() {
            return;
        }
        let divergences = self.running.shadow.report().divergences;
        let ends: BTreeMap<_, _> = divergences
            .iter()
            .map(|divergence| (divergence.ticket.id(), &divergence.end))
            .collect();
        for shown in in_flight {
            if let Some(end) = ends.get(&shown.ticket.id()) {
                shown.is_in_flight = false;
                shown.bucket = Some(Bucket::of(end));
            }
        }
    }

    /// Ends what is still in flight, after everything else in flight was found.
    fn find_cancelled(&mut self, before: &ShadowCounts) {
        let bucket = entered(before, &self.running.shadow.report().total);
        for shown in self.shown.iter_mut().filter(|shown| shown.is_in_flight) {
            shown.is_in_flight = false;
            shown.bucket = bucket;
        }
    }

    fn count_reviews(&mut self) {
        let events = self.sink.take();
        let reviews = events.iter().filter(|event| {
            matches!(
                event.kind,
                EventKind::Shadow(ShadowEvent::ReviewRequested { .. })
            )
        });
        self.reviews += reviews.count() as u64;
    }

    fn look(&self, document: Option<&Shown>) -> Map<String, Value> {
        let report = self.running.shadow.report();
        let (low, high) = report.total.interval();
        let mut seen = Map::new();
        if let Some(document) = document {
            document.show(&mut seen);
        }
        let mut see = |key: &str, value| seen.insert(key.to_owned(), value);
        let verdict = match report.verdict {
            ShadowVerdict::Blind(_) => json!("blind"),
            ShadowVerdict::Collecting { .. } => json!("collecting"),
            other => json!(other),
        };
        see("verdict", verdict);
        see("compared", json!(report.total.compared()));
        see("diverged", json!(report.total.diverging()));
        see("interval", json!([low.as_f64(), high.as_f64()]));
        see("reviews", json!(self.reviews));
        see("uncovered", json!(report.uncovered));
        seen
    }
}

impl Guarded for Shadow {
    fn operation(&self, op: &str) -> Operation {
        match op {
            "pair" | "noise" => Operation::Known(PAIR),
            "acknowledge" => Operation::Known(&["t", "who", "why"]),
            "look" | "restart" => Operation::Known(&["t"]),
            _ => Operation::Unknown,
        }
    }

    fn step(&mut self, op: &str, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem> {
        match fields.optional("t", Fields::number)? {
            Some(at) => self.pass_to(at),
            None => self.tick(),
        }
        let mut noise = None;
        match op {
            "pair" => {
                let shown = self.documents(fields, Self::pair)?;
                self.shown.push(shown);
            }
            "noise" => noise = Some(self.documents(fields, Self::noise)?),
            "acknowledge" => self.acknowledge(fields)?,
            "restart" => self.restart()?,
            _ => {}
        }
        self.steps += 1;
        self.count_reviews();
        Ok(self.look(noise.as_ref().or(self.shown.last())))
    }

    fn expectations(&self) -> &'static [&'static str] {
        &[
            "bucket",
            "kind",
            "paths",
            "verdict",
            "compared",
            "diverged",
            "interval",
            "reviews",
            "uncovered",
        ]
    }

    /// A pair shows how its document ended, even if that was after its step: what is still in flight
    /// has the time that it may take, and then production is given up.
    fn end(&mut self, observed: &mut [Map<String, Value>]) {
        self.clock
            .advance(self.plan.timeout + Duration::from_millis(1));
        self.tick();
        let before = self.running.shadow.report().total;
        self.running.open.clear();
        self.running.work();
        self.find_cancelled(&before);
        for shown in &self.shown {
            if let Some(seen) = observed.get_mut(shown.step) {
                shown.show(seen);
            }
        }
    }
}

/// A document of a step.
struct Document<'a> {
    name: String,
    of_type: &'a str,
    production: Given,
    candidate: Given,
}

impl Running {
    fn start(plan: &Plan, clock: &MockClock, sink: &MemorySink) -> Result<Self, Problem> {
        let shadow = Arc::new(plan.builder.clone().build().map_err(text)?);
        let line_up = LineUp::new(Version::new("current", "any-model").map_err(text)?);
        let pipeline = Pipeline::builder(line_up)
            .guard(Arc::clone(&shadow))
            .clock(clock.clone())
            .sink(sink.clone())
            .build()
            .map_err(text)?;
        let ((spawn, spawned), (told, compared)) = (mpsc::channel(), mpsc::channel());
        let spawn = move |task: Task| drop(spawn.send(task));
        let compare = telling(plan.fields.clone(), told);
        let runner = ShadowRunner::new(&pipeline, &shadow, spawn, compare).map_err(text)?;
        Ok(Self {
            pipeline,
            shadow,
            runner: Arc::new(runner),
            spawned,
            compared,
            tasks: FuturesUnordered::new(),
            open: Vec::new(),
        })
    }

    /// Makes production's call, and the candidate's beside it.
    fn make(&mut self, mut call: Pin<Box<dyn Future<Output = ()>>>) {
        if call.as_mut().now_or_never().is_none() {
            self.open.push(call);
        }
        self.work();
    }

    /// Lets the candidates' calls do what they can.
    fn work(&mut self) {
        self.tasks.extend(self.spawned.try_iter());
        while let Some(Some(())) = self.tasks.next().now_or_never() {}
    }
}

impl Shown {
    fn show(&self, seen: &mut Map<String, Value>) {
        let bucket = self.bucket.map(|bucket| match bucket {
            Bucket::Matched => json!("match"),
            Bucket::CandidateFailed | Bucket::CandidatePanicked | Bucket::ComparatorPanicked => {
                json!("diverged")
            }
            other => json!(other),
        });
        let mut paths: Vec<_> = self.differences.iter().map(path).collect();
        paths.sort_unstable();
        // An element that is replaced is missing and added at one place.
        paths.dedup();
        seen.insert("bucket".to_owned(), json!(bucket));
        seen.insert("kind".to_owned(), json!(self.kind()));
        seen.insert("paths".to_owned(), json!(paths));
    }

    fn kind(&self) -> Option<Value> {
        match self.bucket? {
            Bucket::Diverged => {
                let critical = self.differences.iter().filter(|one| one.critical);
                critical
                    .min_by_key(|one| path(one))
                    .map(|one| json!(one.kind))
            }
            failed @ (Bucket::CandidateFailed
            | Bucket::CandidatePanicked
            | Bucket::ComparatorPanicked) => Some(json!(failed)),
            _ => None,
        }
    }
}

/// The comparator, which also tells each comparison to the replayer.
fn telling(fields: JsonFields, told: Sender<Comparison>) -> impl Compare<Value> {
    move |production: &Value, candidate: &Value| {
        let comparison = fields.compare(production, candidate);
        // Nobody listens only after the end.
        let _ = told.send(comparison.clone());
        comparison
    }
}

fn differences(comparison: Comparison) -> Vec<Difference> {
    match comparison {
        Comparison::Diverged(differences) | Comparison::Ignored(differences) => differences,
        _ => Vec::new(),
    }
}

/// The JSON pointer of a difference; that of the whole answer is empty, which no field is.
fn path(difference: &Difference) -> &str {
    let field = difference.field.as_str();
    if field.starts_with('/') { field } else { "" }
}

/// The bucket that a document entered between two counts.
fn entered(before: &ShadowCounts, after: &ShadowCounts) -> Option<Bucket> {
    let mut buckets = Bucket::ALL.into_iter();
    buckets.find(|bucket| after.of(*bucket) > before.of(*bucket))
}

fn text(error: impl std::fmt::Display) -> Problem {
    error.to_string()
}
