//! Drills as files: the starter set, and what is said of a file that is not one.

use std::path::{Path, PathBuf};

use fusebox::drill::{DrillOutcome, Scenario, ScenarioSet};
use fusebox::event::DriftEvent;
use fusebox::pipeline::Builder;
use fusebox::{Error, ErrorKind, EventKind};

use configuration::Configuration;

use crate::support::minutes;

#[path = "../../../examples/drill/configuration.rs"]
mod configuration;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/drill")
}

fn production() -> Result<Builder, Error> {
    let pipeline = examples().join("pipeline.toml");
    Configuration::from_path(&pipeline).unwrap().builder()
}

/// Each scenario passes, and names a guard without which it fails; but for healthy traffic, and for
/// what the pipeline itself reports.
fn assert_proven(pipeline: &str, scenarios: &str, number: usize) {
    let configuration = Configuration::from_path(&examples().join(pipeline)).unwrap();
    let set = ScenarioSet::from_folder(examples().join(scenarios)).unwrap();
    for scenario in set.scenarios() {
        let report = scenario.run(|| configuration.builder()).unwrap();
        let name = scenario.name();
        assert_eq!(report.outcome(), DrillOutcome::Passed, "{name}: {report}");
        let has = |start: &str| {
            let mut expected = scenario.expected();
            expected.any(|sentence| sentence.starts_with(start))
        };
        let is_of_pipeline = scenario.expected().all(|sentence| {
            let starts = ["a page of `", "an incident `", "each incident `"];
            let incident = starts.iter().find_map(|start| sentence.strip_prefix(start));
            incident.is_none_or(|incident| incident.starts_with("pipeline/"))
        });
        let is_of_pipeline = is_of_pipeline && (has("a page of `") || has("an incident `"));
        let needs_none = scenario.is_healthy() || is_of_pipeline;
        assert_eq!(has("it fails without"), !needs_none, "{name}");
    }
    assert_eq!(set.scenarios().len(), number);
}

#[test]
fn each_scenario_of_the_starter_set_passes_and_fails_without_its_guard() {
    assert_proven("pipeline.toml", "scenarios", 47);
}

#[test]
fn each_scenario_of_the_strict_set_passes_and_fails_without_its_guard() {
    assert_proven("strict/pipeline.toml", "strict/scenarios", 10);
}

const OUTAGE: &str = r#"
name = "outage"
length = "2h"

[[traffic]]
of = "invoice"
per_hour = 600

[[fault]]
after = "1h"
fail = "server_error"
share = "20 %"

[expect]
detects_within = "30m"
"#;

#[test]
fn a_scenario_is_a_drill() {
    let report = Scenario::from_toml(OUTAGE).unwrap().run(production);
    let report = report.unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    // Twenty percent exceed 5 % in 15 minutes after 3 min 45 s, and a call takes 20 s.
    let time = report.time_to_page().unwrap();
    assert!(time >= minutes(3) && time <= minutes(4), "{report}");
}

