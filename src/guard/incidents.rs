//! The open incidents of one guard: what opens, joins and ends them.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::incident::{Incident, Moment, News, SAME_CAUSE};
use super::trouble::Trouble;
use crate::call::LineUp;
use crate::error::Error;
use crate::event::{
    EventKind, Guidance, InIncident, IncidentChange, IncidentEvent, IncidentKey, OpenIncident,
    Severity,
};
use crate::name::VersionId;
use crate::time::{Timestamp, hours};

/// A guard that has paged so often ..
const OFTEN: usize = 3;
/// .. within this time pages only for what is new or worse, and ends nothing that was well for less
/// than this time.
const WITHIN: Duration = hours(24);
/// The most open incidents of a guard; what begins then joins the latest.
const MOST_OPEN: usize = 100;
/// The most things of which it is remembered how many incidents they had.
const MOST_HISTORIES: usize = 1_000;

/// The open incidents of one guard. A pipeline keeps one for each guard; a test of a guard may pass
/// its own to [`Cx::with_incidents`](crate::guard::Cx::with_incidents).
///
/// An incident opens when a guard reports a [`Trouble`] that belongs to none that is open, and is
/// told once. It is told again when it grows: to ten times as many things, with something new after
/// an hour, or with something [worse](Trouble::worse). It ends when all in it has been well for as
/// long as it is held open. A guard that has paged three times in 24 hours pages again in that time
/// only for what is new in it or worse; what it has paged for already comes as a warning, and ends
/// only after 24 hours. So what comes and goes does not page each time.
#[derive(Debug, Default)]
pub struct Incidents(Mutex<IncidentRegister>);

impl Incidents {
    /// No incident is open.
    pub fn new() -> Self {
        Self::default()
    }

    /// The open incidents of the guard of this name, oldest first.
    pub fn open(&self, guard: &str) -> Vec<OpenIncident> {
        let register = self.0.lock();
        register.open.iter().map(|open| open.shown(guard)).collect()
    }

    pub(crate) fn stored(&self) -> IncidentRegister {
        self.0.lock().clone()
    }

    pub(crate) fn restore(&self, register: IncidentRegister) {
        *self.0.lock() = register;
    }

    /// Runs a step; what it tells is left before another thread's step begins.
    pub(super) fn with<T>(&self, step: impl FnOnce(&mut IncidentRegister) -> T) -> T {
        step(&mut self.0.lock())
    }
}

/// The open incidents, and how often there were such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IncidentRegister {
    open: Vec<Incident>,
    histories: VecDeque<History>,
    /// When the guard last paged, oldest first, at most [`OFTEN`].
    paged: VecDeque<Timestamp>,
    /// The number of the next tick; things of a restored register were said before the first.
    #[serde(skip, default = "first_tick")]
    next_tick: u64,
}

fn first_tick() -> u64 {
    1
}

impl Default for IncidentRegister {
    fn default() -> Self {
        Self {
            open: Vec::new(),
            histories: VecDeque::new(),
            paged: VecDeque::new(),
            next_tick: first_tick(),
        }
    }
}

/// How urgent an event is, and what it does to which incident.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    pub(super) severity: Severity,
    pub(super) incident: InIncident,
}

impl Told {
    fn new(incident: &Incident, severity: Severity, change: IncidentChange) -> Self {
        let severity = match change {
            IncidentChange::Continues => severity.min(Severity::Warning),
            _ => severity,
        };
        Self {
            severity,
            incident: InIncident::new(incident.key.clone(), change),
        }
    }

    /// What is told where nobody keeps incidents: each time that it opens.
    pub(super) fn unkept(trouble: &Trouble<'_>, guard: &str) -> Self {
        let key = IncidentKey::new(guard, trouble.what, trouble.version, 1);
        Self {
            severity: trouble.severity,
            incident: InIncident::new(key, IncidentChange::Opened),
        }
    }
}

/// The end of an incident.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    pub(super) incident: InIncident,
    pub(super) event: IncidentEvent,
}

impl End {
    fn resolved(incident: Incident) -> Self {
        Self {
            incident: InIncident::new(incident.key, IncidentChange::Ended),
            event: IncidentEvent::IncidentResolved {
                opened_by: incident.opened_by,
                version: incident.version,
                about: incident.about,
                opened_at: incident.since,
                times: incident.times,
            },
        }
    }
}

