//! A candidate's call beside production's: the caller gets production's answer, and every document
//! ends in one bucket.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fusebox::call::{Comparison, Difference, ShadowResult};
use fusebox::clock::MockClock;
use fusebox::pipeline::{CallFailure, Judge, LiveEffects, ShadowCall, Task};
use fusebox::shadow::compare::{Compare, Exact, JsonFields};
use fusebox::shadow::{Bucket, ShadowComparatorBuilder, ShadowReport, ShadowVerdict};
use fusebox::{
    Call, Classify, ErrorKind, ErrorRateBreaker, FailureKind, Feedback, Field, Guard, LineUp,
    Pipeline, Ratio, Reply, Report, RouteLedger, Served, ShadowComparator, ShadowRunner, Ticket,
    TokenBudget, VersionId,
};
use futures_util::FutureExt;
use futures_util::future::poll_immediate;

use super::{builder, version};

/// A client's error.
#[derive(Clone, Debug, PartialEq)]
struct Refused;

impl Classify for Refused {
    fn failure_kind(&self) -> FailureKind {
        FailureKind::InvalidRequest
    }
}

struct Beside {
    pipeline: Pipeline,
    shadow: Arc<ShadowComparator>,
    clock: MockClock,
    runner: ShadowRunner<String>,
}

impl Beside {
    fn new(builder: ShadowComparatorBuilder) -> Self {
        Self::comparing(builder, Exact)
    }

    fn comparing(
        builder: ShadowComparatorBuilder,
        comparator: impl Compare<String> + 'static,
    ) -> Self {
        Self::with(builder, |pipeline, shadow| {
            ShadowRunner::new(pipeline, shadow, spawn, comparator).unwrap()
        })
    }

    fn with(
        builder: ShadowComparatorBuilder,
        runner: impl FnOnce(&Pipeline, &Arc<ShadowComparator>) -> ShadowRunner<String>,
    ) -> Self {
        let (shadow, clock) = (Arc::new(builder.build().unwrap()), MockClock::new());
        let pipeline = Pipeline::builder(LineUp::new(version("v7")))
            .guard(Arc::clone(&shadow))
            .clock(clock.clone())
            .build()
            .unwrap();
        let runner = runner(&pipeline, &shadow);
        Self {
            pipeline,
            shadow,
            clock,
            runner,
        }
    }

    /// A document to which production answers `12.50`.
    async fn document<CF>(
        &self,
        candidate: impl FnOnce(ShadowCall) -> CF + Clone + Send + 'static,
    ) -> Served<String, Refused>
    where
        CF: Future<Output = Result<Reply<String>, Refused>> + Send + 'static,
    {
        self.runner.run(&call(), answers, candidate).await
    }

    /// Everything that can go on has gone on.
    async fn settle(&self) -> ShadowReport {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.shadow.report()
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.pipeline.tick();
    }
}

fn spawn(task: Task) {
    tokio::spawn(task);
}

fn call() -> Call<'static> {
    Call::new("inv-1", "invoice").unwrap()
}

async fn answers(_: Ticket, _: LiveEffects<'static>) -> Result<Reply<String>, Refused> {
    Ok(Reply::new("12.50".to_owned()))
}

#[allow(clippy::unused_async, reason = "a client's call is asynchronous")]
async fn says(text: &'static str) -> Result<Reply<String>, Refused> {
    Ok(Reply::new(text.to_owned()))
}

fn panics(_: ShadowCall) -> std::future::Ready<Result<Reply<String>, Refused>> {
    panic!("a bug of the candidate")
}

struct CountsDrops(Arc<AtomicU64>);

impl Drop for CountsDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn is_only(report: &ShadowReport, bucket: Bucket) {
    for other in Bucket::ALL {
        let expected = u64::from(other == bucket);
        assert_eq!(report.total.of(other), expected, "{other}");
    }
    assert_eq!((report.offered(), report.in_flight), (1, 0));
}

