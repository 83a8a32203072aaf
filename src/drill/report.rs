//! What a drill measured.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::check::{Check, DrillOutcome};
use super::delivered::Delivered;
use super::incident_moment::IncidentMoment;
use super::process::Production;
use super::script::Script;
use super::simulation::{self, Seen};
use crate::error::Error;
use crate::event::{Event, EventKind, IncidentChange, LedgerEvent, Severity};
use crate::name::DocumentId;
use crate::pager::Action;
use crate::time::{Timestamp, minutes};

/// The result of a drill. Printed as a line for each expectation, and one for the numbers.
#[derive(Clone, Debug, Serialize)]
#[must_use = "a drill that failed says so only here"]
pub struct DrillReport {
    broken_at: Option<Timestamp>,
    #[serde(flatten)]
    seen: Seen,
    checks: Vec<Check>,
}

/// A page that came.
struct Paged<'a> {
    /// When the sink had it, or a pager accepted it.
    at: Timestamp,
    told_at: Timestamp,
    event: &'a Event,
}

impl DrillReport {
    /// What these pipelines show when the script is run against them.
    pub(super) fn of(script: &Script, production: Production<'_>) -> Result<Self, Error> {
        Ok(Self {
            broken_at: script.broken_at(),
            seen: simulation::run(production, script)?,
            checks: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// What became of the drill: the worst outcome of its expectations, and
    /// [`Blind`](DrillOutcome::Blind) without any.
    pub fn outcome(&self) -> DrillOutcome {
        let outcomes = self.checks.iter().map(|check| check.outcome);
        outcomes.max().unwrap_or(DrillOutcome::Blind)
    }

    /// The expectations, and what became of each, in their order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The time from the first fault to the first page at the sink, or to the first that a pager
    /// accepted if the drill has one; `None` without a page or a fault.
    pub fn time_to_page(&self) -> Option<Duration> {
        let (time, _) = self.first_page_but(&BTreeSet::new())?;
        Some(time)
    }

    /// Whether a page came within 30 minutes of the first fault.
    pub fn is_known_in_time(&self) -> bool {
        self.time_to_page().is_some_and(|time| time <= minutes(30))
    }

    /// The first page after the first fault.
    pub fn page(&self) -> Option<&Event> {
        let (_, event) = self.first_page_but(&BTreeSet::new())?;
        Some(event)
    }

    /// The first page after the first fault of an incident that is none of these, and how long after
    /// it.
    pub(super) fn first_page_but(&self, known: &BTreeSet<&str>) -> Option<(Duration, &Event)> {
        let broken_at = self.broken_at?;
        let mut pages = self.pages_since_fault();
        let page = pages.find(|page| is_new(page.event, known))?;
        Some((page.at.since(broken_at), page.event))
    }

    /// What incidents that are none of these did after the first fault. One that is open as the fault
    /// begins, and that nobody was paged for, says nothing of it before it pages.
    pub(super) fn moments_but(
        &self,
        known: &BTreeSet<&str>,
    ) -> impl Iterator<Item = IncidentMoment> {
        let broken_at = self.broken_at.unwrap_or(Timestamp::EPOCH);
        let new = self
            .since_fault()
            .filter(move |(_, event)| is_new(event, known));
        let moments =
            new.filter_map(move |(at, event)| IncidentMoment::of(at.since(broken_at), event));
        let mut begun = BTreeSet::new();
        moments.filter(move |moment| {
            if moment.change == IncidentChange::Opened || moment.severity == Severity::Page {
                begun.insert(moment.incident.clone());
            }
            begun.contains(&moment.incident)
        })
    }

    /// Pages before the first fault: false alarms.
    pub fn false_pages(&self) -> Vec<&Event> {
        let before = |at: Timestamp| self.broken_at.is_none_or(|broken_at| at < broken_at);
        self.pages()
            .filter(|page| before(page.told_at))
            .map(|page| page.event)
            .collect()
    }

    /// Every event that reached the sink, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.seen.events.iter().map(|(_, event)| event)
    }

    /// How many documents arrived.
    pub fn documents(&self) -> u64 {
        self.seen.documents
    }

    /// How many documents the faults met. A document that two faults met counts twice.
    pub fn documents_met(&self) -> u64 {
        self.seen.met.iter().sum()
    }

    /// How many of them were met before the first page after the first fault.
    pub fn documents_met_before_page(&self) -> u64 {
        self.seen.met_before_page
    }

    /// The versions that served a document in the last ten minutes in which any was admitted, since
    /// the last fault began.
    pub(super) fn last_versions(&self) -> BTreeSet<&str> {
        let last = self.seen.served.values().max().copied();
        let is_recent = |at: Timestamp| last.is_some_and(|last| last.since(at) < minutes(10));
        let served = self.seen.served.iter();
        let recent = served.filter(|(_, at)| is_recent(**at));
        recent.map(|(version, _)| version.as_str()).collect()
    }

    /// How many pages nobody was told of, and why.
    pub(super) fn untold_pages(&self) -> Option<String> {
        let lost = self.seen.pages_lost.len();
        let (untold, why) = if self.seen.delivered.is_some() {
            let told = self.page_events().count() + lost;
            (told - self.pages().count(), "no pager accepted")
        } else {
            (lost, "came while the sink was down")
        };
        (untold > 0).then(|| format!("{untold} {why}"))
    }

    /// The incidents of whose page a pager knows, and of whose end it does not; `None` in a drill
    /// without a pager.
    pub(super) fn open_at_pager(&self) -> Option<BTreeSet<&str>> {
        let mut open = BTreeSet::new();
        for (_, delivered) in self.seen.delivered.as_ref()? {
            let at_route = (&delivered.route, delivered.incident.as_str());
            if delivered.is_page() {
                open.insert(at_route);
            } else if delivered.action == Action::Resolve {
                open.remove(&at_route);
            }
        }
        Some(open.into_iter().map(|(_, incident)| incident).collect())
    }

    /// How many documents ended.
    pub(super) fn ended(&self) -> u64 {
        self.seen.ended
    }

    /// The keys of the incidents whose pages came after the first fault; without a fault, of all.
    pub(super) fn paged_incidents(&self) -> impl Iterator<Item = &str> {
        let pages = self.paged_events();
        pages.filter_map(|page| Some(page.incident.as_ref()?.key.as_str()))
    }

    /// The names of the events after the first fault; without a fault, of all.
    pub(super) fn told(&self) -> impl Iterator<Item = &'static str> {
        self.events_since_fault().map(|event| event.kind.name())
    }

    /// The events after the first fault; without a fault, all.
    pub(super) fn events_since_fault(&self) -> impl Iterator<Item = &Event> {
        self.since_fault().map(|(_, event)| event)
    }

    /// The documents that did not end and that no event names.
    pub(super) fn lost_untold(&self) -> Vec<&DocumentId> {
        let told: BTreeSet<_> = self.events().filter_map(told_of).collect();
        let lost = self.seen.lost.iter();
        lost.filter(|document| !told.contains(document)).collect()
    }

    fn since_fault(&self) -> impl Iterator<Item = &(Timestamp, Event)> {
        let since = self.broken_at.unwrap_or(Timestamp::EPOCH);
        self.seen.events.iter().filter(move |(at, _)| *at >= since)
    }

    /// The events of the pages after the first fault; without a fault, of all.
    pub(super) fn paged_events(&self) -> impl Iterator<Item = &Event> {
        self.pages_since_fault().map(|page| page.event)
    }

    fn pages_since_fault(&self) -> impl Iterator<Item = Paged<'_>> {
        let since = self.broken_at.unwrap_or(Timestamp::EPOCH);
        self.pages().filter(move |page| page.told_at >= since)
    }

