//! P1 after the call: what the API reports is held against what was counted.

use std::time::Duration;

use fusebox::event::BudgetEvent;
use fusebox::tokens::{Catalogue, Model, TokenCount};
use fusebox::{
    Call, EventKind, FailureKind, LineUp, Reason, Report, Settlement, Ticket, TokenBudget, Version,
};

use super::{bench, exact, exact_bench, invoice, permit, version};
use crate::support::{Bench, EVENING, minutes, stored};

const HOUR: Duration = minutes(60);

fn answer(bench: &Bench, call: &Call<'_>, input: u64) -> Settlement {
    permit(bench, call).answer(Report::new().usage(input, 10))
}

/// 1,000 + 19,000 tokens were counted. A report may be 2 % and 16 tokens off.
#[test]
fn a_prompt_that_the_service_cut_is_not_accepted() {
    let bench = exact_bench();
    // 20,000 - 19,593 = 407; 407 - 16 = 391 is not more than 2 % of 19,593, which is 391.86; of
    // 19,592 it is 392 and 391.84.
    assert!(matches!(
        answer(&bench, &invoice(19_000), 19_593),
        Settlement::Accepted { .. }
    ));
    let Settlement::NeedsReview { reasons, .. } = answer(&bench, &invoice(19_000), 19_592) else {
        panic!("accepted");
    };
    let reason = Reason::PromptCut {
        counted: TokenCount::exact(20_000),
        reported: 19_592,
        alike: 0,
    };
    assert!(reasons.contains(&reason));
    assert_eq!(
        reason.to_string(),
        "the API reports 19592 input tokens, we counted 20000: the service cut the prompt"
    );
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Budget(BudgetEvent::PromptCut {
                reported: 19_592,
                ..
            })]
        ),
        "{pages:?}"
    );
    let _ = answer(&bench, &invoice(19_000), 2_051);
    bench.clock.advance(HOUR);
    let _ = answer(&bench, &invoice(19_000), 2_051);
    assert_eq!(bench.pages(), [], "until none was cut for a day");
    bench.clock.advance(24 * HOUR);
    let _ = answer(&bench, &invoice(19_000), 2_051);
    assert_eq!(bench.pages().len(), 1);
}

#[test]
fn an_exact_count_that_is_wrong_is_a_page() {
    let bench = exact_bench();
    // 20,424 - 20,000 - 16 = 408 is not more than 2 % of 20,424, which is 408.48; of 20,425 it is
    // 409 and 408.5.
    let _ = answer(&bench, &invoice(19_000), 20_424);
    assert_eq!(bench.pages(), []);
    assert!(matches!(
        answer(&bench, &invoice(19_000), 20_425),
        Settlement::Accepted { .. }
    ));
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Budget(BudgetEvent::CountWrong {
                reported: Some(20_425),
                ..
            })]
        ),
        "{pages:?}"
    );
}

#[test]
fn a_few_tokens_more_wake_nobody_however_short_the_prompt() {
    let bench = exact_bench();
    let _ = answer(&bench, &invoice(10), 1_026);
    assert_eq!(bench.pages(), []);
}

#[test]
fn a_refusal_of_what_was_let_pass_is_a_page() {
    let bench = exact_bench();
    permit(&bench, &invoice(10)).fail(FailureKind::ServerError);
    assert_eq!(bench.pages(), []);
    permit(&bench, &invoice(10)).fail(FailureKind::ContextLengthExceeded);
    let pages = bench.pages();
    assert!(
        matches!(
            &pages[..],
            [EventKind::Budget(BudgetEvent::CountWrong {
                reported: None,
                ..
            })]
        ),
        "{pages:?}"
    );
}

#[test]
fn cached_input_is_input() {
    let bench = exact_bench();
    let report = Report::new().usage(500, 10).cached_input(4_500, 15_000);
    assert_eq!(report.input_tokens(), Some(20_000));
    let settled = permit(&bench, &invoice(19_000)).answer(report);
    assert!(matches!(settled, Settlement::Accepted { .. }));
    let report = Report::new().cached_input(1, 2).usage(3, 4);
    assert_eq!(
        (report.input_tokens(), report.output_tokens()),
        (Some(6), Some(4))
    );
}

