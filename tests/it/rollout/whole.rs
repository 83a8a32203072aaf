//! Whole rollouts by chance, through a pipeline: how often they end as they should.
//!
//! The goals are those of `docs/rollouts.md`. A test fails when all of the 95 % interval of a share
//! is beyond its goal. With the few runs of each test run only a share that is far beyond it does;
//! `FUSEBOX_ROLLOUTS=400` runs so many. The seed of a run is its number.

use std::time::Duration;

use fusebox::rollout::Denominator;
use fusebox::{CanaryPolicy, Ratio, Timestamp};

use super::hours;
use super::simulated::share::Share;
use super::simulated::world::{Kind, Pair, Poison, World};
use super::simulated::{self, Outcome, Verdict};

/// 2026-03-13 16:00 UTC.
const AFTERNOON: Timestamp = Timestamp::from_millis(1_773_417_600_000);

fn runs() -> u64 {
    std::env::var("FUSEBOX_ROLLOUTS").map_or(6, |runs| runs.parse().expect("a number of runs"))
}

fn outcomes_of(world: &World, policy: fn() -> CanaryPolicy, runs: u64) -> Vec<Outcome> {
    (0..runs)
        .map(|seed| simulated::run(world, policy(), &mut (), seed).unwrap())
        .collect()
}

fn outcomes(world: &World) -> Vec<Outcome> {
    outcomes_of(world, CanaryPolicy::default, runs())
}

fn promoted(outcomes: &[Outcome]) -> Share {
    Share::of(outcomes, |outcome| {
        outcome.verdict == Some(Verdict::Promoted)
    })
}

fn rolled_back(outcomes: &[Outcome]) -> Share {
    Share::of(outcomes, |outcome| {
        outcome.verdict == Some(Verdict::RolledBack)
    })
}

#[track_caller]
fn at_most(goal: f64, share: Share) {
    assert!(share.interval().0 <= goal, "{share}, at most {goal}");
}

#[track_caller]
fn at_least(goal: f64, share: Share) {
    assert!(share.interval().1 >= goal, "{share}, at least {goal}");
}

#[test]
fn an_equal_candidate_is_promoted() {
    let outcomes = outcomes(&World::new(2_000, 1.0));
    at_most(0.05, rolled_back(&outcomes));
    at_least(0.95, promoted(&outcomes));
}

/// Of 100 runs by an independent simulation in numpy, 6 to 7 are; of candidates of 1.67 times 81 in
/// thirty hours. A rule with fewer of the former has too few of the latter.
#[test]
fn a_tolerated_candidate_is_seldom_rolled_back() {
    let world = World::new(2_000, 1.3);
    let outcomes = outcomes_of(&world, CanaryPolicy::default, 2 * runs());
    at_most(0.1, rolled_back(&outcomes));
}

#[test]
fn a_candidate_beyond_what_is_tolerated_is_rolled_back() {
    let outcomes = outcomes(&World::new(2_000, 1.67));
    at_least(0.75, rolled_back(&outcomes));
    at_most(0.05, promoted(&outcomes));
}

#[test]
fn a_candidate_twice_as_bad_is_rolled_back() {
    let outcomes = outcomes(&World::new(2_000, 2.0));
    at_least(0.95, rolled_back(&outcomes));
    at_most(0.0, promoted(&outcomes));
}

/// Suppliers of eight documents each, of which all answers are wrong or none.
#[test]
fn batches_do_not_roll_an_equal_candidate_back() {
    for (own, split_whole) in [(false, false), (false, true), (true, true)] {
        let mut world = World::new(2_000, 1.0);
        world.batches.size = 8;
        (world.batches.own, world.batches.split_whole) = (own, split_whole);
        at_most(0.05, rolled_back(&outcomes(&world)));
    }
}

#[test]
fn batches_hide_no_bad_candidate() {
    let mut world = World::new(2_000, 3.0);
    (world.batches.size, world.batches.split_whole) = (3, true);
    at_least(0.85, rolled_back(&outcomes(&world)));
}

/// One document of a hundred fails whichever version serves it, and is tried five times.
#[test]
fn retries_do_not_roll_an_equal_candidate_back() {
    let mut world = World::new(2_000, 1.0);
    world.poison = Poison {
        share: 0.01,
        tries: 5,
    };
    at_most(0.05, rolled_back(&outcomes(&world)));
}

