//! How many recorded calls a second a replay does on one core: with all guards, with each alone, and
//! how many rows a second are read before it.
//!
//! A day of 200,000 calls: one takes 20 s, 2 % fail, and 3 % are corrected after an hour.

#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "a bench may fail to start"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fusebox::drill::{Recording, Replay};
use fusebox::pipeline::Builder;
use fusebox::{
    ConfidenceDriftMonitor, Error, ErrorRateBreaker, LineUp, Pipeline, RouteLedger, TokenBudget,
    Version,
};

const CALLS: u64 = 200_000;
/// 2026-01-05 08:00 UTC.
const MORNING: u64 = 1_767_600_000_000;

fn day() -> String {
    let mut lines = String::new();
    for n in 0..CALLS {
        let at = MORNING + n * 432;
        let document_type = if n % 20 == 0 { "contract" } else { "invoice" };
        let end = if n % 50 == 0 {
            r#""failure":"server_error""#.to_owned()
        } else {
            format!(r#""confidences":{{"total":0.{}}}"#, 90 + n * 7 % 10)
        };
        let tokens = 500 + n * 37 % 3_000;
        let call = writeln!(
            lines,
            r#"{{"at":{at},"document":"inv-{n}","document_type":"{document_type}","document_tokens":{tokens},"version":"v7","latency_ms":20000,{end}}}"#
        );
        call.expect("a text takes any line");
        if n % 33 == 1 {
            let at = at + 3_600_000;
            writeln!(
                lines,
                r#"{{"at":{at},"document":"inv-{n}","corrected":["total"]}}"#
            )
            .expect("a text takes any line");
        }
    }
    lines
}

/// The pipeline with those of its guards that are chosen.
fn pipeline(is_chosen: impl Fn(&str) -> bool) -> Result<Builder, Error> {
    let version = |id: &str| {
        Version::new(id, "gpt-4o").map(|version| version.with_system_prompt_tokens(1_000))
    };
    let line_up = LineUp::new(version("v7")?).with_previous(version("v6")?);
    let budget = TokenBudget::builder().build()?;
    Ok(Pipeline::builder(line_up)
        .guard(is_chosen("token-budget").then_some(budget))
        .guard(is_chosen("error-rate").then(ErrorRateBreaker::default))
        .guard(is_chosen("confidence-drift").then(ConfidenceDriftMonitor::default))
        .guard(is_chosen("ledger").then(RouteLedger::default)))
}

fn replay(criterion: &mut Criterion) {
    let lines = day();
    let recording = Recording::from_json_lines(lines.as_bytes()).expect("lines that can be read");
    assert_eq!(recording.counts().calls, CALLS);
    assert_eq!(recording.rejected(), []);
    let mut group = criterion.benchmark_group("replay");
    group
        .throughput(Throughput::Elements(CALLS))
        .sample_size(10);
    group.measurement_time(Duration::from_secs(5));
    let run = |is_chosen: &dyn Fn(&str) -> bool| {
        let replay = Replay::new(|| pipeline(is_chosen));
        let report = replay
            .run(&recording)
            .expect("a pipeline that can be built");
        assert_eq!(report.counts().failed, CALLS / 50);
        black_box(report)
    };
    group.bench_function("all/fusebox", |bencher| bencher.iter(|| run(&|_| true)));
    group.bench_function("no guard/fusebox", |bencher| {
        bencher.iter(|| run(&|_| false));
    });
    for guard in ["token-budget", "error-rate", "confidence-drift", "ledger"] {
        group.bench_function(format!("{guard} alone/fusebox"), |bencher| {
            bencher.iter(|| run(&|name| name == guard));
        });
    }
    group.bench_function("read json lines/fusebox", |bencher| {
        bencher.iter(|| black_box(Recording::from_json_lines(lines.as_bytes())));
    });
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
