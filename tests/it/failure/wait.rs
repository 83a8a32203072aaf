//! How long an API asks to wait, and that the breaker waits so long.

use std::time::Duration;

use fusebox::breaker::Probing;
use fusebox::failure::ApiError;
use fusebox::{Classify, ErrorRateBreaker, FailureKind, Report};

use crate::support::{Bench, EVENING, minutes, seconds, v7};

/// Messages of OpenAI, Groq, Gemini, Azure and `LiteLLM`, and milliseconds computed by hand: a
/// minute is 60,000 and an hour is 3,600,000.
#[test]
fn a_wait_in_a_message() {
    for (message, expected) in [
        ("Please try again in 644ms.", Some(644)),
        ("Please try again in 20s.", Some(20_000)),
        (
            "Please try again in 5.621s. Visit https://platform.openai.com",
            Some(5_621),
        ),
        ("Please try again in 1m12.5s.", Some(72_500)),
        ("Please try again in 2m3s.", Some(123_000)),
        ("Please try again in 6m0s.", Some(360_000)),
        ("Please try again in 1h2m3s.", Some(3_723_000)),
        (
            "Please try again in 1h28m. Need more tokens?",
            Some(5_280_000),
        ),
        (
            "Please try again in 6m38.304s. Need more tokens?",
            Some(398_304),
        ),
        ("Please retry in 23.5s.", Some(23_500)),
        ("Please retry after 60 seconds.", Some(60_000)),
        ("Please retry after 1 second", Some(1_000)),
        ("Please retry after 1 day. To increase", Some(86_400_000)),
        ("Please try again in 6 seconds.", Some(6_000)),
        ("Please try again in 6 minutes.", Some(360_000)),
        ("Please try again in 1 minute 30 seconds.", Some(90_000)),
        ("Try again in 2 hours", Some(7_200_000)),
        (
            "No deployments available for selected model, Try again in 5 seconds. Passed model=m.",
            Some(5_000),
        ),
        ("Retry after 7.", Some(7_000)),
        ("Retry after 7", Some(7_000)),
        ("Please try again in a while.", None),
        ("Please try again in 3 weeks.", None),
        ("Please try again in 1m2x.", None),
        ("Please try again in 1.2.3s.", None),
        ("Please try again in ", None),
        ("Please try again in s", None),
        ("Please try again later.", None),
    ] {
        let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
        let error = ApiError::from_response(429, body.as_bytes());
        let millis = error.retry_after().map(|wait| wait.as_millis());
        assert_eq!(millis, expected, "{message}");
    }
}

#[test]
fn a_wait_in_a_body() {
    let body = r#"{"error":{"details":[{"retryDelay":"23s"}]}}"#;
    let error = ApiError::from_response(429, body.as_bytes());
    assert_eq!(error.retry_after(), Some(seconds(23)));
}

#[test]
fn a_wait_in_a_header() {
    let error = || ApiError::from_response(429, b"{}");
    for (header, expected) in [
        ("2", Some(seconds(2))),
        (" 0.5 ", Some(Duration::from_millis(500))),
        ("1500ms", Some(Duration::from_millis(1_500))),
        ("2m", Some(minutes(2))),
        ("1m12.5s", Some(Duration::from_millis(72_500))),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("2 3", None),
        ("99999999999999999999999999999", None),
        ("99999999999999999999h1s", None),
        ("", None),
    ] {
        assert_eq!(
            error().with_retry_after(header).retry_after(),
            expected,
            "{header}"
        );
    }
}

/// The version is not tried before the API said that it may be.
#[test]
fn a_wait_that_the_api_asks_for_is_kept_and_obeyed() {
    let probing = Probing::after(minutes(1));
    let breaker = ErrorRateBreaker::builder().recovery(probing);
    let (bench, breaker) = Bench::and_guard(breaker.build().unwrap());
    let report = || Report::new().retry_after(minutes(5));
    bench
        .permit("invoice")
        .fail_with(FailureKind::Throttled, report());
    let at = breaker.retry_at(v7()).unwrap();
    assert_eq!(at.since(EVENING), minutes(5));
    bench.fail(5);
    bench.tick_after(Duration::from_millis(299_999));
    assert_eq!(breaker.state(v7()), fusebox::breaker::BreakerState::Open);
    bench.tick_after(Duration::from_millis(1));
    assert_eq!(
        breaker.state(v7()),
        fusebox::breaker::BreakerState::HalfOpen
    );
    assert_eq!(breaker.retry_at(v7()), None);
}
