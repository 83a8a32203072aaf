//! The votes of guards on a call; of several votes the strictest wins.

use std::collections::BTreeSet;
use std::fmt;

use crate::call::{Destination, Reason, Role};
use crate::tokens::Model;

/// A guard's vote on the version that serves a call. Ordered from least to most cautious: the most
/// cautious vote wins, whatever the order of the guards.
///
/// A candidate serves only if a guard votes `Candidate` and no guard votes for a more cautious
/// route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the votes form a chain, and a new one would change what its neighbours mean"
)]
pub enum Route {
    /// No vote; production serves if no guard votes.
    #[default]
    Abstain,
    /// The candidate may serve this call.
    Candidate,
    /// Production, not the candidate.
    Stable,
    /// The previous version.
    Previous,
    /// No version: the document goes to human review.
    HumanReview,
}

impl Route {
    /// The more cautious of two votes.
    pub fn stricter(self, other: Self) -> Self {
        self.max(other)
    }

    /// The role of the version that serves; `None` if no version does.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Candidate => Some(Role::Candidate),
            Self::Abstain | Self::Stable => Some(Role::Stable),
            Self::Previous => Some(Role::Previous),
            Self::HumanReview => None,
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Abstain => "no vote",
            Self::Candidate => "the candidate",
            Self::Stable => "production",
            Self::Previous => "the previous version",
            Self::HumanReview => "human review",
        })
    }
}

impl From<Role> for Route {
    fn from(role: Role) -> Self {
        match role {
            Role::Candidate => Self::Candidate,
            Role::Stable => Self::Stable,
            Role::Previous => Self::Previous,
        }
    }
}

/// A guard's vote on whether the chosen version may serve a call.
///
/// Verdicts form a lattice: [`stricter`](Self::stricter) is commutative, associative and
/// idempotent, so the order of the guards does not change the result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
#[allow(
    clippy::exhaustive_enums,
    reason = "the pipeline must know every verdict to combine them"
)]
pub enum Verdict {
    /// The call may be made.
    #[default]
    Proceed,
    /// The call may be made only with this larger model.
    UseModel(Box<Model>),
    /// The call must not be made; the document goes elsewhere.
    Divert(Divert),
}

impl Verdict {
    /// Diverts the document to `destination` for this reason.
    pub fn divert(destination: Destination, reason: Reason) -> Self {
        Self::Divert(Divert::new(destination, reason))
    }

    /// The stricter of two verdicts. A diversion is stricter than a larger model, which is stricter
    /// than proceeding. Of two models the larger wins; of two diversions, human review wins over a
    /// queue, with the reasons of both.
    #[inline]
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (verdict, Self::Proceed) | (Self::Proceed, verdict) => verdict,
            (Self::UseModel(one), Self::UseModel(other)) => Self::UseModel(one.max(other)),
            (Self::Divert(divert), Self::UseModel(_))
            | (Self::UseModel(_), Self::Divert(divert)) => Self::Divert(divert),
            (Self::Divert(mut one), Self::Divert(other)) => {
                one.destination = one.destination.max(other.destination);
                one.reasons.extend(other.reasons);
                Self::Divert(one)
            }
        }
    }
}

/// A diversion: where the document goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divert {
    destination: Destination,
    reasons: BTreeSet<Reason>,
}

impl Divert {
    pub(crate) fn new(destination: Destination, reason: Reason) -> Self {
        Self {
            destination,
            reasons: BTreeSet::from([reason]),
        }
    }

    /// Where the document goes.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The reasons, at least one.
    pub fn reasons(&self) -> &BTreeSet<Reason> {
        &self.reasons
    }
}

/// A guard's vote on an answer: accept it, or send it to human review. The stricter vote wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
#[allow(
    clippy::exhaustive_enums,
    reason = "the pipeline must know every vote to combine them"
)]
pub enum Acceptance {
    /// The answer can be used without review.
    #[default]
    Accept,
    /// The answer goes to human review, for these reasons.
    Review(BTreeSet<Reason>),
}

impl Acceptance {
    /// Sends the answer to human review for this reason.
    pub fn review(reason: Reason) -> Self {
        Self::Review(BTreeSet::from([reason]))
    }

    /// The stricter of two votes, with the reasons of both.
    #[inline]
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (acceptance, Self::Accept) | (Self::Accept, acceptance) => acceptance,
            (Self::Review(mut one), Self::Review(other)) => {
                one.extend(other);
                Self::Review(one)
            }
        }
    }
}
