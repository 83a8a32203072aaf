//! What the operator orders holds at once, and over a restart.

use std::sync::Arc;

use fusebox::breaker::{BreakerMode, BreakerState, Probing};
use fusebox::clock::Clock;
use fusebox::{ErrorKind, ErrorRateBreaker, Event, FailureKind};

use super::bench;
use crate::operator::{rearm, reconfigure, reset, switch};
use crate::support::{Bench, minutes, seconds, stored, v7};

fn names(bench: &Bench) -> Vec<&'static str> {
    let of_breaker = |event: &Event| event.guard == "error-rate";
    let events = bench.events().into_iter().filter(of_breaker);
    events.map(|event| event.kind.name()).collect()
}

/// A process that starts with what this one has stored before anything else happened.
fn restarted(bench: &Bench) -> (Bench, Arc<ErrorRateBreaker>) {
    let (next, breaker) = self::bench(ErrorRateBreaker::builder());
    next.pipeline.restore(&stored(&bench.pipeline)).unwrap();
    (next, breaker)
}

#[test]
fn a_version_that_was_armed_again_stays_so_over_a_restart() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    rearm(&breaker, v7());
    assert_eq!(breaker.state(v7()), BreakerState::Closed, "at once");
    let (next, breaker) = restarted(&bench);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    next.pipeline.tick();
    assert_eq!(names(&next), ["incident_resolved", "rearmed"]);
    assert_eq!(next.serving(), "v7");
    next.tick_after(seconds(1));
    assert_eq!(names(&next), [""; 0], "told once");
}

#[test]
fn a_switched_mode_stays_so_over_a_restart() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.answer(1);
    switch(&breaker, BreakerMode::ForcedFallback);
    assert_eq!(breaker.mode(), BreakerMode::ForcedFallback, "at once");
    let (next, breaker) = restarted(&bench);
    assert_eq!(breaker.mode(), BreakerMode::ForcedFallback);
    assert_eq!(next.serving(), "v6");
    assert_eq!(names(&next), ["breaker_switched"]);
    switch(&breaker, BreakerMode::ForcedFallback);
    next.pipeline.tick();
    assert_eq!(names(&next), ["breaker_switched"], "each command is told");
}

#[test]
fn a_reset_stays_so_over_a_restart() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    switch(&breaker, BreakerMode::ObserveOnly);
    bench.tick_after(seconds(1));
    reset(&breaker);
    assert_eq!(breaker.mode(), BreakerMode::Enforce, "at once");
    let (next, breaker) = restarted(&bench);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    assert_eq!(next.serving(), "v7");
    assert_eq!(names(&next), ["incident_resolved", "breaker_reset"]);
    assert_eq!(next.pipeline.incidents(), []);
}

/// What was the case before and after each command, in words.
fn changes(bench: &Bench) -> Vec<(String, String)> {
    let events = bench.events().into_iter();
    let changed = events.filter(|event| event.kind.is_command()).map(|event| {
        let json = serde_json::to_value(&event).unwrap();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        (text("before"), text("after"))
    });
    changed.collect()
}

#[test]
fn a_command_says_what_it_has_changed_also_after_a_restart() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    rearm(&breaker, v7());
    switch(&breaker, BreakerMode::ObserveOnly);
    reset(&breaker);
    let well = "enforce, every version in service".to_owned();
    let observed = "observe only, every version in service".to_owned();
    let expected = [
        ("enforce, v7 latched".to_owned(), well.clone()),
        (well.clone(), observed.clone()),
        (observed, well),
    ];
    let (next, breaker) = restarted(&bench);
    next.pipeline.tick();
    assert_eq!(changes(&next), expected);
    let (third, _) = restarted(&next);
    reconfigure(&breaker, ErrorRateBreaker::builder().min_calls(7)).unwrap();
    next.tick_after(seconds(1));
    let (before, after) = changes(&next).pop().unwrap();
    assert!(before.contains("min_calls: 100"), "{before}");
    assert_eq!(before.replace("min_calls: 100", "min_calls: 7"), after);
    third.pipeline.tick();
    assert_eq!(changes(&third), [], "told once");
}

/// Calls that were open when the command was given are late, and those after it are not.
#[test]
fn a_command_divides_the_calls() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    let before = bench.permit("invoice");
    bench.fail(5);
    rearm(&breaker, v7());
    let after = bench.permit("invoice");
    assert_eq!(after.ticket().version(), "v7");
    for permit in [before, after] {
        permit.fail(FailureKind::ServerError);
    }
    let counts = breaker.counts(v7());
    assert_eq!((counts.calls, counts.late), (1, 1));
    bench.tick_after(minutes(1));
}

#[test]
fn what_is_not_known_cannot_be_armed_again() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    let seen = breaker.status().revision;
    for (version, expected) in [
        (
            "v9",
            "version: got `v9`, expected a version that has had calls",
        ),
        ("", "version: got ``, expected at least one character"),
    ] {
        let refused = breaker.rearm(version, seen, "ada", "why not");
        assert_eq!(refused.unwrap_err().to_string(), expected);
    }
    bench.pipeline.tick();
    assert_eq!(names(&bench), [""; 0]);
    assert_eq!(breaker.status().revision, seen);
}

