//! The candidate is judged by what people decide of production's answers.

use std::sync::Arc;
use std::time::Duration;

use fusebox::call::{Comparison, ShadowEnd};
use fusebox::clock::MockClock;
use fusebox::event::ShadowEvent;
use fusebox::name::CorrectionId;
use fusebox::shadow::compare::{Compare, JsonFields};
use fusebox::shadow::{
    JudgedGap, JudgedReport, JudgedVerdict, LookedAt, Selection, ShadowComparatorBuilder,
};
use fusebox::sink::MemorySink;
use fusebox::{
    Call, Correction, EventKind, FailureKind, Feedback, Field, LineUp, Pipeline, Ratio, Report,
    Severity, ShadowComparator, Ticket,
};
use serde_json::{Value, json};

use super::{builder, compared, version};
use crate::support::stored;

const KEY: [u8; 16] = [7; 16];

struct Judging {
    clock: MockClock,
    pipeline: Pipeline,
    shadow: Arc<ShadowComparator>,
    sink: MemorySink,
    fields: JsonFields,
}

fn fields() -> JsonFields {
    let fields = JsonFields::builder()
        .critical(["/total", "/lines"])
        .unordered(["/lines"]);
    fields.build().unwrap()
}

fn judging() -> ShadowComparatorBuilder {
    builder().fields(fields()).judged_by_corrections(KEY)
}

impl Judging {
    fn new(builder: ShadowComparatorBuilder) -> Self {
        let (shadow, clock) = (Arc::new(builder.build().unwrap()), MockClock::new());
        let sink = MemorySink::new();
        let pipeline = Pipeline::builder(LineUp::new(version("v7")))
            .guard(Arc::clone(&shadow))
            .clock(clock.clone())
            .sink(sink.clone());
        Self {
            pipeline: pipeline.build().unwrap(),
            clock,
            shadow,
            sink,
            fields: fields(),
        }
    }

    fn ticket(&self) -> Ticket {
        let call = Call::new("document", "invoice").unwrap();
        let permit = self.pipeline.admit(&call).permit().unwrap();
        permit.answer(Report::new()).ticket().clone()
    }

    /// A document with these answers, as a runner compares them.
    fn document(&self, production: &Value, candidate: &Value) -> Ticket {
        let ticket = self.ticket();
        let comparison = self.fields.compare(production, candidate);
        self.pipeline.observe(&ticket, compared(comparison));
        ticket
    }

    fn total(&self, production: &str, candidate: &str) -> Ticket {
        self.document(
            &json!({ "total": production }),
            &json!({ "total": candidate }),
        )
    }

    fn corrects(&self, ticket: &Ticket, field: &str, value: impl Into<Value>) {
        let correction = Correction::new(Field::new(field).unwrap()).settled_on(value);
        self.pipeline
            .observe(ticket, Feedback::corrected(correction));
    }

    fn reviews(&self, ticket: &Ticket) {
        self.pipeline.observe(ticket, Feedback::Reviewed);
    }

    /// Past the time that a review has for its corrections.
    fn report(&self) -> JudgedReport {
        self.clock.advance(Duration::from_secs(601));
        self.pipeline.tick();
        self.shadow.report().judged.unwrap()
    }

    /// Both right, only production right, only the candidate right, both wrong, unknown.
    fn pairs(&self) -> [u64; 5] {
        let pairs = self.report().total.looked_at;
        [
            pairs.both_right,
            pairs.only_production_right,
            pairs.only_candidate_right,
            pairs.both_wrong,
            pairs.unknown,
        ]
    }
}

