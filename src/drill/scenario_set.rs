//! A folder of scenario files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::scenario::Scenario;
use crate::error::Error;

/// The scenarios of a folder, one file each: a set of drills for those who write no Rust.
///
/// It has at least one scenario, as long as the longest, in which nothing breaks and nobody must be
/// paged: guards that always page would pass all others.
#[derive(Clone, Debug)]
pub struct ScenarioSet(Vec<Scenario>);

impl ScenarioSet {
    /// Reads each file with the extension `toml` in a folder, in the order of their names.
    ///
    /// An error when the folder or a file cannot be read, when a file is not a scenario, when two
    /// scenarios have one name, or when none expects that healthy traffic pages nobody for as long as the
    /// longest of them.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let files = files_of(folder).map_err(|error| Error::file(folder.display(), error))?;
        let scenarios = files.iter().map(Scenario::from_path);
        let set = Self(scenarios.collect::<Result<_, _>>()?);
        set.check(folder)?;
        Ok(set)
    }

    fn check(&self, folder: &Path) -> Result<(), Error> {
        let refuse = |reason: String| Err(Error::file(folder.display(), reason));
        let mut names = BTreeSet::new();
        let mut all = self.0.iter();
        if let Some(twice) = all.find(|scenario| !names.insert(scenario.name())) {
            return refuse(format!("two scenarios have the name `{}`", twice.name()));
        }
        let longest = self.0.iter().map(Scenario::length).max();
        let is_calm =
            |scenario: &Scenario| scenario.is_healthy() && Some(scenario.length()) == longest;
        if !self.0.iter().any(is_calm) {
            return refuse(
                "no scenario as long as the longest has no fault and expects `no_page = true`: \
                 guards that always page would pass"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// The scenarios, in the order of their files.
    pub fn scenarios(&self) -> &[Scenario] {
        &self.0
    }
}

/// The scenario files of a folder, in the order of their names.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
