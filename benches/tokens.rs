//! The cost of counts and decisions: full counts, with the peers' tokenizers in the same run; texts
//! that are slow for tokenizers; decisions that need no count or only a part of one.
//!
//! `fusebox` is the counter that `Encoding::counter` gives: `Bpe` with feature `bpe`, and then
//! `fusebox-tiktoken` is the other counter. Ids are `area/case/who`;
//! `cargo run --release --example ratios` prints the ratios.

#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "a bench may fail to start"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use fusebox::event::Outbox;
use fusebox::guard::Cx;
use fusebox::tokens::Tiktoken;
use fusebox::tokens::{Conversation, Encoding, Framing, Message, Model, TokenCounter};
use fusebox::{Call, Guard, LineUp, Timestamp, TokenBudget, Version};

const KB: usize = 1_000;
const PROSE: &str = include_str!("../docs/design.md");
const CJK: &str = "发票编号二〇二六第四一七号，供应商为株式会社山田製作所。請求書の合計金額は税込みで十二万三千四百五十円です。송장 번호와 합계 \
                   금액을 확인해 주세요。付款期限為收到發票後三十天內，逾期將收取利息。";

fn counter() -> Arc<dyn TokenCounter> {
    Encoding::O200kBase.counter().expect("a tokenizer")
}

fn filled(text: &str, bytes: usize) -> String {
    text.chars()
        .cycle()
        .scan(0, |length, c| {
            *length += c.len_utf8();
            (*length <= bytes).then_some(c)
        })
        .collect()
}

fn json_lines(bytes: usize) -> String {
    let lines = (0_u64..).map(|n| {
        let total = n * 7_919 % 100_000;
        format!(
            "{{\"id\":\"inv-{n:06}\",\"vendor\":\"Vendor {}\",\"lines\":[{{\"sku\":\"{:08x}\",\"quantity\":{},\"price\":\"{}.{:02}\"}}],\"due\":\"2026-{:02}-{:02}\"}}\n",
            n % 97, n.wrapping_mul(2_654_435_761) % 0xffff_ffff, n % 13, total / 100, total % 100, n % 12 + 1, n % 28 + 1
        )
    });
    let mut text = String::new();
    for line in lines {
        if text.len() + line.len() > bytes {
            break;
        }
        text += &line;
    }
    text
}

fn random_letters(bytes: usize) -> String {
    let mut state = 7_u64;
    let letters = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap_or(0))
    });
    letters.take(bytes).collect()
}

/// Our own counters count as far as there is work for.
fn own_count(c: &mut Criterion, case: &str, text: &str) {
    let mut group = counts(c, case, text);
    own(&mut group, text);
    group.finish();
}

/// Every contender counts the whole text.
fn full_count(c: &mut Criterion, case: &str, text: &str, tiktoken_survives: bool) {
    let mut group = counts(c, case, text);
    own(&mut group, text);
    if tiktoken_survives {
        let peer = tiktoken_rs::o200k_base_singleton();
        group.bench_function("tiktoken-rs", |b| {
            b.iter(|| peer.count_ordinary(black_box(text)));
        });
    }
    let peer = bpe_openai::o200k_base();
    group.bench_function("bpe-openai", |b| b.iter(|| peer.count(black_box(text))));
    group.finish();
}

fn counts<'a>(c: &'a mut Criterion, case: &str, text: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(format!("tokens/{case}"));
    group
        .throughput(Throughput::Bytes(text.len() as u64))
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    group
}

fn own(group: &mut BenchmarkGroup<'_, WallTime>, text: &str) {
    let own = counter();
    group.bench_function("fusebox", |b| b.iter(|| own.count(black_box(text))));
    if cfg!(feature = "bpe") {
        let tiktoken = Tiktoken::new(Encoding::O200kBase);
        group.bench_function("fusebox-tiktoken", |b| {
            b.iter(|| tiktoken.count(black_box(text)));
        });
    }
}

fn documents(c: &mut Criterion) {
    for (case, text) in [
        ("english-200k", filled(PROSE, 200 * KB)),
        ("cjk-200k", filled(CJK, 200 * KB)),
        ("json-200k", json_lines(200 * KB)),
    ] {
        full_count(c, case, &text, true);
    }
}

fn pathological(c: &mut Criterion) {
    for (case, text) in [
        ("spaces-1m", " ".repeat(1_000 * KB)),
        ("one-letter-1m", "a".repeat(1_000 * KB)),
        ("digits-1m", "7".repeat(1_000 * KB)),
        ("equals-1m", "=".repeat(1_000 * KB)),
        ("dashes-1m", "-".repeat(1_000 * KB)),
        ("ideograph-1m", "漢".repeat(1_000 * KB / 3)),
        ("random-letters-1m", random_letters(1_000 * KB)),
    ] {
        full_count(c, case, &text, case != "spaces-1m");
    }
}

