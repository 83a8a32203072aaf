//! Slack, through an incoming webhook.

use serde::Serialize;

use super::address;
use super::notification::{Action, Notification};
use super::post::PostRequest;
use super::seam::{Form, Pager};
use super::secret::Secret;
use super::text::{Named, PageText};
use crate::error::Error;
use crate::event::Severity;
use crate::time::Timestamp;

/// The longest text of a section, in characters.
const LONGEST_SECTION: usize = 3_000;

/// A channel of Slack, through an [incoming webhook].
///
/// Slack knows no incidents: it has one message when an incident opens or grows, one when it is over,
/// and one for what opened and ended while it could not be told. Nobody has to acknowledge a message,
/// and a message that was sent twice stands there twice. So use it for warnings and as a second
/// route, never as the only one.
///
/// # Limits
///
/// The text of a section has at most 3,000 characters, as Slack's reference of blocks says; the
/// texts are cut to that after `&`, `<` and `>` are escaped, so that no text mentions a person or a
/// channel. Slack takes about one message a second and answers 429 with `Retry-After` to more.
///
/// ```
/// use fusebox::pager::{PagerRoute, Slack};
///
/// # let address = "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";
/// let route = PagerRoute::new("channel", Slack::new(address)?)?.with_warnings().backup();
/// # Ok::<(), fusebox::Error>(())
/// ```
///
/// [incoming webhook]: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
#[derive(Clone, Debug)]
pub struct Slack {
    webhook_url: Secret,
}

impl Slack {
    /// The channel behind this address, which is the secret; an error if it is none.
    pub fn new(webhook_url: impl Into<Secret>) -> Result<Self, Error> {
        let webhook_url = address::target("address of Slack", webhook_url.into())?;
        Ok(Self { webhook_url })
    }
}

impl Pager for Slack {
    fn request(
        &self,
        notification: &Notification,
        form: Form,
        _now: Timestamp,
    ) -> Option<PostRequest> {
        let text = PageText::new(notification, form);
        let headline = escaped(&text.headline);
        // The headline of an end says that it is one.
        let title = match (notification.action, notification.severity) {
            (Action::Trigger, Severity::Page) => Some("Page"),
            (Action::Trigger, Severity::Warning) => Some("Warning"),
            (Action::Trigger, Severity::Info) => Some("Info"),
            (Action::Resolve | Action::Missed, _) => None,
        };
        let shown = title.map_or(headline.clone(), |title| format!("*{title}* {headline}"));
        let mut sections = vec![Section::of([shown])];
        let lines = text.lines.0.iter();
        let lines = lines.map(|(name, text)| format!("*{}:* {}", words(name), escaped(text)));
        let runbook = text.runbook.iter();
        let runbook = runbook.map(|address| format!("<{}|Runbook>", escaped(address)));
        sections.extend(Section::unless_empty(runbook.chain(lines)));
        if notification.action == Action::Trigger {
            sections.extend(Section::unless_empty(evidence(&text.evidence)));
        }
        let message = SlackMessage {
            text: fitting(&title.map_or(headline.clone(), |title| format!("{title}: {headline}"))),
            blocks: sections,
        };
        Some(PostRequest::of(self.webhook_url.clone(), &message))
    }
}

/// A message; its text is what a notification on a phone shows.
#[derive(Serialize)]
struct SlackMessage {
    text: String,
    blocks: Vec<Section>,
}

#[derive(Serialize)]
struct Section {
    r#type: &'static str,
    text: Markdown,
}

#[derive(Serialize)]
struct Markdown {
    r#type: &'static str,
    text: String,
}

impl Section {
    fn of(lines: impl IntoIterator<Item = String>) -> Self {
        let lines: Vec<String> = lines.into_iter().collect();
        let text = Markdown {
            r#type: "mrkdwn",
            text: fitting(&lines.join("\n")),
        };
        Self {
            r#type: "section",
            text,
        }
    }

    fn unless_empty(lines: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut lines = lines.into_iter().peekable();
        lines.peek().is_some().then_some(())?;
        Some(Self::of(lines))
    }
}

fn evidence(evidence: &Named) -> impl Iterator<Item = String> {
    let evidence = evidence.0.iter();
    evidence.map(|(name, text)| {
        let name = name.strip_prefix("evidence_").unwrap_or(name);
        format!("{}: {}", words(name), escaped(text))
    })
}

/// `done_already` as `done already`.
fn words(name: &str) -> String {
    escaped(&name.replace('_', " "))
}

/// The three characters that Slack gives a meaning.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// An escaped text cut to a section: neither within an escape nor within a link, which stands before
/// what is long.
fn fitting(text: &str) -> String {
    if text.chars().nth(LONGEST_SECTION).is_none() {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(LONGEST_SECTION - 1).collect();
    if let Some(at) = kept.rfind('&') {
        if kept.get(at..).is_some_and(|end| !end.contains(';')) {
            kept.truncate(at);
        }
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_a_section_but_not_within_an_escape() {
        let full = "🔥".repeat(LONGEST_SECTION);
        assert_eq!(fitting(&full), full);
        assert_eq!(
            fitting(&format!("{full}a")).chars().count(),
            LONGEST_SECTION
        );
        for before in LONGEST_SECTION - 10..LONGEST_SECTION {
            let cut = fitting(&escaped(&format!("{}<<<<", "a".repeat(before))));
            assert!(cut.chars().count() <= LONGEST_SECTION);
            let rest = cut.trim_start_matches('a').replace("&lt;", "");
            assert!(rest.is_empty() || rest == "…", "{rest}");
        }
    }
}
