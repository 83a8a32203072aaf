//! A service around calls to a model. Documents and corrections come over HTTP, the state is in one
//! SQLite file, and pages go to a webhook.
//!
//! `cargo run --release --features async-openai,reqwest,sqlite,tokio,webhook --example service`
//! shows in half a minute what survives `kill -9`. This file is the service; its client is beside
//! it, and so are the model and the receiver of pages that it meets in the demonstration. To start
//! them by hand: `-- model`, `-- receiver`, and `-- serve` with the addresses that these two print.
#![allow(clippy::disallowed_methods, reason = "a service waits")]

mod args;
mod client;
mod demo;
mod error;
mod operator;
mod shutdown;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use args::{Args, Command, Serve};
use axum::Router;
use axum::extract::{Json, Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use clap::Parser;
use client::{Document, Extractor, version};
use error::{AnyError, Refused, in_words};
use fusebox::breaker::Probing;
use fusebox::keeper::Keeper;
use fusebox::pager::{PagerRoute, Webhook};
use fusebox::reqwest::ReqwestPost;
use fusebox::sink::{self, Filter};
use fusebox::store::SqliteStore;
use fusebox::{Call, ConfidenceDriftMonitor, Correction, ErrorRateBreaker, Feedback, LineUp};
use fusebox::{Pipeline, RouteLedger, Served, Severity, TicketBook, TokenBudget};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const REVIEW_WITHIN: Duration = Duration::from_secs(8 * 3_600);

struct Service {
    extractor: Extractor,
    breaker: Arc<ErrorRateBreaker>,
    ledger: Arc<RouteLedger>,
    keeper: Keeper,
}

type Shared = State<Arc<Service>>;
type Done = Result<StatusCode, Refused>;

async fn serve(args: Serve) -> Result<(), AnyError> {
    let breaker = ErrorRateBreaker::builder().recovery(Probing::after(args.probe_after));
    let breaker = Arc::new(breaker.hold_open(args.hold_open).build()?);
    let ledger = RouteLedger::builder().review_within(REVIEW_WITHIN);
    let ledger = Arc::new(ledger.build()?);
    let log = sink::from_fn(|event| eprintln!("{event}"));
    let pipeline = Pipeline::builder(LineUp::new(version("v7")?).with_previous(version("v6")?))
        .guard(TokenBudget::builder().build()?)
        .guard(Arc::clone(&breaker))
        .guard(ConfidenceDriftMonitor::default())
        .guard(Arc::clone(&ledger))
        .guard(TicketBook::new())
        .sink(Filter::at_least(Severity::Warning, log))
        .build()?;
    let pager = Webhook::new(args.webhook, args.webhook_key)?;
    let keeper = Keeper::builder("invoices", &pipeline)?
        .store(SqliteStore::open(&args.state)?)
        .post(ReqwestPost::new()?)
        .route(PagerRoute::new("on call", pager)?)
        .start()
        .await?;
    let service = Arc::new(Service {
        extractor: Extractor::new(&args.model)?,
        breaker,
        ledger,
        keeper: keeper.clone(),
    });
    // Anybody may send these requests: add the authentication of your services.
    let routes = Router::new()
        .route("/documents", post(extract))
        .route("/documents/{id}/corrections", post(correct))
        .route("/documents/{id}/reviews", post(review))
        .merge(operator::routes())
        .with_state(service);
    let listener = TcpListener::bind(args.address).await?;
    println!("listening on {}", listener.local_addr()?);
    let keeping = tokio::spawn(keeper.run(shutdown::signal()));
    let serving = axum::serve(listener, routes).with_graceful_shutdown(shutdown::signal());
    let serving = tokio::spawn(serving.into_future());
    let open = keeping.await?;
    // The answers to calls that have just ended are on their way.
    let _ = timeout(Duration::from_secs(2), serving).await;
    println!("ended, open calls: {open}");
    Ok(())
}

/// A caller that hangs up drops its call, which then ends as abandoned.
async fn extract(service: Shared, Json(document): Json<Document>) -> Result<Json<Value>, Refused> {
    let call = Call::new(&document.id, &document.kind)?.with_document(&document.text);
    let ask = async |ticket| service.extractor.read(&ticket, &document.text).await;
    let pipeline = service.keeper.pipeline();
    let served = pipeline.run_until(&call, sleep(ANSWER_WITHIN), ask).await;
    let version = served.ticket().version().clone();
    // What is not accepted goes to a reviewer: in your service, into their queue.
    let (end, why, fields) = match served {
        Served::Accepted { value, .. } => ("accepted", Value::Null, value),
        Served::NeedsReview { value, reasons, .. } => ("review", in_words(&reasons), value),
        Served::Failed { kind, .. } => ("failed", json!(kind), Value::Null),
        Served::Diverted(diversion) => ("diverted", in_words(diversion.reasons()), Value::Null),
    };
    let answer = json!({ "end": end, "why": why, "version": version, "fields": fields });
    Ok(Json(answer))
}

async fn correct(service: Shared, id: Path<String>, Json(correction): Json<Correction>) -> Done {
    report(&service, &id, Feedback::corrected(correction)).await
}

/// A reviewer has looked at the answer. What was wrong in it comes as corrections.
async fn review(service: Shared, id: Path<String>) -> Done {
    report(&service, &id, Feedback::Reviewed).await
}

/// Done when the feedback is on the disk.
async fn report(service: &Service, id: &str, feedback: Feedback) -> Done {
    let Some(ticket) = service.keeper.ticket_of(id).await? else {
        return Err(Refused::unknown(id));
    };
    service.keeper.feedback(&ticket, feedback).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Args::parse().command {
        None | Some(Command::Demo) => demo::run().await,
        Some(Command::Model) => demo::model::run().await,
        Some(Command::Receiver { webhook_key }) => demo::receiver::run(webhook_key).await,
        Some(Command::Serve(args)) => serve(args).await,
    };
    if let Err(error) = result {
        eprintln!("service: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
