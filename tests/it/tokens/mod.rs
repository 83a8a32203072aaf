//! P1: what a call needs is measured before it is sent, and held against what the API reports.

mod budget;
mod counts;
mod usage;
