//! What guards say about a call, and the lattices in which the strictest word wins.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::model::Model;
use crate::name::{Field, QueueName, VersionId};
use crate::signal::Confidence;
use crate::ticket::Ticket;
use crate::token_count::TokenCount;
use crate::version::Role;

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

/// Where a diverted document goes. Ordered by caution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Destination {
    /// A queue of yours, by name.
    Queue(QueueName),
    /// A person.
    HumanReview,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue {name}"),
            Self::HumanReview => f.write_str("human review"),
        }
    }
}

/// Why a document was diverted, or why a person must look at an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A guard failed while it judged; nothing is sent on trust.
    GuardFailed {
        /// Its name.
        guard: String,
    },
    /// A confidence is not a number between 0 and 1.
    InvalidConfidence {
        /// The field that it was given for.
        field: Field,
    },
    /// A confidence is below the acceptance threshold.
    LowConfidence {
        /// The field.
        field: Field,
        /// Its confidence.
        confidence: Confidence,
        /// The threshold at that moment.
        threshold: Confidence,
    },
    /// No version is fit to serve.
    NoVersionLeft,
    /// A reason of a guard of your own.
    Other(String),
    /// The prompt may need more than the limit allows.
    OverBudget {
        /// The version that was judged.
        version: VersionId,
        /// What the call needs, part by part.
        account: Box<Account>,
        /// What the limit allows.
        limit: u64,
        /// The most that the model reads beside the reserved answer.
        largest_prompt: u64,
    },
    /// The API read fewer tokens than the prompt has: the service cut it.
    PromptCut {
        /// What was counted.
        counted: TokenCount,
        /// What the API says it read.
        reported: u64,
    },
    /// Nobody counted the document's tokens.
    Unmeasured,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuardFailed { guard } => write!(f, "guard {guard} failed"),
            Self::InvalidConfidence { field } => {
                write!(f, "the confidence of {field} is not between 0 and 1")
            }
            Self::LowConfidence {
                field,
                confidence,
                threshold,
            } => write!(f, "confidence of {field} {confidence} is below {threshold}"),
            Self::NoVersionLeft => f.write_str("no version is fit to serve"),
            Self::Other(reason) => f.write_str(reason),
            Self::OverBudget {
                version,
                account,
                limit,
                largest_prompt,
            } => {
                let verb = if account.prompt().lower() > *largest_prompt {
                    "cannot fit"
                } else if account.prompt().is_exact() {
                    "needs"
                } else {
                    "may need"
                };
                write!(
                    f,
                    "{version} {verb} {account}; the limit is {limit} of {largest_prompt}"
                )
            }
            Self::PromptCut { counted, reported } => {
                write!(
                    f,
                    "the service read {reported} of {counted}: it cut the prompt"
                )
            }
            Self::Unmeasured => f.write_str("the tokens were not counted"),
        }
    }
}

/// A call that must not be made: send the document to [`destination`](Self::destination).
///
/// It is a value and not an error, so that `?` cannot swallow a document; the ledger already knows this end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the document goes nowhere unless you send it to the diversion's destination"]
pub struct Diversion {
    ticket: Ticket,
    divert: Divert,
}

impl Diversion {
    pub(crate) fn new(ticket: Ticket, divert: Divert) -> Self {
        Self { ticket, divert }
    }

    /// The ticket, to store with the document.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Where the document goes.
    pub fn destination(&self) -> &Destination {
        &self.divert.destination
    }

    /// Why: at least one reason.
    pub fn reasons(&self) -> &BTreeSet<Reason> {
        &self.divert.reasons
    }

    /// The ticket alone.
    pub fn into_ticket(self) -> Ticket {
        self.ticket
    }
}

impl fmt::Display for Diversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} goes to {}: ",
            self.ticket.document(),
            self.destination()
        )?;
        for (at, reason) in self.reasons().iter().enumerate() {
            let comma = if at == 0 { "" } else { "; " };
            write!(f, "{comma}{reason}")?;
        }
        Ok(())
    }
}
