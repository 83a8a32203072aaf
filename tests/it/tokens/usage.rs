//! P1 after the call: what the API reports is held against what was counted, and learnt from.

use std::time::Duration;

use fusebox::budget::CountRange;
use fusebox::event::BudgetEvent;
use fusebox::tokens::{ByteBound, Catalogue};
use fusebox::tokens::{Framing, Model, Provenance, TokenCount, TokenCounter};
use fusebox::{
    Admission, Call, Error, EventKind, FailureKind, LineUp, Permit, Reason, Report, Settlement,
    Severity, Ticket, TokenBudget, Version,
};

use crate::support::{Bench, EVENING, minutes};

const HOUR: Duration = minutes(60);

/// A model that counts numbers as they are given, with a window of 100,000 tokens.
fn exact() -> Model {
    let model = Model::new("exact", 100_000).unwrap();
    model.with_framing(Framing::NONE)
}

fn version(model: &str, prompt: u64) -> Version {
    let version = Version::new("v7", model).unwrap();
    version.with_system_prompt_tokens(prompt)
}

fn bench(budget: TokenBudget) -> Bench {
    let line_up = LineUp::new(version("exact", 1_000));
    Bench::with(line_up, |builder| builder.guard(budget))
}

fn exact_bench() -> Bench {
    bench(TokenBudget::builder().model(exact()).build().unwrap())
}

fn invoice(tokens: impl Into<TokenCount>) -> Call<'static> {
    let call = Call::new("doc", "invoice").unwrap();
    call.with_document_tokens(tokens)
}

fn permit(bench: &Bench, call: &Call<'_>) -> Permit {
    match bench.pipeline.admit(call) {
        Admission::Admitted(permit) => permit,
        Admission::Diverted(diversion) => panic!("{diversion}"),
    }
}

fn answer(bench: &Bench, call: &Call<'_>, input: u64) -> Settlement {
    permit(bench, call).answer(Report::new().usage(input, 10))
}

/// 1,000 + 19,000 tokens were counted. A report may be 2 % and 16 tokens off.
#[test]
fn a_prompt_that_the_service_cut_is_not_accepted() {
    let bench = exact_bench();
    // 20,000 - 19,593 = 407; 407 - 16 = 391 is not more than 2 % of 19,593, which is 391.86; of 19,592 it is 392 and 391.84.
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
    };
    assert!(reasons.contains(&reason));
    assert_eq!(
        reason.to_string(),
        "the service read 19592 of 20000 tokens: it cut the prompt"
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
    assert_eq!(bench.pages(), [], "one page an hour");
    bench.clock.advance(HOUR);
    let _ = answer(&bench, &invoice(19_000), 2_051);
    assert_eq!(bench.pages().len(), 1);
}

