//! What a page says, in the order in which a person needs it, cut to what all pagers take.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::address;
use super::line::{ascii, cut, one_line};
use super::notification::{Action, Notification};
use super::seam::Form;
use crate::event::Severity;
use crate::time::Timestamp;

/// The longest summary of the minimal form, in characters.
const LONGEST_MINIMAL: usize = 200;
/// The longest headline, in characters: PagerDuty refuses a longer one.
const LONGEST_HEADLINE: usize = 1_024;
/// The longest line of a page, in characters.
const LONGEST_LINE: usize = 1_000;
/// The longest name of a number, in characters.
const LONGEST_NAME: usize = 100;
/// The most numbers that are told ..
const MOST_EVIDENCE: usize = 60;
/// .. and the most bytes of them; what is over is left out from the end.
const MOST_BYTES: usize = 32 * 1_024;

/// Named texts: a flat JSON object, whose order is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named(pub(super) Vec<(String, String)>);

impl Named {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, text)| (name, text)))
    }
}

/// A page as the pagers show it. All of it is in single lines, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageText {
    /// What happened, the effect first: at most 1,024 characters.
    pub(super) headline: String,
    /// What was done, what still goes wrong, since when, what ends it, what to do, its key.
    pub(super) lines: Named,
    /// The numbers.
    pub(super) evidence: Named,
    /// Where to read on.
    pub(super) runbook: Option<String>,
}

impl PageText {
    pub(super) fn new(notification: &Notification, form: Form) -> Self {
        match form {
            Form::Full => Self {
                headline: one_line(&headline(notification), LONGEST_HEADLINE),
                lines: lines(notification),
                evidence: FlatEvidence::of(notification),
                runbook: address::link(&notification.runbook),
            },
            Form::Minimal => Self {
                headline: ascii(&headline(notification), LONGEST_MINIMAL),
                lines: Named::default(),
                evidence: Named::default(),
                runbook: None,
            },
        }
    }

    /// The lines and the numbers.
    pub(super) fn details(&self) -> Named {
        Named([self.lines.0.as_slice(), self.evidence.0.as_slice()].concat())
    }

    /// The runbook, for pagers that take addresses and their titles.
    pub(super) fn links(&self) -> Vec<Link<'_>> {
        let runbook = self.runbook.iter();
        runbook
            .map(|href| Link {
                href,
                text: "Runbook",
            })
            .collect()
    }
}

/// An address and its title.
#[derive(Debug, Serialize)]
pub(super) struct Link<'a> {
    pub(super) href: &'a str,
    pub(super) text: &'static str,
}

/// How urgent it is, in the words of PagerDuty, which Prometheus' own rules use too.
pub(super) fn urgency(severity: Severity) -> &'static str {
    match severity {
        Severity::Page => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

fn headline(notification: &Notification) -> String {
    let summary = &notification.summary;
    match notification.action {
        Action::Trigger => summary.clone(),
        Action::Resolve => format!("resolved: {summary}"),
        Action::Missed => format!("over before it could be told: {summary}"),
    }
}

fn lines(notification: &Notification) -> Named {
    let since = notification.since;
    let mut lines = match (notification.action, notification.ended_at) {
        (Action::Trigger, _) | (_, None) => vec![
            ("done_already", notification.done_already.clone()),
            ("still_wrong", still_wrong(notification)),
            ("since", since.to_string()),
            ("ends_when", notification.ends_when.clone()),
            ("undo", notification.undo.clone()),
        ],
        (_, Some(ended_at)) => {
            let lasted = humantime::format_duration(ended_at.since(since));
            vec![
                ("done_already", notification.done_already.clone()),
                ("since", since.to_string()),
                ("ended_at", ended_at.to_string()),
                ("lasted", lasted.to_string()),
            ]
        }
    };
    lines.push(("incident", notification.incident.as_str().to_owned()));
    let lines = lines
        .into_iter()
        .map(|(name, text)| (name.to_owned(), one_line(&text, LONGEST_LINE)));
    Named(lines.filter(|(_, text)| !text.is_empty()).collect())
}

fn still_wrong(notification: &Notification) -> String {
    match (notification.well_since, notification.things) {
        (Some(since), _) => {
            format!("nothing new since {since}; it is held open, for it may come back")
        }
        (None, 0 | 1) => "it goes on".to_owned(),
        (None, things) => {
            format!("it goes on: {things} document types, fields or kinds of failure")
        }
    }
}

/// Collects the numbers of an event under flat names.
#[derive(Debug, Default)]
struct FlatEvidence {
    found: Vec<(String, String)>,
    names: BTreeSet<String>,
    bytes: usize,
    left_out: usize,
}

impl FlatEvidence {
    fn of(notification: &Notification) -> Named {
        let mut evidence = Self::default();
        for (name, value) in &notification.evidence {
            evidence.add(&format!("evidence_{name}"), value);
        }
        let Self {
            mut found,
            left_out,
            ..
        } = evidence;
        if left_out > 0 {
            let text = format!("{left_out}; `Pipeline::incidents` has all");
            found.push(("left_out".to_owned(), text));
        }
        Named(found)
    }

    fn add(&mut self, name: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                for (field, value) in fields {
                    self.add(&format!("{}_{field}", cut(name, LONGEST_NAME)), value);
                }
            }
            Value::Array(items) => match list(items) {
                Some(text) => self.tell(name, &text),
                None => {
                    for (at, item) in (1..).zip(items) {
                        self.add(&format!("{}_{at}", cut(name, LONGEST_NAME)), item);
                    }
                }
            },
            Value::Number(number) => {
                let is_time = name.ends_with("_at") || name.ends_with("_until");
                let time = number.as_u64().filter(|_| is_time);
                let time = time.map(|millis| Timestamp::from_millis(millis).to_string());
                self.tell(name, &time.unwrap_or_else(|| number.to_string()));
            }
            Value::Bool(_) => self.tell(name, &value.to_string()),
            Value::String(text) => self.tell(name, text),
        }
    }

    fn tell(&mut self, name: &str, text: &str) {
        let text = one_line(text, LONGEST_LINE);
        if text.is_empty() {
            return;
        }
        let name = self.free_name(name);
        let bytes = self.bytes + name.len() + text.len();
        if self.found.len() >= MOST_EVIDENCE || bytes > MOST_BYTES {
            self.left_out += 1;
            return;
        }
        self.bytes = bytes;
        self.names.insert(name.clone());
        self.found.push((name, text));
    }

    /// Letters, digits and `_`, which is what Alertmanager takes; no two are the same.
    fn free_name(&self, name: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = name.chars().take(LONGEST_NAME).map(plain).collect();
        let others = (2..=MOST_EVIDENCE).map(|n| format!("{name}_{n}"));
        let mut names = std::iter::once(name.clone()).chain(others);
        names
            .find(|name| !self.names.contains(name))
            .unwrap_or(name)
    }
}

