//! Whether a candidate may serve its first document.

use std::fmt;
use std::sync::Arc;

use crate::name::VersionId;

/// Says whether a candidate may serve its first document: what a rollout can
/// [demand](crate::rollout::RolloutPolicyBuilder::after_shadow) before it starts.
///
/// A [`ShadowComparator`](crate::ShadowComparator) gives it for its own candidate. A clearance of
/// your own can ask several shadow runs, one for each candidate, or something else altogether.
///
/// The rollout asks at each tick until the candidate is cleared, holds no lock meanwhile, and counts
/// a panic as "not cleared". The tick waits for the answer, so look it up and do not compute it.
///
/// ```
/// use fusebox::VersionId;
/// use fusebox::guard::Clearance;
///
/// /// The candidates that passed the evaluation of last night.
/// #[derive(Debug)]
/// struct Passed(Vec<VersionId>);
///
/// impl Clearance for Passed {
///     fn clears(&self, candidate: &VersionId) -> Result<(), String> {
///         if self.0.contains(candidate) {
///             return Ok(());
///         }
///         Err(format!("{candidate} has not passed the evaluation"))
///     }
/// }
///
/// let passed = Passed(vec![VersionId::new("v8")?]);
/// assert_eq!(passed.clears(&VersionId::new("v8")?), Ok(()));
/// assert!(passed.clears(&VersionId::new("v9")?).is_err());
/// # Ok::<(), fusebox::Error>(())
/// ```
pub trait Clearance: fmt::Debug + Send + Sync {
    /// Whether this candidate may serve its first document; the reason, for the operator, if it may
    /// not. The reason is shown as one line of at most 400 characters.
    fn clears(&self, candidate: &VersionId) -> Result<(), String>;
}

impl<C: Clearance + ?Sized> Clearance for Arc<C> {
    fn clears(&self, candidate: &VersionId) -> Result<(), String> {
        (**self).clears(candidate)
    }
}
