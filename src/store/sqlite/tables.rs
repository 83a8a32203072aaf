//! What a request reads and writes of one pipeline, within a transaction.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::fault::JobError;
use super::rows::{Reader, integer, json, millis, word};
use crate::guard::Fact;
use crate::name::PipelineName;
use crate::pager::OutboxRow;
use crate::store::batch::{Batch, Instance, Position, Register, Slot, Stored};
use crate::time::Timestamp;

const UPSERT_REGISTER: &str = "
    INSERT INTO register (pipeline, owner, key, revision, at, position, json)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (pipeline, owner, key) DO UPDATE SET
        revision = excluded.revision, at = excluded.at, position = excluded.position, json = excluded.json
    WHERE excluded.revision > revision";
const INSERT_FACT: &str = "
    INSERT INTO fact (pipeline, kind, id, about, at, writer, position, json)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (pipeline, kind, id) DO NOTHING";
const INSERT_SLOT: &str = "
    INSERT INTO slot (pipeline, name, number, at, by, position, json)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (pipeline, name, number) DO NOTHING";
const UPSERT_ROW: &str = "
    INSERT OR REPLACE INTO outbox
        (pipeline, incident, route, action, state, due_at, attempts, last_error, at, json)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

const NEW_REGISTERS: &str = "
    SELECT * FROM register WHERE pipeline = ?1 AND position > ?2 AND owner <> ?3
    ORDER BY owner, key";
/// By the position alone: an index of the pipeline leads to all of its facts.
const NEW_FACTS: &str = "
    SELECT * FROM fact NOT INDEXED
    WHERE position > ?2 AND pipeline = ?1 AND writer <> ?3 ORDER BY position";
const NEW_SLOTS: &str = "
    SELECT * FROM slot WHERE pipeline = ?1 AND position > ?2 AND by <> ?3";

/// The tables, as one request sees them.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    pub(super) connection: &'a Connection,
    /// The name of the store.
    pub(super) store: &'a str,
    pub(super) pipeline: &'a PipelineName,
    pub(super) now: Timestamp,
}

