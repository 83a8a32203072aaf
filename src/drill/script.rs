//! What is run in a drill: documents, faults, from when, and for how long.

use std::time::Duration;

use super::command::Command;
use super::fault::{Fault, What};
use super::traffic::Traffic;
use super::virtual_time::LONGEST;
use crate::error::Error;
use crate::pager::PagerRoute;
use crate::time::Timestamp;

/// Monday 2026-01-05, 08:00 UTC.
const MONDAY_MORNING: Timestamp = Timestamp::from_millis(1_767_600_000_000);

/// 9000-01-01.
const LATEST: Timestamp = Timestamp::from_millis(221_845_392_000_000);

#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) traffic: Vec<Traffic>,
    /// Each with the time after which it begins.
    pub(super) faults: Vec<(Duration, Fault)>,
    /// What an operator does, each with the time after which it happens.
    pub(super) commands: Vec<(Duration, Command)>,
    /// How its pages are delivered; by its sink alone without a route.
    pub(super) routes: Vec<PagerRoute>,
    pub(super) length: Duration,
    pub(super) begin: Timestamp,
    pub(super) seed: u64,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            traffic: Vec::new(),
            faults: Vec::new(),
            commands: Vec::new(),
            routes: Vec::new(),
            length: Duration::ZERO,
            begin: MONDAY_MORNING,
            seed: 1,
        }
    }
}

impl Script {
    /// The same traffic, with other faults and another length.
    pub(super) fn with(&self, faults: Vec<(Duration, Fault)>, length: Duration) -> Self {
        Self {
            faults,
            length,
            ..self.clone()
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.traffic.is_empty() {
            return Err(Error::invalid(
                "drill traffic",
                "none",
                "at least one document type; add it with `.traffic(..)`",
            ));
        }
        if self.length.is_zero() || self.length > LONGEST || self.begin > LATEST {
            let value = format!(
                "{} from {}",
                humantime::format_duration(self.length),
                self.begin
            );
            let allowed =
                "more than no time, at most ten years, and from a time before the year 9000";
            return Err(Error::invalid("length of a drill", value, allowed));
        }
        for traffic in &self.traffic {
            traffic.check(self.length)?;
        }
        for (after, fault) in &self.faults {
            fault.check()?;
            self.check_pager(fault)?;
            self.check_time("drill fault", *after)?;
        }
        for (after, _) in &self.commands {
            self.check_time("drill command", *after)?;
        }
        Ok(())
    }

    /// Refuses a fault of what only a drill with a pager has.
    fn check_pager(&self, fault: &Fault) -> Result<(), Error> {
        let what = match fault.what {
            What::DropFacts => "facts that are dropped",
            What::LoseStore => "a store that is lost",
            What::PagerDown => "a pager that is down",
            What::ShareStore => "a store that is shared",
            What::StoreDown => "a store that is down",
            _ => return Ok(()),
        };
        if self.routes.is_empty() {
            let allowed = "a drill with a pager: `.pager(..)`, or `pager = true` in a scenario";
            return Err(Error::invalid("drill fault", what, allowed));
        }
        Ok(())
    }

    /// Refuses what would happen after the end.
    fn check_time(&self, field: &'static str, after: Duration) -> Result<(), Error> {
        if after < self.length {
            return Ok(());
        }
        let allowed = format!(
            "less than the length of the drill, {}",
            humantime::format_duration(self.length)
        );
        let after = humantime::format_duration(after);
        Err(Error::invalid(field, after, allowed))
    }

    /// When the first fault begins.
    pub(super) fn broken_at(&self) -> Option<Timestamp> {
        let first = self.faults.iter().map(|(after, _)| *after).min();
        first.map(|after| self.begin + after)
    }
}
