//! A deadline works with every error type, and whoever gets an error gets the ticket. What is
//! admitted after its deadline is not called.

use std::future::{Future, poll_fn, ready};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fusebox::breaker::{BreakerState, Probing};
use fusebox::clock::{Clock, MockClock};
use fusebox::failure::ApiError;
use fusebox::guard::{Cx, Verdict};
use fusebox::pipeline::CallFailure;
use fusebox::{
    Call, CanaryPolicy, Destination, Diversion, ErrorRateBreaker, FailureKind, Guard, Reason,
    Reply, Role, RouteLedger, Served, Severity, Timestamp, Version,
};

use super::pause;
use crate::support::{Bench, EVENING, call, line_up, minutes, version};

fn bench() -> Bench {
    Bench::with_guard(ErrorRateBreaker::default())
}

/// The document of a failed call, how it failed, and what of the client's error was kept.
fn failed<T, E: std::fmt::Debug>(served: Served<T, E>) -> (String, FailureKind, Option<E>) {
    let Served::Failed {
        ticket,
        kind,
        failure,
    } = served
    else {
        panic!("the call failed");
    };
    let error = match failure {
        CallFailure::Client(error) => Some(error),
        CallFailure::Deadline => None,
        CallFailure::Answer(_) => panic!("there was no answer"),
    };
    (ticket.document().to_string(), kind, error)
}

#[tokio::test]
async fn an_api_error_and_a_deadline() {
    let bench = bench();
    let call = call("inv-1", "invoice");
    let never = std::future::pending::<()>();
    let served = bench.pipeline.run_until(&call, never, async |_ticket| {
        Err::<Reply<()>, _>(ApiError::from_response(503, b"{}"))
    });
    let (document, kind, error) = failed(served.await);
    assert_eq!(
        (document.as_str(), kind),
        ("inv-1", FailureKind::Overloaded)
    );
    assert!(error.is_some());
    let served = bench.pipeline.run_until(&call, pause(1), async |_ticket| {
        std::future::pending::<Result<Reply<()>, ApiError>>().await
    });
    let (document, kind, error) = failed(served.await);
    assert_eq!((document.as_str(), kind), ("inv-1", FailureKind::Timeout));
    assert!(error.is_none());
}

#[tokio::test]
async fn an_error_type_of_somebody_else_and_a_deadline() {
    let bench = bench();
    let call = call("inv-1", "invoice");
    let never = std::future::pending::<()>();
    let classify = |_: &std::fmt::Error| FailureKind::Transport;
    let served = bench
        .pipeline
        .run_until_with(&call, never, classify, async |_ticket| {
            Err::<Reply<()>, _>(std::fmt::Error)
        });
    let (document, kind, error) = failed(served.await);
    assert_eq!((document.as_str(), kind), ("inv-1", FailureKind::Transport));
    assert_eq!(error, Some(std::fmt::Error));
    let served = bench
        .pipeline
        .run_until_with(&call, pause(1), classify, async |_ticket| {
            std::future::pending::<Result<Reply<()>, std::fmt::Error>>().await
        });
    assert_eq!(failed(served.await).1, FailureKind::Timeout);
}

#[cfg(feature = "async-openai")]
#[tokio::test]
async fn an_error_of_async_openai_and_a_deadline() {
    use async_openai::error::OpenAIError;

    let bench = bench();
    let call = call("inv-1", "invoice");
    let never = std::future::pending::<()>();
    let served = bench.pipeline.run_until(&call, never, async |_ticket| {
        Err::<Reply<()>, _>(OpenAIError::InvalidArgument("n".into()))
    });
    let (document, kind, error) = failed(served.await);
    assert_eq!(
        (document.as_str(), kind),
        ("inv-1", FailureKind::InvalidRequest)
    );
    assert!(matches!(error, Some(OpenAIError::InvalidArgument(_))));
    let served = bench.pipeline.run_until(&call, pause(1), async |_ticket| {
        std::future::pending::<Result<Reply<()>, OpenAIError>>().await
    });
    assert_eq!(failed(served.await).1, FailureKind::Timeout);
}

/// An answer that is a failure comes back as it came, with the ticket.
#[tokio::test]
async fn an_answer_that_was_cut_is_a_failure_with_its_answer() {
    let bench = bench();
    let call = call("inv-1", "invoice");
    let report = fusebox::Report::new().finish_reason("length");
    let served = bench.pipeline.run(&call, async |_ticket| {
        Ok::<_, ApiError>(Reply::new("12.").report(report))
    });
    let Served::Failed {
        kind: FailureKind::Truncated,
        failure: CallFailure::Answer("12."),
        ticket,
    } = served.await
    else {
        panic!("the answer was cut");
    };
    assert_eq!(*ticket.document(), "inv-1");
}

/// A guard that takes a minute for each call.
#[derive(Debug)]
struct Slow(MockClock);

impl Guard for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn check(&self, _: &Call<'_>, _: &Version, _: &Cx<'_>) -> Verdict {
        self.0.advance(minutes(1));
        Verdict::Proceed
    }
}

