//! The crate's own error: what was wrong with a value, a configuration or a stored state.

use std::borrow::Cow;
use std::fmt;

/// Why fusebox refused a value, a configuration or a stored state.
///
/// It comes only from constructors, builders, token counters and [`restore`](crate::Pipeline::restore); nothing on the
/// path of a call returns it. A diverted document is a value ([`Diversion`](crate::Diversion)), and the error of your
/// own client passes through untouched.
///
/// The message names the field, the value that came in and what is allowed:
///
/// ```
/// use fusebox::{DocumentId, ErrorKind};
///
/// let error = DocumentId::new("").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// assert_eq!(error.to_string(), "document id: got ``, expected give at least one character");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Repr>);

/// What an [`Error`] is about, for code that branches on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A token counter could not count a text.
    Count,
    /// A value or a configuration is outside what is allowed.
    Invalid,
    /// A stored state cannot be read, or was written for something else.
    State,
}

#[derive(Debug, thiserror::Error)]
enum Repr {
    #[error("{field}: got `{value}`, expected {allowed}")]
    Invalid {
        field: Cow<'static, str>,
        value: String,
        allowed: Cow<'static, str>,
    },
    #[error("token counter `{counter}`: {reason}")]
    Count { counter: String, reason: String },
    #[error("state of `{owner}`: {reason}")]
    State {
        owner: String,
        reason: String,
        #[source]
        source: Option<serde_json::Error>,
    },
}

impl Error {
    /// A value that is not allowed: the field it was given for, the value, and what is allowed instead.
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

    /// A text that a token counter could not count, and why.
    pub fn count(counter: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self(Box::new(Repr::Count {
            counter: counter.to_string(),
            reason: excerpt(&reason.to_string()),
        }))
    }

    /// A stored state that its owner cannot take up, and why.
    pub fn state(owner: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self(Box::new(Repr::State {
            owner: owner.to_string(),
            reason: excerpt(&reason.to_string()),
            source: None,
        }))
    }

    pub(crate) fn unreadable(owner: impl fmt::Display, source: serde_json::Error) -> Self {
        Self(Box::new(Repr::State {
            owner: owner.to_string(),
            reason: excerpt(&source.to_string()),
            source: Some(source),
        }))
    }

    /// A guard panicked while it did something with its state or a line-up.
    pub(crate) fn panicked(guard: &str, while_it: &str) -> Self {
        Self::state(
            guard,
            format_args!("the guard panicked while it {while_it}"),
        )
    }

    /// What the error is about.
    pub fn kind(&self) -> ErrorKind {
        match *self.0 {
            Repr::Count { .. } => ErrorKind::Count,
            Repr::Invalid { .. } => ErrorKind::Invalid,
            Repr::State { .. } => ErrorKind::State,
        }
    }
}

const EXCERPT_CHARS: usize = 120;

fn excerpt(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(EXCERPT_CHARS)
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