/// All calls of one version fail for two minutes, twice a day.
#[test]
fn bursts_do_not_roll_an_equal_candidate_back() {
    let mut world = World::new(2_000, 1.0);
    world.bursts_a_day = 2;
    at_most(0.05, rolled_back(&outcomes(&world)));
}

/// Reviewers look at twice as many of the candidate's answers, and tell of each look.
#[test]
fn attention_decides_nothing_where_looks_are_told() {
    for (ratio, candidate, production) in [(1.0, 0.6, 0.3), (3.0, 0.3, 0.6)] {
        let mut world = World::new(2_000, ratio);
        world.looked_at = Pair {
            candidate,
            production,
        };
        world.tells_looks = true;
        let outcomes = outcomes(&world);
        if ratio > 1.0 {
            at_most(0.0, promoted(&outcomes));
            at_least(0.95, rolled_back(&outcomes));
        } else {
            at_most(0.05, rolled_back(&outcomes));
        }
    }
}

/// Corrections are divided by reviewed answers, and nobody tells of a review.
#[test]
fn nothing_is_promoted_by_reviews_that_are_not_told() {
    let by_reviews = || {
        let builder = CanaryPolicy::builder().denominator(Denominator::Reviewed);
        let builder = builder.stage(Ratio::percent(5), hours(2));
        builder.stage(Ratio::percent(25), hours(4)).build().unwrap()
    };
    let mut world = World::new(2_000, 3.0);
    world.ends = hours(12);
    at_most(0.0, promoted(&outcomes_of(&world, by_reviews, runs())));
}

/// The provider is down for an hour: what both versions fail alike is against neither.
#[test]
fn an_outage_of_the_provider_stops_no_equal_candidate() {
    let mut world = World::new(5_000, 1.0);
    world.outage = hours(3)..hours(4);
    let outcomes = outcomes(&world);
    at_most(0.05, rolled_back(&outcomes));
    at_least(0.9, promoted(&outcomes));
}

fn late(per_hour: u64, ratio: f64, candidate: u64, production: u64) -> World {
    let mut world = World::new(per_hour, ratio);
    world.delay = Pair {
        candidate: hours(candidate),
        production: hours(production),
    };
    world.alone = hours(48);
    world
}

/// Corrections come after six hours in the mean.
#[test]
fn late_corrections_are_waited_for() {
    let outcomes = outcomes(&late(2_000, 1.0, 6, 6));
    at_most(0.05, rolled_back(&outcomes));
    at_least(0.85, promoted(&outcomes));
}

/// Reviewers look on the next day. Two runs, as each is long.
#[test]
fn corrections_of_the_next_day_page_nobody() {
    let mut world = late(500, 1.0, 20, 20);
    (world.alone, world.ends) = (hours(120), hours(72));
    for outcome in outcomes_of(&world, CanaryPolicy::default, 2) {
        assert!(!outcome.was_escalated, "{outcome}");
    }
}

/// The candidate's alone come so late.
#[test]
fn late_corrections_hide_no_bad_candidate() {
    at_most(0.0, promoted(&outcomes(&late(500, 3.0, 6, 0))));
}

/// Deployed two hours before the night, in which no documents come.
#[test]
fn a_night_escalates_nothing() {
    let mut world = World::new(2_000, 1.0);
    (world.open, world.begins_at) = (8..18, AFTERNOON);
    world.ends = Duration::from_secs(96 * 3_600);
    let outcomes = outcomes(&world);
    let escalated = Share::of(&outcomes, |outcome| outcome.was_escalated);
    at_most(0.05, escalated);
    at_least(0.9, promoted(&outcomes));
}

/// Of ten types, each with half the documents of the one before, the fourth is five times worse.
#[test]
fn one_bad_type_is_not_promoted() {
    let mut world = World::new(0, 1.0);
    let shares = [1_024, 512, 256, 128, 64, 32, 16, 8, 4, 4];
    let kinds = (1..).zip(shares).map(|(number, per_hour)| Kind {
        name: format!("type-{number}"),
        per_hour,
        ratio: if number == 4 { 5.0 } else { 1.0 },
        comes: |_| true,
    });
    world.kinds = kinds.collect();
    at_most(0.0, promoted(&outcomes(&world)));
}

/// Twice as many answers are cut.
#[test]
fn a_bad_measure_is_not_promoted() {
    let mut world = World::new(2_000, 1.0);
    world.truncated = Pair {
        candidate: 0.02,
        production: 0.01,
    };
    at_most(0.05, promoted(&outcomes(&world)));
}
