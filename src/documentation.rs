//! The pages of the `docs` folder, the changelog, and the README with its examples.

/// The folders of the source, what lies where, and what never happens.
#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

/// The reasons for the design.
#[doc = include_str!("../docs/design.md")]
pub mod design {}

/// The settled words, with one meaning each.
#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}

/// Incidents as data that can be replayed.
#[doc = include_str!("../docs/traces.md")]
pub mod traces {}

/// What changed for users.
#[doc = include_str!("../CHANGELOG.md")]
pub mod changelog {}

/// The README.
#[doc = include_str!("../README.md")]
pub mod readme {}
