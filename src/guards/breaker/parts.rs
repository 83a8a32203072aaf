//! The parts that versions play in the line-up of now.

use crate::call::{Role, Version};
use crate::guard::Cx;
use crate::name::VersionId;

/// The part of a version, if it is live.
pub(super) fn part_of(version: &VersionId, cx: &Cx<'_>) -> Option<Role> {
    [Role::Candidate, Role::Stable, Role::Previous]
        .into_iter()
        .find(|role| {
            cx.line_up()
                .get(*role)
                .is_some_and(|live| live.id() == version)
        })
}

/// The version that takes over from the one in this part.
pub(super) fn behind<'a>(role: Role, cx: &Cx<'a>) -> Option<&'a VersionId> {
    let behind = match role {
        Role::Candidate => Role::Stable,
        Role::Stable => Role::Previous,
        Role::Previous => return None,
    };
    cx.line_up().get(behind).map(Version::id)
}
