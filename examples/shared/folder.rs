//! Text files in a folder; a sub-folder is a document type.

use std::fs;
use std::path::{Path, PathBuf};

use fusebox::DocumentType;

use crate::AnyError;

#[derive(Debug)]
pub(crate) struct TextFile {
    pub(crate) path: PathBuf,
    pub(crate) document_type: DocumentType,
    pub(crate) text: String,
}

#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) files: Vec<TextFile>,
    /// Files that cannot be used, each with the reason.
    pub(crate) unreadable: Vec<String>,
}

/// The examples' own folder of documents.
pub(crate) fn own() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/documents"))
}

/// Reads every text file of a folder. An error when there is none.
pub(crate) fn read(path: &Path) -> Result<Folder, AnyError> {
    let failed = |error| format!("folder {}: {error}", path.display());
    let mut folder = Folder::default();
    for entry in listed(path).map_err(failed)? {
        if entry.is_dir() {
            let name = entry.file_name().unwrap_or_default().to_string_lossy();
            match listed(&entry) {
                Ok(files) => files.iter().for_each(|file| folder.add(file, &name)),
                Err(error) => folder
                    .unreadable
                    .push(format!("{}: {error}", entry.display())),
            }
        } else if !is_readme(&entry) {
            folder.add(&entry, "document");
        }
    }
    if folder.files.is_empty() {
        let mut tried = vec![format!(
            "folder {}: no text file that can be used",
            path.display()
        )];
        tried.append(&mut folder.unreadable);
        return Err(tried.join("\n  ").into());
    }
    Ok(folder)
}

fn listed(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn is_readme(path: &Path) -> bool {
    path.file_stem()
        .is_some_and(|stem| stem.eq_ignore_ascii_case("readme"))
}

impl Folder {
    fn add(&mut self, path: &Path, document_type: &str) {
        let is_expectation = path
            .extension()
            .is_some_and(|extension| extension == "json");
        if is_expectation || path.is_dir() {
            return;
        }
        match text_file(path, document_type) {
            Ok(file) => self.files.push(file),
            Err(error) => self.unreadable.push(format!("{}: {error}", path.display())),
        }
    }
}

fn text_file(path: &Path, document_type: &str) -> Result<TextFile, AnyError> {
    let text = String::from_utf8(fs::read(path)?).map_err(|_| "not UTF-8 text")?;
    if text.trim().is_empty() {
        return Err("empty".into());
    }
    Ok(TextFile {
        path: path.to_owned(),
        document_type: DocumentType::new(document_type)?,
        text,
    })
}
