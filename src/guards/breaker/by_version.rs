//! A circuit for each version that had calls, at most a thousand.

use serde::{Deserialize, Serialize};

use super::circuit::Circuit;
use crate::name::VersionId;

/// Above this number, circuits that are in service and whose version is not live are dropped.
const VERSIONS: usize = 8;
/// Hard limit: above it, the oldest circuit is dropped, in service or not.
const MOST_VERSIONS: usize = 1_000;

/// A list: it is small, and versions are few.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ByVersion(Vec<(VersionId, Circuit)>);

impl ByVersion {
    pub(super) fn get(&self, version: &str) -> Option<&Circuit> {
        let found = self.0.iter().find(|(known, _)| known == version);
        found.map(|(_, circuit)| circuit)
    }

    pub(super) fn get_mut(&mut self, version: &str) -> Option<&mut Circuit> {
        let found = self.0.iter_mut().find(|(known, _)| known == version);
        found.map(|(_, circuit)| circuit)
    }

    /// The circuit of a version, created if there is none.
    pub(super) fn entry(
        &mut self,
        version: &VersionId,
        is_live: impl Fn(&VersionId) -> bool,
        new: impl FnOnce() -> Circuit,
    ) -> Option<&mut Circuit> {
        let place = self.0.iter().position(|(known, _)| known == version);
        let entry = if let Some(place) = place {
            self.0.get_mut(place)
        } else {
            if self.0.len() >= VERSIONS {
                self.0
                    .retain(|(known, circuit)| !circuit.is_in_service() || is_live(known));
            }
            if self.0.len() >= MOST_VERSIONS {
                self.0.remove(0);
            }
            self.0.reserve_exact(1);
            self.0.push((version.clone(), new()));
            self.0.last_mut()
        };
        entry.map(|(_, circuit)| circuit)
    }

    pub(super) fn is_out(&self, version: &VersionId) -> bool {
        let circuit = self.get(version.as_str());
        circuit.is_some_and(|circuit| !circuit.is_in_service())
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = &VersionId> {
        self.0.iter().map(|(version, _)| version)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(VersionId, Circuit)> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut (VersionId, Circuit)> {
        self.0.iter_mut()
    }
}