#[test]
fn each_document_is_in_one_of_the_five_pairs() {
    for (candidate, corrected, pairs) in [
        ("12.50", None, [1, 0, 0, 0, 0]),
        ("1250", None, [0, 1, 0, 0, 0]),
        ("1250", Some("1250"), [0, 0, 1, 0, 0]),
        ("12.50", Some("1250"), [0, 0, 0, 1, 0]),
        ("125", Some("1250"), [0, 0, 0, 1, 0]),
    ] {
        let judging = Judging::new(judging());
        let ticket = judging.total("12.50", candidate);
        if let Some(value) = corrected {
            judging.corrects(&ticket, "/total", value);
        }
        judging.reviews(&ticket);
        assert_eq!(judging.pairs(), pairs, "{candidate} {corrected:?}");
    }
}

#[test]
fn a_field_has_one_name_with_and_without_a_slash() {
    for name in ["total", "/total"] {
        let judging = Judging::new(judging());
        let ticket = judging.total("12.50", "1250");
        judging.corrects(&ticket, name, "1250");
        judging.reviews(&ticket);
        assert_eq!(judging.pairs(), [0, 0, 1, 0, 0], "{name}");
    }
}

#[test]
fn a_correction_of_a_field_that_is_not_critical_is_nobodys_mistake() {
    let judging = Judging::new(judging());
    let ticket = judging.document(
        &json!({ "total": "1", "vendor": "acme" }),
        &json!({ "total": "1", "vendor": "ACME" }),
    );
    judging.corrects(&ticket, "vendor", "ACME");
    judging.reviews(&ticket);
    assert_eq!(judging.pairs(), [1, 0, 0, 0, 0]);
}

#[test]
fn a_settled_value_is_the_candidates_by_the_rules_of_its_field() {
    let judging = Judging::new(judging());
    let lines =
        |first: &str, second: &str| json!({ "lines": [{ "sku": first }, { "sku": second }] });
    let ticket = judging.document(&json!({ "lines": null }), &lines("a", "b"));
    judging.corrects(&ticket, "/lines", lines("b", "a")["lines"].clone());
    judging.reviews(&ticket);
    assert_eq!(judging.pairs(), [0, 0, 1, 0, 0]);
    let ticket = judging.document(&json!({ "total": 0 }), &json!({ "total": 100 }));
    judging.corrects(&ticket, "/total", 100.0);
    judging.reviews(&ticket);
    assert_eq!(judging.pairs(), [0, 0, 2, 0, 0]);
}

#[test]
fn within_a_tolerance_the_candidates_value_is_kept_by_choice_or_it_is_unknown() {
    let tolerant = || {
        let fields = JsonFields::builder().absolute_tolerance("/total", "0.01");
        fields.build().unwrap()
    };
    for (bytes, settled, pairs) in [
        (0, "12.50", [0, 0, 0, 0, 1]),
        (6, "12.50", [0, 0, 0, 0, 1]),
        (7, "12.50", [0, 0, 1, 0, 0]),
        (7, "12.51", [0, 0, 1, 0, 0]),
        (7, "12.511", [0, 0, 0, 1, 0]),
    ] {
        let builder = builder().fields(tolerant()).judged_by_corrections(KEY);
        let mut judging = Judging::new(builder.keep_values_within_tolerances(bytes));
        judging.fields = tolerant();
        // As text with its quotes, the candidate's value has 7 bytes.
        let ticket = judging.total("1250", "12.50");
        let snapshot = stored(&judging.pipeline);
        judging.pipeline.restore(&snapshot).unwrap();
        judging.corrects(&ticket, "total", settled);
        judging.reviews(&ticket);
        assert_eq!(judging.pairs(), pairs, "{bytes} {settled}");
    }
}

#[test]
fn a_field_that_should_not_be_there_and_one_without_a_told_value() {
    let judging = Judging::new(judging());
    let ticket = judging.document(&json!({ "total": "1" }), &json!({}));
    let absent = Correction::new(Field::new("/total").unwrap()).settled_on_nothing();
    judging
        .pipeline
        .observe(&ticket, Feedback::corrected(absent));
    judging.reviews(&ticket);
    assert_eq!(judging.pairs(), [0, 0, 1, 0, 0]);
    let ticket = judging.total("12.50", "1250");
    let untold = Feedback::corrected(Field::new("/total").unwrap());
    judging.pipeline.observe(&ticket, untold);
    judging.reviews(&ticket);
    assert_eq!(judging.pairs(), [0, 0, 1, 0, 1]);
}

