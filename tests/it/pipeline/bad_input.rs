//! What cannot work is refused with the field, the value and what is allowed; what arrives at run time is survived.

use std::time::Duration;

use fusebox::drill::{Fault, Traffic};
use fusebox::event::PipelineEvent;
use fusebox::tokens::Model;
use fusebox::{
    Admission, Call, Confidence, Drill, ErrorKind, ErrorRateBreaker, EventKind, FailureKind, Guard,
    LineUp, Pipeline, Ratio, Reason, Report, RouteLedger, Settlement, Timestamp, TokenBudget,
    Version,
};

use crate::support::{Bench, EVENING, line_up, minutes, version};

fn refused<T: std::fmt::Debug>(result: Result<T, fusebox::Error>, message: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_pipeline_says_what_it_cannot_be_built_from() {
    refused(
        Pipeline::builder(line_up()).build(),
        "guards: `none` is not allowed; add at least one with `.guard(..)`",
    );
    refused(
        Pipeline::builder(line_up())
            .guard(RouteLedger::default())
            .guard(RouteLedger::default())
            .build(),
        "guard name: `ledger` is not allowed; a name that no other guard of the pipeline has; see `.named(..)`",
    );
    refused(
        Pipeline::builder(line_up())
            .guard(RouteLedger::default().named(""))
            .build(),
        "guard name: `` is not allowed; a name of its own; see `.named(..)`",
    );
    refused(
        Pipeline::builder(LineUp::new(version("v7")).with_previous(version("v7")))
            .guard(RouteLedger::default())
            .build(),
        "previous version: `v7` is not allowed; a version other than the stable one",
    );
    refused(
        Pipeline::builder(line_up().with_candidate(version("v7")))
            .guard(RouteLedger::default())
            .build(),
        "candidate version: `v7` is not allowed; a version other than the stable one",
    );
    refused(
        Pipeline::builder(line_up().with_candidate(version("v6")))
            .guard(RouteLedger::default())
            .build(),
        "candidate version: `v6` is not allowed; a version other than the previous one",
    );
}

#[test]
fn absent_guards_share_a_name() {
    let none = || None::<RouteLedger>;
    assert!(
        Pipeline::builder(line_up())
            .guard(none())
            .guard(none())
            .build()
            .is_ok()
    );
}

#[test]
fn names_and_models_need_to_be_something() {
    refused(
        Call::new("", "invoice"),
        "document id: `` is not allowed; give at least one character",
    );
    refused(
        Call::new("inv-1", ""),
        "document type: `` is not allowed; give at least one character",
    );
    refused(
        Version::new("", "gpt-4o"),
        "version: `` is not allowed; give at least one character",
    );
    refused(
        Version::new("v7", ""),
        "model: `` is not allowed; give at least one character",
    );
    refused(
        Model::new("gpt-4o", 0),
        "context window of model `gpt-4o`: `0` is not allowed; at least 1 token",
    );
    refused(
        Ratio::new(1, 0),
        "ratio: `1/0` is not allowed; the denominator must be at least 1",
    );
    refused(
        Confidence::new(f64::NAN),
        "confidence: `NaN` is not allowed; a number from 0 to 1",
    );
    refused(
        Confidence::new(1.000_001),
        "confidence: `1.000001` is not allowed; a number from 0 to 1",
    );
}

#[test]
fn a_token_budget_says_what_is_missing() {
    let budget = || TokenBudget::builder().build().unwrap();
    let build = |version: Version| {
        Pipeline::builder(LineUp::new(version))
            .guard(budget())
            .build()
    };
    refused(
        build(
            Version::new("v7", "my-model")
                .unwrap()
                .with_system_prompt_tokens(1),
        ),
        "model of version `v7`: `my-model` is not allowed; a model whose context window is known or declared with \
         `.model(Model::new(name, window)?)`",
    );
    refused(
        build(Version::new("v7", "gpt-4").unwrap()),
        "system prompt of version `v7`: `not counted` is not allowed; give it with `.with_system_prompt(..)`, or its \
         tokens with `.with_system_prompt_tokens(..)`",
    );
    refused(
        build(version("v7").with_reserved_answer_tokens(128_000)),
        "reserved answer tokens of version `v7`: `128000` is not allowed; fewer than the context window of `gpt-4o`, 128000",
    );
    let limit = |limit| TokenBudget::builder().limit(limit).build();
    refused(
        limit(Ratio::ZERO),
        "token budget limit: `0 %` is not allowed; more than 0 % and at most 100 %",
    );
    refused(
        limit(Ratio::percent(101)),
        "token budget limit: `101 %` is not allowed; more than 0 % and at most 100 %",
    );
    assert!(limit(Ratio::ONE).is_ok());
    let twice = TokenBudget::builder()
        .model(Model::new("a", 1).unwrap())
        .fallback(Model::new("a", 2).unwrap());
    refused(
        twice.build(),
        "context window of model `a`: `2` is not allowed; one declaration for each model",
    );
}

#[test]
fn a_breaker_says_which_number_is_wrong() {
    for threshold in [Ratio::ZERO, Ratio::ONE, Ratio::percent(150)] {
        let message = format!(
            "error rate threshold: `{threshold}` is not allowed; more than 0 % and less than 100 %"
        );
        refused(
            ErrorRateBreaker::builder().threshold(threshold).build(),
            &message,
        );
    }
    refused(
        ErrorRateBreaker::builder().window(Duration::ZERO).build(),
        "error rate window: `0s` is not allowed; longer than zero",
    );
    refused(
        ErrorRateBreaker::builder().buckets(7).build(),
        "error rate window: `15m` is not allowed; a multiple of its number of buckets (7), in whole milliseconds",
    );
    refused(
        ErrorRateBreaker::builder().min_calls(0).build(),
        "error rate min_calls: `0` is not allowed; at least 1",
    );
    refused(
        RouteLedger::builder().max_open(Duration::ZERO).build(),
        "ledger max_open: `0s` is not allowed; longer than zero",
    );
}

#[test]
fn a_refused_deployment_changes_nothing() {
    let bench = Bench::with(line_up(), |builder| {
        builder.guard(TokenBudget::builder().build().unwrap())
    });
    assert!(
        bench
            .pipeline
            .deploy(LineUp::new(Version::new("v8", "unheard-of").unwrap()))
            .is_err()
    );
    assert_eq!(bench.serving(), "v7");
}

#[test]
fn a_drill_says_what_it_needs() {
    let drill = || Drill::new(Pipeline::builder(line_up()).guard(RouteLedger::default()));
    refused(
        drill().run_for(minutes(1)),
        "drill traffic: `none` is not allowed; add some with `.traffic(..)`",
    );
    refused(
        Traffic::of("invoice", 0),
        "drill traffic per hour: `0` is not allowed; 1 to 3600000 documents",
    );
    let late = drill()
        .traffic(Traffic::of("invoice", 60).unwrap())
        .fault(minutes(60), Fault::fail(FailureKind::Timeout, Ratio::ONE));
    refused(
        late.run_for(minutes(60)),
        "drill fault: `1h` is not allowed; before the drill ends, after 1h",
    );
}

#[test]
fn ten_megabytes_of_emoji_as_a_type_stay_small_and_countable() {
    let emoji = "🧨".repeat(2_500_000);
    let ledger = std::sync::Arc::new(RouteLedger::default());
    let bench = Bench::new(std::sync::Arc::clone(&ledger));
    for document_type in [emoji.clone(), emoji.clone() + "!"] {
        let call = Call::new("doc", &document_type).unwrap();
        assert!(call.document_type().as_str().len() <= 256);
        let _ = bench
            .pipeline
            .admit(&call)
            .permit()
            .unwrap()
            .answer(Report::new());
    }
    assert_eq!(
        ledger.report().types().count(),
        2,
        "distinct types stay distinct"
    );
    assert_eq!(ledger.report().total().accepted, 2);
}

#[test]
fn a_clock_that_jumps_back_an_hour_is_not_believed() {
    let breaker = std::sync::Arc::new(
        ErrorRateBreaker::builder()
            .consecutive_failures(None)
            .build()
            .unwrap(),
    );
    let bench = Bench::new(std::sync::Arc::clone(&breaker));
    bench.fail(50);
    bench
        .clock
        .set(Timestamp::from_millis(EVENING.as_millis() - 3_600_000));
    bench.fail(50);
    assert_eq!(bench.serving(), "v6", "the window still sees both halves");
    assert!(bench.events().iter().all(|event| event.at >= EVENING));
}

#[derive(Debug)]
struct Panics;

impl Guard for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn route(&self, call: &Call<'_>, _: &fusebox::guard::Cx<'_>) -> fusebox::guard::Route {
        assert!(*call.document_type() != "route");
        fusebox::guard::Route::Abstain
    }

    fn check(
        &self,
        call: &Call<'_>,
        _: &Version,
        _: &fusebox::guard::Cx<'_>,
    ) -> fusebox::guard::Verdict {
        assert!(*call.document_type() != "check");
        fusebox::guard::Verdict::Proceed
    }

    fn review(
        &self,
        ticket: &fusebox::Ticket,
        _: &Report,
        _: &fusebox::guard::Cx<'_>,
    ) -> fusebox::guard::Acceptance {
        assert!(*ticket.document_type() != "judge");
        fusebox::guard::Acceptance::Accept
    }

    fn observe(
        &self,
        ticket: &fusebox::Ticket,
        _: &fusebox::call::Signal,
        _: &fusebox::guard::Cx<'_>,
    ) {
        assert!(*ticket.document_type() != "observe");
    }
}

#[test]
fn a_guard_that_panics_is_reported_and_its_word_is_the_strictest() {
    let failed = Reason::GuardFailed {
        guard: "panics".to_owned(),
    };
    let bench = Bench::new(Panics);
    for document_type in ["route", "check"] {
        let Admission::Diverted(diversion) = bench.admit(document_type) else {
            panic!("a call went through although its guard could not judge it");
        };
        assert!(diversion.reasons().contains(&failed), "{document_type}");
    }
    let settled = bench.permit("judge").answer(Report::new());
    assert!(
        matches!(settled, Settlement::NeedsReview { reasons, .. } if reasons.contains(&failed))
    );
    assert!(matches!(
        bench.permit("observe").answer(Report::new()),
        Settlement::Accepted { .. }
    ));
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Pipeline(PipelineEvent::GuardPanicked { .. })]
        ),
        "one page, not one for each call: {pages:?}"
    );
}

#[test]
fn an_onlooker_that_panics_stops_nothing() {
    let bench = Bench::new(Panics.dry_run());
    for document_type in ["route", "check", "judge", "observe"] {
        assert!(matches!(
            bench.permit(document_type).answer(Report::new()),
            Settlement::Accepted { .. }
        ));
    }
    assert_eq!(bench.pages(), []);
}
