//! Names of documents, types, versions, models and fields: short, cheap to clone, safe to print.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use twox_hash::XxHash3_64;

use crate::error::Error;

/// The longest name that is kept unchanged, in bytes.
const LONGEST: usize = 256;
/// The number of bytes of a longer name that are kept before its hash.
const KEPT: usize = 200;
/// The common name of all keys in the overflow of a bounded map.
const OTHER: &str = "other";
/// The field that is a whole answer; a name has at least one character, and its pointer has none.
const WHOLE_ANSWER: &str = "(answer)";

fn shared(what: &'static str, text: &str) -> Result<Arc<str>, Error> {
    if text.is_empty() {
        return Err(Error::invalid(what, text, "at least one character"));
    }
    Ok(Arc::from(&*shortened(text, LONGEST, KEPT)))
}

/// A text of more than `longest` bytes as its first `kept` bytes or fewer, and a hash of the whole.
pub(crate) fn shortened(text: &str, longest: usize, kept: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return Cow::Borrowed(text);
    }
    let kept = text
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| *end <= kept)
        .last()
        .unwrap_or(0);
    let hash = XxHash3_64::oneshot(text.as_bytes());
    let start = text.get(..kept).unwrap_or_default();
    Cow::Owned(format!("{start}…{hash:016x}"))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// It has at least one character. A name of more than 256 bytes is shortened to its
        /// beginning and a hash of the whole, so that hostile input stays small and distinct names
        /// stay distinct. Cloning copies a pointer; printing escapes control characters.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("The ", $what, " with this text; an error if it is empty.")]
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
    /// The key of documents that belong together: of one supplier, upload or delivery.
    BatchKey, "batch key"
}
name! {
    /// The id of a correction in a review tool.
    CorrectionId, "correction id"
}
name! {
    /// The id of a document: unique in your pipeline, and the same on every retry.
    DocumentId, "document id"
}
name! {
    /// The type of a document (`invoice`, `contract`): guards keep their counts per type.
    DocumentType, "document type"
}
impl DocumentType {
    /// The common name of the document types in the overflow of a guard's map.
    pub(crate) fn other() -> Self {
        Self(Arc::from(OTHER))
    }
}

name! {
    /// A field of an answer (`total`, `vendor`), with a confidence or a correction.
    Field, "field"
}
impl Field {
    /// The whole answer, where a comparison names no field of it.
    pub(crate) fn whole_answer() -> Self {
        Self(Arc::from(WHOLE_ANSWER))
    }

    /// The common name of the fields in the overflow of a guard's map.
    pub(crate) fn other() -> Self {
        Self(Arc::from(OTHER))
    }
}

name! {
    /// A finish or stop reason, as an API reports it.
    FinishWord, "finish reason"
}
impl FinishWord {
    /// The word that an API reports, which may be empty.
    pub(crate) fn reported(word: &str) -> Self {
        Self::new(word).unwrap_or_else(|_| Self(Arc::from("(empty)")))
    }
}

name! {
    /// A model, with exactly the name that the API uses.
    ModelName, "model"
}
name! {
    /// The name of a pipeline, where several keep their state in one store or page one operator.
    PipelineName, "pipeline"
}
name! {
    /// A queue outside the pipeline that documents can be diverted to.
    QueueName, "queue"
}
name! {
    /// A way to tell people of an incident.
    RouteName, "route"
}
name! {
    /// The id of a prompt version.
    VersionId, "version"
}
impl VersionId {
    /// A placeholder for no version.
    pub(crate) fn other() -> Self {
        Self(Arc::from(OTHER))
    }
}
