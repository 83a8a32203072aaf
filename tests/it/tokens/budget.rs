//! P1: tokens are measured before every call, and no document goes into silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fusebox::event::BudgetEvent;
use fusebox::name::QueueName;
use fusebox::tokens::{Conversation, Message, Model, TokenBreakdown, TokenCount, TokenCounter};
use fusebox::{
    Admission, Call, Destination, Error, EventKind, LineUp, Pipeline, Ratio, Reason, Severity,
    TokenBudget, Version,
};

use super::{document, model};
use crate::support::{Bench, minutes, refused};

/// With 1,000 tokens reserved for the answer 10,000 are left for the prompt.
const WINDOW: u64 = 11_000;

fn v7(prompt: u64) -> Version {
    version("v7", prompt)
}

fn version(id: &str, prompt: u64) -> Version {
    let version = Version::new(id, "small").unwrap();
    version
        .with_system_prompt_tokens(prompt)
        .with_reserved_answer_tokens(1_000)
}

fn small() -> Model {
    model("small", WINDOW)
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
        breakdown,
        limit: 9_000,
        largest_prompt: 10_000,
    }) = diversion.reasons().first()
    else {
        panic!("{diversion}");
    };
    let TokenBreakdown {
        system, document, ..
    } = **breakdown;
    assert_eq!(*version, *v7(0).id());
    assert_eq!(
        (system, document, breakdown.prompt(), breakdown.answer),
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
         limit is 9000 of the 10000 that fit"
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
    let half_measured = call(10).with_history_tokens(TokenCount::UNKNOWN);
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
    let line_up = |id, prompt| LineUp::new(version(id, prompt));
    let bench = Bench::with(line_up("v7", 2_000), |builder| builder.guard(only_small()));
    assert!(bench.pipeline.admit(&call(7_000)).permit().is_some());
    bench.pipeline.deploy(line_up("v8", 2_200)).unwrap();
    assert!(
        bench.pipeline.admit(&call(7_000)).permit().is_none(),
        "200 tokens longer"
    );
    assert!(bench.pipeline.admit(&call(6_800)).permit().is_some());
}