fn accepted(served: &Served<String, Refused>) {
    assert!(
        matches!(served, Served::Accepted { value, .. } if value == "12.50"),
        "{served:?}"
    );
}

#[tokio::test]
async fn equal_answers_match_and_others_diverge() {
    for (candidate, bucket) in [("12.50", Bucket::Matched), ("1250", Bucket::Diverged)] {
        let beside = Beside::new(builder());
        let served = beside.document(move |_| says(candidate)).await;
        accepted(&served);
        is_only(&beside.settle().await, bucket);
    }
}

#[tokio::test]
async fn the_candidate_is_told_what_to_call_and_where_it_comes_from() {
    let beside = Beside::new(builder().experiment("total-2026"));
    let (send, told) = tokio::sync::oneshot::channel();
    let send = Arc::new(std::sync::Mutex::new(Some(send)));
    let candidate = move |call: ShadowCall| {
        send.lock().unwrap().take().unwrap().send(call).unwrap();
        says("12.50")
    };
    accepted(&beside.document(candidate).await);
    let call = told.await.unwrap();
    assert_eq!((call.version().as_str(), call.is_baseline()), ("v8", false));
    assert_eq!(call.document().as_str(), "inv-1");
    assert_eq!(call.document_type().as_str(), "invoice");
    assert_eq!(call.origin(), "fusebox-shadow/total-2026");
}

#[tokio::test]
async fn a_candidate_that_fails_or_panics_diverges_and_the_caller_sees_nothing_of_it() {
    let beside = Beside::new(builder());
    accepted(&beside.document(async |_| Err(Refused)).await);
    is_only(&beside.settle().await, Bucket::CandidateFailed);

    let beside = Beside::new(builder());
    let truncated = async |_| {
        let report = Report::new().failed(FailureKind::Truncated).usage(90, 10);
        Ok(Reply::new("12.50".to_owned()).report(report))
    };
    accepted(&beside.document(truncated).await);
    let report = beside.settle().await;
    is_only(&report, Bucket::CandidateFailed);
    assert_eq!((report.calls, report.tokens), (1, 100));

    // In the closure, before there is a future; and in the future.
    let beside = Beside::new(builder());
    accepted(&beside.document(panics).await);
    is_only(&beside.settle().await, Bucket::CandidatePanicked);
    let beside = Beside::new(builder());
    accepted(&beside.document(async |call| panics(call).await).await);
    is_only(&beside.settle().await, Bucket::CandidatePanicked);
}

#[tokio::test]
async fn a_candidate_that_hangs_costs_the_caller_no_time_and_is_stopped() {
    let beside = Beside::new(builder().timeout(Duration::from_secs(60)));
    let dropped = Arc::new(AtomicU64::new(0));
    let guard = Arc::new(CountsDrops(Arc::clone(&dropped)));
    let hangs = async move |_| {
        let _guard = guard;
        pending::<Result<Reply<String>, Refused>>().await
    };
    // Ready at once: no time has passed, real or virtual.
    let served = beside.document(hangs).now_or_never().unwrap();
    accepted(&served);
    beside.pass(Duration::from_secs(60));
    let report = beside.settle().await;
    assert_eq!((report.in_flight, report.total.timed_out), (1, 0));
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    beside.pass(Duration::from_millis(1));
    is_only(&beside.settle().await, Bucket::TimedOut);
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "its call is dropped");
}

#[tokio::test]
async fn an_answer_after_the_timeout_is_none_even_between_two_ticks() {
    let beside = Beside::new(builder().timeout(Duration::from_secs(60)));
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let receive = receive.shared();
    let late = async move |_| {
        receive.await.unwrap();
        says("12.50").await
    };
    accepted(&beside.document(late).await);
    beside.settle().await;
    beside.clock.advance(Duration::from_secs(61));
    send.send(()).unwrap();
    is_only(&beside.settle().await, Bucket::TimedOut);
}

