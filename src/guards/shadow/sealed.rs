//! A candidate's output that can only be compared.

use std::any::type_name;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::LazyLock;

use crate::call::Comparison;

/// The key of the hashes that are printed.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The output of a candidate in a shadow run: your program can compare it with production's output,
/// but cannot act on it.
///
/// The output cannot be read, cloned, serialised or converted. Printing it shows only its type and a
/// hash: two outputs of one process are the same if their hashes are. The hash has a key that is
/// made for the process, so that an output cannot be guessed from it.
/// [`compare`](Self::compare) consumes it and returns a [`Comparison`]. Wrap the output where the
/// candidate's call returns: then the rest of the program cannot mistake it for an answer.
///
/// ```
/// use fusebox::Field;
/// use fusebox::call::{Comparison, Difference};
/// use fusebox::shadow::Sealed;
///
/// # fn main() -> Result<(), fusebox::Error> {
/// let total = Field::new("total")?;
/// let sealed = Sealed::new("12.50".to_owned());
/// let comparison = sealed.compare("12.05", |production: &str, candidate| {
///     if production == candidate {
///         Comparison::Match
///     } else {
///         Comparison::Diverged(vec![Difference::changed(total.clone())])
///     }
/// });
/// assert_eq!(comparison, Comparison::Diverged(vec![Difference::changed(total)]));
/// # Ok(()) }
/// ```
///
/// # What the compiler rejects
/// Reading the value:
/// ```compile_fail,E0616
/// let sealed = fusebox::shadow::Sealed::new(String::from("12.50"));
/// println!("{}", sealed.0);
/// ```
/// Using it as what it wraps:
/// ```compile_fail,E0614
/// let sealed = fusebox::shadow::Sealed::new(String::from("12.50"));
/// println!("{}", *sealed);
/// ```
/// ```compile_fail,E0277
/// let sealed = fusebox::shadow::Sealed::new(String::from("12.50"));
/// let value: String = sealed.into();
/// ```
/// Cloning it:
/// ```compile_fail,E0599
/// let sealed = fusebox::shadow::Sealed::new(String::from("12.50"));
/// let copy = sealed.clone();
/// ```
/// Storing it:
/// ```compile_fail,E0277
/// let sealed = fusebox::shadow::Sealed::new(String::from("12.50"));
/// let text = serde_json::to_string(&sealed);
/// ```
/// Comparing it twice:
/// ```compile_fail,E0382
/// use fusebox::call::Comparison;
/// let sealed = fusebox::shadow::Sealed::new(String::from("12.50"));
/// let comparison = sealed.compare("12.50", |_: &str, _| Comparison::Match);
/// let comparison = sealed.compare("12.50", |_: &str, _| Comparison::Match);
/// ```
/// Moving a borrow out of the comparison:
/// ```compile_fail,E0521
/// use fusebox::call::Comparison;
/// let sealed = fusebox::shadow::Sealed::new(String::from("12.50"));
/// let mut stolen: Option<&String> = None;
/// let comparison = sealed.compare("12.50", |_: &str, candidate| {
///     stolen = Some(candidate);
///     Comparison::Match
/// });
/// ```
///
/// # What it cannot do
/// Rust has no effect system: the closure can copy the value or act on it while it runs. The type
/// only prevents using the output by accident: keep the comparing closures few, small and in one
/// place.
#[must_use = "a shadow output that is never compared does not count in the run"]
pub struct Sealed<T>(T);

impl<T> Sealed<T> {
    /// Seals an output.
    pub const fn new(output: T) -> Self {
        Self(output)
    }

    /// Compares the output with production's answer and drops it.
    ///
    /// A panic in `compare` propagates: then there is no comparison, and nothing is counted.
    pub fn compare<P: ?Sized>(
        self,
        production: &P,
        compare: impl for<'a> FnOnce(&'a P, &'a T) -> Comparison,
    ) -> Comparison {
        compare(production, &self.0)
    }

    /// For comparators that take time.
    pub(crate) fn inner(&self) -> &T {
        &self.0
    }
}

impl<T: Hash> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = KEY.hash_one(&self.0);
        write!(f, "Sealed<{}>({hash:016x})", type_name::<T>())
    }
}