#[test]
fn an_answer_without_reserved_tokens_is_not_in_the_text() {
    let version = Version::new("v7", "small").unwrap();
    let line_up = LineUp::new(version.with_system_prompt_tokens(2_000));
    let bench = Bench::with(line_up, |builder| builder.guard(only_small()));
    let Admission::Diverted(diversion) = bench.pipeline.admit(&call(9_000)) else {
        panic!("11,000 of 10,000 tokens were admitted");
    };
    let text = diversion.to_string();
    assert!(
        text.contains("v7 needs 11000 tokens (system prompt 2000, document 9000); the "),
        "{text}"
    );
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
        matches!(&pages[..], [EventKind::Budget(BudgetEvent::BudgetAlarm { document_type, documents: 3, tokens: Some(tokens), limit: 9_000, .. })]
            if *document_type == "invoice" && *tokens == TokenCount::exact(11_000)),
        "{pages:?}"
    );
    for _ in 0..100 {
        divert("invoice");
    }
    assert_eq!(bench.pages(), [], "one page for the type and the version");
    for version in ["v8", "v7"] {
        let other = Version::new(version, "small")
            .unwrap()
            .with_system_prompt_tokens(2_000);
        bench.pipeline.deploy(LineUp::new(other)).unwrap();
        for _ in 0..3 {
            divert("invoice");
        }
        assert_eq!(
            bench.pages().len(),
            1,
            "{version}: once each time that it is deployed"
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
    assert!(events.iter().any(|event| matches!(
        event.kind,
        EventKind::Budget(BudgetEvent::BudgetAlarm { .. })
    )));
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

/// One token a byte; it counts how often it is asked, and can fail.
#[derive(Debug, Clone, Default)]
struct Watched {
    asked: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    fails: bool,
}

impl TokenCounter for Watched {
    fn name(&self) -> &'static str {
        "watched"
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
        if self.fails {
            return Err(Error::count("watched", "broken"));
        }
        Ok(TokenCount::exact(text.len() as u64 / 4))
    }

    fn bounds(&self, text: &str) -> TokenCount {
        TokenCount::between(text.len() as u64 / 128, text.len() as u64)
    }
}

impl Watched {
    fn taken(&self) -> (u64, u64) {
        (
            self.asked.swap(0, Ordering::Relaxed),
            self.bytes.swap(0, Ordering::Relaxed),
        )
    }
}

fn counted_by(counter: impl TokenCounter + 'static) -> TokenBudget {
    let budget = TokenBudget::builder().model(small());
    budget.counter("small", counter).build().unwrap()
}

/// The prompt is so many bytes long.
fn prompted(bytes: usize, budget: TokenBudget) -> Bench {
    let version = Version::new("v7", "small")
        .unwrap()
        .with_system_prompt("p".repeat(bytes))
        .with_reserved_answer_tokens(1_000);
    Bench::with(LineUp::new(version), |builder| builder.guard(budget))
}

fn watched_bench(counter: &Watched) -> Bench {
    prompted(4_000, counted_by(counter.clone()))
}

/// 9,000 tokens are left, 1,000 of them for the prompt's 4,000 bytes.
#[test]
fn a_text_is_counted_only_where_its_length_does_not_decide() {
    let counter = Watched::default();
    let bench = watched_bench(&counter);
    assert_eq!(counter.taken(), (1, 4_000), "the prompt, once");
    let (fits, grey, over) = ("x".repeat(8_000), "x".repeat(32_000), "x".repeat(1_024_128));
    assert!(bench.pipeline.admit(&document(&fits)).permit().is_some());
    assert_eq!(
        counter.taken(),
        (0, 0),
        "8,000 bytes fit, whatever they are"
    );
    assert!(bench.pipeline.admit(&document(&over)).permit().is_none());
    assert_eq!(counter.taken(), (0, 0), "8,001 tokens at least");
    assert!(bench.pipeline.admit(&document(&grey)).permit().is_some());
    assert_eq!(
        counter.taken(),
        (1, 32_000),
        "8,000 tokens: exactly the limit"
    );
    let one_more = "x".repeat(32_004);
    assert!(
        bench
            .pipeline
            .admit(&document(&one_more))
            .permit()
            .is_none()
    );
}

#[test]
fn a_prompt_is_counted_once_for_each_version_and_model() {
    let counter = Watched::default();
    let bench = watched_bench(&counter);
    counter.taken();
    for _ in 0..3 {
        bench
            .pipeline
            .deploy((*bench.pipeline.line_up()).clone())
            .unwrap();
        let _ = bench.pipeline.admit(&document("short"));
    }
    assert_eq!(counter.taken(), (0, 0));
    let longer = Version::new("v8", "small")
        .unwrap()
        .with_system_prompt("q".repeat(4_004));
    bench.pipeline.deploy(LineUp::new(longer)).unwrap();
    assert_eq!(
        counter.taken(),
        (1, 4_004),
        "another version, with another prompt"
    );
}

#[test]
fn a_turn_costs_its_own_length() {
    fn call(conversation: &Conversation) -> Call<'_> {
        document("short").with_history(conversation)
    }

    let counter = Watched::default();
    let bench = watched_bench(&counter);
    counter.taken();
    let mut conversation: Conversation = (0..30).map(|_| Message::user("u".repeat(400))).collect();
    assert!(
        bench
            .pipeline
            .admit(&call(&conversation))
            .permit()
            .is_some()
    );
    assert_eq!(
        counter.taken(),
        (30, 12_000),
        "12,000 bytes may be 12,000 tokens: each message is counted; then the document fits by its length"
    );
    conversation.push(Message::assistant("a".repeat(500)));
    assert!(
        bench
            .pipeline
            .admit(&call(&conversation))
            .permit()
            .is_some()
    );
    assert_eq!(counter.taken(), (1, 500), "the new message alone");
    let copy = conversation.clone();
    assert!(bench.pipeline.admit(&call(&copy)).permit().is_some());
    assert_eq!(counter.taken(), (0, 0));
}

