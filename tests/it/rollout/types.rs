//! Document types in a rollout: worse alone, left to production, expected, not seen; and what is
//! known before any correction.

use std::sync::Arc;

use fusebox::event::{PipelineEvent, RolloutEvent};
use fusebox::pipeline::Snapshot;
use fusebox::rollout::{
    BlueGreenPolicyBuilder, Cadence, Decision, HoldReason, Measure, RolloutState, TypeVerdict,
    WorseType,
};
use fusebox::{
    BlueGreenPolicy, CanaryPolicy, EventKind, FailureKind, LineUp, Permit, Report, Role, Timestamp,
};

use super::{answers, busy, experience_of, hours, name, running, started, with_candidate};
use crate::operator::promote;
use crate::support::{Bench, minutes, version};

/// How many of 1,000 documents the candidate gets.
fn exposed(bench: &Bench, document_type: &str) -> usize {
    let is_candidate = |_: &usize| {
        let ticket = bench.permit(document_type).release();
        ticket.role() == Role::Candidate
    };
    (0..1_000).filter(is_candidate).count()
}

fn excluding() -> BlueGreenPolicyBuilder {
    BlueGreenPolicy::builder().when_one_type_is_worse(WorseType::Exclude)
}

#[test]
fn a_type_that_is_worse_alone_stays_with_production() {
    let (bench, policy) = started(excluding().build().unwrap());
    experience_of(&bench, "invoice", (40, 2_000), (720, 18_000));
    experience_of(&bench, "contract", (20, 100), (20, 900));
    let pages = bench.pages();
    let [
        EventKind::Rollout(RolloutEvent::TypeExcluded {
            document_type,
            findings,
            ..
        }),
    ] = &pages[..]
    else {
        panic!("{pages:?}")
    };
    assert_eq!(*document_type, "contract");
    assert!(findings.to_string().starts_with("contract: corrected "));
    assert_eq!(policy.status().state, RolloutState::Running);
    assert_eq!(exposed(&bench, "contract"), 0);
    assert!(exposed(&bench, "invoice") > 50);
    let verdicts: Vec<_> = policy
        .status()
        .types
        .iter()
        .map(|status| (status.document_type.to_string(), status.verdict))
        .collect();
    let expected = [
        ("contract".to_owned(), TypeVerdict::Excluded),
        ("invoice".to_owned(), TypeVerdict::NoWorse),
    ];
    assert_eq!(verdicts, expected);
    assert_eq!(policy.status().evidence.candidate.documents, 2_000);
    bench.tick_after(hours(48));
    assert_eq!(policy.status().state, RolloutState::Promoted);
    assert_eq!(bench.pages(), [], "one page");
    assert_eq!(exposed(&bench, "contract"), 0, "after the promotion too");
    assert_eq!(exposed(&bench, "invoice"), 1_000);
}

#[test]
fn nobody_waits_for_a_type_that_is_left_to_production() {
    let expected = [name("invoice"), name("statement")];
    let (bench, policy) = started(excluding().expect_types(expected).build().unwrap());
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    experience_of(&bench, "statement", (10, 19), (10, 171));
    assert_eq!(policy.status().findings.excluded, [name("statement")]);
    bench.tick_after(hours(48));
    assert_eq!(policy.status().state, RolloutState::Promoted);
}

#[test]
fn what_is_left_to_production_is_so_after_a_restart() {
    let (bench, _policy) = started(excluding().build().unwrap());
    experience_of(&bench, "invoice", (40, 2_000), (720, 18_000));
    experience_of(&bench, "contract", (20, 100), (20, 900));
    let stored = serde_json::to_string(&bench.pipeline.snapshot().unwrap()).unwrap();
    let snapshot: Snapshot = serde_json::from_str(&stored).unwrap();
    let (after, policy) = started(excluding().build().unwrap());
    after.pipeline.restore(&snapshot).unwrap();
    assert_eq!(exposed(&after, "contract"), 0);
    assert_eq!(policy.status().findings.excluded, [name("contract")]);
}

#[test]
fn the_last_type_cannot_be_left_to_production() {
    let (bench, policy) = started(excluding().build().unwrap());
    experience_of(&bench, "contract", (20, 100), (20, 900));
    assert_eq!(policy.status().state, RolloutState::RolledBack);
}

