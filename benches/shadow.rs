//! Comparing two extractions of 10 KB, about 200 fields with five differences, beside the peers on
//! the same parsed values.
//!
//! `JsonFields` says which fields differ, with both values as text, and compares numbers as exact
//! decimals; `assert-json-diff` writes its findings as one text; `json-patch` makes operations.
//!
//! ```console
//! cargo bench --bench shadow
//! ```

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench may fail to start"
)]

use std::hint::black_box;

use assert_json_diff::{CompareMode, Config, assert_json_matches_no_panic};
use criterion::{Criterion, criterion_group, criterion_main};
use fusebox::call::Comparison;
use fusebox::shadow::compare::{Compare, JsonFields, NormalisedText};
use serde_json::{Value, json};

const LINES: usize = 28;

/// An invoice of 28 lines with seven fields each, and a dozen fields of its own.
fn extraction() -> Value {
    let lines: Vec<_> = (0..LINES)
        .map(|n| {
            json!({
                "position": n + 1,
                "sku": format!("SKU-{:06}-{}", n * 7919, if n % 2 == 0 { "blue" } else { "steel" }),
                "description": format!(
                    "Hexagon head screw, fully threaded, stainless steel A2, M{} x {} mm, box of 100, \
                     with washers and nuts of the same grade, packed by hand in Sprockhövel, delivered \
                     free of charge, item {n}",
                    n % 12 + 4,
                    n * 5 + 20
                ),
                "quantity": n % 9 + 1,
                "unit_price": format!("{}.{:02}", 10 + n * 3, n * 13 % 100),
                "amount": f64::from(u32::try_from(n).unwrap_or(0)) * 12.25 + 4.5,
                "tax": {"rate": "0.19", "code": "DE-S"},
            })
        })
        .collect();
    json!({
        "vendor": {"name": "Schrauben Müller GmbH & Co. KG", "vat_id": "DE811234567", "city": "Köln"},
        "customer": {"name": "Maschinenbau Nord AG", "number": 4_711_000_815_u64},
        "invoice_number": "2026-03-000481",
        "date": "2026-03-13",
        "due": null,
        "currency": "EUR",
        "paid": false,
        "total": "12345.67",
        "net": 10374.51,
        "lines": lines,
    })
}

fn changed(production: &Value) -> Value {
    let mut candidate = production.clone();
    candidate["total"] = json!("12354.67");
    candidate["vendor"]["city"] = json!("Cologne");
    candidate["lines"][3]["quantity"] = json!(99);
    candidate["lines"][17]["tax"]["code"] = json!(null);
    candidate["lines"][27]
        .as_object_mut()
        .expect("a line is an object")
        .remove("sku");
    candidate
}

fn fields() -> JsonFields {
    JsonFields::builder()
        .critical(["/total", "/lines/*/amount", "/lines/*/quantity"])
        .absolute_tolerance("/total", "0.01")
        .absolute_tolerance("/lines/*/amount", "0.01")
        .normalised_text(["/vendor", "/lines/*/description"], NormalisedText::new())
        .ignored(["/meta"])
        .build()
        .expect("valid settings")
}

fn compare(c: &mut Criterion) {
    let production = extraction();
    let candidate = changed(&production);
    let bytes = production.to_string().len();
    assert!((9_500..11_000).contains(&bytes), "{bytes} bytes");
    let unordered = JsonFields::builder()
        .unordered(["/lines"])
        .build()
        .expect("valid settings");
    let rules = [
        ("plain", JsonFields::new()),
        ("with settings", fields()),
        ("unordered", unordered),
    ];
    let mut group = c.benchmark_group("compare 10 KB with 5 differences");
    for (name, rules) in &rules {
        let comparison = rules.compare(&production, &candidate);
        assert!(
            matches!(&comparison, Comparison::Diverged(found) if found.len() == 5),
            "{name}: {comparison:?}"
        );
        group.bench_function(format!("fusebox, {name}"), |b| {
            b.iter(|| rules.compare(black_box(&production), black_box(&candidate)));
        });
    }
    group.bench_function("fusebox, a patch", |b| {
        b.iter(|| {
            rules[0]
                .1
                .patch(black_box(&production), black_box(&candidate))
        });
    });
    group.bench_function("assert-json-diff", |b| {
        b.iter(|| {
            assert_json_matches_no_panic(
                black_box(&production),
                black_box(&candidate),
                Config::new(CompareMode::Strict),
            )
        });
    });
    group.bench_function("json-patch", |b| {
        b.iter(|| json_patch::diff(black_box(&production), black_box(&candidate)));
    });
    group.bench_function("serde_json ==, equal values", |b| {
        let same = production.clone();
        b.iter(|| black_box(&production) == black_box(&same));
    });
    group.bench_function("fusebox, equal values", |b| {
        let same = production.clone();
        b.iter(|| rules[0].1.compare(black_box(&production), black_box(&same)));
    });
    group.finish();
}

criterion_group!(benches, compare);
criterion_main!(benches);
