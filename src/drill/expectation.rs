//! What a drill expects, and whether it was so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::check::{Check, DrillOutcome};
use super::report::DrillReport;
use crate::event::{IncidentChange, Severity};
use crate::name::VersionId;

/// What a drill expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expectation {
    Detected(Duration),
    /// The beginning of the key of an incident that ends.
    Ended(String),
    /// The beginning of the key of an incident, of any severity.
    Incident(String),
    LosesNothing,
    NoPage,
    /// The beginning of an incident's key, in whole parts.
    Page(String),
    /// The name of the event that a page came with.
    PagedWith(String),
    Resolved,
    ServedFrom(VersionId),
    /// The name of an event.
    Told(String),
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Detected(within) => {
                write!(f, "a page within {}", humantime::format_duration(*within))
            }
            Self::Ended(incident) => write!(f, "each incident `{incident}` ends"),
            Self::Incident(incident) => write!(f, "an incident `{incident}`"),
            Self::LosesNothing => f.write_str("no document is lost"),
            Self::NoPage => f.write_str("no page"),
            Self::Page(incident) => write!(f, "a page of `{incident}`"),
            Self::PagedWith(name) => write!(f, "a page with an event `{name}`"),
            Self::Resolved => f.write_str("every page's incident ends"),
            Self::ServedFrom(version) => write!(f, "version {version} serves at the end"),
            Self::Told(name) => write!(f, "an event `{name}`"),
        }
    }
}

impl Expectation {
    /// The guard that it is about; `None` if it is about no guard in particular.
    pub(super) fn guard(&self) -> Option<&str> {
        match self {
            Self::Ended(incident) | Self::Incident(incident) | Self::Page(incident) => {
                incident.split('/').next()
            }
            _ => None,
        }
    }

    /// What became of it in this drill.
    pub(super) fn check(&self, report: &DrillReport) -> Check {
        let check = self.judge(report);
        match report.blind() {
            Some(why) => Check {
                outcome: DrillOutcome::Blind,
                seen: why,
                ..check
            },
            None => check,
        }
    }

    /// What became of it, if the drill is not blind.
    pub(super) fn judge(&self, report: &DrillReport) -> Check {
        let (is_met, seen) = match self {
            Self::Detected(within) => match report.time_to_page() {
                Some(time) => (time <= *within, page_after(time)),
                None => (false, NO_PAGE.to_owned()),
            },
            Self::NoPage => match (report.first_page(), report.untold_pages()) {
                (Some(page), _) => (false, page.to_string()),
                (None, Some(untold)) => (false, untold),
                (None, None) => (true, NO_PAGE.to_owned()),
            },
            Self::LosesNothing => {
                let untold = report.lost_untold();
                match untold.first() {
                    Some(document) => {
                        let seen = format!(
                            "{} documents did not end and no event names them, such as {document}",
                            untold.len()
                        );
                        (false, seen)
                    }
                    None if report.ended() == 0 => (false, "no document has ended yet".to_owned()),
                    None => (
                        true,
                        "every document ended, or an event names it".to_owned(),
                    ),
                }
            }
            Self::Ended(incident) => ended(report, incident),
            Self::Incident(incident) => {
                let open = open_at_end(report);
                let is_met = open.keys().any(|key| begins_with(key, incident));
                (is_met, opened(open.keys().copied()))
            }
            Self::Page(incident) => {
                let paged: BTreeSet<_> = report.paged_incidents().collect();
                let seen = if paged.is_empty() {
                    NO_PAGE.to_owned()
                } else {
                    format!("pages came of {}", quoted(paged.iter().copied()))
                };
                let is_met = paged.iter().any(|key| begins_with(key, incident));
                (is_met, seen)
            }
            Self::PagedWith(name) => paged_with(report, name),
            Self::Resolved => match still_open(report) {
                None => (false, NO_PAGE.to_owned()),
                Some(open) if open.is_empty() => (true, "none is open".to_owned()),
                Some(open) => (false, format!("still open: {}", quoted(open))),
            },
            Self::ServedFrom(version) => {
                let last = report.last_versions();
                let is_met = last.iter().eq([version.as_str()].iter());
                let seen = if last.is_empty() {
                    "no document was admitted since the last fault".to_owned()
                } else {
                    format!("served at the end: {}", quoted(last))
                };
                (is_met, seen)
            }
            Self::Told(name) => {
                let told: BTreeSet<_> = report.told().collect();
                let is_met = told.contains(name.as_str());
                let seen = if is_met {
                    "it came".to_owned()
                } else if told.is_empty() {
                    "no event came".to_owned()
                } else {
                    format!("events came with other names: {}", quoted(told))
                };
                (is_met, seen)
            }
        };
        let outcome = if is_met {
            DrillOutcome::Passed
        } else {
            DrillOutcome::Failed
        };
        Check {
            expected: self.to_string(),
            outcome,
            seen,
        }
    }
}

/// Whether an incident's key begins with these parts.
fn begins_with(key: &str, parts: &str) -> bool {
    key.strip_prefix(parts)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

const NO_PAGE: &str = "no page came";

fn page_after(time: Duration) -> String {
    format!("a page came after {}", humantime::format_duration(time))
}

pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Whether each incident with this key has ended, and what was seen.
fn ended(report: &DrillReport, incident: &str) -> (bool, String) {
    let open = open_at_end(report);
    let mut meant = open.iter().filter(|(key, _)| begins_with(key, incident));
    let still_open = meant.clone().filter(|(_, is_open)| **is_open);
    let still_open: Vec<_> = still_open.map(|(key, _)| *key).collect();
    if meant.next().is_none() {
        (false, opened(open.keys().copied()))
    } else if still_open.is_empty() {
        (true, "none is open".to_owned())
    } else {
        (false, format!("still open: {}", quoted(still_open)))
    }
}

/// Whether a page came with an event of this name, and what was seen.
fn paged_with(report: &DrillReport, name: &str) -> (bool, String) {
    let names: BTreeSet<_> = report.paged_events().map(|page| page.kind.name()).collect();
    let seen = if names.is_empty() {
        NO_PAGE.to_owned()
    } else {
        format!("pages came with {}", quoted(names.iter().copied()))
    };
    (names.contains(name), seen)
}

fn opened<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    let keys = quoted(keys);
    if keys.is_empty() {
        "no incident opened".to_owned()
    } else {
        format!("incidents that opened: {keys}")
    }
}

/// The incidents that something was told of, and whether each is open at the end.
fn open_at_end(report: &DrillReport) -> BTreeMap<&str, bool> {
    let told = report.events_since_fault();
    let told = told.filter_map(|event| event.incident.as_ref());
    told.map(|incident| {
        let is_open = incident.change != IncidentChange::Ended;
        (incident.key.as_str(), is_open)
    })
    .collect()
}

/// The incidents that were paged for and have not ended, or of whose end the pager of the drill does
/// not know; `None` without a page.
fn still_open(report: &DrillReport) -> Option<BTreeSet<&str>> {
    if let Some(open) = report.open_at_pager() {
        let paged: BTreeSet<_> = report.paged_incidents().collect();
        let open = paged.intersection(&open).copied().collect();
        return (!paged.is_empty()).then_some(open);
    }
    let mut open = BTreeSet::new();
    let mut is_paged = false;
    for event in report.events_since_fault() {
        let Some(incident) = &event.incident else {
            continue;
        };
        if incident.change == IncidentChange::Ended {
            open.remove(incident.key.as_str());
        } else if event.severity == Severity::Page {
            is_paged = true;
            open.insert(incident.key.as_str());
        }
    }
    is_paged.then_some(open)
}
