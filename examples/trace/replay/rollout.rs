//! `"guard": "rollout"`: a canary or a blue/green comparison, with a version in production and a
//! candidate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fusebox::clock::MockClock;
use fusebox::name::{BatchKey, CorrectionId};
use fusebox::rollout::{
    Decision, Denominator, HoldReason, RolloutPolicy, RolloutState, RolloutStatus,
};
use fusebox::sink::MemorySink;
use fusebox::{
    BlueGreenPolicy, Call, CanaryPolicy, Correction, DocumentType, Feedback, Field, Guard, LineUp,
    Pipeline, Ratio, Report, Role, Severity, Ticket, Timestamp, Version,
};
use serde_json::{Map, Value, json};

use super::input::Fields;
use super::{Guarded, Operation, Problem};

/// Time 0 of a trace.
const BEGIN: Timestamp = Timestamp::EPOCH;
/// How many documents to try for each that a step needs, before the step is an error.
const TRIES: u64 = 1_000;

/// The stages of `CanaryPolicy::default()`.
const DEFAULT_STAGES: [(Ratio, Duration); 2] = [
    (Ratio::percent(5), Duration::from_secs(2 * 3_600)),
    (Ratio::percent(25), Duration::from_secs(4 * 3_600)),
];

/// What a restart builds again.
struct Running {
    pipeline: Pipeline,
    policy: Policy,
}

#[derive(Clone)]
enum Policy {
    BlueGreen(Arc<BlueGreenPolicy>),
    Canary(Arc<CanaryPolicy>),
}

/// The configuration of a case.
struct Plan {
    policy: String,
    plain: bool,
    stages: Vec<(Ratio, Duration)>,
    max_ratio: Option<Ratio>,
    max_hold: Option<u32>,
    sampled_review: bool,
    expected: Vec<DocumentType>,
}

pub(super) struct Rollout {
    plan: Plan,
    running: Running,
    clock: MockClock,
    sink: MemorySink,
    candidates: u32,
    documents: u64,
    pages: usize,
    /// Feedback to come, by its time.
    feedback_to_come: BTreeMap<u64, Vec<(Ticket, Feedback)>>,
    /// Uncorrected documents of the last traffic, the candidate's and production's.
    uncorrected: [Vec<Ticket>; 2],
    /// Documents that earlier corrections have named.
    named: BTreeMap<String, Ticket>,
    batches: u64,
}

impl Rollout {
    pub(super) fn new(config: &Fields<'_>) -> Result<Self, Problem> {
        config.only(&[
            "policy",
            "rule",
            "stages",
            "max_ratio",
            "max_hold",
            "expected_types",
            "sampled_review",
        ])?;
        let plan = Plan::read(config)?;
        let (clock, sink) = (MockClock::at(BEGIN), MemorySink::new());
        let running = plan.start(&clock, &sink, 1)?;
        Ok(Self {
            plan,
            running,
            clock,
            sink,
            candidates: 1,
            documents: 0,
            pages: 0,
            feedback_to_come: BTreeMap::new(),
            uncorrected: [Vec::new(), Vec::new()],
            named: BTreeMap::new(),
            batches: 0,
        })
    }

    /// Moves the clock, and gives the feedback that is due until then.
    fn go_to(&mut self, at: u64) {
        while let Some(entry) = self
            .feedback_to_come
            .first_entry()
            .filter(|entry| *entry.key() <= at)
        {
            let (at, feedback) = entry.remove_entry();
            self.clock.set(BEGIN + Duration::from_millis(at));
            for (ticket, feedback) in feedback {
                self.running.pipeline.observe(&ticket, feedback);
            }
        }
        self.clock.set(BEGIN + Duration::from_millis(at));
    }

