//! The versions that were deployed so far, so that one name never stands for two prompts.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::call::{Fingerprint, LineUp};
use crate::error::Error;
use crate::name::VersionId;

/// Above this number the version that was deployed first is forgotten.
const REMEMBERED: usize = 1_000;

/// What each version sends, by its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KnownVersions(VecDeque<(VersionId, Fingerprint)>);

impl KnownVersions {
    /// An error when a version of the line-up was deployed before with another prompt, other tools or another model.
    pub(super) fn check(&self, line_up: &LineUp) -> Result<(), Error> {
        for version in line_up.versions() {
            let known = self.fingerprint(version.id());
            if known.is_some_and(|known| known != version.fingerprint()) {
                let allowed = "an id of its own for each prompt, set of tools and model; this one was deployed with others";
                return Err(Error::invalid("version id", version.id(), allowed));
            }
        }
        Ok(())
    }

    pub(super) fn learn(&mut self, line_up: &LineUp) {
        for version in line_up.versions() {
            if self.fingerprint(version.id()).is_none() {
                self.0.truncate(REMEMBERED - 1);
                self.0
                    .push_front((version.id().clone(), version.fingerprint()));
            }
        }
    }

    fn fingerprint(&self, version: &VersionId) -> Option<Fingerprint> {
        let mut known = self.0.iter();
        known.find(|(id, _)| id == version).map(|(_, known)| *known)
    }
}
