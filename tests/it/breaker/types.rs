//! A type of document that fails alone falls back alone.

use std::time::Duration;

use fusebox::breaker::{BreakerMode, BreakerState, ErrorRateBreakerBuilder, Health, Probing};
use fusebox::event::{BreakerEvent, IncidentEvent, PipelineEvent};
use fusebox::{
    Admission, DocumentType, ErrorRateBreaker, Event, EventKind, FailureKind, Permit, Ratio,
    Reason, Report, Role, Severity,
};

use super::bench;
use crate::operator::{rearm, reset, switch};
use crate::support::{Bench, minutes, seconds, v7};

fn statement() -> DocumentType {
    DocumentType::new("statement").unwrap()
}

fn by_type() -> ErrorRateBreakerBuilder {
    ErrorRateBreaker::builder().by_document_type(true)
}

fn serving(bench: &Bench, document_type: &str) -> String {
    match bench.admit(document_type) {
        Admission::Admitted(permit) => {
            let version = permit.ticket().version().to_string();
            permit.release();
            version
        }
        Admission::Diverted(diversion) => diversion.destination().to_string(),
    }
}

fn fail(bench: &Bench, document_type: &str, n: usize) {
    for _ in 0..n {
        bench
            .permit(document_type)
            .fail(FailureKind::MalformedOutput);
    }
}

fn answer(bench: &Bench, document_type: &str, n: usize) {
    for _ in 0..n {
        let _ = bench.permit(document_type).answer(Report::new());
    }
}

/// Who was told of a broken rule: the type it is about, how loudly, and which incident.
fn told(events: &[Event]) -> Vec<(Option<&str>, Severity, &str)> {
    let broken = events.iter().filter_map(|event| match &event.kind {
        EventKind::Breaker(
            BreakerEvent::ErrorRateExceeded { .. } | BreakerEvent::Exhausted { .. },
        ) => {
            let only_for = event.only_for.as_ref().map(DocumentType::as_str);
            let incident = event.incident.as_ref()?;
            Some((only_for, event.severity, incident.key.as_str()))
        }
        _ => None,
    });
    broken.collect()
}

/// The type that a resolved incident was about.
fn resolved(event: &Event) -> Option<String> {
    match &event.kind {
        EventKind::Incident(IncidentEvent::IncidentResolved { about, .. }) => about.clone(),
        _ => None,
    }
}

#[test]
fn a_type_that_fails_alone_falls_back_alone() {
    let (bench, breaker) = bench(by_type());
    answer(&bench, "invoice", 200);
    fail(&bench, "statement", 5);
    assert_eq!(serving(&bench, "statement"), "v6");
    assert_eq!(serving(&bench, "invoice"), "v7");
    assert_eq!(breaker.state_for(v7(), statement()), BreakerState::Latched);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    let events = bench.events();
    let key = "error-rate/failing-type/v7/1";
    assert_eq!(
        told(&events),
        [(Some("statement"), Severity::Page, key)],
        "{events:?}"
    );
    let text = events[0].to_string();
    assert!(text.contains("error-rate (statement only): "), "{text}");
    let json = serde_json::to_value(&events[0]).unwrap();
    assert_eq!(json["only_for"], "statement");
    assert_eq!(serde_json::from_value::<Event>(json).unwrap(), events[0]);
}

#[test]
fn a_type_has_a_window_of_its_own() {
    let (bench, breaker) = bench(by_type().consecutive_failures(None));
    answer(&bench, "invoice", 1_000);
    answer(&bench, "statement", 94);
    fail(&bench, "statement", 5);
    let counts = breaker.counts_for(v7(), statement());
    assert_eq!((counts.calls, counts.errors), (99, 5));
    assert_eq!(counts.health, Health::InsufficientData);
    assert_eq!(breaker.counts(v7()).calls, 1_099);
    assert_eq!(serving(&bench, "statement"), "v7");
    fail(&bench, "statement", 1);
    assert_eq!(serving(&bench, "statement"), "v6", "6 of 100");
    assert_eq!(breaker.counts(v7()).health, Health::Healthy, "6 of 1,100");
}

