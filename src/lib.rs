//! fusebox
#![cfg_attr(docsrs, feature(doc_cfg))]

mod call;
mod clock;
mod drill;
mod error;
mod event;
mod failure;
mod format;
mod guard;
mod guards;
mod keyed;
mod name;
mod outbox;
mod permit;
mod pipeline;
mod ratio;
mod run;
mod signal;
pub mod sink;
mod stats;
mod ticket;
mod time;
pub mod tokens;
mod verdict;
mod version;
mod window;

pub use call::{Call, Measured, TokenCount};
pub use clock::{Clock, MockClock, SystemClock};
pub use drill::{Drill, DrillReport, Fault, Traffic};
pub use error::{Error, ErrorKind};
pub use event::{Event, EventKind, Severity};
pub use failure::{Cause, Classify, FailureKind};
pub use guard::{Cx, DryRun, Guard, Named, OnlyFor, State};
pub use guards::{
    BreakerState, ConfidenceDriftMonitor, ConfidenceDriftMonitorBuilder, ConfidenceMeans,
    Divergence, DriftState, Ends, ErrorRateBreaker, ErrorRateBreakerBuilder, LedgerReport,
    RouteLedger, RouteLedgerBuilder, ShadowComparator, ShadowComparatorBuilder, ShadowCounts,
    ShadowReport, ShadowVerdict, Shadowed, TokenBudget, TokenBudgetBuilder, VersionCounts,
};
pub use name::{DocumentId, DocumentType, Field, ModelName, QueueName, VersionId};
pub use outbox::Outbox;
pub use permit::{Admission, Permit, Settlement};
pub use pipeline::{Builder, Pipeline, Snapshot};
pub use ratio::Ratio;
pub use run::{Reply, Served};
pub use signal::{Comparison, Confidence, Outcome, Report, Signal};
pub use sink::Sink;
pub use ticket::{Ticket, TicketId};
pub use time::Timestamp;
pub use tokens::TokenCounter;
pub use verdict::{Acceptance, Destination, Diversion, Divert, Reason, Route, Verdict};
pub use version::{LineUp, Model, Role, Version};
