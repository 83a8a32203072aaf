//! The documents: text files in a folder, with the expected fields beside them where somebody wrote them down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fusebox::tokens::{Tiktoken, TokenCounter};
use fusebox::{DocumentType, Encoding};

use crate::AnyError;

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) kind: DocumentType,
    pub(crate) text: String,
    /// What the server counts it as; the guards count for themselves.
    pub(crate) tokens: u64,
    /// What the document says, for the model that stands in for a real one.
    pub(crate) fields: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) all: Vec<Document>,
    /// Files that cannot be used, and why.
    pub(crate) unreadable: Vec<String>,
}

/// Reads every text file of a folder; a sub-folder is a document type.
pub(crate) fn load(folder: &Path) -> Result<Documents, AnyError> {
    let counter = Tiktoken::new(Encoding::O200kBase);
    let mut documents = Documents {
        all: Vec::new(),
        unreadable: Vec::new(),
    };
    let entries =
        listed(folder).map_err(|error| format!("folder {}: {error}", folder.display()))?;
    for entry in entries {
        if entry.is_dir() {
            let name = entry
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            for file in listed(&entry)? {
                documents.read(&file, &name, &counter);
            }
        } else if !is_readme(&entry) {
            documents.read(&entry, "document", &counter);
        }
    }
    if documents.all.is_empty() {
        let tried = documents.unreadable.join("\n  ");
        return Err(format!(
            "folder {}: no text file that can be used\n  {tried}",
            folder.display()
        )
        .into());
    }
    Ok(documents)
}

fn listed(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<_> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    Ok(paths)
}

fn is_readme(path: &Path) -> bool {
    path.file_stem()
        .is_some_and(|stem| stem.eq_ignore_ascii_case("readme"))
}

impl Documents {
    fn read(&mut self, file: &Path, document_type: &str, counter: &dyn TokenCounter) {
        if file
            .extension()
            .is_some_and(|extension| extension == "json")
            || file.is_dir()
        {
            return;
        }
        match read(file, document_type, counter) {
            Ok(document) => self.all.push(document),
            Err(error) => self.unreadable.push(format!("{}: {error}", file.display())),
        }
    }
}

fn read(
    file: &Path,
    document_type: &str,
    counter: &dyn TokenCounter,
) -> Result<Document, AnyError> {
    let text = String::from_utf8(fs::read(file)?).map_err(|_| "not UTF-8 text")?;
    if text.trim().is_empty() {
        return Err("empty".into());
    }
    let expected = fs::read(file.with_extension("json")).unwrap_or_default();
    Ok(Document {
        name: file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        kind: DocumentType::new(document_type)?,
        tokens: counter.count(&text)?.lower(),
        fields: serde_json::from_slice(&expected).unwrap_or_default(),
        text,
    })
}