#[test]
fn an_exact_count_that_is_wrong_is_a_page() {
    let bench = exact_bench();
    // 20,424 - 20,000 - 16 = 408 is not more than 2 % of 20,424, which is 408.48; of 20,425 it is 409 and 408.5.
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

/// A model without a published tokenizer: 1.3 times as many tokens as another tokenizer counts, give or take 5 %.
mod calibrated {
    use super::*;

    const WINDOW: u64 = 40_000;

    /// One token with the tokenizers of OpenAI, and four bytes where there is none.
    #[cfg(any(feature = "tiktoken", feature = "bpe"))]
    const WORD: &str = " a";
    #[cfg(not(any(feature = "tiktoken", feature = "bpe")))]
    const WORD: &str = " abc";

    fn bench() -> Bench {
        let model = Model::new("unpublished", WINDOW).unwrap();
        let budget = TokenBudget::builder()
            .model(model.with_framing(Framing::NONE))
            .measure_every_document()
            .build()
            .unwrap();
        let line_up = LineUp::new(
            Version::new("v7", "unpublished")
                .unwrap()
                .with_system_prompt(""),
        );
        Bench::with(line_up, |builder| builder.guard(budget))
    }

    fn call(text: &str) -> Call<'_> {
        Call::new("doc", "invoice").unwrap().with_document(text)
    }

    /// A permit for a document of so many words.
    fn of_words(bench: &Bench, words: u64) -> Option<Permit> {
        let text = WORD.repeat(usize::try_from(words).unwrap());
        bench.pipeline.admit(&call(&text)).permit()
    }

    fn learn(bench: &Bench, words: u64, tokens: u64) -> Settlement {
        let permit = of_words(bench, words).unwrap();
        permit.answer(Report::new().usage(tokens, 10))
    }

    /// True tokens of the n-th document of 1,000 words: 1,250 to 1,350, in an order that looks random.
    fn true_tokens(n: u64) -> u64 {
        1_250 + n * 37 % 101
    }

    #[cfg(any(feature = "tiktoken", feature = "bpe"))]
    #[test]
    fn before_anything_is_learnt_the_worst_published_understatement_is_assumed() {
        let bench = bench();
        // 36,000 are left; 36,000 / 2.2 = 16,363.6. A text of two bytes a word is no better bounded by its bytes.
        let text = " bc".repeat(16_363);
        let permit = bench.pipeline.admit(&call(&text)).permit().unwrap();
        let prompt = permit.ticket().measurement().unwrap().prompt();
        assert_eq!((prompt.lower(), prompt.upper()), (0, Some(35_999)));
        assert_eq!(prompt.provenance(), Provenance::Assumed);
        permit.release();
        let text = " bc".repeat(16_364);
        assert!(bench.pipeline.admit(&call(&text)).permit().is_none());
    }

    #[test]
    fn a_bound_is_learnt_from_usage() {
        let bench = bench();
        for n in 0..18 {
            let _ = learn(&bench, 1_000, true_tokens(n));
        }
        let upper = |bench: &Bench| {
            let permit = of_words(bench, 1_000).unwrap();
            permit.release().measurement().unwrap().prompt()
        };
        assert!(!matches!(
            upper(&bench).provenance(),
            Provenance::Calibrated { .. }
        ));
        let _ = learn(&bench, 1_000, true_tokens(18));
        let few = upper(&bench);
        let largest = (0..19).map(true_tokens).max();
        assert_eq!(few.upper(), largest, "the largest of 19 is the 95 % bound");
        assert_eq!(
            few.provenance(),
            Provenance::Calibrated {
                coverage_bp: 9_500,
                samples: 19
            }
        );
        for n in 19..99 {
            let _ = learn(&bench, 1_000, true_tokens(n));
        }
        let settled = upper(&bench);
        assert_eq!(
            settled.upper(),
            (0..99).map(true_tokens).max(),
            "the largest of 99 is the 99 % bound"
        );
        assert_eq!(
            settled.provenance(),
            Provenance::Calibrated {
                coverage_bp: 9_900,
                samples: 99
            }
        );
        assert_eq!(settled.lower(), 1_250 / 2, "half of the smallest ratio");
        assert_eq!(bench.pages(), []);
    }

    #[test]
    fn what_a_service_cut_is_seen_and_not_learnt_from() {
        let bench = bench();
        for n in 0..100 {
            let _ = learn(&bench, 1_000, true_tokens(n));
        }
        let before = of_words(&bench, 1_000).unwrap().release();
        for _ in 0..50 {
            let settled = learn(&bench, 10_000, 2_051);
            assert!(matches!(settled, Settlement::NeedsReview { .. }));
        }
        let after = of_words(&bench, 1_000).unwrap().release();
        assert_eq!(before.measurement(), after.measurement());
        assert_eq!(bench.pages().len(), 1);
    }

    #[test]
    fn a_refusal_that_says_how_many_tokens_is_learnt_from() {
        let bench = bench();
        for n in 0..99 {
            let permit = of_words(&bench, 1_000).unwrap();
            let report = Report::new().usage(true_tokens(n), 0);
            permit.fail_with(FailureKind::ContextLengthExceeded, report);
        }
        let coverage = bench_budget_coverage(&bench);
        assert_eq!(coverage, Some(99));
    }

    /// How many samples there are, by the provenance of the next count.
    fn bench_budget_coverage(bench: &Bench) -> Option<u32> {
        let ticket = of_words(bench, 1_000).unwrap().release();
        match ticket.measurement().unwrap().prompt().provenance() {
            Provenance::Calibrated { samples, .. } => Some(samples),
            _ => None,
        }
    }

    #[cfg(any(feature = "tiktoken", feature = "bpe"))]
    #[test]
    fn short_prompts_teach_nothing() {
        let bench = bench();
        for _ in 0..200 {
            let _ = learn(&bench, 499, 600);
        }
        assert_eq!(bench_budget_coverage(&bench), None);
    }

    #[test]
    fn a_type_with_too_few_documents_borrows_from_the_others() {
        let bench = bench();
        for n in 0..99 {
            let _ = learn(&bench, 1_000, true_tokens(n));
        }
        let text = WORD.repeat(1_000);
        let contract = Call::new("doc", "contract").unwrap().with_document(text);
        let ticket = bench.pipeline.admit(&contract).permit().unwrap().release();
        let provenance = ticket.measurement().unwrap().prompt().provenance();
        assert_eq!(
            provenance,
            Provenance::Calibrated {
                coverage_bp: 9_900,
                samples: 99
            }
        );
    }

    #[test]
    fn what_was_learnt_survives_a_restart() {
        let one = bench();
        for n in 0..150 {
            let _ = learn(&one, 1_000, true_tokens(n));
        }
        let stored = serde_json::to_string(&one.pipeline.snapshot().unwrap()).unwrap();
        let other = bench();
        other
            .pipeline
            .restore(&serde_json::from_str(&stored).unwrap())
            .unwrap();
        let of = |bench: &Bench| {
            let ticket = of_words(bench, 1_000).unwrap().release();
            ticket.measurement().cloned()
        };
        assert_eq!(of(&one), of(&other));
        assert_eq!(
            one.pipeline.snapshot().unwrap(),
            other.pipeline.snapshot().unwrap()
        );
    }

    /// 4,000 documents of three kinds whose true ratios are drawn with a seed: after the first 200, at least 98.5 % of
    /// the true counts are at or below the 99 % bound. (Of 3,800 documents 1 % is 38, with a standard deviation of 6.1;
    /// 57 are three of them more.)
    #[test]
    fn ninety_nine_percent_of_held_out_documents_are_covered() {
        let bench = bench();
        let mut state = 20_261_123_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state >> 40
        };
        let (mut above, mut judged) = (0, 0);
        for n in 0..4_000 {
            let words = 600 + uniform() % 2_000;
            // A sum of uniform numbers around 1.15, 1.3 and 1.9 for prose, tables and digits.
            let centre = [1_150, 1_300, 1_900][usize::try_from(uniform() % 3).unwrap()];
            let spread: u64 = (0..4).map(|_| uniform() % 50).sum();
            let tokens = (words * (centre - 100 + spread)).div_ceil(1_000);
            let permit = of_words(&bench, words).unwrap();
            let bound = permit
                .ticket()
                .measurement()
                .unwrap()
                .prompt()
                .upper()
                .unwrap();
            if n >= 200 {
                judged += 1;
                above += u64::from(tokens > bound);
            }
            let _ = permit.answer(Report::new().usage(tokens, 10));
        }
        assert_eq!(judged, 3_800);
        assert!(above <= 57, "{above} of {judged} above the bound");
        assert!(above >= 5, "{above} of {judged}: the bound is not tight");
    }

    #[test]
    fn coverage_that_falls_is_told() {
        let bench = bench();
        for n in 0..100 {
            let _ = learn(&bench, 1_000, true_tokens(n));
        }
        for n in 0..120 {
            let tokens = if n % 10 == 0 {
                2_000 * (n / 10 + 1)
            } else {
                1_300
            };
            let _ = learn(&bench, 1_000, tokens);
        }
        let events = bench.events();
        let fell = events.iter().filter(|event| {
            matches!(
                event.kind,
                EventKind::Budget(BudgetEvent::BoundMissed { .. })
            )
        });
        assert_eq!(fell.count(), 1);
    }
}

