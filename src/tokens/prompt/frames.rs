//! How many messages a conversation has, and of which roles: what bounds their framing.

use crate::tokens::model::Framing;

/// More than any documented chat API adds to a message, including a documented role and the mark of
/// a name.
pub(super) const MOST_FRAMING: u64 = 10;

/// The number and the length of what an API frames in a conversation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    unnamed: u64,
    named: u64,
    role_bytes: u64,
    /// The bytes of roles that no API documents.
    other_role_bytes: u64,
}

impl Frames {
    pub(super) fn add(&mut self, role: &str, is_named: bool) {
        let bytes = role.len() as u64;
        self.unnamed += u64::from(!is_named);
        self.named += u64::from(is_named);
        self.role_bytes = self.role_bytes.saturating_add(bytes);
        if !is_documented(role) {
            self.other_role_bytes = self.other_role_bytes.saturating_add(bytes);
        }
    }

    /// An upper bound of the framing, without names: a role has at most one token for each byte.
    pub(super) fn most_tokens(self, framing: Option<Framing>) -> u64 {
        let Some(framing) = framing else {
            let each = (self.unnamed + self.named).saturating_mul(MOST_FRAMING);
            return each.saturating_add(self.other_role_bytes);
        };
        let unnamed = self.unnamed.saturating_mul(framing.message(false));
        let named = self.named.saturating_mul(framing.message(true));
        let roles = if framing.counts_roles() {
            self.role_bytes
        } else {
            0
        };
        unnamed.saturating_add(named).saturating_add(roles)
    }
}

/// The roles that chat APIs document.
pub(super) fn is_documented(role: &str) -> bool {
    is_system(role) || matches!(role, "user" | "assistant" | "tool" | "function" | "model")
}

/// The role of a message to which an API adds tool definitions.
pub(super) fn is_system(role: &str) -> bool {
    matches!(role, "system" | "developer")
}