#[tokio::test]
async fn a_slow_production_is_waited_for_however_long_it_takes() {
    let beside = Beside::new(builder().timeout(Duration::from_secs(60)));
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let call = call();
    let served = beside.runner.run(
        &call,
        async |_, _| {
            receive.await.unwrap();
            Ok::<_, Refused>(Reply::new("12.50".to_owned()))
        },
        |_| says("12.50"),
    );
    let mut served = Box::pin(served);
    assert!(poll_immediate(&mut served).await.is_none());
    beside.settle().await;
    beside.pass(Duration::from_secs(600));
    let report = beside.settle().await;
    assert_eq!((report.in_flight, report.total.ended()), (1, 0));
    send.send(()).unwrap();
    accepted(&served.await);
    is_only(&beside.settle().await, Bucket::Matched);
}

#[tokio::test]
async fn if_production_fails_the_callers_error_is_untouched_and_the_candidate_is_dropped() {
    let beside = Beside::new(builder());
    let call = call();
    let served = beside
        .runner
        .run(
            &call,
            async |_, _| Err(Refused),
            async |_| pending::<Result<Reply<String>, Refused>>().await,
        )
        .await;
    assert!(
        matches!(
            &served,
            Served::Failed {
                failure: CallFailure::Client(Refused),
                ..
            }
        ),
        "{served:?}"
    );
    is_only(&beside.settle().await, Bucket::ProductionFailed);
    // Nor does it count against the candidate when that fails too, or answers first.
    for candidate_fails in [true, false] {
        let beside = Beside::new(builder());
        let call = Call::new("inv-1", "invoice").unwrap();
        let served = beside.runner.run(
            &call,
            async |_, _| {
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                Err(Refused)
            },
            async move |_| {
                if candidate_fails {
                    Err(Refused)
                } else {
                    says("12.50").await
                }
            },
        );
        assert!(matches!(served.await, Served::Failed { .. }));
        is_only(&beside.settle().await, Bucket::ProductionFailed);
    }
}