impl IncidentRegister {
    /// The incidents that are open.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &IncidentKey> {
        self.open.iter().map(|open| &open.key)
    }

    /// Something happened.
    pub(super) fn happened(
        &mut self,
        trouble: &Trouble<'_>,
        kind: &EventKind,
        guard: &str,
        now: Timestamp,
    ) -> Told {
        let moment = self.moment(now);
        let place = self.place(trouble, now);
        let Some(incident) = place.and_then(|at| self.open.get_mut(at)) else {
            return self.begin(trouble, kind, guard, moment);
        };
        let news = incident.happened(trouble, moment);
        let change = Self::tell_again(&mut self.paged, incident, news, trouble, kind, now);
        Told::new(incident, trouble.severity, change)
    }

    /// Something goes on: what must be told of it, if anything.
    pub(super) fn goes_on(
        &mut self,
        trouble: &Trouble<'_>,
        kind: impl FnOnce() -> EventKind,
        guard: &str,
        now: Timestamp,
    ) -> Option<(Told, EventKind)> {
        let moment = self.moment(now);
        let may_be_known = self.open.iter().any(|open| open.is_full_of(trouble));
        let mut open = self.open.iter_mut();
        let known = open.find_map(|open| open.goes_on(trouble, moment).map(|news| (open, news)));
        let (told, kind) = match known {
            Some((_, News::Nothing)) => return None,
            Some((incident, news)) => {
                let kind = kind();
                let paged = &mut self.paged;
                let change = Self::tell_again(paged, incident, news, trouble, &kind, now);
                (Told::new(incident, trouble.severity, change), kind)
            }
            // It may be one that was not kept.
            None if may_be_known => return None,
            None => {
                let kind = kind();
                (self.happened(trouble, &kind, guard, now), kind)
            }
        };
        (told.incident.change != IncidentChange::Continues).then_some((told, kind))
    }

    /// Tells an incident again if the news is worth it.
    fn tell_again(
        paged: &mut VecDeque<Timestamp>,
        incident: &mut Incident,
        news: News,
        trouble: &Trouble<'_>,
        kind: &EventKind,
        now: Timestamp,
    ) -> IncidentChange {
        let is_page = trouble.severity == Severity::Page;
        let is_worth_it = match news {
            News::Nothing => false,
            News::Grown => !is_page || !pages_often(paged, now),
            News::Worse => true,
        };
        if !is_worth_it {
            return IncidentChange::Continues;
        }
        if is_page {
            record_page(paged, now);
        }
        incident.tell(trouble.severity, kind, now);
        IncidentChange::Grew
    }

    /// Something is well again.
    pub(super) fn well(&mut self, trouble: &Trouble<'_>, now: Timestamp) {
        for incident in &mut self.open {
            incident.well(trouble, now);
        }
    }

    /// The guard has had a tick: what it did not say to go on is well.
    pub(super) fn ticked(&mut self, now: Timestamp) {
        let moment = self.moment(now);
        for incident in &mut self.open {
            incident.ticked(moment);
        }
        self.next_tick += 1;
    }

    /// Ends what has been well for long enough, or whose version is no longer live.
    pub(super) fn end_due(&mut self, now: Timestamp, line_up: &LineUp) -> Vec<End> {
        let is_often = pages_often(&self.paged, now);
        let held_at_least = if is_often { WITHIN } else { Duration::ZERO };
        let over = self.take_if(|incident| incident.is_over(now, line_up, held_at_least));
        over.into_iter().map(End::resolved).collect()
    }

    /// A person has put something right.
    pub(super) fn put_right(&mut self, trouble: &Trouble<'_>) -> Vec<End> {
        self.end_by_person(|incident| incident.put_right(trouble))
    }

    /// A person has put right all that is wrong, with one version or with all.
    pub(super) fn put_all_right(&mut self, version: Option<&VersionId>) -> Vec<End> {
        self.end_by_person(|incident| incident.put_all_right(version))
    }

    fn end_by_person(&mut self, is_over: impl FnMut(&mut Incident) -> bool) -> Vec<End> {
        let over = self.take_if(is_over);
        for incident in &over {
            self.forget(incident);
        }
        over.into_iter().map(End::resolved).collect()
    }

    /// A person closes an incident that only a person can end; `None` if it is not open here.
    pub(super) fn acknowledge(
        &mut self,
        key: &str,
        who: &str,
        note: &str,
    ) -> Option<Result<End, Error>> {
        let at = self.open.iter().position(|open| open.key.as_str() == key)?;
        if let Some(incident) = self.open.get(at).filter(|incident| incident.is_wrong()) {
            let ends_when = Guidance::of(&incident.evidence).ends_when;
            let allowed =
                format!("an incident that only a person can end; this one ends when {ends_when}");
            return Some(Err(Error::invalid("incident", key, allowed)));
        }
        let incident = self.open.remove(at);
        self.forget(&incident);
        Some(Ok(End {
            incident: InIncident::new(incident.key, IncidentChange::Ended),
            event: IncidentEvent::IncidentAcknowledged {
                opened_by: incident.opened_by,
                version: incident.version,
                about: incident.about,
                opened_at: incident.since,
                who: who.to_owned(),
                note: note.to_owned(),
            },
        }))
    }

    fn moment(&self, now: Timestamp) -> Moment {
        Moment {
            now,
            next_tick: self.next_tick,
        }
    }

    fn take_if(&mut self, mut is_over: impl FnMut(&mut Incident) -> bool) -> Vec<Incident> {
        let (mut over, mut at) = (Vec::new(), 0);
        while let Some(incident) = self.open.get_mut(at) {
            if is_over(incident) {
                over.push(self.open.remove(at));
            } else {
                at += 1;
            }
        }
        over
    }

    /// A person is at work: what comes back is told again.
    fn forget(&mut self, incident: &Incident) {
        self.paged.clear();
        let version = incident.version.as_ref();
        History::with(&mut self.histories, &incident.what, version, |history| {
            history.opened_at = None;
        });
    }

    /// The open incident that something belongs to.
    fn place(&self, trouble: &Trouble<'_>, now: Timestamp) -> Option<usize> {
        let of_cause = |incident: &Incident, about: Option<&str>| {
            let cause = trouble.cause;
            cause.is_some_and(|(what, version)| incident.is_about(what, version, about))
        };
        let position = |is: &dyn Fn(&Incident) -> bool| self.open.iter().position(is);
        position(&|incident| incident.has(trouble))
            .or_else(|| position(&|incident| of_cause(incident, trouble.about)))
            .or_else(|| position(&|incident| of_cause(incident, None)))
            .or_else(|| position(&|incident| incident.absorbs(trouble, now)))
            .or_else(|| position(&|incident| now.since(incident.since) < SAME_CAUSE))
            .or_else(|| (self.open.len() >= MOST_OPEN).then(|| self.open.len() - 1))
    }

    fn begin(
        &mut self,
        trouble: &Trouble<'_>,
        kind: &EventKind,
        guard: &str,
        moment: Moment,
    ) -> Told {
        let (what, version, now) = (trouble.what, trouble.version, moment.now);
        let (number, before) = History::with(&mut self.histories, what, version, |history| {
            history.incidents += 1;
            (history.incidents, history.opened_at.replace(now))
        });
        let is_known = before.is_some_and(|before| now.since(before) < WITHIN);
        let severity = if is_known && pages_often(&self.paged, now) {
            trouble.severity.min(Severity::Warning)
        } else {
            trouble.severity
        };
        if severity == Severity::Page {
            record_page(&mut self.paged, now);
        }
        let key = IncidentKey::new(guard, what, version, number);
        let incident = Incident::open(key, trouble, kind, moment);
        let told = Told::new(&incident, severity, IncidentChange::Opened);
        self.open.push(incident);
        told
    }
}

