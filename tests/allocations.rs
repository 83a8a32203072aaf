//! A healthy call allocates nothing: what it needs, its ticket owns already.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fusebox::Feedback;
use fusebox::call::{Comparison, Difference, Outcome, Signal};
use fusebox::clock::MockClock;
use fusebox::drill::{Recording, Replay};
use fusebox::event::Outbox;
use fusebox::guard::{Acceptance, Cx};
use fusebox::{
    BlueGreenPolicy, Call, CanaryPolicy, ConfidenceDriftMonitor, DocumentId, DocumentType,
    ErrorRateBreaker, Field, Guard, LineUp, Pipeline, Report, RouteLedger, ShadowComparator,
    Ticket, Timestamp, TokenBudget, Version, VersionId,
};

const CALLS: u64 = 1_000;

fn pipeline() -> Result<Pipeline, fusebox::Error> {
    let version = Version::new("v7", "gpt-4o")?.with_system_prompt_tokens(1_000);
    Pipeline::builder(LineUp::new(version))
        .guard(TokenBudget::builder().build()?)
        .guard(ErrorRateBreaker::default())
        .guard(Arc::new(ConfidenceDriftMonitor::default()))
        .guard(CanaryPolicy::default())
        .guard(BlueGreenPolicy::default())
        .guard(ShadowComparator::builder(VersionId::new("v8")?).build()?)
        .guard(RouteLedger::default())
        .build()
}

#[test]
fn admit_and_answer_of_a_healthy_call_allocate_nothing() -> Result<(), fusebox::Error> {
    let pipeline = pipeline()?;
    let call = Call::of(DocumentId::new("inv-1")?, DocumentType::new("invoice")?)
        .with_document_tokens(500);
    let calls = || {
        for _ in 0..CALLS {
            let permit = pipeline.admit(&call).permit();
            drop(permit.map(|permit| permit.answer(Report::new())));
        }
    };
    // The first calls make the entries for their version and document type.
    calls();
    let counted = allocation_counter::measure(calls);
    assert_eq!(counted.count_total, 0, "{counted:?}");
    Ok(())
}

/// In the middle of a bucket and at its end, where distributions are compared.
#[test]
fn the_drift_monitor_allocates_nothing_for_healthy_confidences() -> Result<(), fusebox::Error> {
    const BUCKET: u64 = 5 * 60_000;
    let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
    let ticket = Ticket::new(&Call::new("inv-1", "invoice")?, line_up.stable());
    let (guard, outbox) = (ConfidenceDriftMonitor::default(), Outbox::new());
    let answer = |nth| {
        let report = (0..10).fold(Report::new(), |report, field| {
            let score = 0.90 + 0.01 * f64::from((nth + field) % 10);
            report.confidence(format!("field-{field}"), score)
        });
        Signal::Settled {
            outcome: Outcome::Accepted,
            report,
        }
    };
    let answers: Vec<_> = (0..10).map(answer).collect();
    let observe = |bucket: u64| {
        let now = Timestamp::from_millis(bucket * BUCKET);
        let cx = Cx::new(now, &line_up, &outbox, "drift");
        for answer in answers.iter().cycle().take(120) {
            if let Signal::Settled { report, .. } = answer {
                assert_eq!(guard.review(&ticket, report, &cx), Acceptance::Accept);
            }
            guard.observe(&ticket, answer, &cx);
        }
    };
    // The first documents make the entries of their fields, and a new hour its counts.
    observe(0);
    let counted = allocation_counter::measure(|| (1..12).for_each(observe));
    assert_eq!(counted.count_total, 0, "{counted:?}");
    Ok(())
}

#[test]
fn the_counter_counts() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8; 100])));
    assert_eq!(counted.count_total, 1);
}

