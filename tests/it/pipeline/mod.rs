//! What holds for every call, whichever guards there are.

mod bad_input;
mod cancellation;
mod restart;
mod sinks;
