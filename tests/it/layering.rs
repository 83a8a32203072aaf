//! The layers of `docs/architecture.md`: a module uses only what stands above it there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Layers from the top down; a module may use its own layer and those before it.
const LAYERS: [&[&str]; 5] = [
    &[
        "account",
        "call",
        "conversation",
        "correction",
        "error",
        "event",
        "evidence",
        "failure",
        "format",
        "image",
        "model",
        "name",
        "outbox",
        "ratio",
        "signal",
        "ticket",
        "time",
        "token_count",
        "verdict",
        "version",
    ],
    &["histogram", "keyed", "stats", "window"],
    &["tokens"],
    &["guard", "guards"],
    &[
        "clock", "drill", "permit", "pipeline", "remote", "run", "sink",
    ],
];

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    assert!(found.len() > 30, "found {} files only", found.len());
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The top-level module that a file belongs to, and the guard if it is one.
fn module(path: &Path) -> (String, Option<String>) {
    let relative = path.strip_prefix(root()).unwrap().with_extension("");
    let parts: Vec<_> = relative
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    let guard = (parts[0] == "guards")
        .then(|| parts.get(1).cloned())
        .flatten();
    (parts[0].clone(), guard)
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Code without comments and test modules.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The modules of this crate that a file names with `crate::module`.
fn used(code: &str) -> BTreeSet<String> {
    let after = code.split("crate::").skip(1);
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect::<String>()
    };
    after
        .map(word)
        .filter(|module| !module.is_empty())
        .collect()
}

#[test]
fn a_layer_uses_only_what_is_above_it() {
    for path in sources() {
        let (own, _) = module(&path);
        if own == "lib" || own == "documentation" {
            continue;
        }
        let own_layer =
            layer(&own).unwrap_or_else(|| panic!("module `{own}` has no layer: give it one"));
        for other in used(&code(&path)) {
            let other_layer = layer(&other)
                .unwrap_or_else(|| panic!("{}: no layer for `{other}`", path.display()));
            assert!(
                other_layer <= own_layer,
                "{} uses `{other}`, which is below it",
                path.display()
            );
        }
    }
}

#[test]
fn guards_do_not_know_each_other() {
    for path in sources() {
        let (_, guard) = module(&path);
        let Some(guard) = guard else { continue };
        let code = code(&path);
        for other in code.split("guards::").skip(1) {
            assert!(
                other.starts_with(&guard),
                "{} reaches into another guard",
                path.display()
            );
        }
    }
}

#[test]
fn only_the_clock_reads_the_time_and_nothing_above_the_shell_waits() {
    for path in sources() {
        let (own, _) = module(&path);
        let code = code(&path);
        for forbidden in [
            "SystemTime::now",
            "Instant::now",
            "thread::sleep",
            "thread_local!",
            "thread::spawn",
            "static mut",
        ] {
            assert!(
                own == "clock" || !code.contains(forbidden),
                "{} has {forbidden}",
                path.display()
            );
        }
        let is_shell = layer(&own).is_none_or(|layer| layer == LAYERS.len() - 1);
        assert!(
            is_shell || !code.contains("async "),
            "{} is async",
            path.display()
        );
    }
}

#[test]
fn files_have_one_idea() {
    for path in sources() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 520, "{} has {lines} lines", path.display());
    }
}

#[test]
fn the_check_finds_what_it_looks_for() {
    assert_eq!(
        used("use crate::pipeline::Pipeline; crate::clock::x()"),
        ["clock", "pipeline"].map(String::from).into()
    );
    assert!(layer("pipeline") > layer("guards"));
}
