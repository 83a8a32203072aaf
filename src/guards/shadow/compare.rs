//! Comparators: how a candidate's answer compares with production's.
//!
//! | comparator | for | decides |
//! |---|---|---|
//! | [`Exact`] | any `PartialEq` | equal or not |
//! | [`NormalisedText`] | texts | equal apart from case, white space and Unicode form |
//! | [`TextSimilarity`] | texts | at most a share of the characters was edited |
//! | [`JsonFields`] | JSON values, JSON texts | field by field, with critical fields and tolerances |
//! | [`SerialisedFields`] | any `Serialize` | the same, of your own types |
//! | a closure, or your own [`Compare`] | anything | your own rule |
//!
//! A comparator never averages: one critical difference makes a document diverge, however many
//! other fields agree. It is pure: the same two answers give the same [`Comparison`] on every
//! machine, at any time.

mod exact;
mod excerpt;
mod json;
mod similarity;
mod text;

use std::sync::Arc;

use crate::call::Comparison;

pub use exact::Exact;
pub use json::{JsonFields, JsonFieldsBuilder, SerialisedFields};
pub use similarity::TextSimilarity;
pub use text::{NormalisedText, UnicodeForm};

/// Decides how a candidate's answer compares with production's.
///
/// Implement it for a rule of your own, or pass a closure. A rule that cannot decide returns
/// [`Comparison::NotComparable`] with the reason, never a match.
///
/// ```
/// use fusebox::call::Comparison;
/// use fusebox::shadow::compare::Compare;
///
/// struct Length;
///
/// impl Compare<str> for Length {
///     fn compare(&self, production: &str, candidate: &str) -> Comparison {
///         if production.is_empty() {
///             return Comparison::NotComparable("production's answer is empty".into());
///         }
///         match production.len().abs_diff(candidate.len()) {
///             0..=10 => Comparison::Match,
///             _ => Comparison::Diverged(vec![]),
///         }
///     }
/// }
///
/// assert_eq!(Length.compare("a short text", "a shorter text"), Comparison::Match);
/// ```
pub trait Compare<T: ?Sized>: Send + Sync {
    /// Compares the two answers. It must not depend on anything else, such as the time or chance.
    fn compare(&self, production: &T, candidate: &T) -> Comparison;
}

impl<T, F> Compare<T> for F
where
    T: ?Sized,
    F: Fn(&T, &T) -> Comparison + Send + Sync,
{
    fn compare(&self, production: &T, candidate: &T) -> Comparison {
        self(production, candidate)
    }
}

impl<T: ?Sized, C: Compare<T> + ?Sized> Compare<T> for Arc<C> {
    fn compare(&self, production: &T, candidate: &T) -> Comparison {
        (**self).compare(production, candidate)
    }
}

/// A closure as a comparator.
///
/// It returns the closure unchanged. It only tells the compiler what the arguments are, so that
/// they need no types.
///
/// ```
/// use fusebox::call::Comparison;
/// use fusebox::shadow::compare::{Compare, by};
///
/// let first_words = by::<str, _>(|production, candidate| {
///     let first = |text: &str| text.split(' ').next().map(str::to_owned);
///     if first(production) == first(candidate) {
///         Comparison::Match
///     } else {
///         Comparison::Diverged(vec![])
///     }
/// });
/// assert_eq!(first_words.compare("approved by A", "approved by B"), Comparison::Match);
/// ```
pub fn by<T, F>(rule: F) -> F
where
    T: ?Sized,
    F: Fn(&T, &T) -> Comparison + Send + Sync,
{
    rule
}
