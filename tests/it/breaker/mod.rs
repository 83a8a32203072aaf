//! P3: when too many calls fail, the previous version serves, then somebody is paged.

mod error_rate;
mod incidents;
mod options;
mod recovery;
mod settings;
mod slow_calls;
mod types;
