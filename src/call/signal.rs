//! What guards learn: that a call opened, how it ended, and what is said about its answer later.

use super::feedback::Feedback;
use super::outcome::Outcome;
use super::report::Report;

/// What guards learn about a call.
///
/// Only a pipeline opens and settles calls: the application gives [`Feedback`] to
/// [`Pipeline::observe`](crate::Pipeline::observe), and this type cannot be read from stored text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// The call was admitted.
    Opened,
    /// The call ended.
    Settled {
        /// How.
        outcome: Outcome,
        /// What the application reported about the answer; empty when there was none.
        report: Report,
    },
    /// Somebody says something about the answer, possibly days later.
    Feedback(Feedback),
}
