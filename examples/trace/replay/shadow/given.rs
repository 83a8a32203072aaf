//! What a version gives for a document of a trace.

use std::future::pending;
use std::panic::resume_unwind;

use fusebox::{Classify, FailureKind, Reply};
use serde_json::Value;

use super::{Fields, Problem};

/// An answer, or how its call ends without one.
#[derive(Clone)]
pub(super) enum Given {
    Answer(Value),
    Error,
    Hang,
    Panic(String),
}

impl Given {
    /// Any JSON is an answer, but for an object whose only key says that there is none.
    pub(super) fn read(fields: &Fields<'_>, key: &str) -> Result<Self, Problem> {
        let value = fields.get(key)?;
        let only = value.as_object().filter(|object| object.len() == 1);
        let only = only.and_then(|object| object.iter().next());
        let given = match only.map(|(key, value)| (key.as_str(), value)) {
            Some(("$error", Value::String(_))) => Self::Error,
            Some(("$panic", Value::String(message))) => Self::Panic(message.clone()),
            Some(("$hang", Value::Bool(true))) => Self::Hang,
            Some((mark @ ("$error" | "$panic"), _)) => {
                return Err(format!("{key}: {mark}: expected a text"));
            }
            Some(("$hang", _)) => return Err(format!("{key}: $hang: expected true")),
            _ => Self::Answer(value.clone()),
        };
        Ok(given)
    }

    /// A call of production that panics has failed, for the code around it.
    pub(super) fn as_production(&self) -> Self {
        match self {
            Self::Panic(_) => Self::Error,
            other => other.clone(),
        }
    }

    pub(super) async fn give(self) -> Result<Reply<Value>, Failed> {
        match self {
            Self::Answer(answer) => Ok(Reply::new(answer)),
            Self::Error => Err(Failed),
            Self::Hang => pending().await,
            // Without the message that a panic prints.
            Self::Panic(message) => resume_unwind(Box::new(message)),
        }
    }
}

/// A call that failed.
pub(super) struct Failed;

impl Classify for Failed {
    fn failure_kind(&self) -> FailureKind {
        FailureKind::Unknown
    }
}
