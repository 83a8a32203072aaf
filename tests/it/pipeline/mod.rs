//! What holds for every call, whichever guards there are.

mod bad_input;
mod cancellation;
mod deadline;
mod feedback;
mod mounted;
mod own_guard;
mod restart;
mod sinks;
mod versions;
