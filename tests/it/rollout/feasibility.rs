//! What a plan can find out is told before it starts.

use std::sync::Arc;
use std::time::Duration;

use fusebox::rollout::{Cadence, DelaySource, Feasibility, Traffic};
use fusebox::{BlueGreenPolicy, CanaryPolicy, Error, LineUp, Ratio, Report};

use super::{correct, hours, name};
use crate::support::{Bench, answered, minutes, version};

/// Three of 100 answers are corrected, at once.
fn invoices(per_hour: f64) -> Traffic {
    Traffic::new([(name("invoice"), per_hour)], Ratio::percent(3))
        .unwrap()
        .reviewed_after(Duration::ZERO)
}

fn canary(per_hour: f64) -> Feasibility {
    CanaryPolicy::default().feasibility(&invoices(per_hour))
}

/// Rolled back, promoted and left to a person as an independent simulation in numpy found them for
/// this plan, equal candidates first; 400 runs have a standard error of 2.5 points at most, and the
/// looks fall on other moments: 8 points.
#[test]
fn it_agrees_with_an_independent_simulation() {
    for (per_hour, equal, twice) in [
        (100.0, (0.01, 0.00, 0.99), (0.05, 0.00, 0.95)),
        (500.0, (0.01, 0.81, 0.18), (0.52, 0.00, 0.48)),
        (2_000.0, (0.01, 0.97, 0.02), (0.81, 0.00, 0.20)),
        (10_000.0, (0.00, 1.00, 0.00), (1.00, 0.00, 0.00)),
    ] {
        let found = canary(per_hour);
        for (found, expected) in [(found.equal, equal), (found.twice, twice)] {
            let differences = [
                found.rolled_back - expected.0,
                found.promoted - expected.1,
                found.escalated - expected.2,
            ];
            let is_near = differences.iter().all(|difference| difference.abs() < 0.08);
            assert!(is_near, "{per_hour} an hour: {found:?} {expected:?}");
        }
    }
}

/// The same simulation, one look at the end of each stage: 30.6 % of the equal candidates are
/// rolled back, 4.3 % of those with twice the corrections are missed.
#[test]
fn the_plain_rule_is_judged_as_it_is() {
    let found = CanaryPolicy::with_plain_ratio().feasibility(&invoices(500.0));
    assert!((found.equal.rolled_back - 0.306).abs() < 0.08, "{found}");
    assert!((found.twice.promoted - 0.043).abs() < 0.04, "{found}");
    assert!(found.equal.escalated < 1e-9, "it never asks: {found}");
}

#[test]
fn approvals_are_taken_to_be_given_at_once() {
    let stages = || {
        let five = CanaryPolicy::builder().stage(Ratio::percent(5), Duration::from_secs(7_200));
        (five.clone(), five.then_approval())
    };
    let forecast = |builder: fusebox::rollout::CanaryPolicyBuilder| {
        let policy = builder.build().unwrap();
        policy.feasibility(&invoices(5_000.0)).equal
    };
    let (without, with) = stages();
    assert_eq!(forecast(without), forecast(with));
}

#[test]
fn it_is_the_same_every_time() {
    assert_eq!(canary(300.0).to_string(), canary(300.0).to_string());
}

/// 2,000 an hour: 200 documents in two hours at 5 %, 2,000 in four at 25 %; 1.5 times 200 times 95
/// % times 3 % are 8.55, and 1.5 times 2,000 times 75 % times 3 % are 67.5 more.
#[test]
fn stages_and_types_by_arithmetic() {
    let found = canary(2_000.0);
    let [first, second] = found.stages[..] else {
        panic!("{found}")
    };
    assert!((first.documents - 200.0).abs() < 1e-9);
    assert!((first.information - 8.55).abs() < 1e-9);
    assert!((second.information - 76.05).abs() < 1e-9);
    assert_eq!((first.needed, second.needed), (3.0, 6.0));
    let invoice = &found.types[0];
    assert!((invoice.corrections - 66.0).abs() < 1e-9);
    // 10.5 corrections at 2,000 * 25 % * 3 % = 15 an hour.
    assert_eq!(invoice.verdict.0, Duration::from_secs(42 * 60));
    assert!(invoice.can_be_judged);
    assert_eq!(found.warnings(), Vec::<String>::new());
}

