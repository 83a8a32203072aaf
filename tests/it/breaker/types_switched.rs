//! `by_document_type`, switched off and on again.

use fusebox::breaker::ErrorRateBreakerBuilder;
use fusebox::{ErrorRateBreaker, Event, FailureKind, Role, Severity};

use super::bench;
use crate::operator::reconfigure;
use crate::support::{Bench, minutes, seconds, stored};

fn types() -> ErrorRateBreakerBuilder {
    ErrorRateBreaker::builder().by_document_type(true)
}

fn all() -> ErrorRateBreakerBuilder {
    ErrorRateBreaker::builder()
}

fn fail(bench: &Bench, document_type: &str, n: usize) {
    for _ in 0..n {
        let permit = bench.permit(document_type);
        permit.fail(FailureKind::MalformedOutput);
    }
}

fn told(bench: &Bench) -> Vec<(Severity, &'static str)> {
    let of_breaker = |event: &Event| event.guard == "error-rate";
    let events = bench.events().into_iter().filter(of_breaker);
    let told = events.map(|event| (event.severity, event.kind.name()));
    told.filter(|(_, name)| *name != "breaker_reconfigured")
        .collect()
}

const PAGE: (Severity, &str) = (Severity::Page, "error_rate_exceeded");
const ENDED: (Severity, &str) = (Severity::Info, "incident_resolved");

#[test]
fn a_type_that_fails_after_it_is_a_page() {
    for pause in [seconds(0), seconds(30), minutes(10)] {
        let (bench, breaker) = bench(types());
        bench.answer(2_000);
        fail(&bench, "statement", 5);
        assert_eq!(told(&bench), [PAGE]);
        reconfigure(&breaker, all()).unwrap();
        if pause > seconds(0) {
            bench.tick_after(pause);
            assert_eq!(told(&bench), [ENDED], "its state is dropped");
        }
        reconfigure(&breaker, types()).unwrap();
        let role = bench.permit("statement").release().role();
        assert_eq!(role, Role::Stable, "nor is anything left of its circuit");
        bench.events();
        fail(&bench, "statement", 5);
        assert_eq!(told(&bench), [PAGE], "{pause:?}");
    }
}

#[test]
fn switched_off_over_a_restart_it_is_a_page_too() {
    let (before, _) = bench(types());
    before.answer(2_000);
    fail(&before, "statement", 5);
    let (bench, breaker) = bench(all());
    bench.pipeline.restore(&stored(&before.pipeline)).unwrap();
    bench.tick_after(seconds(1));
    assert_eq!(told(&bench), [ENDED]);
    reconfigure(&breaker, types()).unwrap();
    fail(&bench, "statement", 5);
    assert_eq!(told(&bench), [PAGE]);
}
