//! What is wrong, as a guard says it: what an incident is made of.

use std::time::Duration;

use crate::event::Severity;
use crate::name::VersionId;
use crate::time::{hours, minutes};

/// How long an incident is held open after all in it is well, unless the guard says otherwise.
const HOLD_OPEN: Duration = minutes(15);
/// What begins within this time of the beginning of an incident belongs to it.
const JOIN_WITHIN: Duration = minutes(1);
/// Longer than any incident: what begins while it is open belongs to it.
const ALWAYS: Duration = hours(24 * 365 * 1_000);

/// One thing that is wrong: what, of which version, and in which document type, field or model.
///
/// A guard says it with [`Cx::page`](crate::guard::Cx::page) when something happens and with
/// [`Cx::still`](crate::guard::Cx::still) at each tick while it goes on. The pipeline makes
/// incidents of it, which open, grow and end.
///
/// ```
/// use fusebox::event::Outbox;
/// use fusebox::guard::{Cx, Trouble};
/// # use fusebox::{EventKind, LineUp, Severity, Timestamp, Version};
/// # let (line_up, outbox) = (LineUp::new(Version::new("v7", "gpt-4o")?), Outbox::new());
/// # let cx = Cx::new(Timestamp::EPOCH, &line_up, &outbox, "languages");
///
/// let trouble = Trouble::new("wrong-language").about("contract").seen();
/// cx.page(&trouble, EventKind::custom("wrong_language", "3 answers in French"));
/// assert_eq!(outbox.drain()[0].severity, Severity::Page);
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Trouble<'a> {
    pub(super) what: &'static str,
    pub(super) about: Option<&'a str>,
    pub(super) version: Option<&'a VersionId>,
    pub(super) severity: Severity,
    pub(super) many: u64,
    pub(super) ends: Ends,
    pub(super) hold_open: Duration,
    pub(super) join_within: Duration,
    pub(super) cause: Option<(&'static str, &'a VersionId)>,
    pub(super) worse: bool,
}

/// What ends a thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// The guard no longer says that it goes on.
    Over,
    /// It has not happened again for as long as an incident is held open.
    NotSeen,
    /// Only a person can know.
    Acknowledged,
}

impl<'a> Trouble<'a> {
    /// Something that goes on until the guard no longer says [`still`](crate::guard::Cx::still) at
    /// a tick. `what` names it in the incident's key: a word of few, such as `silent`.
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            about: None,
            version: None,
            severity: Severity::Page,
            many: 1,
            ends: Ends::Over,
            hold_open: HOLD_OPEN,
            join_within: JOIN_WITHIN,
            cause: None,
            worse: false,
        }
    }

    /// Something about one document type, field, model or kind of failure.
    pub fn about(mut self, about: &'a str) -> Self {
        self.about = Some(about);
        self
    }

    /// Something about one version. When the version is no longer live, it is over.
    pub fn of_version(mut self, version: &'a VersionId) -> Self {
        self.version = Some(version);
        self
    }

    /// How urgent it is: a page unless set.
    pub fn told_as(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// It stands for this many: types that are silent, calls that hang. One unless set; an incident
    /// that grows to ten times as many is told again.
    pub fn many(mut self, many: u64) -> Self {
        self.many = many;
        self
    }

    /// It happens at moments: it is over when it has not happened for as long as its incident is
    /// held open.
    pub fn seen(mut self) -> Self {
        self.ends = Ends::NotSeen;
        self
    }

    /// Only a person can know when it is over, and says so with
    /// [`Pipeline::acknowledge`](crate::Pipeline::acknowledge).
    pub fn until_acknowledged(mut self) -> Self {
        self.ends = Ends::Acknowledged;
        self
    }

    /// For how long an incident is held open when nothing in it is wrong any more: what comes back
    /// within this time is the same outage. 15 minutes unless set.
    pub fn held_open_for(mut self, time: Duration) -> Self {
        self.hold_open = time;
        self
    }

    /// What else is wrong in this way, with the same version, is the same incident if it begins
    /// within this time after the last such thing. One minute unless set.
    pub fn joins_within(mut self, time: Duration) -> Self {
        self.join_within = time;
        self
    }

    /// What else is wrong in this way, with the same version, is the same incident as long as it is
    /// open.
    pub fn joins_always(self) -> Self {
        self.joins_within(ALWAYS)
    }

    /// It belongs to the incident about `what` of another version, if that is open.
    pub fn caused_by(mut self, what: &'static str, version: &'a VersionId) -> Self {
        self.cause = Some((what, version));
        self
    }

    /// A person must be told even if its incident is open: the first time in each incident.
    pub fn worse(mut self) -> Self {
        self.worse = true;
        self
    }
}
