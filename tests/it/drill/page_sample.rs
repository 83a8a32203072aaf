//! Matrices for the page about them: one of drills, and one in which each text is what a test wants.

use std::time::Duration;

use fusebox::drill::{DetectionMatrix, DrillSet, Fault, Traffic};
use fusebox::{
    DocumentType, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Ratio, RouteLedger, TokenBudget,
    Version,
};
use serde_json::{Value, json};

/// Faults that are seen within minutes, that end, that nobody sees, and that meet nothing.
pub(crate) fn drilled() -> DetectionMatrix {
    let hour = Duration::from_secs(3_600);
    let production = || {
        let version = |id: &str| {
            Version::new(id, "gpt-4o").map(|version| version.with_system_prompt_tokens(1_000))
        };
        let line_up = LineUp::new(version("v7")?).with_previous(version("v6")?);
        let expected = DocumentType::new("statement")?;
        let ledger = RouteLedger::builder().expect(expected, hour / 3);
        Ok(Pipeline::builder(line_up)
            .guard(TokenBudget::builder().build()?)
            .guard(ErrorRateBreaker::default())
            .guard(ledger.build()?))
    };
    let of_type = |name| DocumentType::new(name).unwrap();
    let outage = Fault::fail(FailureKind::ServerError).share(Ratio::percent(20));
    DrillSet::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .traffic(Traffic::of("statement", 12).unwrap())
        .settling(hour)
        .watching(5 * hour)
        .healthy(6 * hour)
        .fault("a fifth fails", outage.clone())
        .fault(
            "a fifth fails for a quarter of an hour",
            outage.clone().lasting(hour / 4),
        )
        .fault(
            "statements stop",
            Fault::silence().of_type(of_type("statement")),
        )
        .fault("corrections stop", Fault::stop_feedback())
        .fault(
            "a type that nobody sends",
            outage.of_type(of_type("contract")),
        )
        .run()
        .unwrap()
}

/// A matrix whose names, guards, sizes and events are these texts, each in each place.
pub(crate) fn of_texts(texts: &[&str]) -> DetectionMatrix {
    let text = |n: usize| texts[n % texts.len()];
    let detection = |n: usize| {
        let moment = |after: u64, change: &str, severity: &str| {
            json!({
                "after_ms": after, "guard": text(n), "incident": text(n + 1), "change": change,
                "severity": severity, "text": text(n + 2),
            })
        };
        json!({
            "time_to_page_ms": 60_000, "paged_by": text(n), "documents_before_page": 5, "blind": null,
            "moments": [
                moment(60_000, "opened", "page"), moment(90_000, "grew", "page"),
                moment(95_000, "opened", "warning"), moment(3_600_000, "ended", "info"),
            ],
        })
    };
    let row = |n: usize| {
        json!({
            "fault": text(n), "mode": null, "size": text(n + 1), "lasts_ms": null,
            "by_window_ms": 50_000, "together": detection(n),
            "alone": (0..texts.len()).map(|guard| detection(n + guard)).collect::<Vec<_>>(),
        })
    };
    let mut rows: Vec<Value> = (0..texts.len()).map(row).collect();
    let mut blind = row(0);
    blind["together"]["blind"] = json!(text(1));
    rows.push(blind);
    serde_json::from_value(json!({
        "format": 1, "settings": settings(), "guards": texts, "rows": rows,
        "healthy_ms": 86_400_000, "watched_ms": 21_600_000, "false_pages": 1,
    }))
    .unwrap()
}

/// The settings of a pipeline, as JSON has them.
pub(crate) fn settings() -> Value {
    let version = Version::new("v7", "gpt-4o").unwrap();
    let builder = Pipeline::builder(LineUp::new(version)).guard(RouteLedger::default());
    serde_json::to_value(builder.settings_hash()).unwrap()
}
