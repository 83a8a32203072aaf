//! Guards for pipelines that call large language models on documents.
//!
//! LLM pipelines fail quietly: the API answers 200, the output looks like output, and the document is wrong, or has gone
//! nowhere. fusebox sits around your own client calls, decides before each one whether it should be made and with which
//! prompt version, learns from how it ended, and tells a person in minutes what would otherwise be found in the morning.
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
//!         // .. call the model that `permit.ticket()` names, with the version that it names ..
//!         let settled = permit.answer(Report::new().confidence("total", 0.97));
//!         # let _ = settled;
//!     }
//!     Admission::Diverted(diversion) => println!("to a person: {diversion}"),
//! }
//! # Ok::<(), fusebox::Error>(())
//! ```
//!
//! [`Pipeline::run`] is the same around an async call of yours, in one expression.
//!
//! # The flow
//!
//! ```text
//! text --> Call --admit--> route: which version?  check: may it?
//!                            |-> Permit      |-> Diversion (a value: send the document on)
//! your client                |
//! answer / fail / drop ------+--> guards learn --> events --> sinks
//! a correction, days later ------> guards learn --> events --> sinks
//! tick, every few seconds -------> guards see that time passed
//! ```
//!
//! # Which guard when
//!
//! | you fear | use |
//! |---|---|
//! | a prompt or document that no longer fits | [`TokenBudget`] |
//! | calls that fail, a provider or a prompt that is broken | [`ErrorRateBreaker`] |
//! | answers that grow less sure | [`ConfidenceDriftMonitor`] |
//! | a new version that is worse, on daily traffic | [`CanaryPolicy`] |
//! | a new version that is worse on types that seldom come | [`BlueGreenPolicy`] |
//! | a new version that nobody has seen on real documents | [`ShadowComparator`] |
//! | documents that go nowhere, types that stop coming | [`RouteLedger`] |
//! | that none of these would fire | [`Drill`] |
//!
//! Any guard can be limited to one document type ([`Guard::only_for`]), made an onlooker ([`Guard::dry_run`]) or renamed
//! ([`Guard::named`]); [`Guard`] is the trait for your own.
//!
//! # What it does not do
//!
//! It makes no calls, retries nothing, keeps no documents, starts no threads and needs no runtime. It does not know whether
//! an answer is right: it learns that from confidences, comparisons and the corrections of people.
//!
//! # Features
//!
//! - `tiktoken` (default): exact token counts with OpenAI's encodings, [`tokens::Tiktoken`].
//! - `bpe`: the same counts, faster and in linear time, for `cl100k_base` and `o200k_base`.
//! - `async-openai`: its errors tell what kind of failure they are ([`Classify`]).
//! - `tokio`: [`Pipeline::run`] counts texts of more than 64 KB on tokio's blocking pool.

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
pub mod name;
pub mod pipeline;
mod ratio;
pub mod sink;
mod stats;
mod time;
pub mod tokens;

/// Where the time comes from: the system, or a test.
pub mod clock {
    pub use crate::pipeline::clock::{Clock, MockClock, SystemClock};
}

pub use call::{
    Call, Correction, Destination, Feedback, LineUp, Reason, Report, Role, Ticket, Version,
};
pub use confidence::Confidence;
pub use drill::Drill;
pub use error::{Error, ErrorKind};
pub use event::{Event, EventKind, Severity};
pub use failure::{Classify, FailureKind};
pub use guard::Guard;
pub use guards::breaker::{self, ErrorRateBreaker};
pub use guards::confidence_drift::{self as drift, ConfidenceDriftMonitor};
pub use guards::ledger::{self, RouteLedger};
pub use guards::rollout::{self, BlueGreenPolicy, CanaryPolicy};
pub use guards::shadow::{self, ShadowComparator};
pub use guards::token_budget::{self as budget, TokenBudget};
pub use name::{DocumentId, DocumentType, Field, ModelName, VersionId};
pub use pipeline::{Admission, Diversion, Permit, Pipeline, Reply, Served, Settlement};
pub use ratio::Ratio;
pub use time::Timestamp;