#[test]
fn types_are_judged_together_unless_it_is_asked_for() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    answer(&bench, "invoice", 200);
    fail(&bench, "statement", 5);
    assert_eq!(serving(&bench, "statement"), "v7");
    assert_eq!(breaker.counts_for(v7(), statement()).calls, 0);
}

#[test]
fn an_outage_of_everything_is_one_page() {
    let (bench, breaker) = bench(by_type());
    let open: Vec<Permit> = (0..8)
        .flat_map(|_| ["invoice", "statement", "contract"].map(|kind| bench.permit(kind)))
        .collect();
    for permit in open {
        permit.fail(FailureKind::ServerError);
    }
    let events = bench.events();
    let told = told(&events);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].0, told[0].1), (None, Severity::Page));
    let late = breaker.counts_for(v7(), statement()).late;
    assert_eq!(late, 7, "what was open says nothing of a type either");
}

#[test]
fn types_that_fall_soon_after_each_other_are_one_incident() {
    let (bench, _) = bench(by_type());
    answer(&bench, "invoice", 2_000);
    fail(&bench, "statement", 5);
    bench.clock.advance(minutes(14));
    fail(&bench, "contract", 5);
    bench.clock.advance(minutes(15));
    answer(&bench, "invoice", 2_000);
    fail(&bench, "receipt", 5);
    let events = bench.events();
    let first = "error-rate/failing-type/v7/1";
    let later = "error-rate/failing-type/v7/2";
    assert_eq!(
        told(&events),
        [
            (Some("statement"), Severity::Page, first),
            (Some("contract"), Severity::Warning, first),
            (Some("receipt"), Severity::Page, later),
        ]
    );
}

#[test]
fn that_all_documents_are_concerned_now_is_a_page() {
    let (bench, _) = bench(by_type());
    answer(&bench, "invoice", 200);
    fail(&bench, "statement", 5);
    fail(&bench, "invoice", 6);
    let events = bench.events();
    let told = told(&events);
    let who = told
        .iter()
        .map(|(only_for, severity, _)| (*only_for, *severity));
    let expected = [(Some("statement"), Severity::Page), (None, Severity::Page)];
    assert_eq!(who.collect::<Vec<_>>(), expected);
}

#[test]
fn a_type_for_which_falling_back_does_not_help_goes_to_people_alone() {
    let (bench, _) = bench(by_type());
    answer(&bench, "invoice", 400);
    fail(&bench, "statement", 10);
    assert_eq!(serving(&bench, "statement"), "human review");
    assert_eq!(serving(&bench, "invoice"), "v7");
    let events = bench.events();
    let told = told(&events);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].2, told[1].2, "one incident");
    assert!(
        told.iter()
            .all(|(_, severity, _)| *severity == Severity::Page)
    );
}

