//! Since when a guard is as it is: what a command was meant for.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The last change of a guard that an operator should know of before the next command.
///
/// The guard's status has it, together with what it stands for. A command names the revision that
/// it was meant for, and is refused when the guard has changed since: so two people, or one person
/// and the guard, cannot take the same step twice. Read the status, decide, and hand its revision on
/// unchanged; do not read it anew just before the command.
///
/// It is a number that grows with each change: the time of the change, in milliseconds since 1970, or
/// one more than before where the clock did not advance. It is kept over a restart. After a restore
/// of an older snapshot it is that of the snapshot; the numbers of changes that were lost do not
/// come back with others.
///
/// ```
/// use fusebox::breaker::BreakerMode;
/// use fusebox::{ErrorKind, ErrorRateBreaker};
///
/// let breaker = ErrorRateBreaker::default();
/// let seen = breaker.status().revision;
/// breaker.switch(BreakerMode::ObserveOnly, seen, "ada", "the provider announced an outage")?;
///
/// let refused = breaker.switch(BreakerMode::Disabled, seen, "bob", "too many pages").unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::Outdated);
/// assert_eq!(
///     refused.to_string(),
///     "error-rate switch: meant for revision 0, but it is 1 now: observe only, every version in \
///      service"
/// );
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The revision with this number, as an operator gave it back.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The guard has changed.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.0 = self.0.saturating_add(1).max(now.as_millis());
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Revision {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}