/// What the breaker keeps for a type of document, its name, its place in the map and its window
/// included.
#[test]
fn a_key_of_the_breaker_takes_a_kilobyte() -> Result<(), fusebox::Error> {
    const TYPES: usize = 7_000;
    let breaker = ErrorRateBreaker::builder().by_document_type(true).build()?;
    let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
        .guard(breaker)
        .build()?;
    let calls: Result<Vec<Call<'_>>, _> = (0..TYPES)
        .map(|n| Call::new("inv-1", format!("type-{n}")))
        .collect();
    let calls = calls?;
    let counted = allocation_counter::measure(|| {
        for call in &calls {
            let permit = pipeline.admit(call).permit();
            drop(permit.map(|permit| permit.answer(Report::new())));
        }
    });
    let a_key = counted.bytes_current / 7_000;
    assert!((500..=1_024).contains(&a_key), "{a_key} bytes a key");
    Ok(())
}

/// What a drift monitor keeps for a field of which every thousandth came in each hour, twice: its
/// baseline, its window and its names included. And for one of a hundred documents, as most are. A
/// baseline of the default size leaves room for 10,000 in 160 MB.
#[test]
fn a_segment_of_the_drift_monitor_takes_16_kilobytes_at_most() -> Result<(), fusebox::Error> {
    const FIELDS: u64 = 4;
    for (baseline, rounds, scores, limits) in [
        (1_001, 8, 1_001, 9_000..=16_384),
        (1_001, 4, 25, 1_500..=6_144),
        (100, 8, 1_001, 9_000..=16_000),
    ] {
        let clock = MockClock::at(Timestamp::from_millis(1_773_435_600_000));
        let field = |n| Field::new(format!("field-{n}"));
        let fields: Vec<Field> = (0..FIELDS).map(field).collect::<Result<_, _>>()?;
        let drift = ConfidenceDriftMonitor::builder().baseline_documents(baseline);
        let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
            .guard(drift.build()?)
            .clock(clock.clone())
            .build()?;
        let call = Call::of(DocumentId::new("inv-1")?, DocumentType::new("invoice")?);
        let counted = allocation_counter::measure(|| {
            for _ in 0..rounds {
                for score in 0..scores {
                    let score = f64::from(score) / 1_000.0;
                    let report = fields.iter().fold(Report::new(), |report, field| {
                        report.confidence(field.as_str(), score)
                    });
                    let permit = pipeline.admit(&call).permit();
                    drop(permit.map(|permit| permit.answer(report)));
                }
                clock.advance(Duration::from_secs(1_800));
            }
            pipeline.tick();
        });
        let a_segment = counted.bytes_current / i64::try_from(FIELDS).unwrap_or(1);
        assert!(limits.contains(&a_segment), "{a_segment} bytes a segment");
    }
    Ok(())
}

/// 10,000 segments, each with 112 documents in four hours, the first 100 of them its baseline, whose
/// confidences are spread over all thousandths.
#[test]
fn ten_thousand_segments_of_the_drift_monitor_take_160_megabytes_at_most()
-> Result<(), fusebox::Error> {
    const TYPES: usize = 100;
    const FIELDS: usize = 100;
    let clock = MockClock::at(Timestamp::from_millis(1_773_435_600_000));
    let drift = Arc::new(ConfidenceDriftMonitor::default());
    let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
        .guard(Arc::clone(&drift))
        .clock(clock.clone())
        .build()?;
    let document_type = |n| DocumentType::new(format!("type-{n}"));
    let types: Vec<_> = (0..TYPES).map(document_type).collect::<Result<_, _>>()?;
    let fields: Vec<_> = (0..FIELDS).map(|n| format!("field-{n}")).collect();
    let document = DocumentId::new("inv-1")?;
    let counted = allocation_counter::measure(|| {
        for nth in 0..112_u32 {
            clock.advance(Duration::from_secs(14_400 / 113));
            for document_type in &types {
                let report = (0..)
                    .zip(&fields)
                    .fold(Report::new(), |report, (n, field)| {
                        let thousandths = (nth * 379 + n * 37) % 1_001;
                        report.confidence(field, f64::from(thousandths) / 1_000.0)
                    });
                let call = Call::of(document.clone(), document_type.clone());
                let permit = pipeline.admit(&call).permit();
                drop(permit.map(|permit| permit.answer(report)));
            }
            pipeline.tick();
        }
    });
    for name in ["type-0", "type-99"] {
        let means = drift.means(name, "field-99");
        assert_eq!(
            (means.baseline_documents, means.window_documents),
            (100, 112)
        );
    }
    let bytes = counted.bytes_current;
    assert!((20_000_000..=160_000_000).contains(&bytes), "{bytes} bytes");
    Ok(())
}

