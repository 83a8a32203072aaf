//! Every kind of incident in the runbooks has a drill that expects it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fusebox::drill::Scenario;

use super::runbooks::DRILLS;

/// Kinds that page within the incident of another kind, never by themselves: their drill expects a
/// page of that incident, with this event.
const JOINING: [(&str, &str, &str); 2] = [
    ("at-fault", "error-rate/failing", "probes_failed"),
    ("at-fault-type", "error-rate/failing-type", "probes_failed"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The incident kinds, as the first parts of their keys: the sections of the runbooks.
fn kinds() -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for file in fs::read_dir(root().join("docs/runbooks")).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let guard = match path.file_stem().unwrap().to_str().unwrap() {
            "README" => continue,
            "rollout" => "canary",
            guard => guard,
        };
        for line in text.lines() {
            let Some(headline) = line.strip_prefix("## ") else {
                continue;
            };
            let kind = headline.trim_matches('`');
            // Of whichever guard.
            let guard = if kind == "panicked" { "*" } else { guard };
            kinds.insert(format!("{guard}/{kind}"));
        }
    }
    assert!(kinds.len() > 35, "{kinds:?}");
    kinds
}

/// The drills that the runbooks name, by kind.
fn named() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("docs/runbooks/README.md")).unwrap();
    let (_, drills) = text.split_once("## Drills").unwrap();
    let rows = drills.lines().filter_map(|line| {
        let mut words = line.strip_prefix('|')?.split('`');
        words.nth(1).zip(words.nth(1))
    });
    rows.map(|(kind, drill)| (kind.to_owned(), drill.to_owned()))
        .collect()
}

/// What a drill expects, as sentences.
fn expected(drill: &str) -> Vec<String> {
    if let Some((_, drill)) = DRILLS.iter().find(|(name, _)| *name == drill) {
        let report = drill();
        let checks = report.checks().iter();
        return checks.map(|check| check.expected.clone()).collect();
    }
    let path = root().join("examples/drill").join(drill);
    let scenario = Scenario::from_path(path.with_extension("toml")).unwrap();
    scenario.expected().collect()
}

/// Whether a sentence names an incident of this kind.
fn names(sentence: &str, kind: &str) -> bool {
    let starts = ["a page of `", "an incident `", "each incident `"];
    let key = starts.iter().find_map(|start| sentence.strip_prefix(start));
    let Some(key) = key.and_then(|rest| rest.split('`').next()) else {
        return false;
    };
    match kind.strip_prefix("*/") {
        Some(of_any) => key.split('/').nth(1) == Some(of_any),
        None => key == kind,
    }
}

#[test]
fn every_kind_of_incident_has_a_drill() {
    let (kinds, named) = (kinds(), named());
    let of_table: BTreeSet<_> = named.keys().cloned().collect();
    assert_eq!(
        of_table, kinds,
        "the table in docs/runbooks/README.md names a drill for each section of the runbooks"
    );
    for (kind, drill) in &named {
        let expected = expected(drill);
        let is_expected = match JOINING
            .iter()
            .find(|(joins, ..)| kind.ends_with(&format!("/{joins}")))
        {
            Some((_, incident, event)) => {
                let with = format!("a page with an event `{event}`");
                expected.iter().any(|sentence| names(sentence, incident))
                    && expected.contains(&with)
            }
            None => expected.iter().any(|sentence| names(sentence, kind)),
        };
        assert!(is_expected, "{drill} does not expect {kind}: {expected:?}");
        let is_proven = expected
            .iter()
            .any(|sentence| sentence.starts_with("it fails without"));
        // No guard pages for what the pipeline itself reports.
        let is_of_pipeline = kind.starts_with("pipeline/");
        assert!(is_proven || is_of_pipeline, "{drill} proves no guard");
    }
}
