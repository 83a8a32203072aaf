//! Equal or not.

use super::Compare;
use crate::call::Comparison;

/// The answers agree if they are equal, by `PartialEq`.
///
/// A divergence names no field and shows no values, because the type says nothing about them.
///
/// ```
/// use fusebox::call::Comparison;
/// use fusebox::shadow::compare::{Compare, Exact};
///
/// assert_eq!(Exact.compare("12.50", "12.50"), Comparison::Match);
/// assert_eq!(Exact.compare(&["a", "b"], &["b", "a"]), Comparison::Diverged(vec![]));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "it has no settings, and its name is its value"
)]
pub struct Exact;

impl<T: PartialEq + ?Sized> Compare<T> for Exact {
    fn compare(&self, production: &T, candidate: &T) -> Comparison {
        if production == candidate {
            Comparison::Match
        } else {
            Comparison::Diverged(Vec::new())
        }
    }
}
