//! A deadline works with every error type, and whoever gets an error gets the ticket.

use fusebox::failure::ApiError;
use fusebox::pipeline::CallFailure;
use fusebox::{ErrorRateBreaker, FailureKind, Reply, Served};

use crate::support::{Bench, call};

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
    let at_once = std::future::ready(());
    let served = bench.pipeline.run_until(&call, at_once, async |_ticket| {
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
    let at_once = std::future::ready(());
    let served = bench
        .pipeline
        .run_until_with(&call, at_once, classify, async |_ticket| {
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
    let at_once = std::future::ready(());
    let served = bench.pipeline.run_until(&call, at_once, async |_ticket| {
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
