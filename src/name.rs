//! Names: document ids and types, versions, models, fields. Short, shared, cheap to clone, safe to print.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use twox_hash::XxHash3_64;

use crate::error::Error;

/// The longest name that is kept as it is, in bytes.
const LONGEST: usize = 256;
/// How much of a longer name is kept before its hash.
const KEPT: usize = 200;
/// What keys past a limit are called together.
const OTHER: &str = "other";

fn shared(what: &'static str, text: &str) -> Result<Arc<str>, Error> {
    if text.is_empty() {
        return Err(Error::invalid(what, text, "give at least one character"));
    }
    if text.len() <= LONGEST {
        return Ok(Arc::from(text));
    }
    let kept = text
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| *end <= KEPT)
        .last()
        .unwrap_or(0);
    let hash = XxHash3_64::oneshot(text.as_bytes());
    let start = text.get(..kept).unwrap_or_default();
    Ok(Arc::from(format!("{start}…{hash:016x}")))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// At least one character. A name of more than 256 bytes is shortened to its beginning and a hash of the whole,
        /// so that hostile input stays small and distinct names stay distinct. Cloning copies a pointer; control
        /// characters are escaped when it is printed.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("The ", $what, " with this text; an error when it is empty.")]
            pub fn new(text: impl AsRef<str>) -> Result<Self, Error> {
                shared($what, text.as_ref()).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.0.chars().any(char::is_control) {
                    f.pad(&self.0.escape_debug().to_string())
                } else {
                    f.pad(&self.0)
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// Corrections that have one cause: a supplier, an upload, the session of a reviewer.
    BatchKey, "batch key"
}
name! {
    /// The id that a review tool gives to a correction.
    CorrectionId, "correction id"
}
name! {
    /// Which document a call is about: unique in your pipeline, the same on every retry.
    DocumentId, "document id"
}
name! {
    /// What kind of document it is (`invoice`, `contract`): guards keep their numbers per type.
    DocumentType, "document type"
}
impl DocumentType {
    /// The name under which types past a guard's limit are reported together.
    pub(crate) fn other() -> Self {
        Self(Arc::from(OTHER))
    }
}

name! {
    /// A field of the answer (`total`, `vendor`) that has a confidence or was corrected.
    Field, "field"
}
impl Field {
    /// The name under which fields past a guard's limit are reported together.
    pub(crate) fn other() -> Self {
        Self(Arc::from(OTHER))
    }
}

name! {
    /// A model, named exactly as the API names it.
    ModelName, "model"
}
name! {
    /// A place outside the pipeline that documents can be sent to.
    QueueName, "queue"
}
name! {
    /// A prompt version.
    VersionId, "version"
}
impl VersionId {
    /// The name that stands where there is no version.
    pub(crate) fn other() -> Self {
        Self(Arc::from(OTHER))
    }
}
