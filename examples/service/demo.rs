//! The demonstration: the service is killed with -9 in the middle of an outage, and goes on.

mod child;
pub(crate) mod model;
pub(crate) mod receiver;
mod stage;

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use fusebox::breaker::BreakerState;
use reqwest::StatusCode;
use tokio::time::sleep;

use crate::error::AnyError;
use crate::shutdown;
use receiver::Page;
use stage::{Stage, Status, answer, eventually};

const NEWEST: &str = "v7";
const PREVIOUS: &str = "v6";
/// The most documents that are sent until something happens, twice a second.
const TRIES: u32 = 60;

pub(crate) async fn run() -> Result<(), AnyError> {
    let folder = std::env::temp_dir().join(format!("fusebox-service-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = tokio::select! {
        result = story(folder.clone()) => result,
        () = shutdown::signal() => Err("the demonstration was told to end".into()),
    };
    std::fs::remove_dir_all(&folder)?;
    result
}

async fn story(folder: PathBuf) -> Result<(), AnyError> {
    println!(
        "The state of the service is in {}.",
        folder.join("invoices.db").display()
    );
    let mut stage = Stage::set(folder).await?;
    stage.start_service().await?;
    let before = outage(&mut stage).await?;
    let lost = kill(&mut stage, &before).await?;
    recovery(&mut stage, &before, &lost).await?;

    step("6. The service is told to end.");
    let has_ended = stage.kill_service("-TERM").await?;
    holds(has_ended, "it ends by itself, without an error")?;
    println!("\nAll of this held.");
    Ok(())
}

/// How things are before the kill.
struct Before {
    /// The document that waits for a reviewer.
    blurred: String,
    /// The document whose call does not end.
    endless: String,
    page: Page,
    status: Status,
}

async fn outage(stage: &mut Stage) -> Result<Before, AnyError> {
    step("1. Invoices come; one is hard to read, and one call does not end.");
    for _ in 0..6 {
        let answer = stage.send().await?;
        holds(
            answer.is("accepted", NEWEST),
            format!("the answer of {NEWEST} is accepted"),
        )?;
    }
    let blurred = stage.next_id();
    let read = answer(stage.document(&blurred, "an invoice that is hard to read")?).await?;
    holds(
        read.is("review", NEWEST),
        format!("{blurred} goes to a reviewer"),
    )?;
    let endless = stage.next_id();
    // The caller waits until the service is killed.
    tokio::spawn(stage.document(&endless, "an endless invoice")?.send());
    let is_open = format!("the call for {endless} is open");
    let one_open = async || Ok((stage.status().await?.open_calls() == 1).then_some(()));
    eventually(&is_open, one_open).await?;
    holds(true, is_open)?;

    step("2. The provider changes its model, which answers the prompt of v7 with prose.");
    stage.set_fault(true).await?;
    let mut sent = stage.send().await?;
    let mut failed = 0;
    while sent.is("failed", NEWEST) && failed < TRIES {
        failed += 1;
        sent = stage.send().await?;
    }
    let is_rerouted = sent.is("accepted", PREVIOUS);
    holds(
        is_rerouted,
        format!("{failed} answers fail, then {PREVIOUS} serves"),
    )?;
    let page = stage.page("trigger", "error-rate").await?;
    holds(true, "a page has arrived")?;
    let status = stage.status().await?;
    holds(
        status.awaiting_review() == 1,
        format!("{blurred} waits for a reviewer"),
    )?;
    Ok(Before {
        blurred,
        endless,
        page,
        status,
    })
}

/// The page of what the kill has lost.
async fn kill(stage: &mut Stage, before: &Before) -> Result<Page, AnyError> {
    let Before {
        blurred,
        endless,
        page,
        status,
    } = before;
    step("3. A reviewer corrects an answer, and the service is killed as soon as it says 204.");
    let said = stage.correct(blurred).await?;
    stage.kill_service("-9").await?;
    holds(
        said == StatusCode::NO_CONTENT,
        format!("the correction of {blurred} was accepted"),
    )?;

    step("4. The service is started again, on the same file.");
    stage.start_service().await?;
    let after = stage.status().await?;
    let is_open = after.of(NEWEST) == Some(BreakerState::Open);
    holds(is_open, format!("{NEWEST} is still out of service"))?;
    let sent = stage.send().await?;
    holds(
        sent.is("accepted", PREVIOUS),
        format!("{PREVIOUS} serves the first document"),
    )?;
    let is_same = status.incident(page)?.since == after.incident(page)?.since;
    holds(is_same, "the incident is the same, since the same time")?;
    let is_known = after.awaiting_review() == 0;
    holds(
        is_known,
        format!("the correction is known: {blurred} waits no more"),
    )?;
    let lost = stage.page("trigger", "ledger/lost-in-restart").await?;
    let is_told = lost.summary.contains(endless);
    holds(
        is_told,
        format!("a page tells that {endless} was open at the kill"),
    )?;
    sleep(Duration::from_secs(3)).await;
    let pages = stage.pages().await?;
    let again = pages.iter().filter(|other| other.key == page.key).count();
    holds(again == 1, "no second page has come for the outage")?;
    Ok(lost)
}

async fn recovery(stage: &mut Stage, before: &Before, lost: &Page) -> Result<(), AnyError> {
    step("5. An operator looks at the lost document, and the provider mends its model.");
    let note = format!("{} is processed again", before.endless);
    let said = stage.acknowledge(lost, &note).await?;
    holds(
        said == StatusCode::NO_CONTENT,
        "the acknowledgement was accepted",
    )?;
    stage.page("resolve", lost.incident()).await?;
    holds(true, "the page of the lost document is resolved")?;
    stage.set_fault(false).await?;
    let mut sent = stage.send().await?;
    let mut tries = 0;
    while !sent.is("accepted", NEWEST) && tries < TRIES {
        tries += 1;
        sleep(Duration::from_millis(500)).await;
        sent = stage.send().await?;
    }
    holds(sent.is("accepted", NEWEST), format!("{NEWEST} is probed"))?;
    for _ in 0..2 {
        stage.send().await?;
    }
    let is_back = stage.status().await?.of(NEWEST) == Some(BreakerState::Closed);
    holds(
        is_back,
        format!("after three answers {NEWEST} is back in service"),
    )?;
    stage.page("resolve", before.page.incident()).await?;
    holds(true, "the page of the outage is resolved")
}

fn step(what: &str) {
    println!("\n{what}");
}

/// Says whether something holds. If not, the demonstration ends.
fn holds(it_does: bool, what: impl Display) -> Result<(), AnyError> {
    if !it_does {
        return Err(format!("does not hold: {what}").into());
    }
    println!("  ok: {what}");
    Ok(())
}
