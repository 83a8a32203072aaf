//! A plan that reaches a verdict with the documents that come, and a warning where it cannot.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fusebox::event::RolloutEvent;
use fusebox::rollout::{DelaySource, Fit, FittedPlan, Risk, Traffic};
use fusebox::{CanaryPolicy, EventKind, LineUp, Ratio, Report, Severity};

use super::simulated::world::{Pair, World};
use super::simulated::{Verdict, run};
use super::{answers, correct, hours, name, started, with_candidate};
use crate::support::{Bench, answered, minutes, version};

/// Three of 100 invoices are corrected.
fn invoices(per_hour: f64) -> Traffic {
    Traffic::new([(name("invoice"), per_hour)], Ratio::percent(3)).unwrap()
}

fn days(n: u64) -> Duration {
    hours(24 * n)
}

fn fitted(traffic: &Traffic, risk: &Risk) -> Box<FittedPlan> {
    match CanaryPolicy::fit(traffic, risk).unwrap() {
        Fit::Plan(plan) => plan,
        needs => panic!("{needs}"),
    }
}

/// How many runs are made, more where `FUSEBOX_RUNS` says so.
fn runs(short: u64) -> u64 {
    let stated = std::env::var("FUSEBOX_RUNS").ok();
    stated.map_or(short, |runs| runs.parse().unwrap())
}

/// How rollouts through the pipeline end.
#[derive(Debug, Default)]
struct Ends {
    promoted: u64,
    rolled_back: u64,
    /// The operator was asked, whatever followed.
    escalated: u64,
    hours: Vec<f64>,
}

impl Ends {
    fn of(world: &World, policy: impl Fn() -> CanaryPolicy, runs: u64) -> Self {
        let mut ends = Self::default();
        for seed in 0..runs {
            let outcome = run(world, policy(), &mut (), seed).unwrap();
            *match outcome.verdict {
                _ if outcome.was_escalated => &mut ends.escalated,
                Some(Verdict::Promoted) => &mut ends.promoted,
                Some(Verdict::RolledBack) => &mut ends.rolled_back,
                None => &mut ends.escalated,
            } += 1;
            ends.hours.push(outcome.after.as_secs_f64() / 3_600.0);
        }
        ends.hours.sort_by(f64::total_cmp);
        ends
    }

    fn median(&self) -> f64 {
        self.hours[self.hours.len() / 2]
    }
}

/// The interval that holds a count of `runs` in 998 of 1,000 cases, for events of this probability
/// (normal, three standard errors and one for the steps of a count).
#[allow(clippy::cast_precision_loss, reason = "a few hundred runs")]
fn expected(share: f64, runs: u64) -> (f64, f64) {
    let runs = runs as f64;
    let around = 3.0 * (runs * share * (1.0 - share)).sqrt() + 1.0;
    (runs * share - around, runs * share + around)
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred runs")]
fn is_within(count: u64, share: f64, runs: u64) -> bool {
    let (low, high) = expected(share, runs);
    (low..=high).contains(&(count as f64))
}

fn invoice_world(per_hour: u64, ratio: f64, delay: Duration) -> World {
    let mut world = World::new(per_hour, ratio);
    world.delay = Pair::both(delay);
    if !delay.is_zero() {
        world.alone = days(2);
    }
    world.ends = days(40);
    world
}

/// Corrections come after six hours in the mean, and the policy knows it: rollouts through the
/// pipeline end as often and as late as the forecast says. At once, they would end after 6 h.
#[test]
fn a_forecast_waits_for_corrections_as_a_rollout_does() {
    let runs = runs(6);
    let forecast = CanaryPolicy::default().feasibility(&invoices(1_000.0).reviewed_after(hours(6)));
    assert_eq!(forecast.delays, DelaySource::Stated);
    let mut world = invoice_world(1_000, 1.0, hours(6));
    world.ends = hours(30);
    let ends = Ends::of(&world, CanaryPolicy::default, runs);
    let promised = forecast.equal;
    assert!(
        is_within(ends.promoted, promised.promoted, runs),
        "{ends:?}, expected {:?} by {promised:?}",
        expected(promised.promoted, runs)
    );
    let median = promised.median.as_secs_f64() / 3_600.0;
    assert!(
        (ends.median() / median - 1.0).abs() < 0.15,
        "{ends:?}, {median}"
    );
    assert!(median > 12.0, "two stages, each half matured: {median}");
}

/// A day for 500 documents an hour.
fn fitted_to_a_day() -> &'static FittedPlan {
    static PLAN: OnceLock<Box<FittedPlan>> = OnceLock::new();
    PLAN.get_or_init(|| fitted(&invoices(500.0), &Risk::within(days(1))))
}

