//! When documents arrive, version 7 ships, and calls begin to fail.

use std::time::Duration;

use fusebox::Timestamp;

use crate::documents::{Document, Documents};

/// 2026-03-13 21:00 UTC.
const NINE_IN_THE_EVENING: Timestamp = Timestamp::from_millis(1_773_435_600_000);
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(crate) struct Night {
    pub(crate) begins: Timestamp,
    gap: Duration,
    documents: u32,
    /// When version 7 ships.
    pub(crate) ships_at: Timestamp,
}

impl Night {
    /// From 21:00 to 06:00 a document a minute; version 7 ships at 22:00.
    pub(crate) fn quiet() -> Self {
        Self {
            begins: NINE_IN_THE_EVENING,
            gap: Duration::from_secs(60),
            documents: 9 * 60,
            ships_at: NINE_IN_THE_EVENING + HOUR,
        }
    }

    /// From midnight to 03:00 ten documents a minute, with version 7 from the beginning.
    pub(crate) fn busy() -> Self {
        let midnight = NINE_IN_THE_EVENING + 3 * HOUR;
        Self {
            begins: midnight,
            gap: Duration::from_secs(6),
            documents: 3 * 600,
            ships_at: midnight,
        }
    }

    /// Each document once, a minute apart, with version 7 for the second half.
    pub(crate) fn once(documents: &Documents) -> Self {
        let number = u32::try_from(documents.all.len()).unwrap_or(u32::MAX);
        Self {
            begins: NINE_IN_THE_EVENING,
            gap: Duration::from_secs(60),
            documents: number,
            ships_at: NINE_IN_THE_EVENING + Duration::from_secs(60) * (number / 2),
        }
    }

    /// When calls begin to fail in the third act.
    pub(crate) fn breaks_at(&self) -> Timestamp {
        self.begins + HOUR
    }

    pub(crate) fn ends(&self) -> Timestamp {
        self.begins + self.gap * self.documents
    }

    /// The arrivals: the folder's documents in turn. A number makes each arrival a new document.
    pub(crate) fn arrivals<'a>(
        &self,
        documents: &'a Documents,
    ) -> impl Iterator<Item = Arrival<'a>> {
        let (begins, gap) = (self.begins, self.gap);
        (0..self.documents)
            .zip(documents.all.iter().cycle())
            .map(move |(number, document)| Arrival {
                at: begins + gap * number,
                id: format!("{}#{:04}", document.name, number + 1),
                document,
            })
    }

    pub(crate) fn number(&self) -> u64 {
        self.documents.into()
    }
}

#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) at: Timestamp,
    pub(crate) id: String,
    pub(crate) document: &'a Document,
}
