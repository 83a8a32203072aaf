//! The hash of what was drilled: each setting of each guard is in it.

use std::collections::{BTreeMap, BTreeSet};

use fusebox::guard::Mount;
use fusebox::{
    BlueGreenPolicy, CanaryPolicy, Confidence, ConfidenceDriftMonitor, DocumentType,
    ErrorRateBreaker, Guard, Pipeline, Ratio, RouteLedger, Severity, ShadowComparator, TokenBudget,
    VersionId,
};

use super::{HOUR, Reviewed};
use crate::support::{line_up, minutes};

/// A text for each setting that differs from the one before it in one number.
fn variants() -> BTreeMap<&'static str, String> {
    let hash = |guard: &dyn Fn() -> Box<dyn Guard>| {
        let of = || Pipeline::builder(line_up()).guard(guard()).settings_hash();
        assert_eq!(of(), of(), "the same of two builds");
        of().to_string()
    };
    let budget = || TokenBudget::builder();
    let drift = || ConfidenceDriftMonitor::builder();
    let ledger = || RouteLedger::builder();
    let shadow = |id| ShadowComparator::builder(VersionId::new(id).unwrap());
    let statement = || DocumentType::new("statement").unwrap();
    let canary = || CanaryPolicy::builder().stage(Ratio::percent(5), HOUR);
    let mut all = BTreeMap::new();
    let mut add = |name, guard: &dyn Fn() -> Box<dyn Guard>| {
        all.insert(name, hash(guard));
    };
    add("budget", &|| Box::new(budget().build().unwrap()));
    add("budget: limit", &|| {
        Box::new(budget().limit(Ratio::percent(80)).build().unwrap())
    });
    add("budget: all", &|| {
        Box::new(budget().measure_every_document().build().unwrap())
    });
    add("budget: alarm", &|| {
        Box::new(budget().larger_model_alarm(Severity::Info).build().unwrap())
    });
    add("budget: catalogue", &|| {
        Box::new(
            budget()
                .catalogue(fusebox::tokens::Catalogue::empty())
                .build()
                .unwrap(),
        )
    });
    add("breaker", &|| Box::new(ErrorRateBreaker::default()));
    add("breaker: threshold", &|| {
        Box::new(
            ErrorRateBreaker::builder()
                .threshold(Ratio::percent(4))
                .build()
                .unwrap(),
        )
    });
    add("breaker: calls", &|| {
        Box::new(ErrorRateBreaker::builder().min_calls(99).build().unwrap())
    });
    add("drift", &|| Box::new(drift().build().unwrap()));
    add("drift: drop", &|| {
        Box::new(drift().max_drop(Confidence::percent(6)).build().unwrap())
    });
    add("ledger", &|| Box::new(ledger().build().unwrap()));
    add("ledger: open", &|| {
        Box::new(ledger().max_open(minutes(11)).build().unwrap())
    });
    add("ledger: expected", &|| {
        Box::new(ledger().expect(statement(), HOUR).build().unwrap())
    });
    add("canary", &|| Box::new(canary().build().unwrap()));
    add("canary: ratio", &|| {
        Box::new(canary().max_ratio(Ratio::percent(160)).build().unwrap())
    });
    add("canary: stage", &|| {
        Box::new(canary().stage(Ratio::percent(6), HOUR).build().unwrap())
    });
    add("canary: shadow", &|| {
        Box::new(canary().after_shadow(Reviewed(Ok(()))).build().unwrap())
    });
    add("blue/green", &|| Box::new(BlueGreenPolicy::default()));
    add("blue/green: types", &|| {
        Box::new(
            BlueGreenPolicy::builder()
                .expect_types([statement()])
                .build()
                .unwrap(),
        )
    });
    add("shadow", &|| Box::new(shadow("v8").build().unwrap()));
    add("shadow: share", &|| {
        Box::new(shadow("v8").share(Ratio::percent(1)).build().unwrap())
    });
    let other_candidate = hash(&|| Box::new(shadow("v9").build().unwrap()));
    assert_eq!(
        other_candidate, all["shadow"],
        "each rollout has another candidate"
    );
    all
}

#[test]
fn a_settings_hash_changes_with_each_number_and_not_between_builds() {
    let all = variants();
    let distinct: BTreeSet<_> = all.values().collect();
    assert_eq!(distinct.len(), all.len(), "{all:#?}");
    let breaker = ErrorRateBreaker::default;
    let contracts = DocumentType::new("contract").unwrap();
    assert_eq!(hash_of(breaker()), all["breaker"]);
    let others = BTreeSet::from([
        hash_of(breaker()),
        hash_of(breaker().named("calls")),
        hash_of(breaker().only_for(contracts)),
        hash_of(breaker().dry_run()),
        hash_of(None::<ErrorRateBreaker>),
    ]);
    assert_eq!(others.len(), 5);
    let (pipeline, breaker) = crate::support::Bench::and_guard(breaker());
    assert_eq!(
        pipeline.pipeline.settings_hash().to_string(),
        all["breaker"]
    );
    let seen = breaker.status().revision;
    let settings = ErrorRateBreaker::builder().threshold(Ratio::percent(4));
    breaker
        .reconfigure(settings, seen, "ada", "stricter")
        .unwrap();
    let reconfigured = pipeline.pipeline.settings_hash().to_string();
    assert_eq!(reconfigured, all["breaker: threshold"]);
}

fn hash_of(guard: impl Mount) -> String {
    let builder = Pipeline::builder(line_up()).guard(guard);
    builder.settings_hash().to_string()
}
