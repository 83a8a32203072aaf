//! A provider's outage passes by itself, and so does what it did to the versions; what a version does
//! itself waits for the operator.

use std::sync::Arc;

use fusebox::breaker::{BreakerState, ErrorRateBreakerBuilder, Probing, Recovery};
use fusebox::event::BreakerEvent;
use fusebox::failure::Cause;
use fusebox::{Admission, ErrorRateBreaker, EventKind, FailureKind, Report, Severity, VersionId};

use super::bench;
use crate::operator::{reconfigure, reset};
use crate::support::{Bench, line_up, minutes, seconds, v6, v7, version};

const BY_THE_PROVIDER: [FailureKind; 4] = [
    FailureKind::Overloaded,
    FailureKind::ServerError,
    FailureKind::Timeout,
    FailureKind::Transport,
];

fn by_default() -> ErrorRateBreakerBuilder {
    ErrorRateBreaker::builder()
}

fn fail(bench: &Bench, kind: FailureKind, n: usize) {
    for _ in 0..n {
        bench.permit("invoice").fail(kind);
    }
}

/// Whose fault the breaker found it to be, at each trip.
fn trips(bench: &Bench) -> Vec<(Cause, Vec<VersionId>)> {
    let events = bench.events().into_iter();
    let trips = events.filter_map(|event| match event.kind {
        EventKind::Breaker(
            BreakerEvent::ErrorRateExceeded {
                cause,
                failed_alike,
                ..
            }
            | BreakerEvent::Exhausted {
                cause,
                failed_alike,
                ..
            },
        ) => Some((cause, failed_alike)),
        _ => None,
    });
    trips.collect()
}

/// Two minutes in which every call fails, then ten hours in which every call would succeed, at a
/// call every three seconds; the pages, and how many documents went to people.
fn an_outage_of_two_minutes(bench: &Bench, kind: FailureKind) -> (usize, usize) {
    let (mut pages, mut diverted) = (0, 0);
    bench.answer(50);
    for n in 0..(10 * 60 + 2) * 20 {
        match bench.admit("invoice") {
            Admission::Admitted(permit) if n < 40 => {
                permit.fail(kind);
            }
            Admission::Admitted(permit) => {
                let _ = permit.answer(Report::new());
            }
            Admission::Diverted(_) => diverted += 1,
        }
        bench.tick_after(seconds(3));
        let events = bench.events().into_iter();
        let paged = events.filter(|event| event.severity == Severity::Page);
        pages += paged.count();
    }
    (pages, diverted)
}

#[test]
fn two_minutes_of_a_provider_cost_minutes_and_not_ten_hours() {
    for kind in BY_THE_PROVIDER {
        let (bench, breaker) = bench(by_default());
        let (pages, diverted) = an_outage_of_two_minutes(&bench, kind);
        assert_eq!(pages, 2, "{kind}: v7 fails, then no version is left");
        // The second probes come three minutes after the outage began, at the latest.
        assert!(diverted <= 60, "{kind}: {diverted} diverted");
        for version in [v6(), v7()] {
            assert_eq!(breaker.state(&version), BreakerState::Closed, "{kind}");
        }
        assert_eq!(bench.serving(), "v7", "{kind}");
        assert!(bench.pipeline.incidents().is_empty(), "{kind}");
    }
}

#[test]
fn what_versions_do_themselves_stays_out() {
    let (bench, breaker) = bench(by_default());
    let (_, diverted) = an_outage_of_two_minutes(&bench, FailureKind::MalformedOutput);
    assert!(diverted > 12_000 - 50, "{diverted} diverted");
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    assert_eq!(breaker.state(v6()), BreakerState::Latched);
}

/// A longer prompt times out as well: with v6 well, it is not known to be the provider.
#[test]
fn a_version_that_fails_alone_stays_out_unless_the_provider_says_that_it_is_overloaded() {
    for kind in BY_THE_PROVIDER {
        let (bench, breaker) = bench(by_default());
        fail(&bench, kind, 5);
        bench.answer(50);
        let (state, cause) = match kind {
            FailureKind::Overloaded => (BreakerState::Open, Cause::Provider),
            _ => (BreakerState::Latched, Cause::Prompt),
        };
        assert_eq!(breaker.state(v7()), state, "{kind}");
        assert_eq!(trips(&bench), [(cause, vec![])], "{kind}");
    }
}

/// Half an hour is two windows.
#[test]
fn a_version_that_failed_alike_long_ago_is_another_matter() {
    for (wait, alike, state) in [
        (minutes(30), vec![v7()], BreakerState::Open),
        (minutes(31), vec![], BreakerState::Latched),
    ] {
        let (bench, breaker) = bench(by_default());
        fail(&bench, FailureKind::Timeout, 5);
        bench.clock.advance(wait);
        fail(&bench, FailureKind::ServerError, 5);
        let trips = trips(&bench);
        assert_eq!(trips[1], (Cause::Provider, alike), "the last one");
        assert_eq!(breaker.state(v6()), BreakerState::Open);
        assert_eq!(breaker.state(v7()), state);
    }
}