#[tokio::test]
async fn an_answer_that_is_a_failure_is_no_answer_to_compare_with() {
    let beside = Beside::new(builder());
    let call = call();
    let served = beside.runner.run(
        &call,
        async |_, _| {
            let report = Report::new().failed(FailureKind::Truncated);
            Ok::<_, Refused>(Reply::new("12.5".to_owned()).report(report))
        },
        |_| says("12.50"),
    );
    assert!(matches!(
        served.await,
        Served::Failed {
            failure: CallFailure::Answer(_),
            ..
        }
    ));
    is_only(&beside.settle().await, Bucket::ProductionFailed);
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_both() {
    let beside = Beside::new(builder());
    let call = call();
    let served = beside.runner.run(
        &call,
        async |_, _| pending::<Result<Reply<String>, Refused>>().await,
        async |_| pending::<Result<Reply<String>, Refused>>().await,
    );
    let mut served = Box::pin(served);
    assert!(poll_immediate(&mut served).await.is_none());
    assert_eq!(beside.settle().await.in_flight, 1);
    drop(served);
    is_only(&beside.settle().await, Bucket::Cancelled);
}

#[tokio::test]
async fn a_runtime_that_drops_the_task_cancels_the_document() {
    let beside = Beside::with(builder(), |pipeline, shadow| {
        ShadowRunner::new(pipeline, shadow, |task: Task| drop(task), Exact).unwrap()
    });
    accepted(&beside.document(|_| says("12.50")).await);
    is_only(&beside.settle().await, Bucket::Cancelled);
}

#[tokio::test]
async fn a_document_outside_the_share_is_counted_and_not_run() {
    let beside = Beside::new(builder().share(Ratio::ZERO));
    let never = |_: ShadowCall| -> std::future::Ready<Result<Reply<String>, Refused>> {
        unreachable!("it is not in the share")
    };
    accepted(&beside.document(never).await);
    is_only(&beside.settle().await, Bucket::NotSampled);
}

#[tokio::test]
async fn above_the_limit_in_flight_documents_are_shed_and_above_the_spend_limit_withheld() {
    let beside = Beside::new(builder().in_flight(2).max_calls(3));
    let hangs = async |_| pending::<Result<Reply<String>, Refused>>().await;
    for _ in 0..3 {
        accepted(&beside.document(hangs).await);
    }
    let report = beside.settle().await;
    assert_eq!((report.in_flight, report.total.shed), (2, 1));
    beside.pass(Duration::from_secs(121));
    accepted(&beside.document(|_| says("12.50")).await);
    accepted(&beside.document(|_| says("12.50")).await);
    let report = beside.settle().await;
    assert_eq!((report.total.timed_out, report.total.matched), (2, 1));
    assert_eq!((report.total.withheld, report.calls), (1, 3));
    assert_eq!(report.offered(), 5);
    assert_eq!(
        report.verdict.to_string(),
        "blind: it has spent its limit with 3 of 200 documents compared"
    );
}

#[tokio::test]
async fn tokens_that_were_spent_withhold_the_next_document() {
    let beside = Beside::new(builder().max_tokens(1_000));
    let answers = |output: u64| {
        async move |_| {
            let report = Report::new().usage(900, output);
            Ok::<_, Refused>(Reply::new("12.50".to_owned()).report(report))
        }
    };
    for (output, withheld) in [(99, 0), (1, 0), (1, 1)] {
        accepted(&beside.document(answers(output)).await);
        // 999 tokens are below the limit, 1,900 are not.
        assert_eq!(beside.settle().await.total.withheld, withheld);
    }
}

#[tokio::test]
async fn a_result_that_is_reported_twice_is_paid_once() {
    let beside = Beside::new(builder().baseline_share(Ratio::ONE));
    let reported = async |_| {
        let report = Report::new().usage(90, 10);
        Ok::<_, Refused>(Reply::new("12.50".to_owned()).report(report))
    };
    let served = beside.document(reported).await;
    assert_eq!(beside.settle().await.tokens, 200);
    let candidate = || VersionId::new("v8").unwrap();
    for result in [
        ShadowResult::new(candidate(), Comparison::Match),
        ShadowResult::of_baseline(candidate(), Comparison::Match),
    ] {
        let again = Feedback::Compared(result.with_tokens(1_000));
        beside.pipeline.observe(served.ticket(), again);
    }
    assert_eq!(beside.settle().await.tokens, 200);
}

#[tokio::test]
async fn a_comparator_that_panics_is_a_divergence_of_its_own_kind() {
    let panics = |_: &String, _: &String| -> Comparison { panic!("a bug of the comparator") };
    let beside = Beside::comparing(builder(), panics);
    accepted(&beside.document(|_| says("12.50")).await);
    let report = beside.settle().await;
    is_only(&report, Bucket::ComparatorPanicked);
    assert_eq!(report.divergences.len(), 1);
}

/// Finds that `total` differs, if the answers do.
fn total(production: &String, candidate: &String) -> Comparison {
    if production == candidate {
        return Comparison::Match;
    }
    let total = Difference::changed(Field::new("/total").unwrap());
    Comparison::Diverged(vec![total.between(production, candidate)])
}

#[tokio::test]
async fn the_report_has_redacted_texts_and_none_where_the_redactor_panics() {
    let beside = Beside::with(builder(), |pipeline, shadow| {
        let runner = ShadowRunner::new(pipeline, shadow, spawn, total).unwrap();
        runner.redacting(|field, text| {
            assert_eq!(field.as_str(), "/total");
            assert_ne!(text, "4111 1111", "a bug of the redactor");
            format!("{} digits", text.len())
        })
    });
    accepted(&beside.document(|_| says("4111 1111")).await);
    let report = beside.settle().await;
    is_only(&report, Bucket::Diverged);
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("5 digits"), "{text}");
    assert!(text.contains("(withheld: the redactor panicked)"), "{text}");
    assert!(!text.contains("12.50") && !text.contains("4111"), "{text}");
}

struct Model;

