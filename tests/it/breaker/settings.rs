//! Settings that change at run time, the last calls of a quiet version, and where documents go when
//! nothing is left.

use fusebox::breaker::{BreakerState, ErrorRateBreakerBuilder, Probing, TripReason};
use fusebox::event::BreakerEvent;
use fusebox::name::QueueName;
use fusebox::{
    Admission, Destination, DocumentType, ErrorRateBreaker, EventKind, FailureKind, LineUp, Ratio,
    Report, Role, VersionId,
};

use super::{bench, rate};
use crate::operator::{rearm, reconfigure, switch};
use crate::support::{Bench, line_up, minutes, seconds, v6, v7, version};

#[test]
fn a_new_threshold_holds_for_what_was_counted_before() {
    let (bench, breaker) = bench(rate());
    bench.answer(96);
    bench.fail(4);
    let stricter = rate().threshold(Ratio::percent(3));
    reconfigure(&breaker, stricter).unwrap();
    assert_eq!(breaker.counts(v7()).calls, 100);
    bench.answer(1);
    assert_eq!(bench.serving(), "v6", "4 of 101 are more than 3 %");
}

#[test]
fn a_window_of_another_length_begins_empty() {
    let (bench, breaker) = bench(rate());
    bench.answer(94);
    bench.fail(5);
    let longer = rate().window(minutes(30));
    reconfigure(&breaker, longer).unwrap();
    assert_eq!(breaker.counts(v7()).calls, 0);
    bench.fail(6);
    bench.clock.advance(minutes(29));
    bench.answer(93);
    assert_eq!(bench.serving(), "v7", "99 calls");
    bench.answer(1);
    assert_eq!(bench.serving(), "v6", "the window is 30 minutes long now");
}

/// A service deploys for years: what is out of service is remembered, and what did well is
/// forgotten.
#[test]
fn versions_come_and_go() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    bench.answer(30);
    for n in 8..60 {
        let next = LineUp::new(version(&format!("v{n}"))).with_previous(version("v6"));
        bench.pipeline.deploy(next).unwrap();
        bench.answer(1);
    }
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    let v59 = VersionId::new("v59").unwrap();
    assert_eq!(breaker.counts(&v59).calls, 1);
    assert_eq!(breaker.counts(v6()).calls, 30, "what is live is kept");
    let known = |bench: &Bench| {
        let snapshot = serde_json::to_value(bench.pipeline.snapshot().unwrap()).unwrap();
        let state = &snapshot["guards"]["error-rate"];
        state["circuits"].as_array().unwrap().len()
    };
    assert!(known(&bench) <= 8, "{} versions", known(&bench));
    bench.pipeline.deploy(line_up()).unwrap();
    assert_eq!(bench.serving(), "v6", "v7 was not forgotten");
    for n in 60..1_100 {
        let next = LineUp::new(version(&format!("v{n}"))).with_previous(version("v6"));
        bench.pipeline.deploy(next).unwrap();
        bench.fail(5);
    }
    assert_eq!(known(&bench), 1_000);
    assert_eq!(bench.serving(), "v6", "the last one is out");
}

#[test]
fn settings_that_are_wrong_change_nothing() {
    let (bench, breaker) = bench(rate());
    let error = reconfigure(&breaker, rate().min_calls(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "error rate min_calls: got `0`, expected at least 1"
    );
    bench.answer(94);
    bench.fail(5);
    assert_eq!(bench.serving(), "v7");
    bench.fail(1);
    assert_eq!(bench.serving(), "v6", "6 of 100, as before");
}

#[test]
fn what_is_out_of_service_stays_out_under_new_settings() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    let settings = rate().window(minutes(30)).by_document_type(true);
    reconfigure(&breaker, settings).unwrap();
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    assert_eq!(bench.serving(), "v6");
}