fn record_page(paged: &mut VecDeque<Timestamp>, now: Timestamp) {
    if paged.len() >= OFTEN {
        paged.pop_front();
    }
    paged.push_back(now);
}

fn pages_often(paged: &VecDeque<Timestamp>, now: Timestamp) -> bool {
    let oldest = paged.front().filter(|_| paged.len() >= OFTEN);
    oldest.is_some_and(|oldest| now.since(*oldest) < WITHIN)
}

/// How many incidents there were about something, and when the last one opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct History {
    what: String,
    version: Option<VersionId>,
    incidents: u64,
    opened_at: Option<Timestamp>,
}

impl History {
    /// Works on the history of something, made if there is none; then it is the latest.
    fn with<T>(
        histories: &mut VecDeque<Self>,
        what: &str,
        version: Option<&VersionId>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let is_it = |history: &Self| history.what == what && history.version.as_ref() == version;
        let known = histories.iter().position(is_it);
        let known = known.and_then(|at| histories.remove(at));
        let mut history = known.unwrap_or_else(|| Self {
            what: what.to_owned(),
            version: version.cloned(),
            incidents: 0,
            opened_at: None,
        });
        let result = work(&mut history);
        histories.truncate(MOST_HISTORIES - 1);
        histories.push_front(history);
        result
    }
}
