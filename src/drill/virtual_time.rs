//! How time runs in drills and replays.

use std::time::Duration;

use crate::time::hours;

/// How often they call `tick`.
pub(super) const TICK_EVERY: Duration = Duration::from_secs(5);
/// The longest time that they run for, ten years: more is a mistake in a number.
pub(super) const LONGEST: Duration = hours(24 * 3_660);