/// Equal candidates are promoted without a person as often as promised; of those with three times
/// the corrections most are rolled back and none is promoted.
fn assert_kept(plan: &FittedPlan, per_hour: u64, runs: u64) {
    let promised = plan.feasibility.equal.promoted;
    assert!(promised >= 0.95, "{plan}");
    let ends = |ratio| {
        let world = invoice_world(per_hour, ratio, Duration::ZERO);
        Ends::of(&world, || plan.build().unwrap(), runs)
    };
    let (equal, worse) = (ends(1.0), ends(3.0));
    let report = format!(
        "{per_hour} an hour, {promised} promised, of {runs} runs {:?} expected: {equal:?}; 3x {worse:?}",
        expected(promised, runs)
    );
    assert!(is_within(equal.promoted, promised, runs), "{report}");
    assert_eq!(worse.promoted, 0, "{report}");
    assert!(2 * worse.rolled_back > runs, "{report}");
}

/// Of 20 runs, 16 or more are promoted; `FUSEBOX_RUNS=400` tells .96 from .92.
#[test]
fn a_fitted_plan_keeps_its_promise_through_the_pipeline() {
    assert!(fitted_to_a_day().verdict_within <= days(1));
    assert_kept(fitted_to_a_day(), 500, runs(20));
}

/// With the default stages, every equal candidate escalates there.
#[test]
fn a_fitted_plan_finishes_with_few_documents() {
    for (per_hour, within) in [(100_u32, days(7)), (30, days(14))] {
        let traffic = invoices(f64::from(per_hour));
        let plan = fitted(&traffic, &Risk::within(within));
        assert!(plan.verdict_within <= within, "{plan}");
        assert_kept(&plan, u64::from(per_hour), runs(10));
    }
}

/// A plan of a week does with a smaller share than one of a day.
#[test]
fn more_time_means_a_smaller_share() {
    let last = |plan: &FittedPlan| plan.feasibility.stages.last().unwrap().share;
    let week = fitted(&invoices(500.0), &Risk::within(days(7)));
    assert!(last(&week) < last(fitted_to_a_day()), "{week}");
}

/// By the normal approximation, each version needs 33 corrections for one half of the equal
/// candidates (see `outlook.rs`), so that 30 documents an hour with 0.9 corrections need three days.
#[test]
fn what_would_be_needed_is_said_with_numbers() {
    let Fit::Needs(shortfall) = CanaryPolicy::fit(&invoices(30.0), &Risk::within(days(1))).unwrap()
    else {
        panic!("no plan of a day tells anything with 22 corrections");
    };
    let [longer, wider] = shortfall.alternatives[..] else {
        panic!("{shortfall}")
    };
    assert_eq!(longer.max_ratio, Ratio::percent(150));
    assert_eq!(wider.max_ratio, Ratio::percent(200));
    assert!(longer.within > days(3), "{shortfall}");
    assert!(wider.within < longer.within, "{shortfall}");
    let documents = 30.0 * longer.within.as_secs_f64() / 3_600.0;
    assert!((longer.documents - documents).abs() < 1.0);
    let text = shortfall.to_string();
    assert!(
        text.starts_with("no plan reaches a verdict within 24.0 h: it needs "),
        "{text}"
    );
    assert!(
        text.contains(" with 50 % of them for the candidate and a limit of 150 %; or "),
        "{text}"
    );
}

