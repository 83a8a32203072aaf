//! The gate before a rollout: each gap appears when it should, and goes when it is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use fusebox::drill::{
    DetectionMatrix, DrillSet, FailureMode, Fault, Gap, Readiness, ReadinessBuilder, Traffic,
};
use fusebox::event::PipelineEvent;
use fusebox::guard::{Clearance, Mount, Mounted};
use fusebox::pipeline::Builder;
use fusebox::sink::{self, MemorySink};
use fusebox::{
    BlueGreenPolicy, CanaryPolicy, Confidence, ConfidenceDriftMonitor, DocumentType, Error,
    ErrorKind, ErrorRateBreaker, EventKind, FailureKind, Guard, LineUp, Pipeline, Ratio,
    RouteLedger, Severity, ShadowComparator, TokenBudget, Version, VersionId, rollout,
};

use crate::support::{line_up, minutes, refused, version};

const HOUR: Duration = minutes(60);

fn pager() -> sink::Pager<MemorySink> {
    sink::pager(MemorySink::new())
}

fn breaker_and_canary() -> Result<Builder, Error> {
    Ok(Pipeline::builder(line_up())
        .guard(ErrorRateBreaker::builder().build()?)
        .guard(CanaryPolicy::default())
        .sink(pager()))
}

fn next() -> LineUp {
    line_up().with_candidate(version("v8"))
}

fn outage() -> Fault {
    Fault::fail(FailureKind::ServerError).share(Ratio::percent(20))
}

fn drilled<P: Fn() -> Result<Builder, Error>>(production: P, fault: Fault) -> DetectionMatrix {
    DrillSet::new(production)
        .traffic(Traffic::of("invoice", 600).unwrap())
        .settling(HOUR)
        .watching(HOUR)
        .healthy(HOUR)
        .fault("the fault", fault)
        .run()
        .unwrap()
}

fn enough_traffic() -> rollout::Traffic {
    let invoices = [(DocumentType::new("invoice").unwrap(), 600.0)];
    let traffic = rollout::Traffic::new(invoices, Ratio::percent(3)).unwrap();
    traffic.reviewed_after(minutes(15))
}

/// Asks about one failure mode alone.
fn only<P: Fn() -> Result<Builder, Error>>(
    mode: FailureMode,
    production: P,
) -> ReadinessBuilder<P> {
    let others = FailureMode::ALL.into_iter().filter(|other| *other != mode);
    others.fold(Readiness::of(production, next()), |asked, other| {
        asked.accept(other, "another test asks for it")
    })
}

fn gaps<P: Fn() -> Result<Builder, Error>>(asked: ReadinessBuilder<P>) -> Vec<Gap> {
    asked.check().unwrap().gaps().to_vec()
}

/// Asked once, as the forecast simulates hundreds of rollouts.
fn ready() -> Readiness {
    static READY: LazyLock<Readiness> = LazyLock::new(|| {
        only(FailureMode::CallsFail, breaker_and_canary)
            .drilled(&drilled(breaker_and_canary, outage()))
            .rollout(&CanaryPolicy::default(), &enough_traffic())
            .check()
            .unwrap()
    });
    READY.clone()
}

#[test]
fn a_pipeline_whose_failures_were_drilled_is_ready() {
    let readiness = ready();
    assert!(readiness.is_ready(), "{readiness}");
    let text = readiness.to_string();
    assert!(
        text.starts_with("rollout of v8: ready\naccepted: "),
        "{text}"
    );
    assert_eq!(readiness.accepted().len(), 13);
}

#[test]
fn without_anything_every_mode_is_named() {
    let bare = || Ok(Pipeline::builder(line_up()).guard(RouteLedger::default()));
    let found = gaps(Readiness::of(bare, next()));
    let expected = FailureMode::ALL.map(|mode| match mode {
        FailureMode::CallsHang | FailureMode::DocumentsStop => Gap::NoDrill { mode },
        _ => Gap::NoSignal { mode },
    });
    assert_eq!(found[..14], expected);
    assert_eq!(found[14..], [Gap::NoPager, Gap::NoRolloutGuard]);
}

