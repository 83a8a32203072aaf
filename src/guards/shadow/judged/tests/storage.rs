//! What is stored, and which states are refused.

use super::*;

#[test]
fn no_value_is_in_what_is_stored() {
    let mut bench = Bench::new();
    bench.compare(&ticket(1), &differs(&[("total", "secret-1")]));
    bench.correct(&ticket(1), "total", Settled::Value("secret-2"));
    bench.correct(&ticket(2), "total", Settled::Value("secret-3"));
    let stored = serde_json::to_string(&bench.judged.stored()).unwrap();
    assert!(stored.starts_with(r#"{"format":1,"#), "{stored}");
    assert!(!stored.contains("secret") && !format!("{:?}", bench.judged).contains("secret"));
}

#[test]
fn a_document_on_which_both_agree_takes_few_bytes() {
    assert!(size_of::<Document>() <= 160, "{}", size_of::<Document>());
    let mut bench = Bench::new();
    bench.compare(&ticket(1), &Comparison::Match);
    let document = bench.judged.documents.values().next().unwrap();
    assert_eq!(
        serde_json::to_string(document).unwrap(),
        r#"{"type":"invoice","compared_at":1763899200000}"#
    );
}

/// Each edit makes a state that says two things.
#[test]
fn a_state_that_contradicts_itself_is_refused() {
    let mut bench = Bench::new();
    bench
        .many(0, 90, Pair::BothRight)
        .many(1_000, 7, Pair::OnlyProductionRight);
    bench.one(&in_batch(2_000, "monday"), Pair::BothWrong);
    bench.review(&ticket(3_000)).wait(minutes(10));
    let stored = serde_json::to_value(bench.judged.stored()).unwrap();
    let restore = |stored: serde_json::Value| {
        let stored = serde_json::from_value(stored).map_err(|error| error.to_string())?;
        let mut judged = Judged::new(JudgedSettings::default(), key()).unwrap();
        let restored = judged.restore("shadow", stored);
        restored.map_err(|error| error.to_string())
    };
    assert_eq!(restore(stored.clone()), Ok(()));
    for (at, value, reason) in [
        ("/format", 2.into(), "unknown format 2"),
        ("/key", 5.into(), "another key"),
        ("/looked_at", "all".into(), "another rule"),
        ("/now", 1.into(), "order of time"),
        ("/documents/1", stored["documents"][0].clone(), "twice"),
        (
            "/documents/0/0",
            "0000000000000001-3000".into(),
            "waits for its comparison",
        ),
        (
            "/documents/0/1/compared_at",
            1_763_999_999_999_u64.into(),
            "order of time",
        ),
        (
            "/documents/0/1/reviewed_at",
            1_863_999_999_999_u64.into(),
            "a review to come",
        ),
        (
            "/documents/0/1/looked_at",
            false.into(),
            "that nobody looked at",
        ),
        ("/documents/0/1/elsewhere", true.into(), "do not match"),
        ("/documents/0/1/type", "contract".into(), "do not match"),
        (
            "/documents/97/1/in_verdict",
            true.into(),
            "a unit of its own",
        ),
        (
            "/documents/97/1/batch",
            "sunday".into(),
            "batches do not match",
        ),
        ("/batches", serde_json::json!([]), "batches do not match"),
        ("/batches/0/1/remembered", 2.into(), "batches do not match"),
        (
            "/batches/0/1/production_wrong",
            0.into(),
            "batches do not match",
        ),
        ("/types/0/1/unreviewed", 4.into(), "do not match"),
        ("/total/looked_at/both_right", 91.into(), "do not match"),
        (
            "/other",
            stored["total"].clone(),
            "an overflow without need",
        ),
        ("/let_go", 1.into(), "do not match"),
        ("/units/both_right", 0.into(), "verdict does not match"),
        ("/called", serde_json::Value::Null, "verdict does not match"),
        (
            "/called/at",
            1_863_999_999_999_u64.into(),
            "verdict does not match",
        ),
    ] {
        let mut edited = stored.clone();
        if let Some(found) = edited.pointer_mut(at) {
            *found = value;
        } else {
            let (object, name) = at.rsplit_once('/').unwrap();
            edited.pointer_mut(object).unwrap()[name] = value;
        }
        let error = restore(edited).unwrap_err();
        assert!(error.contains(reason), "{at}: {error}");
    }
}

#[test]
fn another_tolerated_ratio_after_a_restart_decides_anew() {
    let mut bench = Bench::new();
    bench
        .many(0, 900, Pair::BothRight)
        .many(1_000, 20, Pair::BothWrong);
    bench.many(2_000, 12, Pair::OnlyProductionRight);
    assert_eq!(bench.judged.verdict(), JudgedVerdict::Worse);
    let stored = bench.judged.stored();
    let settings = JudgedSettings {
        max_ratio: Ratio::percent(200),
        ..JudgedSettings::default()
    };
    let mut judged = Judged::new(settings, key()).unwrap();
    judged.restore("shadow", stored).unwrap();
    assert_ne!(judged.verdict(), JudgedVerdict::Worse, "32 to 20");
}
