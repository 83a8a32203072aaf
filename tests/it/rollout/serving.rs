//! A stage goes on only while both versions serve the documents that the split gives them, whoever
//! sends them elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fusebox::breaker::{BreakerState, Probing};
use fusebox::event::RolloutEvent;
use fusebox::guard::{Cx, Route};
use fusebox::rollout::{Decision, HoldReason, Measure, RolloutState};
use fusebox::{
    BlueGreenPolicy, Call, CanaryPolicy, ErrorRateBreaker, EventKind, FailureKind, Guard, Report,
    Role, Severity,
};
use proptest::prelude::*;

use super::{answers, busy, correct, experience, experience_of, held, hours, with_candidate};
use crate::operator::{abort, pause, promote, rearm, resume};
use crate::support::{Bench, answered, minutes, stored};

fn with_breaker<P: Guard + 'static>(
    policy: P,
    breaker: ErrorRateBreaker,
) -> (Bench, Arc<P>, Arc<ErrorRateBreaker>) {
    let (policy, breaker) = (Arc::new(policy), Arc::new(breaker));
    let bench = Bench::with(with_candidate(), |builder| {
        builder
            .guard(Arc::clone(&policy))
            .guard(Arc::clone(&breaker))
    });
    bench.pipeline.tick();
    (bench, policy, breaker)
}

fn by_type() -> ErrorRateBreaker {
    let breaker = ErrorRateBreaker::builder().by_document_type(true);
    breaker.build().unwrap()
}

/// Fails `n` calls of one version; those of the other are answered.
fn fail(bench: &Bench, document_type: &str, role: Role, n: usize) {
    let mut failed = 0;
    while failed < n {
        let permit = bench.permit(document_type);
        if permit.ticket().role() == role {
            permit.fail(FailureKind::ServerError);
            failed += 1;
        } else {
            let _ = permit.answer(Report::new());
        }
    }
}

/// Fails v7 for contracts alone.
fn fail_contracts(bench: &Bench) {
    for _ in 0..5 {
        fail(bench, "contract", Role::Stable, 1);
        traffic(bench, "invoice", 3);
    }
}

/// Answers `n` documents; returns how many each version served.
fn traffic(bench: &Bench, document_type: &str, n: usize) -> [usize; 3] {
    let mut served = [0; 3];
    for _ in 0..n {
        let ticket = answered(bench.permit(document_type), Report::new());
        served[ticket.role() as usize] += 1;
    }
    served
}

/// The holds that the rollout has reported since the last look, and its pages.
fn holds(bench: &Bench) -> Vec<(HoldReason, String)> {
    let mut holds = Vec::new();
    for event in bench.events() {
        if let EventKind::Rollout(kind) = &event.kind {
            assert_ne!(event.severity, Severity::Page, "{event}");
            if let RolloutEvent::RolloutHolds { reason, .. } = kind {
                holds.push((*reason, kind.to_string()));
            }
        }
    }
    holds
}

/// A canary at the end of the first hour of its first stage, and v7 has just failed.
fn without_production() -> (Bench, Arc<CanaryPolicy>, Arc<ErrorRateBreaker>) {
    let (bench, canary, breaker) =
        with_breaker(CanaryPolicy::default(), ErrorRateBreaker::default());
    experience(&bench, (30, 1_000), (570, 19_000));
    bench.tick_after(hours(1));
    fail(&bench, "invoice", Role::Stable, 5);
    assert_eq!(breaker.state("v7"), BreakerState::Latched);
    assert_eq!(traffic(&bench, "invoice", 200), [0, 0, 200]);
    (bench, canary, breaker)
}

