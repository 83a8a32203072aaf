//! The guards: state machines without I/O, one file or folder each.

mod error_rate;
mod ledger;
mod token_budget;

pub use error_rate::{BreakerState, ErrorRateBreaker, ErrorRateBreakerBuilder, VersionCounts};
pub use ledger::{Ends, LedgerReport, RouteLedger, RouteLedgerBuilder};
pub use token_budget::{TokenBudget, TokenBudgetBuilder};
