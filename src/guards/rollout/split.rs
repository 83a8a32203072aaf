//! Which documents a candidate gets: always the same ones, and more of them when the share grows.
//! And whether it got its share.

use twox_hash::XxHash3_64;

use super::evidence::counts::Pair;
use crate::call::Role;
use crate::name::{DocumentId, VersionId};
use crate::ratio::Ratio;
use crate::stats::CHI_SQUARE_ONE_IN_A_THOUSAND;

/// With fewer expected documents of either version the split is not tested.
const MIN_EXPECTED: f64 = 8.0;

/// Maps each document to a point between 0 and 1.
///
/// The point is a hash of the document id, salted with the policy and the candidate. So a retried
/// document keeps its version, every document in the 5 % is also in the 25 %, and each candidate
/// starts with different documents.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Split {
    salt: u64,
}

impl Split {
    pub(super) fn new(policy: &str, candidate: &VersionId) -> Self {
        let seed = policy.len() as u64;
        Self {
            salt: XxHash3_64::oneshot_with_seed(seed, candidate.as_str().as_bytes())
                ^ XxHash3_64::oneshot(policy.as_bytes()),
        }
    }

    /// The version to which a document belongs.
    pub(super) fn assigned(self, document: &DocumentId, share: Ratio) -> Role {
        if self.is_exposed(document, share) {
            Role::Candidate
        } else {
            Role::Stable
        }
    }

    pub(super) fn is_exposed(self, document: &DocumentId, share: Ratio) -> bool {
        let point = XxHash3_64::oneshot_with_seed(self.salt, document.as_str().as_bytes());
        share.contains_hash(point)
    }
}

/// Whether the candidate's share of the processed documents differs from the planned share: a
/// correct split is as far off by chance once in a thousand times (chi-square, one degree of
/// freedom).
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
pub(super) fn is_split_broken(processed: Pair<u64>, share: Ratio) -> bool {
    let all = (processed.candidate + processed.stable) as f64;
    let expected = all * share.as_f64();
    if expected.min(all - expected) < MIN_EXPECTED {
        return false;
    }
    let off = processed.candidate as f64 - expected;
    off * off / (expected * (1.0 - share.as_f64())) > *CHI_SQUARE_ONE_IN_A_THOUSAND
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposed(candidate: &str, share: Ratio) -> Vec<bool> {
        let candidate = VersionId::new(candidate).unwrap();
        let split = Split::new("canary", &candidate);
        (0..20_000)
            .map(|n| split.is_exposed(&DocumentId::new(format!("doc-{n}")).unwrap(), share))
            .collect()
    }

    #[test]
    fn a_larger_share_keeps_every_document() {
        let shares = [
            Ratio::ZERO,
            Ratio::percent(5),
            Ratio::new(1, 7).unwrap(),
            Ratio::basis_points(2_500),
            Ratio::ONE,
        ];
        for pair in shares.windows(2) {
            let (few, more) = (exposed("v8", pair[0]), exposed("v8", pair[1]));
            assert!(few.iter().zip(&more).all(|(few, more)| more >= few));
        }
        assert!(exposed("v8", Ratio::ONE).iter().all(|exposed| *exposed));
        assert!(!exposed("v8", Ratio::ZERO).iter().any(|exposed| *exposed));
    }

    /// Of 20,000 documents at 5 %, four standard deviations of the binomial are 123.
    #[test]
    fn the_share_is_met_and_depends_on_the_candidate() {
        let count = |exposed: &[bool]| exposed.iter().filter(|exposed| **exposed).count();
        let (one, other) = (
            exposed("v8", Ratio::percent(5)),
            exposed("v9", Ratio::percent(5)),
        );
        for exposed in [&one, &other] {
            assert!(count(exposed).abs_diff(1_000) < 123, "{}", count(exposed));
        }
        let both = one
            .iter()
            .zip(&other)
            .filter(|(one, other)| **one && **other)
            .count();
        assert!(
            both < 100,
            "two candidates get different documents: {both} in common, 50 expected by chance"
        );
    }
}