/// What v7 did, and then what v6 did.
#[test]
fn a_version_whose_own_failures_are_as_many_is_at_fault() {
    let cases: [(&[(FailureKind, usize)], Cause); 4] = [
        (&[(FailureKind::Overloaded, 5)], Cause::Provider),
        (
            &[
                (FailureKind::MalformedOutput, 2),
                (FailureKind::Overloaded, 3),
            ],
            Cause::Provider,
        ),
        (
            &[
                (FailureKind::MalformedOutput, 3),
                (FailureKind::Overloaded, 3),
            ],
            Cause::Prompt,
        ),
        (
            &[
                (FailureKind::MalformedOutput, 4),
                (FailureKind::Overloaded, 2),
            ],
            Cause::Prompt,
        ),
    ];
    for (failures, cause) in cases {
        let all = failures.iter().map(|(_, n)| *n).sum::<usize>();
        let row = u32::try_from(all).unwrap();
        let (bench, _) = bench(by_default().consecutive_failures(row));
        for (kind, n) in failures {
            fail(&bench, *kind, *n);
        }
        assert_eq!(trips(&bench), [(cause, vec![])], "{failures:?}");
    }
}

/// The rate is of the last quarter of an hour, and so is the cause.
#[test]
fn failures_that_have_left_the_window_say_nothing() {
    let (bench, _) = bench(super::rate());
    for _ in 0..2 {
        bench.answer(98);
        fail(&bench, FailureKind::Overloaded, 4);
        bench.clock.advance(minutes(8));
    }
    assert_eq!(trips(&bench), [], "4 %");
    bench.answer(40);
    fail(&bench, FailureKind::MalformedOutput, 5);
    // The first four have left: 4 overloaded and 5 malformed, of 147.
    let trips = trips(&bench);
    assert_eq!(trips, [(Cause::Prompt, vec![])]);
}

#[test]
fn calls_that_hang_in_both_versions_are_the_providers() {
    let rate = fusebox::Ratio::percent(50);
    let (bench, breaker) = bench(by_default().slow_calls(minutes(1), rate));
    let held: Vec<_> = (0..5).map(|_| bench.permit("invoice")).collect();
    bench.tick_after(seconds(61));
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    let others: Vec<_> = (0..5).map(|_| bench.permit("invoice")).collect();
    bench.tick_after(seconds(61));
    assert_eq!(
        trips(&bench),
        [(Cause::Prompt, vec![]), (Cause::Provider, vec![v7()])]
    );
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    drop((held, others));
}

#[test]
fn a_candidate_and_production_that_fail_alike_are_the_providers() {
    let candidate = line_up().with_candidate(version("v8"));
    let breaker = Arc::new(ErrorRateBreaker::default());
    let everything = fusebox::CanaryPolicy::builder()
        .stage(fusebox::Ratio::percent(50), minutes(60))
        .build()
        .unwrap();
    let bench = Bench::with(candidate, |builder| {
        builder.guard(Arc::clone(&breaker)).guard(everything)
    });
    bench.pipeline.tick();
    for _ in 0..200 {
        if let Admission::Admitted(permit) = bench.admit("invoice") {
            if permit.ticket().version() != "v6" {
                permit.fail(FailureKind::ServerError);
            }
        }
    }
    let [(Cause::Prompt, _), (Cause::Provider, alike)] = &trips(&bench)[..] else {
        panic!("two trips");
    };
    assert_eq!(alike.len(), 1);
    for version in ["v7", "v8"] {
        assert_eq!(breaker.state(version), BreakerState::Open, "{version}");
    }
}

#[test]
fn the_page_says_whose_fault_it_is_and_what_comes() {
    let (bench, _) = bench(by_default());
    fail(&bench, FailureKind::ServerError, 5);
    fail(&bench, FailureKind::ServerError, 5);
    let events = bench.events();
    let texts: Vec<_> = events.iter().map(|event| event.kind.to_string()).collect();
    assert_eq!(
        texts,
        [
            "circuit of v7 opened: consecutive failures, 5 of 5 calls failed (threshold 5 %, \
             5 server_error); v6 serves now",
            "circuit of v6 opened: consecutive failures, 5 of 5 calls failed (threshold 5 %, \
             5 server_error); no version left to serve, so documents go to human review; the \
             provider is at fault: v7 failed alike; probes at 2026-03-13T21:01:00.000Z",
        ]
    );
}