#[test]
fn a_renamed_guard_is_a_signal_and_one_in_a_dry_run_is_none() {
    let mode = FailureMode::CallsFail;
    let first = |mount: fn(ErrorRateBreaker) -> Mounted<ErrorRateBreaker>| {
        let production =
            || Ok(Pipeline::builder(line_up()).guard(mount(ErrorRateBreaker::default())));
        gaps(only(mode, production)).remove(0)
    };
    assert_eq!(
        first(|breaker| breaker.named("calls")),
        Gap::NoDrill { mode }
    );
    assert_eq!(first(Guard::dry_run), Gap::NoSignal { mode });
}

#[test]
fn a_drill_that_saw_nothing_came_late_or_met_nothing_is_a_gap() {
    let mode = FailureMode::Throttled;
    let little = Fault::fail(FailureKind::Throttled).share(Ratio::percent(6));
    let unseen = drilled(breaker_and_canary, little);
    let fault = "the fault".to_owned();
    let (seen, within) = (None, minutes(30));
    assert_eq!(
        gaps(only(mode, breaker_and_canary).drilled(&unseen))[0],
        Gap::DrillFailed {
            mode,
            fault: fault.clone(),
            seen,
            within
        }
    );

    let mode = FailureMode::CallsFail;
    let outage_seen = drilled(breaker_and_canary, outage());
    let seen = outage_seen.rows()[0].together.time_to_page;
    let within = seen.unwrap().saturating_sub(Duration::from_millis(1));
    let asked = |within| {
        let asked = only(mode, breaker_and_canary).drilled(&outage_seen);
        gaps(asked.known_within(mode, within))
    };
    assert_eq!(
        asked(within)[0],
        Gap::DrillFailed {
            mode,
            fault: fault.clone(),
            seen,
            within
        }
    );
    assert_eq!(asked(seen.unwrap()), [Gap::NoForecast]);

    let contracts = outage().of_type(DocumentType::new("contract").unwrap());
    let blind = drilled(breaker_and_canary, contracts);
    let why = "fault 1 met no document".to_owned();
    assert_eq!(
        gaps(only(mode, breaker_and_canary).drilled(&blind))[0],
        Gap::DrillBlind { mode, fault, why }
    );
}

/// A guard of one's own, of which no table knows.
#[derive(Debug)]
struct PagesForFailures;

impl Guard for PagesForFailures {
    fn name(&self) -> &'static str {
        "pages-for-failures"
    }

    fn observe(
        &self,
        _: &fusebox::Ticket,
        signal: &fusebox::call::Signal,
        cx: &fusebox::guard::Cx<'_>,
    ) {
        if let fusebox::call::Signal::Settled { outcome, .. } = signal {
            if matches!(outcome, fusebox::call::Outcome::Failed(_)) {
                cx.emit(Severity::Page, EventKind::custom("failed", "a call failed"));
            }
        }
    }
}

#[test]
fn a_guard_of_ones_own_counts_once_a_drill_shows_its_page() {
    let production = || {
        Ok(Pipeline::builder(line_up())
            .guard(PagesForFailures)
            .guard(CanaryPolicy::default())
            .sink(pager()))
    };
    let mode = FailureMode::CallsFail;
    assert_eq!(gaps(only(mode, production))[0], Gap::NoSignal { mode });
    let shown = drilled(production, outage());
    assert_eq!(
        gaps(only(mode, production).drilled(&shown)),
        [Gap::NoForecast]
    );
}

