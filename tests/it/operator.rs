//! An operator who looks at the status and then gives a command.

use fusebox::breaker::{BreakerMode, ErrorRateBreakerBuilder};
use fusebox::rollout::RolloutPolicy;
use fusebox::{ConfidenceDriftMonitor, Error, ErrorRateBreaker};

const WHO: &str = "ada";
const WHY: &str = "looked at it";

pub(crate) fn rearm(breaker: &ErrorRateBreaker, version: impl AsRef<str>) {
    let seen = breaker.status().revision;
    breaker.rearm(version, seen, WHO, WHY).unwrap();
}

pub(crate) fn reset(breaker: &ErrorRateBreaker) {
    let seen = breaker.status().revision;
    breaker.reset(seen, WHO, WHY).unwrap();
}

pub(crate) fn switch(breaker: &ErrorRateBreaker, mode: BreakerMode) {
    let seen = breaker.status().revision;
    breaker.switch(mode, seen, WHO, WHY).unwrap();
}

pub(crate) fn reconfigure(
    breaker: &ErrorRateBreaker,
    settings: ErrorRateBreakerBuilder,
) -> Result<(), Error> {
    let seen = breaker.status().revision;
    breaker.reconfigure(settings, seen, WHO, WHY)
}

pub(crate) fn resolve(
    drift: &ConfidenceDriftMonitor,
    document_type: impl AsRef<str>,
    field: impl AsRef<str>,
) -> Result<(), Error> {
    let seen = drift.status(&document_type, &field).revision;
    drift.resolve(document_type, field, seen, WHO, WHY)
}

pub(crate) fn rebaseline(
    drift: &ConfidenceDriftMonitor,
    document_type: impl AsRef<str>,
    field: impl AsRef<str>,
) -> Result<(), Error> {
    let seen = drift.status(&document_type, &field).revision;
    drift.rebaseline(document_type, field, seen, WHO, WHY)
}

pub(crate) fn promote<K>(policy: &RolloutPolicy<K>) -> Result<(), Error> {
    policy.promote(policy.status().revision, WHO, WHY)
}

pub(crate) fn abort<K>(policy: &RolloutPolicy<K>) -> Result<(), Error> {
    policy.abort(policy.status().revision, WHO, WHY)
}

pub(crate) fn pause<K>(policy: &RolloutPolicy<K>) -> Result<(), Error> {
    policy.pause(policy.status().revision, WHO, WHY)
}

pub(crate) fn resume<K>(policy: &RolloutPolicy<K>) -> Result<(), Error> {
    policy.resume(policy.status().revision, WHO, WHY)
}

pub(crate) fn hold<K>(policy: &RolloutPolicy<K>) -> Result<(), Error> {
    policy.hold(policy.status().revision, WHO, WHY)
}

pub(crate) fn approve<K>(policy: &RolloutPolicy<K>) -> Result<(), Error> {
    policy.approve(policy.status().revision, WHO, WHY)
}
