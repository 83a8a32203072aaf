//! What a replay does, in which order: worked out once, so that a run only walks along it.

use std::collections::HashMap;
use std::time::Duration;

use super::record::{RecordedCall, RecordedCorrection};
use crate::time::Timestamp;

/// The calls and corrections of a recording, and when each begins, ends or comes.
#[derive(Debug, Default)]
pub(crate) struct Timetable {
    /// By time, then by document.
    pub(crate) calls: Vec<RecordedCall>,
    pub(super) corrections: Vec<RecordedCorrection>,
    pub(super) steps: Vec<(Timestamp, Step)>,
    /// The place of each call among those that are open at one time; `None` if it ends at once.
    pub(super) places: Vec<Option<usize>>,
    /// How many calls are open at one time, at most.
    pub(super) most_open: usize,
    /// The number of each call among those that are corrected later.
    pub(super) corrected: Vec<Option<usize>>,
    /// How many calls are corrected later.
    pub(super) corrected_calls: usize,
    /// The call that each correction is about.
    pub(super) of_call: Vec<Option<usize>>,
}

/// What happens at a time, in the order in which it does at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    End(usize),
    /// And ends, if it took no time.
    Begin(usize),
    Correct(usize),
}

impl Timetable {
    pub(super) fn new(
        mut calls: Vec<RecordedCall>,
        mut corrections: Vec<RecordedCorrection>,
    ) -> Self {
        calls.sort_by(|a, b| (a.at, &a.document).cmp(&(b.at, &b.document)));
        let order = |correction: &RecordedCorrection| (correction.at, correction.document.clone());
        corrections.sort_by_cached_key(order);
        let steps = steps(&calls, &corrections);
        let (places, most_open) = places(&calls, &steps);
        let of_call = matched(&calls, &corrections, &steps);
        let mut corrected = vec![None; calls.len()];
        let mut corrected_calls = 0;
        for call in of_call.iter().flatten() {
            if let Some(number @ None) = corrected.get_mut(*call) {
                *number = Some(corrected_calls);
                corrected_calls += 1;
            }
        }
        Self {
            calls,
            corrections,
            steps,
            places,
            most_open,
            corrected,
            corrected_calls,
            of_call,
        }
    }

    /// The corrections of each call that had ended, by the number of the call: how long after its
    /// end each came.
    pub(crate) fn by_call(&self) -> Vec<(usize, Duration, &RecordedCorrection)> {
        let pairs = self.of_call.iter().zip(&self.corrections);
        let mut by_call: Vec<_> = pairs
            .filter_map(|(number, correction)| {
                let number = (*number)?;
                let call = self.calls.get(number)?;
                let ended = call.at + call.end.as_ref()?.latency;
                (correction.at >= ended).then(|| (number, correction.at.since(ended), correction))
            })
            .collect();
        by_call.sort_by_key(|(number, after, _)| (*number, *after));
        by_call
    }

    /// When it begins and ends.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let (begins, _) = self.steps.first()?;
        let (ends, _) = self.steps.last()?;
        Some((*begins, *ends))
    }
}

fn steps(calls: &[RecordedCall], corrections: &[RecordedCorrection]) -> Vec<(Timestamp, Step)> {
    let mut steps = Vec::with_capacity(2 * calls.len() + corrections.len());
    for (number, call) in calls.iter().enumerate() {
        steps.push((call.at, Step::Begin(number)));
        let ends = call.end.as_ref().map(|end| call.at + end.latency);
        if let Some(ends) = ends.filter(|ends| *ends > call.at) {
            steps.push((ends, Step::End(number)));
        }
    }
    for (number, correction) in corrections.iter().enumerate() {
        steps.push((correction.at, Step::Correct(number)));
    }
    steps.sort_unstable();
    steps
}

/// Gives each call a place from its beginning to its end.
fn places(calls: &[RecordedCall], steps: &[(Timestamp, Step)]) -> (Vec<Option<usize>>, usize) {
    let ends_at_once =
        |call: &RecordedCall| call.end.as_ref().is_some_and(|end| end.latency.is_zero());
    let mut places = vec![None; calls.len()];
    let (mut free, mut most_open) = (Vec::new(), 0);
    for (_, step) in steps {
        match step {
            Step::Begin(number) => {
                if calls.get(*number).is_none_or(ends_at_once) {
                    continue;
                }
                let place = free.pop().unwrap_or(most_open);
                most_open = most_open.max(place + 1);
                if let Some(of_call) = places.get_mut(*number) {
                    *of_call = Some(place);
                }
            }
            Step::End(number) => free.extend(places.get(*number).copied().flatten()),
            Step::Correct(_) => {}
        }
    }
    (places, most_open)
}

/// The latest call of each correction's document that had begun.
fn matched(
    calls: &[RecordedCall],
    corrections: &[RecordedCorrection],
    steps: &[(Timestamp, Step)],
) -> Vec<Option<usize>> {
    let mut latest = HashMap::new();
    let mut matched = vec![None; corrections.len()];
    for (_, step) in steps {
        match step {
            Step::Begin(number) => {
                if let Some(call) = calls.get(*number) {
                    latest.insert(&call.document, *number);
                }
            }
            Step::Correct(number) => {
                if let (Some(correction), Some(of)) =
                    (corrections.get(*number), matched.get_mut(*number))
                {
                    *of = latest.get(&correction.document).copied();
                }
            }
            Step::End(_) => {}
        }
    }
    matched
}
