//! One incident: what is wrong in it, when that is worth telling again, and when it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::trouble::{Ends, Trouble};
use crate::call::LineUp;
use crate::event::{EventKind, Guidance, IncidentKey, OpenIncident, Severity};
use crate::name::VersionId;
use crate::time::{Timestamp, hours, minutes};

/// What begins within this time of the beginning of an incident has the same cause.
pub(super) const SAME_CAUSE: Duration = minutes(1);
/// An incident is told again when it has this many times the things that it was told with ..
const GROWN: u64 = 10;
/// .. or when something joins it after this time.
const TOLD_AGAIN: Duration = hours(1);
/// The most things that an incident knows one by one.
const MOST_THINGS: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Incident {
    pub(super) key: IncidentKey,
    pub(super) what: String,
    pub(super) version: Option<VersionId>,
    /// What it was about first.
    pub(super) about: Option<String>,
    pub(super) opened_by: String,
    pub(super) since: Timestamp,
    pub(super) times: u64,
    told_at: Timestamp,
    told_things: u64,
    /// When something last joined it, or happened again.
    happened_at: Timestamp,
    severity: Severity,
    pub(super) evidence: EventKind,
    /// What is wrong, or was until not long ago.
    things: Vec<Thing>,
    /// The number of things that were not kept one by one.
    more: u64,
    /// What was ever wrong in it, and with which version.
    kinds: BTreeSet<(String, Option<VersionId>)>,
    /// When something in it was last well again.
    well_at: Option<Timestamp>,
    #[serde(with = "crate::time::as_millis")]
    hold_open: Duration,
}

/// One thing that is or was wrong in an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    what: String,
    about: Option<String>,
    version: Option<VersionId>,
    /// How many it stands for.
    many: u64,
    state: Condition,
    /// The tick before which the guard said it last; 0 before a restart.
    #[serde(skip)]
    said_before: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Condition {
    /// Until the guard no longer says so.
    Wrong,
    WellSince(Timestamp),
    /// Until a person closes it.
    Unacknowledged,
}

impl Condition {
    fn of(trouble: &Trouble<'_>, now: Timestamp) -> Self {
        match trouble.ends {
            Ends::Over => Self::Wrong,
            Ends::NotSeen => Self::WellSince(now),
            Ends::Acknowledged => Self::Unacknowledged,
        }
    }
}

/// Whether what happened in an incident is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    /// If it was not told too often already.
    Grown,
    /// However often it was told.
    Worse,
}

/// The time of a step, as an incident needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) next_tick: u64,
}

impl Incident {
    pub(super) fn open(
        key: IncidentKey,
        trouble: &Trouble<'_>,
        kind: &EventKind,
        moment: Moment,
    ) -> Self {
        let mut incident = Self {
            key,
            what: trouble.what.to_owned(),
            version: trouble.version.cloned(),
            about: trouble.about.map(str::to_owned),
            opened_by: kind.name().to_owned(),
            since: moment.now,
            times: 0,
            told_at: moment.now,
            told_things: trouble.many,
            happened_at: moment.now,
            severity: trouble.severity,
            evidence: kind.clone(),
            things: Vec::new(),
            more: 0,
            kinds: BTreeSet::new(),
            well_at: None,
            hold_open: trouble.hold_open,
        };
        incident.record_kind(trouble);
        incident.add(trouble, moment);
        incident
    }

    /// Whether it has this very thing.
    pub(super) fn has(&self, trouble: &Trouble<'_>) -> bool {
        self.things.iter().any(|thing| thing.is(trouble))
    }

    /// Whether it has so many alike that it may have this one among those that it does not know one
    /// by one.
    pub(super) fn is_full_of(&self, trouble: &Trouble<'_>) -> bool {
        self.what == trouble.what
            && self.version.as_ref() == trouble.version
            && self.things.len() >= MOST_THINGS
    }

