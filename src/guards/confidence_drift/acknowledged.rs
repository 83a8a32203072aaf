//! A drift that somebody knows of.

use serde::{Deserialize, Serialize};

use crate::order::Order;
use crate::time::Timestamp;

/// Until when, by whom, and why no page is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Acknowledged {
    pub(super) until: Timestamp,
    pub(super) order: Order,
}

impl Acknowledged {
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}
