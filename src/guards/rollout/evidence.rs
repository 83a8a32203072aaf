//! The evidence for and against a candidate: counts, the corrections behind them, review delays,
//! and the ratio test.

pub(super) mod corrections;
pub(super) mod counts;
pub(super) mod likelihood;
pub(super) mod ratio_test;
pub(super) mod review_delay;