#[test]
fn feedback_may_come_before_the_comparison_twice_and_be_retracted() {
    let judging = Judging::new(judging());
    let ticket = judging.ticket();
    judging.corrects(&ticket, "/total", "1250");
    judging.corrects(&ticket, "/total", "1250");
    judging.reviews(&ticket);
    let answers = (json!({ "total": "12.50" }), json!({ "total": "1250" }));
    let comparison = judging.fields.compare(&answers.0, &answers.1);
    judging.pipeline.observe(&ticket, compared(comparison));
    assert_eq!(judging.pairs(), [0, 0, 1, 0, 0]);
    let retracted = Feedback::retracted(Field::new("total").unwrap());
    judging.pipeline.observe(&ticket, retracted);
    assert_eq!(judging.pairs(), [0, 1, 0, 0, 0]);
}

#[test]
fn a_candidate_that_people_would_correct_more_often_is_called_worse_once() {
    let judging = Judging::new(judging());
    // Only the candidate is wrong in 40 documents, only production in 10: 4 times as often.
    for n in 0..50 {
        let ticket = judging.total("12.50", "1250");
        if n % 5 == 0 {
            judging.corrects(&ticket, "/total", "1250");
        }
        judging.reviews(&ticket);
    }
    let report = judging.report();
    assert_eq!(report.verdict, JudgedVerdict::Worse);
    assert!(report.evidence_worse >= 20.0, "{report:?}");
    let said: Vec<_> = judging.sink.take();
    let worse: Vec<_> = said
        .iter()
        .filter(|event| {
            matches!(
                event.kind,
                EventKind::Shadow(ShadowEvent::CandidateWorse { .. })
            )
        })
        .collect();
    assert_eq!(worse.len(), 1);
    assert_eq!(worse[0].severity, Severity::Warning);
    assert_eq!(
        worse[0].kind.to_string(),
        "v8 is worse than production in its shadow run: of 50 reviewed documents 40 of its answers \
         are wrong, and 10 of production's; do not deploy v8"
    );
    judging.report();
    assert_eq!(judging.sink.events(), [], "said once");
}

#[test]
fn a_candidate_that_is_better_is_shown_to_be_no_worse_and_the_run_ends() {
    let judging = Judging::new(judging().documents(10, 20));
    let mut documents = 0;
    while judging
        .shadow
        .select(&judging.ticket(), judging.pipeline.now())
        == Selection::Run
    {
        let ticket = judging.total("12.50", "1250");
        judging.corrects(&ticket, "/total", "1250");
        judging.reviews(&ticket);
        for _ in 0..5 {
            let ticket = judging.total("1", "1");
            judging.reviews(&ticket);
        }
        judging.report();
        documents += 6;
        assert!(documents < 1_000);
    }
    assert!(documents > 20, "it went on after its last evaluation");
    assert_eq!(judging.report().verdict, JudgedVerdict::NoWorse);
    let says = |event: &fusebox::Event| {
        matches!(
            event.kind,
            EventKind::Shadow(ShadowEvent::CandidateNoWorse { .. })
        )
    };
    assert_eq!(
        judging
            .sink
            .events()
            .iter()
            .filter(|event| says(event))
            .count(),
        1
    );
}

#[test]
fn corrections_alone_say_nothing_of_what_only_the_candidate_got_wrong() {
    let judging = Judging::new(judging());
    for _ in 0..50 {
        let ticket = judging.total("12.50", "1250");
        judging.corrects(&ticket, "/total", "1250");
    }
    let report = judging.report();
    assert_eq!(report.total.corrected_only.only_candidate_right, 50);
    let JudgedVerdict::NotEnough { reason, .. } = report.verdict else {
        panic!("{:?}", report.verdict);
    };
    assert_eq!(reason, JudgedGap::CorrectionsOnly);
}

