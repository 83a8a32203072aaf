//! Laws of incidents, over random histories of all guards: every page has an incident, none opens
//! or ends twice, the list is what the events say, and what is put right ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use fusebox::breaker::Probing;
use fusebox::event::IncidentChange;
use fusebox::pipeline::Builder;
use fusebox::rollout::WorseType;
use fusebox::tokens::Model;
use fusebox::{
    BlueGreenPolicy, Confidence, ConfidenceDriftMonitor, Correction, DocumentType, Error,
    ErrorRateBreaker, FailureKind, Feedback, Field, LineUp, Permit, Ratio, Report, RouteLedger,
    Severity, Ticket, TokenBudget, Version,
};
use proptest::prelude::*;

use super::open;
use crate::operator::{rebaseline, reset, resolve};
use crate::support::{Bench, call, minutes, seconds, stored};

const TYPES: [&str; 3] = ["invoice", "contract", "statement"];
const FAILURES: [FailureKind; 6] = [
    FailureKind::ServerError,
    FailureKind::MalformedOutput,
    FailureKind::Throttled,
    FailureKind::Auth,
    FailureKind::ContextLengthExceeded,
    FailureKind::Timeout,
];

/// 100 histories, or as many as `FUSEBOX_HISTORIES` says.
pub(super) fn histories(default: u32) -> u32 {
    let wanted = std::env::var("FUSEBOX_HISTORIES").ok();
    wanted.map_or(default, |wanted| wanted.parse().expect("a number"))
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u32),
    Answer(usize, u8, u8),
    Fail(usize, usize, u8),
    Abandon(usize, u8),
    TooLarge(usize, u8),
    CutPrompt(usize),
    Hang(usize, u8),
    EndHanging,
    Correct(u16),
    Command(u8),
    Deploy(u8),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = 0..TYPES.len();
    let step = prop_oneof![
        6 => (1_u32..90_000).prop_map(Step::Wait),
        6 => (1_u32..900).prop_map(Step::Wait),
        6 => (kind.clone(), 1_u8..60, 0_u8..100).prop_map(|(kind, n, score)| Step::Answer(kind, n, score)),
        5 => (kind.clone(), 0..FAILURES.len(), 1_u8..40).prop_map(|(kind, how, n)| Step::Fail(kind, how, n)),
        2 => (kind.clone(), 1_u8..40).prop_map(|(kind, n)| Step::Abandon(kind, n)),
        2 => (kind.clone(), 1_u8..5).prop_map(|(kind, n)| Step::TooLarge(kind, n)),
        1 => kind.clone().prop_map(Step::CutPrompt),
        2 => (kind, 1_u8..20).prop_map(|(kind, n)| Step::Hang(kind, n)),
        1 => Just(Step::EndHanging),
        2 => any::<u16>().prop_map(Step::Correct),
        2 => (0_u8..6).prop_map(Step::Command),
        2 => (0_u8..4).prop_map(Step::Deploy),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

struct Guards {
    breaker: Arc<ErrorRateBreaker>,
    drift: Arc<ConfidenceDriftMonitor>,
}

impl Guards {
    fn new(by_type: bool, probes: bool) -> Self {
        let breaker = ErrorRateBreaker::builder().by_document_type(by_type);
        let breaker = if probes {
            breaker.recovery(Probing::after(minutes(1)))
        } else {
            breaker
        };
        let drift = ConfidenceDriftMonitor::builder().baseline_documents(20);
        Self {
            breaker: Arc::new(breaker.build().unwrap()),
            drift: Arc::new(drift.build().unwrap()),
        }
    }

    fn add_to(&self, builder: Builder) -> Builder {
        let expected = DocumentType::new("invoice").unwrap();
        let ledger = RouteLedger::builder().expect(expected, minutes(60));
        let rollout = BlueGreenPolicy::builder()
            .share(Ratio::percent(40))
            .window(minutes(60))
            .longest(minutes(600))
            .min_documents(10)
            .when_one_type_is_worse(WorseType::Exclude)
            .with_approval();
        let budget = TokenBudget::builder().model(Model::new("small", 10_000).unwrap());
        builder
            .guard(Arc::clone(&self.breaker))
            .guard(Arc::clone(&self.drift))
            .guard(ledger.build().unwrap())
            .guard(rollout.build().unwrap())
            .guard(budget.build().unwrap())
    }
}

fn version(id: &str) -> Version {
    let version = Version::new(id, "small").unwrap();
    version.with_system_prompt_tokens(1_000)
}

fn line_up(nth: u8) -> LineUp {
    match nth {
        0 => LineUp::new(version("v7")),
        1 => LineUp::new(version("v7")).with_previous(version("v6")),
        2 => LineUp::new(version("v8")).with_previous(version("v7")),
        _ => LineUp::new(version("v7"))
            .with_previous(version("v6"))
            .with_candidate(version("v8")),
    }
}

struct Service {
    bench: Bench,
    guards: Guards,
    by_type: bool,
    probes: bool,
    hanging: Vec<Permit>,
    answers: Vec<Ticket>,
    /// What the events say is open.
    told_open: BTreeSet<String>,
}

impl Service {
    fn new(by_type: bool, probes: bool) -> Self {
        let guards = Guards::new(by_type, probes);
        Self {
            bench: Bench::with(line_up(1), |builder| guards.add_to(builder)),
            guards,
            by_type,
            probes,
            hanging: Vec::new(),
            answers: Vec::new(),
            told_open: BTreeSet::new(),
        }
    }

    fn permits(&self, kind: usize, n: u8) -> impl Iterator<Item = Permit> {
        (0..n).filter_map(move |_| self.bench.admit(TYPES[kind]).permit())
    }

    fn answer(&mut self, kind: usize, n: u8, score: f64) {
        let report = || Report::new().confidence("total", score).usage(1_500, 200);
        let answers = self.permits(kind, n).map(|permit| permit.answer(report()));
        let answers: Vec<_> = answers.map(|answer| answer.ticket().clone()).collect();
        self.answers.extend(answers);
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Wait(time) => self.bench.clock.advance(seconds(u64::from(time))),
            Step::Answer(kind, n, score) => self.answer(kind, n, f64::from(score) / 100.0),
            Step::Fail(kind, how, n) => self.permits(kind, n).for_each(|permit| {
                permit.fail(FAILURES[how]);
            }),
            Step::Abandon(kind, n) => self.permits(kind, n).for_each(drop),
            Step::TooLarge(kind, n) => {
                for _ in 0..n {
                    let call = call("large", TYPES[kind]).with_document_tokens(20_000);
                    drop(self.bench.pipeline.admit(&call));
                }
            }
            Step::CutPrompt(kind) => self.permits(kind, 1).for_each(|permit| {
                let _ = permit.answer(Report::new().usage(300, 200));
            }),
            Step::Hang(kind, n) => {
                let hanging: Vec<_> = self.permits(kind, n).collect();
                self.hanging.extend(hanging);
            }
            Step::EndHanging => self.hanging.clear(),
            Step::Correct(nth) => {
                let nth = usize::from(nth).checked_rem(self.answers.len());
                if let Some(ticket) = nth.and_then(|nth| self.answers.get(nth)) {
                    let correction = Correction::new(Field::new("total").unwrap());
                    let feedback = Feedback::Corrected(correction);
                    self.bench.pipeline.observe(ticket, feedback);
                }
            }
            Step::Command(nth) => self.command(nth),
            Step::Deploy(nth) => self.bench.pipeline.deploy(line_up(nth)).unwrap(),
            Step::Restart => self.restart(),
        }
    }

    fn rearm(&self, version: &str) -> Result<(), Error> {
        let breaker = &self.guards.breaker;
        breaker.rearm(version, breaker.status().revision, "ada", "by chance")
    }

    fn command(&self, nth: u8) {
        match nth {
            0 => reset(&self.guards.breaker),
            1 => drop(self.rearm("v7")),
            2 => drop(self.rearm("v6")),
            3 => drop(resolve(&self.guards.drift, "invoice", "total")),
            4 => drop(rebaseline(&self.guards.drift, "contract", "total")),
            _ => {
                for incident in self.bench.pipeline.incidents() {
                    let _ = self.bench.pipeline.acknowledge(incident.key, "ada", "seen");
                }
            }
        }
    }

    fn restart(&mut self) {
        let snapshot = stored(&self.bench.pipeline);
        self.read_events().unwrap();
        self.guards = Guards::new(self.by_type, self.probes);
        let line_up = (*self.bench.pipeline.line_up()).clone();
        let guards = &self.guards;
        let next = self
            .bench
            .in_another_process(line_up, |builder| guards.add_to(builder));
        next.pipeline.restore(&snapshot).unwrap();
        self.hanging.clear();
        self.bench = next;
    }

    /// Checks each event against the incidents that are open by the events before it.
    fn read_events(&mut self) -> Result<(), TestCaseError> {
        for event in self.bench.events() {
            let told = event.incident.as_ref();
            let told = told.map(|told| (told.key.to_string(), told.change));
            if event.severity == Severity::Page {
                prop_assert!(
                    matches!(
                        told,
                        Some((_, IncidentChange::Opened | IncidentChange::Grew))
                    ),
                    "{event:?}"
                );
            }
            let Some((key, change)) = told else { continue };
            let was_right = match change {
                IncidentChange::Opened => self.told_open.insert(key),
                IncidentChange::Ended => self.told_open.remove(&key),
                _ => self.told_open.contains(&key),
            };
            prop_assert!(was_right, "{event:?}");
        }
        let listed: BTreeSet<_> = open(&self.bench).into_iter().collect();
        prop_assert_eq!(&listed, &self.told_open);
        Ok(())
    }

    /// Puts all right, and lets it be well for longer than anything is held open.
    fn recover(&mut self) {
        self.hanging.clear();
        reset(&self.guards.breaker);
        for kind in TYPES {
            drop(rebaseline(&self.guards.drift, kind, "total"));
        }
        self.bench.pipeline.deploy(line_up(1)).unwrap();
        for quarter in 0..27 * 4 {
            for kind in 0..TYPES.len() {
                self.answer(kind, 2, 0.95);
            }
            self.bench.tick_after(minutes(15));
            if quarter == 0 {
                self.command(5);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories(100)))]

    #[test]
    fn every_page_has_an_incident_and_every_incident_ends(
        steps in steps(),
        by_type in any::<bool>(),
        probes in any::<bool>(),
    ) {
        let mut service = Service::new(by_type, probes);
        for step in &steps {
            service.take(step);
            service.read_events()?;
            service.bench.pipeline.tick();
            service.read_events()?;
        }
        service.recover();
        service.read_events()?;
        prop_assert_eq!(&service.told_open, &BTreeSet::new());
        prop_assert_eq!(Confidence::percent(80), service.guards.drift.threshold("invoice", "total"));
    }
}
