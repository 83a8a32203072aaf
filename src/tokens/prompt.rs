//! The parts of a prompt, and their tokens.

pub(crate) mod conversation;
pub(crate) mod framing;
pub(crate) mod image;
pub(crate) mod tools;
