//! What is known of a candidate against production: counts, the corrections behind them, how long these take, and how
//! strongly they speak.

pub(super) mod corrections;
pub(super) mod counts;
pub(super) mod likelihood;
pub(super) mod ratio_test;
pub(super) mod review_delay;