    /// The first page, if one came.
    pub(super) fn first_page(&self) -> Option<&Event> {
        self.pages().next().map(|page| page.event)
    }

    /// The pages in the order in which they came.
    fn pages(&self) -> impl Iterator<Item = Paged<'_>> {
        let at_sink = self.page_events();
        let mut pages: Vec<_> = match &self.seen.delivered {
            None => at_sink.map(|(at, event)| paged(*at, *at, event)).collect(),
            Some(delivered) => {
                let told = at_sink.chain(&self.seen.pages_lost);
                let came = told.filter_map(|(told_at, event)| {
                    let at = accepted_at(delivered, *told_at, event)?;
                    Some(paged(at, *told_at, event))
                });
                came.collect()
            }
        };
        pages.sort_by_key(|page| page.at);
        pages.into_iter()
    }

    fn page_events(&self) -> impl Iterator<Item = &(Timestamp, Event)> {
        let events = self.seen.events.iter();
        events.filter(|(_, event)| event.severity == Severity::Page)
    }

    /// Why nothing can be said; `None` if something can.
    pub(super) fn blind(&self) -> Option<String> {
        if self.seen.documents == 0 {
            return Some("no document arrived".to_owned());
        }
        let unmet = self.seen.met.iter().position(|met| *met == 0)?;
        Some(format!("fault {} met no document", unmet + 1))
    }
}

/// Whether it is about none of these incidents.
fn is_new(event: &Event, known: &BTreeSet<&str>) -> bool {
    let incident = event.incident.as_ref();
    incident.is_none_or(|incident| !known.contains(incident.key.as_str()))
}

fn paged(at: Timestamp, told_at: Timestamp, event: &Event) -> Paged<'_> {
    Paged { at, told_at, event }
}

/// When a pager first accepted a page of this event's incident after it was told.
fn accepted_at(
    delivered: &[(Timestamp, Delivered)],
    told_at: Timestamp,
    event: &Event,
) -> Option<Timestamp> {
    let incident = &event.incident.as_ref()?.key;
    let mut later = delivered.iter().filter(|(at, _)| *at >= told_at);
    let accepted =
        later.find(|(_, delivered)| delivered.is_page() && delivered.incident == *incident);
    accepted.map(|(at, _)| *at)
}

/// The document that an event says did not end.
fn told_of(event: &Event) -> Option<&DocumentId> {
    match &event.kind {
        EventKind::Ledger(
            LedgerEvent::Abandoned { document, .. }
            | LedgerEvent::LostInRestart { document, .. }
            | LedgerEvent::Overdue { document, .. }
            | LedgerEvent::WrittenOff { document, .. },
        ) => Some(document),
        _ => None,
    }
}

impl fmt::Display for DrillReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            writeln!(f, "{check}")?;
        }
        if self.checks.is_empty() {
            writeln!(f, "blind: nothing was expected")?;
        }
        write!(f, "{} documents", self.documents())?;
        if self.broken_at.is_some() {
            let met = self.documents_met();
            let before = self.documents_met_before_page();
            write!(f, ", {met} met by faults, {before} of them before a page")?;
        }
        writeln!(f, ", {} false pages", self.false_pages().len())
    }
}