/// Twice as often in each of three types, in none of them beyond doubt.
#[test]
fn a_candidate_that_is_worse_for_all_types_is_rolled_back() {
    let (bench, policy) = started(excluding().build().unwrap());
    for document_type in ["invoice", "contract", "receipt", "order"] {
        if policy.status().state == RolloutState::Running {
            experience_of(&bench, document_type, (9, 125), (34, 1_125));
        }
    }
    let status = policy.status();
    assert!(status.types.len() > 2, "{status}");
    assert_eq!(status.state, RolloutState::RolledBack, "{status}");
    assert!(status.findings.excluded.is_empty());
}

#[test]
fn a_canary_judges_types_alone_too() {
    let (bench, canary) = running();
    experience_of(&bench, "invoice", (40, 2_000), (1_140, 38_000));
    experience_of(&bench, "contract", (15, 100), (38, 1_900));
    let status = canary.status();
    assert_eq!(status.state, RolloutState::RolledBack);
    assert!(!status.evidence.exceeds, "together: {}", status.evidence);
    assert_eq!(status.findings.document_type, Some(name("contract")));
}

/// One type of ten is judged as one of ten: the evidence must be ten times as strong. 9 of 100
/// against 38 of 1,900 has an e-value of 160, between 20 and 200.
#[test]
fn with_more_types_each_needs_stronger_evidence() {
    let alone = |types: usize| {
        let (bench, canary) = running();
        for n in 1..types {
            experience_of(&bench, &format!("type-{n}"), (6, 1_000), (570, 19_000));
        }
        experience_of(&bench, "contract", (9, 100), (38, 1_900));
        canary.status().state
    };
    assert_eq!(alone(2), RolloutState::RolledBack);
    assert_eq!(alone(10), RolloutState::Running);
}

#[test]
fn after_a_promotion_types_that_were_not_seen_keep_their_share_until_they_are() {
    let expected = [name("invoice"), name("statement")];
    let policy = BlueGreenPolicy::builder().expect_types(expected);
    let (bench, policy) = started(policy.build().unwrap());
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    bench.tick_after(hours(48));
    assert_eq!(policy.status().findings.uncovered, [name("statement")]);
    promote(&policy).unwrap();
    bench.pipeline.tick();
    assert_eq!(policy.status().state, RolloutState::Promoted);
    assert_eq!(exposed(&bench, "invoice"), 1_000);
    let share = exposed(&bench, "statement");
    // Four standard deviations of the binomial around 100 are 38.
    assert!(share.abs_diff(100) < 38, "{share} of 1,000");
    answers(&bench, "statement", 19, 0);
    assert!(exposed(&bench, "statement") < 200);
    answers(&bench, "statement", 1, 0);
    assert_eq!(exposed(&bench, "statement"), 1_000, "the twentieth");
}

/// The watch after a promotion lasts 24 hours, and longer for what was not seen.
#[test]
fn a_type_that_comes_after_the_promotion_is_still_judged() {
    let expected = [name("invoice"), name("statement")];
    let (bench, policy) = started(excluding().expect_types(expected).build().unwrap());
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    promote(&policy).unwrap();
    bench.tick_after(hours(24 * 20));
    experience_of(&bench, "statement", (10, 19), (10, 171));
    bench.pipeline.tick();
    assert_eq!(policy.status().findings.excluded, [name("statement")]);
    assert_eq!(exposed(&bench, "statement"), 0);
    assert_eq!(exposed(&bench, "invoice"), 1_000);
}

#[test]
fn types_that_production_answered_in_the_last_35_days_are_expected() {
    let policy = Arc::new(BlueGreenPolicy::default());
    let bench = Bench::with(LineUp::new(version("v7")), |builder| {
        builder.guard(Arc::clone(&policy))
    });
    let _ = bench.permit("forgotten").answer(Report::new());
    bench.tick_after(minutes(10));
    let _ = bench.permit("monthly").answer(Report::new());
    bench.tick_after(minutes(33 * 24 * 60 - 10));
    bench.pipeline.deploy(with_candidate()).unwrap();
    bench.pipeline.tick();
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    bench.tick_after(hours(48) + minutes(5));
    assert_eq!(policy.status().findings.uncovered, [name("monthly")]);
    assert_eq!(
        policy.status().decision,
        Some(Decision::Hold(HoldReason::Coverage))
    );
    bench.tick_after(minutes(6));
    assert_eq!(policy.status().state, RolloutState::Promoted, "36 days ago");
}