    /// Whether it has something wrong with a version.
    pub(super) fn is_about(&self, what: &str, version: &VersionId, about: Option<&str>) -> bool {
        let mut things = self.things.iter();
        things.any(|thing| thing.is_about(what, Some(version), about))
    }

    /// Whether something new belongs to it: it is alike, and began soon after or came back.
    pub(super) fn absorbs(&self, trouble: &Trouble<'_>, now: Timestamp) -> bool {
        self.what == trouble.what
            && self.version.as_ref() == trouble.version
            && (self.well_since().is_some() || now.since(self.happened_at) < trouble.join_within)
    }

    /// Adds something that happened; whether it is worth telling.
    pub(super) fn happened(&mut self, trouble: &Trouble<'_>, moment: Moment) -> News {
        let is_first_of_its_kind = self.record_kind(trouble);
        let is_new = self.add(trouble, moment);
        if trouble.worse && is_first_of_its_kind || trouble.severity > self.severity {
            return News::Worse;
        }
        self.growth(is_new, moment.now)
    }

    /// Whether nothing of this kind was ever wrong in it before.
    fn record_kind(&mut self, trouble: &Trouble<'_>) -> bool {
        let kind = (trouble.what.to_owned(), trouble.version.cloned());
        let is_first = !self.kinds.contains(&kind);
        if is_first && self.kinds.len() < MOST_THINGS {
            self.kinds.insert(kind);
        }
        is_first
    }

    /// Adds what happened; whether it is new.
    fn add(&mut self, trouble: &Trouble<'_>, moment: Moment) -> bool {
        self.happened_at = moment.now;
        self.hold_open = self.hold_open.max(trouble.hold_open);
        self.times = self.times.saturating_add(1);
        if self.update(trouble, moment) {
            return false;
        }
        self.note_seen(trouble, moment.now);
        if self.things.len() < MOST_THINGS {
            self.things.push(Thing {
                what: trouble.what.to_owned(),
                about: trouble.about.map(str::to_owned),
                version: trouble.version.cloned(),
                many: trouble.many,
                state: Condition::of(trouble, moment.now),
                said_before: moment.next_tick,
            });
        } else {
            self.more = self.more.saturating_add(trouble.many);
        }
        true
    }

    /// Something in it goes on: whether that is worth telling; `None` if it is not in it.
    pub(super) fn goes_on(&mut self, trouble: &Trouble<'_>, moment: Moment) -> Option<News> {
        let is_known = self.update(trouble, moment);
        is_known.then(|| self.growth(false, moment.now))
    }

    fn update(&mut self, trouble: &Trouble<'_>, moment: Moment) -> bool {
        let Some(thing) = self.things.iter_mut().find(|thing| thing.is(trouble)) else {
            return false;
        };
        thing.many = trouble.many;
        thing.state = Condition::of(trouble, moment.now);
        thing.said_before = moment.next_tick;
        self.note_seen(trouble, moment.now);
        true
    }

    /// What happens at moments is well right after.
    fn note_seen(&mut self, trouble: &Trouble<'_>, now: Timestamp) {
        if trouble.ends == Ends::NotSeen {
            self.well_at = Some(now);
        }
    }

    /// Whether it is so much larger than told, or so long ago that it was told before something
    /// new, that it is worth telling again.
    fn growth(&self, is_new: bool, now: Timestamp) -> News {
        let (since_told, size) = (now.since(self.told_at), self.size());
        if since_told >= SAME_CAUSE && size >= GROWN.saturating_mul(self.told_things) {
            News::Worse
        } else if since_told >= TOLD_AGAIN && (is_new || size > self.told_things) {
            News::Grown
        } else {
            News::Nothing
        }
    }

    /// Something in it is well again.
    pub(super) fn well(&mut self, trouble: &Trouble<'_>, now: Timestamp) {
        self.well_if(now, |thing| thing.is(trouble));
    }

