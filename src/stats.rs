//! Counts over time, and statistics on them.

mod bounded_map;
mod delays;
mod discordant;
mod e_detector;
mod histogram;
mod interval;
mod lattice;
mod lattice_window;
mod moments;
mod quantile;
mod ratio_test;
mod shared_map;
mod split;
mod tracked;
mod two_sample;
mod waits;
mod window;

pub(crate) use bounded_map::{BoundedMap, DEFAULT_KEYS, Place};
pub(crate) use delays::Delays;
pub(crate) use discordant::{Luck, McNemar, PairShares, RatioBet, Wrong, paired_ratio, whole};
pub(crate) use e_detector::{EDetector, Lambdas, at_most_ruinous, growth, lambdas};
pub(crate) use histogram::Histogram;
pub(crate) use interval::{clopper_pearson, wilson, wilson_at_least};
pub(crate) use lattice::{Lattice, LatticeCounts};
pub(crate) use lattice_window::LatticeWindow;
pub(crate) use moments::{MOST_DOCUMENTS, Moments, float};
pub(crate) use quantile::NORMAL_95_ONE_SIDED;
pub(crate) use ratio_test::{Counts, Likelihood, RatioTest, Stratum, Weighted};
pub(crate) use shared_map::{Entries, SharedMap};
pub(crate) use split::{Split, is_off_share};
pub(crate) use tracked::Tracked;
pub(crate) use two_sample::TwoSample;
pub(crate) use waits::Waits;
pub(crate) use window::{Span, Window};