#[test]
fn a_stage_does_not_end_while_production_does_not_serve_and_goes_on_when_it_does() {
    let (bench, canary, breaker) = without_production();
    bench.events();
    bench.pipeline.tick();
    assert_eq!(held(&canary), Some(HoldReason::StableNotServing));
    let told = holds(&bench);
    assert_eq!(told.len(), 1, "{told:?}");
    let (reason, text) = &told[0];
    assert_eq!(*reason, HoldReason::StableNotServing);
    let begin = "v8 holds at stage 1: production does not serve its share of the documents; ";
    assert!(text.starts_with(begin), "{text}");
    let end = "; v6 serves instead of v7; v6 serves instead of v8";
    assert!(text.ends_with(end), "{text}");
    let status = canary.status();
    assert!(status.to_string().ends_with(end), "{status}");
    assert_eq!(status.findings.next_evaluation, None);

    for _ in 0..14 {
        bench.clock.advance(minutes(30));
        traffic(&bench, "invoice", 20);
        bench.pipeline.tick();
        assert_eq!((canary.status().stage, holds(&bench)), (1, vec![]));
        assert_eq!(held(&canary), Some(HoldReason::StableNotServing));
    }

    rearm(&breaker, "v7");
    answers(&bench, "invoice", 10, 190);
    bench.pipeline.tick();
    assert_eq!(held(&canary), Some(HoldReason::NotDue));
    assert!(canary.status().findings.not_serving.is_empty());
    let next = canary.status().findings.next_evaluation.unwrap();
    bench.tick_after(minutes(59));
    assert_eq!(canary.status().stage, 1, "one hour of two is still to come");
    bench.tick_after(minutes(1));
    assert_eq!(canary.status().stage, 2);
    assert_eq!(next, fusebox::clock::Clock::now(&bench.clock));
    answers(&bench, "invoice", 100, 300);
    bench.tick_after(hours(4));
    assert_eq!(canary.status().state, RolloutState::Promoted);
}

#[test]
fn a_probe_ends_no_absence_and_five_do() {
    let probing = Probing::after(minutes(1)).with_probes(5);
    let breaker = ErrorRateBreaker::builder().recovery(probing);
    let (bench, canary, _breaker) = with_breaker(CanaryPolicy::default(), breaker.build().unwrap());
    fail(&bench, "invoice", Role::Stable, 5);
    assert_eq!(traffic(&bench, "invoice", 20), [0, 0, 20]);
    bench.tick_after(minutes(1));
    for (probes, expected) in [(1, HoldReason::StableNotServing), (4, HoldReason::NotDue)] {
        let (_, probes) = answers(&bench, "invoice", 0, probes);
        assert!(probes.iter().all(|ticket| ticket.role() == Role::Stable));
        bench.pipeline.tick();
        assert_eq!(held(&canary), Some(expected));
    }
}

#[test]
fn the_plain_rule_waits_for_production_as_well() {
    let (bench, canary, _breaker) = with_breaker(
        CanaryPolicy::with_plain_ratio(),
        ErrorRateBreaker::default(),
    );
    fail(&bench, "invoice", Role::Stable, 5);
    traffic(&bench, "invoice", 20);
    bench.tick_after(hours(12));
    assert_eq!(held(&canary), Some(HoldReason::StableNotServing));
    assert_eq!(canary.status().stage, 1);
}

#[test]
fn a_person_still_decides_while_production_does_not_serve() {
    let (bench, canary, _breaker) = without_production();
    bench.pipeline.tick();
    promote(&canary).unwrap();
    bench.events();
    bench.pipeline.tick();
    assert_eq!(canary.status().stage, 2);
    let told = holds(&bench);
    assert_eq!(told.len(), 1, "again in the next stage: {told:?}");
    assert!(
        told[0]
            .1
            .contains(" at stage 2: production does not serve ")
    );
    promote(&canary).unwrap();
    assert_eq!(canary.status().state, RolloutState::Promoted);

    let (_bench, canary, _breaker) = without_production();
    abort(&canary).unwrap();
    assert_eq!(canary.status().state, RolloutState::Aborted);
}

/// Production is away for ten minutes of the stage's time, and then in a pause of two hours, until
/// fifty minutes into the pause or ten minutes after it.
#[test]
fn a_pause_and_an_absence_are_not_counted_twice() {
    for after_the_pause in [false, true] {
        let (bench, canary, breaker) = without_production();
        bench.tick_after(minutes(10));
        pause(&canary).unwrap();
        bench.tick_after(minutes(50));
        if !after_the_pause {
            rearm(&breaker, "v7");
            answers(&bench, "invoice", 10, 190);
        }
        bench.tick_after(minutes(70));
        resume(&canary).unwrap();
        if after_the_pause {
            bench.tick_after(minutes(10));
            rearm(&breaker, "v7");
            answers(&bench, "invoice", 10, 190);
        }
        bench.tick_after(minutes(59));
        assert_eq!(canary.status().stage, 1);
        bench.tick_after(minutes(1));
        assert_eq!(canary.status().stage, 2, "{}", canary.status());
    }
}