#[test]
fn a_ticket_remembers_what_was_counted() {
    let bench = exact_bench();
    let ticket = permit(&bench, &invoice(19_000)).release();
    let measurement = ticket.measurement().unwrap();
    assert_eq!(measurement.prompt(), TokenCount::exact(20_000));
    assert_eq!(measurement.brought(), TokenCount::exact(19_000));
    let written = serde_json::to_string(&ticket).unwrap();
    assert_eq!(serde_json::from_str::<Ticket>(&written).unwrap(), ticket);
    let of_before = r#"{"format":1,"id":"0000000000000001-1","document":"d","document_type":"t","version":"v7","role":"stable","model":"m","stage":null,"admitted_at":0}"#;
    assert!(
        serde_json::from_str::<Ticket>(of_before).is_ok(),
        "tickets of an earlier version are read"
    );
}

#[test]
fn an_end_of_life_is_told_once_a_day_from_thirty_days_before() {
    let day = Duration::from_secs(24 * 60 * 60);
    let end = EVENING + day * 30;
    let bench = bench(
        TokenBudget::builder()
            .model(exact().with_end_of_life(end))
            .build()
            .unwrap(),
    );
    let told = |bench: &Bench| {
        bench.pipeline.tick();
        let events = bench.events();
        events
            .iter()
            .filter(|event| matches!(event.kind, EventKind::Budget(BudgetEvent::ModelEnds { .. })))
            .count()
    };
    assert_eq!(told(&bench), 0, "thirty days are not less than thirty days");
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!((told(&bench), told(&bench)), (1, 0));
    bench.clock.advance(day);
    assert_eq!((told(&bench), told(&bench)), (1, 0));
    bench.clock.advance(day * 40);
    assert_eq!(told(&bench), 1, "and after it");
}

#[test]
fn an_alarm_that_was_raised_is_not_raised_again_after_a_restart() {
    let over = |bench: &Bench| {
        for _ in 0..3 {
            let _ = bench.pipeline.admit(&invoice(95_000));
        }
        bench.pages().len()
    };
    let one = exact_bench();
    assert_eq!(over(&one), 1);
    let other = exact_bench();
    other.pipeline.restore(&stored(&one.pipeline)).unwrap();
    assert_eq!(over(&other), 0);
}

#[test]
fn a_fallback_that_helps_nobody_and_a_reserve_that_cannot_be_are_refused() {
    let build = |budget: fusebox::budget::TokenBudgetBuilder, version: Version| {
        let pipeline =
            fusebox::Pipeline::builder(LineUp::new(version)).guard(budget.build().unwrap());
        pipeline.build().map(|_| ()).unwrap_err().to_string()
    };
    let smaller = TokenBudget::builder()
        .model(exact())
        .fallback(Model::new("smaller", 99_999).unwrap());
    assert_eq!(
        build(smaller, version("exact", 1)),
        "context window of fallback `smaller`: got `99999`, expected at least that of `exact`, 100000"
    );
    let gpt_4o = || version("gpt-4o", 1);
    assert_eq!(
        build(
            TokenBudget::builder(),
            gpt_4o().with_reserved_answer_tokens(16_385)
        ),
        "reserved answer tokens of version `v7`: got `16385`, expected at most the largest answer of `gpt-4o`, 16384"
    );
    let nothing_known = TokenBudget::builder().catalogue(Catalogue::empty());
    assert!(build(nothing_known, gpt_4o()).contains("a model of the catalogue, or one declared"));
}

/// The prompt and the answer together have reached the end of the window: the count was right.
#[test]
fn an_answer_that_runs_into_the_window_says_nothing_against_the_count() {
    let full = |input: u64, output: u64| {
        let bench = exact_bench();
        let report = Report::new().usage(input, output);
        let report = report.finish_reason("model_context_window_exceeded");
        let _ = permit(&bench, &invoice(19_000)).answer(report);
        bench.pages().len()
    };
    assert_eq!(full(20_000, 900), 0);
    assert_eq!(full(20_000, 0), 1, "refused, although the count agrees");
    assert_eq!(full(30_000, 900), 1);
}

