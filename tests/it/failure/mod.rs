//! What an API's error means.

mod classify;
