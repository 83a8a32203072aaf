//! The pages of the `docs` folder, the changelog, and the README with its examples.
//!
//! Their links lead to files, for a reader of the package. Of two definitions of a link the first
//! one counts, so the ones here lead a reader of the documentation to a page of it instead.
//! `tests/links.rs` holds that each link has both.

/// The folders of the source, what lies where, and what never happens.
///
/// [design.md]: design
/// [glossary.md]: glossary
#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

/// The reasons for the design.
///
/// [glossary.md]: glossary
#[doc = include_str!("../docs/design.md")]
pub mod design {}

/// The settled words, with one meaning each.
#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}

/// What a call costs, measured beside the peers.
#[doc = include_str!("../docs/benchmarks.md")]
pub mod benchmarks {}

/// How soon each rule of a drift monitor sees a change, and how often it is wrong.
#[doc = include_str!("../docs/drift.md")]
pub mod drift {}

/// Which fault is known after which time, by which guard.
///
/// [drift.md]: drift
#[doc = include_str!("../docs/detection.md")]
pub mod detection {}

/// What a rollout needs before it begins: the failure modes, the guard for each, and how to close a
/// gap.
///
/// [detection.md]: detection
#[doc = include_str!("../docs/readiness.md")]
pub mod readiness {}

/// Recorded history through a configuration: the format, and what the numbers mean.
#[doc = include_str!("../docs/replay.md")]
pub mod replay {}

/// How rollouts end, simulated beside other rules.
#[doc = include_str!("../docs/rollouts.md")]
pub mod rollouts {}

/// How to run a candidate beside production, and what the numbers mean.
///
/// [rollouts.md]: rollouts
#[doc = include_str!("../docs/shadow.md")]
pub mod shadow {}

/// Incidents as data that can be replayed.
#[doc = include_str!("../docs/traces.md")]
pub mod traces {}

/// What each incident means, what to check, what to press, and how it ends.
///
/// [error-rate.md]: runbooks::error_rate
/// [token-budget.md]: runbooks::token_budget
/// [confidence-drift.md]: runbooks::confidence_drift
/// [ledger.md]: runbooks::ledger
/// [rollout.md]: runbooks::rollout
/// [pipeline.md]: runbooks::pipeline
#[doc = include_str!("../docs/runbooks/README.md")]
pub mod runbooks {
    #[doc = include_str!("../docs/runbooks/error-rate.md")]
    pub mod error_rate {}

    #[doc = include_str!("../docs/runbooks/token-budget.md")]
    pub mod token_budget {}

    #[doc = include_str!("../docs/runbooks/confidence-drift.md")]
    pub mod confidence_drift {}

    #[doc = include_str!("../docs/runbooks/ledger.md")]
    pub mod ledger {}

    #[doc = include_str!("../docs/runbooks/rollout.md")]
    pub mod rollout {}

    #[doc = include_str!("../docs/runbooks/pipeline.md")]
    pub mod pipeline {}
}

/// What changed for users.
#[doc = include_str!("../CHANGELOG.md")]
pub mod changelog {}

/// How to work on fusebox.
///
/// [docs/architecture.md]: architecture
/// [docs/glossary.md]: glossary
#[doc = include_str!("../CONTRIBUTING.md")]
pub mod contributing {}

/// How to report a vulnerability, and what counts as one.
#[doc = include_str!("../SECURITY.md")]
pub mod security {}

/// The README.
///
/// [CHANGELOG.md]: changelog
/// [CONTRIBUTING.md]: contributing
/// [LICENSE-APACHE]: files#licences
/// [LICENSE-MIT]: files#licences
/// [SECURITY.md]: security
/// [docs/architecture.md]: architecture
/// [breaker benchmarks]: benchmarks
/// [docs/benchmarks.md]: benchmarks
/// [rollout benchmarks]: benchmarks#rollouts
/// [docs/design.md]: design
/// [docs/detection.md]: detection
/// [docs/drift.md]: drift
/// [docs/readiness.md]: readiness
/// [docs/replay.md]: replay
/// [docs/glossary.md]: glossary
/// [docs/runbooks]: runbooks
/// [docs/rollouts.md]: rollouts
/// [docs/shadow.md]: shadow
/// [docs/traces.md]: traces
/// [`canary_plan`]: files#examples
/// [`detection_matrix`]: files#examples
/// [drill example]: files#examples
/// [readiness example]: files#examples
/// [replay example]: files#examples
/// [`drift_delays`]: files#examples
/// [`drift_week`]: files#examples
/// [`headroom`]: files#examples
/// [`invoice_night`]: files#examples
/// [`multi_call_document`]: files#examples
/// [`ratios`]: files#examples
/// [`rollouts`]: files#examples
/// [`service`]: files#examples
/// [`shadow_review`]: files#examples
/// [`trace`]: files#examples
/// [`Drill`]: crate::Drill
/// [`ApiError`]: crate::failure::ApiError
/// [`ErrorRateBreaker`]: crate::ErrorRateBreaker
/// [`ConfidenceDriftMonitor`]: crate::ConfidenceDriftMonitor
/// [`RouteLedger`]: crate::RouteLedger
/// [`BlueGreenPolicy`]: crate::BlueGreenPolicy
/// [`CanaryPolicy`]: crate::CanaryPolicy
/// [`ShadowComparator`]: crate::ShadowComparator
/// [`TokenBudget`]: crate::TokenBudget
/// [`breaker`]: files#tests
/// [`drift`]: files#tests
/// [drill tests]: files#tests
/// [`failure`]: files#tests
/// [`ledger`]: files#tests
/// [`cancellation.rs`]: files#tests
/// [`rollout`]: files#tests
/// [`blue_green.rs`]: files#tests
/// [`types.rs`]: files#tests
/// [shadow tests]: files#tests
/// [`tokens`]: files#tests
/// [`breaker.json`]: files#traces
/// [`drift.json`]: files#traces
/// [`rollout.json`]: files#traces
/// [`shadow.json`]: files#traces
#[doc = include_str!("../README.md")]
pub mod readme {}

/// What lies in the package and has no page here.
///
/// docs.rs shows it as the source; `cargo vendor` copies it to a folder of yours.
///
/// # Tests
///
/// `tests/it` has a folder for each promise: `tests/it/breaker`, `tests/it/rollout` and so on.
///
/// # Traces
///
/// `tests/traces` has incidents as data; [`traces`] says what they mean.
///
/// # Examples
///
/// Each is a file or a folder in `examples`, and runs in the package's folder:
/// `cargo run --release --example invoice_night`.
///
/// # Licences
///
/// `LICENSE-MIT` and `LICENSE-APACHE`.
pub mod files {}
