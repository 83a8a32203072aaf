//! The fields that fall together: one page names the worst of them.

use super::incident::{detected, drift};
use super::key::Key;
use super::verdict::Fall;
use crate::event::{EventKind, Severity};
use crate::guard::Cx;
use crate::name::VersionId;

/// How many fields an event names besides the worst.
const ALSO: usize = 9;

/// More events of one document would crowd out others.
const MOST_EVENTS: usize = 500;

/// A field that fell, as one version answers it.
#[derive(Clone, Debug)]
pub(super) struct Fallen {
    pub(super) key: Key,
    pub(super) version: VersionId,
    pub(super) fall: Fall,
}

impl Fallen {
    fn event(&self, also: Vec<String>, more: u64) -> EventKind {
        detected(&self.key, &self.version, &self.fall, also, more)
    }
}

/// The fields that fell in one bucket, over all types.
#[derive(Debug, Default)]
pub(super) struct Falls {
    bucket: u64,
    fields: Vec<Fallen>,
    /// Whether some fell since they were last named.
    has_news: bool,
}

impl Falls {
    /// Pages for the first fields that fall in a bucket. Those that follow join them, and the worst
    /// are named when the bucket ends. Each field has an event of its own, up to 500 of a document.
    pub(super) fn add(&mut self, fields: Vec<Fallen>, bucket: u64, cx: &Cx<'_>) {
        self.end_bucket(bucket, cx);
        let known = self.fields.len();
        self.fields.extend(fields);
        self.has_news = known > 0;
        let mut paged = None;
        if let Some(worst) = self.worst_first().first().filter(|_| known == 0) {
            let name = worst.key.to_string();
            let trouble = drift(&name).many(self.fields.len() as u64);
            cx.page(&trouble, self.worst_event(worst));
            paged = Some((worst.key.clone(), worst.version.clone()));
        }
        for (n, fallen) in self.fields.iter().skip(known).enumerate() {
            let name = fallen.key.to_string();
            cx.still(&drift(&name), || self.worst_event(fallen));
            let is_paged = paged.as_ref() == Some(&(fallen.key.clone(), fallen.version.clone()));
            if !is_paged && n < MOST_EVENTS {
                cx.emit(Severity::Info, fallen.event(Vec::new(), 0));
            }
        }
    }

    /// Names the worst of the fields that fell in the bucket that has ended, if not all were paged
    /// for.
    pub(super) fn end_bucket(&mut self, bucket: u64, cx: &Cx<'_>) {
        if bucket <= self.bucket {
            return;
        }
        if let Some(worst) = self.worst_first().first().filter(|_| self.has_news) {
            let name = worst.key.to_string();
            cx.page(&drift(&name), self.worst_event(worst));
        }
        *self = Self {
            bucket,
            ..Self::default()
        };
    }

    /// A person has put a field right: it needs no further page.
    pub(super) fn forget(&mut self, key: &Key) {
        self.fields.retain(|fallen| fallen.key != *key);
    }

    /// The event of the field that fell most, which names the next nine; that of `fallen` if there
    /// is none.
    fn worst_event(&self, fallen: &Fallen) -> EventKind {
        let falls = self.worst_first();
        let Some((worst, others)) = falls.split_first() else {
            return fallen.event(Vec::new(), 0);
        };
        let mut names: Vec<_> = others
            .iter()
            .map(|other| other.key.to_string())
            .filter(|name| *name != worst.key.to_string())
            .collect();
        // One that fell in two versions.
        names.dedup();
        let more = names.len().saturating_sub(ALSO) as u64;
        names.truncate(ALSO);
        worst.event(names, more)
    }

    fn worst_first(&self) -> Vec<&Fallen> {
        let mut falls: Vec<_> = self.fields.iter().collect();
        falls.sort_by(|one, other| {
            let deepest_first = other.fall.drop().cmp(&one.fall.drop());
            deepest_first.then_with(|| one.key.cmp(&other.key))
        });
        falls
    }
}
