//! The parts of a prompt, and their tokens.

pub(crate) mod conversation;
mod frames;
pub(crate) mod framing;
pub(crate) mod image;
pub(crate) mod json;
pub(crate) mod tools;
