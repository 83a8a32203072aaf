//! Tokens of messages: their texts, and their framing by the API.

use super::conversation::{Message, MessageTokens, Part};
use super::frames::{MOST_FRAMING, is_documented};
use super::image::image_tokens;
use crate::tokens::count::{Provenance, TokenCount};
use crate::tokens::counter::TokenCounter;
use crate::tokens::model::{Framing, Model};

/// The tokens of a message for `model`.
pub(crate) fn message_tokens(
    message: &Message,
    model: &Model,
    counter: &dyn TokenCounter,
) -> MessageTokens {
    let parts = message.parts().iter().map(|part| match part {
        Part::Text(text) => {
            let counted = counter.count(text).ok();
            MessageTokens {
                text: counted,
                is_settled: counted.is_some_and(is_counted),
                ..MessageTokens::NOTHING
            }
        }
        Part::Unknown(bytes) => MessageTokens {
            text: Some(TokenCount::at_most(*bytes)),
            ..MessageTokens::NOTHING
        },
        Part::Uncountable => MessageTokens {
            text: None,
            ..MessageTokens::NOTHING
        },
        Part::Image(image) => MessageTokens {
            images: model.image_rule().map(|rule| image_tokens(*image, rule)),
            ..MessageTokens::NOTHING
        },
    });
    let framing = around(message.role(), message.name(), model.framing(), counter);
    let framing = MessageTokens {
        framing,
        // Bounds of unknown framing come from no counter.
        is_settled: model.framing().is_none() || is_counted(framing),
        ..MessageTokens::NOTHING
    };
    parts.fold(framing, MessageTokens::plus)
}

/// Whether a counter counted, and did not only bound.
fn is_counted(count: TokenCount) -> bool {
    count.provenance() != Provenance::Bound
}

/// The framing of a message with this role.
pub(crate) fn role_framing(role: &str, model: &Model, counter: &dyn TokenCounter) -> TokenCount {
    around(role, None, model.framing(), counter)
}

/// The framing that starts the reply.
pub(crate) fn reply_framing(model: &Model) -> TokenCount {
    let unknown = TokenCount::at_most(MOST_FRAMING);
    model
        .framing()
        .map_or(unknown, |framing| TokenCount::exact(framing.reply()))
}

fn around(
    role: &str,
    name: Option<&str>,
    framing: Option<Framing>,
    counter: &dyn TokenCounter,
) -> TokenCount {
    let bytes = |text: &str| TokenCount::at_most(text.len() as u64);
    let count = |text: &str| counter.count(text).unwrap_or(bytes(text));
    let Some(framing) = framing else {
        let role = if is_documented(role) {
            TokenCount::ZERO
        } else {
            bytes(role)
        };
        let name = name.map_or(TokenCount::ZERO, bytes);
        return TokenCount::at_most(MOST_FRAMING) + role + name;
    };
    let role = if framing.counts_roles() {
        count(role)
    } else {
        TokenCount::ZERO
    };
    TokenCount::exact(framing.message(name.is_some())) + role + name.map_or(TokenCount::ZERO, count)
}
