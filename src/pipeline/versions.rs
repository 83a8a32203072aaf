//! The versions deployed so far, so that one id never stands for two prompts.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::call::{Fingerprint, LineUp};
use crate::error::Error;
use crate::name::VersionId;

/// Above this limit, drop the version that was deployed first.
const REMEMBERED: usize = 1_000;

/// The fingerprint of each version, by its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KnownVersions(VecDeque<(VersionId, Fingerprint)>);

impl KnownVersions {
    /// Adds the versions of a line-up. An error, and nothing is added, when one was deployed before
    /// with another fingerprint.
    pub(super) fn learn(&mut self, line_up: &LineUp) -> Result<(), Error> {
        self.check(line_up)?;
        for version in line_up.versions() {
            if self.fingerprint(version.id()).is_none() {
                self.0.truncate(REMEMBERED - 1);
                self.0
                    .push_front((version.id().clone(), version.fingerprint()));
            }
        }
        Ok(())
    }

    /// Adds versions that were deployed before all of these; of an id in both, these stay.
    pub(super) fn learn_earlier(&mut self, earlier: &Self) {
        for (id, fingerprint) in &earlier.0 {
            if self.0.len() < REMEMBERED && self.fingerprint(id).is_none() {
                self.0.push_back((id.clone(), *fingerprint));
            }
        }
    }

    /// An error when a version of the line-up was deployed before with another fingerprint.
    pub(super) fn check(&self, line_up: &LineUp) -> Result<(), Error> {
        for version in line_up.versions() {
            let known = self.fingerprint(version.id());
            if known.is_some_and(|known| known != version.fingerprint()) {
                let allowed = "a new id, because this one was deployed with another prompt, other tools or another model";
                return Err(Error::invalid("version id", version.id(), allowed));
            }
        }
        Ok(())
    }

    fn fingerprint(&self, version: &VersionId) -> Option<Fingerprint> {
        let mut known = self.0.iter();
        known.find(|(id, _)| id == version).map(|(_, known)| *known)
    }
}
