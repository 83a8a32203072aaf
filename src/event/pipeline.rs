//! What the pipeline reports, as data and as one line of text.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::{Destination, Reason};
use crate::name::{DocumentId, DocumentType, ModelName, VersionId};

/// What a [`Pipeline`](crate::Pipeline) itself reports, and what several guards report alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields carry the names of what they hold; each variant says what they are about"
)]
pub enum PipelineEvent {
    /// The versions that are live from now on.
    Deployed {
        stable: VersionId,
        previous: Option<VersionId>,
        candidate: Option<VersionId>,
    },
    /// A document was diverted.
    Diverted {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        destination: Destination,
        reasons: BTreeSet<Reason>,
    },
    /// A guard panicked; its word was taken as the strictest.
    GuardPanicked { guard: String },
    /// A guard watches as many keys as it may; what is new is watched together, as one.
    KeysExhausted { limit: usize, first: String },
    /// A document goes to a larger model.
    LargerModel {
        document: DocumentId,
        document_type: DocumentType,
        version: VersionId,
        model: ModelName,
    },
    /// A guard that only watches would have diverted or rerouted a document.
    WouldAct {
        document: DocumentId,
        document_type: DocumentType,
        route: Option<String>,
        reasons: BTreeSet<Reason>,
    },
    /// A guard that only watches would have refused a line-up.
    WouldRefuse { reason: String },
}

impl PipelineEvent {
    /// Which event it is, as `"event"` says in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deployed { .. } => "deployed",
            Self::Diverted { .. } => "diverted",
            Self::GuardPanicked { .. } => "guard_panicked",
            Self::KeysExhausted { .. } => "keys_exhausted",
            Self::LargerModel { .. } => "larger_model",
            Self::WouldAct { .. } => "would_act",
            Self::WouldRefuse { .. } => "would_refuse",
        }
    }
}

impl fmt::Display for PipelineEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployed {
                stable,
                previous,
                candidate,
            } => {
                write!(f, "{stable} serves")?;
                if let Some(previous) = previous {
                    write!(f, ", {previous} is kept to fall back to")?;
                }
                if let Some(candidate) = candidate {
                    write!(f, ", {candidate} is on trial")?;
                }
                Ok(())
            }
            Self::Diverted {
                document,
                destination,
                reasons,
                ..
            } => {
                write!(f, "{document} goes to {destination}: {}", Listed(reasons))
            }
            Self::GuardPanicked { guard } => write!(
                f,
                "guard {guard} panicked; its word counts as the strictest"
            ),
            Self::KeysExhausted { limit, first } => {
                write!(
                    f,
                    "{limit} keys are watched, from `{first}` on all new ones are watched as one"
                )
            }
            Self::LargerModel {
                document,
                version,
                model,
                ..
            } => {
                write!(
                    f,
                    "{document} goes to {model}: too large for the model of {version}"
                )
            }
            Self::WouldAct {
                document,
                route,
                reasons,
                ..
            } => match route {
                Some(route) => write!(f, "{document} would have been routed to {route}"),
                None => write!(
                    f,
                    "{document} would have been held back: {}",
                    Listed(reasons)
                ),
            },
            Self::WouldRefuse { reason } => {
                write!(f, "would have refused the deployment: {reason}")
            }
        }
    }
}

struct Listed<'a>(&'a BTreeSet<Reason>);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, reason) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{reason}")?;
        }
        Ok(())
    }
}