    fn traffic(&mut self, at: u64, fields: &Fields<'_>) -> Result<(), Problem> {
        let number = |key| Ok::<_, Problem>(fields.optional(key, Fields::number)?.unwrap_or(0));
        let wanted = [number("candidate")?, number("stable")?];
        let corrected = [number("candidate_corrected")?, number("stable_corrected")?];
        let corrected_at = fields.optional("corrected_at", Fields::number)?;
        let document_type = fields.text("type")?;
        let mut arms = [Role::Candidate, Role::Stable]
            .into_iter()
            .zip(wanted)
            .map(|(role, wanted)| (role, wanted, Vec::new()))
            .collect::<Vec<_>>();
        let batch = fields.optional("batch", Fields::number)?;
        let mut admitted = 0_u64;
        let mut tries = wanted.iter().sum::<u64>().saturating_mul(TRIES);
        let is_full =
            |(_, wanted, tickets): &(Role, u64, Vec<Ticket>)| tickets.len() as u64 >= *wanted;
        while !arms.iter().all(is_full) {
            tries = tries
                .checked_sub(1)
                .ok_or("traffic: one of the versions gets no documents now")?;
            self.documents += 1;
            let id = format!("document-{}", self.documents);
            let mut call = Call::new(id, document_type).map_err(text)?;
            if let Some(size) = batch.filter(|size| *size > 0) {
                self.batches += u64::from(admitted % size == 0);
                admitted += 1;
                let key = BatchKey::new(format!("batch-{}", self.batches)).map_err(text)?;
                call = call.in_batch(key);
            }
            let permit = self.running.pipeline.admit(&call).permit();
            let permit = permit.ok_or("traffic: a document was diverted")?;
            let role = permit.ticket().role();
            match arms.iter_mut().find(|arm| arm.0 == role && !is_full(arm)) {
                Some((_, _, tickets)) => {
                    let settlement = permit.answer(Report::new());
                    tickets.push(settlement.ticket().clone());
                }
                None => drop(permit.release()),
            }
        }
        let reviewed = fields.optional("reviewed", Fields::flag)?.unwrap_or(true);
        let late = self
            .feedback_to_come
            .entry(corrected_at.unwrap_or(at))
            .or_default();
        let (mut reviews, mut corrections) = (Vec::new(), Vec::new());
        // Production's first, so that the evidence against the candidate never exceeds the step's.
        for ((role, _, mut tickets), corrected) in arms.into_iter().zip(corrected).rev() {
            let count = usize::try_from(corrected).unwrap_or(usize::MAX);
            if count > tickets.len() {
                return Err("traffic: more are corrected than answered".to_owned());
            }
            let uncorrected = tickets.split_off(count);
            if reviewed {
                let reviewed = |ticket: &Ticket| (ticket.clone(), Feedback::Reviewed);
                reviews.extend(uncorrected.iter().map(reviewed));
            }
            for ticket in tickets {
                corrections.push((ticket, Feedback::corrected(correction(None)?)));
            }
            let [candidate, stable] = &mut self.uncorrected;
            *(if role == Role::Candidate {
                candidate
            } else {
                stable
            }) = uncorrected;
        }
        late.extend(reviews);
        late.extend(corrections);
        self.go_to(at);
        Ok(())
    }

    /// A new name stands for an uncorrected document of the last traffic.
    fn correct(&mut self, op: &str, fields: &Fields<'_>) -> Result<(), Problem> {
        let name = fields.text("doc")?;
        let arm = match fields.optional("version", Fields::text)? {
            None | Some("candidate") => 0,
            Some("stable") => 1,
            Some(other) => {
                return Err(format!(
                    "version: got `{other}`, expected candidate or stable"
                ));
            }
        };
        if !self.named.contains_key(name) {
            let ticket = self.uncorrected.get_mut(arm).and_then(Vec::pop);
            let ticket =
                ticket.ok_or("doc: no uncorrected document of the last traffic is left")?;
            self.named.insert(name.to_owned(), ticket);
        }
        let Some(ticket) = self.named.get(name).cloned() else {
            return Ok(());
        };
        let correction = correction(fields.optional("event", Fields::text)?)?;
        let feedback = match op {
            "correct" => Feedback::corrected(correction),
            _ => Feedback::retracted(correction),
        };
        self.running.pipeline.observe(&ticket, feedback);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Problem> {
        let stored = self.running.pipeline.snapshot().map_err(text)?;
        let stored = serde_json::to_string(&stored).map_err(text)?;
        let snapshot = serde_json::from_str(&stored).map_err(text)?;
        self.running = self.plan.start(&self.clock, &self.sink, self.candidates)?;
        self.running.pipeline.restore(&snapshot).map_err(text)
    }

    fn look(&mut self, before: &RolloutStatus) -> Map<String, Value> {
        self.running.pipeline.tick();
        let pages = self.sink.take().into_iter();
        self.pages += pages
            .filter(|event| event.severity == Severity::Page)
            .count();
        let status = self.running.policy.status();
        let is_through = status.state == RolloutState::Promoted;
        let behind = usize::from(status.stage.saturating_sub(1)) + usize::from(is_through);
        let mut seen = Map::new();
        let mut see = |key: &str, value| seen.insert(key.to_owned(), value);
        see("decision", json!(decision(before, &status)));
        if let Some(Decision::Hold(reason)) = status.decision {
            see("reason", json!(reason_name(reason)));
        }
        see("stage", json!(behind));
        see("share_bp", json!(basis_points(status.share.as_f64()).ok()));
        see("state", json!(state_name(status.state)));
        see("ratio", json!(status.evidence.ratio));
        see("ln_e", json!(status.evidence.ln_e));
        see("p_exceeds", json!(status.evidence.p_exceeds));
        see("pages", json!(self.pages));
        let uncovered = status.findings.uncovered.iter().map(DocumentType::as_str);
        see("uncovered", json!(uncovered.collect::<Vec<_>>()));
        seen
    }
}

impl Guarded for Rollout {
    fn operation(&self, op: &str) -> Operation {
        match op {
            "traffic" => Operation::Known(&[
                "t",
                "type",
                "candidate",
                "stable",
                "candidate_corrected",
                "stable_corrected",
                "corrected_at",
                "reviewed",
                "batch",
            ]),
            "correct" | "retract" => Operation::Known(&["t", "doc", "event", "version"]),
            "look" | "pause" | "resume" | "hold" | "approve" | "promote" | "abort"
            | "new_candidate" | "restart" => Operation::Known(&["t"]),
            _ => Operation::Unknown,
        }
    }

