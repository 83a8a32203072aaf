//! Coming back by itself: a version out of service is tried with a few calls.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::TicketId;
use crate::error::Error;
use crate::time::{Timestamp, minutes};

const LONGEST_WAIT: Duration = minutes(15);
const PROBES: u32 = 3;
const LEASE: Duration = minutes(10);

/// How a version that was taken out of service comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// Not before a person [arms it again](crate::ErrorRateBreaker::rearm): no automatic probe may serve a bad prompt.
    #[default]
    Latch,
    /// By itself, after some calls went well: for faults that pass, such as those of a provider.
    Probe(Probing),
}

/// When and how a version out of service is tried again.
///
/// After a wait a few calls are let through. When all of them succeed the version is back, with an empty window; when one
/// fails it is out again, and the wait doubles. A call that was let through and never ends gives up its place after the
/// lease, and counts as failed.
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
    /// Tried again after this wait, with 3 calls that have 10 minutes each. The wait doubles up to 15 minutes.
    pub fn after(wait: Duration) -> Self {
        Self {
            wait,
            longest_wait: None,
            probes: PROBES,
            lease: LEASE,
        }
    }

    /// The wait does not grow beyond this.
    pub fn with_longest_wait(mut self, longest: Duration) -> Self {
        self.longest_wait = Some(longest);
        self
    }

    /// How many calls must go well; no more than these are let through.
    pub fn with_probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// How long such a call may take. Choose more than the slowest call that is still good.
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
            let allowed = format!("at least the first wait, {}", shown(self.wait));
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

    /// How long to wait after a version has been out so many times in a row.
    pub(super) fn wait(&self, times: u32) -> Duration {
        let longest = self.longest_wait.unwrap_or(LONGEST_WAIT.max(self.wait));
        let doubled = 2_u32.saturating_pow(times.saturating_sub(1));
        self.wait.saturating_mul(doubled).min(longest)
    }
}

impl From<Probing> for Recovery {
    fn from(probing: Probing) -> Self {
        Self::Probe(probing)
    }
}

/// The calls that are let through while a version is tried.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HalfOpen {
    /// How many went well.
    passed: u32,
    #[serde(skip)]
    slots: Vec<Slot>,
}

/// The place of one such call.
#[derive(Clone, Debug)]
struct Slot {
    call: TicketId,
    since: Timestamp,
}

impl HalfOpen {
    /// A place for a call, if there is one left.
    pub(super) fn reserve(&mut self, call: TicketId, probing: &Probing, now: Timestamp) -> bool {
        let taken = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        if taken.saturating_add(self.passed) >= probing.probes {
            return false;
        }
        self.slots.push(Slot { call, since: now });
        true
    }

    /// Takes a call's place away; whether it had one.
    pub(super) fn leave(&mut self, call: TicketId) -> bool {
        let found = self.slots.iter().position(|slot| slot.call == call);
        found.map(|at| self.slots.swap_remove(at)).is_some()
    }

    pub(super) fn has(&self, call: TicketId) -> bool {
        self.slots.iter().any(|slot| slot.call == call)
    }

    /// One call more went well; whether all have.
    pub(super) fn pass(&mut self, probing: &Probing) -> bool {
        self.passed += 1;
        self.passed >= probing.probes
    }

    pub(super) fn has_expired(&self, probing: &Probing, now: Timestamp) -> bool {
        let mut slots = self.slots.iter();
        slots.any(|slot| now.since(slot.since) >= probing.lease)
    }
}
