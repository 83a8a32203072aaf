//! What holds for every call, whichever guards there are.

mod bad_input;
mod cancellation;
mod feedback;
mod mounted;
mod restart;
mod sinks;
mod versions;
