//! What a drill must show: expectations, and the guards without which they must not be met.

use super::check::{Check, DrillOutcome};
use super::expectation::{Expectation, quoted};
use super::report::DrillReport;
use super::script::Script;
use crate::error::Error;
use crate::pipeline::Builder;

#[derive(Clone, Debug, Default)]
pub(super) struct Proof {
    pub(super) expectations: Vec<Expectation>,
    /// The guards without which the drill must fail.
    pub(super) guards: Vec<String>,
}

impl Proof {
    /// Runs the script against a pipeline, and against one without each of the guards.
    pub(super) fn of(
        &self,
        script: &Script,
        production: impl Fn() -> Result<Builder, Error>,
    ) -> Result<DrillReport, Error> {
        script.check()?;
        self.check_faults(script)?;
        self.check_names(&production()?)?;
        let mut report = DrillReport::of(script, &production)?;
        let expected = self.expectations.iter();
        let checks: Vec<_> = expected
            .map(|expectation| expectation.check(&report))
            .collect();
        let mut proofs = Vec::new();
        for guard in &self.guards {
            let without = || Ok(production()?.with_guards(|name| name != guard));
            proofs.push(self.prove(guard, &DrillReport::of(script, &without)?));
        }
        for check in checks.into_iter().chain(proofs) {
            report.add(check);
        }
        Ok(report)
    }

    /// What a run without this guard proves of it. A fault that then met no document counts as one
    /// that did: the guard may be what leads documents to it, as a canary does.
    fn prove(&self, guard: &str, report: &DrillReport) -> Check {
        let possible = self
            .expectations
            .iter()
            .filter(|expectation| expectation.guard() != Some(guard));
        let checks: Vec<_> = possible
            .map(|expectation| expectation.judge(report))
            .collect();
        let unmet = checks
            .iter()
            .find(|check| check.outcome != DrillOutcome::Passed);
        let (outcome, seen) = match unmet {
            Some(check) => {
                let blind = report.blind();
                let blind = blind.map_or(String::new(), |why| format!("; {why} then"));
                let seen = format!("it fails: {}{blind}", check.seen);
                (DrillOutcome::Passed, seen)
            }
            None if checks.is_empty() => (
                DrillOutcome::Blind,
                "nothing is expected that another guard could meet".to_owned(),
            ),
            None => (DrillOutcome::Failed, "it passes without it".to_owned()),
        };
        Check {
            expected: fails_without(guard),
            outcome,
            seen,
        }
    }

    /// Refuses an expectation of a fault if there is none.
    pub(super) fn check_faults(&self, script: &Script) -> Result<(), Error> {
        let needs_fault =
            |expectation: &&Expectation| matches!(expectation, Expectation::Detected(_));
        match self.expectations.iter().find(needs_fault) {
            Some(expectation) if script.faults.is_empty() => Err(Error::invalid(
                "drill expectation",
                expectation,
                "a fault to detect; add it with `.fault(..)`",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses guards that the pipeline does not have: a drill of a misspelt guard would prove
    /// nothing.
    fn check_names(&self, builder: &Builder) -> Result<(), Error> {
        let names = builder.guard_names();
        let paging = self.expectations.iter().filter_map(Expectation::guard);
        let paging = paging.filter(|guard| *guard != "pipeline");
        for guard in paging.chain(self.guards.iter().map(String::as_str)) {
            if !names.contains(&guard) {
                let allowed = format!("a guard of the pipeline: {}", quoted(names));
                return Err(Error::invalid("drill guard", guard, allowed));
            }
        }
        Ok(())
    }
}

/// The expectation that a drill fails without this guard, as a sentence.
pub(super) fn fails_without(guard: &str) -> String {
    format!("it fails without `{guard}`")
}