#[test]
fn drills_of_other_settings_are_outdated() {
    let drills = drilled(breaker_and_canary, outage());
    let stricter = || {
        let breaker = ErrorRateBreaker::builder().threshold(Ratio::percent(4));
        Ok(Pipeline::builder(line_up())
            .guard(CanaryPolicy::default())
            .guard(breaker.build()?)
            .sink(pager()))
    };
    let now = stricter().unwrap().settings_hash();
    let found = gaps(only(FailureMode::CallsFail, stricter).drilled(&drills));
    let drilled_with = drills.settings();
    assert_eq!(
        found[0],
        Gap::DrillsOutdated {
            drilled: drilled_with,
            now
        }
    );
    let again = drilled(stricter, outage());
    let found = gaps(only(FailureMode::CallsFail, stricter).drilled(&again));
    assert_eq!(found, [Gap::NoForecast]);
}

#[test]
fn healthy_traffic_that_pages_is_a_gap() {
    let nervous = || {
        let statements = DocumentType::new("statement")?;
        let ledger = RouteLedger::builder().expect(statements, minutes(10));
        Ok(Pipeline::builder(line_up())
            .guard(ledger.build()?)
            .guard(ErrorRateBreaker::default())
            .sink(pager()))
    };
    let found = gaps(only(FailureMode::CallsFail, nervous).drilled(&drilled(nervous, outage())));
    // As long as a drill of a fault, though one hour was asked for.
    let healthy = 2 * HOUR;
    assert_eq!(
        found,
        [Gap::HealthyPages { pages: 1, healthy }, Gap::NoRolloutGuard]
    );
}

#[test]
fn a_sink_pages_only_where_somebody_says_so() {
    use fusebox::sink::{Fanout, Filter, JsonLines, Sink};
    assert!(!MemorySink::new().reaches_operator());
    assert!(!JsonLines::new(Vec::new()).reaches_operator());
    assert!(!sink::from_fn(|_| {}).reaches_operator());
    assert!(!Fanout::new().and(MemorySink::new()).reaches_operator());
    assert!(
        Fanout::new()
            .and(MemorySink::new())
            .and(pager())
            .reaches_operator()
    );
    assert!(Filter::at_least(Severity::Page, pager()).reaches_operator());
    assert!(std::sync::Arc::new(pager()).reaches_operator());
    assert!(
        sink::background("pager", 10, pager())
            .unwrap()
            .reaches_operator()
    );
    assert!(
        !sink::background("file", 10, MemorySink::new())
            .unwrap()
            .reaches_operator()
    );
    assert!(sink::pager(sink::channel(10).0).reaches_operator());
}

#[test]
fn a_rollout_needs_a_guard_a_forecast_of_its_plan_and_documents_enough() {
    let mode = FailureMode::CallsFail;
    let drills = drilled(breaker_and_canary, outage());
    let asked = || only(mode, breaker_and_canary).drilled(&drills);
    assert_eq!(gaps(asked()), [Gap::NoForecast]);
    let other = CanaryPolicy::builder()
        .stage(Ratio::percent(5), HOUR)
        .build()
        .unwrap();
    assert_eq!(
        gaps(asked().rollout(&other, &enough_traffic())),
        [Gap::OtherPlan {
            plan: "canary".into()
        }]
    );
    let few = [(DocumentType::new("invoice").unwrap(), 5.0)];
    let few = rollout::Traffic::new(few, Ratio::percent(3)).unwrap();
    let found = gaps(asked().rollout(&CanaryPolicy::default(), &few));
    let names = |gap: &Gap| matches!(gap, Gap::CannotBeJudged { why } if why.starts_with("too few documents"));
    assert!(found.iter().any(names), "{found:?}");
}

#[derive(Debug)]
struct Reviewed(Result<(), String>);

impl Clearance for Reviewed {
    fn clears(&self, _: &VersionId) -> Result<(), String> {
        self.0.clone()
    }
}