/// What takes the peers seconds: only our own counters, which bound what there is no work for.
fn worst_cases(c: &mut Criterion) {
    let dashes = "-".repeat(2_049) + &"=".repeat(2_049);
    let dash_lines = "-".repeat(99) + "\nx";
    let words = |length: usize, bytes: usize| {
        let letters = random_letters(bytes);
        let words = letters
            .as_bytes()
            .chunks(length)
            .map(String::from_utf8_lossy);
        words.collect::<Vec<_>>().join(" ")
    };
    for (case, text) in [
        ("random-letters-16m", random_letters(16_000 * KB)),
        ("random-letters-300k", random_letters(300 * KB)),
        ("random-words-16m", words(8, 16_000 * KB)),
        ("runs-of-2049-1m", filled(&dashes, 1_000 * KB)),
        ("lines-of-dashes-16m", filled(&dash_lines, 16_000 * KB)),
        ("spaces-16m", " ".repeat(16_000 * KB)),
        (
            "control-characters-16m",
            "\u{0}\u{1b}[31m\u{200b}".repeat(1_600 * KB),
        ),
        ("english-16m", filled(PROSE, 16_000 * KB)),
        ("digits-16m", "0123456789".repeat(1_600 * KB)),
        ("cjk-16m", filled(CJK, 16_000 * KB)),
        ("json-16m", json_lines(16_000 * KB)),
    ] {
        own_count(c, case, &text);
    }
}

/// A budget for a declared model with OpenAI's encoding, and a line-up for it.
fn budget(window: u64) -> (TokenBudget, LineUp) {
    let model = Model::new("ours", window).map(|model| model.with_encoding(Encoding::O200kBase));
    let budget = TokenBudget::builder().model(model.expect("a model"));
    let version = Version::new("v7", "ours").expect("a version");
    let line_up = LineUp::new(version.with_system_prompt(filled(PROSE, 4 * KB)));
    let budget = budget.build().expect("default numbers");
    budget.check_line_up(&line_up).expect("a version that fits");
    (budget, line_up)
}

fn evaluate(c: &mut Criterion, case: &str, window: u64, call: &Call<'_>) {
    let (budget, line_up) = budget(window);
    let outbox = Outbox::new();
    let cx = Cx::new(Timestamp::EPOCH, &line_up, &outbox, "token-budget");
    let mut group = c.benchmark_group(format!("tokens/{case}"));
    group.bench_function("fusebox", |b| {
        b.iter(|| budget.check(black_box(call), line_up.stable(), &cx));
    });
    group.finish();
}

fn document(text: &str) -> Call<'_> {
    let call = Call::new("doc", "invoice").expect("a call");
    call.with_document(text)
}

fn decisions(c: &mut Criterion) {
    let fits = filled(PROSE, 200 * KB);
    evaluate(
        c,
        "clear-fit-200k-of-1m-window",
        1_000_000,
        &document(&fits),
    );
    let over = filled(PROSE, 10_000 * KB);
    evaluate(
        c,
        "clear-overflow-10m-of-32k-window",
        32_000,
        &document(&over),
    );
    let grey = filled(PROSE, 2_000 * KB);
    evaluate(c, "overflow-2m-of-32k-window", 32_000, &document(&grey));

    // A count of 32,000 tokens, to compare the two above with.
    let counter = counter();
    let text = filled(PROSE, 140 * KB);
    let mut group = c.benchmark_group("tokens/count-32k-tokens");
    group.bench_function("fusebox", |b| b.iter(|| counter.count(black_box(&text))));
    group.finish();
}

/// The next turn of 500 bytes in a conversation of 100,000 messages, which twenty fallback models
/// with framings of their own have counted, too.
fn next_turn_of_many(c: &mut Criterion) {
    let ours = |n: u32| {
        let model = Model::new(format!("ours-{n}"), 128_000).expect("a model");
        let model = model.with_encoding(Encoding::O200kBase);
        model.with_framing(Framing::per_message(n))
    };
    let builder = (1..=20).fold(TokenBudget::builder().model(ours(0)), |builder, n| {
        builder.fallback(ours(n))
    });
    let budget = builder.build().expect("default numbers");
    let version = Version::new("v7", "ours-0").expect("a version");
    let line_up = LineUp::new(version.with_system_prompt("You read invoices."));
    let outbox = Outbox::new();
    let cx = Cx::new(Timestamp::EPOCH, &line_up, &outbox, "token-budget");
    let turn = filled(PROSE, 500);
    let mut conversation: Conversation = (0..100_000).map(|_| Message::user("And then?")).collect();
    let question = document(&turn).with_history(&conversation);
    let _ = budget.check(&question, line_up.stable(), &cx);
    let mut group = c.benchmark_group("tokens/next-turn-of-100k-messages-with-20-fallbacks");
    group.bench_function("fusebox", |b| {
        b.iter(|| {
            conversation.push(Message::assistant(turn.as_str()));
            let question = document(&turn).with_history(&conversation);
            black_box(budget.check(&question, line_up.stable(), &cx))
        });
    });
    group.finish();
}

/// The next turn of 500 bytes in a conversation of 100,000 tokens.
fn next_turn(c: &mut Criterion) {
    let (budget, line_up) = budget(128_000);
    let outbox = Outbox::new();
    let cx = Cx::new(Timestamp::EPOCH, &line_up, &outbox, "token-budget");
    let turn = filled(PROSE, 500);
    let conversation: Conversation = (0..900).map(|_| Message::user(turn.as_str())).collect();
    let question = document(&turn).with_history(&conversation);
    let _ = budget.check(&question, line_up.stable(), &cx);
    let mut group = c.benchmark_group("tokens/next-turn-of-100k-tokens");
    group.bench_function("fusebox", |b| {
        b.iter_batched(
            || {
                let mut next = conversation.clone();
                next.push(Message::assistant(turn.as_str()));
                next
            },
            |next| {
                let question = document(&turn).with_history(&next);
                let _ = black_box(budget.check(&question, line_up.stable(), &cx));
                next
            },
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(
    benches,
    documents,
    pathological,
    worst_cases,
    decisions,
    next_turn,
    next_turn_of_many
);
criterion_main!(benches);
