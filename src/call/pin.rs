//! The wish that one version serves all calls of a document.

use super::version::{Fingerprint, Version};
use crate::name::VersionId;

/// The version that a call is pinned to: that of an earlier call for the document.
/// [`Call::pinned_to`](crate::Call::pinned_to) says what it does.
///
/// Made from the earlier call's [`Ticket`](crate::Ticket).
///
/// ```
/// use fusebox::call::Pin;
/// # use fusebox::{Call, LineUp, Pipeline, RouteLedger, Version};
/// # let v7 = Version::new("v7", "gpt-4o")?;
/// # let pipeline = Pipeline::builder(LineUp::new(v7)).guard(RouteLedger::default()).build()?;
/// # let first = pipeline.admit(&Call::new("inv-1", "invoice")?).ticket().clone();
///
/// let pin = Pin::from(&first);
/// assert_eq!(*pin.version(), "v7");
/// assert!(pin.or_review().is_strict());
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    version: VersionId,
    fingerprint: Fingerprint,
    is_strict: bool,
}

impl Pin {
    pub(super) fn new(version: VersionId, fingerprint: Fingerprint) -> Self {
        Self {
            version,
            fingerprint,
            is_strict: false,
        }
    }

    /// The same, but where another version would serve, no call is made and the document goes to
    /// human review, for the reason [`PinLost`](crate::Reason::PinLost).
    pub fn or_review(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// The version.
    pub fn version(&self) -> &VersionId {
        &self.version
    }

    /// Whether no other version may serve; see [`or_review`](Self::or_review).
    pub fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// Whether it is to this version, with the same prompt, tools and model.
    pub(crate) fn is_to(&self, version: &Version) -> bool {
        self.version == *version.id() && self.fingerprint == version.fingerprint()
    }
}
