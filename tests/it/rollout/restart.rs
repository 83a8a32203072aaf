//! A restart changes nothing, whatever a rollout has been through.

use std::sync::Arc;

use fusebox::Feedback;
use fusebox::event::PipelineEvent;
use fusebox::name::CorrectionId;
use fusebox::rollout::{RolloutStatus, WorseType};
use fusebox::{BlueGreenPolicy, Correction, EventKind, FailureKind, Field, Report, Ticket};
use proptest::prelude::*;

use super::serving::Detour;
use super::with_candidate;
use crate::operator::{abort, approve, hold, pause, promote, resume};
use crate::support::{Bench, answered, line_up, minutes, stored, version};

#[derive(Clone, Debug)]
enum Step {
    Answer(u8, u8),
    Fail(u8, u8),
    Correct(u16, u8),
    Retract(u16, u8),
    Review(u16),
    Wait(u16),
    Command(u8),
    Deploy(u8),
    Detour(bool, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_u8..3, 1_u8..60).prop_map(|(kind, n)| Step::Answer(kind, n)),
        1 => (0_u8..3, 1_u8..20).prop_map(|(kind, n)| Step::Fail(kind, n)),
        4 => (any::<u16>(), 0_u8..2).prop_map(|(nth, id)| Step::Correct(nth, id)),
        1 => (any::<u16>(), 0_u8..2).prop_map(|(nth, id)| Step::Retract(nth, id)),
        2 => any::<u16>().prop_map(Step::Review),
        4 => (1_u16..2_000).prop_map(Step::Wait),
        2 => (0_u8..6).prop_map(Step::Command),
        1 => (0_u8..4).prop_map(Step::Deploy),
        1 => (any::<bool>(), 0_u8..=4).prop_map(|(all, quarters)| Step::Detour(all, quarters)),
    ];
    prop::collection::vec(step, 1..50)
}

/// A service with a rollout, and the answers that it has given.
struct Service {
    bench: Bench,
    policy: Arc<BlueGreenPolicy>,
    detour: Arc<Detour>,
    answers: Vec<Ticket>,
}

fn policy() -> BlueGreenPolicy {
    BlueGreenPolicy::builder()
        .share(fusebox::Ratio::percent(40))
        .window(minutes(600))
        .longest(minutes(6_000))
        .min_documents(10)
        .when_one_type_is_worse(WorseType::Exclude)
        .with_approval()
        .build()
        .unwrap()
}

impl Service {
    fn new() -> Self {
        let (policy, detour) = (Arc::new(policy()), Arc::new(Detour::default()));
        let bench = Bench::with(with_candidate(), |builder| {
            builder
                .guard(Arc::clone(&policy))
                .guard(Arc::clone(&detour))
        });
        bench.pipeline.tick();
        bench.events();
        Self {
            bench,
            policy,
            detour,
            answers: Vec::new(),
        }
    }

    /// What is stored of the rollout, but for what is kept in no order.
    fn stored(&self) -> serde_json::Value {
        let mut stored = serde_json::to_value(self.bench.pipeline.snapshot().unwrap()).unwrap();
        let guard = &mut stored["guards"]["blue-green"];
        for (part, names) in [
            ("/delays", &["types"][..]),
            ("/trial", &["by_type", "documents"][..]),
            ("", &["seen"][..]),
        ] {
            if let Some(part) = guard
                .pointer_mut(part)
                .and_then(|part| part.as_object_mut())
            {
                for name in names {
                    part.remove(*name);
                }
            }
        }
        assert!(guard.is_object(), "{guard}");
        guard.take()
    }