#[test]
fn where_people_look_at_everything_silence_is_acceptance_after_two_days() {
    let judging = Judging::new(judging().looked_at(LookedAt::All));
    judging.total("12.50", "1250");
    judging.clock.advance(Duration::from_secs(47 * 3_600));
    assert_eq!(judging.pairs(), [0, 0, 0, 0, 0]);
    judging.clock.advance(Duration::from_secs(3_600));
    assert_eq!(judging.pairs(), [0, 1, 0, 0, 0]);
}

#[test]
fn a_document_that_the_candidate_did_not_answer_is_not_judged() {
    let judging = Judging::new(judging());
    let ticket = judging.ticket();
    let failed = ShadowEnd::CandidateFailed(FailureKind::Timeout);
    judging.pipeline.observe(&ticket, compared(failed));
    judging.pipeline.observe(
        &judging.ticket(),
        compared(Comparison::NotComparable("?".into())),
    );
    judging.reviews(&ticket);
    assert_eq!(judging.report().total.compared(), 0);
}

#[test]
fn a_restart_goes_on_and_no_value_is_in_the_state() {
    let first = Judging::new(judging());
    let ticket = first.total("12.50", "4711.08");
    first.reviews(&ticket);
    let other = first.ticket();
    first.corrects(&other, "/total", "8150.47");
    let snapshot = stored(&first.pipeline);
    let text = serde_json::to_string(&snapshot).unwrap();
    let state = text.replace("\"candidate\":\"4711.08\"", "");
    assert!(!state.contains("8150.47"), "the settled value: {text}");
    let next = Judging::new(judging());
    next.pipeline.restore(&snapshot).unwrap();
    next.corrects(&ticket, "/total", "4711.08");
    next.clock.advance(Duration::from_secs(1));
    assert_eq!(next.pairs(), [0, 0, 1, 0, 0]);

    let other_key = Judging::new(builder().fields(fields()).judged_by_corrections([8; 16]));
    let error = other_key.pipeline.restore(&snapshot).unwrap_err();
    assert!(error.to_string().contains("another key"), "{error}");
}

#[test]
fn a_correction_with_an_id_is_known_again() {
    let judging = Judging::new(judging());
    let ticket = judging.total("12.50", "1250");
    let correction = |value: &str| {
        let correction = Correction::new(Field::new("/total").unwrap()).settled_on(value);
        correction.with_id(CorrectionId::new("review-1").unwrap())
    };
    judging
        .pipeline
        .observe(&ticket, Feedback::corrected(correction("125")));
    judging
        .pipeline
        .observe(&ticket, Feedback::corrected(correction("1250")));
    judging.reviews(&ticket);
    assert_eq!(
        judging.pairs(),
        [0, 0, 1, 0, 0],
        "the value told last counts"
    );
    judging
        .pipeline
        .observe(&ticket, Feedback::retracted(correction("anything")));
    assert_eq!(judging.pairs(), [0, 1, 0, 0, 0]);
}

#[test]
fn without_a_key_nothing_is_judged() {
    let judging = Judging::new(builder());
    let ticket = judging.total("12.50", "1250");
    judging.corrects(&ticket, "/total", "1250");
    assert_eq!(judging.shadow.report().judged, None);
}

#[test]
fn what_a_run_needs_is_said_beforehand() {
    let shadow = builder().build().unwrap();
    let needed = shadow.feasibility(Ratio::percent(3), Ratio::ZERO).unwrap();
    let worse = needed.nine_in_ten.worse.unwrap();
    assert!(needed.expected.worse.unwrap() < worse);
    // At 100 an hour within a day.
    assert!(worse < 2_400, "{worse}");
    assert!(shadow.feasibility(Ratio::ZERO, Ratio::ZERO).is_err());
}
