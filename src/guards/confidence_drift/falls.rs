//! The fields that fall together: one page names the worst of them.

use super::incident::{detected, drift};
use super::key::Key;
use super::verdict::Fall;
use crate::event::EventKind;
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
    /// Pages for the first fields that fall in a bucket. Those that follow join them, and are named
    /// when the bucket ends.
    pub(super) fn add(
        &mut self,
        fields: Vec<(Key, Fall)>,
        bucket: u64,
        generation: u64,
        cx: &Cx<'_>,
    ) {
        self.end_bucket(bucket, generation, cx);
        let known = self.fields.len();
        self.fields.extend(fields);
        if known == 0 {
            self.page(generation, cx);
        } else {
            self.has_news = true;
        }
        for (key, fall) in self.fields.iter().skip(known) {
            let alone = || detected(key, fall, generation, Vec::new(), 0);
            cx.still(&drift(&key.to_string()), || {
                self.worst(generation).map_or_else(alone, |(_, kind)| kind)
            });
        }
    }

    /// Names the fields that fell in the bucket that has ended, if not all were.
    pub(super) fn end_bucket(&mut self, bucket: u64, generation: u64, cx: &Cx<'_>) {
        if bucket <= self.bucket {
            return;
        }
        if self.has_news {
            self.page(generation, cx);
        }
        *self = Self {
            bucket,
            ..Self::default()
        };
    }

    fn page(&self, generation: u64, cx: &Cx<'_>) {
        if let Some((worst, kind)) = self.worst(generation) {
            let name = worst.to_string();
            cx.page(&drift(&name).many(self.fields.len() as u64), kind);
        }
    }

    /// The field that fell most, and the event that names it and the next nine.
    fn worst(&self, generation: u64) -> Option<(&Key, EventKind)> {
        let mut falls: Vec<_> = self.fields.iter().collect();
        falls.sort_by(|(one, fall), (other, other_fall)| {
            let deepest_first = other_fall.drop().cmp(&fall.drop());
            deepest_first.then_with(|| one.cmp(other))
        });
        let ((worst, fall), others) = falls.split_first()?;
        let also = others.iter().take(ALSO).map(|(key, _)| key.to_string());
        let more = others.len().saturating_sub(ALSO) as u64;
        let kind = detected(worst, fall, generation, also.collect(), more);
        Some((worst, kind))
    }
}