#[test]
fn it_warns_of_what_cannot_be_judged_and_of_windows_that_miss_a_type() {
    let policy = BlueGreenPolicy::builder()
        .expect(name("invoice"), Cadence::Daily)
        .expect(name("statement"), Cadence::MonthEnd)
        .expect(name("report"), Cadence::Weekly)
        .build()
        .unwrap();
    let traffic = [
        (name("invoice"), 400.0),
        (name("statement"), 5.0),
        (name("report"), 200.0),
    ];
    let traffic = Traffic::new(traffic, Ratio::percent(3)).unwrap();
    let warnings = policy.feasibility(&traffic).warnings();
    let expected = [
        "how long reviews take is neither learnt nor stated: the forecast assumes that they come at once",
        "statement cannot be evaluated by itself: 0.7 corrections of the candidate are expected, and a decision needs 10.5",
        "only 13 % of all windows include statement (month end); in the others the rollout waits for it",
        "only 43 % of all windows include report (weekly); in the others the rollout waits for it",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn too_few_documents_are_said_before_it_starts() {
    let warnings = canary(100.0).warnings();
    assert!(
        warnings[0].starts_with("too few documents: 9"),
        "{warnings:?}"
    );
    let text = canary(100.0).to_string();
    assert!(text.contains("warning: too few documents"), "{text}");
}

#[test]
fn numbers_that_mean_nothing_are_refused() {
    let refused = |result: Result<Traffic, Error>, message: &str| {
        assert_eq!(result.unwrap_err().to_string(), message);
    };
    let of = |per_hour: f64, corrections| Traffic::new([(name("invoice"), per_hour)], corrections);
    let three = Ratio::percent(3);
    refused(
        Traffic::new([], three),
        "traffic: document types: got `none`, expected at least one",
    );
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(
            of(rate, three),
            &format!(
                "traffic: invoice: got `{rate}`, expected more than 0 and at most 10000000 documents per hour"
            ),
        );
    }
    assert!(of(1.0, Ratio::percent(50)).is_ok(), "50 % is allowed");
    for corrections in [Ratio::ZERO, Ratio::percent(51)] {
        refused(
            of(1.0, corrections),
            &format!(
                "traffic: corrections: got `{corrections}`, expected more than 0 % and at most 50 %, because the simulation doubles them"
            ),
        );
    }
}

/// Two of ten corrections took an hour, the others 20 h, in the bin that ends at 24.1 h; the traffic
/// says that they come at once. With 240 corrections an hour a stage waits for no other evidence: half
/// of its corrections have come when three eighths of its documents are 24.1 h old, after 24.9 h
/// and, in the second stage, after 25.6 h.
#[test]
fn delays_that_the_policy_has_learnt_come_before_those_that_are_stated() {
    let canary = Arc::new(CanaryPolicy::default());
    let bench = Bench::with(LineUp::new(version("v7")), |builder| {
        builder.guard(Arc::clone(&canary))
    });
    let traffic = Traffic::new([(name("invoice"), 800.0)], Ratio::percent(30)).unwrap();
    let traffic = traffic.reviewed_after(Duration::ZERO);
    for _ in 0..5 {
        let tickets: Vec<_> = (0..10)
            .map(|_| answered(bench.permit("invoice"), Report::new()))
            .collect();
        bench.tick_after(hours(1));
        correct(&bench, &tickets, 2);
        bench.tick_after(hours(19));
        correct(&bench, &tickets[2..], 8);
    }
    let found = canary.feasibility(&traffic);
    assert_eq!(found.delays, DelaySource::Learnt);
    let in_hours = |time: Duration| time.as_secs_f64() / 3_600.0;
    assert!((in_hours(found.learning) - 48.3).abs() < 0.1, "{found}");
    let median = in_hours(found.equal.median);
    assert!((median - 50.5).abs() < 2.5, "{found}");
    assert!(found.equal.promoted > 0.9, "{found}");
}

/// Stated delays are longer than the first stage: the policy must have seen them before.
#[test]
fn it_warns_of_delays_that_must_be_learnt_first() {
    let warnings = |delay| {
        let traffic = invoices(2_000.0).reviewed_after(delay);
        CanaryPolicy::default().feasibility(&traffic).warnings()
    };
    // Nine of ten within 13.8 h, in the bin that ends at 17.1 h.
    let expected = "the policy has not learnt how long reviews take: unless it has been in the pipeline for 34.1 h before the deployment, its first stage waits longer, or escalates";
    assert!(warnings(hours(6)).iter().any(|warning| warning == expected));
    assert_eq!(warnings(minutes(10)), Vec::<String>::new());
}
