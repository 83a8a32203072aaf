//! The configuration of a ledger, and its defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::documents::Documents;
use super::open_calls::OpenCalls;
use super::review_queue::ReviewQueue;
use super::types::Types;
use super::{Core, RouteLedger, Settings};
use crate::error::Error;
use crate::guard::Attached;
use crate::name::DocumentType;
use crate::time::{Timestamp, minutes};

const MAX_OPEN: Duration = minutes(10);
const NOTHING_OUT: Duration = minutes(15);
const SILENCE: Duration = minutes(30);

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
    review_within: Option<Duration>,
}

impl RouteLedgerBuilder {
    pub(super) fn new() -> Self {
        Self {
            max_open: MAX_OPEN,
            nothing_out: NOTHING_OUT,
            silence: SILENCE,
            expected: BTreeMap::new(),
            review_within: None,
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
    /// starting with the ledger's first call or tick, and anew after a pause of the pipeline. If
    /// given twice for a type, the last period counts.
    pub fn expect(mut self, document_type: DocumentType, every: Duration) -> Self {
        self.expected.insert(document_type, every);
        self
    }

    /// How long a document that was diverted, or whose answer needs review, may wait for a person:
    /// one who says [`Feedback::PickedUp`](crate::Feedback::PickedUp) or
    /// [`Reviewed`](crate::Feedback::Reviewed), or corrects the answer. The ticket of any call for
    /// the document will do.
    ///
    /// Not watched unless set: without that feedback every document would seem to wait for ever.
    /// At most 100,000 documents are tracked.
    pub fn review_within(mut self, duration: Duration) -> Self {
        self.review_within = Some(duration);
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
        let review = self.review_within;
        let review = review.map(|limit| ("ledger review_within".to_owned(), limit));
        for (field, duration) in named.into_iter().chain(review).chain(expected) {
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
        let types = Types::new(self.expected.keys());
        RouteLedger {
            settings: Settings {
                max_open: self.max_open,
                nothing_out: self.nothing_out,
                silence: self.silence,
                expected: self.expected,
                review_within: self.review_within,
            },
            core: Mutex::new(Core {
                open: OpenCalls::default(),
                types,
                documents: Documents::default(),
                review: ReviewQueue::default(),
                ran_until: None,
                watched_since: Timestamp::EPOCH,
                pending_events: Vec::new(),
            }),
            attached: Attached::new(),
        }
    }
}