/// A list of texts and numbers in one line; `None` if there is more in it.
fn list(items: &[Value]) -> Option<String> {
    if let [part, whole] = items {
        if let (Some(part), Some(whole)) = (part.as_u64(), whole.as_u64()) {
            let word = if part <= whole { " of " } else { "/" };
            return Some(format!("{part}{word}{whole}"));
        }
    }
    let shown = items.iter().take(LONGEST_LINE).map(|item| match item {
        Value::String(text) => Some(cut(text, LONGEST_LINE)),
        Value::Number(_) | Value::Bool(_) | Value::Null => Some(item.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    });
    let shown: Option<Vec<String>> = shown.collect();
    Some(shown?.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evidence(value: &Value) -> Named {
        let mut evidence = FlatEvidence::default();
        for (name, value) in value.as_object().into_iter().flatten() {
            evidence.add(name, value);
        }
        Named(evidence.found)
    }

    #[test]
    fn evidence_is_flat_and_its_names_are_plain_and_different() {
        let told = evidence(&json!({
            "calls": 100, "none": null, "kinds": { "server_error": 6, "sérver_error": 1 },
            "s_rver_error": 0, "threshold": [5, 100], "ratio": [3, 2], "also": ["a.b", "c"],
            "types": [{ "document_type": "memo" }], "probes_at": 1_773_435_600_000_u64,
            "is": true,
        }));
        let told: Vec<(&str, &str)> = told
            .0
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("also", "a.b, c"),
                ("calls", "100"),
                ("is", "true"),
                ("kinds_server_error", "6"),
                ("kinds_s_rver_error", "1"),
                ("probes_at", "2026-03-13T21:00:00.000Z"),
                ("ratio", "3/2"),
                ("s_rver_error", "0"),
                ("threshold", "5 of 100"),
                ("types_1_document_type", "memo"),
            ]
        );
        let same = evidence(&json!({ "a b": 1, "a.b": 2, "a_b": 3 }));
        let names: Vec<&str> = same.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a_b", "a_b_2", "a_b_3"]);
    }

    #[test]
    fn long_evidence_is_cut_at_its_end() {
        let many: Value = (100..200).map(|n| (format!("n{n}"), json!(n))).collect();
        let told = evidence(&many);
        assert_eq!(told.0.len(), MOST_EVIDENCE);
        assert_eq!(told.0.last().unwrap().0, "n159");
        let large: Value = (100..200)
            .map(|n| (format!("n{n}"), json!("🔥".repeat(10_000))))
            .collect();
        let told = evidence(&large);
        let bytes = told.0.iter().map(|(name, text)| name.len() + text.len());
        assert!(bytes.sum::<usize>() <= MOST_BYTES);
        assert!(told.0.len() >= 8);
    }
}
