//! A recording through a configuration: who would have been paged, and with another window?
//!
//! `cargo run --release --example replay -- week.jsonl --window 10` replays a file of JSON Lines,
//! whose format is in `docs/replay.md`, with the default breaker and with one whose window has 10
//! minutes. Without a file it replays a day that it makes itself, always the same. `--json` prints
//! the reports as JSON.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fusebox::drill::{Recording, Replay, ReplayReport, SideBySide};
use fusebox::pipeline::Builder;
use fusebox::{
    ConfidenceDriftMonitor, Error, ErrorRateBreaker, LineUp, Pipeline, RouteLedger, TokenBudget,
    Version,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const HOUR: u64 = 3_600_000;

/// Who would have been paged for what a service has seen, and with another window.
#[derive(Parser)]
#[command(name = "replay")]
struct Args {
    /// JSON Lines of calls, their ends and corrections; a made-up day without it
    file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The breaker's other window, in minutes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    window: u64,
}

fn main() -> ExitCode {
    match replay(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn replay(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let recording = match &args.file {
        Some(file) => read(file)?,
        None => Recording::from_json_lines(day().as_bytes())?,
    };
    let as_it_is = run(&recording, "as it is", None)?;
    let name = format!("{} minutes", args.window);
    let other = run(&recording, &name, Some(args.window))?;
    let both = SideBySide::of([&as_it_is, &other]);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&both)?);
    } else {
        println!("{as_it_is}\n{both}");
    }
    Ok(())
}

/// The first look at a file, which stays where it is.
fn read(file: &Path) -> Result<Recording, Error> {
    let spinner = ProgressBar::new_spinner().with_message(format!("reading {}", file.display()));
    spinner.enable_steady_tick(Duration::from_millis(100));
    let recording = Recording::from_path(file);
    spinner.finish_and_clear();
    recording
}

fn run(recording: &Recording, name: &str, window: Option<u64>) -> Result<ReplayReport, Error> {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    let replay = Replay::new(|| production(window)).named(name);
    let report = replay.run_telling(recording, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    report
}

/// A service with the guards as they are by default, or with another window of the breaker.
fn production(window: Option<u64>) -> Result<Builder, Error> {
    let mut breaker = ErrorRateBreaker::builder();
    if let Some(minutes) = window {
        breaker = breaker.window(Duration::from_secs(60 * minutes));
    }
    let version = |id| -> Result<Version, Error> {
        let version = Version::new(id, "gpt-4o")?.with_system_prompt_tokens(1_000);
        Ok(version.with_reserved_answer_tokens(800))
    };
    let line_up = LineUp::new(version("v7")?).with_previous(version("v6")?);
    Ok(Pipeline::builder(line_up)
        .guard(TokenBudget::builder().build()?)
        .guard(breaker.build()?)
        .guard(ConfidenceDriftMonitor::default())
        .guard(RouteLedger::default()))
}

/// A day of 100 calls a minute. From hour 12 on, for half an hour, every tenth fails; later one call
/// is never answered, one document is too long, and one row is misspelt.
fn day() -> String {
    const BEGIN: u64 = 1_767_571_200_000;
    let mut rows = Vec::new();
    for n in 0..144_000_u64 {
        let after = n * 600;
        let at = BEGIN + after;
        let is_outage = (12 * HOUR..12 * HOUR + HOUR / 2).contains(&after);
        let end = match n {
            100_000 => String::new(),
            _ if is_outage && n % 10 == 0 => r#","latency_ms":900,"failure":"server_error""#.into(),
            _ => {
                let score = 90 + n * 7 % 10;
                format!(r#","latency_ms":20000,"confidences":{{"total":0.{score}}}"#)
            }
        };
        let tokens = if n == 110_000 {
            150_000
        } else {
            500 + n * 37 % 3_000
        };
        let call = format!(
            r#"{{"at":{at},"document":"inv-{n}","document_type":"invoice","document_tokens":{tokens},"version":"v7"{end}}}"#
        );
        rows.push((at, call));
        if n % 33 == 1 && after < 20 * HOUR {
            let at = at + HOUR;
            let row = format!(r#"{{"at":{at},"document":"inv-{n}","corrected":["total"]}}"#);
            rows.push((at, row));
        }
    }
    let misspelt = format!(r#"{{"at":{BEGIN},"document":"inv-x","documnet_type":"invoice"}}"#);
    rows.push((BEGIN + 20 * HOUR, misspelt));
    rows.sort();
    let lines: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    lines.join("\n")
}
