//! The gate itself: which readiness opens which pipeline, and what an override leaves behind.

use fusebox::drill::FailureMode;
use fusebox::event::PipelineEvent;
use fusebox::pipeline::Builder;
use fusebox::sink::MemorySink;
use fusebox::{
    CanaryPolicy, Error, ErrorKind, ErrorRateBreaker, EventKind, LineUp, Pipeline, Severity,
    VersionId,
};

use super::{breaker_and_canary, next, only, pager, ready};
use crate::support::{line_up, refused, version};

#[test]
fn the_gate_opens_for_a_readiness_without_gaps() {
    let events = MemorySink::new();
    let pipeline = breaker_and_canary()
        .unwrap()
        .sink(events.clone())
        .build()
        .unwrap();
    events.take();
    pipeline.begin_rollout(&ready()).unwrap();
    assert_eq!(*pipeline.line_up(), next());
    let names: Vec<_> = events
        .take()
        .iter()
        .map(|event| event.kind.name())
        .collect();
    assert_eq!(names, ["deployed"]);
    refused(
        ready().overridden_by("anna", "to be sure"),
        "override: got `anna`, expected a rollout with gaps; this one may begin without an override",
    );
}

#[test]
fn the_gate_refuses_gaps_and_records_who_overrides_them() {
    let events = MemorySink::new();
    let pipeline = breaker_and_canary()
        .unwrap()
        .sink(events.clone())
        .build()
        .unwrap();
    events.take();
    let asked = || {
        only(FailureMode::CallsFail, breaker_and_canary)
            .check()
            .unwrap()
    };
    let gaps = [
        "calls fail: no drill has shown that a page comes; inject it in the drill set",
        "nothing says whether the rollout can be judged; state its policy and the traffic",
    ];
    let error = pipeline.begin_rollout(&asked()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert_eq!(
        error.to_string(),
        format!("rollout of v8 is not ready: {}", gaps.join("; "))
    );
    assert_eq!(*pipeline.line_up(), line_up());
    assert_eq!(events.take(), []);

    for (who, why) in [("", "hotfix"), ("anna", " "), ("anna", "two\nlines")] {
        assert!(asked().overridden_by(who, why).is_err());
    }
    let hurried = asked()
        .overridden_by("anna", "hotfix for ticket 4711")
        .unwrap();
    assert!(!hurried.is_ready());
    pipeline.begin_rollout(&hurried).unwrap();
    assert_eq!(*pipeline.line_up(), next());
    let events = events.take();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].severity, Severity::Warning);
    assert_eq!(
        events[1].kind,
        EventKind::Pipeline(PipelineEvent::RolloutForced {
            candidate: VersionId::new("v8").unwrap(),
            who: "anna".to_owned(),
            why: "hotfix for ticket 4711".to_owned(),
            gaps: gaps.map(str::to_owned).to_vec(),
        })
    );
}

#[test]
fn a_readiness_opens_no_other_pipeline() {
    let readiness = ready();
    let (of, other) = (readiness_settings(breaker_and_canary), || {
        Ok(Pipeline::builder(line_up())
            .guard(ErrorRateBreaker::default())
            .sink(pager()))
    });
    let hash = readiness_settings(other);
    refused(
        other().unwrap().build().unwrap().begin_rollout(&readiness),
        &format!(
            "readiness: got `{of}`, expected a check of this pipeline's guards and settings, \
             {hash}; check again"
        ),
    );
    let silent = Pipeline::builder(line_up())
        .guard(ErrorRateBreaker::default())
        .guard(CanaryPolicy::default());
    refused(
        silent.build().unwrap().begin_rollout(&readiness),
        "sinks of the pipeline: got `none`, expected a sink that reaches the operator, as the readiness found one",
    );
    let moved = breaker_and_canary().unwrap().build().unwrap();
    moved.deploy(LineUp::new(version("v9"))).unwrap();
    refused(
        moved.begin_rollout(&readiness),
        "production version of a readiness: got `v7`, expected v9, as it is live; check again",
    );
    let falls_back_to = |previous| LineUp::new(version("v7")).with_previous(version(previous));
    let moved = breaker_and_canary().unwrap().build().unwrap();
    moved.deploy(falls_back_to("v5")).unwrap();
    refused(
        moved.begin_rollout(&readiness),
        "previous version of a readiness: got `v6`, expected v5, as it is live; check again",
    );
    let under_way = breaker_and_canary().unwrap().build().unwrap();
    let other = line_up().with_candidate(version("v9"));
    under_way.deploy(other).unwrap();
    refused(
        under_way.begin_rollout(&readiness),
        "candidate of a readiness: got `v8`, expected v9, as it is live; check again",
    );
    assert_eq!(under_way.line_up().candidate().unwrap().id().as_str(), "v9");
}

fn readiness_settings(production: impl Fn() -> Result<Builder, Error>) -> String {
    production().unwrap().settings_hash().to_string()
}