/// 4,096 tokens are too few for an answer of 20,000.
#[test]
fn a_fallback_must_be_able_to_write_the_answer() {
    let reserved = |id: &str, tokens: u64| {
        let version = Version::new(id, "exact").unwrap();
        let version = version.with_system_prompt_tokens(1_000);
        version.with_reserved_answer_tokens(tokens)
    };
    let fallback = || {
        let large = Model::new("large", 1_000_000).unwrap();
        let large = large.with_largest_answer(4_096);
        TokenBudget::builder()
            .model(exact())
            .fallback(large)
            .build()
            .unwrap()
    };
    let both = LineUp::new(reserved("v7", 20_000)).with_previous(reserved("v6", 4_096));
    let bench = Bench::with(both, |builder| builder.guard(fallback()));
    let too_large = bench.pipeline.admit(&invoice(90_000));
    assert!(too_large.permit().is_none(), "v7 finds no model");
    let next = LineUp::new(reserved("v6", 4_096));
    bench.pipeline.deploy(next).unwrap();
    let moved = bench.pipeline.admit(&invoice(90_000)).permit().unwrap();
    assert_eq!(*moved.ticket().model(), "large");
    moved.release();
    let refused = bench.pipeline.deploy(LineUp::new(reserved("v8", 4_097)));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "largest answer of fallback `large`: got `4096`, expected at least what a version reserves \
         for the answer, 4097"
    );
}

/// 90 % of 100,000 less the reserve: a version that needs more alone would divert everything.
#[test]
fn a_version_without_room_for_a_document_is_refused() {
    let refused = |prompt: u64, reserved: u64| {
        let version = version("exact", prompt).with_reserved_answer_tokens(reserved);
        let budget = TokenBudget::builder().model(exact()).build().unwrap();
        let pipeline = fusebox::Pipeline::builder(LineUp::new(version)).guard(budget);
        pipeline.build().err().map(|error| error.to_string())
    };
    assert_eq!(refused(90_000, 0), None);
    assert_eq!(
        refused(90_001, 0).as_deref(),
        Some(
            "prompt of version `v7` without a document: got `90001 tokens`, expected at most 90000 \
             tokens, 90 % of the 100000 that `exact` leaves beside 0 for the answer"
        )
    );
    assert_eq!(
        refused(0, 99_999).as_deref(),
        Some(
            "prompt of version `v7` without a document: got `0 tokens`, expected at most 0 tokens, \
             90 % of the 1 that `exact` leaves beside 99999 for the answer"
        )
    );
}

/// A model whose tokenizer and framing are both not published, as most of the catalogue: one
/// document in a hundred is expected above its bound, and its size is not what is left beside it.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
#[test]
fn a_calibrated_count_with_an_unknown_framing_is_calibrated() {
    use fusebox::tokens::Encoding;
    let budget = TokenBudget::builder()
        .model(Model::new("unpublished", 40_000).unwrap())
        .build()
        .unwrap();
    let budget = std::sync::Arc::new(budget);
    let v7 = Version::new("v7", "unpublished").unwrap();
    let line_up = LineUp::new(v7.with_system_prompt(" bc".repeat(500)));
    let bench = Bench::with(line_up, |builder| {
        builder.guard(std::sync::Arc::clone(&budget))
    });
    let counter = Encoding::O200kBase.counter().unwrap();
    let text = " bc".repeat(1_500);
    assert_eq!(counter.count(&text).unwrap(), TokenCount::exact(1_500));
    let answer = |tokens: u64| {
        let call = Call::new("doc", "invoice").unwrap().with_document(&*text);
        let permit = bench.pipeline.admit(&call).permit().unwrap();
        let _ = permit.answer(Report::new().usage(tokens, 10));
    };
    for _ in 0..100 {
        answer(2_500);
    }
    bench.pages();
    answer(2_500 * 107 / 100);
    assert_eq!(bench.pages(), [], "7 % above its line");
    let headroom = budget.headroom();
    // 1,500 of 2,000 words, at 1.25 tokens each.
    assert!((1_800..=1_950).contains(&headroom[0].p50), "{headroom:?}");
}
