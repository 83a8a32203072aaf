//! P1 for the days to come: how large documents are, and what another prompt or model would divert.

use std::sync::Arc;
use std::time::Duration;

use fusebox::budget::CountRange;
use fusebox::event::BudgetEvent;
use fusebox::tokens::{ByteBound, Model, TokenCount, TokenCounter};
use fusebox::{Error, EventKind, LineUp, Report, Severity, TokenBudget, Version};

use super::{document, exact, exact_bench, invoice, model, permit, version};
use crate::support::{Bench, EVENING};

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
    // 90,000 to 100,000 are eleven documents; buckets are 512 wide there, and 88,576 to 89,087 is
    // one of them.
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
    let half = model("half", 50_000);
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
    let large = model("large", 150_000);
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
    let other = model("other", 100_000);
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
        let call = document(&text);
        let version = version("unpublished", 1_000);
        budget.record(&call, &version, EVENING).unwrap();
    }
    let all = budget.headroom();
    assert_eq!((all[0].documents, all[0].unmeasured), (2, 0), "{all:?}");
}

#[test]
fn sizes_come_from_reported_usage_where_only_the_length_was_looked_at() {
    let model = model("exact", 1_000_000);
    let budget = Arc::new(
        TokenBudget::builder()
            .model(model)
            .counter("exact", ByteBound)
            .build()
            .unwrap(),
    );
    let bench = Bench::with(LineUp::new(version("exact", 1_000)), |builder| {
        builder.guard(Arc::clone(&budget))
    });
    let text = "x".repeat(40_000);
    let call = document(&text);
    let _ = permit(&bench, &call).answer(Report::new());
    let _ = permit(&bench, &call).answer(Report::new().usage(11_000, 10));
    let all = budget.headroom();
    assert_eq!((all[0].documents, all[0].unmeasured), (1, 1));
    assert!((10_000..10_080).contains(&all[0].p99), "{all:?}");
}

/// The larger model has the same tokenizer, so what it read is what the version's model would have
/// read.
#[test]
fn sizes_come_from_the_usage_of_a_larger_model_too() {
    let (reads_alike, other) = (["same"; 2], ["same", "another"]);
    for (tokenizers, size) in [(reads_alike, 6_000..6_048), (other, 8_000..8_064)] {
        let [own, larger] = tokenizers.map(Named);
        let budget = Arc::new(
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
            builder.guard(Arc::clone(&budget))
        });
        let text = "x".repeat(8_000);
        let call = document(&text);
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

/// A text of 5,500 tokens or more does not fit where 5,499 are left: that is its size. Where 5,500
/// are left, nothing is known of it.
#[test]
fn a_text_that_certainly_does_not_fit_has_a_size() {
    for (window, measured) in [(6_111, 1), (6_112, 0)] {
        let budget = TokenBudget::builder()
            .model(model("small", window))
            .fallback(model("large", 60_000))
            .counter("small", Named("same"))
            .counter("large", Named("same"))
            .build();
        let budget = Arc::new(budget.unwrap());
        let version = Version::new("v7", "small").unwrap().with_system_prompt("");
        let bench = Bench::with(LineUp::new(version), |builder| {
            builder.guard(Arc::clone(&budget))
        });
        let text = "x".repeat(8_000);
        let _ = permit(&bench, &document(&text)).answer(Report::new());
        let all = budget.headroom();
        assert_eq!(
            (all[0].documents, all[0].unmeasured),
            (measured, 1 - measured)
        );
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

/// How often little headroom was told since the last look.
fn told(bench: &Bench) -> usize {
    let events = bench.events();
    let told = events.iter().filter(|event| {
        matches!(
            event.kind,
            EventKind::Budget(BudgetEvent::LittleHeadroom { .. })
        )
    });
    told.inspect(|event| assert_eq!(event.severity, Severity::Warning))
        .count()
}

#[test]
fn a_hundred_documents_are_enough_to_tell_of_little_headroom() {
    let bench = exact_bench();
    for n in 0..100 {
        assert_eq!(told(&bench), 0, "{n}");
        let tokens = if n < 2 { 85_000 } else { 10_000 };
        permit(&bench, &invoice(tokens)).release();
    }
    assert_eq!(told(&bench), 1);
}

/// 80 % of 100,000 are 80,000, of which the prompt needs 1,000.
#[test]
fn little_headroom_is_told_once_for_a_type_and_version() {
    let bench = exact_bench();
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

/// Somebody records a document of the year 9999; the calls of today count all the same.
#[test]
fn a_day_that_is_still_to_come_does_not_hold_up_today() {
    let budget = TokenBudget::builder().model(exact()).build().unwrap();
    let budget = Arc::new(budget);
    let line_up = LineUp::new(version("exact", 1_000));
    let bench = Bench::with(line_up, |builder| builder.guard(Arc::clone(&budget)));
    let record = |tokens: u64, at| {
        let call = invoice(tokens);
        budget.record(&call, &version("exact", 1_000), at).unwrap();
    };
    let day = Duration::from_secs(24 * 60 * 60);
    record(77, EVENING + day * 365 * 8_000);
    let answer = |tokens: u64| {
        let call = invoice(tokens);
        let permit = bench.pipeline.admit(&call).permit().unwrap();
        let _ = permit.answer(Report::new());
    };
    answer(50);
    let sizes = || {
        let all = budget.headroom();
        (all[0].documents, all[0].mean_before, all[0].mean_latest)
    };
    assert_eq!(sizes(), (1, None, Some(50)));
    bench.clock.advance(day * 8);
    answer(60);
    assert_eq!(
        sizes(),
        (1, None, Some(60)),
        "eight days later the first is forgotten"
    );
    record(70, EVENING + day * 2);
    assert_eq!(sizes(), (2, Some(70), Some(60)), "of six days before");
    record(80, EVENING);
    assert_eq!(sizes(), (2, Some(70), Some(60)), "of eight days before");
}