/// It is the evening of 13 March. Invoices of a month's end are other invoices.
#[test]
fn documents_of_other_days_do_not_stand_for_a_month_s_end() {
    let policy = BlueGreenPolicy::builder()
        .expect(name("invoice"), Cadence::Daily)
        .expect(name("invoice"), Cadence::MonthEnd);
    let (bench, policy) = started(policy.build().unwrap());
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    bench.tick_after(hours(48));
    let status = policy.status();
    assert_eq!(status.findings.uncovered, [name("invoice")]);
    let next = status.findings.next_evaluation.unwrap();
    assert_eq!(next.to_string(), "2026-03-31T00:00:00.000Z");
    bench.clock.set(next);
    experience_of(&bench, "invoice", (0, 19), (0, 171));
    bench.tick_after(minutes(10));
    assert_eq!(policy.status().state, RolloutState::Running);
    experience_of(&bench, "invoice", (0, 1), (0, 0));
    bench.pipeline.tick();
    assert_eq!(policy.status().state, RolloutState::Promoted);
}

#[test]
fn times_of_one_s_own_count_as_they_say() {
    fn is_sunday(at: Timestamp) -> bool {
        at.as_millis() / 86_400_000 % 7 == 3
    }
    let policy = BlueGreenPolicy::builder().expect(name("bulk"), Cadence::on("sunday", is_sunday));
    let (bench, policy) = started(policy.build().unwrap());
    experience_of(&bench, "bulk", (30, 1_000), (270, 9_000));
    assert_eq!(
        policy.status().findings.uncovered,
        [name("bulk")],
        "a Friday"
    );
    bench.clock.advance(hours(48));
    experience_of(&bench, "bulk", (0, 20), (0, 180));
    assert!(policy.status().findings.uncovered.is_empty(), "a Sunday");
    assert_eq!(
        Cadence::on("sunday", is_sunday).to_string(),
        "sunday",
        "as people read it"
    );
}

/// Ends `n` calls of the candidate and `m` of production.
fn ends(bench: &Bench, (n, m): (usize, usize), end: impl Fn(Permit)) {
    let (mut candidates, mut stables) = (0, 0);
    while candidates < n || stables < m {
        let permit = bench.permit("invoice");
        let (count, wanted) = match permit.ticket().role() {
            Role::Candidate => (&mut candidates, n),
            _ => (&mut stables, m),
        };
        if *count < wanted {
            *count += 1;
            end(permit);
        } else {
            permit.release();
        }
    }
}

/// Twice as often as production, 12 % against 6 %, and nobody has corrected anything.
#[test]
fn what_is_known_at_once_rolls_back_without_a_correction() {
    let ways: [(Measure, fn(Permit)); 4] = [
        (Measure::Abandonments, |permit| drop(permit)),
        (Measure::Diversions, |permit| {
            let unsure = Report::new().confidence("total", 1.5);
            let _ = permit.answer(unsure);
        }),
        (Measure::Failures, |permit| {
            permit.fail(FailureKind::MalformedOutput);
        }),
        (Measure::Truncations, |permit| {
            let _ = permit.answer(Report::new().finish_reason("length"));
        }),
    ];
    for (measure, end) in ways {
        let canary = Arc::new(CanaryPolicy::default());
        let bench = Bench::with(with_candidate(), |builder| {
            builder
                .guard(Arc::clone(&canary))
                .guard(fusebox::ConfidenceDriftMonitor::default())
        });
        bench.pipeline.tick();
        ends(&bench, (880, 17_860), |permit| {
            let _ = permit.answer(Report::new());
        });
        ends(&bench, (0, 1_140), end);
        ends(&bench, (60, 0), end);
        assert_eq!(canary.status().state, RolloutState::Running, "{measure}");
        for _ in 0..2_000 {
            let permit = bench.permit("invoice");
            match permit.ticket().role() {
                Role::Candidate => end(permit),
                _ => drop(permit.release()),
            }
        }
        let status = canary.status();
        assert_eq!(status.state, RolloutState::RolledBack, "{measure}");
        assert_eq!(status.findings.evidence.measure, measure);
        let pages = bench.pages();
        let rolled_back =
            |page: &&EventKind| matches!(page, EventKind::Rollout(RolloutEvent::RolledBack { .. }));
        assert_eq!(pages.iter().filter(rolled_back).count(), 1, "{pages:?}");
    }
}

