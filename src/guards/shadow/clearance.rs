//! Whether a shadow run clears its candidate for a rollout.

use super::ShadowComparator;
use super::judged::JudgedVerdict;
use super::verdict::ShadowVerdict;
use crate::guard::Clearance;
use crate::name::VersionId;

/// A run clears its own candidate alone, once its verdict speaks for it:
/// - where people's corrections judge the candidate, [`JudgedVerdict::NoWorse`];
/// - where they do not, [`ShadowVerdict::CertifiedBelow`], or [`ShadowVerdict::ReviewRequired`] when
///   every review that was requested is [acknowledged](ShadowComparator::acknowledge): somebody has
///   looked.
///
/// It does not ask which version of production its documents were compared with.
impl Clearance for ShadowComparator {
    fn clears(&self, candidate: &VersionId) -> Result<(), String> {
        let own = &self.settings.candidate;
        if candidate != own {
            return Err(format!("the shadow run is of {own}"));
        }
        let core = self.core.lock();
        if let Some(corrections) = &core.corrections {
            return match corrections.verdict() {
                JudgedVerdict::NoWorse => Ok(()),
                other => Err(other.to_string()),
            };
        }
        match core.verdict(&self.settings) {
            ShadowVerdict::CertifiedBelow => Ok(()),
            ShadowVerdict::ReviewRequired if core.is_acknowledged() => Ok(()),
            other => Err(other.to_string()),
        }
    }
}