/// The documents of a type: 1 to 100 thousand tokens, in steps of a thousand, each once.
fn evenly(budget: &TokenBudget, upto: u64) {
    for thousand in 1..=upto {
        let call = invoice(thousand * 1_000);
        budget
            .record(&call, &version("exact", 1_000), EVENING)
            .unwrap();
    }
}

#[test]
fn headroom_says_how_large_documents_are_and_how_many_fit() {
    let budget = TokenBudget::builder().model(exact()).build().unwrap();
    evenly(&budget, 100);
    let all = budget.headroom();
    let [headroom] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!((headroom.documents, headroom.unmeasured), (100, 0));
    // 90 % of 100,000, without the prompt's 1,000.
    assert_eq!(headroom.room, 89_000);
    for (percentile, exact) in [
        (headroom.p50, 50_000),
        (headroom.p95, 95_000),
        (headroom.p99, 99_000),
    ] {
        assert!(
            (exact..exact * 1_008 / 1_000).contains(&percentile),
            "{percentile} for {exact}"
        );
    }
    // 90,000 to 100,000 are eleven documents; buckets are 512 wide there, and 88,576 to 89,087 is one of them.
    assert_eq!(
        headroom.over,
        CountRange {
            at_least: 11,
            at_most: 12
        }
    );
    assert_eq!(headroom.mean_before, None);
}

