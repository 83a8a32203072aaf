//! P5: two versions are compared per document type, over a window long enough for types that seldom
//! come.

use std::time::Duration;

use fusebox::event::RolloutEvent;
use fusebox::rollout::{Decision, HoldReason, RolloutState};
use fusebox::{BlueGreenPolicy, EventKind, Ratio};

use super::{busy, experience_of, hours, name, started};
use crate::support::minutes;

#[test]
fn ten_percent_for_forty_eight_hours() {
    let (bench, policy) = started(BlueGreenPolicy::default());
    assert_eq!(policy.status().share, Ratio::percent(10));
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    bench.tick_after(minutes(60 * 48 - 1));
    assert_eq!(
        policy.status().decision,
        Some(Decision::Hold(HoldReason::NotDue))
    );
    bench.tick_after(minutes(1));
    assert_eq!(
        (policy.status().state, policy.status().share),
        (RolloutState::Promoted, Ratio::ONE)
    );
    assert_eq!(bench.pages(), []);
}

#[test]
fn it_waits_for_types_that_were_not_seen_often_enough() {
    let policy = BlueGreenPolicy::builder()
        .expect_types([name("invoice"), name("month_end")])
        .build()
        .unwrap();
    let (bench, policy) = started(policy);
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    experience_of(&bench, "month_end", (0, 19), (5, 171));
    bench.tick_after(hours(48));
    assert_eq!(
        policy.status().decision,
        Some(Decision::Hold(HoldReason::Coverage))
    );
    assert_eq!(policy.status().findings.uncovered, [name("month_end")]);
    experience_of(&bench, "month_end", (0, 1), (0, 0));
    bench.pipeline.tick();
    assert_eq!(
        policy.status().state,
        RolloutState::Promoted,
        "the twentieth"
    );
}

#[test]
fn undeclared_types_that_production_answered_are_expected() {
    let (bench, policy) = started(BlueGreenPolicy::default());
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    experience_of(&bench, "rare", (0, 0), (0, 5));
    bench.tick_after(hours(48));
    assert_eq!(policy.status().findings.uncovered, [name("rare")]);
    assert_eq!(policy.status().state, RolloutState::Running);
}

#[test]
fn after_thirty_five_days_a_person_is_asked_and_told_what_is_missing() {
    let policy = BlueGreenPolicy::builder()
        .expect_types([name("year_end")])
        .build()
        .unwrap();
    let (bench, policy) = started(policy);
    experience_of(&bench, "invoice", (30, 1_000), (270, 9_000));
    bench.tick_after(minutes(60 * 35 * 24 - 1));
    assert_eq!(bench.pages(), []);
    bench.tick_after(minutes(1));
    let pages = bench.pages();
    let [EventKind::Rollout(RolloutEvent::RolloutEscalated { findings, .. })] = &pages[..] else {
        panic!("{pages:?}")
    };
    assert!(
        findings
            .to_string()
            .ends_with("too few documents of: year_end"),
        "{findings}"
    );
    assert_eq!(policy.status().share, Ratio::percent(10));
}

#[test]
fn one_type_that_is_worse_alone_rolls_back() {
    let (bench, policy) = started(BlueGreenPolicy::default());
    experience_of(&bench, "invoice", (40, 2_000), (720, 18_000));
    experience_of(&bench, "contract", (20, 100), (20, 900));
    assert_eq!(policy.status().state, RolloutState::RolledBack);
    assert!(
        !policy.status().evidence.exceeds,
        "all types together look fine: {}",
        policy.status().evidence
    );
    let pages = bench.pages();
    let [EventKind::Rollout(RolloutEvent::RolledBack { findings, .. })] = &pages[..] else {
        panic!("{pages:?}")
    };
    let text = findings.to_string();
    assert!(text.starts_with("contract: corrected "), "{text}");
}

#[test]
fn numbers_that_cannot_work_are_refused() {
    let refused = |policy: Result<BlueGreenPolicy, fusebox::Error>, message: &str| {
        assert_eq!(policy.unwrap_err().to_string(), message);
    };
    refused(
        BlueGreenPolicy::builder().share(Ratio::ONE).build(),
        "blue-green stage 1: share: got `100 %`, expected more than 0 % and less than 100 %",
    );
    refused(
        BlueGreenPolicy::builder().window(Duration::ZERO).build(),
        "blue-green stage 1: time: got `0s`, expected longer than zero",
    );
    refused(
        BlueGreenPolicy::builder().longest(hours(47)).build(),
        "blue-green longest: got `1day 23h`, expected at least the window, 2days",
    );
}

#[test]
fn what_is_not_clear_after_four_windows_is_a_person_s_to_decide() {
    let (bench, _policy) = started(BlueGreenPolicy::default());
    experience_of(&bench, "invoice", (0, 100), (0, 900));
    busy(&bench, minutes(60 * 48 * 4 - 1));
    assert_eq!(bench.pages(), []);
    busy(&bench, minutes(1));
    assert!(matches!(
        &bench.pages()[..],
        [EventKind::Rollout(RolloutEvent::RolloutEscalated { .. })]
    ));
}