#[async_trait::async_trait]
impl Judge<String> for Model {
    async fn judge(&self, production: &String, candidate: &String) -> Comparison {
        tokio::task::yield_now().await;
        match candidate.as_str() {
            "hangs" => pending().await,
            "panics" => panic!("a bug of the judge"),
            "unclear" => Comparison::NotComparable("the model gave no verdict".to_owned()),
            _ => total(production, candidate),
        }
    }
}

#[tokio::test]
async fn a_judge_that_takes_time_decides_or_says_that_it_could_not() {
    for (candidate, bucket) in [
        ("12.50", Bucket::Matched),
        ("1250", Bucket::Diverged),
        ("unclear", Bucket::NotComparable),
        ("panics", Bucket::ComparatorPanicked),
        ("hangs", Bucket::NotComparable),
    ] {
        let beside = Beside::with(builder(), |pipeline, shadow| {
            ShadowRunner::judged_by(pipeline, shadow, spawn, Model).unwrap()
        });
        accepted(&beside.document(move |_| says(candidate)).await);
        beside.settle().await;
        beside.pass(Duration::from_secs(121));
        is_only(&beside.settle().await, bucket);
    }
}

#[tokio::test]
async fn production_runs_a_second_time_on_a_share_of_the_documents_to_measure_its_noise() {
    let beside = Beside::new(builder().baseline_share(Ratio::ONE));
    let candidate = async |call: ShadowCall| {
        assert_eq!(call.is_baseline(), call.version().as_str() == "v7");
        says(if call.is_baseline() { "12.5" } else { "12.50" }).await
    };
    accepted(&beside.document(candidate).await);
    let report = beside.settle().await;
    is_only(&report, Bucket::Matched);
    assert_eq!(report.calls, 2);
    let noise = report.baseline.unwrap();
    assert_eq!((noise.compared, noise.diverging, noise.lost), (1, 1, 0));
    assert_eq!((noise.only_baseline, noise.paired()), (1, 1));

    let beside = Beside::new(builder());
    accepted(&beside.document(|_| says("12.50")).await);
    assert_eq!(
        beside.settle().await.baseline,
        None,
        "not measured is not 0 %"
    );
}

#[tokio::test]
async fn no_guard_of_the_pipeline_sees_the_candidates_call() {
    let shadow = Arc::new(builder().build().unwrap());
    let (breaker, ledger) = (
        Arc::new(ErrorRateBreaker::default()),
        Arc::new(RouteLedger::default()),
    );
    let pipeline = Pipeline::builder(LineUp::new(version("v7").with_system_prompt_tokens(10)))
        .guard(Arc::clone(&shadow))
        .guard(Arc::clone(&breaker))
        .guard(Arc::clone(&ledger))
        .guard(TokenBudget::builder().build().unwrap())
        .clock(MockClock::new())
        .build()
        .unwrap();
    let runner = ShadowRunner::<String>::new(&pipeline, &shadow, spawn, Exact).unwrap();
    for n in 0..100 {
        let call = Call::new(format!("inv-{n}"), "invoice")
            .unwrap()
            .with_document_tokens(100);
        let served = runner.run(&call, answers, async |_| Err(Refused)).await;
        accepted(&served);
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(shadow.report().total.candidate_failed, 100);
    let (v7, v8) = (VersionId::new("v7").unwrap(), VersionId::new("v8").unwrap());
    let counts = breaker.counts(&v7);
    assert_eq!((counts.calls, counts.errors), (100, 0));
    assert_eq!(breaker.counts(&v8).calls, 0);
    assert_eq!(ledger.report().total().total(), 100);
}

#[tokio::test]
async fn a_comparator_for_one_type_does_not_run_on_others() {
    let shadow = Arc::new(builder().build().unwrap());
    let contract = fusebox::DocumentType::new("contract").unwrap();
    let pipeline = Pipeline::builder(LineUp::new(version("v7")))
        .guard(Arc::clone(&shadow).only_for(contract))
        .build()
        .unwrap();
    let runner = ShadowRunner::<String>::new(&pipeline, &shadow, spawn, Exact).unwrap();
    for document_type in ["invoice", "contract"] {
        let call = Call::new("a", document_type).unwrap();
        accepted(&runner.run(&call, answers, |_| says("12.50")).await);
    }
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        (shadow.report().offered(), shadow.report().total.matched),
        (1, 1)
    );
}

