//! What is wrong with the flow of documents, as its incident knows it.

use super::arrivals::Missing;
use crate::event::{EventKind, LedgerEvent, Severity};
use crate::guard::{Cx, Trouble};
use crate::name::DocumentType;
use crate::time::hours;

/// The most types that one event names besides the worst.
const NAMED: usize = 9;

/// Calls have been open for too long.
pub(super) fn overdue() -> Trouble<'static> {
    Trouble::new("overdue").held_open_for(hours(1))
}

/// Calls were open in a restored snapshot.
pub(super) fn lost_in_restart(calls: usize) -> Trouble<'static> {
    let trouble = Trouble::new("lost-in-restart").until_acknowledged();
    trouble.many(calls as u64).worse()
}

/// Documents have waited for a person for too long.
pub(super) fn review_queue(documents: u64) -> Trouble<'static> {
    Trouble::new("review-queue").many(documents)
}

/// Says for which types nothing comes out.
pub(super) fn nothing_comes_out(stuck: Vec<(&DocumentType, Missing)>, cx: &Cx<'_>) {
    say(
        Trouble::new("nothing-comes-out"),
        stuck,
        cx,
        |worst, also, more| {
            EventKind::Ledger(LedgerEvent::NothingComesOut {
                document_type: worst.0.clone(),
                arrived: worst.1.arrived,
                silent_for: worst.1.lasted,
                also,
                more,
            })
        },
    );
}

/// Says which types no longer arrive.
pub(super) fn silent(silent: Vec<(&DocumentType, Missing)>, severity: Severity, cx: &Cx<'_>) {
    let what = match severity {
        Severity::Page => "silent",
        _ => "quiet",
    };
    say(
        Trouble::new(what).told_as(severity),
        silent,
        cx,
        |worst, also, more| {
            EventKind::Ledger(LedgerEvent::Silent {
                document_type: worst.0.clone(),
                last_seen: worst.1.last_seen,
                silent_for: worst.1.lasted,
                also,
                more,
            })
        },
    );
}

/// Says what goes on with several types in one event: the one that has gone on for longest, a few
/// others by name, and how many more there are.
fn say(
    trouble: Trouble<'_>,
    mut missing: Vec<(&DocumentType, Missing)>,
    cx: &Cx<'_>,
    kind: impl Fn(&(&DocumentType, Missing), Vec<DocumentType>, u64) -> EventKind,
) {
    missing.sort_by(|(one, a), (other, b)| b.lasted.cmp(&a.lasted).then(one.cmp(other)));
    let trouble = trouble.many(missing.len() as u64);
    let told = |worst: &(&DocumentType, Missing), others: &[&(&DocumentType, Missing)]| {
        let also = others.iter().take(NAMED).map(|(name, _)| (*name).clone());
        let more = others.len().saturating_sub(NAMED) as u64;
        kind(worst, also.collect(), more)
    };
    let all: Vec<_> = missing.iter().collect();
    let new: Vec<_> = all
        .iter()
        .copied()
        .filter(|(_, missing)| missing.is_new)
        .collect();
    match (&new[..], &all[..]) {
        ([worst, others @ ..], _) => cx.page(&trouble, told(worst, others)),
        ([], [worst, others @ ..]) => cx.still(&trouble, || told(worst, others)),
        ([], []) => {}
    }
}