#[test]
fn a_short_conversation_is_not_counted_at_all() {
    let counter = Watched::default();
    let bench = watched_bench(&counter);
    counter.taken();
    let conversation: Conversation = (0..10).map(|_| Message::user("u".repeat(40))).collect();
    let call = document("short").with_history(&conversation);
    assert!(bench.pipeline.admit(&call).permit().is_some());
    assert_eq!(counter.taken(), (0, 0));
}

#[test]
fn a_counter_that_fails_sends_the_document_to_a_person() {
    let counter = Watched {
        fails: true,
        ..Watched::default()
    };
    let bench = bench(counted_by(counter));
    let grey = "x".repeat(20_000);
    let Admission::Diverted(diversion) = bench.pipeline.admit(&document(&grey)) else {
        panic!("sent on trust");
    };
    assert!(diversion.reasons().contains(&Reason::Unmeasured));
    assert!(
        bench.pipeline.admit(&document("short")).permit().is_some(),
        "no count is needed"
    );
}

/// A token for each byte.
#[derive(Debug)]
struct Fine;

impl TokenCounter for Fine {
    fn name(&self) -> &'static str {
        "fine"
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        Ok(TokenCount::exact(text.len() as u64))
    }
}

#[test]
fn a_fallback_is_judged_with_its_own_tokenizer() {
    let counter = Watched::default();
    let budget = TokenBudget::builder()
        .model(small())
        .counter("small", counter)
        .fallback(model("fine", 31_000))
        .counter("fine", Fine)
        .fallback(model("huge", 1_000_000))
        .counter("huge", Watched::default())
        .build()
        .unwrap();
    let bench = prompted(400, budget);
    // 9,000 tokens are left in the small model, 27,000 in the fine one, of which the prompt needs
    // 100 and 400.
    for (bytes, expected) in [(35_600, "small"), (35_604, "huge")] {
        let text = "x".repeat(bytes);
        let admission = bench.pipeline.admit(&document(&text));
        assert_eq!(*admission.ticket().model(), expected, "{bytes} bytes");
        let measurement = admission.ticket().measurement().unwrap();
        assert_eq!(*measurement.model(), expected);
        drop(admission);
    }
}

#[test]
fn a_number_counted_for_another_tokenizer_is_not_taken_at_its_word() {
    let budget = TokenBudget::builder()
        .model(small())
        .fallback(model("fine", 21_000))
        .counter("fine", Fine)
        .fallback(model("huge", 1_000_000))
        .build()
        .unwrap();
    let bench = bench(budget);
    // 8,000 + 2,000 tokens fit into 18,000, but may be 2.2 times as many in the fine model.
    let admission = bench.pipeline.admit(&call(8_000));
    assert_eq!(*admission.ticket().model(), "huge");
    drop(admission);
}

#[test]
fn the_cheapest_model_that_fits_is_taken() {
    let budget = TokenBudget::builder()
        .model(small())
        .fallback(model("middle", 30_000).with_input_price(300))
        .fallback(model("huge", 1_000_000).with_input_price(40))
        .fallback(model("unpriced", 20_000))
        .build()
        .unwrap();
    let admission = bench(budget).pipeline.admit(&call(8_000));
    assert_eq!(*admission.ticket().model(), "huge");
    drop(admission);
}

#[test]
fn the_largest_input_limits_where_the_window_does_not() {
    let reads_less = model("small", 40_000).with_largest_input(10_000);
    let budget = TokenBudget::builder().model(reads_less).build().unwrap();
    let bench = bench(budget);
    assert!(bench.pipeline.admit(&call(7_000)).permit().is_some());
    assert!(bench.pipeline.admit(&call(7_001)).permit().is_none());
}

