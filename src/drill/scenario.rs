//! What is run in a drill: documents, faults, and for how long.

use std::time::Duration;

use super::fault::Fault;
use super::report::DrillReport;
use super::simulation::{self, BEGIN};
use super::traffic::Traffic;
use crate::error::Error;
use crate::pipeline::Builder;

#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario<'a> {
    pub(super) traffic: &'a [Traffic],
    /// Each with the time after which it begins.
    pub(super) faults: &'a [(Duration, Fault)],
    pub(super) length: Duration,
}

impl Scenario<'_> {
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.traffic.is_empty() {
            return Err(Error::invalid(
                "drill traffic",
                "none",
                "at least one document type; add it with `.traffic(..)`",
            ));
        }
        for (after, fault) in self.faults {
            fault.check()?;
            if *after >= self.length {
                let allowed = format!(
                    "less than the length of the drill, {}",
                    humantime::format_duration(self.length)
                );
                return Err(Error::invalid(
                    "drill fault",
                    humantime::format_duration(*after),
                    allowed,
                ));
            }
        }
        Ok(())
    }

    pub(super) fn run(&self, builder: Builder) -> Result<DrillReport, Error> {
        let broken_at = self.faults.iter().map(|(after, _)| BEGIN + *after).min();
        let seen = simulation::run(builder, self.traffic, self.faults, self.length)?;
        Ok(DrillReport::new(broken_at, seen))
    }
}
