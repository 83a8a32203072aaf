//! Whose fault it is that a version fails: the version's own, or the provider's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::TripReason;
use crate::failure::{Cause, FailureKind};
use crate::stats::Span;
use crate::time::Timestamp;

/// After so many times out of service in a row, of which the last began after a quarter of an hour
/// with the default waits, a version that fails while another is well is at fault itself.
const MOST_TIMES_OUT: u32 = 5;

/// Whose fault it is that a version is out of service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    /// Its calls fail as they do when the provider fails, but another version may be well.
    MaybeProvider { since: Timestamp },
    /// The provider says so, or versions failed alike; since its calls or probes last failed so.
    Provider { since: Timestamp },
    #[default]
    Version,
}

impl Fault {
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Provider { .. } => Cause::Provider,
            Self::MaybeProvider { .. } | Self::Version => Cause::Prompt,
        }
    }

    pub(super) fn is_provider(self) -> bool {
        matches!(self, Self::Provider { .. })
    }

    /// Whether it is or may be the provider's and was so shortly before: a second version that fails
    /// now fails alike.
    pub(super) fn is_like_an_outage_now(self, span: Span, now: Timestamp) -> bool {
        match self {
            Self::MaybeProvider { since } | Self::Provider { since } => {
                now.since(since) <= 2 * span.length()
            }
            Self::Version => false,
        }
    }

    /// Whose fault it is after a probe failed with this kind; `None` for a probe that never ended.
    /// While another version is well, a provider that is down for this one alone is not believed for
    /// ever.
    pub(super) fn after_probe(
        self,
        failed_with: Option<FailureKind>,
        times_out: u32,
        is_another_well: bool,
        now: Timestamp,
    ) -> Self {
        let is_by_provider = failed_with.is_none_or(may_be_providers);
        let is_said = failed_with.is_some_and(is_said_by_provider);
        let is_doubtful = is_another_well && !is_said && times_out >= MOST_TIMES_OUT;
        match self {
            Self::Provider { .. } if is_by_provider && !is_doubtful => {
                Self::Provider { since: now }
            }
            Self::Provider { .. } => Self::Version,
            other => other,
        }
    }
}

/// Whether a failure may be the provider's.
pub(super) fn may_be_providers(kind: FailureKind) -> bool {
    kind.cause() == Cause::Provider
}

/// Whether the provider itself says that it fails.
fn is_said_by_provider(kind: FailureKind) -> bool {
    kind == FailureKind::Overloaded
}

/// Whose fault it is that a version with `errors` in its window, these kinds of failures among them,
/// breaks a rule. A version that fails for reasons of its own as often as for the provider's is at
/// fault itself; calls that hang tell as much as calls that time out.
pub(super) fn of(
    broken: TripReason,
    kinds: &BTreeMap<FailureKind, u64>,
    errors: u64,
    now: Timestamp,
) -> Fault {
    let are_most = |is_one: fn(FailureKind) -> bool| {
        let ones = kinds.iter().filter(|(kind, _)| is_one(**kind));
        let ones: u64 = ones.map(|(_, count)| count).sum();
        ones.saturating_mul(2) > errors
    };
    if broken == TripReason::SlowCalls {
        Fault::MaybeProvider { since: now }
    } else if are_most(is_said_by_provider) {
        Fault::Provider { since: now }
    } else if are_most(may_be_providers) {
        Fault::MaybeProvider { since: now }
    } else {
        Fault::Version
    }
}
