//! Prometheus' Alertmanager, through its API v2.

use std::time::Duration;

use serde::Serialize;

use super::address;
use super::line;
use super::notification::{Action, Notification};
use super::post::PostRequest;
use super::seam::{Form, Pager};
use super::secret::Secret;
use super::text::{Named, PageText, urgency};
use crate::error::Error;
use crate::time::{Timestamp, minutes};

/// An alert that is not sent again fires for this long; a server that has no `endsAt` waits as long.
const FIRES_FOR: Duration = minutes(5);
/// So an alert goes on firing although three of its repetitions were lost.
const REPEATED_EVERY: Duration = minutes(1);
/// An alert may not end before it starts.
const SHORTEST: Duration = Duration::from_millis(1);
/// The labels of every alert.
const OWN_LABELS: [&str; 6] = [
    "alertname",
    "guard",
    "incident",
    "pipeline",
    "severity",
    "version",
];

/// An Alertmanager, through `/api/v2/alerts`.
///
/// An incident is one alert, however many replicas post it. Alertmanager knows an alert by all of
/// its labels, so they have no number that changes: `alertname` (`Fusebox` and what is wrong, as in
/// `FuseboxNothingComesOut`), `pipeline`, `guard`, `version` where there is one, `incident` (the
/// [`dedup_key`](Notification::dedup_key)), `severity` (`critical` for a page, `warning`), and
/// [your own](Self::with_label). All else is in annotations: `summary`, `runbook_url`, what was
/// done, what still goes wrong, what ends it, what to do, and the numbers.
///
/// Alertmanager forgets: an alert fires until its `endsAt`, which is five minutes after it was sent,
/// and is sent again every minute while the incident is open. Its end is sent once, with the start
/// that it always had, for an alert that ends before it starts is refused.
///
/// The clocks of senders and server must agree within minutes: an `endsAt` that has passed, by the
/// server's clock, ends the alert for all.
///
/// When a warning grows to a page, the label `severity` changes: Alertmanager sees a new alert, as a
/// route by severity needs, and the old one ends by itself within five minutes. An inhibition with
/// `equal: [incident]` hides it.
///
/// What opened and ended while it could not be told is not sent: Alertmanager notifies nobody of an
/// alert that it never saw fire, and shows only those that do.
///
/// # Limits
///
/// Names of labels and annotations have letters, digits and `_`, and begin with no digit; one
/// mistake in a request refuses all of it, with 400. Alertmanager states no limit of texts, but the
/// services behind it do: a summary has at most 1,024 characters, a line 1,000, and all numbers
/// together 32 KB. Measured with Alertmanager 0.25, as Debian 12 has it.
///
/// In a cluster, send to every member, each a route of its own: members do not pass alerts on.
///
/// ```
/// use fusebox::pager::{Alertmanager, PagerRoute};
///
/// let alertmanager = Alertmanager::new("http://alertmanager:9093")?.with_label("team", "documents")?;
/// let route = PagerRoute::new("alertmanager", alertmanager)?.with_warnings();
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Alertmanager {
    alerts_url: Secret,
    labels: Vec<(String, String)>,
    authorization: Option<Secret>,
}

impl Alertmanager {
    /// The server at this address, to which `/api/v2/alerts` is added; an error if it is none.
    pub fn new(base_url: impl Into<Secret>) -> Result<Self, Error> {
        let base_url = address::base("address of Alertmanager", base_url.into())?;
        Ok(Self {
            alerts_url: address::below(&base_url, "/api/v2/alerts"),
            labels: Vec::new(),
            authorization: None,
        })
    }

    /// The same with one more label on every alert, such as a team or a cluster; not one that
    /// differs between replicas, or each has an alert of its own.
    ///
    /// An error if the name is not made of letters, digits and `_`, begins with a digit, or is taken,
    /// or if the text is empty: Alertmanager drops such a label.
    pub fn with_label(
        mut self,
        name: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<Self, Error> {
        let (name, text) = (name.into(), text.into());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_name = name.starts_with(|c: char| is_plain(c) && !c.is_ascii_digit())
            && name.chars().all(is_plain);
        if !is_name {
            let allowed = "letters, digits and `_`, and no digit first";
            return Err(Error::invalid("label", name, allowed));
        }
        let mut taken = OWN_LABELS.into_iter();
        let mut labels = self.labels.iter();
        if taken.any(|own| own == name) || labels.any(|(other, _)| *other == name) {
            return Err(Error::invalid("label", name, "one that is not there yet"));
        }
        if text.is_empty() {
            let field = format!("label {name}");
            return Err(Error::invalid(field, text, "at least one character"));
        }
        self.labels.push((name, text));
        Ok(self)
    }

    /// The same with this value of the header `Authorization`, such as `Bearer ..` or `Basic ..`, for
    /// a proxy in front of it. An error if it has other characters than ASCII ones that are seen.
    pub fn with_authorization(self, value: impl Into<Secret>) -> Result<Self, Error> {
        let authorization = Some(address::header("authorization", value.into())?);
        Ok(Self {
            authorization,
            ..self
        })
    }

    fn labels(&self, notification: &Notification) -> Named {
        let what = line::name(notification.incident.what());
        let mut labels = vec![
            ("alertname", format!("Fusebox{}", camel_case(&what))),
            ("pipeline", notification.pipeline.as_str().to_owned()),
            ("guard", line::name(&notification.guard)),
        ];
        let version = notification.version.as_ref();
        labels.extend(version.map(|version| ("version", version.as_str().to_owned())));
        labels.push(("incident", notification.dedup_key()));
        labels.push(("severity", urgency(notification.severity).to_owned()));
        let own = labels.into_iter().filter(|(_, text)| !text.is_empty());
        let own = own.map(|(name, text)| (name.to_owned(), text));
        Named(own.chain(self.labels.clone()).collect())
    }
}

impl Pager for Alertmanager {
    fn request(
        &self,
        notification: &Notification,
        form: Form,
        now: Timestamp,
    ) -> Option<PostRequest> {
        let soonest = notification.since + SHORTEST;
        let ends_at = match notification.action {
            Action::Trigger => (now + FIRES_FOR).max(soonest),
            Action::Resolve => notification.ended_at.unwrap_or(now).max(soonest),
            Action::Missed => return None,
        };
        let text = PageText::new(notification, form);
        let mut annotations = Named(vec![("summary".to_owned(), text.headline.clone())]);
        let runbook = text.runbook.clone();
        let runbook = runbook.map(|address| ("runbook_url".to_owned(), address));
        annotations.0.extend(text.details().0);
        annotations.0.extend(runbook);
        let alert = PostableAlert {
            labels: self.labels(notification),
            annotations,
            starts_at: notification.since.to_string(),
            ends_at: ends_at.to_string(),
            generator_url: text.runbook,
        };
        let request = PostRequest::of(self.alerts_url.clone(), &[alert]);
        Some(match &self.authorization {
            Some(authorization) => request.with_header("authorization", authorization.clone()),
            None => request,
        })
    }

    fn repeats_every(&self) -> Option<Duration> {
        Some(REPEATED_EVERY)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PostableAlert {
    labels: Named,
    annotations: Named,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

/// `nothing-comes-out` as `NothingComesOut`.
fn camel_case(what: &str) -> String {
    let words = what.split(['-', '_', ' ']);
    let capitalised = words.flat_map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters)
    });
    capitalised.collect()
}
