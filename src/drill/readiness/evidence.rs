//! What guards and drills say of each failure mode.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::gap::Gap;
use crate::drill::failure_mode::FailureMode;
use crate::drill::matrix::{DetectionMatrix, DetectionRow};
use crate::guard::{Guard, Mounted, SettingsHash};
use crate::name::DocumentType;

/// What is known of a pipeline: its guards, what drills have shown of them, and the document types
/// that are expected.
pub(super) struct Evidence<'a> {
    pub(super) guards: &'a [Mounted<Box<dyn Guard>>],
    /// The name under which each is mounted.
    pub(super) names: Vec<&'a str>,
    pub(super) drilled: Option<&'a DetectionMatrix>,
    /// Empty if nobody has said which types come.
    pub(super) document_types: BTreeSet<DocumentType>,
}

/// Whether a guard of one of these names acts; it may be mounted under another.
pub(super) fn acts(guards: &[Mounted<Box<dyn Guard>>], names: &[&str]) -> bool {
    let mut acting = guards.iter().filter(|mounted| !mounted.dry_run);
    acting.any(|mounted| names.contains(&mounted.guard.name()))
}

impl Evidence<'_> {
    /// What is missing for all failure modes but the accepted ones.
    pub(super) fn gaps(
        &self,
        accepted: &BTreeMap<FailureMode, String>,
        times: &BTreeMap<FailureMode, Duration>,
    ) -> Vec<Gap> {
        let modes = FailureMode::ALL.into_iter();
        let gaps = modes
            .filter(|mode| !accepted.contains_key(mode))
            .flat_map(|mode| {
                let within = times.get(&mode).copied();
                self.gaps_of(mode, within.unwrap_or_else(|| mode.known_within()))
            });
        gaps.collect()
    }

    /// What is missing for this failure mode.
    fn gaps_of(&self, mode: FailureMode, within: Duration) -> Vec<Gap> {
        let rows = self.drilled.map_or(&[][..], DetectionMatrix::rows);
        let rows: Vec<_> = rows.iter().filter(|row| row.mode == Some(mode)).collect();
        let is_seen = rows.iter().any(|row| row.together.is_seen_within(within));
        if !acts(self.guards, mode.guards()) && !is_seen {
            return vec![Gap::NoSignal { mode }];
        }
        let mut gaps: Vec<_> = self.partial(mode, &rows, within).into_iter().collect();
        if rows.is_empty() {
            gaps.push(Gap::NoDrill { mode });
        }
        let unseen = rows
            .iter()
            .filter(|row| !row.together.is_seen_within(within));
        gaps.extend(unseen.map(|row| {
            let fault = row.fault.clone();
            match &row.together.blind {
                Some(why) => Gap::DrillBlind {
                    mode,
                    fault,
                    why: why.clone(),
                },
                None => Gap::DrillFailed {
                    mode,
                    fault,
                    seen: row.together.time_to_page,
                    within,
                },
            }
        }));
        gaps
    }

    /// The gap of the document types for which no guard pages, if there are any: neither one that
    /// is made for the failure mode, nor one of which a drill has shown a page.
    fn partial(&self, mode: FailureMode, rows: &[&DetectionRow], within: Duration) -> Option<Gap> {
        let paging: BTreeSet<&str> = rows
            .iter()
            .flat_map(|row| self.paging(row, within))
            .collect();
        let acting = self.guards.iter().zip(&self.names);
        let signals = acting.filter(|(mounted, name)| {
            let is_signal = mode.guards().contains(&mounted.guard.name()) || paging.contains(*name);
            is_signal && !mounted.dry_run
        });
        let mut covered = BTreeSet::new();
        for (mounted, _) in signals {
            covered.insert(mounted.only_for.clone()?);
        }
        let expected = &self.document_types;
        let uncovered: BTreeSet<_> = expected.difference(&covered).cloned().collect();
        let is_covered = uncovered.is_empty() && !expected.is_empty();
        (!covered.is_empty() && !is_covered).then_some(Gap::PartialSignal {
            mode,
            covered,
            uncovered,
        })
    }

    /// The guards that paged for a fault in time, with the others or alone.
    fn paging<'a>(
        &'a self,
        row: &'a DetectionRow,
        within: Duration,
    ) -> impl Iterator<Item = &'a str> {
        let together = Some(&row.together).filter(|seen| seen.is_seen_within(within));
        let together = together.and_then(|seen| seen.paged_by.as_deref());
        let guards = self.drilled.map_or(&[][..], DetectionMatrix::guards);
        let alone = guards.iter().zip(&row.alone);
        let alone = alone.filter(move |(_, seen)| seen.is_seen_within(within));
        together
            .into_iter()
            .chain(alone.map(|(name, _)| name.as_str()))
    }
}

/// What is wrong with the drills as a whole.
pub(super) fn of_drills(drilled: &DetectionMatrix, now: SettingsHash) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if drilled.settings() != now {
        gaps.push(Gap::DrillsOutdated {
            drilled: drilled.settings(),
            now,
        });
    }
    if drilled.false_pages() > 0 {
        gaps.push(Gap::HealthyPages {
            pages: drilled.false_pages(),
            healthy: drilled.healthy(),
        });
    }
    gaps
}
