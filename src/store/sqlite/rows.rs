//! How values become columns, and columns become values.

use std::sync::Arc;

use rusqlite::{Connection, Params, Row};
use serde::Serialize;

use super::fault::JobError;
use crate::error::{Error, StoreFault};
use crate::guard::Fact;
use crate::json::Json;
use crate::pager::OutboxRow;
use crate::store::batch::{Instance, Register, Slot};
use crate::time::Timestamp;

/// SQLite's integers are signed.
pub(super) fn integer(field: &'static str, number: u64) -> Result<i64, JobError> {
    i64::try_from(number).map_err(|_| {
        let allowed = format!("at most {}", i64::MAX);
        JobError::Refused(Error::invalid(field, number, allowed))
    })
}

pub(super) fn millis(at: Timestamp) -> Result<i64, JobError> {
    integer("time in a store", at.as_millis())
}

/// A value as it is stored; an error if it could not be read again.
pub(super) fn json(value: &impl Serialize) -> Result<Json, JobError> {
    Json::write(value).map_err(|error| {
        JobError::Refused(if error.is_io() {
            let allowed = "at most 120 levels";
            Error::invalid("value in a store", "nested arrays and objects", allowed)
        } else {
            Error::unreadable("store", error)
        })
    })
}

/// The word of a state, as it is in the row's JSON.
pub(super) fn word(value: &impl Serialize) -> Result<String, JobError> {
    Ok(json(value)?.as_str().trim_matches('"').to_owned())
}

/// Reads rows of one table, and says of which store and thing what cannot be read is.
pub(super) struct Reader<'a> {
    pub(super) store: &'a str,
    pub(super) what: &'static str,
}

impl Reader<'_> {
    /// Every row that is selected.
    pub(super) fn all<T>(
        &self,
        connection: &Connection,
        select: &str,
        params: impl Params,
        read: impl Fn(&Self, &Row<'_>) -> Result<T, JobError>,
    ) -> Result<Vec<T>, JobError> {
        let mut statement = connection.prepare(select)?;
        let mut rows = statement.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(self, row)?);
        }
        Ok(found)
    }

    fn unreadable(&self, of: &str, reason: impl std::fmt::Display) -> JobError {
        let reason = format!(
            "{} `{of}` cannot be read, mend or delete its row: {reason}",
            self.what
        );
        JobError::Refused(Error::store(self.store, StoreFault::Corrupt, reason))
    }

    fn number(&self, of: &str, row: &Row<'_>, column: &str) -> Result<u64, JobError> {
        let number: i64 = row.get(column)?;
        u64::try_from(number).map_err(|_| self.unreadable(of, format_args!("{column} {number}")))
    }

    fn at(&self, of: &str, row: &Row<'_>) -> Result<Timestamp, JobError> {
        self.number(of, row, "at").map(Timestamp::from_millis)
    }

    fn instance(&self, of: &str, row: &Row<'_>, column: &str) -> Result<Instance, JobError> {
        let text: String = row.get(column)?;
        text.parse().map_err(|error| self.unreadable(of, error))
    }

    fn value<T: serde::de::DeserializeOwned>(
        &self,
        of: &str,
        row: &Row<'_>,
    ) -> Result<T, JobError> {
        let text = row
            .get_ref("json")?
            .as_str()
            .map_err(rusqlite::Error::from)?;
        serde_json::from_str(text).map_err(|error| self.unreadable(of, error))
    }

    fn json(&self, of: &str, row: &Row<'_>) -> Result<Json, JobError> {
        let text: Arc<str> = row.get("json")?;
        Json::parse(text).map_err(|error| self.unreadable(of, error))
    }

    pub(super) fn register(&self, row: &Row<'_>) -> Result<Register, JobError> {
        let key: String = row.get("key")?;
        Ok(Register {
            owner: self.instance(&key, row, "owner")?,
            revision: self.number(&key, row, "revision")?,
            at: self.at(&key, row)?,
            value: self.json(&key, row)?,
            key,
        })
    }

    pub(super) fn fact(&self, row: &Row<'_>) -> Result<Fact, JobError> {
        let id: String = row.get("id")?;
        Ok(Fact {
            kind: row.get("kind")?,
            about: row.get("about")?,
            at: self.at(&id, row)?,
            value: self.value(&id, row)?,
            id,
        })
    }

    pub(super) fn slot(&self, row: &Row<'_>) -> Result<Slot, JobError> {
        let name: String = row.get("name")?;
        Ok(Slot {
            number: self.number(&name, row, "number")?,
            at: self.at(&name, row)?,
            by: self.instance(&name, row, "by")?,
            value: self.value(&name, row)?,
            name,
        })
    }

    pub(super) fn outbox_row(&self, row: &Row<'_>) -> Result<OutboxRow, JobError> {
        let incident: String = row.get("incident")?;
        self.value(&incident, row)
    }
}