impl Tables<'_> {
    pub(super) fn load(&self) -> Result<Stored, JobError> {
        let pipeline = self.pipeline.as_str();
        let registers = self.reader("register").all(
            self.connection,
            "SELECT * FROM register WHERE pipeline = ?1 ORDER BY owner, key",
            [pipeline],
            Reader::register,
        )?;
        let slots = self.reader("slot").all(
            self.connection,
            "SELECT * FROM slot AS latest WHERE pipeline = ?1 AND number = (
                SELECT max(number) FROM slot WHERE pipeline = ?1 AND name = latest.name
            ) ORDER BY name",
            [pipeline],
            Reader::slot,
        )?;
        let mut rows = self.reader("row of the outbox").all(
            self.connection,
            "SELECT * FROM outbox WHERE pipeline = ?1",
            [pipeline],
            Reader::outbox_row,
        )?;
        rows.sort_by_key(OutboxRow::key);
        Ok(Stored {
            registers,
            slots,
            rows,
            position: Position::new(integer_back(self.position()?)),
        })
    }

    pub(super) fn turn(&self, instance: Instance, batch: &Batch) -> Result<Batch, JobError> {
        let mut next = self.position()?;
        self.write_registers(&batch.registers, &mut next)?;
        let is_new = self.write_facts(&batch.facts, instance, &mut next)?;
        self.write_slots(&batch.slots, &mut next)?;
        self.write_rows(&batch.rows)?;
        self.set_position(next)?;
        let mut answer = self.read(instance, batch)?;
        answer.position = Position::new(integer_back(next));
        answer.is_new = is_new;
        Ok(answer)
    }

    pub(super) fn latest(&self, kind: &str, about: &str) -> Result<Option<Fact>, JobError> {
        let mut found = self.reader("fact").all(
            self.connection,
            "SELECT * FROM fact WHERE pipeline = ?1 AND kind = ?2 AND about = ?3
            ORDER BY position DESC LIMIT 1",
            [self.pipeline.as_str(), kind, about],
            Reader::fact,
        )?;
        Ok(found.pop())
    }

    pub(super) fn facts_between(
        &self,
        kind: &str,
        after: Position,
        until: Position,
    ) -> Result<Vec<Fact>, JobError> {
        let (after, until) = (signed(after), signed(until));
        self.reader("fact").all(
            self.connection,
            "SELECT * FROM fact
            WHERE pipeline = ?1 AND kind = ?2 AND position > ?3 AND position <= ?4
            ORDER BY position",
            params![self.pipeline.as_str(), kind, after, until],
            Reader::fact,
        )
    }

    /// What others wrote after a position, and how the proposals were decided.
    fn read(&self, instance: Instance, batch: &Batch) -> Result<Batch, JobError> {
        let (pipeline, own) = (self.pipeline.as_str(), instance.to_string());
        let after = signed(batch.position);
        let registers = self.reader("register").all(
            self.connection,
            NEW_REGISTERS,
            params![pipeline, after, own],
            Reader::register,
        )?;
        let facts = self.reader("fact").all(
            self.connection,
            NEW_FACTS,
            params![pipeline, after, own],
            Reader::fact,
        )?;
        let new = self.reader("slot").all(
            self.connection,
            NEW_SLOTS,
            params![pipeline, after, own],
            Reader::slot,
        )?;
        let mut slots = BTreeMap::new();
        for slot in new {
            slots.insert((slot.name.clone(), slot.number), slot);
        }
        for proposed in &batch.slots {
            let decided = self.reader("slot").all(
                self.connection,
                "SELECT * FROM slot WHERE pipeline = ?1 AND name = ?2 AND number = ?3",
                params![
                    pipeline,
                    proposed.name,
                    integer("slot number", proposed.number)?
                ],
                Reader::slot,
            )?;
            for slot in decided {
                slots.insert((slot.name.clone(), slot.number), slot);
            }
        }
        Ok(Batch {
            registers,
            facts,
            slots: slots.into_values().collect(),
            ..Batch::default()
        })
    }

    fn write_registers(&self, registers: &[Register], next: &mut i64) -> Result<(), JobError> {
        let mut statement = self.connection.prepare(UPSERT_REGISTER)?;
        for register in registers {
            let written = statement.execute(params![
                self.pipeline.as_str(),
                register.owner.to_string(),
                register.key,
                integer("register revision", register.revision)?,
                millis(register.at)?,
                *next + 1,
                register.value.as_str(),
            ])?;
            *next += i64::from(written > 0);
        }
        Ok(())
    }

    /// Says of each whether it is new.
    fn write_facts(
        &self,
        facts: &[Fact],
        writer: Instance,
        next: &mut i64,
    ) -> Result<Vec<bool>, JobError> {
        let mut statement = self.connection.prepare(INSERT_FACT)?;
        let writer = writer.to_string();
        let mut new = Vec::with_capacity(facts.len());
        for fact in facts {
            let written = statement.execute(params![
                self.pipeline.as_str(),
                fact.kind,
                fact.id,
                fact.about,
                millis(fact.at)?,
                writer,
                *next + 1,
                json(&fact.value)?.as_str(),
            ])?;
            *next += i64::from(written > 0);
            new.push(written > 0);
        }
        Ok(new)
    }

    fn write_slots(&self, slots: &[Slot], next: &mut i64) -> Result<(), JobError> {
        let mut statement = self.connection.prepare(INSERT_SLOT)?;
        for slot in slots {
            let written = statement.execute(params![
                self.pipeline.as_str(),
                slot.name,
                integer("slot number", slot.number)?,
                millis(slot.at)?,
                slot.by.to_string(),
                *next + 1,
                json(&slot.value)?.as_str(),
            ])?;
            *next += i64::from(written > 0);
        }
        Ok(())
    }

    fn write_rows(&self, rows: &[OutboxRow]) -> Result<(), JobError> {
        let mut statement = self.connection.prepare(UPSERT_ROW)?;
        for row in rows {
            statement.execute(params![
                self.pipeline.as_str(),
                row.notification.incident.as_str(),
                row.route.as_str(),
                row.notification.action.name(),
                word(&row.state)?,
                millis(row.due_at)?,
                row.attempts,
                row.last_error,
                millis(self.now)?,
                json(row)?.as_str(),
            ])?;
        }
        Ok(())
    }

    /// The number of the latest write.
    fn position(&self) -> Result<i64, JobError> {
        let read = "SELECT value FROM meta WHERE name = 'position'";
        Ok(self.connection.query_row(read, [], |row| row.get(0))?)
    }

    fn set_position(&self, position: i64) -> Result<(), JobError> {
        let write = "UPDATE meta SET value = ?1 WHERE name = 'position' AND value <> ?1";
        self.connection.execute(write, [position])?;
        Ok(())
    }

    fn reader(&self, what: &'static str) -> Reader<'_> {
        Reader {
            store: self.store,
            what,
        }
    }
}

fn integer_back(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

/// Nothing is written after a position that no store has given out.
fn signed(position: Position) -> i64 {
    i64::try_from(position.number()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is read several times a second, beside what 40 days have left.
    #[test]
    fn what_is_new_is_found_without_a_look_at_what_is_old() {
        let connection = Connection::open_in_memory().unwrap();
        let schema = include_str!("schema.sql");
        connection.execute_batch(schema).unwrap();
        let found_by = [
            (
                NEW_REGISTERS,
                "register_position (pipeline=? AND position>?)",
            ),
            (NEW_FACTS, "INTEGER PRIMARY KEY (rowid>?)"),
            (NEW_SLOTS, "slot_position (pipeline=? AND position>?)"),
        ];
        for (select, by) in found_by {
            let explain = format!("EXPLAIN QUERY PLAN {select}");
            let plan =
                connection.query_row(&explain, params!["a", 1, "b"], |row| row.get("detail"));
            let plan: String = plan.unwrap();
            assert!(plan.contains(by), "{plan}");
        }
    }
}
