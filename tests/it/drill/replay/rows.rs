//! The rows of a recording: what is read, what is refused, and in which order.

use fusebox::drill::Recording;

use super::{ANSWERED, MORNING, call, production, read, run};

/// What is wrong with the only line.
fn why(line: &str) -> String {
    let recording = read(line);
    let [row] = recording.rejected() else {
        panic!("{line}: {:?}", recording.rejected())
    };
    assert_eq!(row.line, 1);
    row.why.clone()
}

fn row(rest: &str) -> String {
    format!(r#"{{"at":"2026-01-05T08:00:00Z","document":"inv-1",{rest}}}"#)
}

#[test]
fn a_row_that_cannot_be_used_says_what_is_allowed() {
    let misspelt = why(&row(r#""documnet_type":"invoice""#));
    assert!(
        misspelt.starts_with(
            "unknown field `documnet_type`, expected one of `at`, `document`, `document_type`"
        ),
        "{misspelt}"
    );
    assert!(misspelt.ends_with("at column 63"), "{misspelt}");
    let kind = why(&row(
        r#""document_type":"invoice","latency_ms":1,"failure":"server_eror""#,
    ));
    assert!(
        kind.starts_with("unknown variant `server_eror`, expected one of `auth`"),
        "{kind}"
    );
    let type_missing = why(&row(r#""latency_ms":1"#));
    assert_eq!(
        type_missing,
        "document_type: got `none`, expected the type of the document, or `corrected` if this is a correction"
    );
    let latency = why(&row(r#""document_type":"invoice","failure":"timeout""#));
    assert_eq!(
        latency,
        "latency_ms: got `none`, expected the milliseconds until the end that `failure` is about; 0 if unknown"
    );
    let both = why(&row(
        r#""document_type":"invoice","latency_ms":1,"corrected":["total"]"#,
    ));
    assert_eq!(
        both,
        "corrected: got `total`, expected no call in the same row; a correction is a row of its own"
    );
    assert_eq!(
        why(&row(r#""corrected":[]"#)),
        "corrected: got `[]`, expected at least one field"
    );
    assert_eq!(
        why(&row(r#""corrected":[""]"#)),
        "field: got ``, expected at least one character"
    );
    let no_id = why(r#"{"at":"2026-01-05T08:00:00Z","document":"","document_type":"invoice"}"#);
    assert_eq!(
        no_id,
        "document id: got ``, expected at least one character"
    );
    let twice = why(&row(r#""document_type":"a","document_type":"b""#));
    assert!(
        twice.starts_with("duplicate field `document_type`"),
        "{twice}"
    );
    assert!(why("{").starts_with("EOF while parsing an object"));
}

#[test]
fn times_are_utc_or_milliseconds_and_nothing_else() {
    let at = |at: &str| {
        why(&format!(
            r#"{{"at":{at},"document":"a","document_type":"b"}}"#
        ))
    };
    for (time, expected) in [
        (
            "1767600000",
            "time: got `1767600000`, expected unix milliseconds of the years 2000 to 9999",
        ),
        (
            "\"2026-01-05 08:00\"",
            "time: got `2026-01-05 08:00`, expected a time in UTC such as `2026-01-05T08:00:00Z`",
        ),
        (
            "\"2026-01-05T08:00:00+02:00\"",
            "time: got `2026-01-05T08:00:00+02:00`, expected a time in UTC such as `2026-01-05T08:00:00Z`",
        ),
        (
            "-1",
            "invalid type: integer `-1`, expected a time in UTC such as `2026-01-05T08:00:00Z`, or whole unix milliseconds",
        ),
        (
            "1767600000000.5",
            "invalid type: floating point `1767600000000.5`, expected a time in UTC such as `2026-01-05T08:00:00Z`, or whole unix milliseconds",
        ),
    ] {
        assert!(at(time).starts_with(expected), "{}", at(time));
    }
    let same = |at: &str| {
        read(&format!(
            r#"{{"at":{at},"document":"a","document_type":"b"}}"#
        ))
        .span()
    };
    let (begins, ends) = same(&MORNING.to_string()).unwrap();
    assert_eq!((begins.as_millis(), ends.as_millis()), (MORNING, MORNING));
    assert_eq!(same("\"2026-01-05T08:00:00Z\""), same(&MORNING.to_string()));
}

#[test]
fn bad_rows_are_reported_by_line_and_the_others_are_used() {
    let mut lines = String::new();
    call(&mut lines, 0, "a", ANSWERED);
    lines.push_str("\n  \nnonsense\n");
    call(&mut lines, 1_000, "b", ANSWERED);
    let mut bytes = lines.into_bytes();
    bytes.extend_from_slice(b"{\"at\":\"\xff\"}\r\n{}");
    let recording = Recording::from_json_lines(bytes.as_slice()).unwrap();
    let lines: Vec<_> = recording.rejected().iter().map(|row| row.line).collect();
    assert_eq!(lines, [4, 6, 7]);
    let counts = recording.counts();
    assert_eq!((counts.calls, counts.rejected), (2, 3));
    let report = fusebox::drill::Replay::new(production)
        .run(&recording)
        .unwrap();
    assert_eq!(report.counts().accepted, 2);
    let text = report.to_string();
    assert!(text.contains("\n0 rows out of order, 0 of them late; 3 rejected\n  line 4: expected ident at column 2\n"), "{text}");
}

#[test]
fn a_line_that_is_too_long_is_rejected_and_the_next_is_used() {
    let blank = " ".repeat(3 * 1_024 * 1_024);
    let mut lines = format!("{}\n", "x".repeat(3 * 1_024 * 1_024));
    call(&mut lines, 0, "a", ANSWERED);
    // Of this one nothing is seen but its blank beginning.
    lines.push_str(&blank);
    lines.push_str("nonsense\n");
    call(&mut lines, 1_000, "b", ANSWERED);
    let recording = read(&lines);
    let rejected: Vec<_> = recording
        .rejected()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        rejected,
        [
            "line 1: got more than 1 MiB, expected a line of JSON",
            "line 3: got more than 1 MiB, expected a line of JSON"
        ]
    );
    assert_eq!(recording.counts().calls, 2);
}

#[test]
fn only_the_first_thousand_rejected_rows_are_kept_and_five_printed() {
    let mut lines = "nonsense\n".repeat(1_200);
    call(&mut lines, 0, "a", ANSWERED);
    let recording = read(&lines);
    assert_eq!(
        (recording.rejected().len(), recording.counts().rejected),
        (1_000, 1_200)
    );
    let text = run(production, &lines).to_string();
    assert!(
        text.contains("\n  line 5: ") && !text.contains("\n  line 6: "),
        "{text}"
    );
    assert!(text.ends_with("\n  and 1195 more\n"), "{text}");
}

/// 0.2 is below the threshold, wherever in the row the other field is.
#[test]
fn of_a_field_with_two_confidences_the_last_counts() {
    let needs_review = |confidences: &str| {
        let end = format!(r#","latency_ms":2000,"confidences":{{{confidences}}}"#);
        let mut lines = String::new();
        call(&mut lines, 0, "a", &end);
        run(production, &lines).counts().needs_review
    };
    assert_eq!(needs_review(r#""total":0.95,"vendor":0.95,"total":0.2"#), 1);
    assert_eq!(needs_review(r#""total":0.2,"vendor":0.95,"total":0.95"#), 0);
}

/// Late is more than ten minutes behind a row above.
#[test]
fn rows_out_of_order_are_put_in_order_and_counted() {
    let mut lines = String::new();
    for (after, document) in [
        (700_000, "b"),
        (100_000, "a"),
        (99_999, "z"),
        (700_000, "c"),
        (800_000, "d"),
    ] {
        call(&mut lines, after, document, ANSWERED);
    }
    let counts = read(&lines).counts();
    assert_eq!((counts.out_of_order, counts.late), (2, 1));
    let report = run(production, &lines);
    assert_eq!(report.counts().accepted, 5);
    assert_eq!(report.length().as_millis(), 800_000 + 2_000 - 99_999);
}

#[cfg(feature = "csv")]
mod csv {
    use fusebox::drill::{CsvColumns, CsvTime, Recording, Replay};
    use fusebox::{Error, Field};

    use super::super::{json, production, read};
    use crate::support::refused;

    fn columns() -> CsvColumns {
        CsvColumns::new("time", "id", "type")
            .document_tokens("tokens")
            .version("prompt")
            .latency_ms("ms")
            .failure("error")
            .finish_reason("stop")
            .usage("in", "out")
            .confidence(Field::new("total").unwrap(), "p_total")
            .corrected("fixed")
    }

    const HEADER: &str = "id,time,type,tokens,prompt,ms,error,stop,in,out,p_total,fixed,remark";

    fn csv(rows: &str) -> Result<Recording, Error> {
        Recording::from_csv(format!("{HEADER}\n{rows}").as_bytes(), &columns())
    }

    #[test]
    fn csv_says_the_same_as_json_lines() {
        let recording = csv("\
a,2026-01-05T08:00:00Z,invoice,900,v7,2000,,stop,1900,40,0.95,,\"fine, so far\"
b, 2026-01-05T08:00:06Z ,invoice,900,v7,2000,timeout,,,,,,
c,2026-01-05T08:00:12Z,invoice,900,v6,,,,,,,,
a,2026-01-05T09:00:00Z,,,,,,,,,,total; vendor,
")
        .unwrap();
        assert_eq!(recording.rejected(), []);
        let lines = r#"
{"at":"2026-01-05T08:00:00Z","document":"a","document_type":"invoice","document_tokens":900,"version":"v7","latency_ms":2000,"finish_reason":"stop","input_tokens":1900,"output_tokens":40,"confidences":{"total":0.95}}
{"at":"2026-01-05T08:00:06Z","document":"b","document_type":"invoice","document_tokens":900,"version":"v7","latency_ms":2000,"failure":"timeout"}
{"at":"2026-01-05T08:00:12Z","document":"c","document_type":"invoice","document_tokens":900,"version":"v6"}
{"at":"2026-01-05T09:00:00Z","document":"a","corrected":["total","vendor"]}
"#;
        let replay = Replay::new(production);
        let report = replay.run(&recording).unwrap();
        let counts = report.counts();
        assert_eq!(
            (counts.accepted, counts.failed, counts.never_answered),
            (1, 1, 1)
        );
        assert_eq!(
            (counts.corrections.given, counts.by_another_version),
            (2, 1)
        );
        assert_eq!(json(&report), json(&replay.run(&read(lines)).unwrap()));
    }

    #[test]
    fn rows_that_cannot_be_used_are_rejected_by_line() {
        let recording = csv("\
a,2026-01-05T08:00:00Z,invoice,many,v7,2000,,,,,,,
b,2026-01-05T08:00:00Z,invoice
c,1767600000,invoice,,v7,,,,,,,,
d,2026-01-05T08:00:00Z,invoice,,v7,2000,server_eror,,,,,,
e,2026-01-05T08:00:00Z,invoice,,v7,2000,,,,,high,,
f,2026-01-05T08:00:00Z,,,v7,2000,,,,,,,
g,2026-01-05T08:00:00Z,invoice,,v7,2000,,,,,,,
")
        .unwrap();
        let rejected: Vec<_> = recording
            .rejected()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            rejected[..3],
            [
                "line 2: document tokens: got `many`, expected a whole number",
                "line 3: got 3 cells, expected 13 as in the header",
                "line 4: time: got `1767600000`, expected a time in UTC such as `2026-01-05T08:00:00Z`",
            ]
        );
        assert!(
            rejected[3].starts_with(
                "line 5: failure: got `unknown variant `server_eror`, expected one of `auth`"
            ),
            "{rejected:?}"
        );
        assert_eq!(
            rejected[4],
            "line 6: confidence: got `high`, expected a number"
        );
        assert!(
            rejected[5].starts_with("line 7: document_type: got `none`"),
            "{rejected:?}"
        );
        assert_eq!((rejected.len(), recording.counts().calls), (6, 1));
    }

    #[test]
    fn times_are_read_as_the_mapping_says() {
        let begins = |time: &str, written| {
            let columns = CsvColumns::new("t", "d", "k").times_are(written);
            let csv = format!("t,d,k\n{time},a,b\n");
            let recording = Recording::from_csv(csv.as_bytes(), &columns).unwrap();
            recording.span().map(|(begins, _)| begins.as_millis())
        };
        assert_eq!(
            begins("1767600000", CsvTime::UnixSeconds),
            Some(1_767_600_000_000)
        );
        assert_eq!(
            begins("1767600000000", CsvTime::UnixMillis),
            Some(1_767_600_000_000)
        );
        assert_eq!(begins("1767600000000", CsvTime::UnixSeconds), None);
        assert_eq!(begins("1767600000", CsvTime::UnixMillis), None);
    }

    #[test]
    fn a_column_that_the_header_does_not_have_once_is_an_error() {
        let read =
            |header: &str| Recording::from_csv(header.as_bytes(), &CsvColumns::new("t", "d", "k"));
        refused(
            read("t,d,kind\n"),
            "csv column: got `k`, expected a column of the header: `t`, `d`, `kind`",
        );
        refused(
            read("t,d,k,t\n"),
            "csv column: got `t`, expected a column that is there once of the header: `t`, `d`, `k`, `t`",
        );
    }
}
