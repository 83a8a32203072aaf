//! A service that is killed again and again in the middle of everything decides as one that runs
//! through.

use std::collections::BTreeSet;

use fusebox::breaker::{BreakerState, Probing};
use fusebox::call::{Comparison, Difference};
use fusebox::drift::DriftState;
use fusebox::{
    Admission, CanaryPolicy, ConfidenceDriftMonitor, Feedback, Field, Ratio, RouteLedger,
    Settlement, ShadowComparator, TokenBudget, VersionId,
};

use super::*;
use crate::operator::pause;
use crate::support::{minutes, version};

/// Documents of a minute.
const A_MINUTE: u64 = 10;
const MINUTES: u64 = 10 * 60;
/// A turn comes each so many minutes, and after it the process is killed.
const KILLED_EACH: u64 = 7;

/// A process with every guard.
struct Whole {
    breaker: Arc<ErrorRateBreaker>,
    drift: Arc<ConfidenceDriftMonitor>,
    canary: Arc<CanaryPolicy>,
    shadow: Arc<ShadowComparator>,
    budget: Arc<TokenBudget>,
    pipeline: Pipeline,
    keeper: Keeper,
}

impl Whole {
    fn start(world: &World, instance: u64) -> Self {
        let breaker =
            ErrorRateBreaker::builder().recovery(Probing::after(minutes(20)).with_probes(40));
        let breaker = Arc::new(breaker.build().unwrap());
        let drift = Arc::new(ConfidenceDriftMonitor::default());
        let canary = CanaryPolicy::builder()
            .plain_ratio()
            .stage(Ratio::percent(10), minutes(60))
            .stage(Ratio::percent(30), minutes(60));
        let canary = Arc::new(canary.build().unwrap());
        let shadow = ShadowComparator::builder(VersionId::new("v9").unwrap());
        let shadow = Arc::new(shadow.documents(200, 1_000).build().unwrap());
        let budget = Arc::new(TokenBudget::builder().build().unwrap());
        let pipeline = Pipeline::builder(line_up().with_candidate(version("v8")))
            .guard(Arc::clone(&breaker))
            .guard(Arc::clone(&drift))
            .guard(Arc::clone(&canary))
            .guard(Arc::clone(&shadow))
            .guard(Arc::clone(&budget))
            .guard(RouteLedger::default())
            .clock(world.clock.clone())
            .instance(instance)
            .build()
            .unwrap();
        let builder = Keeper::builder("invoices", &pipeline).unwrap();
        let keeper = wait(builder.store(Arc::clone(&world.store)).start()).unwrap();
        Self {
            breaker,
            drift,
            canary,
            shadow,
            budget,
            pipeline,
            keeper,
        }
    }

    /// One document, and how it went.
    fn document(&self, minute: u64, n: u64) -> String {
        let id = format!("{minute}-{n}");
        let chance = twox_hash::XxHash3_64::oneshot(id.as_bytes());
        let is_contract = n == A_MINUTE - 1;
        let document_type = if is_contract { "contract" } else { "invoice" };
        let call = Call::new(id.clone(), document_type).unwrap();
        let permit = match self
            .pipeline
            .admit(&call.with_document_tokens(500 + chance % 400))
        {
            Admission::Admitted(permit) => permit,
            Admission::Diverted(diversion) => return format!("{id} diverted: {diversion}"),
        };
        let (by, model) = (
            permit.ticket().version().clone(),
            permit.ticket().model().clone(),
        );
        let is_broken = (200..203).contains(&minute) && by == "v7";
        if is_broken || chance % 200 == 0 {
            permit.fail(FailureKind::MalformedOutput);
            return format!("{id} failed by {by}");
        }
        let fell = if is_contract && minute >= 300 { 30 } else { 0 };
        let score = 95 - fell - chance % 5;
        let report = Report::new()
            .confidence("total", f64::from(u32::try_from(score).unwrap()) / 100.0)
            .usage(800 + chance % 300, 100);
        let settlement = permit.answer(report);
        let ticket = settlement.ticket();
        if chance % 50 == 1 {
            let corrected = Feedback::corrected(Field::new("total").unwrap());
            wait(self.keeper.feedback(ticket, corrected)).unwrap();
        }
        if chance % 3 == 0 {
            let end = match chance % 90 {
                0 => Comparison::Diverged(vec![Difference::changed(Field::new("total").unwrap())]),
                _ => Comparison::Match,
            };
            let candidate = VersionId::new("v9").unwrap();
            self.pipeline
                .observe(ticket, Feedback::compared(candidate, end));
        }
        let is_accepted = matches!(settlement, Settlement::Accepted { .. });
        format!("{id} by {by} with {model}, accepted: {is_accepted}")
    }

    /// What is going on.
    fn middle(&self) -> BTreeSet<&'static str> {
        let canary = self.canary.status();
        let compared = self.shadow.report().total.compared();
        let contract = self.drift.state("contract", "total");
        [
            ("paused in stage 2", canary.paused && canary.stage == 2),
            (
                "half-open",
                self.breaker.state("v7") == BreakerState::HalfOpen,
            ),
            (
                "out of service",
                self.breaker.state("v7") == BreakerState::Open,
            ),
            ("threshold raised", contract == DriftState::Raised),
            ("shadow run begun", (200..1_000).contains(&compared)),
            ("budget learnt", !self.budget.headroom().is_empty()),
        ]
        .into_iter()
        .filter_map(|(what, is_so)| is_so.then_some(what))
        .collect()
    }

    fn status(&self) -> String {
        let open: Vec<String> = {
            let open = self.pipeline.incidents();
            open.iter()
                .map(|incident| incident.key.to_string())
                .collect()
        };
        format!(
            "{}; {}; {:?} {}; {:?}; {open:?}",
            self.breaker.status(),
            self.canary.status(),
            self.drift.state("contract", "total"),
            self.drift.threshold("contract", "total"),
            self.shadow.report().total,
        )
    }
}

/// The log of a day, and what was going on when the process was killed.
fn day(is_killed: bool) -> (Vec<String>, BTreeSet<&'static str>) {
    let world = World::new();
    let (mut log, mut middles) = (Vec::new(), BTreeSet::new());
    let mut process = Whole::start(&world, 1);
    for minute in 0..MINUTES {
        for n in 0..A_MINUTE {
            log.push(process.document(minute, n));
        }
        world.clock.advance(minutes(1));
        let status = process.canary.status();
        if status.stage == 2 && !status.paused {
            pause(&process.canary).unwrap();
        }
        process.pipeline.tick();
        if minute % KILLED_EACH != 0 {
            continue;
        }
        wait(process.keeper.turn()).unwrap();
        log.push(process.status());
        if is_killed {
            middles.extend(process.middle());
            drop(process);
            process = Whole::start(&world, minute + 2);
        }
    }
    (log, middles)
}

#[test]
fn kills_in_the_middle_of_everything_change_no_decision() {
    let (whole, _) = day(false);
    let (cut, middles) = day(true);
    let different = whole.iter().zip(&cut).find(|(whole, cut)| whole != cut);
    assert_eq!(different, None);
    assert_eq!(
        middles,
        BTreeSet::from([
            "budget learnt",
            "half-open",
            "out of service",
            "paused in stage 2",
            "shadow run begun",
            "threshold raised",
        ])
    );
}
