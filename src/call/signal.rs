//! What a pipeline tells its guards about a call: its start, its outcome, and later feedback.

use super::feedback::Feedback;
use super::outcome::Outcome;
use super::report::Report;

/// What a pipeline tells its guards about a call.
///
/// Only a pipeline opens and settles calls: the application gives [`Feedback`] to
/// [`Pipeline::observe`](crate::Pipeline::observe), and this type cannot be read from stored text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// The call was admitted.
    Opened,
    /// The call ended with an outcome.
    Settled {
        /// How it ended.
        outcome: Outcome,
        /// What the application reported about the answer; empty when there was none.
        report: Report,
    },
    /// Feedback about the answer, possibly days later.
    Feedback(Feedback),
}
