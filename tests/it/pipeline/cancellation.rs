//! However a call ends, the ledger knows it: cancelled, timed out, panicked, dropped at any point.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use fusebox::event::BreakerEvent;
use fusebox::ledger::Ends;
use fusebox::pipeline::{Builder, CallFailure};
use fusebox::{
    Classify, ErrorRateBreaker, EventKind, FailureKind, Pipeline, Reply, Report, RouteLedger,
    Served,
};

use super::pause;
use crate::support::{Bench, call, line_up};

#[derive(Debug, PartialEq)]
struct ClientError;

impl Classify for ClientError {
    fn failure_kind(&self) -> FailureKind {
        FailureKind::Timeout
    }
}

fn guarded() -> (Bench, Arc<RouteLedger>) {
    Bench::and_guard(RouteLedger::default())
}

fn guarded_with(breaker: Arc<ErrorRateBreaker>) -> (Bench, Arc<RouteLedger>) {
    let ledger = Arc::new(RouteLedger::default());
    let add = |builder: Builder| builder.guard(breaker).guard(Arc::clone(&ledger));
    (Bench::with(line_up(), add), ledger)
}

async fn guarded_call(pipeline: &Pipeline, pauses: usize) -> Served<&'static str, ClientError> {
    pipeline
        .run(&call("inv-1", "invoice"), |_ticket| async move {
            pause(pauses).await;
            Ok(Reply::new("12.50").report(Report::new().confidence("total", 0.9)))
        })
        .await
}