/// Absences begin at minutes 0, 6, 12 and 18.
#[test]
fn an_absence_that_comes_and_goes_is_told_once_in_a_quarter_of_an_hour() {
    let (bench, canary) = detoured(CanaryPolicy::default());
    let mut told = Vec::new();
    for _ in 0..4 {
        bench.detour.set(Detour::ALL, 100);
        traffic(&bench, "invoice", 200);
        bench.pipeline.tick();
        assert_eq!(held(&canary), Some(HoldReason::StableNotServing));
        bench.detour.set(Detour::ALL, 0);
        traffic(&bench, "invoice", 200);
        bench.tick_after(minutes(6));
        assert_eq!(held(&canary), Some(HoldReason::NotDue));
        told.extend(holds(&bench).into_iter().map(|(reason, _)| reason));
    }
    let once = [HoldReason::StableNotServing, HoldReason::NotDue];
    assert_eq!(told, [once, once].concat());
}

/// Half a percent of both versions' calls fail; then five of v8 in a row.
#[test]
fn a_candidate_that_does_not_serve_is_no_broken_split_and_ends_no_stage() {
    let (bench, canary, breaker) =
        with_breaker(CanaryPolicy::default(), ErrorRateBreaker::default());
    fail(&bench, "invoice", Role::Stable, 4);
    experience(&bench, (30, 1_000), (570, 19_000));
    fail(&bench, "invoice", Role::Stable, 96);
    bench.tick_after(hours(1));
    fail(&bench, "invoice", Role::Candidate, 5);
    assert_eq!(breaker.state("v8"), BreakerState::Latched);
    bench.events();
    // Without v8, of 24,000 documents 1,000 are the candidate's and 1,200 would be.
    assert_eq!(traffic(&bench, "invoice", 4_000), [0, 4_000, 0]);
    bench.tick_after(hours(1));
    assert_eq!(held(&canary), Some(HoldReason::CandidateNotServing));
    let told = holds(&bench);
    assert_eq!(told.len(), 1, "{told:?}");
    let text = &told[0].1;
    assert!(
        text.contains("stage 1: the candidate does not serve its share of the documents; "),
        "{text}"
    );
    assert!(text.contains("; v7 serves instead of v8; next "), "{text}");

    rearm(&breaker, "v8");
    answers(&bench, "invoice", 10, 190);
    bench.tick_after(minutes(59));
    assert_eq!(held(&canary), Some(HoldReason::NotDue));
    bench.tick_after(minutes(1));
    assert_eq!(canary.status().stage, 2, "{}", canary.status());
    assert_eq!(holds(&bench).last().unwrap().0, HoldReason::NotDue);
}

/// A version that nobody puts back needs a decision, after four times the stage's length.
#[test]
fn a_candidate_that_stays_away_is_a_person_s_to_decide() {
    let (bench, canary) = detoured(CanaryPolicy::default());
    bench.detour.set(Detour::CANDIDATE, 100);
    traffic(&bench, "invoice", 400);
    busy(&bench, minutes(60 * 8 - 1));
    assert_eq!(held(&canary), Some(HoldReason::CandidateNotServing));
    busy(&bench, minutes(1));
    let pages = bench.pages();
    let [EventKind::Rollout(RolloutEvent::RolloutEscalated { findings, .. })] = &pages[..] else {
        panic!("{pages:?}")
    };
    assert!(findings.to_string().ends_with("; v7 serves instead of v8"));
}

#[test]
fn a_type_that_production_does_not_serve_holds_the_stage_until_it_does() {
    let (bench, policy, breaker) = with_breaker(BlueGreenPolicy::default(), by_type());
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    experience_of(&bench, "contract", (3, 100), (27, 900));
    bench.tick_after(hours(24));
    fail_contracts(&bench);
    assert_eq!(breaker.state_for("v7", "contract"), BreakerState::Latched);
    bench.events();
    assert_eq!(traffic(&bench, "contract", 30), [0, 0, 30]);
    answers(&bench, "invoice", 100, 900);
    bench.tick_after(hours(24));
    assert_eq!(
        policy.status().decision,
        Some(Decision::Hold(HoldReason::StableNotServing))
    );
    let told = holds(&bench);
    assert_eq!(told.len(), 1, "{told:?}");
    let text = &told[0].1;
    assert!(
        text.contains("; v6 serves contract instead of v7"),
        "{text}"
    );
    assert!(!text.contains("serves instead of"), "{text}");

    rearm(&breaker, "v7");
    answers(&bench, "contract", 10, 90);
    bench.tick_after(minutes(60 * 24 - 1));
    assert_eq!(policy.status().state, RolloutState::Running);
    bench.tick_after(minutes(1));
    assert_eq!(policy.status().state, RolloutState::Promoted);
}

