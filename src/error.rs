//! The crate's error type: an invalid value or configuration, a failed token count, an unreadable
//! state.

use std::borrow::Cow;
use std::fmt;

use crate::revision::Revision;

/// Why fusebox refused a value, a configuration or a stored state.
///
/// Constructors, builders, deployments, operator commands, token counters, snapshots and
/// [`restore`](crate::Pipeline::restore) return it; admitting and settling a call never does. A
/// diverted document is a value ([`Diversion`](crate::Diversion)), and the error of your own client
/// passes through unchanged.
///
/// The message names the field, the given value and what fusebox expects:
///
/// ```
/// use fusebox::{DocumentId, ErrorKind};
///
/// let error = DocumentId::new("").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// assert_eq!(error.to_string(), "document id: got ``, expected at least one character");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Repr>);

/// The kind of an [`Error`], for code that branches on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A token counter could not count a text.
    Count,
    /// A file cannot be read, or its content is not allowed (feature `toml`).
    File,
    /// A value or a configuration is not allowed.
    Invalid,
    /// A rollout is not [ready](crate::drill::Readiness).
    NotReady,
    /// A command was meant for an earlier [`Revision`](crate::Revision): look at the status again.
    Outdated,
    /// A stored state cannot be read, or belongs to something else.
    State,
    /// A [`Store`](crate::store::Store) could not read or write.
    Store(StoreFault),
}

/// Why a store could not read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StoreFault {
    /// Another process holds it.
    Busy,
    /// Its content is damaged.
    Corrupt,
    /// There is no room.
    Full,
    /// It may only be read.
    ReadOnly,
    /// What it had is lost, and a new one takes its place: the next request writes to that.
    Replaced,
    /// It does not answer, or for another reason.
    Unavailable,
    /// It was written by another version of fusebox.
    UnknownFormat,
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Busy => "busy",
            Self::Corrupt => "corrupt",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Replaced => "replaced",
            Self::Unavailable => "unavailable",
            Self::UnknownFormat => "of an unknown format",
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum Repr {
    #[error("{field}: got `{value}`, expected {allowed}")]
    Invalid {
        field: Cow<'static, str>,
        value: String,
        allowed: Cow<'static, str>,
    },
    #[error("{place}: {reason}")]
    File { place: String, reason: String },
    #[error("{command}: meant for revision {meant_for}, but it is {revision} now: {now}")]
    Outdated {
        command: String,
        meant_for: Revision,
        revision: Revision,
        now: String,
    },
    #[error("rollout of {candidate} is not ready: {gaps}")]
    NotReady { candidate: String, gaps: String },
    #[error("token counter `{counter}`: {reason}")]
    Count { counter: String, reason: String },
    #[error("store {store} is {fault}: {reason}")]
    Store {
        store: String,
        fault: StoreFault,
        reason: String,
    },
    #[error("state of `{owner}`: {reason}")]
    State {
        owner: String,
        reason: String,
        #[source]
        source: Option<serde_json::Error>,
    },
}

impl Error {
    /// An error for a value that is not allowed: the field, the value, and what is allowed. The
    /// last completes the sentence "expected ..".
    ///
    /// Public for guards of your own; long values are cut and control characters escaped.
    pub fn invalid(
        field: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Repr::Invalid {
            field: field.into(),
            value: excerpt(&value.to_string()),
            allowed: allowed.into(),
        }))
    }

    /// An error if a text that a person must give is blank, is too long for an event, or would break
    /// the one line that the event is.
    pub(crate) fn unless_a_line(field: &'static str, text: &str) -> Result<(), Self> {
        let allowed = if text.trim().is_empty() {
            "at least one character"
        } else if text.chars().any(char::is_control) {
            "one line, without control characters"
        } else if text.len() > LONGEST_LINE {
            "at most 1000 bytes"
        } else {
            return Ok(());
        };
        Err(Self::invalid(field, text, allowed))
    }

    /// An error for a command that was meant for another revision, and what is the case now.
    pub(crate) fn outdated(
        command: impl fmt::Display,
        meant_for: Revision,
        revision: Revision,
        now: impl fmt::Display,
    ) -> Self {
        Self(Box::new(Repr::Outdated {
            command: command.to_string(),
            meant_for,
            revision,
            now: now.to_string(),
        }))
    }

    /// An error for a rollout that may not begin, and why, in one line.
    pub(crate) fn not_ready(candidate: impl fmt::Display, gaps: &[String]) -> Self {
        Self(Box::new(Repr::NotReady {
            candidate: candidate.to_string(),
            gaps: gaps.join("; "),
        }))
    }

    /// An error for a text that a token counter could not count, and the reason.
    pub fn count(counter: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self(Box::new(Repr::Count {
            counter: counter.to_string(),
            reason: excerpt(&reason.to_string()),
        }))
    }

    /// An error for a file that cannot be read or is not allowed: where, such as `a.toml, line 3`,
    /// and the reason.
    pub(crate) fn file(place: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self(Box::new(Repr::File {
            place: place.to_string(),
            reason: escaped(reason.to_string().chars()).collect(),
        }))
    }

    /// An error for a stored state that its owner cannot restore, and the reason.
    pub fn state(owner: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self(Box::new(Repr::State {
            owner: owner.to_string(),
            reason: excerpt(&reason.to_string()),
            source: None,
        }))
    }

    /// An error for a store that could not read or write: its name, which of the faults it is, and
    /// the reason.
    pub fn store(store: impl fmt::Display, fault: StoreFault, reason: impl fmt::Display) -> Self {
        Self(Box::new(Repr::Store {
            store: excerpt(&store.to_string()),
            fault,
            reason: excerpt(&reason.to_string()),
        }))
    }

    pub(crate) fn unreadable(owner: impl fmt::Display, source: serde_json::Error) -> Self {
        Self(Box::new(Repr::State {
            owner: owner.to_string(),
            reason: excerpt(&source.to_string()),
            source: Some(source),
        }))
    }

    /// An error for a guard that panicked during this step with its state or a line-up.
    pub(crate) fn panicked(guard: &str, while_it: &str) -> Self {
        Self::state(
            guard,
            format_args!("the guard panicked while it {while_it}"),
        )
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match *self.0 {
            Repr::Count { .. } => ErrorKind::Count,
            Repr::File { .. } => ErrorKind::File,
            Repr::Invalid { .. } => ErrorKind::Invalid,
            Repr::NotReady { .. } => ErrorKind::NotReady,
            Repr::Outdated { .. } => ErrorKind::Outdated,
            Repr::State { .. } => ErrorKind::State,
            Repr::Store { fault, .. } => ErrorKind::Store(fault),
        }
    }
}

const EXCERPT_CHARS: usize = 120;
const LONGEST_LINE: usize = 1_000;

fn excerpt(text: &str) -> String {
    let mut shown: String = escaped(text.chars().take(EXCERPT_CHARS)).collect();
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

fn escaped(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.flat_map(|c| {
        let escaped = c.is_control().then(|| c.escape_default());
        let plain = escaped.is_none().then_some(c);
        escaped.into_iter().flatten().chain(plain)
    })
}