    /// The same service in another process: what is not in the snapshot is gone.
    fn restarted(self) -> Self {
        let snapshot = stored(&self.bench.pipeline);
        let policy = Arc::new(policy());
        let line_up = (*self.bench.pipeline.line_up()).clone();
        let detour = self.detour;
        let bench = self.bench.in_another_process(line_up, |builder| {
            builder
                .guard(Arc::clone(&policy))
                .guard(Arc::clone(&detour))
        });
        bench.pipeline.restore(&snapshot).unwrap();
        bench.events();
        Self {
            bench,
            policy,
            detour,
            answers: self.answers,
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), String> {
        let nth = |nth: u16| {
            let number = usize::from(nth).checked_rem(self.answers.len())?;
            self.answers.get(number).cloned()
        };
        let correction = |id: u8| {
            let correction = Correction::new(Field::new("total").unwrap());
            correction.with_id(CorrectionId::new(id.to_string()).unwrap())
        };
        let names = ["invoice", "contract", "receipt"];
        match step {
            Step::Answer(kind, n) => {
                for _ in 0..*n {
                    let permit = self.bench.permit(names[usize::from(*kind)]);
                    self.answers.push(answered(permit, Report::new()));
                }
            }
            Step::Fail(kind, n) => {
                for _ in 0..*n {
                    let permit = self.bench.permit(names[usize::from(*kind)]);
                    permit.fail(FailureKind::ServerError);
                }
            }
            Step::Correct(number, id) => {
                if let Some(ticket) = nth(*number) {
                    let feedback = Feedback::corrected(correction(*id));
                    self.bench.pipeline.observe(&ticket, feedback);
                }
            }
            Step::Retract(number, id) => {
                if let Some(ticket) = nth(*number) {
                    let feedback = Feedback::retracted(correction(*id));
                    self.bench.pipeline.observe(&ticket, feedback);
                }
            }
            Step::Review(number) => {
                if let Some(ticket) = nth(*number) {
                    self.bench.pipeline.observe(&ticket, Feedback::Reviewed);
                }
            }
            Step::Wait(length) => self.bench.tick_after(minutes(u64::from(*length))),
            Step::Command(command) => {
                let result = match command {
                    0 => promote(&self.policy),
                    1 => pause(&self.policy),
                    2 => resume(&self.policy),
                    3 => hold(&self.policy),
                    4 => approve(&self.policy),
                    _ => abort(&self.policy),
                };
                return result.map_err(|error| error.to_string());
            }
            Step::Detour(all, quarters) => {
                let which = if *all { Detour::ALL } else { Detour::CANDIDATE };
                self.detour.set(which, 25 * u64::from(*quarters));
            }
            Step::Deploy(which) => {
                let line_up = match which {
                    0 => line_up(),
                    1 => line_up().with_candidate(version("v9")),
                    _ => with_candidate(),
                };
                self.bench.pipeline.deploy(line_up).unwrap();
                self.bench.pipeline.tick();
            }
        }
        Ok(())
    }

    fn told(&self) -> Vec<String> {
        let events = self.bench.events().into_iter();
        let events = events.filter(|event| {
            !matches!(
                event.kind,
                EventKind::Pipeline(PipelineEvent::Deployed { .. })
            )
        });
        // The numbers in them are sums, in the order of a map that differs from process to process.
        let names = events.map(|event| {
            let text = serde_json::to_value(&event.kind).unwrap();
            format!("{} {} {}", event.at, event.severity, text["event"])
        });
        names.collect()
    }
}

fn is_the_same(one: &RolloutStatus, other: &RolloutStatus) -> Result<(), TestCaseError> {
    let place = |status: &RolloutStatus| {
        (
            status.candidate.clone(),
            status.state,
            (status.stage, status.share, status.paused, status.decision),
            status.not_counted.clone(),
        )
    };
    prop_assert_eq!(place(one), place(other));
    let findings = |status: &RolloutStatus| {
        let findings = &status.findings;
        (
            findings.uncovered.clone(),
            findings.excluded.clone(),
            findings.not_serving.clone(),
            (findings.next_evaluation, findings.slow_reviews),
        )
    };
    prop_assert_eq!(findings(one), findings(other));
    let maturity = (one.findings.maturity, other.findings.maturity);
    prop_assert!((maturity.0.least() - maturity.1.least()).abs() < 1e-9);
    prop_assert_eq!(one.types.len(), other.types.len());
    for (one, other) in one.types.iter().zip(&other.types) {
        prop_assert_eq!(&one.document_type, &other.document_type);
        prop_assert_eq!(one.verdict, other.verdict);
        prop_assert_eq!(one.evidence.candidate, other.evidence.candidate);
        prop_assert_eq!(one.evidence.stable, other.evidence.stable);
        prop_assert!((one.evidence.ln_e - other.evidence.ln_e).abs() < 1e-9);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_restart_at_any_moment_changes_nothing(steps in steps(), at in 0_usize..50) {
        let (mut one, mut other) = (Service::new(), Service::new());
        for (number, step) in steps.iter().enumerate() {
            if number == at % steps.len() {
                let stored = other.stored();
                other = other.restarted();
                prop_assert_eq!(stored, other.stored());
                is_the_same(&one.policy.status(), &other.policy.status())?;
            }
            prop_assert_eq!(one.take(step), other.take(step));
            one.bench.pipeline.tick();
            other.bench.pipeline.tick();
            is_the_same(&one.policy.status(), &other.policy.status())?;
            prop_assert_eq!(one.told(), other.told());
        }
    }
}
