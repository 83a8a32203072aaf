//! What drills have shown: nothing, too late, with other settings, or beside healthy pages.

use std::time::Duration;

use fusebox::drill::{DetectionMatrix, FailureMode, Fault, Gap};
use fusebox::{
    CanaryPolicy, DocumentType, ErrorRateBreaker, FailureKind, Pipeline, Ratio, RouteLedger,
};

use super::{HOUR, breaker_and_canary, drilled, gaps, only, outage, pager};
use crate::support::{line_up, minutes};

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