#[test]
fn what_if_says_what_a_longer_prompt_a_smaller_model_or_a_larger_answer_would_divert() {
    let half = Model::new("half", 50_000)
        .unwrap()
        .with_framing(Framing::NONE);
    let budget = TokenBudget::builder()
        .model(exact())
        .model(half)
        .counter("exact", ByteBound)
        .counter("half", ByteBound)
        .build()
        .unwrap();
    evenly(&budget, 80);
    let over = |version: Version| {
        let all = budget.what_if(&version).unwrap();
        let [what_if] = &all[..] else {
            panic!("{all:?}")
        };
        assert_eq!(what_if.over, what_if.diverted, "there is no fallback");
        assert_eq!(
            (what_if.documents, what_if.over_now),
            (80, CountRange::default())
        );
        what_if.over
    };
    assert_eq!(over(version("exact", 1_000)), CountRange::default());
    // Of the sizes 1,000 to 80,000 those above 90,000 - 30,000, 45,000 - 1,000 and 54,000 - 1,000.
    for (version, exactly) in [
        (version("exact", 30_000), 20),
        (version("half", 1_000), 36),
        (
            version("exact", 1_000).with_reserved_answer_tokens(40_000),
            27,
        ),
    ] {
        let over = over(version);
        assert!(
            over.at_least <= exactly && exactly <= over.at_most,
            "{over:?}"
        );
        assert!(over.at_most - over.at_least <= 1, "{over:?}");
    }
    assert!(budget.what_if(&version("no-such-model", 1)).is_err());
}

#[test]
fn what_if_tells_a_fallback_from_a_person() {
    let large = Model::new("large", 150_000)
        .unwrap()
        .with_framing(Framing::NONE);
    let budget = TokenBudget::builder()
        .model(exact())
        .fallback(large)
        .counter("exact", ByteBound)
        .counter("large", ByteBound)
        .build()
        .unwrap();
    evenly(&budget, 160);
    let all = budget.what_if(&version("exact", 1_000)).unwrap();
    // 90,000 to 160,000 are over, of which those above 134,000 fit nowhere.
    assert!(all[0].over.at_most - all[0].over.at_least <= 1, "{all:?}");
    assert!(
        all[0].over.at_least <= 71 && 71 <= all[0].over.at_most,
        "{all:?}"
    );
    assert!(
        all[0].diverted.at_least <= 26 && 26 <= all[0].diverted.at_most,
        "{all:?}"
    );
}

#[test]
fn another_tokenizer_makes_the_forecast_an_interval() {
    let other = Model::new("other", 100_000)
        .unwrap()
        .with_framing(Framing::NONE);
    let budget = TokenBudget::builder()
        .model(exact())
        .model(other)
        .counter("other", ByteBound)
        .build()
        .unwrap();
    evenly(&budget, 80);
    let all = budget.what_if(&version("other", 1_000)).unwrap();
    // 89,000 * 2.2 are more than any; 89,000 / 2.2 = 40,454 are passed by forty.
    assert_eq!(all[0].over.at_least, 0);
    assert!((39..=42).contains(&all[0].over.at_most), "{all:?}");
}

/// A document of one long word has fewer bytes than twice its tokens, one of short words more.
#[test]
fn a_recorded_document_has_a_size_whatever_the_tokenizer() {
    let model = Model::new("unpublished", 100_000).unwrap();
    let budget = TokenBudget::builder().model(model).build().unwrap();
    for text in ["a ".repeat(20_000), "~^".repeat(20_000)] {
        let call = Call::new("doc", "invoice").unwrap().with_document(&text);
        let version = version("unpublished", 1_000);
        budget.record(&call, &version, EVENING).unwrap();
    }
    let all = budget.headroom();
    assert_eq!((all[0].documents, all[0].unmeasured), (2, 0), "{all:?}");
}