#[test]
fn a_risk_out_of_range_is_refused() {
    let risk = Risk::within(days(1));
    for (risk, message) in [
        (
            Risk::within(Duration::ZERO),
            "risk: within: got `0s`, expected longer than zero",
        ),
        (
            risk.unfinished(Ratio::ZERO),
            "risk: unfinished: got `0 %`, expected from 1 % to 50 %",
        ),
        (
            risk.worse_promoted(Ratio::percent(51)),
            "risk: worse_promoted: got `51 %`, expected from 1 % to 50 %",
        ),
        (
            risk.largest_share(Ratio::percent(61)),
            "risk: largest_share: got `61 %`, expected from 5 % to 60 %",
        ),
        (
            risk.max_ratio(Ratio::percent(100)),
            "canary max_ratio: got `100 %`, expected more than 100 % and at most 400 %",
        ),
    ] {
        let refused = CanaryPolicy::fit(&invoices(100.0), &risk).unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
}

/// The events that a plan is too short, with their severity.
fn too_short(bench: &Bench) -> Vec<(Severity, RolloutEvent)> {
    let events = bench.events().into_iter();
    let too_short = events.filter_map(|event| match event.kind {
        EventKind::Rollout(kind @ RolloutEvent::PlanTooShort { .. }) => {
            Some((event.severity, kind))
        }
        _ => None,
    });
    too_short.collect()
}

fn default_stages() -> fusebox::rollout::CanaryPolicyBuilder {
    CanaryPolicy::builder()
        .stage(Ratio::percent(5), hours(2))
        .stage(Ratio::percent(25), hours(4))
}

/// 30 documents an hour and 0.9 corrections: three of the candidate's are to be expected at 1.5 times
/// production's rate after 3 / (1.5 * 0.9 * 5 % * 95 %) = 46.8 hours. 10,000 an hour are enough.
#[test]
fn a_plan_that_cannot_finish_with_the_stated_traffic_says_so_once() {
    let policy = |per_hour| {
        default_stages()
            .for_traffic(invoices(per_hour))
            .build()
            .unwrap()
    };
    let (bench, _) = started(policy(30.0));
    let told = too_short(&bench);
    let [(Severity::Warning, event)] = &told[..] else {
        panic!("{told:?}")
    };
    let RolloutEvent::PlanTooShort {
        stage,
        corrected,
        over,
        waits,
        needed,
        ..
    } = event
    else {
        panic!("{event}")
    };
    assert_eq!((*stage, *corrected, *over), (1, 22, days(1)));
    assert_eq!(*waits, hours(8));
    assert_eq!(*needed, hours(47), "whole hours");
    for _ in 0..50 {
        bench.tick_after(minutes(30));
    }
    assert_eq!(too_short(&bench), [], "once");

    let (bench, _) = started(policy(10_000.0));
    assert_eq!(too_short(&bench), []);
}

/// The policy has seen ten corrections a day, each after an hour, when the candidate is deployed.
#[test]
fn a_plan_that_cannot_finish_with_the_corrections_that_came_says_so_at_the_start() {
    let canary = Arc::new(CanaryPolicy::default());
    let bench = Bench::with(LineUp::new(version("v7")), |builder| {
        builder.guard(Arc::clone(&canary))
    });
    for _ in 0..5 {
        let tickets: Vec<_> = (0..10)
            .map(|_| answered(bench.permit("invoice"), Report::new()))
            .collect();
        bench.tick_after(hours(1));
        correct(&bench, &tickets, 10);
        // A second field of the last one is no second document.
        let second = fusebox::Feedback::corrected(fusebox::Field::new("date").unwrap());
        bench.pipeline.observe(&tickets[9], second);
        bench.tick_after(hours(23));
    }
    bench.pipeline.deploy(with_candidate()).unwrap();
    bench.pipeline.tick();
    let told = too_short(&bench);
    let [
        (
            _,
            RolloutEvent::PlanTooShort {
                corrected, over, ..
            },
        ),
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((*corrected, *over), (50, hours(5 * 24 - 1)));
}

/// Nothing is known at the start. 20 corrections of production after an hour each tell the delays
/// and, after hours, that so few are too few.
#[test]
fn what_is_not_known_at_the_start_is_said_when_it_is_and_once() {
    let (bench, _) = started(CanaryPolicy::default());
    assert_eq!(too_short(&bench), []);
    let (_, stables) = answers(&bench, "invoice", 0, 25);
    bench.tick_after(hours(1));
    correct(&bench, &stables, 20);
    bench.tick_after(hours(1));
    assert_eq!(too_short(&bench), [], "two hours tell nothing yet");
    let mut told = Vec::new();
    for _ in 0..12 {
        bench.tick_after(hours(1));
        told.extend(too_short(&bench));
    }
    assert_eq!(told.len(), 1, "{told:?}");
}
