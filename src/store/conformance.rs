//! What every store must do, as a test.

use serde_json::json;

use super::batch::{Batch, Instance, Position, Register, Slot};
use super::seam::Store;
use crate::error::Error;
use crate::guard::Fact;
use crate::json::Json;
use crate::name::{PipelineName, RouteName};
use crate::pager::{Notification, OutboxRow, RowState};
use crate::time::Timestamp;

const NOON: Timestamp = Timestamp::from_millis(1_795_780_800_000);
const ONE: Instance = Instance::new(1);
const TWO: Instance = Instance::new(2);

/// Checks that an empty store does what fusebox relies on. Call it in a test of a store of your own,
/// for two names of pipelines that the store has not seen.
///
/// An error says which rule the store breaks, or is one that the store returned.
///
/// ```
/// use fusebox::store::{MemoryStore, conformance};
///
/// # async fn test() -> Result<(), fusebox::Error> {
/// conformance(&MemoryStore::new(), "invoices", "contracts").await?;
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test()).unwrap();
/// ```
pub async fn conformance(
    store: &dyn Store,
    pipeline: impl AsRef<str>,
    other: impl AsRef<str>,
) -> Result<(), Error> {
    let (pipeline, other) = (PipelineName::new(pipeline)?, PipelineName::new(other)?);
    let is_new = store.load(&pipeline).await?.registers.is_empty();
    rule(is_new, "an unknown pipeline has nothing")?;
    registers(store, &pipeline).await?;
    facts(store, &pipeline).await?;
    slots(store, &pipeline).await?;
    rows(store, &pipeline).await?;
    let foreign = store.load(&other).await?;
    let is_apart = foreign.registers.is_empty() && foreign.rows.is_empty();
    rule(
        is_apart,
        "pipelines do not see each other's registers and rows",
    )?;
    let foreign = store.latest(&other, "feedback", "inv-1").await?;
    rule(foreign.is_none(), "pipelines do not see each other's facts")
}

fn rule(holds: bool, text: &'static str) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::invalid("store", "another answer", text))
}

async fn registers(store: &dyn Store, pipeline: &PipelineName) -> Result<(), Error> {
    let values = [Json::of(&1)?, Json::of(&2)?];
    let register = |owner, revision: u64| {
        let value = if revision == 1 {
            &values[0]
        } else {
            &values[1]
        };
        Register::new(owner, "guard/a", revision, NOON, value.clone())
    };
    for revision in [2, 1] {
        let mut written = Batch::after(Position::START);
        written.registers.push(register(ONE, revision));
        let answer = store.turn(pipeline, ONE, written).await?;
        rule(
            answer.registers.is_empty(),
            "a process does not read its own registers",
        )?;
    }
    let loaded = store.load(pipeline).await?;
    let is_latest = loaded.registers == [register(ONE, 2)];
    rule(
        is_latest,
        "of two registers the one with the greater revision counts",
    )?;
    let answer = store
        .turn(pipeline, TWO, Batch::after(Position::START))
        .await?;
    rule(
        answer.registers == [register(ONE, 2)],
        "a process reads the registers of others",
    )?;
    let answer = store
        .turn(pipeline, TWO, Batch::after(answer.position))
        .await?;
    rule(
        answer.registers.is_empty(),
        "what was read is not read again",
    )
}

async fn facts(store: &dyn Store, pipeline: &PipelineName) -> Result<(), Error> {
    let before = store.load(pipeline).await?.position;
    let fact = |id: &str, value: u64| {
        Fact::new("feedback", id, NOON, json!(value)).about(format!("inv-{}", value % 2))
    };
    let write = |by, facts| {
        let mut batch = Batch::after(before);
        batch.facts = facts;
        store.turn(pipeline, by, batch)
    };
    let facts = vec![fact("b", 1), fact("a", 2), fact("b", 3)];
    let answer = write(ONE, facts).await?;
    let after = answer.position;
    rule(
        answer.is_new == [true, true, false],
        "of two facts with one id the first is new",
    )?;
    rule(
        answer.facts.is_empty(),
        "a process does not read its own facts",
    )?;
    let answer = write(TWO, vec![fact("a", 4)]).await?;
    rule(
        answer.is_new == [false],
        "a fact that another process has written is not new",
    )?;
    rule(
        answer.facts == [fact("b", 1), fact("a", 2)],
        "a process reads the facts of others, in the order of writing",
    )?;
    let about = |kind| store.latest(pipeline, kind, "inv-0");
    rule(
        about("feedback").await? == Some(fact("a", 2)),
        "of two facts with one id the first counts, and it is found by what it is about",
    )?;
    rule(
        about("command").await?.is_none(),
        "a fact is known by its kind and its id",
    )?;
    let in_order = store.facts_between(pipeline, "feedback", before, after);
    let in_order = in_order.await?;
    rule(
        in_order == [fact("b", 1), fact("a", 2)],
        "facts come in the order of writing",
    )?;
    let latest = write(TWO, vec![fact("0", 6)]).await?.position;
    let later = store.facts_between(pipeline, "feedback", after, latest);
    let is_later = later.await? == [fact("0", 6)];
    let earlier = store.facts_between(pipeline, "feedback", before, after);
    rule(
        is_later && earlier.await? == in_order,
        "facts are found by the positions between which they were written",
    )?;
    rule(
        about("feedback").await? == Some(fact("0", 6)),
        "of facts about one thing the one that was written last is the latest",
    )
}

async fn slots(store: &dyn Store, pipeline: &PipelineName) -> Result<(), Error> {
    let slot = |number, by| Slot::new("stage", number, NOON, by, json!(by));
    let propose = |slot| Batch {
        slots: vec![slot],
        ..Batch::default()
    };
    let first = store.turn(pipeline, ONE, propose(slot(1, ONE))).await?;
    rule(
        first.slots == [slot(1, ONE)],
        "the first writer of a number wins",
    )?;
    let second = store.turn(pipeline, TWO, propose(slot(1, TWO))).await?;
    rule(
        second.slots == [slot(1, ONE)],
        "a later writer learns what was decided",
    )?;
    store.turn(pipeline, TWO, propose(slot(2, TWO))).await?;
    let loaded = store.load(pipeline).await?.slots;
    rule(
        loaded == [slot(2, TWO)],
        "the latest decision of a name is loaded",
    )
}

async fn rows(store: &dyn Store, pipeline: &PipelineName) -> Result<(), Error> {
    let notification = Notification::of_test(pipeline, NOON);
    let mut row = OutboxRow::due(RouteName::new("pager")?, notification, NOON);
    let mut begun = Batch::after(Position::START);
    begun.rows.push(row.clone());
    store.turn(pipeline, ONE, begun).await?;
    row.state = RowState::Accepted;
    row.accepted_at = Some(NOON);
    let mut written = Batch::after(Position::START);
    written.rows.push(row.clone());
    store.turn(pipeline, ONE, written).await?;
    let loaded = store.load(pipeline).await?.rows;
    rule(
        loaded == [row],
        "a row replaces the one with its incident, route and action",
    )
}