#[test]
fn what_is_out_for_all_is_no_fallback_for_a_type() {
    let (bench, breaker) = bench(by_type());
    fail(&bench, "invoice", 5);
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    answer(&bench, "invoice", 200);
    fail(&bench, "statement", 5);
    assert_eq!(serving(&bench, "statement"), "human review");
    assert_eq!(serving(&bench, "invoice"), "v6");
    let events = bench.events();
    let told = told(&events);
    let key = "error-rate/failing/v7/1";
    let expected = [
        (None, Severity::Page, key),
        (Some("statement"), Severity::Page, key),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_type_is_tried_again_alone() {
    let probing = Probing::after(seconds(60)).with_probes(2);
    let (bench, breaker) = bench(by_type().recovery(probing));
    answer(&bench, "invoice", 200);
    fail(&bench, "statement", 5);
    bench.clock.advance(seconds(60));
    let probes = [bench.permit("statement"), bench.permit("statement")];
    for probe in &probes {
        assert_eq!(probe.ticket().role(), Role::Stable);
    }
    assert_eq!(serving(&bench, "statement"), "v6", "both places are taken");
    assert_eq!(serving(&bench, "invoice"), "v7");
    for probe in probes {
        let _ = probe.answer(Report::new());
    }
    assert_eq!(serving(&bench, "statement"), "v7");
    assert_eq!(
        breaker.counts(v7()).late,
        0,
        "probes count for all documents"
    );
    let is_recovered = |event: &Event| {
        matches!(
            event.kind,
            EventKind::Breaker(BreakerEvent::Recovered { .. })
        )
    };
    let recovered = bench.events().into_iter().find(is_recovered).unwrap();
    assert_eq!(recovered.only_for, Some(statement()));
    bench.tick_after(minutes(15));
    let abouts: Vec<_> = bench.events().iter().filter_map(resolved).collect();
    assert_eq!(abouts, ["statement"]);
}

/// The version is out for all and for one type; the type's documents take no place of the trial of
/// all while theirs waits.
#[test]
fn a_call_needs_a_place_in_its_type_and_in_all() {
    let probing = Probing::after(seconds(60)).with_probes(1);
    let (bench, _) = bench(by_type().recovery(probing));
    answer(&bench, "invoice", 200);
    fail(&bench, "statement", 5);
    bench.clock.advance(seconds(30));
    fail(&bench, "invoice", 6);
    bench.clock.advance(seconds(60));
    assert_eq!(serving(&bench, "statement"), "v7", "on trial in both");
    let probe = bench.permit("statement");
    assert_eq!(
        probe.ticket().role(),
        Role::Stable,
        "a release gave it back"
    );
    assert_eq!(serving(&bench, "invoice"), "v6", "the one place is taken");
    let _ = probe.answer(Report::new());
    assert_eq!(serving(&bench, "invoice"), "v7");
}

/// What a call costs does not grow with the types that are out of service: the others wait for the
/// next tick.
#[test]
fn a_call_starts_the_probes_of_its_own_type_and_a_tick_those_of_all() {
    let (bench, breaker) = bench(by_type().recovery(Probing::after(seconds(60))));
    answer(&bench, "invoice", 400);
    for kind in ["contract", "receipt", "statement"] {
        fail(&bench, kind, 5);
    }
    bench.clock.advance(seconds(60));
    let states = || ["contract", "receipt", "statement"].map(|kind| breaker.state_for(v7(), kind));
    assert_eq!(serving(&bench, "receipt"), "v7");
    let (open, half_open) = (BreakerState::Open, BreakerState::HalfOpen);
    assert_eq!(states(), [open, half_open, open]);
    bench.pipeline.tick();
    assert_eq!(states(), [half_open; 3]);
}

#[test]
fn arming_a_version_again_puts_it_back_for_every_type() {
    let (bench, breaker) = bench(by_type());
    answer(&bench, "invoice", 200);
    for kind in ["statement", "contract"] {
        fail(&bench, kind, 5);
    }
    rearm(&breaker, v7());
    assert_eq!(serving(&bench, "statement"), "v7");
    assert_eq!(serving(&bench, "contract"), "v7");
    let events = bench.events();
    let resolved: Vec<_> = events.iter().filter_map(resolved).collect();
    assert_eq!(resolved, ["statement"], "one incident of both types");
    let armed =
        |event: &&Event| matches!(event.kind, EventKind::Breaker(BreakerEvent::Rearmed { .. }));
    assert_eq!(events.iter().filter(armed).count(), 1);
    answer(&bench, "invoice", 200);
    fail(&bench, "statement", 5);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    assert_eq!(serving(&bench, "statement"), "v6");
    reset(&breaker);
    assert_eq!(serving(&bench, "statement"), "v7");
}

#[test]
fn a_restart_keeps_what_is_out_for_a_type() {
    let (before, _) = bench(by_type());
    answer(&before, "invoice", 200);
    fail(&before, "statement", 5);
    let text = serde_json::to_string(&before.pipeline.snapshot().unwrap()).unwrap();
    let (after, breaker) = bench(by_type());
    let snapshot = serde_json::from_str(&text).unwrap();
    after.pipeline.restore(&snapshot).unwrap();
    assert_eq!(serving(&after, "statement"), "v6");
    assert_eq!(serving(&after, "invoice"), "v7");
    let counts = breaker.counts_for(v7(), DocumentType::new("invoice").unwrap());
    assert_eq!(counts.calls, 200);
    let (without, _) = bench(ErrorRateBreaker::builder());
    without.pipeline.restore(&snapshot).unwrap();
    assert_eq!(
        serving(&without, "statement"),
        "v7",
        "types are not judged here"
    );
}

#[test]
fn past_ten_thousand_types_the_others_are_judged_together_only() {
    let (bench, breaker) = bench(by_type());
    for n in 0..10_000 {
        answer(&bench, &format!("type-{n}"), 1);
    }
    assert_eq!(bench.pages(), []);
    fail(&bench, "one-more", 4);
    answer(&bench, "type-0", 1);
    fail(&bench, "and-another", 4);
    let events = bench.events();
    let full = |event: &&Event| {
        matches!(
            event.kind,
            EventKind::Pipeline(PipelineEvent::KeysExhausted { .. })
        )
    };
    assert_eq!(events.iter().filter(full).count(), 1, "{events:?}");
    assert_eq!(serving(&bench, "one-more"), "v7");
    assert_eq!(breaker.counts(v7()).errors, 8);
}

#[test]
fn a_type_whose_calls_hang_falls_back_alone() {
    let (bench, _) = bench(by_type().slow_calls(seconds(60), Ratio::percent(5)));
    let open: Vec<Permit> = (0..6).map(|_| bench.permit("statement")).collect();
    answer(&bench, "invoice", 300);
    bench.tick_after(seconds(59));
    assert_eq!(serving(&bench, "statement"), "v7");
    bench.tick_after(seconds(2));
    assert_eq!(serving(&bench, "statement"), "v6");
    assert_eq!(serving(&bench, "invoice"), "v7");
    drop(open);
}

#[test]
fn calls_that_hang_in_every_type_are_told_once() {
    let (bench, breaker) = bench(by_type().slow_calls(seconds(60), Ratio::percent(5)));
    let open: Vec<Permit> = (0..6)
        .flat_map(|_| [bench.permit("statement"), bench.permit("invoice")])
        .collect();
    bench.tick_after(seconds(61));
    assert_eq!(breaker.state(v7()), BreakerState::Latched);
    let events = bench.events();
    let told = told(&events);
    assert_eq!(told.len(), 1, "{told:?}");
    drop(open);
}

/// What was open when the fallback was forced hangs for an earlier generation, in a type too.
#[test]
fn a_forced_fallback_cuts_off_the_calls_of_every_type() {
    let (bench, breaker) = bench(by_type().slow_calls(seconds(60), Ratio::percent(5)));
    let open: Vec<Permit> = (0..6).map(|_| bench.permit("statement")).collect();
    for mode in [BreakerMode::ForcedFallback, BreakerMode::Enforce] {
        switch(&breaker, mode);
        bench.pipeline.tick();
    }
    answer(&bench, "invoice", 300);
    bench.tick_after(seconds(61));
    assert_eq!(serving(&bench, "statement"), "v7");
    drop(open);
}

/// The place in the trial of a type is given back when all documents have no place for the call.
#[test]
fn a_place_that_is_not_used_is_given_back() {
    let probing = Probing::after(seconds(60)).with_probes(1);
    let (bench, _) = bench(by_type().recovery(probing));
    answer(&bench, "invoice", 200);
    fail(&bench, "statement", 5);
    fail(&bench, "invoice", 6);
    bench.clock.advance(seconds(60));
    let probe = bench.permit("receipt");
    assert_eq!(probe.ticket().role(), Role::Stable);
    assert_eq!(serving(&bench, "statement"), "v6", "no place in all");
    let open = bench.permit("statement");
    assert_eq!(open.ticket().role(), Role::Previous);
    let _ = probe.answer(Report::new());
    assert_eq!(serving(&bench, "statement"), "v7", "its trial has a place");
    open.release();
}

#[test]
fn a_type_is_tried_again_after_a_restart() {
    let settings = || by_type().recovery(Probing::after(seconds(60)));
    let (before, _) = bench(settings());
    answer(&before, "invoice", 200);
    fail(&before, "statement", 5);
    let snapshot = before.pipeline.snapshot().unwrap();
    let (after, _) = bench(settings());
    after.pipeline.restore(&snapshot).unwrap();
    assert_eq!(serving(&after, "invoice"), "v7");
    assert_eq!(serving(&after, "statement"), "v6");
    after.clock.advance(seconds(60));
    assert_eq!(serving(&after, "statement"), "v7");
}

/// What counts is when a version last broke the rule, not when the incident began.
#[test]
fn a_type_that_falls_while_another_flaps_is_part_of_its_incident() {
    let probing = Probing::after(seconds(60)).with_probes(1);
    let (bench, _) = bench(by_type().recovery(probing).hold_open(minutes(5)));
    answer(&bench, "invoice", 2_000);
    fail(&bench, "statement", 5);
    bench.clock.advance(minutes(4));
    answer(&bench, "statement", 1);
    fail(&bench, "statement", 5);
    bench.clock.advance(minutes(4));
    fail(&bench, "contract", 5);
    let events = bench.events();
    let told = told(&events);
    let severities = told.iter().map(|(_, severity, _)| *severity);
    let expected = [Severity::Page, Severity::Warning, Severity::Warning];
    assert_eq!(severities.collect::<Vec<_>>(), expected, "{told:?}");
    assert!(told.iter().all(|(_, _, key)| *key == told[0].2));
}

#[test]
fn a_breaker_that_only_watches_says_which_type() {
    let (bench, _) = bench(by_type().mode(BreakerMode::ObserveOnly));
    answer(&bench, "invoice", 200);
    fail(&bench, "statement", 7);
    assert_eq!(serving(&bench, "statement"), "v7");
    let events = bench.events();
    let would: Vec<_> = events
        .iter()
        .filter(|event| {
            matches!(
                event.kind,
                EventKind::Breaker(BreakerEvent::WouldTrip { .. })
            )
        })
        .map(|event| event.only_for.clone())
        .collect();
    assert_eq!(would, [Some(statement())]);
}

#[test]
fn calls_that_are_abandoned_in_one_type_are_a_page_about_it() {
    let (bench, _) = bench(by_type().min_calls(10));
    answer(&bench, "invoice", 1_000);
    answer(&bench, "statement", 9);
    bench.clock.advance(Duration::from_secs(1));
    (0..2).for_each(|_| drop(bench.permit("statement")));
    let about = |bench: &Bench| {
        let events = bench.events().into_iter();
        let rate = |event: &Event| {
            matches!(
                event.kind,
                EventKind::Breaker(BreakerEvent::AbandonedRateExceeded { .. })
            )
        };
        events
            .filter(rate)
            .map(|event| event.only_for)
            .collect::<Vec<_>>()
    };
    assert_eq!(about(&bench), [Some(statement())]);
    (0..200).for_each(|_| drop(bench.permit("invoice")));
    let told = about(&bench);
    assert!(told.contains(&None), "{told:?}");
    (0..20).for_each(|_| drop(bench.permit("contract")));
    assert_eq!(about(&bench), [], "it is known of all");
}

/// 6 of 300 calls are 2 %; a quarter of an hour later the first 200 have left the window, and 6 of
/// 100 are 6 %. Over all documents there are 1,000 more.
#[test]
fn in_one_type_time_alone_can_make_the_share_of_abandoned_calls_too_large() {
    let (bench, _) = bench(by_type());
    answer(&bench, "statement", 200);
    bench.tick_after(minutes(10));
    answer(&bench, "invoice", 1_000);
    answer(&bench, "statement", 94);
    for _ in 0..6 {
        drop(bench.permit("statement"));
    }
    bench.tick_after(minutes(4));
    assert_eq!(bench.events(), []);
    bench.tick_after(minutes(2));
    let events = bench.events();
    let [event] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(event.severity, Severity::Page);
    assert_eq!(event.only_for.as_ref(), Some(&statement()));
    assert_eq!(event.kind.name(), "abandoned_rate_exceeded");
}

#[test]
fn no_version_is_left_for_a_type_for_a_reason() {
    let (bench, _) = bench(by_type());
    answer(&bench, "invoice", 400);
    fail(&bench, "statement", 10);
    let Admission::Diverted(diversion) = bench.admit("statement") else {
        panic!("served");
    };
    assert!(diversion.reasons().contains(&Reason::NoVersionLeft));
}
