//! Comparators that take time.

use std::sync::Arc;

use async_trait::async_trait;

use crate::call::Comparison;
use crate::guards::shadow::compare::Compare;

/// Compares a candidate's answer with production's by a call of its own, such as one to a model that
/// judges.
///
/// It sees both answers by reference and returns a [`Comparison`]. If it cannot decide, or its own
/// call fails, it returns [`Comparison::NotComparable`] with the reason: never a match by default.
/// It has the run's timeout; after that the document is not comparable.
#[async_trait]
pub trait Judge<T>: Send + Sync {
    /// Compares the answers to one document.
    async fn judge(&self, production: &T, candidate: &T) -> Comparison;
}

/// How the answers of a run are compared.
pub(super) enum Comparing<T> {
    AtOnce(Arc<dyn Compare<T>>),
    Judged(Arc<dyn Judge<T>>),
}

impl<T> Clone for Comparing<T> {
    fn clone(&self) -> Self {
        match self {
            Self::AtOnce(compare) => Self::AtOnce(Arc::clone(compare)),
            Self::Judged(judge) => Self::Judged(Arc::clone(judge)),
        }
    }
}
