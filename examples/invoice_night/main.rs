//! The night that fusebox grew out of: a prompt grows by some 200 tokens, one document type no
//! longer fits, and the operator notices eight hours later. First without guards, then with guards,
//! then a night on which calls fail.
//!
//! `cargo run --release --example invoice_night -- --help` lists the options.

mod args;
#[path = "../shared/arrivals.rs"]
mod arrivals;
mod client;
mod documents;
#[path = "../shared/folder.rs"]
mod folder;
mod guarded;
mod naive;
mod report;
mod schedule;
mod server;
mod trace;
mod versions;

use std::process::ExitCode;

use clap::Parser;

use args::Args;
use client::Extractor;
use report::Story;
use schedule::Night;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(story) => {
            if args.json {
                story.print_json();
            } else {
                story.print(args.verbose);
            }
            if story.all_known() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("invoice_night: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: &Args) -> Result<Story, AnyError> {
    let versions = versions::Versions::new(args)?;
    if let Some(file) = &args.trace {
        return trace::replay(file, &versions);
    }
    let documents = documents::load(&args.folder())?;
    let mut story = Story::new(&versions, &documents);
    if let Some(extractor) = Extractor::of_service(args) {
        let night = Night::once(&documents);
        story.acts.push(
            guarded::run(
                "Each document once, with guards",
                &night,
                &documents,
                &versions,
                &extractor,
                |_| {},
            )
            .await?,
        );
        return Ok(story);
    }
    let server = server::start(&documents, &versions).await?;
    let extractor = Extractor::of_server(server.address)?;
    let quiet = Night::quiet();
    story
        .acts
        .push(naive::run(&quiet, &documents, &versions, &extractor).await);
    story.acts.push(
        guarded::run(
            "Act two: the same night with guards",
            &quiet,
            &documents,
            &versions,
            &extractor,
            |_| {},
        )
        .await?,
    );
    let busy = Night::busy();
    let break_down = |now| {
        if now == busy.breaks_at() {
            server.fail(args.fault);
        }
    };
    let title = "Act three: a night on which one call in five fails";
    let mut act = guarded::run(title, &busy, &documents, &versions, &extractor, break_down).await?;
    act.broken_at = Some(busy.breaks_at());
    story.acts.push(act);
    Ok(story)
}
