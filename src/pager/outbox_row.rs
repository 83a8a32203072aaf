//! What is to be told on one route, and how far that is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notification::{Action, Notification};
use super::schedule;
use super::seam::{Form, PagerReply};
use crate::event::Severity;
use crate::format::Format;
use crate::name::RouteName;
use crate::time::{Timestamp, hours};

/// For how long the end of an incident is tried; an open incident is tried until it ends.
const TRIED_FOR: Duration = hours(24);
/// The longest error that is kept, in characters.
const LONGEST_ERROR: usize = 200;

/// How far a row of the outbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowState {
    /// To be sent.
    Due,
    /// The pager has taken it.
    Accepted,
    /// It need not be sent any more: the incident ended before it could be told.
    Dropped,
    /// It was tried for 24 hours in vain.
    GivenUp,
}

/// One thing that is to be told on one route: a row of the outbox. It is unique by incident, route
/// and action, so doing the same work again doubles nothing.
///
/// Serialised as an object with `"format": 1`. No address and no key is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutboxRow {
    format: Format<1>,
    /// The route.
    pub route: RouteName,
    /// What is to be told.
    pub notification: Notification,
    /// How far it is.
    pub state: RowState,
    /// When it is to be tried next.
    pub due_at: Timestamp,
    /// Since when it has been due without being accepted.
    pub due_since: Timestamp,
    /// How often it was tried since then.
    pub attempts: u32,
    /// When the pager took it last.
    pub accepted_at: Option<Timestamp>,
    /// Whether a try may have arrived although no answer came.
    pub may_have_arrived: bool,
    /// Whether the pager has refused the full form.
    pub is_minimal: bool,
    /// Whether the pager has refused the minimal form too.
    pub is_refused: bool,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

/// What a row is known by: incident, route, action.
pub(crate) type RowKey = (String, RouteName, Action);

impl OutboxRow {
    /// A row that is due now.
    pub fn due(route: RouteName, notification: Notification, now: Timestamp) -> Self {
        Self {
            format: Format,
            route,
            notification,
            state: RowState::Due,
            due_at: now,
            due_since: now,
            attempts: 0,
            accepted_at: None,
            may_have_arrived: false,
            is_minimal: false,
            is_refused: false,
            last_error: None,
        }
    }

    /// What it is known by, as one text: incident, route and action.
    pub fn id(&self) -> String {
        let action = self.notification.action.name();
        format!(
            "{} {} {action}",
            self.notification.incident.as_str(),
            self.route.as_str()
        )
    }

    pub(crate) fn key(&self) -> RowKey {
        let incident = self.notification.incident.as_str().to_owned();
        (incident, self.route.clone(), self.notification.action)
    }

    /// Whether it is to be sent at this time.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.state == RowState::Due && self.due_at <= now
    }

    /// For how long it has been waiting to be accepted.
    pub(crate) fn undelivered_for(&self, now: Timestamp) -> Option<Duration> {
        (self.state == RowState::Due).then(|| now.since(self.due_since))
    }

    /// The form in which it is sent next.
    pub(crate) fn form(&self) -> Form {
        if self.is_minimal {
            Form::Minimal
        } else {
            Form::Full
        }
    }

    /// What goes first: pages, then warnings, then ends; the oldest of each first.
    pub(crate) fn order(&self) -> (u8, Timestamp) {
        let rank = match (self.notification.action, self.notification.severity) {
            (Action::Trigger, Severity::Page) => 0,
            (Action::Trigger, _) => 1,
            (Action::Resolve, _) => 2,
            (Action::Missed, _) => 3,
        };
        (rank, self.due_since)
    }

    /// The same row to be told anew, with what is known now.
    pub(crate) fn again(&self, notification: Notification, now: Timestamp) -> Self {
        Self {
            state: RowState::Due,
            due_at: now,
            due_since: now,
            attempts: 0,
            notification,
            ..self.clone()
        }
    }

    /// The same row, no longer to be told.
    pub(crate) fn dropped(&self) -> Self {
        Self {
            state: RowState::Dropped,
            ..self.clone()
        }
    }

    /// The pager answered a try of this notification.
    pub(crate) fn answered(
        &mut self,
        sent: &Notification,
        reply: PagerReply,
        error: &str,
        now: Timestamp,
    ) {
        match reply {
            PagerReply::Accepted => {
                self.accepted_at = Some(now);
                self.may_have_arrived = false;
                self.is_refused = false;
                self.last_error = None;
                let is_all = self.notification.told_at <= sent.told_at;
                if self.state == RowState::Due && is_all {
                    self.state = RowState::Accepted;
                }
            }
            PagerReply::Later { wait } => self.try_later(wait, error, now),
            PagerReply::Refused if self.is_minimal => {
                self.is_refused = true;
                self.try_later(None, error, now);
            }
            PagerReply::Refused => {
                self.is_minimal = true;
                self.note(error);
                self.due_at = now;
            }
        }
    }

    /// No answer came to a try.
    pub(crate) fn unanswered(&mut self, error: &str, now: Timestamp) {
        self.may_have_arrived = true;
        self.try_later(None, error, now);
    }

    /// What was not accepted before a crash may have arrived.
    pub(crate) fn after_crash(&mut self) {
        if self.state == RowState::Due {
            self.may_have_arrived = true;
        }
    }

    fn note(&mut self, error: &str) {
        self.last_error = Some(error.chars().take(LONGEST_ERROR).collect());
    }

    fn try_later(&mut self, wait: Option<Duration>, error: &str, now: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        self.note(error);
        self.due_at = now + schedule::wait(self.attempts, wait, &self.id());
        let is_end = self.notification.action != Action::Trigger;
        if self.state == RowState::Due && is_end && now.since(self.due_since) >= TRIED_FOR {
            self.state = RowState::GivenUp;
        }
    }
}
