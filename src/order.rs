//! Who gave a command, why, and what it changed; and whether it was meant for what is the case now.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::revision::Revision;

/// Who gave a command, why, and what it changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) who: String,
    pub(crate) why: String,
    /// What was the case before the command, in words; empty until it is carried out.
    #[serde(default)]
    pub(crate) before: String,
    /// What is the case after it.
    #[serde(default)]
    pub(crate) after: String,
}

impl Order {
    /// An error when `who` or `why` is blank, longer than 1,000 bytes or more than one line.
    pub(crate) fn new(who: impl AsRef<str>, why: impl AsRef<str>) -> Result<Self, Error> {
        let (who, why) = (who.as_ref(), why.as_ref());
        Error::unless_a_line("who", who)?;
        Error::unless_a_line("why", why)?;
        Ok(Self {
            who: who.to_owned(),
            why: why.to_owned(),
            before: String::new(),
            after: String::new(),
        })
    }

    /// It was carried out.
    pub(crate) fn changed(&mut self, before: impl fmt::Display, after: impl fmt::Display) {
        self.before = before.to_string();
        self.after = after.to_string();
    }
}

/// An error when a command was meant for another revision than `revision`, the one of now; it says
/// what `now` is like.
pub(crate) fn check_revision(
    command: impl fmt::Display,
    meant_for: Revision,
    revision: Revision,
    now: impl fmt::Display,
) -> Result<(), Error> {
    if meant_for == revision {
        return Ok(());
    }
    Err(Error::outdated(command, meant_for, revision, now))
}
