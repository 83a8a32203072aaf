//! Tokens of messages: their texts, and their framing by the API.

use super::conversation::{MOST_FRAMING, Message, MessageTokens, Part};
use super::image::image_tokens;
use crate::tokens::count::TokenCount;
use crate::tokens::counter::TokenCounter;
use crate::tokens::model::{Framing, Model};

/// The tokens of a message for `model`.
pub(crate) fn message_tokens(
    message: &Message,
    model: &Model,
    counter: &dyn TokenCounter,
) -> MessageTokens {
    let parts = message.parts().iter().map(|part| match part {
        Part::Text(text) => MessageTokens {
            text: counter.count(text).ok(),
            ..MessageTokens::NOTHING
        },
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
    let framing = MessageTokens {
        framing: around(message.role(), message.name(), model.framing(), counter),
        ..MessageTokens::NOTHING
    };
    parts.fold(framing, MessageTokens::plus)
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
        return TokenCount::at_most(MOST_FRAMING) + name.map_or(TokenCount::ZERO, bytes);
    };
    let role = if framing.counts_roles() {
        count(role)
    } else {
        TokenCount::ZERO
    };
    TokenCount::exact(framing.message(name.is_some())) + role + name.map_or(TokenCount::ZERO, count)
}
