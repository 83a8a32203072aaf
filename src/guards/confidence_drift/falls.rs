//! The fields that fall together: one page names the worst of them.

use super::incident::{detected, drift};
use super::key::Key;
use super::verdict::Fall;
use crate::event::{EventKind, Severity};
use crate::guard::Cx;

/// How many fields an event names besides the worst.
const ALSO: usize = 9;

/// The fields that fell in one bucket, over all types.
#[derive(Debug, Default)]
pub(super) struct Falls {
    bucket: u64,
    fields: Vec<(Key, Fall)>,
    /// Whether some fell since they were last named.
    has_news: bool,
}

impl Falls {
    /// Pages for the first fields that fall in a bucket. Those that follow join them, and the worst
    /// are named when the bucket ends. Each field has an event of its own.
    pub(super) fn add(&mut self, fields: Vec<(Key, Fall)>, bucket: u64, cx: &Cx<'_>) {
        self.end_bucket(bucket, cx);
        let known = self.fields.len();
        self.fields.extend(fields);
        self.has_news = known > 0;
        let mut named = None;
        if known == 0 {
            self.page(cx);
            named = self.worst_first().first().map(|(key, _)| key.clone());
        }
        for (key, fall) in self.fields.iter().skip(known) {
            let trouble = key.to_string();
            cx.still(&drift(&trouble), || self.event(key, fall));
            if named.as_ref() != Some(key) {
                cx.emit(Severity::Info, detected(key, fall, Vec::new(), 0));
            }
        }
    }

    /// Names the worst of the fields that fell in the bucket that has ended, if not all were paged
    /// for.
    pub(super) fn end_bucket(&mut self, bucket: u64, cx: &Cx<'_>) {
        if bucket <= self.bucket {
            return;
        }
        if self.has_news {
            self.page(cx);
        }
        *self = Self {
            bucket,
            ..Self::default()
        };
    }

    fn page(&self, cx: &Cx<'_>) {
        if let Some((worst, fall)) = self.worst_first().first() {
            let name = worst.to_string();
            let trouble = drift(&name).many(self.fields.len() as u64);
            cx.page(&trouble, self.event(worst, fall));
        }
    }

    /// The event of the field that fell most, which names the next nine; that of this field if there
    /// is none.
    fn event(&self, key: &Key, fall: &Fall) -> EventKind {
        let falls = self.worst_first();
        let Some(((worst, worst_fall), others)) = falls.split_first() else {
            return detected(key, fall, Vec::new(), 0);
        };
        let also = others.iter().take(ALSO).map(|(key, _)| key.to_string());
        let more = others.len().saturating_sub(ALSO) as u64;
        detected(worst, worst_fall, also.collect(), more)
    }

    fn worst_first(&self) -> Vec<&(Key, Fall)> {
        let mut falls: Vec<_> = self.fields.iter().collect();
        falls.sort_by(|(one, fall), (other, other_fall)| {
            let deepest_first = other_fall.drop().cmp(&fall.drop());
            deepest_first.then_with(|| one.cmp(other))
        });
        falls
    }
}