#[test]
fn dropped_at_every_await_point_it_is_abandoned() {
    const PAUSES: usize = 5;
    for polls in 0..=PAUSES + 1 {
        let (bench, ledger) = guarded();
        {
            let mut future = pin!(guarded_call(&bench.pipeline, PAUSES));
            for _ in 0..polls {
                let _ = future
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
            }
        }
        let mut expected = Ends::default();
        match polls {
            0 => {}
            1..=PAUSES => expected.abandoned = 1,
            _ => expected.accepted = 1,
        }
        assert_eq!(ledger.report().total(), expected, "after {polls} polls");
        assert_eq!(ledger.report().open(), 0, "after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_it_leaves_abandoned() {
    let (bench, ledger) = guarded();
    let call = call("inv-1", "invoice");
    let never = bench.pipeline.run(&call, |_ticket| async {
        std::future::pending::<()>().await;
        Ok::<_, ClientError>(Reply::new(()))
    });
    assert!(
        tokio::time::timeout(Duration::from_secs(30), never)
            .await
            .is_err()
    );
    assert_eq!(
        (ledger.report().total().abandoned, ledger.report().open()),
        (1, 0)
    );
}

#[tokio::test]
async fn a_call_past_its_deadline_has_failed_with_a_timeout() {
    let breaker = Arc::new(ErrorRateBreaker::default());
    let (bench, ledger) = guarded_with(Arc::clone(&breaker));
    let call = call("inv-1", "invoice");
    for _ in 0..5 {
        let late = bench.pipeline.run_until(&call, pause(5), async |_ticket| {
            pause(6).await;
            Ok::<_, ClientError>(Reply::new(()))
        });
        match late.await {
            Served::Failed {
                ticket,
                kind: FailureKind::Timeout,
                failure: CallFailure::Deadline,
            } => assert_eq!(*ticket.document(), "inv-1"),
            other => panic!("{other:?}"),
        }
    }
    let ends = ledger.report();
    assert_eq!((ends.total().failed, ends.total().abandoned), (5, 0));
    assert_eq!(ends.open(), 0);
    let event = bench.pages();
    let [EventKind::Breaker(BreakerEvent::ErrorRateExceeded { kinds, .. })] = event.as_slice()
    else {
        panic!("{event:?}");
    };
    assert_eq!(kinds[&FailureKind::Timeout], 5);
}

#[tokio::test]
async fn an_answer_within_the_deadline_is_an_answer() {
    let (bench, ledger) = guarded();
    let call = call("inv-1", "invoice");
    // The deadline is asked once more than the client: before the call.
    for pauses in [0, 4, 5] {
        let in_time = bench.pipeline.run_until(&call, pause(6), async |_ticket| {
            pause(pauses).await;
            Ok::<_, ClientError>(Reply::new(()))
        });
        let served = in_time.await;
        assert!(matches!(served, Served::Accepted { .. }), "{pauses}");
    }
    assert_eq!(ledger.report().total().accepted, 3);
}

#[test]
fn a_call_with_a_deadline_that_is_dropped_is_abandoned() {
    let (bench, ledger) = guarded();
    let call = call("inv-1", "invoice");
    let never = std::future::pending::<()>();
    let mut run = Box::pin(bench.pipeline.run_until(&call, never, async |_ticket| {
        pause(5).await;
        Ok::<_, ClientError>(Reply::new(()))
    }));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    drop(run);
    assert_eq!(ledger.report().total().abandoned, 1);
}

#[tokio::test]
async fn a_panic_in_the_closure_and_in_its_future_leaves_abandoned() {
    let (bench, ledger) = guarded();
    for early in [true, false] {
        let pipeline = bench.pipeline.clone();
        let task = tokio::spawn(async move {
            let call = call("inv-1", "invoice");
            let run = pipeline.run(&call, |_ticket| {
                assert!(!early, "the closure panics");
                async {
                    pause(1).await;
                    assert!(early, "the client panics");
                    Ok::<_, ClientError>(Reply::new(()))
                }
            });
            drop(run.await);
        });
        assert!(task.await.unwrap_err().is_panic());
    }
    assert_eq!(
        (ledger.report().total().abandoned, ledger.report().open()),
        (2, 0)
    );
}

fn client_error<E: std::fmt::Debug>(served: Served<(), E>) -> (E, FailureKind) {
    match served {
        Served::Failed {
            ticket,
            kind,
            failure: CallFailure::Client(error),
        } => {
            assert_eq!(*ticket.document(), "inv-1");
            (error, kind)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_error_of_the_client_passes_through_and_is_recorded() {
    let (bench, ledger) = guarded();
    let call = call("inv-1", "invoice");
    let own = bench
        .pipeline
        .run(&call, |_ticket| async { Err::<Reply<()>, _>(ClientError) });
    assert_eq!(client_error(own.await), (ClientError, FailureKind::Timeout));
    let classify = |_: &std::fmt::Error| FailureKind::Transport;
    let foreign = bench.pipeline.run_with(&call, classify, |_ticket| async {
        Err::<Reply<()>, _>(std::fmt::Error)
    });
    let transport = FailureKind::Transport;
    assert_eq!(client_error(foreign.await), (std::fmt::Error, transport));
    assert_eq!(ledger.report().total().failed, 2);
}

#[tokio::test]
async fn it_takes_borrowing_plain_and_async_closures_and_is_send() {
    let (bench, ledger) = guarded();
    let text = String::from("Total: 12.50");
    let call = call("inv-1", "invoice");
    let borrowed = bench.pipeline.run(&call, |_ticket| async {
        Ok::<_, ClientError>(Reply::new(text.len()))
    });
    assert!(matches!(borrowed.await, Served::Accepted { value: 12, .. }));
    let asynchronous = bench.pipeline.run(&call, async |_ticket| {
        Ok::<_, ClientError>(Reply::new(text.len()))
    });
    assert!(matches!(asynchronous.await, Served::Accepted { .. }));
    let pipeline = bench.pipeline.clone();
    let spawned = tokio::spawn(async move {
        pipeline
            .run(&call, |_ticket| async move {
                Ok::<_, ClientError>(Reply::new(text))
            })
            .await
    });
    assert!(matches!(spawned.await.unwrap(), Served::Accepted { .. }));
    assert_eq!(ledger.report().total().accepted, 3);
}

#[test]
fn a_permit_dropped_while_panicking_is_abandoned() {
    let (bench, ledger) = guarded();
    let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _permit = bench.permit("invoice");
        panic!("between admit and answer");
    }));
    assert!(panicked.is_err());
    assert_eq!(ledger.report().total().abandoned, 1);
}

#[test]
fn a_permit_can_end_on_another_thread() {
    let (bench, ledger) = guarded();
    let permit = bench.permit("invoice");
    std::thread::spawn(move || drop(permit)).join().unwrap();
    assert_eq!(ledger.report().total().abandoned, 1);
}
