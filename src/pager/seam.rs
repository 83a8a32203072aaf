//! The trait that all pagers implement.

use std::fmt;
use std::time::Duration;

use super::notification::Notification;
use super::post::{PostAnswer, PostRequest};
use crate::time::Timestamp;

/// A service that tells people: how a notification looks to it, and what its answers mean.
///
/// It sends nothing itself; [`Post`](super::Post) does. An implementation is a pure function from a
/// notification to a request, and its `Debug` shows no secret.
pub trait Pager: fmt::Debug + Send + Sync {
    /// The request that tells it at this time; `None` for what it cannot be told, such as a change
    /// that is only for the record.
    fn request(
        &self,
        notification: &Notification,
        form: Form,
        now: Timestamp,
    ) -> Option<PostRequest>;

    /// What an answer means. By default: 2xx is accepted; 408, 425, 429 and 5xx mean later; with all
    /// else it does not take the request as it is.
    fn reply(&self, answer: &PostAnswer) -> PagerReply {
        match answer.status {
            200..=299 => PagerReply::Accepted,
            408 | 425 | 429 | 500..=599 => PagerReply::Later {
                wait: answer.retry_after,
            },
            _ => PagerReply::Refused,
        }
    }

    /// How often it must be told of an incident that stays open, because it forgets it otherwise;
    /// `None` if once is enough.
    fn repeats_every(&self) -> Option<Duration> {
        None
    }
}

/// How much of a notification a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// All that the pager takes, cut where the pager would cut or refuse it.
    Full,
    /// The least that wakes a person: an ASCII summary of at most 200 characters, no details and no
    /// links. For a pager that has refused the full form.
    Minimal,
}

/// What a pager's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PagerReply {
    /// It has taken it.
    Accepted,
    /// Not now.
    Later {
        /// How long to wait at least, if it says so.
        wait: Option<Duration>,
    },
    /// Not like this.
    Refused,
}