    fn step(&mut self, op: &str, fields: &Fields<'_>) -> Result<Map<String, Value>, Problem> {
        let at = fields.number("t")?;
        let before = self.running.policy.status();
        self.go_to(at);
        match op {
            "look" => {}
            "traffic" => self.traffic(at, fields)?,
            "correct" | "retract" => self.correct(op, fields)?,
            "restart" => self.restart()?,
            "new_candidate" => {
                self.candidates += 1;
                let line_up = line_up(self.candidates)?;
                self.running.pipeline.deploy(line_up).map_err(text)?;
            }
            command => {
                // A command uses the time of the last tick.
                self.running.pipeline.tick();
                self.running.policy.obey(command)?;
            }
        }
        Ok(self.look(&before))
    }

    fn expectations(&self) -> &'static [&'static str] {
        &[
            "decision",
            "reason",
            "stage",
            "share_bp",
            "state",
            "ratio",
            "ln_e",
            "p_exceeds",
            "pages",
            "uncovered",
        ]
    }
}

impl Plan {
    fn read(config: &Fields<'_>) -> Result<Self, Problem> {
        let policy = config.text("policy")?.to_owned();
        if !["canary", "blue_green"].contains(&policy.as_str()) {
            return Err(format!(
                "policy: got `{policy}`, expected canary or blue_green"
            ));
        }
        let plain = match config.optional("rule", Fields::text)? {
            None | Some("evidence") => false,
            Some("published") if policy == "canary" => true,
            Some(other) => {
                let allowed = "evidence, or published for a canary";
                return Err(format!("rule: got `{other}`, expected {allowed}"));
            }
        };
        let stages = config.optional("stages", Fields::objects)?;
        let stages = stages.unwrap_or_default().into_iter().map(|stage| {
            stage.only(&["share_bp", "for_ms"])?;
            let share = Ratio::basis_points(stage.small("share_bp")?);
            Ok((share, Duration::from_millis(stage.number("for_ms")?)))
        });
        let max_ratio = config.optional("max_ratio", Fields::float)?;
        let expected = config.optional("expected_types", Fields::long_texts)?;
        let expected = expected.unwrap_or_default().into_iter();
        Ok(Self {
            policy,
            plain,
            stages: stages.collect::<Result<_, Problem>>()?,
            max_ratio: max_ratio
                .map(|ratio| basis_points(ratio).map(Ratio::basis_points))
                .transpose()?,
            max_hold: config.optional("max_hold", Fields::small)?,
            sampled_review: config
                .optional("sampled_review", Fields::flag)?
                .unwrap_or_default(),
            expected: expected
                .map(|name| DocumentType::new(name).map_err(text))
                .collect::<Result<_, _>>()?,
        })
    }

    fn start(
        &self,
        clock: &MockClock,
        sink: &MemorySink,
        candidate: u32,
    ) -> Result<Running, Problem> {
        let policy = self.policy()?;
        let guard: Box<dyn Guard> = match policy.clone() {
            Policy::BlueGreen(policy) => Box::new(policy),
            Policy::Canary(policy) => Box::new(policy),
        };
        let pipeline = Pipeline::builder(line_up(candidate)?)
            .guard(guard)
            .clock(clock.clone())
            .sink(sink.clone())
            .build()
            .map_err(text)?;
        pipeline.tick();
        Ok(Running { pipeline, policy })
    }

