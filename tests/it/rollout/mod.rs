//! P4 and P5: a new version is exposed in steps or per document type, and rolled back when it is worse.

mod blue_green;
mod canary;
mod commands;
mod corrections;
mod feasibility;
mod restart;
mod simulation;
mod types;
