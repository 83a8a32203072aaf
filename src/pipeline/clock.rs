//! The source of time. No other file reads the system's clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::time::{Timestamp, millis};

/// A source of time. It may jump back; the pipeline never lets a decision see that.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The system's time: the wall clock at its start, plus monotonic time since.
///
/// Within a process it never goes back, whatever happens to the wall clock. After a restart it
/// follows the wall clock, so that a window of 48 hours continues.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    wall: Timestamp,
    start: Instant,
}

impl SystemClock {
    /// Starts from the wall clock.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the system's time"
    )]
    pub fn new() -> Self {
        Self {
            wall: SystemTime::now().into(),
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.wall + self.start.elapsed()
    }
}

/// A clock that moves when it is told to. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use fusebox::Timestamp;
/// use fusebox::clock::{Clock, MockClock};
///
/// let clock = MockClock::at(Timestamp::from_millis(1_000));
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now().as_millis(), 3_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MockClock(Arc<AtomicU64>);

impl MockClock {
    /// Starts at the epoch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts at `now`.
    pub fn at(now: Timestamp) -> Self {
        let clock = Self::new();
        clock.set(now);
        clock
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Jumps to `now`, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