    fn policy(&self) -> Result<Policy, Problem> {
        let denominator = if self.sampled_review {
            Denominator::Reviewed
        } else {
            Denominator::Reviewable
        };
        if self.policy == "blue_green" {
            let mut builder = BlueGreenPolicy::builder()
                .expect_types(self.expected.clone())
                .denominator(denominator);
            if let Some(times) = self.max_hold {
                builder = builder.max_hold(times);
            }
            if let Some(ratio) = self.max_ratio {
                builder = builder.max_ratio(ratio);
            }
            match self.stages.as_slice() {
                [] => {}
                [(share, window)] => builder = builder.share(*share).window(*window),
                _ => return Err("stages: expected one for blue_green".to_owned()),
            }
            let policy = builder.build().map_err(text)?;
            return Ok(Policy::BlueGreen(Arc::new(policy)));
        }
        if !self.expected.is_empty() {
            return Err("expected_types: expected only for blue_green".to_owned());
        }
        let mut builder = CanaryPolicy::builder().denominator(denominator);
        let stages = if self.stages.is_empty() {
            DEFAULT_STAGES.as_slice()
        } else {
            &self.stages
        };
        for (share, at_least) in stages {
            builder = builder.stage(*share, *at_least);
        }
        if let Some(times) = self.max_hold {
            builder = builder.max_hold(times);
        }
        if let Some(ratio) = self.max_ratio {
            builder = builder.max_ratio(ratio);
        }
        if self.plain {
            builder = builder.plain_ratio();
        }
        Ok(Policy::Canary(Arc::new(builder.build().map_err(text)?)))
    }
}

fn obey<K>(policy: &RolloutPolicy<K>, command: &str) -> Result<(), fusebox::Error> {
    let (seen, who, why) = (policy.status().revision, "trace", "a step of the trace");
    match command {
        "pause" => policy.pause(seen, who, why),
        "resume" => policy.resume(seen, who, why),
        "hold" => policy.hold(seen, who, why),
        "approve" => policy.approve(seen, who, why),
        "promote" => policy.promote(seen, who, why),
        _ => policy.abort(seen, who, why),
    }
}

impl Policy {
    fn status(&self) -> RolloutStatus {
        match self {
            Self::BlueGreen(policy) => policy.status(),
            Self::Canary(policy) => policy.status(),
        }
    }

    fn obey(&self, command: &str) -> Result<(), Problem> {
        let result = match self {
            Self::BlueGreen(policy) => obey(policy, command),
            Self::Canary(policy) => obey(policy, command),
        };
        result.map_err(text)
    }
}

fn correction(id: Option<&str>) -> Result<Correction, Problem> {
    let correction = Correction::new(Field::new("total").map_err(text)?);
    match id {
        None => Ok(correction),
        Some(id) => Ok(correction.with_id(CorrectionId::new(id).map_err(text)?)),
    }
}

fn line_up(candidate: u32) -> Result<LineUp, Problem> {
    let version = |id: String| Version::new(id, "any-model").map_err(text);
    let stable = LineUp::new(version("stable".to_owned())?);
    Ok(stable.with_candidate(version(format!("candidate-{candidate}"))?))
}

/// The decision of a step: a change of state says more than the decision of the next tick.
fn decision(before: &RolloutStatus, after: &RolloutStatus) -> &'static str {
    match (after.state, after.decision) {
        (RolloutState::RolledBack | RolloutState::Aborted, _) => "roll_back",
        (RolloutState::Promoted, _) => "promote",
        (RolloutState::Escalated, _) => "escalate",
        _ if before.candidate == after.candidate && after.stage > before.stage => "promote",
        (_, Some(Decision::RollBack)) => "roll_back",
        (_, Some(Decision::Promote)) => "promote",
        (_, Some(Decision::Escalate)) => "escalate",
        _ => "hold",
    }
}

fn reason_name(reason: HoldReason) -> &'static str {
    match reason {
        HoldReason::Approval => "approval",
        HoldReason::Coverage => "coverage",
        HoldReason::Immature => "immature",
        HoldReason::SplitBroken => "split_broken",
        HoldReason::NoEvidence => "no_evidence",
        HoldReason::NotDue => "not_due",
        HoldReason::Paused => "paused",
        _ => "unclear",
    }
}

fn state_name(state: RolloutState) -> &'static str {
    match state {
        RolloutState::Aborted => "aborted",
        RolloutState::Escalated => "escalated",
        RolloutState::Promoted => "promoted",
        RolloutState::RolledBack => "rolled_back",
        _ => "running",
    }
}

/// Hundredths of a per cent, rounded.
fn basis_points(share: f64) -> Result<u32, Problem> {
    let rounded = format!("{:.0}", share * 10_000.0);
    rounded
        .parse()
        .map_err(|_| format!("got `{share}`, expected a share or a ratio"))
}

fn text(error: impl std::fmt::Display) -> Problem {
    error.to_string()
}