#[test]
fn types_are_judged_from_the_moment_that_it_is_asked_for_and_no_longer() {
    let types = || ErrorRateBreaker::builder().by_document_type(true);
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.answer(200);
    reconfigure(&breaker, types()).unwrap();
    for _ in 0..5 {
        bench.permit("statement").fail(FailureKind::MalformedOutput);
    }
    let role = |kind| bench.permit(kind).release().role();
    assert_eq!(role("statement"), Role::Previous);
    let all = ErrorRateBreaker::builder();
    reconfigure(&breaker, all).unwrap();
    assert_eq!(role("statement"), Role::Stable);
}

#[test]
fn every_type_goes_on_under_the_new_settings() {
    let types = || rate().by_document_type(true);
    let (bench, breaker) = bench(types());
    bench.answer(99);
    let invoice = DocumentType::new("invoice").unwrap();
    assert_eq!(breaker.counts_for(v7(), &invoice).calls, 99);
    let longer = types().window(minutes(30));
    reconfigure(&breaker, longer).unwrap();
    assert_eq!(breaker.counts_for(v7(), &invoice).calls, 0);
    bench.answer(1);
    bench.clock.advance(minutes(29));
    bench.answer(1);
    assert_eq!(breaker.counts_for(v7(), &invoice).calls, 2);
}

#[test]
fn another_number_of_last_calls_begins_empty() {
    let (bench, breaker) = bench(rate().last_calls(20));
    bench.answer(20);
    let fewer = rate().last_calls(10);
    reconfigure(&breaker, fewer).unwrap();
    assert_eq!(breaker.counts(v7()).calls, 20, "the window goes on");
    bench.fail(9);
    assert_eq!(bench.serving(), "v7");
    bench.fail(1);
    assert_eq!(bench.serving(), "v6", "the last 10");
}

#[test]
fn calls_that_hang_are_seen_from_the_moment_that_it_is_asked_for() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    let slow = ErrorRateBreaker::builder().slow_calls(seconds(60), Ratio::percent(5));
    reconfigure(&breaker, slow).unwrap();
    let open: Vec<_> = (0..5).map(|_| bench.permit("invoice")).collect();
    bench.tick_after(seconds(61));
    assert_eq!(bench.serving(), "v6");
    drop(open);
}

/// Two calls an hour: no window of 15 minutes has enough, but the last 20 calls say it.
#[test]
fn the_last_calls_of_a_quiet_version_are_judged_however_long_ago() {
    let (bench, _) = bench(rate().last_calls(20));
    for n in 0..20 {
        if n % 10 == 0 {
            bench.fail(1);
        } else {
            bench.answer(1);
        }
        let expected = if n < 19 { "v7" } else { "v6" };
        assert_eq!(bench.serving(), expected, "call {n}");
        bench.clock.advance(minutes(30));
    }
    let pages = bench.pages();
    let [
        EventKind::Breaker(BreakerEvent::ErrorRateExceeded {
            reason: TripReason::LastCalls,
            errors: 2,
            calls: 20,
            ..
        }),
    ] = pages.as_slice()
    else {
        panic!("{pages:?}");
    };
}

