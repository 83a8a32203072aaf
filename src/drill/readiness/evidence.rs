//! What guards and drills say of each failure mode.

use std::collections::BTreeMap;
use std::time::Duration;

use super::gap::Gap;
use crate::drill::failure_mode::FailureMode;
use crate::drill::matrix::DetectionMatrix;
use crate::guard::{Guard, Mounted, SettingsHash};

/// Whether a guard of one of these names acts; it may be mounted under another.
pub(super) fn acts(guards: &[Mounted<Box<dyn Guard>>], names: &[&str]) -> bool {
    let mut acting = guards.iter().filter(|mounted| !mounted.dry_run);
    acting.any(|mounted| names.contains(&mounted.guard.name()))
}

/// What is missing for this failure mode.
pub(super) fn of_mode(
    mode: FailureMode,
    has_guard: bool,
    drilled: Option<&DetectionMatrix>,
    within: Duration,
) -> Vec<Gap> {
    let rows = drilled.map_or(&[][..], DetectionMatrix::rows);
    let rows: Vec<_> = rows.iter().filter(|row| row.mode == Some(mode)).collect();
    let is_seen = rows.iter().any(|row| row.together.is_seen_within(within));
    if !has_guard && !is_seen {
        return vec![Gap::NoSignal { mode }];
    }
    if rows.is_empty() {
        return vec![Gap::NoDrill { mode }];
    }
    let unseen = rows
        .iter()
        .filter(|row| !row.together.is_seen_within(within));
    let gaps = unseen.map(|row| {
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
    });
    gaps.collect()
}

/// What is missing for all failure modes but the accepted ones.
pub(super) fn of_modes(
    guards: &[Mounted<Box<dyn Guard>>],
    drilled: Option<&DetectionMatrix>,
    accepted: &BTreeMap<FailureMode, String>,
    times: &BTreeMap<FailureMode, Duration>,
) -> Vec<Gap> {
    let modes = FailureMode::ALL.into_iter();
    let gaps = modes
        .filter(|mode| !accepted.contains_key(mode))
        .flat_map(|mode| {
            let within = times.get(&mode).copied();
            let within = within.unwrap_or_else(|| mode.known_within());
            of_mode(mode, acts(guards, mode.guards()), drilled, within)
        });
    gaps.collect()
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
