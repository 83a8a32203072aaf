//! Links of the pages lead somewhere: in the folder, in the package, and in the documentation.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

fn pages() -> Vec<String> {
    let in_folder = |folder: &str| {
        let files = fs::read_dir(root().join(folder)).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let pages = names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "md"));
        let paths = pages.map(|name| Path::new(folder).join(name).display().to_string());
        paths.collect::<Vec<_>>()
    };
    [in_folder(""), in_folder("docs"), in_folder("docs/runbooks")].concat()
}

/// The text between fences is code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// `[label]: target`
fn definitions(text: &str) -> Vec<(&str, &str)> {
    let parts = prose(text).filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
    parts.collect()
}

/// `[text](target)`
fn inline_targets(text: &str) -> Vec<&str> {
    let after_text = prose(text).flat_map(|line| line.split("](").skip(1));
    after_text
        .filter_map(|rest| rest.split(')').next())
        .collect()
}

/// `` `src/pipeline.rs` ``
fn paths_in_prose(text: &str) -> Vec<&str> {
    let code = prose(text).flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_path = |code: &&str| {
        let folders = ["src/", "tests/", "docs/", "examples/", "benches/"];
        folders.iter().any(|folder| code.starts_with(folder)) && !code.contains([' ', '*'])
    };
    code.filter(is_path).collect()
}

fn is_file(target: &str) -> bool {
    !target.contains("://")
}

/// As GitHub and rustdoc make it from a headline.
fn anchor(headline: &str) -> String {
    let headline = headline.trim_start_matches('#').trim().to_lowercase();
    let kept = headline.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    kept.collect()
}

fn leads_nowhere(page: &str, target: &str) -> Option<String> {
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let file: PathBuf = if path.is_empty() {
        page.into()
    } else {
        folder.join(path)
    };
    if !root().join(&file).exists() {
        return Some(format!("{page}: {target} is not there"));
    }
    let text = || read(&file.display().to_string());
    let has_anchor = fragment.is_empty()
        || prose(&text()).any(|line| line.starts_with('#') && anchor(line) == fragment);
    (!has_anchor).then(|| format!("{page}: {} has no #{fragment}", file.display()))
}

/// `.ci/run` runs this in the unpacked package, too.
#[test]
fn every_link_leads_to_a_file() {
    let mut dead = Vec::new();
    let mut all = 0;
    for page in pages() {
        let text = read(&page);
        let links = definitions(&text).into_iter().map(|(_, target)| target);
        let links = links.chain(inline_targets(&text));
        for target in links.filter(|target| is_file(target)) {
            all += 1;
            dead.extend(leads_nowhere(&page, target));
        }
        let paths = paths_in_prose(&text).into_iter();
        for path in paths.filter(|path| !root().join(path).exists()) {
            dead.push(format!("{page}: `{path}` is not there"));
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    assert!(all > 30, "{all}: the links were not found");
}

/// A definition before the page's own one wins; an inline link has no definition.
#[test]
fn links_to_files_lead_to_pages_in_the_documentation() {
    let source = read("src/documentation.rs");
    let mut wrong = Vec::new();
    let mut pages = 0;
    for part in source.split("pub mod ") {
        let Some((before, after)) = part.split_once("#[doc = include_str!(\"../") else {
            continue;
        };
        pages += 1;
        let page = after.split('"').next().unwrap();
        let (before, text) = (before.replace("/// ", ""), read(page));
        let (here, there) = (labels(definitions(&before)), labels(definitions(&text)));
        let (here_once, there_once) = (set(&here), set(&there));
        if here_once.len() < here.len() || there_once.len() < there.len() {
            wrong.push(format!("{page}: two definitions of one link"));
        }
        for label in here_once.symmetric_difference(&there_once) {
            wrong.push(format!(
                "{page}: [{label}] must be there and in src/documentation.rs"
            ));
        }
        for target in inline_targets(&text)
            .into_iter()
            .filter(|target| is_file(target))
        {
            wrong.push(format!(
                "{page}: {target} is an inline link; write a definition below the page"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(pages >= 7, "{pages}: the pages were not found");
}

/// Markdown does not tell `Drill` from `drill`.
fn labels(definitions: Vec<(&str, &str)>) -> Vec<String> {
    let of_files = definitions
        .into_iter()
        .filter(|(_, target)| is_file(target));
    of_files.map(|(label, _)| label.to_lowercase()).collect()
}

fn set(labels: &[String]) -> BTreeSet<&str> {
    labels.iter().map(String::as_str).collect()
}

/// What guards and the pipeline name as wrong, from their source.
fn incidents() -> BTreeSet<String> {
    let literals = |text: &str| {
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let quoted = text.split('"').skip(1).step_by(2);
        let names = quoted.filter(|name| !name.is_empty() && !name.contains([' ', '{', '\\']));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let all = ["breaker/outage", "rollout/incident"].map(|file| format!("src/guards/{file}.rs"));
    let of_files = all.iter().flat_map(|file| literals(&read(file)));
    let some = [
        "guards/confidence_drift",
        "guards/ledger/incident",
        "guards/token_budget",
        "guards/token_budget/alarm",
        "guards/token_budget/audit",
        "pipeline/losses",
        "pipeline/member",
        "pipeline/ticks",
    ];
    let after = |text: &str| {
        let marks = ["Trouble::new(\"", "mismatch(\"", "trouble(\"", "=> \""];
        let found = marks.iter().flat_map(|mark| text.split(mark).skip(1));
        let names = found.filter_map(|rest| rest.split('"').next().map(str::to_owned));
        names.collect::<Vec<_>>()
    };
    let of_calls = some
        .iter()
        .flat_map(|file| after(&read(&format!("src/{file}.rs"))));
    of_files.chain(of_calls).collect()
}

#[test]
fn every_incident_has_a_runbook() {
    let pages = pages().into_iter().filter(|page| page.contains("runbooks"));
    let text: String = pages.map(|page| read(&page)).collect();
    let sections: BTreeSet<&str> = prose(&text)
        .filter_map(|line| line.strip_prefix("## "))
        .flat_map(|headline| headline.split(", "))
        .collect();
    let incidents = incidents();
    assert!(incidents.len() > 20, "{incidents:?}");
    let without = incidents
        .iter()
        .filter(|name| !sections.contains(name.as_str()));
    assert_eq!(without.collect::<Vec<_>>(), [] as [&String; 0]);
}