#[test]
fn one_of_the_last_twenty_is_not_more_than_five_percent() {
    let (bench, _) = bench(rate().last_calls(20));
    for _ in 0..10 {
        bench.fail(1);
        for _ in 0..19 {
            bench.clock.advance(minutes(10));
            bench.answer(1);
        }
    }
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn the_last_calls_say_nothing_where_the_window_has_enough() {
    let (bench, _) = bench(rate().last_calls(20));
    bench.answer(200);
    bench.fail(4);
    assert_eq!(bench.serving(), "v7", "4 of the last 20, but of 204");
    bench.clock.advance(minutes(16));
    bench.answer(1);
    assert_eq!(
        bench.serving(),
        "v6",
        "4 of the last 20, and one in the window"
    );
}

#[test]
fn the_last_calls_are_kept_over_a_restart_and_forgotten_when_armed_again() {
    let (before, _) = bench(rate().last_calls(20));
    before.fail(1);
    before.answer(18);
    let snapshot = before.pipeline.snapshot().unwrap();
    let (after, breaker) = bench(rate().last_calls(20));
    after.pipeline.restore(&snapshot).unwrap();
    after.fail(1);
    assert_eq!(after.serving(), "v6", "2 of 20 over the restart");
    rearm(&breaker, v7());
    after.answer(1);
    after.fail(2);
    assert_eq!(after.serving(), "v7", "3 calls since it was armed again");
    let (fewer, _) = bench(rate().last_calls(10));
    fewer.pipeline.restore(&snapshot).unwrap();
    fewer.fail(1);
    assert_eq!(fewer.serving(), "v7", "another number begins empty");
}

#[test]
fn the_number_of_last_calls_has_a_range() {
    for calls in [0, 10_001] {
        let error = rate().last_calls(calls).build().unwrap_err();
        let expected =
            format!("error rate last_calls: got `{calls}`, expected 1 to 10000, or `None`");
        assert_eq!(error.to_string(), expected);
    }
    assert!(rate().last_calls(10_000).build().is_ok());
}

fn to_backup() -> ErrorRateBreakerBuilder {
    let queue = QueueName::new("backup-provider").unwrap();
    ErrorRateBreaker::builder().when_exhausted(Destination::Queue(queue))
}

fn destination(bench: &Bench) -> Option<String> {
    match bench.admit("invoice") {
        Admission::Admitted(permit) => {
            permit.release();
            None
        }
        Admission::Diverted(diversion) => Some(diversion.destination().to_string()),
    }
}

#[test]
fn documents_go_to_a_named_queue_when_no_version_is_left() {
    let (bench, _) = bench(to_backup());
    bench.fail(5);
    assert_eq!(destination(&bench), None, "v6 serves");
    bench.events();
    bench.fail(5);
    let events = bench.events();
    let page = events.iter().map(ToString::to_string).next().unwrap();
    let expected = "error-rate: circuit of v6 opened: consecutive failures, 5 of 5 calls failed \
                    (threshold 5 %, 5 server_error); no version left to serve, so documents go to \
                    queue backup-provider; the provider is at fault: v7 failed alike; probes at \
                    2026-03-13T21:01:00.000Z";
    assert!(page.ends_with(expected), "{page}");
    assert_eq!(
        destination(&bench).as_deref(),
        Some("queue backup-provider")
    );
}

#[test]
fn a_type_for_which_no_version_is_left_goes_to_the_queue_alone() {
    let (bench, _) = bench(to_backup().by_document_type(true));
    bench.answer(400);
    for _ in 0..10 {
        let permit = bench.permit("statement");
        permit.fail(FailureKind::MalformedOutput);
    }
    let Admission::Diverted(diversion) = bench.admit("statement") else {
        panic!("served");
    };
    assert_eq!(diversion.destination().to_string(), "queue backup-provider");
    assert_eq!(destination(&bench), None, "invoices are served");
}

#[test]
fn trials_are_served_while_all_others_go_to_the_queue() {
    let probing = Probing::after(seconds(60)).with_probes(1);
    let (bench, _) = bench(to_backup().recovery(probing));
    bench.fail(10);
    assert!(destination(&bench).is_some());
    bench.clock.advance(seconds(60));
    let probe = bench.permit("invoice");
    let next = bench.permit("invoice");
    assert_eq!(
        (probe.ticket().role(), next.ticket().role()),
        (Role::Stable, Role::Previous),
        "one call each"
    );
    assert!(destination(&bench).is_some(), "all others");
    let _ = probe.answer(Report::new());
    next.release();
    assert_eq!(destination(&bench), None);
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn a_forced_fallback_and_a_breaker_that_watches_divert_nothing() {
    for mode in [
        fusebox::breaker::BreakerMode::ForcedFallback,
        fusebox::breaker::BreakerMode::ObserveOnly,
    ] {
        let (bench, breaker) = bench(to_backup());
        bench.fail(10);
        switch(&breaker, mode);
        assert_eq!(destination(&bench), None, "{mode}");
    }
}
