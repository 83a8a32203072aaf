//! A document that takes three calls: what happens when the rollout goes on in between, without a
//! pin and with one.
//!
//! ```text
//! cargo run --release --example multi_call_document
//! ```

use std::convert::Infallible;
use std::sync::Arc;

use fusebox::call::Pin;
use fusebox::sink::{self, Filter};
use fusebox::{
    Call, CanaryPolicy, Classify, Error, FailureKind, LineUp, Pipeline, Reply, Report, RouteLedger,
    Served, Severity, Ticket, Version,
};

const STEPS: [&str; 3] = ["extract", "check", "summarise"];
const DOCUMENTS: usize = 200;

/// How the later calls of a document are made.
#[derive(Clone, Copy, Debug)]
enum Later {
    Unpinned,
    Pinned,
    PinnedOrReview,
}

/// A client that always answers. Yours calls the model with the prompt of the ticket's version.
struct Client;

#[derive(Debug)]
struct ClientError(Infallible);

impl Classify for ClientError {
    fn failure_kind(&self) -> FailureKind {
        match self.0 {}
    }
}

impl Client {
    #[allow(clippy::unused_async, reason = "a real one waits")]
    async fn complete(&self, step: &str, ticket: &Ticket) -> Result<String, ClientError> {
        Ok(format!(
            "{step} of {} by {}",
            ticket.document(),
            ticket.version()
        ))
    }
}

/// One call for a document: the ticket of an answer to go on with, or why a reviewer has it.
async fn call_model(pipeline: &Pipeline, call: &Call<'_>, step: &str) -> Result<Ticket, String> {
    let served = pipeline.run(call, async |ticket| {
        let answer = Client.complete(step, &ticket).await;
        answer.map(|answer| Reply::new(answer).report(Report::new().finish_reason("stop")))
    });
    match served.await {
        Served::Accepted { ticket, .. } => Ok(ticket),
        Served::NeedsReview { .. } => Err("its answer needs review".to_owned()),
        Served::Failed { kind, .. } => Err(kind.to_string()),
        Served::Diverted(diversion) => Err(diversion.to_string()),
    }
}

/// The call for a step: the later ones go on where the first began.
fn call_for(n: usize, first: Option<&Ticket>, later: Later) -> Result<Call<'static>, Error> {
    let call = Call::new(format!("inv-{n}"), "invoice")?.with_document_tokens(3_180);
    Ok(match (first, later) {
        (None, _) | (_, Later::Unpinned) => call,
        (Some(first), Later::Pinned) => call.pinned_to(first),
        (Some(first), Later::PinnedOrReview) => call.pinned_to(Pin::from(first).or_review()),
    })
}

/// What the three steps of a document came to.
#[derive(Default)]
struct Document {
    first: Option<Ticket>,
    versions: Vec<String>,
    ended: Option<String>,
}

/// Takes all documents through the three steps. `between` is what happens after each step.
async fn process(
    pipeline: &Pipeline,
    later: Later,
    between: impl Fn() -> Result<(), Error>,
) -> Result<Vec<Document>, Error> {
    let mut documents: Vec<_> = (0..DOCUMENTS).map(|_| Document::default()).collect();
    for step in STEPS {
        for (n, document) in documents.iter_mut().enumerate() {
            if document.ended.is_some() {
                continue;
            }
            let call = call_for(n, document.first.as_ref(), later)?;
            match call_model(pipeline, &call, step).await {
                Ok(ticket) => {
                    document.versions.push(ticket.version().to_string());
                    document.first.get_or_insert(ticket);
                }
                Err(why) => document.ended = Some(why),
            }
        }
        between()?;
    }
    Ok(documents)
}

fn report(title: &str, documents: &[Document], ledger: &RouteLedger) {
    let is_mixed = |document: &&Document| {
        document
            .versions
            .windows(2)
            .any(|pair| pair.first() != pair.last())
    };
    let mixed = documents.iter().filter(is_mixed);
    let reviewed = documents.iter().filter(|document| document.ended.is_some());
    println!("{title}");
    println!(
        "  documents with answers of two versions: {}",
        mixed.clone().count()
    );
    if let Some(document) = mixed.clone().next() {
        println!("    such as {}", document.versions.join(", "));
    }
    println!(
        "  documents that a reviewer goes on with: {}",
        reviewed.clone().count()
    );
    if let Some(why) = reviewed
        .clone()
        .find_map(|document| document.ended.as_ref())
    {
        println!("    such as {why}");
    }
    let report = ledger.report();
    let ends = report.of("invoice");
    println!(
        "  the ledger: {} calls accepted, {} diverted, {} open",
        ends.accepted,
        ends.diverted,
        report.open()
    );
}

fn version(id: &str) -> Result<Version, Error> {
    Ok(Version::new(id, "gpt-4o")?.with_system_prompt_tokens(1_600))
}

/// `v8` is exposed behind `v7`.
fn exposing(canary: &Arc<CanaryPolicy>, ledger: &Arc<RouteLedger>) -> Result<Pipeline, Error> {
    let line_up = LineUp::new(version("v7")?).with_candidate(version("v8")?);
    let pipeline = Pipeline::builder(line_up)
        .guard(Arc::clone(canary))
        .guard(Arc::clone(ledger))
        .sink(Filter::at_least(
            Severity::Page,
            sink::from_fn(|event| eprintln!("page: {event}")),
        ))
        .build()?;
    pipeline.tick();
    Ok(pipeline)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    for (title, later) in [
        (
            "The candidate's share grows after each step, without a pin:",
            Later::Unpinned,
        ),
        (
            "The same, each later call pinned to the first:",
            Later::Pinned,
        ),
    ] {
        let (canary, ledger) = <(Arc<CanaryPolicy>, Arc<RouteLedger>)>::default();
        let pipeline = exposing(&canary, &ledger)?;
        let grow = || {
            let seen = canary.status().revision;
            canary.promote(seen, "ada", "the next step").or(Ok(()))
        };
        report(title, &process(&pipeline, later, grow).await?, &ledger);
    }
    let (canary, ledger) = <(Arc<CanaryPolicy>, Arc<RouteLedger>)>::default();
    let pipeline = exposing(&canary, &ledger)?;
    let roll_back = || {
        let seen = canary.status().revision;
        canary.abort(seen, "ada", "worse answers").or(Ok(()))
    };
    let documents = process(&pipeline, Later::PinnedOrReview, roll_back).await?;
    let title = "The candidate is rolled back after the first step, pinned or else to review:";
    report(title, &documents, &ledger);
    Ok(())
}
