//! Counts over time, and statistics on them.

mod bounded_map;
mod histogram;
mod interval;
mod quantile;
mod shared_map;
mod window;

pub(crate) use bounded_map::{BoundedMap, DEFAULT_KEYS, Place};
pub(crate) use histogram::Histogram;
pub(crate) use interval::{wilson, wilson_at_least};
pub(crate) use quantile::CHI_SQUARE_ONE_IN_A_THOUSAND;
pub(crate) use shared_map::{Entries, SharedMap};
pub(crate) use window::{Span, Window};
