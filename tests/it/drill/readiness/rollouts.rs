//! What a rollout needs: a guard, a forecast of its plan, and a shadow run where much is at stake.

use fusebox::drill::{FailureMode, Gap, Readiness};
use fusebox::{CanaryPolicy, DocumentType, Ratio, ShadowComparator, Version, VersionId, rollout};

use super::{HOUR, Reviewed, breaker_and_canary, drilled, enough_traffic, gaps, only, outage};
use crate::support::line_up;

#[test]
fn a_rollout_needs_a_guard_a_forecast_of_its_plan_and_documents_enough() {
    let mode = FailureMode::CallsFail;
    let drills = drilled(breaker_and_canary, outage());
    let asked = || only(mode, breaker_and_canary).drilled(&drills);
    assert_eq!(gaps(asked()), [Gap::NoForecast]);
    let other = CanaryPolicy::builder()
        .stage(Ratio::percent(5), HOUR)
        .build()
        .unwrap();
    assert_eq!(
        gaps(asked().rollout(&other, &enough_traffic())),
        [Gap::OtherPlan {
            plan: "canary".into()
        }]
    );
    let few = [(DocumentType::new("invoice").unwrap(), 5.0)];
    let few = rollout::Traffic::new(few, Ratio::percent(3)).unwrap();
    let found = gaps(asked().rollout(&CanaryPolicy::default(), &few));
    let names = |gap: &Gap| matches!(gap, Gap::CannotBeJudged { why } if why.starts_with("too few documents"));
    assert!(found.iter().any(names), "{found:?}");
}

#[test]
fn a_change_of_high_stakes_needs_a_reviewed_shadow_run() {
    let mode = FailureMode::CallsFail;
    let drills = drilled(breaker_and_canary, outage());
    let v8 = || VersionId::new("v8").unwrap();
    let asked = || {
        only(mode, breaker_and_canary)
            .drilled(&drills)
            .rollout(&CanaryPolicy::default(), &enough_traffic())
    };
    assert_eq!(gaps(asked()), []);
    let found = gaps(asked().high_stakes());
    let why = "its change was declared one of high stakes".to_owned();
    assert_eq!(
        found,
        [Gap::NoShadowRun {
            candidate: v8(),
            why
        }]
    );

    let fresh = ShadowComparator::builder(v8())
        .share(Ratio::percent(10))
        .build()
        .unwrap();
    let why = "collecting: 0 of 200 documents compared".to_owned();
    assert_eq!(
        gaps(asked().high_stakes().shadow(fresh)),
        [Gap::NotCleared {
            candidate: v8(),
            why
        }]
    );
    assert_eq!(gaps(asked().high_stakes().shadow(Reviewed(Ok(())))), []);
    let unreviewed = Reviewed(Err("review required".to_owned()));
    assert_eq!(
        gaps(asked().shadow(unreviewed)).len(),
        1,
        "also where it was not needed"
    );

    let larger = Version::new("v8", "gpt-4.1").unwrap();
    let model = line_up().with_candidate(larger);
    let found = gaps(Readiness::of(breaker_and_canary, model));
    let why = "its model is gpt-4.1 instead of gpt-4o".to_owned();
    assert_eq!(
        found.last(),
        Some(&Gap::NoShadowRun {
            candidate: v8(),
            why
        })
    );
}
