//! One rollout through the public API, on a mock clock: documents come, are answered, looked at and
//! corrected, until the candidate is promoted to all documents or rolled back.

#[path = "../../shared/chance.rs"]
mod chance;
#[path = "../../shared/share.rs"]
pub(crate) mod share;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fusebox::clock::MockClock;
use fusebox::name::BatchKey;
use fusebox::rollout::{RolloutPolicy, RolloutState};
use fusebox::{
    Admission, Call, Correction, DocumentId, DocumentType, Error, ErrorRateBreaker, FailureKind,
    Feedback, Field, LineUp, Permit, Pipeline, Report, Ticket, Timestamp, Version,
};

use chance::Chance;
use world::{Document, Documents, Pair, World};

/// The pipeline's tick, and the time between two looks.
const STEP_SECONDS: u64 = 300;
const STEP: Duration = Duration::from_secs(STEP_SECONDS);
const STEPS_AN_HOUR: u64 = 12;
const BURST: Duration = Duration::from_secs(120);

/// How a rollout ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Promoted,
    RolledBack,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `None` if there was no verdict by the end of the run.
    pub(crate) verdict: Option<Verdict>,
    /// Whether the operator was asked to decide; a verdict may have followed.
    pub(crate) was_escalated: bool,
    /// From the deployment to the verdict, or to the end of the run.
    pub(crate) after: Duration,
    pub(crate) documents: u32,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Some(Verdict::Promoted) => "promoted",
            Some(Verdict::RolledBack) => "rolled back",
            None => "no verdict",
        };
        let escalated = if self.was_escalated {
            ", escalated"
        } else {
            ""
        };
        let hours = self.after.as_secs_f64() / 3_600.0;
        let documents = self.documents;
        write!(
            f,
            "{verdict} after {hours:.1} h and {documents} documents{escalated}"
        )
    }
}

/// Sees what the policy sees, and may decide in its place.
pub(crate) trait Rule {
    fn answered(&mut self, ticket: &Ticket);
    fn corrected(&mut self, ticket: &Ticket);
    /// After each step. Promoted is to the next stage, after the last one to all documents.
    fn look(&mut self, after: Duration) -> Option<Verdict>;
}

/// The policy decides alone.
impl Rule for () {
    fn answered(&mut self, _: &Ticket) {}

    fn corrected(&mut self, _: &Ticket) {}

    fn look(&mut self, _: Duration) -> Option<Verdict> {
        None
    }
}

/// Simulates a rollout by this policy; the seed decides everything that chance does.
pub(crate) fn run<K: 'static>(
    world: &World,
    policy: RolloutPolicy<K>,
    rule: &mut dyn Rule,
    seed: u64,
) -> Result<Outcome, Error> {
    let policy = Arc::new(policy);
    let mut run = Run::new(world, &policy, seed)?;
    run.alone(rule)?;
    run.deploy()?;
    let mut was_escalated = false;
    loop {
        run.step(rule)?;
        let status = policy.status();
        was_escalated |= status.state == RolloutState::Escalated;
        let verdict = match (status.state, rule.look(run.elapsed())) {
            (RolloutState::Promoted, _) => Some(Verdict::Promoted),
            (RolloutState::RolledBack, _) | (_, Some(Verdict::RolledBack)) => {
                Some(Verdict::RolledBack)
            }
            (_, Some(Verdict::Promoted)) => {
                policy.promote(status.revision, "rule", "its own evidence")?;
                let is_over = policy.status().state == RolloutState::Promoted;
                is_over.then_some(Verdict::Promoted)
            }
            (_, None) => None,
        };
        if verdict.is_some() || run.elapsed() >= world.ends {
            return Ok(Outcome {
                verdict,
                was_escalated,
                after: run.elapsed(),
                documents: run.count,
            });
        }
    }
}

struct Run<'w> {
    world: &'w World,
    documents: Documents<'w>,
    types: Vec<DocumentType>,
    field: Field,
    pipeline: Pipeline,
    clock: MockClock,
    now: Timestamp,
    deployed_at: Timestamp,
    bursts: Pair<Vec<Timestamp>>,
    /// The looks that come later, by the step in which they do.
    to_come: BTreeMap<u64, Vec<Look>>,
    steps: u64,
    count: u32,
    seed: u64,
}

/// A look at an answer.
struct Look {
    ticket: Ticket,
    /// What is wrong with the answer.
    correction: Option<Correction>,
}