#[test]
fn nobody_waits_for_a_type_of_which_no_document_comes_any_more() {
    let (bench, policy, _breaker) = with_breaker(BlueGreenPolicy::default(), by_type());
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    experience_of(&bench, "contract", (3, 100), (27, 900));
    bench.tick_after(hours(1));
    fail_contracts(&bench);
    traffic(&bench, "contract", 30);
    traffic(&bench, "invoice", 100);
    bench.tick_after(minutes(60 * 48 - 1));
    assert!(!policy.status().findings.not_serving.is_empty());
    bench.tick_after(minutes(1));
    assert!(policy.status().findings.not_serving.is_empty());
    bench.tick_after(minutes(60 * 47 - 1));
    assert_eq!(policy.status().state, RolloutState::Running);
    bench.tick_after(minutes(1));
    assert_eq!(policy.status().state, RolloutState::Promoted);
}

#[test]
fn calls_for_which_no_version_is_left_are_nobody_s_diversions() {
    let (bench, canary) = detoured(CanaryPolicy::default());
    traffic(&bench, "invoice", 100);
    bench.detour.set(Detour::NOBODY, 100);
    for _ in 0..100 {
        assert!(bench.admit("invoice").permit().is_none());
    }
    bench.pipeline.tick();
    let status = canary.status();
    assert_eq!(
        status.decision,
        Some(Decision::Hold(HoldReason::StableNotServing))
    );
    let text = status.to_string();
    assert!(text.contains("; no version serves instead of v7"), "{text}");
    let mut at_once = status.at_once.iter();
    let diversions = at_once.find(|evidence| evidence.measure == Measure::Diversions);
    assert_eq!(diversions.unwrap().stable.events, 0);
}

/// A guard keeps one document in five from the candidate: 800 of 19,800 where 990 are expected.
#[test]
fn a_guard_that_keeps_documents_from_the_candidate_breaks_the_split() {
    let (bench, canary) = detoured(CanaryPolicy::default());
    bench.detour.set(Detour::CANDIDATE, 20);
    let (mut candidates, mut stables) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        let ticket = answered(bench.permit("invoice"), Report::new());
        match ticket.role() {
            Role::Candidate => candidates.push(ticket),
            _ => stables.push(ticket),
        }
    }
    correct(&bench, &stables, 570);
    correct(&bench, &candidates, 24);
    bench.tick_after(hours(4));
    bench.detour.set(Detour::CANDIDATE, 0);
    traffic(&bench, "invoice", 200);
    bench.tick_after(hours(2));
    assert_eq!(held(&canary), Some(HoldReason::SplitBroken));
}

/// Each absence is noticed by the candidate's third document, of about 60.
#[test]
fn absences_add_up_to_no_broken_split() {
    let (bench, canary) = detoured(CanaryPolicy::default());
    let (mut candidates, mut stables) = (Vec::new(), Vec::new());
    for number in 0..40 * 280 {
        let is_away = number % 280 < 120;
        bench
            .detour
            .set(Detour::CANDIDATE, if is_away { 100 } else { 0 });
        let ticket = answered(bench.permit("invoice"), Report::new());
        match ticket.role() {
            Role::Candidate => candidates.push(ticket),
            _ => stables.push(ticket),
        }
    }
    correct(&bench, &stables, stables.len() * 3 / 100);
    correct(&bench, &candidates, candidates.len() * 3 / 100);
    bench.tick_after(hours(2));
    assert_eq!(canary.status().stage, 2, "{}", canary.status());
}

#[test]
fn a_few_documents_elsewhere_stop_no_stage() {
    for which in [Detour::CANDIDATE, Detour::ALL] {
        let (bench, canary) = detoured(CanaryPolicy::default());
        bench.detour.set(which, 2);
        experience(&bench, (30, 1_000), (570, 19_000));
        bench.tick_after(hours(2));
        assert_eq!(canary.status().stage, 2, "{}", canary.status());
    }
}

#[test]
fn two_documents_elsewhere_stop_no_stage_and_three_do() {
    for (elsewhere, stage) in [(2, 2), (3, 1)] {
        let (bench, canary) = detoured(CanaryPolicy::default());
        experience(&bench, (30, 1_000), (570, 19_000));
        bench.detour.set(Detour::ALL, 100);
        assert_eq!(traffic(&bench, "invoice", elsewhere), [0, 0, elsewhere]);
        bench.tick_after(hours(2));
        assert_eq!(canary.status().stage, stage, "{}", canary.status());
    }
}

