//! The configuration of a ledger, and its defaults.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Core, RouteLedger, Settings};
use crate::error::Error;
use crate::name::DocumentType;
use crate::stats::{BoundedMap, DEFAULT_KEYS};
use crate::time::minutes;

const MAX_OPEN: Duration = minutes(10);
const NOTHING_OUT: Duration = minutes(15);
const SILENCE: Duration = minutes(30);
const OPEN_LIMIT: usize = 100_000;

impl RouteLedger {
    /// Configures a ledger, starting from the defaults.
    pub fn builder() -> RouteLedgerBuilder {
        RouteLedgerBuilder::new()
    }
}

impl Default for RouteLedger {
    fn default() -> Self {
        RouteLedgerBuilder::new().into_ledger()
    }
}

/// Configures a [`RouteLedger`].
#[derive(Clone, Debug)]
#[must_use = "nothing is watched until `build` is called"]
pub struct RouteLedgerBuilder {
    max_open: Duration,
    nothing_out: Duration,
    silence: Duration,
    expected: BTreeMap<DocumentType, Duration>,
}

impl RouteLedgerBuilder {
    pub(super) fn new() -> Self {
        Self {
            max_open: MAX_OPEN,
            nothing_out: NOTHING_OUT,
            silence: SILENCE,
            expected: BTreeMap::new(),
        }
    }

    /// How long a call may be open (10 minutes by default).
    pub fn max_open(mut self, duration: Duration) -> Self {
        self.max_open = duration;
        self
    }

    /// How long documents may arrive while nothing comes out (15 minutes by default).
    pub fn nothing_out(mut self, duration: Duration) -> Self {
        self.nothing_out = duration;
        self
    }

    /// How long a type with at least 20 documents so far may be silent (30 minutes by default, and
    /// at least ten times its mean gap).
    pub fn silence(mut self, duration: Duration) -> Self {
        self.silence = duration;
        self
    }

    /// Declares that a document of this type must arrive at least once in each period of `every`,
    /// starting with the ledger's first call or tick. If given twice for a type, the last period
    /// counts.
    pub fn expect(mut self, document_type: DocumentType, every: Duration) -> Self {
        self.expected.insert(document_type, every);
        self
    }

    /// Builds the ledger; an error when a duration is zero.
    pub fn build(self) -> Result<RouteLedger, Error> {
        let named = [
            ("ledger max_open".to_owned(), self.max_open),
            ("ledger nothing_out".to_owned(), self.nothing_out),
            ("ledger silence".to_owned(), self.silence),
        ];
        let expected = self
            .expected
            .iter()
            .map(|(name, every)| (format!("ledger expect `{name}`"), *every));
        for (field, duration) in named.into_iter().chain(expected) {
            if duration.is_zero() {
                return Err(Error::invalid(
                    field,
                    humantime::format_duration(duration),
                    "longer than zero",
                ));
            }
        }
        Ok(self.into_ledger())
    }

    pub(super) fn into_ledger(self) -> RouteLedger {
        RouteLedger {
            settings: Settings {
                max_open: self.max_open,
                nothing_out: self.nothing_out,
                silence: self.silence,
                expected: self.expected,
                open_limit: OPEN_LIMIT,
            },
            core: Mutex::new(Core {
                open: HashMap::new(),
                untracked: 0,
                types: BoundedMap::new(DEFAULT_KEYS),
                started: None,
            }),
        }
    }
}
