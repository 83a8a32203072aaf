//! P3 where the line-up has no version to fall back to, or none that is in service.

use std::sync::Arc;

use fusebox::breaker::{BreakerState, ErrorRateBreakerBuilder, Probing};
use fusebox::guard::{Cx, Route};
use fusebox::{Call, ErrorRateBreaker, Event, FailureKind, Guard, LineUp, Permit, Role, Severity};

use super::bench;
use crate::operator::rearm;
use crate::support::{Bench, call, line_up, minutes, seconds, stored, v7, version};

fn alone(id: &str) -> LineUp {
    LineUp::new(version(id))
}

/// How urgent each event of the breaker was, and which.
fn told(bench: &Bench) -> Vec<(Severity, &'static str)> {
    let of_breaker = |event: &Event| event.guard == "error-rate";
    let events = bench.events().into_iter().filter(of_breaker);
    events
        .map(|event| (event.severity, event.kind.name()))
        .collect()
}

fn keys(bench: &Bench) -> Vec<String> {
    let open = bench.pipeline.incidents().into_iter();
    open.map(|open| open.key.to_string()).collect()
}

/// A day of documents, one a minute; how many are served.
fn day(bench: &Bench) -> usize {
    let served = (0..1_440).filter(|_| {
        bench.tick_after(minutes(1));
        let permit = bench.admit("invoice").permit();
        permit.map(Permit::release).is_some()
    });
    served.count()
}

#[test]
fn an_alarmed_version_that_fails_as_a_fallback_is_a_page() {
    let bench = Bench::with(alone("v7"), |builder| {
        builder.guard(ErrorRateBreaker::default())
    });
    bench.fail(5);
    assert_eq!(told(&bench), [(Severity::Page, "error_rate_exceeded")]);
    let next = alone("v8").with_previous(version("v7"));
    bench.pipeline.deploy(next).unwrap();
    for _ in 0..3 * 24 {
        bench.tick_after(minutes(60));
        bench.answer(10);
    }
    bench.events();
    bench.fail(5);
    assert_eq!(bench.serving(), "v7");
    assert_eq!(told(&bench), [(Severity::Page, "error_rate_exceeded")]);
    bench.fail(1);
    assert_eq!(bench.serving(), "v7", "1 of 1 calls is no row of five");
    bench.fail(4);
    assert!(bench.admit("invoice").permit().is_none());
    let told = told(&bench);
    assert!(told.contains(&(Severity::Page, "exhausted")), "{told:?}");
}

/// An alarm says that a version serves although it fails; a fallback that waits does not serve.
#[test]
fn an_alarm_ends_when_another_version_is_in_production_and_its_failures_are_old() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.pipeline.deploy(alone("v7")).unwrap();
    bench.fail(5);
    let next = alone("v8").with_previous(version("v7"));
    bench.pipeline.deploy(next).unwrap();
    bench.tick_after(minutes(14));
    assert_eq!(breaker.state(v7()), BreakerState::Alarmed);
    bench.tick_after(minutes(1));
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    bench.tick_after(minutes(15));
    assert_eq!(keys(&bench), [""; 0]);
}

/// All documents are more than one type of them.
#[test]
fn that_no_version_is_left_for_all_is_a_page_after_it_was_told_of_a_type() {
    let (bench, _) = bench(ErrorRateBreaker::builder().by_document_type(true));
    bench.answer(200);
    for _ in 0..10 {
        let permit = bench.permit("statement");
        permit.fail(FailureKind::MalformedOutput);
    }
    bench.fail(6);
    bench.fail(1);
    let exhausted = |event: &Event| event.kind.name() == "exhausted";
    let events = bench.events().into_iter().filter(exhausted);
    let told: Vec<_> = events
        .map(|event| (event.only_for.map(|name| name.to_string()), event.severity))
        .collect();
    assert_eq!(
        told,
        [
            (Some("statement".to_owned()), Severity::Page),
            (None, Severity::Page)
        ]
    );
}

#[test]
fn a_version_that_was_out_serves_where_none_stands_behind_it_any_more() {
    let ways: [fn() -> ErrorRateBreakerBuilder; 2] = [ErrorRateBreaker::builder, || {
        ErrorRateBreaker::builder().recovery(Probing::after(minutes(1)))
    }];
    for settings in ways {
        let (bench, breaker) = bench(settings());
        bench.fail(5);
        assert_eq!(bench.serving(), "v6");
        bench.events();
        bench.pipeline.deploy(alone("v7")).unwrap();
        assert_eq!(bench.serving(), "v7");
        assert_eq!(breaker.state(v7()), BreakerState::Alarmed);
        let pages = bench.events();
        let page = pages.iter().find(|event| event.severity == Severity::Page);
        assert_eq!(
            page.unwrap().kind.to_string(),
            "circuit of v7 alarmed: v7 was out of service, but the line-up has no version to fall \
             back to any more, so v7 serves again"
        );
        assert_eq!(day(&bench), 1_440);
        assert_eq!(
            keys(&bench),
            ["error-rate/failing/v7/1"],
            "it is still wrong"
        );
        assert_eq!(told(&bench), [], "and known");
        let done = &bench.pipeline.incidents()[0].done_already;
        assert_eq!(
            done,
            "nothing: v7 serves again, because no version stands behind it"
        );
    }
}