/// A rollout in its second stage with 1,000 document types, each answered in every quarter of both
/// stages, and 10,000 corrections.
#[test]
fn a_rollout_with_a_thousand_types_takes_two_megabytes() -> Result<(), fusebox::Error> {
    const TYPES: usize = 1_000;
    let canary = Arc::new(CanaryPolicy::default());
    let clock = MockClock::at(Timestamp::from_millis(1_773_435_600_000));
    let line_up =
        LineUp::new(Version::new("v7", "gpt-4o")?).with_candidate(Version::new("v8", "gpt-4o")?);
    let pipeline = Pipeline::builder(line_up)
        .guard(Arc::clone(&canary))
        .clock(clock.clone())
        .build()?;
    let types: Result<Vec<DocumentType>, _> = (0..TYPES)
        .map(|n| DocumentType::new(format!("type-{n}")))
        .collect();
    let types = types?;
    let field = Field::new("total")?;
    let mut failed = None;
    let counted = allocation_counter::measure(|| {
        pipeline.tick();
        for (quarter, documents) in (0..8).zip([4, 4, 4, 4, 2, 2, 2, 2]) {
            for n in 0..documents * TYPES {
                let id = DocumentId::new(format!("{quarter}-{n}"));
                let document_type = types.get(n % TYPES).cloned();
                let (Ok(id), Some(document_type)) = (id, document_type) else {
                    failed = Some(n);
                    return;
                };
                if let Some(permit) = pipeline.admit(&Call::of(id, document_type)).permit() {
                    let settlement = permit.answer(Report::new());
                    if n % 2 == 0 {
                        let ticket = settlement.ticket().clone();
                        pipeline.observe(&ticket, Feedback::corrected(field.clone()));
                    }
                }
            }
            clock.advance(Duration::from_secs(if quarter < 4 { 1_800 } else { 3_600 }));
            let seen = canary.status().revision;
            if quarter == 3 && canary.promote(seen, "ada", "next stage").is_err() {
                failed = Some(0);
            }
        }
        std::hint::black_box(canary.status());
        pipeline.tick();
    });
    assert_eq!(failed, None);
    assert_eq!(canary.status().types.len(), TYPES);
    let bytes = counted.bytes_current;
    assert!((500_000..=2_000_000).contains(&bytes), "{bytes} bytes");
    Ok(())
}

/// 16 MB without a word's end, of runs that are slow to merge, of lines of runs, and of prose, where
/// `tiktoken-rs` alone takes 761 MB for the first. The vocabulary is loaded before.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
#[test]
fn a_count_takes_less_than_64_megabytes() -> Result<(), fusebox::Error> {
    use fusebox::tokens::{Encoding, TokenCounter};

    const BYTES: usize = 16 << 20;
    const MOST: u64 = 64 << 20;
    let counters: Vec<Arc<dyn TokenCounter>> = vec![
        Encoding::O200kBase.counter()?,
        #[cfg(feature = "tiktoken")]
        Arc::new(fusebox::tokens::Tiktoken::new(Encoding::O200kBase)),
    ];
    let pieces = [
        "qxzjvkwp".to_owned(),
        "-".repeat(2_049) + &"=".repeat(2_049),
        "-".repeat(2_049) + "\nx",
        "漢".repeat(20_000) + "。",
        "The invoice of March is still open. ".to_owned(),
    ];
    for piece in pieces {
        for bytes in [BYTES, 400_000, 60_000] {
            let text = piece.repeat(bytes / piece.len());
            for counter in &counters {
                let counted = allocation_counter::measure(|| {
                    let _ = std::hint::black_box(counter.count(&text));
                });
                assert!(counted.bytes_max < MOST, "{counter:?} {counted:?}");
            }
        }
    }
    Ok(())
}

