//! How often a guard has changed: what a command was meant for.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of changes of a guard that an operator should know of before the next command.
///
/// The guard's status has it, together with what it stands for. A command names the revision that
/// it was meant for, and is refused when the guard has changed since: so two people, or one person
/// and the guard, cannot take the same step twice. Read the status, decide, and hand its revision on
/// unchanged; do not read it anew just before the command.
///
/// In JSON and in text it is the number. It is kept over a restart.
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
    pub(crate) fn advance(&mut self) {
        self.0 = self.0.saturating_add(1);
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
