//! The documents whose corrections a stage waits for: those that came in the stage's own time. What
//! comes later, while it waits, is evidence too, but nobody waits for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counts::Pair;
use crate::call::Role;
use crate::stats::Delays;
use crate::time::{Timestamp, as_millis};

/// The stage's time is divided into so many slices, each of which has one age.
const SLICES: u8 = 8;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cohort {
    /// When it was complete.
    until: Option<Timestamp>,
    /// The length of a slice; the last one goes on until the cohort is complete.
    #[serde(with = "as_millis")]
    slice: Duration,
    answered: Pair<[u32; SLICES as usize]>,
    looked_at: Pair<u32>,
}

impl Cohort {
    /// The stage has run for its time.
    pub(super) fn close(&mut self, now: Timestamp) {
        self.until.get_or_insert(now);
    }

    pub(super) fn includes(&self, admitted_at: Timestamp) -> bool {
        self.until.is_none_or(|until| admitted_at < until)
    }

    /// Counts answers to documents that came so long after the stage began, which shall last for
    /// `at_least`.
    pub(super) fn answered(
        &mut self,
        role: Role,
        answers: u64,
        after: Duration,
        at_least: Duration,
    ) {
        self.slice = at_least / u32::from(SLICES);
        let slice = after.as_millis() / self.slice.as_millis().max(1);
        let slice = usize::try_from(slice).unwrap_or(usize::MAX);
        let slice = slice.min(usize::from(SLICES) - 1);
        if let Some(answered) = self.answered.of(role).get_mut(slice) {
            let answers = u32::try_from(answers).unwrap_or(u32::MAX);
            *answered = answered.saturating_add(answers);
        }
    }

    pub(super) fn looked_at(&mut self, role: Role) {
        let looked_at = self.looked_at.of(role);
        *looked_at = looked_at.saturating_add(1);
    }

    /// How many answers of a version there are, and how many of them have been looked at.
    pub(super) fn counts(&self, role: Role) -> (u32, u32) {
        let (mut answered, mut looked_at) = (self.answered, self.looked_at);
        let answered = answered.of(role).iter();
        let answered = answered.fold(0_u32, |sum, count| sum.saturating_add(*count));
        (answered, *looked_at.of(role))
    }

    /// The share of each version's corrections that has usually come by now; zero without answers.
    pub(super) fn usual(&self, delays: &Delays, since: Timestamp, now: Timestamp) -> Pair<f64> {
        let (mut all, mut come) = (Pair::<f64>::default(), Pair::<f64>::default());
        let Pair { candidate, stable } = &self.answered;
        for (number, (candidate, stable)) in (0_u32..).zip(candidate.iter().zip(stable)) {
            if (*candidate, *stable) == (0, 0) {
                continue;
            }
            let end = since + self.slice.saturating_mul(number + 1);
            let end = if number + 1 == u32::from(SLICES) {
                end.max(self.until.unwrap_or(now))
            } else {
                end
            };
            let age = (now + self.slice / 2).since(end);
            let share = delays.share_within(age);
            for (role, answered) in [(Role::Candidate, *candidate), (Role::Stable, *stable)] {
                *all.of(role) += f64::from(answered);
                *come.of(role) += f64::from(answered) * share;
            }
        }
        Pair {
            candidate: come.candidate / all.candidate.max(1.0),
            stable: come.stable / all.stable.max(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{hours, minutes};

    /// Reviews take an hour, of which the bin ends at 64 minutes. Of two hours, eight slices of a
    /// quarter of an hour, each as old as its middle, with as many answers.
    #[test]
    fn a_cohort_matures_after_it_is_complete() {
        let mut delays = Delays::default();
        delays.add(hours(1));
        let begin = Timestamp::EPOCH;
        let mut cohort = Cohort::default();
        let usual = |cohort: &Cohort, minute| {
            let usual = cohort.usual(&delays, begin, begin + minutes(minute));
            usual.candidate
        };
        assert!(usual(&cohort, 120).abs() < 1e-12, "no answers");
        for minute in 0..120 {
            cohort.answered(Role::Candidate, 1, minutes(minute), hours(2));
        }
        assert!((usual(&cohort, 120) - 0.5).abs() < 1e-12);
        cohort.close(begin + hours(2));
        cohort.close(begin + hours(3));
        for (minute, share) in [(120, 0.5), (150, 0.75), (176, 0.875), (180, 1.0)] {
            let found = usual(&cohort, minute);
            assert!((found - share).abs() < 1e-12, "{minute}: {found}");
        }
        assert!(cohort.includes(begin + minutes(119)) && !cohort.includes(begin + hours(2)));
        assert_eq!(cohort.counts(Role::Candidate), (120, 0));
    }

    /// A stage that goes on for longer, because a version was away: what came last is as young as
    /// the end of that.
    #[test]
    fn a_stage_that_is_longer_is_younger() {
        let mut delays = Delays::default();
        delays.add(hours(1));
        let mut cohort = Cohort::default();
        cohort.answered(Role::Stable, 1, hours(1), hours(2));
        cohort.answered(Role::Stable, 1, hours(5), hours(2));
        cohort.close(Timestamp::EPOCH + hours(6));
        for (minute, share) in [(6 * 60, 0.5), (6 * 60 + 60, 1.0)] {
            let now = Timestamp::EPOCH + minutes(minute);
            let found = cohort.usual(&delays, Timestamp::EPOCH, now).stable;
            assert!((found - share).abs() < 1e-12, "{minute}: {found}");
        }
    }
}
