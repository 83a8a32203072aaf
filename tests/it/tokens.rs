//! P1: tokens are measured before every call, and no document goes into silence.

use fusebox::{
    Account, Admission, Call, Destination, EventKind, Framing, LineUp, Model, QueueName, Ratio,
    Reason, Severity, TokenBudget, TokenCount, Version,
};

use crate::support::{Bench, minutes};

/// With 1,000 tokens reserved for the answer 10,000 are left for the prompt.
const WINDOW: u64 = 11_000;

fn v7(prompt: u64) -> Version {
    let version = Version::new("v7", "small").unwrap();
    version
        .with_system_prompt_tokens(prompt)
        .with_reserved_answer_tokens(1_000)
}

fn small() -> Model {
    model("small", WINDOW)
}

fn model(name: &str, window: u64) -> Model {
    Model::new(name, window)
        .unwrap()
        .with_framing(Framing::NONE)
}

fn bench(budget: TokenBudget) -> Bench {
    Bench::with(LineUp::new(v7(2_000)), |builder| builder.guard(budget))
}

fn call(tokens: u64) -> Call<'static> {
    Call::new("doc", "invoice")
        .unwrap()
        .with_document_tokens(tokens)
}

fn only_small() -> TokenBudget {
    TokenBudget::builder().model(small()).build().unwrap()
}

#[test]
fn ninety_percent_of_the_window_goes_through_and_one_token_more_does_not() {
    let bench = bench(only_small());
    assert!(matches!(
        bench.pipeline.admit(&call(7_000)),
        Admission::Admitted(_)
    ));
    let Admission::Diverted(diversion) = bench.pipeline.admit(&call(7_001)) else {
        panic!("9,001 of 10,000 tokens were admitted");
    };
    assert_eq!(*diversion.destination(), Destination::HumanReview);
    let Some(Reason::OverBudget {
        version,
        account,
        limit: 9_000,
        largest_prompt: 10_000,
    }) = diversion.reasons().first()
    else {
        panic!("{diversion}");
    };
    let Account {
        system, document, ..
    } = **account;
    assert_eq!(*version, *v7(0).id());
    assert_eq!(
        (system, document, account.prompt(), account.answer),
        (
            TokenCount::exact(2_000),
            TokenCount::exact(7_001),
            TokenCount::exact(9_001),
            1_000
        )
    );
    assert_eq!(
        diversion.to_string(),
        "doc goes to human review: v7 needs 9001 tokens (system prompt 2000, document 7001), 1000 for the answer; the \
         limit is 9000 of 10000"
    );
}

#[test]
fn history_counts() {
    let bench = bench(only_small());
    let with_history = |tokens: u64| call(6_000).with_history_tokens(tokens);
    assert!(
        bench
            .pipeline
            .admit(&with_history(1_000))
            .permit()
            .is_some()
    );
    assert!(
        bench
            .pipeline
            .admit(&with_history(1_001))
            .permit()
            .is_none()
    );
}

#[test]
fn an_unmeasured_call_is_over_budget() {
    let bench = bench(only_small());
    let unmeasured = Call::new("doc", "invoice").unwrap();
    let half_measured = call(10).with_history_tokens(None::<TokenCount>);
    for call in [unmeasured, half_measured] {
        let Admission::Diverted(diversion) = bench.pipeline.admit(&call) else {
            panic!("an unmeasured call was admitted");
        };
        assert!(diversion.reasons().contains(&Reason::Unmeasured));
    }
}

#[test]
fn the_smallest_model_that_fits_takes_the_document() {
    let budget = TokenBudget::builder()
        .model(small())
        .fallback(model("huge", 1_000_000))
        .fallback(model("medium", 21_000))
        .build()
        .unwrap();
    let bench = bench(budget);
    for (document, expected) in [
        (7_000, "small"),
        (7_001, "medium"),
        (16_000, "medium"),
        (16_001, "huge"),
        (897_100, "huge"),
    ] {
        let admission = bench.pipeline.admit(&call(document));
        assert_eq!(*admission.ticket().model(), expected, "{document} tokens");
        assert!(admission.permit().is_some());
    }
    assert!(bench.pipeline.admit(&call(897_101)).permit().is_none());
}

