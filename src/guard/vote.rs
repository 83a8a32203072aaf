//! What guards say about a call, and the lattices in which the strictest word wins.

use std::collections::BTreeSet;
use std::fmt;

use crate::call::{Destination, Reason, Role};
use crate::tokens::Model;

/// A guard's vote on which version serves a call. Ordered by caution: of several votes the greatest wins, whatever
/// their order.
///
/// Nothing but `Candidate` makes a candidate serve, and one vote for anything above it is enough to prevent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a chain: a new place in it would change what its neighbours mean"
)]
pub enum Route {
    /// No opinion; production serves if nobody has one.
    #[default]
    Abstain,
    /// The candidate may serve this call.
    Candidate,
    /// Production, not the candidate.
    Stable,
    /// The version before.
    Previous,
    /// No version is fit to serve: the document goes to a person.
    HumanReview,
}

impl Route {
    /// The more cautious of two votes.
    pub fn stricter(self, other: Self) -> Self {
        self.max(other)
    }

    /// The part of the line-up that serves; `None` when no version does.
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

/// A guard's word on whether the chosen version may take a call.
///
/// Verdicts form a lattice: [`stricter`](Self::stricter) is commutative, associative and idempotent, so the order in
/// which guards are added cannot change a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
#[allow(
    clippy::exhaustive_enums,
    reason = "the pipeline must know every verdict to join it"
)]
pub enum Verdict {
    /// Nothing against it.
    #[default]
    Proceed,
    /// Only with this larger model.
    UseModel(Box<Model>),
    /// Do not make the call; send the document elsewhere.
    Divert(Divert),
}

impl Verdict {
    /// Send the document to `destination` because of `reason`.
    pub fn divert(destination: Destination, reason: Reason) -> Self {
        Self::Divert(Divert {
            destination,
            reasons: BTreeSet::from([reason]),
        })
    }

    /// The stricter of two verdicts: a diversion over a larger model over going on; of two models the larger one; of
    /// two diversions a person over a queue, with the reasons of both.
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Divert(mut one), Self::Divert(other)) => {
                one.destination = one.destination.max(other.destination);
                one.reasons.extend(other.reasons);
                Self::Divert(one)
            }
            (Self::Divert(divert), _) | (_, Self::Divert(divert)) => Self::Divert(divert),
            (Self::UseModel(one), Self::UseModel(other)) => Self::UseModel(one.max(other)),
            (Self::UseModel(model), Self::Proceed) | (Self::Proceed, Self::UseModel(model)) => {
                Self::UseModel(model)
            }
            (Self::Proceed, Self::Proceed) => Self::Proceed,
        }
    }
}

/// Where a document goes instead, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divert {
    destination: Destination,
    reasons: BTreeSet<Reason>,
}

impl Divert {
    /// Where to.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Why: at least one reason.
    pub fn reasons(&self) -> &BTreeSet<Reason> {
        &self.reasons
    }
}

/// A guard's word on an answer: may it be acted on, or must a person look first? The stricter word wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
#[allow(
    clippy::exhaustive_enums,
    reason = "the pipeline must know every word to join it"
)]
pub enum Acceptance {
    /// Nothing against acting on it.
    #[default]
    Accept,
    /// A person must look, for these reasons.
    Review(BTreeSet<Reason>),
}

impl Acceptance {
    /// A person must look because of `reason`.
    pub fn review(reason: Reason) -> Self {
        Self::Review(BTreeSet::from([reason]))
    }

    /// The stricter of two words, with the reasons of both.
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Review(mut one), Self::Review(other)) => {
                one.extend(other);
                Self::Review(one)
            }
            (Self::Review(reasons), Self::Accept) | (Self::Accept, Self::Review(reasons)) => {
                Self::Review(reasons)
            }
            (Self::Accept, Self::Accept) => Self::Accept,
        }
    }
}