#[test]
fn a_change_of_high_stakes_needs_a_reviewed_shadow_run() {
    let mode = FailureMode::CallsFail;
    let drills = drilled(breaker_and_canary, outage());
    let v8 = || VersionId::new("v8").unwrap();
    let asked = || {
        only(mode, breaker_and_canary)
            .drilled(&drills)
            .rollout(&CanaryPolicy::default(), &enough_traffic())
    };
    assert_eq!(gaps(asked()), []);
    let found = gaps(asked().high_stakes());
    let why = "its change was declared one of high stakes".to_owned();
    assert_eq!(
        found,
        [Gap::NoShadowRun {
            candidate: v8(),
            why
        }]
    );

    let fresh = ShadowComparator::builder(v8())
        .share(Ratio::percent(10))
        .build()
        .unwrap();
    let why = "collecting: 0 of 200 documents compared".to_owned();
    assert_eq!(
        gaps(asked().high_stakes().shadow(fresh)),
        [Gap::NotCleared {
            candidate: v8(),
            why
        }]
    );
    assert_eq!(gaps(asked().high_stakes().shadow(Reviewed(Ok(())))), []);
    let unreviewed = Reviewed(Err("review required".to_owned()));
    assert_eq!(
        gaps(asked().shadow(unreviewed)).len(),
        1,
        "also where it was not needed"
    );

    let larger = Version::new("v8", "gpt-4.1").unwrap();
    let model = line_up().with_candidate(larger);
    let found = gaps(Readiness::of(breaker_and_canary, model));
    let why = "its model is gpt-4.1 instead of gpt-4o".to_owned();
    assert_eq!(
        found.last(),
        Some(&Gap::NoShadowRun {
            candidate: v8(),
            why
        })
    );
}

#[test]
fn evidence_is_read_again_from_json() {
    let drills = drilled(breaker_and_canary, outage());
    let text = serde_json::to_string(&drills).unwrap();
    let read: DetectionMatrix = serde_json::from_str(&text).unwrap();
    assert_eq!(read, drills);
    assert_eq!(read.rows()[0].mode, Some(FailureMode::CallsFail));
    assert_eq!(
        read.settings(),
        breaker_and_canary().unwrap().settings_hash()
    );
    let newer = text.replacen("\"format\":1", "\"format\":2", 1);
    assert!(serde_json::from_str::<DetectionMatrix>(&newer).is_err());
    let misspelt = text.replace("calls_fail", "calls_fial");
    let error = serde_json::from_str::<DetectionMatrix>(&misspelt).unwrap_err();
    assert!(
        error.to_string().contains("unknown variant `calls_fial`"),
        "{error}"
    );
}

#[test]
fn the_gate_opens_for_a_readiness_without_gaps() {
    let events = MemorySink::new();
    let pipeline = breaker_and_canary()
        .unwrap()
        .sink(events.clone())
        .build()
        .unwrap();
    events.take();
    pipeline.begin_rollout(&ready()).unwrap();
    assert_eq!(*pipeline.line_up(), next());
    let names: Vec<_> = events
        .take()
        .iter()
        .map(|event| event.kind.name())
        .collect();
    assert_eq!(names, ["deployed"]);
    refused(
        ready().overridden_by("anna", "to be sure"),
        "override: got `anna`, expected a rollout with gaps; this one may begin without an override",
    );
}