#[test]
fn the_version_that_will_serve_is_judged() {
    let line_up = |prompt| LineUp::new(v7(prompt));
    let bench = Bench::with(line_up(2_000), |builder| builder.guard(only_small()));
    assert!(bench.pipeline.admit(&call(7_000)).permit().is_some());
    bench.pipeline.deploy(line_up(2_200)).unwrap();
    assert!(
        bench.pipeline.admit(&call(7_000)).permit().is_none(),
        "200 tokens longer"
    );
    assert!(bench.pipeline.admit(&call(6_800)).permit().is_some());
}

#[test]
fn three_documents_of_a_type_in_a_quarter_of_an_hour_page_once() {
    let bench = bench(only_small());
    let divert = |document_type: &str| {
        let call = Call::new("doc", document_type)
            .unwrap()
            .with_document_tokens(9_000);
        drop(bench.pipeline.admit(&call));
    };
    divert("contract");
    divert("invoice");
    divert("invoice");
    assert_eq!(bench.pages(), []);
    bench.clock.advance(minutes(14));
    divert("invoice");
    let pages = bench.pages();
    assert!(
        matches!(&pages[..], [EventKind::BudgetAlarm { document_type, documents: 3, tokens: Some(tokens), limit: 9_000, .. }]
            if *document_type == "invoice" && *tokens == TokenCount::exact(11_000)),
        "{pages:?}"
    );
    for _ in 0..100 {
        divert("invoice");
    }
    assert_eq!(bench.pages(), [], "one page for the type and the version");
    for (version, pages) in [("v8", 1), ("v7", 0), ("v8", 0)] {
        let other = Version::new(version, "small")
            .unwrap()
            .with_system_prompt_tokens(2_000);
        bench.pipeline.deploy(LineUp::new(other)).unwrap();
        for _ in 0..3 {
            divert("invoice");
        }
        assert_eq!(
            bench.pages().len(),
            pages,
            "{version}: once for each version, whichever serves in between"
        );
    }
}

#[test]
fn three_documents_in_a_longer_time_do_not_page() {
    let bench = bench(only_small());
    for _ in 0..10 {
        drop(bench.pipeline.admit(&call(9_000)));
        drop(bench.pipeline.admit(&call(9_000)));
        bench.clock.advance(minutes(16));
    }
    assert_eq!(bench.pages(), []);
}

#[test]
fn moving_to_a_larger_model_can_be_no_more_than_a_warning() {
    let budget = TokenBudget::builder()
        .model(small())
        .fallback(model("huge", 1_000_000))
        .larger_model_alarm(Severity::Warning)
        .build()
        .unwrap();
    let bench = bench(budget);
    for _ in 0..3 {
        drop(bench.pipeline.admit(&call(9_000)));
    }
    let events = bench.events();
    assert!(
        events
            .iter()
            .any(|event| matches!(event.kind, EventKind::BudgetAlarm { .. }))
    );
    assert!(events.iter().all(|event| event.severity < Severity::Page));
}

#[test]
fn a_document_that_fits_nowhere_can_go_to_a_queue() {
    let queue = Destination::Queue(QueueName::new("overnight").unwrap());
    let budget = TokenBudget::builder()
        .model(small())
        .otherwise(queue.clone())
        .build()
        .unwrap();
    let Admission::Diverted(diversion) = bench(budget).pipeline.admit(&call(9_000)) else {
        panic!("admitted");
    };
    assert_eq!(*diversion.destination(), queue);
}

#[test]
fn the_limit_can_be_changed() {
    let budget = TokenBudget::builder()
        .model(small())
        .limit(Ratio::percent(50))
        .build()
        .unwrap();
    let bench = bench(budget);
    assert!(bench.pipeline.admit(&call(3_000)).permit().is_some());
    assert!(bench.pipeline.admit(&call(3_001)).permit().is_none());
}

#[test]
fn absurd_numbers_do_not_overflow() {
    let bench = bench(only_small());
    let absurd = call(u64::MAX).with_history_tokens(u64::MAX);
    assert!(bench.pipeline.admit(&absurd).permit().is_none());
}
