//! Reviews that a person has acknowledged.

use serde::{Deserialize, Serialize};

use crate::order::Order;
use crate::time::Timestamp;

/// A person has taken note of the review that a shadow run requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Acknowledgement {
    /// Who.
    pub who: String,
    /// Why, in their words.
    pub why: String,
    /// Documents that diverged until then.
    pub diverged: u64,
    /// Documents compared until then.
    pub compared: u64,
    /// When; `None` until the pipeline's next step has told it.
    pub at: Option<Timestamp>,
}

impl Acknowledgement {
    /// Somebody took note of it at this time, for this reason: for a report of your own. A run's has
    /// its counts too.
    pub fn new(who: impl Into<String>, at: Timestamp, why: impl Into<String>) -> Self {
        Self {
            who: who.into(),
            why: why.into(),
            diverged: 0,
            compared: 0,
            at: Some(at),
        }
    }

    pub(super) fn of_order(order: Order, diverged: u64, compared: u64) -> Self {
        let Order { who, why, .. } = order;
        Self {
            who,
            why,
            diverged,
            compared,
            at: None,
        }
    }
}
