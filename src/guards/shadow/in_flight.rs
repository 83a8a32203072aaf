//! The candidate calls that have begun and not ended.

use std::collections::BTreeMap;
use std::fmt;

use crate::call::{Comparison, ShadowEnd, Ticket, TicketId};
use crate::time::Timestamp;

/// Which call of a shadow run: that of the candidate, or the second one of production's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunId {
    pub(crate) ticket: TicketId,
    pub(crate) is_baseline: bool,
}

impl RunId {
    pub(crate) fn candidate(ticket: TicketId) -> Self {
        Self {
            ticket,
            is_baseline: false,
        }
    }

    pub(crate) fn baseline(ticket: TicketId) -> Self {
        Self {
            ticket,
            is_baseline: true,
        }
    }
}

/// What a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The candidate, until then.
    Answer(Timestamp),
    /// Production, which has limits of its own.
    Production,
    /// The comparator, until then.
    Comparison(Timestamp),
}

/// Which limit of time a run has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Answer,
    Comparison,
}

impl Overdue {
    pub(super) fn end(self) -> ShadowEnd {
        match self {
            Self::Answer => ShadowEnd::TimedOut,
            Self::Comparison => {
                let why = "the comparator gave no result in time".to_owned();
                Comparison::NotComparable(why).into()
            }
        }
    }
}

/// Stops the call of a run that is overdue.
pub(crate) struct Stop(Box<dyn FnOnce() + Send>);

impl Stop {
    pub(crate) fn new(stop: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(stop))
    }

    pub(super) fn call(self) {
        (self.0)();
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Stop")
    }
}

#[derive(Debug)]
struct Flight {
    ticket: Ticket,
    phase: Phase,
    stop: Option<Stop>,
}

impl Flight {
    /// At its end itself a limit of time has not passed.
    fn overdue(&self, now: Timestamp) -> Option<Overdue> {
        match self.phase {
            Phase::Answer(until) if now > until => Some(Overdue::Answer),
            Phase::Comparison(until) if now > until => Some(Overdue::Comparison),
            Phase::Answer(_) | Phase::Comparison(_) | Phase::Production => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct InFlight(BTreeMap<RunId, Flight>);

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The documents on which the candidate runs.
    pub(super) fn documents(&self) -> impl Iterator<Item = &Ticket> {
        let runs = self.0.iter().filter(|(run, _)| !run.is_baseline);
        runs.map(|(_, flight)| &flight.ticket)
    }

    pub(super) fn contains(&self, run: RunId) -> bool {
        self.0.contains_key(&run)
    }

    pub(super) fn begin(&mut self, run: RunId, ticket: &Ticket, until: Timestamp) {
        let flight = Flight {
            ticket: ticket.clone(),
            phase: Phase::Answer(until),
            stop: None,
        };
        self.0.insert(run, flight);
    }

    /// What stops the run when it is overdue; handed back if it has ended already.
    pub(super) fn stop_by(&mut self, run: RunId, stop: Stop) -> Option<Stop> {
        match self.0.get_mut(&run) {
            Some(flight) => {
                flight.stop = Some(stop);
                None
            }
            None => Some(stop),
        }
    }

    /// The candidate has answered; from here on production has the time that it takes. False if
    /// the run has ended or is overdue.
    pub(super) fn answered(&mut self, run: RunId, now: Timestamp) -> bool {
        self.advance(run, now, Phase::Production)
    }

    /// The comparison begins; false if the run has ended.
    pub(super) fn compares(&mut self, run: RunId, now: Timestamp, until: Timestamp) -> bool {
        self.advance(run, now, Phase::Comparison(until))
    }

    fn advance(&mut self, run: RunId, now: Timestamp, phase: Phase) -> bool {
        let flight = self.0.get_mut(&run);
        let flight = flight.filter(|flight| flight.overdue(now).is_none());
        flight.is_some_and(|flight| {
            flight.phase = phase;
            true
        })
    }

    /// Which limit of time the run has passed.
    pub(super) fn overdue(&self, run: RunId, now: Timestamp) -> Option<Overdue> {
        self.0.get(&run)?.overdue(now)
    }

    /// Takes a run out, ended.
    pub(super) fn end(&mut self, run: RunId) {
        self.0.remove(&run);
    }

    /// Takes out what is overdue.
    pub(super) fn take_overdue(
        &mut self,
        now: Timestamp,
    ) -> Vec<(RunId, Ticket, Overdue, Option<Stop>)> {
        let overdue = self.0.iter().filter_map(|(run, flight)| {
            let overdue = flight.overdue(now)?;
            Some((*run, overdue))
        });
        let overdue: Vec<_> = overdue.collect();
        let taken = overdue.into_iter().filter_map(|(run, overdue)| {
            let flight = self.0.remove(&run)?;
            Some((run, flight.ticket, overdue, flight.stop))
        });
        taken.collect()
    }
}
