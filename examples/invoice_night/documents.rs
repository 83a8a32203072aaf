//! The documents: text files in a folder, each with an optional JSON file of its expected fields.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fusebox::DocumentType;
use fusebox::tokens::Encoding;
use fusebox::tokens::{Tiktoken, TokenCounter};

use crate::AnyError;
use crate::folder::{self, TextFile};

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) kind: DocumentType,
    pub(crate) text: String,
    /// The server's count of its tokens; the guards count for themselves.
    pub(crate) tokens: u64,
    /// The expected fields, with which the server answers.
    pub(crate) fields: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) all: Vec<Document>,
    /// Files that cannot be used, each with the reason.
    pub(crate) unreadable: Vec<String>,
}

pub(crate) fn load(path: &Path) -> Result<Documents, AnyError> {
    let counter = Tiktoken::new(Encoding::O200kBase);
    let folder = folder::read(path)?;
    let documents = folder
        .files
        .into_iter()
        .map(|file| document(file, &counter));
    Ok(Documents {
        all: documents.collect::<Result<_, _>>()?,
        unreadable: folder.unreadable,
    })
}

fn document(file: TextFile, counter: &dyn TokenCounter) -> Result<Document, AnyError> {
    let expected = fs::read(file.path.with_extension("json")).unwrap_or_default();
    Ok(Document {
        name: file
            .path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        kind: file.document_type,
        tokens: counter.count(&file.text)?.lower(),
        fields: serde_json::from_slice(&expected).unwrap_or_default(),
        text: file.text,
    })
}
