//! The report as JSON Lines.

use serde_json::{Value, json};

use super::sample::{changed, diverged, hostile, item, realistic, report};

fn lines(report: &fusebox::report::ReviewReport) -> Vec<String> {
    let mut written = Vec::new();
    report.json_lines(&mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_first_line_is_the_summary_and_each_further_one_a_document() {
    let report = realistic();
    let lines = lines(&report);
    assert_eq!(lines.len(), 1 + 37);
    let header: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(header["format"], 1);
    assert_eq!(header["report"], report.id());
    assert_eq!(
        (&header["production"], &header["candidate"]),
        (&json!("v7"), &json!("v8"))
    );
    assert_eq!(
        (&header["eligible"], &header["items"]),
        (&json!(1_284), &json!(37))
    );
    assert_eq!(
        header["corrections"]["counts"][1],
        json!({"name": "only production right", "count": 14})
    );
    assert_eq!(header["rate"]["high"], json!([1_094, 10_000]));
}

#[test]
fn a_documents_line_has_all_of_it() {
    let lines = lines(&report(vec![item(
        "inv-1",
        "invoice",
        5,
        diverged([changed("/total", "1", "2")]),
    )]));
    let line: Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(
        line,
        json!({
            "document": "inv-1", "document_type": "invoice", "production": "v7", "candidate": "v8", "model": "gpt-4o",
            "candidate_model": "gpt-4.1-mini", "at": 1_773_101_100_000_u64,
            "end": {"compared": {"diverged": [
                {"field": "/total", "kind": "changed", "critical": true, "production": "1", "candidate": "2"},
            ]}},
        })
    );
}

/// What was not measured is null, and not zero.
#[test]
fn noise_that_was_not_measured_is_null() {
    let lines = lines(&report(Vec::new()));
    let header: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(header["noise"], Value::Null);
    assert!(header.as_object().unwrap().contains_key("noise"));
}

#[test]
fn hostile_text_is_one_line_without_hidden_characters_and_is_read_again() {
    let report = hostile();
    let lines = lines(&report);
    assert_eq!(lines.len(), 1 + report.items().len());
    for (line, item) in lines[1..].iter().zip(report.items()) {
        assert!(
            line.chars()
                .all(|c| !c.is_control() && !('\u{200b}'..='\u{202e}').contains(&c)),
            "{line}"
        );
        let read: Value = serde_json::from_str(line).unwrap();
        assert_eq!(read, serde_json::to_value(item).unwrap());
    }
}

#[test]
fn an_error_of_the_writer_is_the_callers() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = realistic().json_lines(Full).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}