#[test]
fn a_restart_knows_who_did_not_serve_and_for_how_long() {
    let (bench, _canary, breaker) = without_production();
    bench.tick_after(minutes(30));
    let snapshot = stored(&bench.pipeline);
    assert_eq!(breaker.state("v7"), BreakerState::Latched);

    let (next, breaker) = (
        Arc::new(CanaryPolicy::default()),
        Arc::new(ErrorRateBreaker::default()),
    );
    let after = bench.in_another_process(with_candidate(), |builder| {
        builder.guard(Arc::clone(&next)).guard(Arc::clone(&breaker))
    });
    after.pipeline.restore(&snapshot).unwrap();
    after.events();
    after.tick_after(minutes(30));
    assert_eq!(held(&next), Some(HoldReason::StableNotServing));
    assert_eq!(holds(&after), [], "it was told before");
    assert!(
        next.status()
            .to_string()
            .contains("v6 serves instead of v7")
    );
    rearm(&breaker, "v7");
    answers(&after, "invoice", 10, 190);
    after.tick_after(minutes(59));
    assert_eq!(next.status().stage, 1);
    after.tick_after(minutes(1));
    assert_eq!(next.status().stage, 2);
}

/// Sends a share of the documents elsewhere.
#[derive(Debug, Default)]
pub(super) struct Detour(AtomicU64);

impl Detour {
    /// To the previous version.
    pub(super) const ALL: u64 = 0;
    /// From the candidate to production.
    pub(super) const CANDIDATE: u64 = 1_000;
    /// To human review.
    const NOBODY: u64 = 2_000;

    pub(super) fn set(&self, which: u64, percent: u64) {
        self.0.store(which + percent, Ordering::Relaxed);
    }
}

impl Guard for Detour {
    fn name(&self) -> &'static str {
        "detour"
    }

    fn route(&self, call: &Call<'_>, _: &Cx<'_>) -> Route {
        let setting = self.0.load(Ordering::Relaxed);
        let (which, percent) = (setting / 1_000 * 1_000, setting % 1_000);
        let document = call.document().as_str().bytes();
        let mixed = document.fold(percent, |mixed, byte| {
            (mixed ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        });
        match which {
            _ if (mixed >> 32) % 100 >= percent => Route::Abstain,
            Self::CANDIDATE => Route::Stable,
            Self::NOBODY => Route::HumanReview,
            _ => Route::Previous,
        }
    }
}

/// A pipeline with a detour.
struct Detoured {
    bench: Bench,
    detour: Arc<Detour>,
}

impl std::ops::Deref for Detoured {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

fn detoured<P: Guard + 'static>(policy: P) -> (Detoured, Arc<P>) {
    let (policy, detour) = (Arc::new(policy), Arc::new(Detour::default()));
    let bench = Bench::with(with_candidate(), |builder| {
        builder
            .guard(Arc::clone(&policy))
            .guard(Arc::clone(&detour))
    });
    bench.pipeline.tick();
    (Detoured { bench, detour }, policy)
}

fn plain() -> CanaryPolicy {
    CanaryPolicy::with_plain_ratio()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A document comes each minute, to a stage of 120 minutes that needs no evidence. Production's
    /// planned share of it is 114 documents; half of it is 57.
    #[test]
    fn no_stage_ends_for_which_production_did_not_serve_half_of_its_share(
        steps in prop::collection::vec((0_u64..=5, 1_u64..120, any::<bool>()), 1..12),
    ) {
        let (mut bench, mut canary) = detoured(plain());
        // The same split without a detour says whose each document is.
        let twin = Bench::with(with_candidate(), |builder| builder.guard(plain()));
        let (mut served, mut elsewhere_in_a_row) = (0_u32, 0_u32);
        for (fifths, length, restarts) in steps {
            bench.detour.set(Detour::ALL, 20 * fifths);
            for _ in 0..length {
                let is_production_s = twin.permit("invoice").release().role() == Role::Stable;
                let role = answered(bench.permit("invoice"), Report::new()).role();
                if is_production_s && role == Role::Stable {
                    (served, elsewhere_in_a_row) = (served + 1, 0);
                } else if is_production_s {
                    elsewhere_in_a_row += 1;
                }
                bench.tick_after(minutes(1));
                if canary.status().stage > 1 {
                    prop_assert!(served >= 57 - 9, "{served}");
                    prop_assert!(elsewhere_in_a_row < 3, "{elsewhere_in_a_row}");
                    return Ok(());
                }
            }
            if restarts {
                let snapshot = stored(&bench.pipeline);
                let (policy, detour) = (Arc::new(plain()), Arc::clone(&bench.detour));
                let next = bench.in_another_process(with_candidate(), |builder| {
                    builder.guard(Arc::clone(&policy)).guard(Arc::clone(&detour))
                });
                next.pipeline.restore(&snapshot).unwrap();
                (bench, canary) = (Detoured { bench: next, detour }, policy);
            }
        }
    }
}
