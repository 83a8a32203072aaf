//! Whether somebody ticks. Guards cannot notice that nobody does, so calls do.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::event::{EventKind, PipelineEvent, Severity};
use crate::guard::{Cx, Trouble};
use crate::time::{Timestamp, millis, minutes};

/// More than this long without a tick is a warning ..
const WARN_AFTER: u64 = millis(minutes(1));
/// .. and more than this long a page, ..
const PAGE_AFTER: u64 = millis(minutes(5));
/// .. but not until this long after the warning: after a pause the first call may come before the
/// first tick.
const PAGE_AFTER_WARNING: u64 = millis(minutes(4));
/// Nothing more is told until the next tick.
const NEVER: u64 = u64::MAX;

/// When a tick came last, and what was told since.
#[derive(Debug)]
pub(super) struct Ticks {
    /// From when on a call has something to tell; all that a healthy call looks at.
    due_at: AtomicU64,
    gap: Mutex<Gap>,
}

#[derive(Debug)]
struct Gap {
    since: Timestamp,
    is_warned: bool,
}

impl Ticks {
    /// Counts from the moment at which the pipeline was built.
    pub(super) fn since(now: Timestamp) -> Self {
        Self {
            due_at: AtomicU64::new(first_due(now)),
            gap: Mutex::new(Gap {
                since: now,
                is_warned: false,
            }),
        }
    }

    /// A tick came, or the pipeline begins anew.
    pub(super) fn came(&self, cx: &Cx<'_>) {
        let mut gap = self.gap.lock();
        if gap.is_warned {
            cx.well(&trouble());
        }
        *gap = Gap {
            since: cx.now(),
            is_warned: false,
        };
        self.due_at.store(first_due(cx.now()), Ordering::Relaxed);
    }

    /// Whether a call at this time has something to tell.
    #[inline]
    pub(super) fn are_missing(&self, now: Timestamp) -> bool {
        now.as_millis() >= self.due_at.load(Ordering::Relaxed)
    }

    /// Tells that no tick has come, once as a warning and once as a page.
    #[cold]
    pub(super) fn tell_missing(&self, cx: &Cx<'_>) {
        let mut gap = self.gap.lock();
        if !self.are_missing(cx.now()) {
            return;
        }
        let kind = EventKind::Pipeline(PipelineEvent::NoTick {
            lasted: cx.now().since(gap.since),
        });
        let due_at = if gap.is_warned {
            cx.page(&trouble(), kind);
            NEVER
        } else {
            cx.emit(Severity::Warning, kind);
            gap.is_warned = true;
            let page_at = gap.since.as_millis().saturating_add(PAGE_AFTER + 1);
            page_at.max(cx.now().as_millis().saturating_add(PAGE_AFTER_WARNING))
        };
        self.due_at.store(due_at, Ordering::Relaxed);
    }
}

fn first_due(now: Timestamp) -> u64 {
    now.as_millis().saturating_add(WARN_AFTER + 1)
}

fn trouble() -> Trouble<'static> {
    Trouble::new("no-tick")
}
