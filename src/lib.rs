//! Guards around calls to large language models in document pipelines.
//!
//! LLM pipelines fail quietly: the API answers 200, the answer looks right, and the document is
//! wrong or goes nowhere. fusebox wraps your own client calls. Before each call its guards decide
//! which prompt version serves it and whether the call may be made; after it they record how it
//! ended. They page the operator within minutes about what would otherwise be found the next
//! morning.
//!
//! # A guarded call
//!
//! ```
//! use fusebox::{Admission, Call, ErrorRateBreaker, LineUp, Pipeline, Report, RouteLedger, TokenBudget, Version};
//!
//! let v7 = Version::new("v7", "gpt-4o")?.with_system_prompt_tokens(1_600).with_reserved_answer_tokens(800);
//! let pipeline = Pipeline::builder(LineUp::new(v7))
//!     .guard(TokenBudget::builder().build()?)
//!     .guard(ErrorRateBreaker::default())
//!     .guard(RouteLedger::default())
//!     .build()?;
//!
//! let call = Call::new("inv-2026-0417", "invoice")?.with_document_tokens(3_180);
//! match pipeline.admit(&call) {
//!     Admission::Admitted(permit) => {
//!         // .. call the model and the version that `permit.ticket()` names ..
//!         let settled = permit.answer(Report::new().confidence("total", 0.97));
//!         # let _ = settled;
//!     }
//!     Admission::Diverted(diversion) => println!("not called: {diversion}"),
//! }
//! # Ok::<(), fusebox::Error>(())
//! ```
//!
//! [`Pipeline::run`] does the same around an async call, in one expression.
//!
//! # The flow
//!
//! ```text
//! text --> Call --admit--> route: which version?  check: may it take the document?
//!                            |-> Permit             |-> Diversion (a value: send the document on)
//! your client                |
//! answer / fail / drop ------+--> guards observe the outcome  --> events --> sinks
//! feedback, days later ---------> guards observe the feedback --> events --> sinks
//! tick, every few seconds ------> guards act on elapsed time  --> events --> sinks
//! ```
//!
//! # Which guard when
//!
//! | what goes wrong | guard | what the guard does |
//! |---|---|---|
//! | documents no longer fit the context window | [`TokenBudget`] | uses a larger model, diverts |
//! | calls fail: prompt or provider | [`ErrorRateBreaker`] | falls back to the previous version |
//! | the model's confidence falls | [`ConfidenceDriftMonitor`] | raises the acceptance threshold |
//! | a candidate is worse on daily traffic | [`CanaryPolicy`] | raises its share, or rolls back |
//! | a candidate is worse on rare types | [`BlueGreenPolicy`] | compares until each type was seen |
//! | a candidate is untested on real documents | [`ShadowComparator`] | compares, asks for review |
//! | documents end nowhere, a type goes silent | [`RouteLedger`] | records every outcome, pages |
//! | no guard would page in time | [`Drill`] | injects a fault, measures the time to the page |
//!
//! Any guard can be limited to one document type ([`Guard::only_for`]), put into a dry run
//! ([`Guard::dry_run`]) or renamed ([`Guard::named`]); [`Guard`] is the trait for your own.
//!
//! # Modules
//!
//! The root has the names that most services need. Everything else is in one module each:
//!
//! - [`pipeline`]: the builder, admissions, permits, settlements, snapshots;
//! - [`call`]: calls, versions and line-ups, tickets, reports, outcomes, feedback;
//! - [`guard`]: the trait, its context, its votes, its stored state, and mounted guards;
//! - [`budget`], [`breaker`], [`drift`], [`rollout`], [`shadow`], [`ledger`]: the builder, the
//!   states and the reports of one guard each;
//! - [`tokens`]: token counts, counters, the parts of a prompt, the catalogue of models;
//! - [`failure`]: kinds of failure, and what an API's error means;
//! - [`event`] and [`sink`]: what guards report, and where it goes;
//! - [`keeper`], [`store`] and [`pager`]: state that survives the process, and pages that arrive;
//! - [`drill`]: fire drills, and replays of recorded history; [`clock`]: sources of time; [`name`]:
//!   ids and names;
//! - [`documentation`]: architecture, design, glossary, traces, changelog.
//!
//! # What it does not do
//!
//! fusebox makes no calls to models and retries none, stores no documents, needs no runtime, and
//! starts no threads but the one of a [`sink::background`] and that of a `store::SqliteStore`. It
//! cannot tell whether an answer is right: it relies on confidences, on comparisons, and on the
//! corrections of reviewers.
//!
//! # Features
//!
//! - `tiktoken` (default): exact token counts with OpenAI's encodings, [`tokens::Tiktoken`].
//! - `bpe`: the same counts, faster and of longer texts, for `cl100k_base` and `o200k_base`.
//! - `csv`: recordings from CSV for a [`drill::Replay`], `drill::CsvColumns`.
//! - `async-openai`: [`Classify`] for the errors of that crate.
//! - `reqwest`: pages go out over HTTP, `reqwest::ReqwestPost`.
//! - `report`: the course of a field's confidence as an SVG picture or an HTML page,
//!   `report::DriftTimeline`; the page of a shadow run's review, `report::ReviewReport`; and the page
//!   of which fault is known after which time, `report::DetectionReport`.
//! - `sqlite`: a store in one file, `store::SqliteStore`; building it needs a C compiler.
//! - `tokio`: [`Pipeline::run`] counts texts of more than 64 KB on tokio's blocking pool, and
//!   `Keeper::run` is the loop of a service.
//! - `webhook`: a pager that posts signed JSON to a program of your own, `pager::Webhook`.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod documentation;