impl<'w> Run<'w> {
    fn new<K: 'static>(
        world: &'w World,
        policy: &Arc<RolloutPolicy<K>>,
        seed: u64,
    ) -> Result<Self, Error> {
        let clock = MockClock::at(world.begins_at);
        let builder = Pipeline::builder(production(world)?)
            .clock(clock.clone())
            .instance(seed)
            .guard(Arc::clone(policy));
        let pipeline = if world.outage.is_empty() {
            builder.build()?
        } else {
            builder.guard(ErrorRateBreaker::default()).build()?
        };
        let types = world.kinds.iter().map(|kind| DocumentType::new(&kind.name));
        // Lines with different traffic are different runs; candidates of all ratios meet the same.
        let per_hour = world.kinds.iter().map(|kind| kind.per_hour).sum::<u64>();
        let mut documents = Documents::new(world, Chance::new(seed ^ per_hour.rotate_left(32)));
        let bursts = documents.bursts(world.begins_at, world.alone + world.ends);
        Ok(Self {
            world,
            documents,
            types: types.collect::<Result<_, _>>()?,
            field: Field::new("total")?,
            pipeline,
            clock,
            now: world.begins_at,
            deployed_at: world.begins_at + world.alone,
            bursts,
            to_come: BTreeMap::new(),
            steps: 0,
            count: 0,
            seed,
        })
    }

    /// Production without a candidate, until the deployment.
    fn alone(&mut self, rule: &mut dyn Rule) -> Result<(), Error> {
        while self.now < self.deployed_at {
            self.step(rule)?;
        }
        Ok(())
    }

    fn deploy(&mut self) -> Result<(), Error> {
        let candidate = Version::new("v8", "gpt-4o")?;
        let line_up = production(self.world)?.with_candidate(candidate);
        self.pipeline.deploy(line_up)?;
        self.pipeline.tick();
        Ok(())
    }

    fn elapsed(&self) -> Duration {
        self.now.since(self.deployed_at)
    }

    /// The documents of five minutes, then the looks that are due, then a tick.
    fn step(&mut self, rule: &mut dyn Rule) -> Result<(), Error> {
        let per_hour = self.world.per_hour(self.now);
        let before = |step: u64| per_hour * step / STEPS_AN_HOUR;
        let coming = before(self.steps + 1) - before(self.steps);
        let end = self.now + STEP;
        for number in 0..coming {
            let at = self.now + Duration::from_millis(1_000 * STEP_SECONDS * number / coming);
            self.clock.set(at);
            self.document(at, rule)?;
        }
        self.steps += 1;
        self.now = end;
        self.clock.set(end);
        while let Some(due) = self
            .to_come
            .first_entry()
            .filter(|due| *due.key() < self.steps)
        {
            for look in due.remove() {
                self.look(look, rule);
            }
        }
        self.pipeline.tick();
        Ok(())
    }

    /// A document from its admission to the look at its answer.
    fn document(&mut self, at: Timestamp, rule: &mut dyn Rule) -> Result<(), Error> {
        let document = self.documents.next(at);
        self.count += 1;
        let call = self.call(&document)?;
        let tries = if document.is_poisoned {
            self.world.poison.tries
        } else {
            1
        };
        for _ in 0..tries {
            match self.pipeline.admit(&call) {
                Admission::Admitted(permit) => self.attempt(permit, &document, at, rule),
                // It goes to human review, which says nothing of either version.
                Admission::Diverted(_) => break,
            }
        }
        Ok(())
    }

    /// The one place where a call is made up: what else a call can say of its document goes here.
    fn call(&self, document: &Document) -> Result<Call<'static>, Error> {
        let id = DocumentId::new(format!("{}-{}", self.seed, self.count))?;
        let document_type = self.types.get(document.kind).cloned();
        let document_type = document_type.map_or_else(|| DocumentType::new("other"), Ok)?;
        let call = Call::of(id, document_type);
        if !self.world.batches.split_whole {
            return Ok(call);
        }
        let batch = format!("{}-{}", self.seed, document.batch);
        Ok(call.in_batch(BatchKey::new(batch)?))
    }

    fn attempt(&mut self, permit: Permit, document: &Document, at: Timestamp, rule: &mut dyn Rule) {
        let version = permit.ticket().role();
        if document.is_poisoned {
            permit.fail(FailureKind::InvalidRequest);
        } else if *document.fails.of(version) || self.is_down(version, at) {
            permit.fail(FailureKind::ServerError);
        } else if *document.is_truncated.of(version) {
            permit.fail(FailureKind::Truncated);
        } else {
            let settlement = permit.answer(Report::new());
            rule.answered(settlement.ticket());
            let is_wrong = *document.is_wrong.of(version);
            let is_seen = *document.is_looked_at.of(version);
            if is_seen && (is_wrong || self.world.tells_looks) {
                let look = Look {
                    ticket: settlement.ticket().clone(),
                    correction: is_wrong.then(|| Correction::new(self.field.clone())),
                };
                let delay = *document.delay.of(version);
                if delay.is_zero() {
                    self.look(look, rule);
                } else {
                    let due = (at + delay).since(self.world.begins_at);
                    let step = due.as_secs() / STEP_SECONDS;
                    self.to_come.entry(step).or_default().push(look);
                }
            }
        }
    }

    fn look(&self, look: Look, rule: &mut dyn Rule) {
        if self.world.tells_looks {
            self.pipeline.observe(&look.ticket, Feedback::Reviewed);
        }
        if let Some(correction) = look.correction {
            let feedback = Feedback::corrected(correction);
            self.pipeline.observe(&look.ticket, feedback);
            rule.corrected(&look.ticket);
        }
    }

    /// Whether the provider is down, or this version by itself.
    fn is_down(&self, version: fusebox::Role, at: Timestamp) -> bool {
        let is_out =
            at >= self.deployed_at && self.world.outage.contains(&at.since(self.deployed_at));
        let mut bursts = self.bursts.of(version).iter();
        is_out || bursts.any(|burst| *burst <= at && at.since(*burst) < BURST)
    }
}

fn production(world: &World) -> Result<LineUp, Error> {
    let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
    if world.has_previous {
        return Ok(line_up.with_previous(Version::new("v6", "gpt-4o")?));
    }
    Ok(line_up)
}