#[test]
fn the_gate_refuses_gaps_and_records_who_overrides_them() {
    let events = MemorySink::new();
    let pipeline = breaker_and_canary()
        .unwrap()
        .sink(events.clone())
        .build()
        .unwrap();
    events.take();
    let asked = || {
        only(FailureMode::CallsFail, breaker_and_canary)
            .check()
            .unwrap()
    };
    let gaps = [
        "calls fail: no drill has shown that a page comes; inject it in the drill set",
        "nothing says whether the rollout can be judged; state its policy and the traffic",
    ];
    let error = pipeline.begin_rollout(&asked()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert_eq!(
        error.to_string(),
        format!("rollout of v8 is not ready: {}", gaps.join("; "))
    );
    assert_eq!(*pipeline.line_up(), line_up());
    assert_eq!(events.take(), []);

    for (who, why) in [("", "hotfix"), ("anna", " "), ("anna", "two\nlines")] {
        assert!(asked().overridden_by(who, why).is_err());
    }
    let hurried = asked()
        .overridden_by("anna", "hotfix for ticket 4711")
        .unwrap();
    assert!(!hurried.is_ready());
    pipeline.begin_rollout(&hurried).unwrap();
    assert_eq!(*pipeline.line_up(), next());
    let events = events.take();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].severity, Severity::Warning);
    assert_eq!(
        events[1].kind,
        EventKind::Pipeline(PipelineEvent::RolloutForced {
            candidate: VersionId::new("v8").unwrap(),
            who: "anna".to_owned(),
            why: "hotfix for ticket 4711".to_owned(),
            gaps: gaps.map(str::to_owned).to_vec(),
        })
    );
}

#[test]
fn a_readiness_opens_no_other_pipeline() {
    let readiness = ready();
    let (of, other) = (readiness_settings(breaker_and_canary), || {
        Ok(Pipeline::builder(line_up())
            .guard(ErrorRateBreaker::default())
            .sink(pager()))
    });
    let hash = readiness_settings(other);
    refused(
        other().unwrap().build().unwrap().begin_rollout(&readiness),
        &format!(
            "readiness: got `{of}`, expected a check of this pipeline's guards and settings, \
             {hash}; check again"
        ),
    );
    let silent = Pipeline::builder(line_up())
        .guard(ErrorRateBreaker::default())
        .guard(CanaryPolicy::default());
    refused(
        silent.build().unwrap().begin_rollout(&readiness),
        "sinks of the pipeline: got `none`, expected a sink that reaches the operator, as the readiness found one",
    );
    let moved = breaker_and_canary().unwrap().build().unwrap();
    moved.deploy(LineUp::new(version("v9"))).unwrap();
    refused(
        moved.begin_rollout(&readiness),
        "production version of a readiness: got `v7`, expected v9, as it is live; check again",
    );
    let falls_back_to = |previous| LineUp::new(version("v7")).with_previous(version(previous));
    let moved = breaker_and_canary().unwrap().build().unwrap();
    moved.deploy(falls_back_to("v5")).unwrap();
    refused(
        moved.begin_rollout(&readiness),
        "previous version of a readiness: got `v6`, expected v5, as it is live; check again",
    );
    let under_way = breaker_and_canary().unwrap().build().unwrap();
    let other = line_up().with_candidate(version("v9"));
    under_way.deploy(other).unwrap();
    refused(
        under_way.begin_rollout(&readiness),
        "candidate of a readiness: got `v8`, expected v9, as it is live; check again",
    );
    assert_eq!(under_way.line_up().candidate().unwrap().id().as_str(), "v9");
}

fn readiness_settings(production: impl Fn() -> Result<Builder, Error>) -> String {
    production().unwrap().settings_hash().to_string()
}

#[test]
fn a_readiness_says_what_it_needs() {
    refused(
        Readiness::of(breaker_and_canary, line_up()).check(),
        "line-up of a rollout: got `none`, expected a candidate to roll out; add it with `.with_candidate(..)`",
    );
    let asked = || Readiness::of(breaker_and_canary, next());
    refused(
        asked().accept(FailureMode::CallsHang, " ").check(),
        "reason to accept a failure mode: got ` `, expected at least one character",
    );
    refused(
        asked()
            .known_within(FailureMode::CallsHang, Duration::ZERO)
            .check(),
        "time within which `calls hang` must be known: got `none`, expected more than no time",
    );
    assert!(
        Readiness::of(|| Err(Error::invalid("a", "b", "c")), next())
            .check()
            .is_err()
    );
}

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
