//! Rows that stay in their file: the same report as from memory, to the byte.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use fusebox::drill::{Recording, Replay, Traffic};
use fusebox::{Drill, Error, ErrorKind};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{ANSWERED, FAILED, MORNING, call, json, outage, production, read, shuffled};
use crate::support::{minutes, refused};

/// A file of this test with these lines.
fn file(name: &str, lines: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recordings");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, lines).unwrap();
    path
}

fn replayed(recording: &Recording) -> Result<String, Error> {
    let report = Replay::new(production).run(recording)?;
    Ok(json(&report))
}

/// The file leads to what memory does: counts, rejected rows, span and report.
fn same_as_in_memory(name: &str, lines: &str) {
    let (kept, in_file) = (
        read(lines),
        Recording::from_path(file(name, lines)).unwrap(),
    );
    assert_eq!(in_file.counts(), kept.counts());
    assert_eq!(in_file.rejected(), kept.rejected());
    assert_eq!(in_file.span(), kept.span());
    let run = |recording| replayed(recording).map_err(|error| error.to_string());
    assert_eq!(run(&in_file), run(&kept));
    // It can be read any number of times.
    assert_eq!(run(&in_file), run(&kept));
}

#[test]
fn a_file_in_order_and_one_that_is_shuffled_lead_to_what_memory_does() {
    let lines = outage();
    same_as_in_memory("in-order.jsonl", &lines);
    same_as_in_memory("shuffled.jsonl", &shuffled(&lines));
    same_as_in_memory("empty.jsonl", "");
    same_as_in_memory("nonsense.jsonl", "\nnonsense\n\n");
}

/// A row as a service may write it: which document, when, with which end, or a correction.
#[derive(Clone, Debug)]
struct Row {
    document: u32,
    after: u64,
    end: usize,
    correction: bool,
}

/// Times of few seconds meet; those of hours are late; both in any order.
fn row() -> impl Strategy<Value = Row> {
    let after = prop_oneof![
        0..3_u64,
        (0..2_000_u64).prop_map(|n| n * 10),
        (0..7_200_u64).prop_map(|n| n * 1_000),
    ];
    (0..40_u32, after, 0..6_usize, prop::bool::weighted(0.3)).prop_map(
        |(document, after, end, correction)| Row {
            document,
            after,
            end,
            correction,
        },
    )
}

fn lines(rows: &[Row]) -> String {
    let ends = [
        ANSWERED,
        FAILED,
        "",
        r#","latency_ms":0"#,
        r#","latency_ms":700000"#,
        r#","latency_ms":10,"confidences":{"total":0.2}"#,
    ];
    let mut lines = String::new();
    for row in rows {
        let document = format!("inv-{}", row.document);
        if row.correction {
            let at = MORNING + row.after;
            let fields = [r#""total""#, r#""total","vendor""#][row.end % 2];
            let line = format!(r#"{{"at":{at},"document":"{document}","corrected":[{fields}]}}"#);
            writeln!(lines, "{line}").unwrap();
        } else {
            call(&mut lines, row.after, &document, ends[row.end]);
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_rows_in_any_order_lead_to_what_memory_does(rows in vec(row(), 0..120)) {
        same_as_in_memory("any.jsonl", &lines(&rows));
    }
}

#[test]
fn what_is_appended_later_is_not_read_and_any_other_change_is_refused() {
    let lines = outage();
    let path = file("changed.jsonl", &lines);
    let recording = Recording::from_path(&path).unwrap();
    let before = replayed(&recording).unwrap();

    let mut appending = fs::OpenOptions::new().append(true).open(&path).unwrap();
    appending.write_all(lines.as_bytes()).unwrap();
    assert_eq!(replayed(&recording).unwrap(), before);

    let changed = "recording: got `other rows than before`, expected a file that does not change while it is replayed";
    // The last call is gone.
    let (shorter, _) = lines.trim_end().rsplit_once('\n').unwrap();
    fs::write(&path, shorter).unwrap();
    refused(replayed(&recording), changed);
    refused(Traffic::recorded(&recording), changed);
    // As many rows, of which two have changed places.
    let mut rows: Vec<&str> = lines.lines().collect();
    rows.swap(100, 9_000);
    fs::write(&path, rows.join("\n")).unwrap();
    refused(replayed(&recording), changed);
    // As many bytes, of the same times.
    fs::write(&path, lines.replacen("0.95", "0.15", 1)).unwrap();
    refused(replayed(&recording), changed);
    fs::remove_file(&path).unwrap();
    let gone = replayed(&recording).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::File);
}

#[test]
fn what_is_no_file_is_refused() {
    let missing = Recording::from_path("recordings/missing.jsonl").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::File);
    let text = missing.to_string();
    assert!(text.starts_with("recordings/missing.jsonl: "), "{text}");
    let folder = env!("CARGO_TARGET_TMPDIR");
    refused(
        Recording::from_path(folder),
        &format!("recording: got `{folder}`, expected a file, as it is read more than once"),
    );
}

#[test]
fn a_file_is_the_traffic_of_a_drill() {
    let mut lines = String::new();
    for n in 0..400 {
        call(&mut lines, n * 6_000, &format!("inv-{n}"), ANSWERED);
    }
    let drill = |recording: &Recording| {
        let drill = Drill::new(production).traffic(Traffic::recorded(recording).unwrap());
        drill.run_for(minutes(30)).unwrap().to_string()
    };
    let path = file("traffic.jsonl", &lines);
    assert_eq!(
        drill(&Recording::from_path(path).unwrap()),
        drill(&read(&lines))
    );
}

#[cfg(feature = "csv")]
#[test]
fn a_csv_file_leads_to_what_csv_in_memory_does() {
    use fusebox::Field;
    use fusebox::drill::CsvColumns;

    let columns = CsvColumns::new("time", "id", "type")
        .version("prompt")
        .latency_ms("ms")
        .confidence(Field::new("total").unwrap(), "p_total")
        .corrected("fixed");
    let mut csv = "id,time,type,prompt,ms,p_total,fixed\n".to_owned();
    for n in (0..300).rev() {
        let (minute, second) = (n / 60, n % 60);
        let row = format!("inv-{n},2026-01-05T08:{minute:02}:{second:02}Z,invoice,v7,2000,0.9,");
        writeln!(csv, "{row}").unwrap();
    }
    csv.push_str("inv-7,2026-01-05T09:00:00Z,,,,,total\nx,y\n");
    let kept = Recording::from_csv(csv.as_bytes(), &columns).unwrap();
    let path = file("rows.csv", &csv);
    let in_file = Recording::from_csv_path(&path, &columns).unwrap();
    assert_eq!(in_file.counts(), kept.counts());
    assert_eq!((kept.counts().calls, kept.counts().rejected), (300, 1));
    assert_eq!(replayed(&in_file).unwrap(), replayed(&kept).unwrap());
    refused(
        Recording::from_csv_path(path, &CsvColumns::new("time", "id", "kind")),
        "csv column: got `kind`, expected a column of the header: `id`, `time`, `type`, `prompt`, `ms`, `p_total`, `fixed`",
    );
}
