//! The counts of a version's calls.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The calls of one version within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VersionCounts {
    /// Calls that ended with an answer or a failure.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Calls that were abandoned; not among `calls`, unless
    /// [`abandoned_counts`](super::ErrorRateBreakerBuilder::abandoned_counts) is on.
    pub abandoned: u64,
    /// Calls that the API throttled; not among `calls`.
    pub throttled: u64,
    /// Those of `calls` that took longer than
    /// [`slow_calls`](super::ErrorRateBreakerBuilder::slow_calls) allows; zero when that rule is
    /// off.
    pub slow: u64,
    /// Calls that ended too late to count, since the version was last rearmed: they were admitted
    /// before its last change of state, or ended while it was out of service.
    pub late: u64,
    /// How the error rate compares with the threshold.
    pub health: Health,
}

/// How a version's error rate compares with the threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Health {
    /// The window has too few calls for a rate.
    #[default]
    InsufficientData,
    /// The error rate does not exceed the threshold.
    Healthy,
    /// The error rate exceeds the threshold.
    Failing,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InsufficientData => "insufficient data",
            Self::Healthy => "healthy",
            Self::Failing => "failing",
        })
    }
}