#[test]
fn a_runner_needs_a_comparator_that_its_pipeline_holds() {
    let shadow = Arc::new(builder().build().unwrap());
    let pipeline = Pipeline::builder(LineUp::new(version("v7"))).guard(RouteLedger::default());
    let pipeline = pipeline.build().unwrap();
    let error = ShadowRunner::<String>::new(&pipeline, &shadow, spawn, Exact).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "shadow comparator: got `v8`, expected a comparator that the pipeline holds as a guard"
    );
}

#[test]
fn a_runner_compares_by_the_rules_by_which_corrections_are_judged() {
    #[derive(Clone, serde::Serialize)]
    struct Invoice;
    let rules = |path| JsonFields::builder().critical([path]).build().unwrap();
    let longer = JsonFields::builder().critical(["/total"]).longest_value(9);
    let longer = longer.build().unwrap();
    let judged = builder()
        .fields(rules("/total"))
        .judged_by_corrections([7; 16]);
    let refused = |builder: &ShadowComparatorBuilder, fields: JsonFields| {
        let shadow = Arc::new(builder.clone().build().unwrap());
        let pipeline = Pipeline::builder(LineUp::new(version("v7"))).guard(Arc::clone(&shadow));
        let pipeline = pipeline.build().unwrap();
        let of_texts = ShadowRunner::<String>::new(&pipeline, &shadow, spawn, fields.clone());
        let values = Arc::new(fields.clone());
        let of_values = ShadowRunner::<serde_json::Value>::new(&pipeline, &shadow, spawn, values);
        let types = fields.serialised();
        let of_types = ShadowRunner::<Invoice>::new(&pipeline, &shadow, spawn, types);
        let errors = [of_texts.err(), of_values.err(), of_types.err()];
        errors.map(|error| error.map(|error| error.to_string()))
    };
    let error = "shadow runner's rules: got `others`, expected the `fields` of the comparator, by \
                 which corrections are judged";
    assert_eq!(
        refused(&judged, rules("/net")),
        [(); 3].map(|()| Some(error.to_owned()))
    );
    assert_eq!(refused(&judged, rules("/total")), [None, None, None]);
    assert_eq!(refused(&judged, longer), [None, None, None]);
    let unjudged = builder().fields(rules("/total"));
    assert_eq!(refused(&unjudged, rules("/net")), [None, None, None]);
}

#[tokio::test]
async fn effects_are_for_answers_that_were_accepted() {
    let beside = Beside::new(builder());
    let served = beside.document(|_| says("12.50")).await;
    assert!(served.live_effects().is_some());
    let permit = beside.pipeline.admit(&call()).permit().unwrap();
    let _ = permit.live_effects();
    let failed = permit.answer(Report::new().failed(FailureKind::Truncated));
    assert!(failed.live_effects().is_none());
    let failed: Served<String, Refused> = Served::Failed {
        ticket: failed.ticket().clone(),
        kind: FailureKind::Truncated,
        failure: CallFailure::Deadline,
    };
    assert!(failed.live_effects().is_none());
}

#[tokio::test]
async fn the_run_reaches_its_verdict_beside_production() {
    let beside = Beside::new(builder().documents(20, 50));
    for n in 0..50 {
        let candidate = move |_: ShadowCall| says(if n % 10 == 0 { "1250" } else { "12.50" });
        accepted(&beside.document(candidate).await);
        beside.settle().await;
    }
    assert_eq!(beside.shadow.verdict(), ShadowVerdict::ReviewRequired);
    let never = |_: ShadowCall| -> std::future::Ready<Result<Reply<String>, Refused>> {
        unreachable!("the run is over")
    };
    accepted(&beside.document(never).await);
    assert_eq!(beside.settle().await.offered(), 50);
}
