//! What goes, and when.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use super::settings::FileSettings;
use crate::store::cut::Cut;
use crate::time::{Timestamp, hours};

/// How often it is looked whether something has expired.
const EVERY: Duration = hours(1);
/// A process that has not written a register for so long does not need it where there is no room.
const LEFT_BEHIND: Duration = hours(24);
/// The most rows of a table that go at once, so that no request waits long.
const AT_ONCE: u16 = 10_000;

/// What is kept, and for how long.
#[derive(Debug)]
pub(super) struct Retention {
    facts: Duration,
    ended_rows: Duration,
    slots: u32,
    max_pages: u64,
    last: Option<Timestamp>,
}

impl Retention {
    pub(super) fn new(settings: &FileSettings, max_pages: u64) -> Self {
        Self {
            facts: settings.facts,
            ended_rows: settings.ended_rows,
            slots: settings.slots,
            max_pages,
            last: None,
        }
    }

    /// Drops what has expired, now and then.
    pub(super) fn expire(
        &mut self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> rusqlite::Result<Cut> {
        if self
            .last
            .is_some_and(|last| now.since(last) < EVERY && now >= last)
        {
            return Ok(Cut::default());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let facts = transaction.execute(
            "DELETE FROM fact WHERE position IN (
                SELECT position FROM fact WHERE at < ?1 ORDER BY at LIMIT ?2
            )",
            params![before(now, self.facts), AT_ONCE],
        )?;
        let rows = transaction.execute(
            "DELETE FROM outbox WHERE rowid IN (
                SELECT rowid FROM outbox WHERE state <> 'due' AND at < ?1 ORDER BY at LIMIT ?2
            )",
            params![before(now, self.ended_rows), AT_ONCE],
        )?;
        let slots = transaction.execute(
            "DELETE FROM slot WHERE rowid IN (
                SELECT rowid FROM (
                    SELECT rowid, row_number() OVER (PARTITION BY pipeline, name ORDER BY number DESC) AS place
                    FROM slot
                ) WHERE place > ?1 LIMIT ?2
            )",
            params![self.slots, AT_ONCE],
        )?;
        let registers = left_behind(&transaction, before(now, self.facts))?;
        transaction.commit()?;
        let gone = [counted(facts), counted(rows), counted(slots), registers];
        let is_done = gone.iter().all(|gone| *gone < u64::from(AT_ONCE));
        self.last = is_done.then_some(now);
        Ok(Cut {
            expired: gone.iter().sum(),
            ..Cut::default()
        })
    }

    /// If a request found no room, or the file is nearly full, above seven eighths of its pages,
    /// drops registers that processes left behind, and then the oldest facts, until three quarters
    /// are left.
    pub(super) fn make_room(
        &self,
        connection: &mut Connection,
        now: Timestamp,
        was_full: bool,
    ) -> rusqlite::Result<Cut> {
        let mut cut = Cut::default();
        let used_pages = used(connection)?;
        let is_nearly_full = used_pages > self.max_pages / 8 * 7;
        let is_short = was_full && used_pages > self.max_pages / 4 * 3;
        if !is_nearly_full && !is_short {
            return Ok(cut);
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // A service that is deployed often leaves more of them than all facts take.
        cut.expired = left_behind(&transaction, before(now, LEFT_BEHIND))?;
        while used(&transaction)? > self.max_pages / 4 * 3 {
            let (facts, until) = transaction.query_row(
                "SELECT count(*), max(at) FROM (SELECT at FROM fact ORDER BY position LIMIT
                    1 + (SELECT count(*) FROM fact) / 16)",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)),
            )?;
            let Some(until) = until else { break };
            transaction.execute(
                "DELETE FROM fact WHERE position IN (SELECT position FROM fact ORDER BY position LIMIT ?1)",
                [facts],
            )?;
            let until = Timestamp::from_millis(u64::try_from(until).unwrap_or(0));
            cut.early += u64::try_from(facts).unwrap_or(0);
            cut.until = cut.until.max(Some(until));
        }
        transaction.commit()?;
        Ok(cut)
    }
}

/// Drops the registers of processes that wrote their last before a time, but for the two that wrote
/// last: those of one process belong together, and one that is old may be the state of a type in
/// which nothing has happened since.
fn left_behind(connection: &Connection, before: i64) -> rusqlite::Result<u64> {
    let gone = connection.execute(
        "DELETE FROM register WHERE rowid IN (
            SELECT register.rowid FROM register JOIN (
                SELECT pipeline, owner, max(at) AS wrote_last,
                    row_number() OVER (PARTITION BY pipeline ORDER BY max(at) DESC) AS place
                FROM register GROUP BY pipeline, owner
            ) AS process USING (pipeline, owner)
            WHERE place > 2 AND wrote_last < ?1 LIMIT ?2
        )",
        params![before, AT_ONCE],
    )?;
    Ok(counted(gone))
}

/// The moment before which something has been kept long enough.
fn before(now: Timestamp, kept: Duration) -> i64 {
    let kept = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
    i64::try_from(now.as_millis().saturating_sub(kept)).unwrap_or(i64::MAX)
}

fn counted(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// The pages that hold something.
fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let pages = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0));
    Ok(u64::from(
        pages("page_count")?.saturating_sub(pages("freelist_count")?),
    ))
}
