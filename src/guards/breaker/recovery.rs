//! Automatic recovery: a version out of service becomes half-open and is probed with a few calls.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::TicketId;
use crate::error::Error;
use crate::time::{Timestamp, minutes};

const LONGEST_WAIT: Duration = minutes(15);
const PROBES: u32 = 3;
const LEASE: Duration = minutes(10);

/// How a version comes back into service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// Only when the operator [rearms](crate::ErrorRateBreaker::rearm) it: no automatic probe
    /// serves a bad prompt.
    #[default]
    Latch,
    /// Automatically, after a few successful calls: for transient faults, such as those of a
    /// provider.
    Probe(Probing),
}

/// When and how a version that is out of service is probed.
///
/// After a wait the version is half-open: a few calls are admitted to it. When all of them succeed,
/// the version is back in service, with an empty window; when one fails, the version is out of
/// service again, and the wait doubles. A probe that does not end within its lease counts as
/// failed.
///
/// ```
/// use std::time::Duration;
/// use fusebox::ErrorRateBreaker;
/// use fusebox::breaker::Probing;
///
/// let probing = Probing::after(Duration::from_secs(60)).with_probes(5);
/// let breaker = ErrorRateBreaker::builder().recovery(probing).build()?;
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "half-open")]
pub struct Probing {
    wait: Duration,
    longest_wait: Option<Duration>,
    pub(super) probes: u32,
    lease: Duration,
}

impl Probing {
    /// Probes the version after this wait, with 3 calls and a lease of 10 minutes. The wait
    /// doubles, up to 15 minutes.
    pub const fn after(wait: Duration) -> Self {
        Self {
            wait,
            longest_wait: None,
            probes: PROBES,
            lease: LEASE,
        }
    }

    /// The longest wait (15 minutes by default, or the first wait if that is longer).
    pub const fn with_longest_wait(mut self, longest: Duration) -> Self {
        self.longest_wait = Some(longest);
        self
    }

    /// The number of calls that must succeed (3 by default); no more are admitted.
    pub fn with_probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// How long a probe may take (10 minutes by default). Choose more than the slowest healthy
    /// call.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let shown = |duration| humantime::format_duration(duration);
        for (field, duration) in [("probing wait", self.wait), ("probing lease", self.lease)] {
            if duration < Duration::from_millis(1) {
                return Err(Error::invalid(field, shown(duration), "at least 1 ms"));
            }
        }
        if let Some(longest) = self.longest_wait.filter(|longest| *longest < self.wait) {
            let allowed = format!("at least the first wait ({})", shown(self.wait));
            return Err(Error::invalid(
                "probing longest wait",
                shown(longest),
                allowed,
            ));
        }
        if self.probes == 0 {
            return Err(Error::invalid("probing probes", self.probes, "at least 1"));
        }
        Ok(())
    }

    /// The wait after a version has gone out of service `times` times in a row.
    pub(super) fn wait(&self, times: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(times.saturating_sub(1));
        self.wait.saturating_mul(doubled).min(self.longest_wait())
    }

    fn longest_wait(&self) -> Duration {
        self.longest_wait.unwrap_or(LONGEST_WAIT.max(self.wait))
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latch => f.write_str("by the operator"),
            Self::Probe(probing) => probing.fmt(f),
        }
    }
}

impl fmt::Display for Probing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |duration| humantime::format_duration(duration);
        write!(
            f,
            "{} probes after {} up to {}, each within {}",
            self.probes,
            shown(self.wait),
            shown(self.longest_wait()),
            shown(self.lease)
        )
    }
}

impl From<Probing> for Recovery {
    fn from(probing: Probing) -> Self {
        Self::Probe(probing)
    }
}

/// The probes of a half-open version.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HalfOpen {
    /// The number of successful probes.
    passed: u32,
    #[serde(skip)]
    slots: Vec<Slot>,
}

/// A probe that has not ended.
#[derive(Clone, Debug)]
struct Slot {
    call: TicketId,
    since: Timestamp,
}

impl HalfOpen {
    /// Admits a call as a probe; whether there was room for it.
    pub(super) fn reserve(&mut self, call: TicketId, probing: &Probing, now: Timestamp) -> bool {
        let taken = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        if taken.saturating_add(self.passed) >= probing.probes {
            return false;
        }
        self.slots.push(Slot { call, since: now });
        true
    }

    /// Frees a probe's slot; whether the call was a probe.
    pub(super) fn release(&mut self, call: TicketId) -> bool {
        let found = self.slots.iter().position(|slot| slot.call == call);
        found.map(|at| self.slots.swap_remove(at)).is_some()
    }

    pub(super) fn contains(&self, call: TicketId) -> bool {
        self.slots.iter().any(|slot| slot.call == call)
    }

    /// Counts a successful probe; whether all probes have succeeded.
    pub(super) fn pass(&mut self, probing: &Probing) -> bool {
        self.passed += 1;
        self.has_passed(probing)
    }

    /// Whether all probes have succeeded, also where fewer are asked for than before.
    pub(super) fn has_passed(&self, probing: &Probing) -> bool {
        self.passed >= probing.probes
    }

    pub(super) fn has_expired(&self, probing: &Probing, now: Timestamp) -> bool {
        let mut slots = self.slots.iter();
        slots.any(|slot| now.since(slot.since) >= probing.lease)
    }
}