#[test]
fn both_kinds_of_recovery_can_be_chosen() {
    let (out, breaker) = bench(by_default().provider_recovery(Recovery::Latch));
    fail(&out, FailureKind::Overloaded, 10);
    assert_eq!(breaker.state(v6()), BreakerState::Latched);
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    assert_eq!(trips(&out)[0], (Cause::Provider, vec![]));

    let (probed, breaker) = bench(
        by_default()
            .recovery(Probing::after(minutes(2)))
            .provider_recovery(Probing::after(minutes(7))),
    );
    fail(&probed, FailureKind::Refusal, 5);
    fail(&probed, FailureKind::Overloaded, 5);
    probed.tick_after(minutes(2));
    assert_eq!(breaker.state(v7()), BreakerState::HalfOpen);
    assert_eq!(breaker.state(v6()), BreakerState::Open);
    probed.tick_after(minutes(5));
    assert_eq!(breaker.state(v6()), BreakerState::HalfOpen);
}

#[test]
fn probing_for_every_fault_is_one_setting() {
    let (bench, breaker) = bench(by_default().recovery(Probing::after(minutes(2))));
    for kind in [FailureKind::Refusal, FailureKind::Overloaded] {
        reset(&breaker);
        fail(&bench, kind, 5);
        bench.tick_after(seconds(119));
        assert_eq!(breaker.state(v7()), BreakerState::Open, "{kind}");
        bench.tick_after(seconds(1));
        assert_eq!(breaker.state(v7()), BreakerState::HalfOpen, "{kind}");
    }
}

#[test]
fn a_wrong_provider_recovery_is_refused() {
    let probing = Probing::after(minutes(1)).with_probes(0);
    let refused = by_default().provider_recovery(probing).build();
    assert_eq!(
        refused.unwrap_err().to_string(),
        "probing probes: got `0`, expected at least 1"
    );
}

#[test]
fn the_fault_survives_a_restart_and_other_settings() {
    let (before, _) = bench(by_default());
    fail(&before, FailureKind::Overloaded, 5);
    let breaker = Arc::new(by_default().build().unwrap());
    let bench = before.restarted(Arc::clone(&breaker));
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    reconfigure(&breaker, by_default().min_calls(50)).unwrap();
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    bench.tick_after(minutes(1));
    bench.answer(3);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);

    fail(&bench, FailureKind::Overloaded, 5);
    let latching = by_default().provider_recovery(Recovery::Latch);
    reconfigure(&breaker, latching).unwrap();
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
}

/// v7 was overloaded days ago, and is not live any more; v8 fails alone.
#[test]
fn a_version_that_is_not_live_or_failed_days_ago_proves_nothing() {
    use fusebox::LineUp;
    let (bench, breaker) = bench(by_default());
    fail(&bench, FailureKind::Overloaded, 5);
    let next = LineUp::new(version("v8")).with_previous(version("v6"));
    bench.pipeline.deploy(next).unwrap();
    bench.answer(20);
    bench.events();
    fail(&bench, FailureKind::Timeout, 5);
    assert_eq!(trips(&bench), [(Cause::Prompt, vec![])], "v7 is not live");
    assert_eq!(breaker.state("v8"), BreakerState::Latched);
}

/// Contracts fail first, and then everything.
#[test]
fn a_type_that_failed_alike_is_probed_with_all_documents() {
    let (bench, breaker) = bench(by_default().by_document_type(true));
    bench.answer(400);
    for _ in 0..5 {
        bench.permit("contract").fail(FailureKind::Timeout);
    }
    assert_eq!(breaker.state_for("v7", "contract"), BreakerState::Latched);
    bench.clock.advance(minutes(1));
    while let Admission::Admitted(permit) = bench.admit("invoice") {
        permit.fail(FailureKind::Timeout);
    }
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    assert_eq!(breaker.state_for("v7", "contract"), BreakerState::Open);
}

/// Calls of contracts hang first, and then all calls of both versions.
#[test]
fn a_type_whose_calls_hung_alike_is_probed_with_all_documents() {
    let rate = fusebox::Ratio::percent(50);
    let settings = by_default().by_document_type(true);
    let (bench, breaker) = bench(settings.slow_calls(minutes(1), rate));
    bench.answer(400);
    let mut held: Vec<_> = (0..5).map(|_| bench.permit("contract")).collect();
    bench.tick_after(seconds(61));
    assert_eq!(breaker.state_for("v7", "contract"), BreakerState::Latched);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    bench.tick_after(minutes(16));
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    held.extend((0..5).map(|_| bench.permit("invoice")));
    bench.tick_after(seconds(61));
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    assert_eq!(breaker.state_for("v7", "contract"), BreakerState::Open);
}

/// A person chose that what the provider does is latched, and what a version does is probed.
#[test]
fn a_version_that_is_probed_is_latched_if_the_provider_turns_out_to_be_at_fault() {
    let settings = by_default()
        .recovery(Probing::after(minutes(2)))
        .provider_recovery(Recovery::Latch);
    let (bench, breaker) = bench(settings);
    fail(&bench, FailureKind::Timeout, 5);
    assert_eq!(breaker.state(v7()), BreakerState::Open);
    fail(&bench, FailureKind::Timeout, 5);
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
}
