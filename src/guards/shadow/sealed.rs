//! A candidate's output that can only be compared.

use std::any::type_name;
use std::fmt;

use crate::call::Comparison;

/// The output of a candidate in a shadow run: your program can compare it with production's output,
/// but cannot act on it.
///
/// The output cannot be read, cloned, serialised or converted; printing it shows only its type.
/// [`compare`](Self::compare) consumes it and returns a [`Comparison`]. Wrap the output where the
/// candidate's call returns: then the rest of the program cannot mistake it for an answer.
///
/// ```
/// use fusebox::Field;
/// use fusebox::call::Comparison;
/// use fusebox::shadow::Shadowed;
///
/// # fn main() -> Result<(), fusebox::Error> {
/// let total = Field::new("total")?;
/// let shadowed = Shadowed::new("12.50".to_owned());
/// let comparison = shadowed.compare("12.05", |production: &str, candidate| {
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
/// let shadowed = fusebox::shadow::Shadowed::new(String::from("12.50"));
/// println!("{}", shadowed.0);
/// ```
/// Using it as what it wraps:
/// ```compile_fail,E0614
/// let shadowed = fusebox::shadow::Shadowed::new(String::from("12.50"));
/// println!("{}", *shadowed);
/// ```
/// ```compile_fail,E0277
/// let shadowed = fusebox::shadow::Shadowed::new(String::from("12.50"));
/// let value: String = shadowed.into();
/// ```
/// Cloning it:
/// ```compile_fail,E0599
/// let shadowed = fusebox::shadow::Shadowed::new(String::from("12.50"));
/// let copy = shadowed.clone();
/// ```
/// Storing it:
/// ```compile_fail,E0277
/// let shadowed = fusebox::shadow::Shadowed::new(String::from("12.50"));
/// let text = serde_json::to_string(&shadowed);
/// ```
/// Comparing it twice:
/// ```compile_fail,E0382
/// use fusebox::call::Comparison;
/// let shadowed = fusebox::shadow::Shadowed::new(String::from("12.50"));
/// let comparison = shadowed.compare("12.50", |_: &str, _| Comparison::Match);
/// let comparison = shadowed.compare("12.50", |_: &str, _| Comparison::Match);
/// ```
/// Moving a borrow out of the comparison:
/// ```compile_fail,E0521
/// use fusebox::call::Comparison;
/// let shadowed = fusebox::shadow::Shadowed::new(String::from("12.50"));
/// let mut stolen: Option<&String> = None;
/// let comparison = shadowed.compare("12.50", |_: &str, candidate| {
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
pub struct Shadowed<T>(T);

impl<T> Shadowed<T> {
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
}

impl<T> fmt::Debug for Shadowed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shadowed<{}>", type_name::<T>())
    }
}