/// Ready once the clock has reached `at`.
async fn until(clock: &MockClock, at: Timestamp) {
    poll_fn(|_| {
        if clock.now() >= at {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// A call with this deadline; whether the client was called.
async fn called(
    bench: &Bench,
    document: &str,
    deadline: impl Future<Output = ()>,
) -> (bool, Served<(), ApiError>) {
    let (call, mut is_called) = (call(document, "invoice"), false);
    let served = bench.pipeline.run_until(&call, deadline, async |_ticket| {
        is_called = true;
        Ok(Reply::new(()))
    });
    let served = served.await;
    (is_called, served)
}

fn diverted<T: std::fmt::Debug, E: std::fmt::Debug>(served: Served<T, E>) -> Diversion {
    match served {
        Served::Diverted(diversion) => diversion,
        other => panic!("{other:?}"),
    }
}

/// A pipeline whose admissions take a minute of this clock.
fn slow_bench() -> (Bench, MockClock, Arc<ErrorRateBreaker>, Arc<RouteLedger>) {
    let clock = MockClock::at(EVENING);
    let breaker = Arc::new(ErrorRateBreaker::default());
    let ledger = RouteLedger::builder().review_within(minutes(60));
    let ledger = Arc::new(ledger.build().unwrap());
    let bench = Bench::with(line_up(), |builder| {
        builder
            .guard(Slow(clock.clone()))
            .guard(Arc::clone(&breaker))
            .guard(Arc::clone(&ledger))
            .clock(clock.clone())
    });
    (bench, clock, breaker, ledger)
}

#[tokio::test]
async fn a_call_admitted_after_its_deadline_is_not_made_and_its_document_goes_to_review() {
    let (bench, clock, breaker, ledger) = slow_bench();
    for n in 1..=10 {
        let deadline = until(&clock, clock.now() + minutes(1));
        let (is_called, served) = called(&bench, &format!("inv-{n}"), deadline).await;
        assert!(!is_called);
        let diversion = diverted(served);
        assert_eq!(*diversion.destination(), Destination::HumanReview);
        assert_eq!(*diversion.reasons(), [Reason::DeadlinePassed].into());
        assert_eq!(
            diversion.to_string(),
            format!("inv-{n} goes to human review: the deadline passed before the call was made")
        );
    }
    let counts = breaker.counts("v7");
    assert_eq!((counts.errors, counts.calls, counts.late), (0, 0, 0));
    let report = ledger.report();
    assert_eq!((report.total().diverted, report.total().total()), (10, 10));
    assert_eq!((report.open(), report.awaiting_review()), (0, 10));
    let events = bench.events();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["diverted"; 10]);
    assert!(
        events
            .iter()
            .all(|event| event.severity == Severity::Warning)
    );
}

#[tokio::test]
async fn a_call_admitted_just_before_its_deadline_is_made() {
    let (bench, clock, breaker, ledger) = slow_bench();
    let deadline = EVENING + minutes(1) + Duration::from_millis(1);
    let (is_called, served) = called(&bench, "inv-1", until(&clock, deadline)).await;
    assert!(is_called && matches!(served, Served::Accepted { .. }));
    assert_eq!(breaker.counts("v7").calls, 1);
    assert_eq!(ledger.report().total().accepted, 1);
}

#[tokio::test]
async fn a_call_that_was_not_made_does_not_count_in_a_rollout() {
    let canary = Arc::new(CanaryPolicy::default());
    let line_up = line_up().with_candidate(version("v8"));
    let bench = Bench::with(line_up, |builder| builder.guard(Arc::clone(&canary)));
    bench.answer(100);
    let before = canary.status();
    let mut candidates = 0;
    for n in 0..200 {
        let (_, served) = called(&bench, &format!("late-{n}"), ready(())).await;
        let ticket = diverted(served).into_ticket();
        assert_eq!(ticket.stage(), None);
        candidates += usize::from(ticket.role() == Role::Candidate);
    }
    assert!(candidates > 0, "some would have gone to the candidate");
    assert_eq!(canary.status(), before);
}

#[tokio::test]
async fn a_probe_that_was_not_made_makes_room_for_another() {
    let breaker = ErrorRateBreaker::builder().recovery(Probing::after(minutes(1)));
    let breaker = Arc::new(breaker.build().unwrap());
    let bench = Bench::with_guard(Arc::clone(&breaker));
    bench.fail(5);
    assert_eq!(bench.serving(), "v6");
    bench.tick_after(minutes(60));
    for n in 0..20 {
        let (_, served) = called(&bench, &format!("late-{n}"), ready(())).await;
        assert_eq!(*diverted(served).ticket().version(), "v7", "a probe");
    }
    bench.answer(20);
    assert_eq!(breaker.state("v7"), BreakerState::Closed);
}

/// Large texts are counted on the blocking pool, while the deadline goes on.
#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_call_counted_elsewhere_until_after_its_deadline_is_not_made() {
    let (bench, clock, _, ledger) = slow_bench();
    let text = "12.50 ".repeat(20_000);
    let call = Call::new("inv-1", "invoice").unwrap();
    let call = call.with_document(text.as_str());
    let deadline = until(&clock, EVENING + minutes(1));
    let served = bench.pipeline.run_until(&call, deadline, async |_ticket| {
        panic!("the client is called");
        #[allow(unreachable_code)]
        Ok::<Reply<()>, ApiError>(Reply::new(()))
    });
    let diversion = diverted(served.await);
    assert_eq!(*diversion.reasons(), [Reason::DeadlinePassed].into());
    assert_eq!(ledger.report().total().diverted, 1);
}
