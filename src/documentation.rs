//! The pages of the `docs` folder, and the README with its examples.

/// The map of the source and what never happens in it.
#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

/// Why things are as they are.
#[doc = include_str!("../docs/design.md")]
pub mod design {}

/// Incidents as data.
#[doc = include_str!("../docs/traces.md")]
pub mod traces {}

/// What changed.
#[doc = include_str!("../CHANGELOG.md")]
pub mod changelog {}

/// The first page.
#[doc = include_str!("../README.md")]
pub mod readme {}