/// 14 of 1,000 against 95 of 19,000 are an e-value of 52, 15 are 133 (numpy): the four measures
/// that are known at once share their 5 %, so that each needs 80.
#[test]
fn what_is_known_at_once_needs_four_times_the_evidence() {
    let (bench, canary) = running();
    ends(&bench, (986, 18_905), |permit| {
        let _ = permit.answer(Report::new());
    });
    let fail = |permit: Permit| {
        permit.fail(FailureKind::MalformedOutput);
    };
    ends(&bench, (0, 95), fail);
    ends(&bench, (14, 0), fail);
    bench.pipeline.tick();
    assert_eq!(canary.status().state, RolloutState::Running);
    ends(&bench, (1, 0), fail);
    assert_eq!(canary.status().state, RolloutState::RolledBack);
}

/// 6 of 200 against 114 of 3,800 are above 1.5 times with a probability of 12 %, 30 of 1,000
/// against 570 of 19,000 with 1 %.
#[test]
fn a_type_is_no_worse_only_beyond_five_percent_of_doubt() {
    let (bench, canary) = running();
    experience_of(&bench, "contract", (6, 200), (114, 3_800));
    experience_of(&bench, "invoice", (30, 1_000), (570, 19_000));
    let verdicts: Vec<_> = canary
        .status()
        .types
        .iter()
        .map(|status| status.verdict)
        .collect();
    assert_eq!(verdicts, [TypeVerdict::Unclear, TypeVerdict::NoWorse]);
}

/// Contracts are refused four times as often, invoices not at all.
#[test]
fn a_type_that_fails_more_often_stays_with_production() {
    let (bench, policy) = started(excluding().build().unwrap());
    ends(&bench, (1_000, 9_000), |permit| {
        let _ = permit.answer(Report::new());
    });
    for _ in 0..1_500 {
        let permit = bench.permit("contract");
        let share = match permit.ticket().role() {
            Role::Candidate => 3,
            _ => 12,
        };
        let number: u32 = permit.ticket().document().as_str()[9..].parse().unwrap();
        if number % share == 0 {
            permit.fail(FailureKind::Refusal);
        } else {
            let _ = permit.answer(Report::new());
        }
    }
    bench.pipeline.tick();
    let status = policy.status();
    assert_eq!(status.findings.excluded, [name("contract")], "{status}");
    assert_eq!(status.state, RolloutState::Running);
}

#[test]
fn equal_ends_roll_nothing_back() {
    let (bench, canary) = running();
    ends(&bench, (500, 9_500), |permit| {
        permit.fail(FailureKind::Refusal);
    });
    ends(&bench, (500, 9_500), |permit| {
        let _ = permit.answer(Report::new());
    });
    assert_eq!(canary.status().state, RolloutState::Running);
    let failures = canary.status().at_once;
    let failures = failures
        .iter()
        .find(|evidence| evidence.measure == Measure::Failures);
    let ratio = failures.and_then(|evidence| evidence.ratio).unwrap();
    assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
}

#[test]
fn types_past_the_first_thousand_are_judged_together() {
    let (bench, canary) = running();
    for n in 0..1_000 {
        let _ = bench.permit(&format!("type-{n}")).answer(Report::new());
    }
    bench.events();
    experience_of(&bench, "one-more", (60, 500), (285, 9_500));
    assert_eq!(canary.status().state, RolloutState::RolledBack);
    experience_of(&bench, "and-another", (0, 0), (0, 10));
    let others: Vec<_> = bench
        .events()
        .into_iter()
        .filter(|event| {
            matches!(
                event.kind,
                EventKind::Pipeline(PipelineEvent::KeysExhausted { limit: 1_000, .. })
            )
        })
        .collect();
    assert_eq!(others.len(), 1);
    assert_eq!(canary.status().types.len(), 1_001);
}

#[test]
fn a_hold_has_a_length() {
    let (bench, policy) = started(BlueGreenPolicy::builder().max_hold(2).build().unwrap());
    experience_of(&bench, "invoice", (0, 100), (0, 900));
    busy(&bench, minutes(96 * 60 - 1));
    assert_eq!(policy.status().state, RolloutState::Running);
    busy(&bench, minutes(1));
    assert_eq!(policy.status().state, RolloutState::Escalated);
    let error = BlueGreenPolicy::builder().max_hold(0).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "blue-green max_hold: got `0`, expected at least 1"
    );
}
