//! The end of a line that names what else was found.

use std::fmt;

/// Up to nine others of which the same was found, and the number of further ones.
pub(super) struct Also<'a, T>(pub(super) &'a [T], pub(super) u64);

impl<T: fmt::Display> fmt::Display for Also<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, other) in self.0.iter().enumerate() {
            let before = if n == 0 { "; the same of" } else { "," };
            write!(f, "{before} {other}")?;
        }
        match self.1 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