#[test]
fn what_cannot_fit_is_told_from_what_may_not_fit() {
    let counter = Watched::default();
    let bench = watched_bench(&counter);
    let reason = |text: &str| match bench.pipeline.admit(&document(text)) {
        Admission::Diverted(diversion) => diversion.to_string(),
        Admission::Admitted(_) => panic!("admitted"),
    };
    let surely = reason(&"x".repeat(2_000_000));
    assert!(
        surely.contains("v7 cannot fit 16625 to 2001000 tokens"),
        "{surely}"
    );
    let barely = reason(&"x".repeat(32_004));
    assert!(barely.contains("v7 needs 9001 tokens"), "{barely}");
}

#[test]
fn exact_numbers_are_there_for_who_asks() {
    let counter = Watched::default();
    let budget = counted_by(counter);
    let version = v7(2_000);
    let breakdown = budget.count(&document("eight by"), &version).unwrap();
    assert_eq!(
        (breakdown.system, breakdown.document),
        (TokenCount::exact(2_000), TokenCount::exact(2))
    );
    assert!(
        budget
            .count(&Call::new("doc", "invoice").unwrap(), &version)
            .is_err()
    );
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_large_text_is_counted_on_another_thread() {
    #[derive(Debug)]
    struct WhereItCounts(std::thread::ThreadId, Arc<AtomicU64>);

    impl TokenCounter for WhereItCounts {
        fn name(&self) -> &'static str {
            "where"
        }

        fn count(&self, text: &str) -> Result<TokenCount, Error> {
            if std::thread::current().id() != self.0 {
                self.1.fetch_add(1, Ordering::Relaxed);
            }
            Ok(TokenCount::exact(text.len() as u64 / 100))
        }
    }

    let elsewhere = Arc::new(AtomicU64::new(0));
    let counter = WhereItCounts(std::thread::current().id(), Arc::clone(&elsewhere));
    let bench = bench(counted_by(counter));
    for (bytes, counted_elsewhere) in [(64 << 10, 0), ((64 << 10) + 1, 1)] {
        let text = "x".repeat(bytes);
        let answer = async |_: fusebox::Ticket| Ok::<_, Never>(fusebox::Reply::new(()));
        let served = bench.pipeline.run(&document(&text), answer).await;
        assert!(matches!(served, fusebox::Served::Accepted { .. }));
        assert_eq!(
            elsewhere.load(Ordering::Relaxed),
            counted_elsewhere,
            "{bytes} bytes"
        );
    }
}

#[cfg(feature = "tokio")]
#[derive(Debug)]
enum Never {}

#[cfg(feature = "tokio")]
impl fusebox::Classify for Never {
    fn failure_kind(&self) -> fusebox::FailureKind {
        fusebox::FailureKind::Unknown
    }
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
        "model of version `v7`: got `my-model`, expected a model of the catalogue, or one declared with \
         `.model(Model::new(name, window)?)`",
    );
    refused(
        build(Version::new("v7", "gpt-4").unwrap()),
        "system prompt of version `v7`: got `not counted`, expected a system prompt, given with \
         `.with_system_prompt(..)` or as a token count with `.with_system_prompt_tokens(..)`",
    );
    refused(
        build(crate::support::version("v7").with_reserved_answer_tokens(128_000)),
        "reserved answer tokens of version `v7`: got `128000`, expected fewer than the context window of `gpt-4o`, 128000",
    );
    let limit = |limit| TokenBudget::builder().limit(limit).build();
    refused(
        limit(Ratio::ZERO),
        "token budget limit: got `0 %`, expected more than 0 % and at most 100 %",
    );
    refused(
        limit(Ratio::percent(101)),
        "token budget limit: got `101 %`, expected more than 0 % and at most 100 %",
    );
    assert!(limit(Ratio::ONE).is_ok());
    let twice = TokenBudget::builder()
        .model(Model::new("a", 1).unwrap())
        .fallback(Model::new("a", 2).unwrap());
    refused(
        twice.build(),
        "context window of model `a`: got `2`, expected one declaration per model",
    );
}