#[test]
fn a_restart_with_another_line_up_serves_too() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(5);
    let breaker = Arc::new(ErrorRateBreaker::default());
    let next = Bench::with(alone("v7"), |builder| builder.guard(Arc::clone(&breaker)));
    next.pipeline.restore(&stored(&bench.pipeline)).unwrap();
    next.pipeline.tick();
    assert_eq!(breaker.state(v7()), BreakerState::Alarmed);
    assert_eq!(day(&next), 1_440);
    let pages = told(&next);
    assert_eq!(
        pages
            .iter()
            .filter(|(severity, _)| *severity == Severity::Page)
            .count(),
        1,
        "{pages:?}"
    );
    next.answer(1);
    assert_eq!(breaker.state(v7()), BreakerState::Closed);
    next.tick_after(minutes(15));
    assert_eq!(keys(&next), [""; 0]);
}

#[test]
fn a_type_that_was_out_is_served_too() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder().by_document_type(true));
    bench.answer(200);
    for kind in ["statement", "contract"] {
        for _ in 0..5 {
            bench.permit(kind).fail(FailureKind::MalformedOutput);
        }
    }
    bench.events();
    bench.pipeline.deploy(alone("v7")).unwrap();
    assert_eq!(bench.permit("statement").release().role(), Role::Stable);
    bench.tick_after(minutes(1));
    for kind in ["statement", "contract"] {
        assert_eq!(breaker.state_for(v7(), kind), BreakerState::Alarmed);
    }
    let told = told(&bench);
    let expected = [
        (Severity::Page, "fallback_missing"),
        (Severity::Warning, "fallback_missing"),
    ];
    assert_eq!(told, expected);
}

/// With a version behind it again, the next broken rule takes it out.
#[test]
fn a_version_that_serves_alone_falls_back_as_soon_as_it_can() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    bench.pipeline.deploy(alone("v7")).unwrap();
    bench.fail(5);
    assert_eq!(breaker.state(v7()), BreakerState::Alarmed);
    bench.pipeline.deploy(line_up()).unwrap();
    bench.fail(1);
    assert_eq!(bench.serving(), "v6");
}

#[test]
fn a_version_over_a_fallback_that_is_out_of_service_says_so_once() {
    let (bench, breaker) = bench(ErrorRateBreaker::builder());
    bench.fail(5);
    bench.events();
    let next = alone("v8").with_previous(version("v7"));
    bench.pipeline.deploy(next.clone()).unwrap();
    for _ in 0..10 {
        bench.tick_after(minutes(1));
        bench.answer(1);
    }
    let events = bench.events();
    let warned: Vec<_> = events
        .iter()
        .filter(|event| event.severity == Severity::Warning)
        .map(|event| event.kind.to_string())
        .collect();
    assert_eq!(
        warned,
        ["v7, the fallback of v8, is out of service: if v8 fails, documents go to human review"]
    );
    let other = Bench::with(next.clone(), |builder| {
        builder.guard(ErrorRateBreaker::default())
    });
    other.pipeline.restore(&stored(&bench.pipeline)).unwrap();
    other.pipeline.tick();
    assert_eq!(told(&other), [], "nor after a restart");
    rearm(&breaker, v7());
    bench.tick_after(minutes(1));
    bench.events();
    bench.pipeline.deploy(next).unwrap();
    bench.tick_after(minutes(1));
    assert_eq!(told(&bench), [], "a fallback in service is no news");
}

/// Sends everything to the candidate.
#[derive(Debug)]
struct Everything;

impl Guard for Everything {
    fn name(&self) -> &'static str {
        "everything-to-the-candidate"
    }

    fn route(&self, call: &Call<'_>, _: &Cx<'_>) -> Route {
        if call.document_type() == "contract" {
            Route::Candidate
        } else {
            Route::Abstain
        }
    }
}

/// v6 serves all: that production is out does not mean that nobody stands behind the candidate.
#[test]
fn behind_a_candidate_stands_whoever_serves() {
    let bench = Bench::with(line_up().with_candidate(version("v8")), |builder| {
        builder.guard(ErrorRateBreaker::default()).guard(Everything)
    });
    let admit = |n: usize| {
        let permit = bench.pipeline.admit(&call(&format!("c-{n}"), "contract"));
        permit.permit().unwrap()
    };
    let open: Vec<Permit> = (0..5).map(admit).collect();
    assert_eq!(open[0].ticket().role(), Role::Candidate);
    bench.fail(5);
    assert_eq!(bench.serving(), "v6");
    bench.clock.advance(seconds(90));
    bench.events();
    for permit in open {
        permit.fail(FailureKind::ServerError);
    }
    let events = bench.events();
    let texts: Vec<_> = events.iter().map(|event| event.kind.to_string()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("; v6 serves now"), "{texts:?}");
}

#[test]
fn an_observer_does_not_say_which_circuit_would_have_opened_where_none_would() {
    use fusebox::breaker::BreakerMode;
    let breaker = ErrorRateBreaker::builder().mode(BreakerMode::ObserveOnly);
    let bench = Bench::with(alone("v7"), |builder| {
        builder.guard(breaker.build().unwrap())
    });
    bench.fail(5);
    let events = bench.events();
    assert_eq!(
        events[0].kind.to_string(),
        "v7 would have tripped: consecutive failures, 5 of 5 calls failed (threshold 5 %); the \
         breaker only observes, so v7 still serves"
    );
}