/// One thing in the file is wrong; the error names its line and what is allowed.
#[test]
fn a_file_that_is_wrong_is_refused_with_its_line() {
    let cases = [
        (
            "share = \"20 %\"",
            "shar = \"20 %\"",
            "scenario, line 12: unknown field `shar`, expected one of `after`, `lasting`, `share`, \
             `of_field`, `of_type`, `of_version`, `abandon`, `add_tokens`, `add_usage`, `correct`, \
             `cut_prompts`, `deploy`, `diverge`, `drop_facts`, `fail`, `fix_confidence`, `hang`, \
             `jump_clock_back`, `jump_clock_forward`, `lose_store`, `lower_confidence`, \
             `omit_confidence`, `pager_down`, `restart`, `restart_without_snapshot`, `share_store`, `silence`, \
             `sink_down`, `sink_panics`, `spread_confidence`, `stop_feedback`, `stop_ticks`, `store_down`",
        ),
        (
            "share = \"20 %\"",
            "share = \"120 %\"",
            "scenario, line 12: share: got `120 %`, expected 0 % to 100 %, with at most two decimal \
             places",
        ),
        (
            "after = \"1h\"",
            "after = \"soon\"",
            "scenario, line 10: time: got `soon`, expected a time such as `90s`, `30m` or `1h 30m`",
        ),
        (
            "per_hour = 600",
            "per_hour = 0",
            "scenario, line 5: drill traffic per hour: got `0`, expected 1 to 3600000 documents",
        ),
        (
            "fail = \"server_error\"",
            "hang = true\nfail = \"server_error\"",
            "scenario, line 9: what goes wrong: got `none or several`, expected one of abandon, \
             add_tokens, add_usage, correct, cut_prompts, deploy, diverge, drop_facts, fail, \
             fix_confidence, hang, jump_clock_back, jump_clock_forward, lose_store, \
             lower_confidence, omit_confidence, pager_down, restart, restart_without_snapshot, share_store, silence, sink_down, sink_panics, \
             spread_confidence, stop_feedback, stop_ticks, store_down",
        ),
        (
            "after = \"1h\"",
            "after = \"2h\"",
            "scenario: drill fault: got `2h`, expected less than the length of the drill, 2h",
        ),
        (
            "fail = \"server_error\"",
            "correct = \"3 %\"",
            "scenario, line 9: share of a fault: got `one more`, expected no share: that of \
             `correct` or `diverge` is the share",
        ),
        (
            "length = \"2h\"",
            "length = \"100years\"",
            "scenario: length of a drill: got `100years from 2026-01-05T08:00:00.000Z`, expected \
             more than no time, at most ten years, and from a time before the year 9000",
        ),
        (
            "detects_within = \"30m\"",
            "",
            "scenario: [expect]: got `nothing`, expected something without which the drill fails, \
             such as `detects_within`",
        ),
        (
            "per_hour = 600",
            "per_hour = 600\nconfidence = 1.5",
            "scenario, line 8: confidence: got `1.5`, expected a number from 0 to 1",
        ),
        (
            "per_hour = 600",
            "per_hour = 600\nlatency = { median = \"10s\" }",
            "scenario, line 8: expected a time, `{ exponential = \"4h\" }`, or `{ median = \"10s\", \
             p95 = \"60s\" }`",
        ),
        ("length", "length = ", "scenario, line 3: "),
    ];
    for (right, wrong, expected) in cases {
        let error = Scenario::from_toml(&OUTAGE.replacen(right, wrong, 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File, "{error}");
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let one_kind = OUTAGE.replace("server_error", "sever_error");
    let error = Scenario::from_toml(&one_kind).unwrap_err().to_string();
    assert!(error.starts_with("scenario, line 11: unknown variant `sever_error`"));
    assert!(error.contains("`server_error`"), "{error}");
}

#[test]
fn traffic_that_is_wrong_is_refused_with_its_line() {
    let cases = [
        (
            "of = \"invoice\"\n",
            "",
            "scenario, line 5: [[traffic]]: got `not both`, expected `of` and `per_hour`, or a \
             `recording`",
        ),
        (
            "per_hour = 600",
            "per_hour = 600\nrepeating = true",
            "scenario, line 5: `repeating` of drill traffic: got `set`, expected a recording; \
             made-up documents do not end",
        ),
        (
            "per_hour = 600",
            "per_hour = 600\nconfidences = { total = 0.9 }\nfield = \"total\"",
            "scenario, line 5: confidences: got `beside one `field` or `confidence``, expected \
             either these, or all fields in `confidences`",
        ),
        (
            "per_hour = 600",
            "per_hour = 600\nconfidences = {}",
            "scenario, line 5: confidences: got `none`, expected at least one field",
        ),
        (
            "per_hour = 600",
            "per_hour = 600\nconfidences = { total = 0.9, vat_id = 1.9 }",
            "scenario, line 8: confidence: got `1.9`, expected a number from 0 to 1",
        ),
        (
            "per_hour = 600",
            "recording = \"a.jsonl\"",
            "scenario, line 5: key beside `recording`: got `of`, expected no key but \
             `repeating`, `picked_up_after` and `compared_with`",
        ),
        (
            "of = \"invoice\"\nper_hour = 600",
            "\nrecording = \"no-such.jsonl\"",
            "scenario, line 7: no-such.jsonl: ",
        ),
        (
            "share = \"20 %\"",
            "of_field = \"total\"",
            "scenario, line 9: drill fault: got `a field`, expected no field: only confidences, \
             corrections and differences have one",
        ),
    ];
    for (right, wrong, expected) in cases {
        let error = Scenario::from_toml(&OUTAGE.replacen(right, wrong, 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File, "{error}");
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

/// The outage without its traffic, in the traffic of a recording.
fn of_recording(more: &str) -> String {
    let recording = format!("recording = \"day.jsonl\"\n{more}");
    OUTAGE.replace("of = \"invoice\"\nper_hour = 600", &recording)
}

/// A call each 6 s for two hours.
fn recording() -> String {
    let row = |n: u64| {
        let at = 1_773_435_600_000 + n * 6_000;
        format!(
            "{{\"at\":{at},\"document\":\"inv-{n}\",\"document_type\":\"invoice\",\
             \"document_tokens\":900,\"version\":\"v7\",\"latency_ms\":2000}}\n"
        )
    };
    (0..1_200).map(row).collect()
}

#[test]
fn a_recording_in_the_folder_of_a_scenario_is_its_traffic() {
    let of_two_hours = of_recording("");
    let files = [("a.toml", &*of_two_hours), ("day.jsonl", &recording())];
    let folder = Folder::of("recording", &files);
    let scenario = Scenario::from_path(folder.0.join("a.toml")).unwrap();
    let report = scenario.run(production).unwrap();
    assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
    assert_eq!(report.documents(), 1_201 - 1);
    assert!(report.time_to_page().unwrap() <= minutes(4), "{report}");
}

#[test]
fn a_recording_that_is_wrong_is_named_with_its_line_and_that_of_the_scenario() {
    let why = |text: &str, recording: &str| {
        let folder = Folder::of(
            "wrong-recording",
            &[("a.toml", text), ("day.jsonl", recording)],
        );
        folder.refused()
    };
    let (text, recording) = (of_recording(""), recording());
    assert_eq!(
        why(&text, ""),
        "FOLDER/a.toml, line 6: FOLDER/day.jsonl: recording: got `no call`, expected at least one \
         call"
    );
    let misspelt = recording.replacen("latency_ms", "latency", 2);
    let second = misspelt.replacen("latency", "latency_ms", 1);
    let unknown = why(&text, &second);
    assert!(
        unknown.starts_with(
            "FOLDER/a.toml, line 6: FOLDER/day.jsonl, line 2: unknown field `latency`, expected"
        ),
        "{unknown}"
    );
    let long = of_recording("").replace("length = \"2h\"", "length = \"3h\"");
    assert_eq!(
        why(&long, &recording),
        "FOLDER/a.toml: length of a drill: got `3h`, expected at most 2h, the length of the \
         recording; or let it repeat (`repeating`)"
    );
    let repeated = of_recording("repeating = true").replace("length = \"2h\"", "length = \"3h\"");
    let folder = Folder::of(
        "repeated",
        &[("a.toml", &*repeated), ("day.jsonl", &recording)],
    );
    let scenario = Scenario::from_path(folder.0.join("a.toml")).unwrap();
    let report = scenario.run(production).unwrap();
    // The last comes as it ends.
    assert_eq!(report.documents(), 1_801);
}

/// The field that falls is one of two.
#[test]
fn a_scenario_has_several_fields_and_a_fault_of_one() {
    let text = OUTAGE
        .replace("2h", "8h")
        .replace("after = \"1h\"", "after = \"6h\"")
        .replace(
            "per_hour = 600",
            "per_hour = 600\nconfidences = { total = 0.9, vat_id = { mean = 0.9, deviation = 0.03 } }",
        )
        .replace(
            "fail = \"server_error\"\nshare = \"20 %\"",
            "lower_confidence = 0.2\nof_field = \"vat_id\"",
        );
    let fallen = |text: &str| {
        let report = Scenario::from_toml(text).unwrap().run(production).unwrap();
        assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
        let page = report.page().unwrap();
        let EventKind::Drift(DriftEvent::DriftDetected { field, .. }) = &page.kind else {
            panic!("{page}")
        };
        field.to_string()
    };
    assert_eq!(fallen(&text), "vat_id");
    let other = text.replace("of_field = \"vat_id\"", "of_field = \"total\"");
    assert_eq!(fallen(&other), "total");
}

#[test]
fn a_guard_that_is_misspelt_is_refused_when_it_runs() {
    let misspelt = format!("{OUTAGE}must_fail_without = [\"error-rat\"]\n");
    let error = Scenario::from_toml(&misspelt).unwrap().run(production);
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("drill guard: got `error-rat`, expected a guard of the pipeline"));
}

/// A folder of its own for one test.
struct Folder(PathBuf);

impl Folder {
    fn of(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scenarios-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
        }
        Self(folder)
    }

    fn refused(&self) -> String {
        let error = ScenarioSet::from_folder(&self.0).unwrap_err().to_string();
        error.replace(&format!("{}", self.0.display()), "FOLDER")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_set_without_a_healthy_scenario_is_refused() {
    const WHY: &str = "FOLDER: no scenario as long as the longest has no fault and expects \
                       `no_page = true`: guards that always page would pass";
    let only_outage = Folder::of("outage", &[("a.toml", OUTAGE), ("notes.txt", "not one")]);
    assert_eq!(only_outage.refused(), WHY);
    assert_eq!(Folder::of("empty", &[]).refused(), WHY);
    let (_, fault_and_more) = OUTAGE.split_once("[[fault]]").unwrap();
    let calm = OUTAGE
        .replace(fault_and_more, "")
        .replace("[[fault]]", "[expect]\nno_page = true");
    let calm = calm.replace("outage", "calm");
    let short = Folder::of(
        "short",
        &[("a.toml", OUTAGE), ("b.toml", &calm.replace("2h", "1h"))],
    );
    assert_eq!(short.refused(), WHY);
    let enough = Folder::of("enough", &[("a.toml", OUTAGE), ("b.toml", &calm)]);
    let set = ScenarioSet::from_folder(&enough.0).unwrap();
    let names = set.scenarios().iter().map(Scenario::name);
    assert_eq!(names.collect::<Vec<_>>(), ["outage", "calm"]);
}

#[test]
fn a_set_names_the_file_that_is_wrong() {
    let wrong = Folder::of("wrong", &[("a.toml", OUTAGE), ("b.toml", "length = 3")]);
    assert!(wrong.refused().starts_with("FOLDER/b.toml, line 1: "));
    let twice = Folder::of("twice", &[("a.toml", OUTAGE), ("b.toml", OUTAGE)]);
    assert_eq!(
        twice.refused(),
        "FOLDER: two scenarios have the name `outage`"
    );
    let missing = ScenarioSet::from_folder("no-such-folder").unwrap_err();
    assert!(missing.to_string().starts_with("no-such-folder: "));
}