#[test]
fn sizes_come_from_reported_usage_where_only_the_length_was_looked_at() {
    let model = Model::new("exact", 1_000_000)
        .unwrap()
        .with_framing(Framing::NONE);
    let budget = std::sync::Arc::new(
        TokenBudget::builder()
            .model(model)
            .counter("exact", ByteBound)
            .build()
            .unwrap(),
    );
    let bench = Bench::with(LineUp::new(version("exact", 1_000)), |builder| {
        builder.guard(std::sync::Arc::clone(&budget))
    });
    let text = "x".repeat(40_000);
    let call = Call::new("doc", "invoice").unwrap().with_document(&text);
    let _ = permit(&bench, &call).answer(Report::new());
    let _ = permit(&bench, &call).answer(Report::new().usage(11_000, 10));
    let all = budget.headroom();
    assert_eq!((all[0].documents, all[0].unmeasured), (1, 1));
    assert!((10_000..10_080).contains(&all[0].p99), "{all:?}");
}

/// The larger model has the same tokenizer, so what it read is what the version's model would have read.
#[test]
fn sizes_come_from_the_usage_of_a_larger_model_too() {
    let (reads_alike, other) = (["same"; 2], ["same", "another"]);
    for (tokenizers, size) in [(reads_alike, 6_000..6_048), (other, 8_000..8_064)] {
        let [own, larger] = tokenizers.map(Named);
        let model = |name, window| {
            Model::new(name, window)
                .unwrap()
                .with_framing(Framing::NONE)
        };
        let budget = std::sync::Arc::new(
            TokenBudget::builder()
                .model(model("small", 6_000))
                .fallback(model("large", 60_000))
                .counter("small", own)
                .counter("large", larger)
                .build()
                .unwrap(),
        );
        let version = Version::new("v7", "small").unwrap().with_system_prompt("");
        let bench = Bench::with(LineUp::new(version), |builder| {
            builder.guard(std::sync::Arc::clone(&budget))
        });
        let text = "x".repeat(8_000);
        let call = Call::new("doc", "invoice").unwrap().with_document(&text);
        let _ = permit(&bench, &call).answer(Report::new().usage(6_000, 10));
        let all = budget.headroom();
        assert!(size.contains(&all[0].p50), "{all:?}");
    }
}

/// Knows no more than that a text has at most a token for each byte, and more than its limit.
#[derive(Debug)]
struct Named(&'static str);

impl TokenCounter for Named {
    fn name(&self) -> &str {
        self.0
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        Ok(TokenCount::between(5_500, text.len() as u64))
    }
}

#[test]
fn sizes_are_kept_for_eight_days_and_show_a_trend() {
    let budget = TokenBudget::builder().model(exact()).build().unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    let record = |tokens: u64, days: u32| {
        let call = invoice(tokens);
        budget
            .record(&call, &version("exact", 1_000), EVENING + day * days)
            .unwrap();
    };
    record(50, 0);
    record(60, 7);
    assert_eq!(
        (
            budget.headroom()[0].mean_before,
            budget.headroom()[0].mean_latest
        ),
        (Some(50), Some(60))
    );
    record(62, 8);
    assert_eq!(budget.headroom()[0].documents, 2, "the first day is over");
    assert_eq!(
        (
            budget.headroom()[0].mean_before,
            budget.headroom()[0].mean_latest
        ),
        (Some(60), Some(62))
    );
}

/// 80 % of 100,000 are 80,000, of which the prompt needs 1,000.
#[test]
fn little_headroom_is_told_once_for_a_type_and_version() {
    let bench = exact_bench();
    let told = |bench: &Bench| {
        let events = bench.events();
        let told = events.iter().filter(|event| {
            matches!(
                event.kind,
                EventKind::Budget(BudgetEvent::LittleHeadroom { .. })
            )
        });
        told.inspect(|event| assert_eq!(event.severity, Severity::Warning))
            .count()
    };
    for n in 0..100 {
        // One in a hundred is large: the 99th percentile is the next.
        let tokens = if n == 50 { 85_000 } else { 10_000 };
        permit(&bench, &invoice(tokens)).release();
    }
    assert_eq!(told(&bench), 0);
    for n in 0..20 {
        let tokens = if n == 5 { 85_000 } else { 10_000 };
        permit(&bench, &invoice(tokens)).release();
    }
    assert_eq!(told(&bench), 1, "two of 120");
    for _ in 0..100 {
        permit(&bench, &invoice(85_000)).release();
    }
    assert_eq!(told(&bench), 0);
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
    let stored = serde_json::to_string(&one.pipeline.snapshot().unwrap()).unwrap();
    let other = exact_bench();
    other
        .pipeline
        .restore(&serde_json::from_str(&stored).unwrap())
        .unwrap();
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
