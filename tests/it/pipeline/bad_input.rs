//! What cannot work is refused with the field, the value and what is allowed; what arrives at run
//! time is survived.

use fusebox::event::PipelineEvent;
use fusebox::tokens::Model;
use fusebox::{
    Admission, Call, Confidence, EventKind, Guard, LineUp, Pipeline, Ratio, Reason, Report,
    RouteLedger, Settlement, Timestamp, TokenBudget, Version,
};

use crate::support::{Bench, EVENING, line_up, rate_only, refused, version};

#[test]
fn a_pipeline_says_what_it_cannot_be_built_from() {
    refused(
        Pipeline::builder(line_up()).build(),
        "guards: got `none`, expected at least one guard; add it with `.guard(..)`",
    );
    refused(
        Pipeline::builder(line_up())
            .guard(RouteLedger::default())
            .guard(RouteLedger::default())
            .build(),
        "guard name: got `ledger`, expected a name that no other guard of the pipeline has; see `.named(..)`",
    );
    refused(
        Pipeline::builder(line_up())
            .guard(RouteLedger::default().named(""))
            .build(),
        "guard name: got ``, expected a name that is not empty and not `pipeline`; see `.named(..)`",
    );
    refused(
        Pipeline::builder(LineUp::new(version("v7")).with_previous(version("v7")))
            .guard(RouteLedger::default())
            .build(),
        "previous version: got `v7`, expected a version other than the stable version",
    );
    refused(
        Pipeline::builder(line_up().with_candidate(version("v7")))
            .guard(RouteLedger::default())
            .build(),
        "candidate version: got `v7`, expected a version other than the stable version",
    );
    refused(
        Pipeline::builder(line_up().with_candidate(version("v6")))
            .guard(RouteLedger::default())
            .build(),
        "candidate version: got `v6`, expected a version other than the previous version",
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
        "document id: got ``, expected at least one character",
    );
    refused(
        Call::new("inv-1", ""),
        "document type: got ``, expected at least one character",
    );
    refused(
        Version::new("", "gpt-4o"),
        "version: got ``, expected at least one character",
    );
    refused(
        Version::new("v7", ""),
        "model: got ``, expected at least one character",
    );
    refused(
        Model::new("gpt-4o", 0),
        "context window of model `gpt-4o`: got `0`, expected at least 1 token",
    );
    refused(
        Ratio::new(1, 0),
        "ratio: got `1/0`, expected a denominator of at least 1",
    );
    refused(
        Confidence::new(f64::NAN),
        "confidence: got `NaN`, expected a number from 0 to 1",
    );
    refused(
        Confidence::new(1.000_001),
        "confidence: got `1.000001`, expected a number from 0 to 1",
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

/// A letter, then letters of two bytes: the 200th byte is the first of one, so 199 are kept.
#[test]
fn a_long_name_keeps_its_beginning_in_whole_characters() {
    let call = Call::new(format!("a{}", "é".repeat(150)), "invoice").unwrap();
    let kept = format!("a{}…", "é".repeat(99));
    assert!(call.document().as_str().starts_with(&kept), "{call:?}");
}

#[test]
fn ten_megabytes_of_emoji_as_a_type_stay_small_and_countable() {
    let emoji = "🧨".repeat(2_500_000);
    let (bench, ledger) = Bench::and_guard(RouteLedger::default());
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
    let bench = Bench::with_guard(rate_only());
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
    let bench = Bench::with_guard(Panics);
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
    let bench = Bench::with_guard(Panics.dry_run());
    for document_type in ["route", "check", "judge", "observe"] {
        assert!(matches!(
            bench.permit(document_type).answer(Report::new()),
            Settlement::Accepted { .. }
        ));
    }
    assert_eq!(bench.pages(), []);
}
