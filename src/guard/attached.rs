//! Whether a pipeline holds a guard.

use std::sync::atomic::{AtomicBool, Ordering};

/// The mark that a pipeline holds a guard, so that no second pipeline takes it.
///
/// A guard that counts calls must be in one pipeline only: in two, each sees the other's calls, and
/// neither a fingerprint nor a line-up fits. A guard with such state has a mark and returns it from
/// [`Guard::attached`](crate::Guard::attached); building a second pipeline with it is an error until
/// the first, all of its clones and its open permits are gone.
///
/// ```
/// use std::sync::Arc;
/// use fusebox::guard::Attached;
/// use fusebox::{Guard, LineUp, Pipeline, Version};
///
/// #[derive(Debug, Default)]
/// struct Counts { attached: Attached }
///
/// impl Guard for Counts {
///     fn name(&self) -> &str { "counts" }
///
///     fn attached(&self) -> Option<&Attached> { Some(&self.attached) }
/// }
///
/// let counts = Arc::new(Counts::default());
/// let build = || Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).guard(Arc::clone(&counts)).build();
/// let first = build()?;
/// assert!(build().is_err());
/// drop(first);
/// assert!(build().is_ok());
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Attached(AtomicBool);

impl Attached {
    /// No pipeline holds the guard.
    pub fn new() -> Self {
        Self::default()
    }

    /// A pipeline takes the guard; whether no other has it.
    pub(crate) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// The pipeline that took the guard is gone.
    pub(crate) fn give_back(&self) {
        self.0.store(false, Ordering::Release);
    }
}