    /// The guard has had a tick: what it did not say to go on is well.
    pub(super) fn ticked(&mut self, moment: Moment) {
        self.well_if(moment.now, |thing| thing.said_before < moment.next_tick);
    }

    fn well_if(&mut self, now: Timestamp, is_well: impl Fn(&Thing) -> bool) {
        for thing in &mut self.things {
            if thing.state == Condition::Wrong && is_well(thing) {
                thing.state = Condition::WellSince(now);
                self.well_at = Some(now);
            }
        }
    }

    /// It is told, or told again, with this event.
    pub(super) fn tell(&mut self, severity: Severity, kind: &EventKind, now: Timestamp) {
        self.told_at = now;
        self.told_things = self.size();
        self.severity = self.severity.max(severity);
        self.evidence = kind.clone();
    }

    fn size(&self) -> u64 {
        let things = self.things.iter().map(|thing| thing.many);
        things.fold(self.more, u64::saturating_add)
    }

    /// Since when all in it is well.
    fn well_since(&self) -> Option<Timestamp> {
        let is_well = |thing: &Thing| matches!(thing.state, Condition::WellSince(_));
        let all_well = self.things.iter().all(is_well);
        all_well.then_some(self.well_at.unwrap_or(self.since))
    }

    /// Drops what has long been well or has no live version; whether all is over.
    pub(super) fn is_over(
        &mut self,
        now: Timestamp,
        line_up: &LineUp,
        held_at_least: Duration,
    ) -> bool {
        let is_live = |version: &Option<VersionId>| {
            let version = version.as_ref();
            version.is_none_or(|version| line_up.version(version).is_some())
        };
        let hold_open = self.hold_open;
        self.things.retain(|thing| {
            let is_gone =
                matches!(thing.state, Condition::WellSince(since) if now.since(since) >= hold_open);
            !is_gone && is_live(&thing.version)
        });
        let held = hold_open.max(held_at_least);
        let well_since = self.well_since();
        self.things.is_empty() && !is_live(&self.version)
            || well_since.is_some_and(|since| now.since(since) >= held)
    }

    /// A person has put one thing right; whether nothing is left.
    pub(super) fn put_right(&mut self, trouble: &Trouble<'_>) -> bool {
        let before = self.things.len();
        self.things.retain(|thing| !thing.is(trouble));
        self.things.is_empty() && before > 0
    }

    /// A person has put all right, for one version or for all; whether nothing is left.
    pub(super) fn put_all_right(&mut self, version: Option<&VersionId>) -> bool {
        let is_meant = |of: &Option<VersionId>| version.is_none() || of.as_ref() == version;
        let before = self.things.len();
        self.things.retain(|thing| !is_meant(&thing.version));
        self.things.is_empty() && (before > 0 || is_meant(&self.version))
    }

    /// Whether something in it ends without a person.
    pub(super) fn is_wrong(&self) -> bool {
        let mut things = self.things.iter();
        things.any(|thing| thing.state == Condition::Wrong)
    }

    pub(super) fn shown(&self, guard: &str) -> OpenIncident {
        let guidance = Guidance::of(&self.evidence);
        OpenIncident {
            key: self.key.clone(),
            guard: guard.to_owned(),
            version: self.version.clone(),
            since: self.since,
            told_at: self.told_at,
            severity: self.severity,
            things: self.size(),
            well_since: self.well_since(),
            summary: self.evidence.to_string(),
            evidence: self.evidence.clone(),
            done_already: guidance.done_already,
            ends_when: guidance.ends_when,
            undo: guidance.undo,
        }
    }
}

impl Thing {
    fn is(&self, trouble: &Trouble<'_>) -> bool {
        self.is_about(trouble.what, trouble.version, trouble.about)
    }

    fn is_about(&self, what: &str, version: Option<&VersionId>, about: Option<&str>) -> bool {
        self.what == what && self.version.as_ref() == version && self.about.as_deref() == about
    }
}