mod adapters;
pub mod call;
mod confidence;
pub mod drill;
mod error;
pub mod event;
pub mod failure;
mod format;
pub mod guard;
mod guards;
mod json;
pub mod keeper;
pub mod name;
mod order;
pub mod pager;
pub mod pipeline;
mod ratio;
mod revision;
pub mod sink;
mod stats;
pub mod store;
mod time;
pub mod tokens;

/// Sources of time: the system's clock, and a mock clock for tests.
pub mod clock {
    pub use crate::pipeline::clock::{Clock, MockClock, SystemClock};
}

/// Pages over HTTP with the crate `reqwest`, with the feature `reqwest`.
#[cfg(feature = "reqwest")]
pub mod reqwest {
    pub use crate::adapters::reqwest::ReqwestPost;
}

/// Tasks on tokio, with the feature `tokio`.
#[cfg(feature = "tokio")]
pub mod tokio {
    pub use crate::adapters::tokio::TokioSpawner;
}

/// The course of a field's confidence as a picture, and the review of a shadow run and what drills
/// detect as pages, with the feature `report`.
#[cfg(feature = "report")]
pub mod report {
    pub use crate::adapters::report::{
        DetectionReport, DivergenceRate, DriftTimeline, Mark, MarkVerdict, Marks, ReviewItem,
        ReviewReport, ReviewReportBuilder, ReviewVerdict, VerdictTone,
    };
}

pub use call::{
    Call, Correction, Destination, Feedback, LineUp, Reason, Report, Role, Ticket, Version,
};
pub use confidence::Confidence;
pub use drill::Drill;
pub use error::{Error, ErrorKind, StoreFault};
pub use event::{Event, EventKind, Severity};
pub use failure::{Classify, FailureKind};
pub use guard::Guard;
pub use guards::breaker::{self, ErrorRateBreaker};
pub use guards::confidence_drift::{self as drift, ConfidenceDriftMonitor};
pub use guards::ledger::{self, RouteLedger};
pub use guards::rollout::{self, BlueGreenPolicy, CanaryPolicy};
pub use guards::shadow::{self, ShadowComparator};
pub use guards::ticket_book::TicketBook;
pub use guards::token_budget::{self as budget, TokenBudget};
pub use name::{DocumentId, DocumentType, Field, ModelName, VersionId};
pub use pipeline::{
    Admission, Diversion, Permit, Pipeline, Reply, Served, Settlement, ShadowRunner,
};
pub use ratio::Ratio;
pub use revision::Revision;
pub use time::Timestamp;
