//! The parts of a prompt, and how many tokens each comes to.

pub(crate) mod conversation;
pub(crate) mod framing;
pub(crate) mod image;
pub(crate) mod tools;