/// Ada reads the page about v7; meanwhile v6 fails as well, which she does not know.
#[test]
fn a_command_that_was_meant_for_what_has_changed_is_refused() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    let seen = breaker.status();
    assert_eq!(seen.to_string(), "enforce, v7 latched");
    for _ in 0..5 {
        bench.permit("invoice").fail(FailureKind::Refusal);
    }
    let refused = [
        breaker.rearm("v7", seen.revision, "ada", "it was the provider"),
        breaker.reset(seen.revision, "ada", "it was the provider"),
        breaker.switch(BreakerMode::Disabled, seen.revision, "ada", "noise"),
        breaker.reconfigure(ErrorRateBreaker::builder(), seen.revision, "ada", "noise"),
    ];
    for (refused, command) in refused
        .into_iter()
        .zip(["rearm", "reset", "switch", "reconfigure"])
    {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Outdated);
        assert_eq!(
            refused.to_string(),
            format!(
                "error-rate {command}: meant for revision {}, but it is {} now: enforce, v6 \
                 latched, v7 latched",
                seen.revision,
                breaker.status().revision
            )
        );
    }
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    let seen = breaker.status();
    breaker
        .rearm("v7", seen.revision, "ada", "it was the provider")
        .unwrap();
    bench.events();
    bench.pipeline.tick();
    let told = bench.events();
    assert!(
        told.iter().any(|event| event.kind.to_string()
            == "ada rearmed v7: its circuit is closed, its window empty (it was the provider)"),
        "{told:?}"
    );
}

#[test]
fn of_two_people_who_press_at_once_one_succeeds() {
    for _ in 0..100 {
        let (bench, breaker) = bench(ErrorRateBreaker::builder());
        bench.fail(5);
        let seen = breaker.status().revision;
        let barrier = std::sync::Barrier::new(2);
        let press = || {
            barrier.wait();
            breaker.reset(seen, "ada", "well again").is_ok()
        };
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(press);
            (press(), other.join().unwrap())
        });
        assert!(one != other);
        bench.pipeline.tick();
        let resets = bench.events().into_iter();
        let resets = resets.filter(|event| event.kind.name() == "breaker_reset");
        assert_eq!(resets.count(), 1);
    }
}

#[test]
fn nobody_commands_without_a_name_and_a_reason() {
    let (_, breaker) = bench(ErrorRateBreaker::builder());
    let seen = breaker.status().revision;
    let long = "x".repeat(1_001);
    for (who, why, field) in [
        ("", "noise", "who"),
        ("ada", "  ", "why"),
        ("ada", "fine\npage: circuit of v7 opened", "why"),
        ("a\u{1b}[2Jda", "fine", "who"),
        ("ada", long.as_str(), "why"),
    ] {
        let refused = breaker.switch(BreakerMode::Disabled, seen, who, why);
        let text = refused.unwrap_err().to_string();
        assert!(text.starts_with(&format!("{field}: got `")), "{text}");
    }
    assert_eq!(breaker.mode(), BreakerMode::Enforce);
}

/// Probes and further failures leave it as it is: else a person could never press.
#[test]
fn a_revision_is_of_the_last_change_that_a_person_must_know() {
    let probing = Probing::after(minutes(1)).with_probes(1);
    let (bench, breaker) = bench(ErrorRateBreaker::builder().recovery(probing));
    let began = Clock::now(&bench.clock).as_millis();
    let now = || (breaker.state(v7()), breaker.status().revision.number());
    let late = bench.permit("invoice");
    bench.fail(5);
    late.fail(FailureKind::Refusal);
    assert_eq!(now(), (BreakerState::Open, began));
    bench.tick_after(minutes(1));
    assert_eq!(now(), (BreakerState::HalfOpen, began));
    bench.fail(1);
    assert_eq!(now(), (BreakerState::Open, began));
    bench.tick_after(minutes(2));
    bench.answer(1);
    assert_eq!(now(), (BreakerState::Closed, began + 3 * 60 * 1_000));
    reset(&breaker);
    reset(&breaker);
    let last = began + 3 * 60 * 1_000 + 2;
    assert_eq!(now(), (BreakerState::Closed, last), "at one time");
    let (next, after) = restarted(&bench);
    assert_eq!(after.status().revision.number(), last, "over a restart");
    drop(next);
}

/// Ada looks; the process dies, and its last snapshot is from before. As many changes later, the
/// breaker is not as she saw it.
#[test]
fn what_was_seen_before_a_restore_is_not_what_comes_after() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    let snapshot = bench.pipeline.snapshot().unwrap();
    bench.fail(5);
    let seen = breaker.status().revision;
    let (next, breaker) = self::bench(ErrorRateBreaker::builder());
    next.clock.advance(minutes(1));
    next.pipeline.restore(&snapshot).unwrap();
    next.answer(1);
    switch(&breaker, BreakerMode::ObserveOnly);
    let refused = breaker.reset(seen, "ada", "well again").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Outdated);
}

#[test]
fn a_type_that_is_out_shows_in_the_status_and_leaves_the_revision() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder().by_document_type(true));
    bench.answer(400);
    for _ in 0..5 {
        bench.permit("letter").fail(FailureKind::Refusal);
    }
    let status = breaker.status();
    assert_eq!(status.revision.number(), 0);
    assert_eq!(
        status.to_string(),
        "enforce, a version out of service for 1 document type"
    );
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "revision": 0, "mode": "enforce", "versions": { "v7": "closed" },
            "types": { "letter": { "v7": "latched" } },
        })
    );
}