/// Both texts of 10 KB, as a comparator gives them, and what is kept beside them.
#[test]
fn five_hundred_divergences_of_ten_kilobytes_take_16_megabytes_at_most()
-> Result<(), fusebox::Error> {
    let candidate = VersionId::new("v8")?;
    let shadow = Arc::new(ShadowComparator::builder(candidate.clone()).build()?);
    let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
        .guard(Arc::clone(&shadow))
        .build()?;
    let text = "x".repeat(10 << 10);
    let total = Field::new("/text")?;
    let counted = allocation_counter::measure(|| {
        for n in 0..500 {
            let Ok(call) = Call::new(format!("inv-{n}"), "invoice") else {
                continue;
            };
            let Some(permit) = pipeline.admit(&call).permit() else {
                continue;
            };
            let settlement = permit.answer(Report::new());
            let difference = Difference::changed(total.clone()).between(&text, &text);
            let diverged = Comparison::Diverged(vec![difference]);
            let feedback = Feedback::compared(candidate.clone(), diverged);
            pipeline.observe(settlement.ticket(), feedback);
        }
    });
    assert_eq!(shadow.report().divergences.len(), 500);
    let megabytes = counted.bytes_current >> 20;
    assert!((9..=16).contains(&megabytes), "{megabytes} MB");
    Ok(())
}

/// Ten times the rows: what is held is the rows of a few seconds, the open calls, and of a document
/// that is corrected its id, not its ticket.
#[test]
fn a_replay_of_a_file_holds_no_more_for_more_rows() -> Result<(), Box<dyn std::error::Error>> {
    const CORRECTED: u64 = 3;
    let most = |calls: u64| -> Result<u64, Box<dyn std::error::Error>> {
        let mut lines = String::new();
        for n in 0..calls {
            // As written at the end of a call: out of order by seconds.
            let at = 1_767_600_000_000 + n * 100 - (n % 7) * 500;
            let end = r#""latency_ms":3000,"confidences":{"total":0.95}"#;
            writeln!(
                lines,
                r#"{{"at":{at},"document":"inv-{n}","document_type":"invoice","version":"v7",{end}}}"#
            )?;
            if n % CORRECTED == 2 && n > 50 {
                let (at, document) = (at - 2_000, n - 50);
                let correction = r#""corrected":["total"]"#;
                writeln!(
                    lines,
                    r#"{{"at":{at},"document":"inv-{document}",{correction}}}"#
                )?;
            }
        }
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("held.jsonl");
        fs::write(&path, lines)?;
        let production = || {
            let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
            Ok(Pipeline::builder(line_up).guard(None::<RouteLedger>))
        };
        let mut served = Ok(0);
        let measured = allocation_counter::measure(|| {
            let run = |recording| Replay::new(production).run(&recording);
            served = Recording::from_path(&path)
                .and_then(run)
                .map(|report| report.counts().accepted);
        });
        assert_eq!(served?, calls);
        Ok(measured.bytes_max)
    };
    // The first run pays for what is made once.
    most(100)?;
    let (few, many) = (most(3_000)?, most(30_000)?);
    let ids = (30_000 - 3_000) / CORRECTED * 160;
    assert!(many < few + few / 10 + ids, "{few} and {many} bytes, {ids}");
    Ok(())
}
