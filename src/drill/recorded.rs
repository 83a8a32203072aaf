//! Recorded documents as the traffic of a drill.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::distribution::DelayDistribution;
use super::made_up::USUAL_FIELD;
use super::replay::{RecordedCall, Recording, Timetable};
use crate::error::Error;
use crate::name::Field;
use crate::time::{Timestamp, millis};

/// The calls of a recording, once or again and again.
#[derive(Clone)]
pub(super) struct RecordedTraffic {
    timetable: Arc<Timetable>,
    /// The corrections of answers, in the order of the calls.
    corrections: Arc<[RecordedReview]>,
    /// How long after an answer its corrections came.
    pub(super) correction_delay: DelayDistribution,
    /// The field of an answer that names none.
    pub(super) usual_field: Field,
    /// From the first call to the last, and on to where the next would come.
    length: Duration,
    pub(super) repeats: bool,
}

/// That an answer was corrected.
#[derive(Clone, Debug)]
pub(super) struct RecordedReview {
    /// The number of its call.
    number: usize,
    /// How long after the answer.
    pub(super) after: Duration,
    pub(super) fields: Vec<Field>,
}

/// A call of a recording, and for the how many-th time it comes, from 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded<'a> {
    pub(super) call: &'a RecordedCall,
    pub(super) corrections: &'a [RecordedReview],
    pub(super) round: u64,
}

impl RecordedTraffic {
    pub(super) fn of(recording: &Recording) -> Result<Self, Error> {
        recording.check()?;
        let timetable = recording.timetable()?;
        let corrections: Arc<[_]> = timetable
            .by_call()
            .into_iter()
            .map(|(number, after, correction)| RecordedReview {
                number,
                after,
                fields: correction.fields.clone(),
            })
            .collect();
        let delays = corrections.iter().map(|correction| correction.after);
        let correction_delay = DelayDistribution::recorded(delays);
        let corrected = corrections.iter().flat_map(|correction| &correction.fields);
        let reported = timetable.calls.iter().filter_map(|call| call.end.as_ref());
        let reported = reported.flat_map(|end| end.report.confidences());
        let field = corrected.chain(reported.map(|(field, _)| field)).next();
        let usual_field = field.cloned().map_or_else(|| Field::new(USUAL_FIELD), Ok)?;
        Ok(Self {
            length: length(&timetable.calls),
            correction_delay: correction_delay
                .unwrap_or_else(|_| Duration::from_secs(3_600).into()),
            corrections,
            usual_field,
            timetable,
            repeats: false,
        })
    }

    /// An error if it is over before a drill of this length is, or cannot repeat.
    pub(super) fn check(&self, drill: Duration) -> Result<(), Error> {
        let documents = self.timetable.calls.len() as u128;
        if !self.repeats {
            if drill <= self.length {
                return Ok(());
            }
            let allowed = format!(
                "at most {}, the length of the recording; or let it repeat (`repeating`)",
                humantime::format_duration(self.length)
            );
            let drill = humantime::format_duration(drill);
            return Err(Error::invalid("length of a drill", drill, allowed));
        }
        if self.length.is_zero() {
            let allowed = "calls at two times or more, so that there is a time between them";
            return Err(Error::invalid(
                "recording that repeats",
                "calls at one time",
                allowed,
            ));
        }
        if documents > self.length.as_millis() {
            let length = humantime::format_duration(self.length);
            let allowed = "at most 3600000 an hour";
            return Err(Error::invalid(
                "documents of a recording that repeats",
                format!("{documents} in {length}"),
                allowed,
            ));
        }
        Ok(())
    }

    /// The call that comes after so many, and when, since the first.
    pub(super) fn call(&self, arrived: u64) -> Option<(Duration, Recorded<'_>)> {
        let calls = &self.timetable.calls;
        let count = calls.len() as u64;
        let round = arrived.checked_div(count)?;
        if round > 0 && !self.repeats {
            return None;
        }
        let number = usize::try_from(arrived.checked_rem(count)?).ok()?;
        let (first, call) = (calls.first()?, calls.get(number)?);
        let earlier = millis(self.length).saturating_mul(round);
        let after = call
            .at
            .since(first.at)
            .saturating_add(Duration::from_millis(earlier));
        let begins = self.corrections.partition_point(|of| of.number < number);
        let ends = self.corrections.partition_point(|of| of.number <= number);
        let corrections = self.corrections.get(begins..ends).unwrap_or_default();
        let recorded = Recorded {
            call,
            corrections,
            round,
        };
        Some((after, recorded))
    }
}

/// From the first call to the last, and the mean time between two.
fn length(calls: &[RecordedCall]) -> Duration {
    let at = |call: Option<&RecordedCall>| call.map_or(Timestamp::default(), |call| call.at);
    let span = at(calls.last()).since(at(calls.first()));
    let gaps = calls.len().saturating_sub(1) as u64;
    let mean = millis(span).checked_div(gaps).unwrap_or(0);
    span + Duration::from_millis(mean)
}

impl fmt::Debug for RecordedTraffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedTraffic")
            .field("calls", &self.timetable.calls.len())
            .field("length", &self.length)
            .field("repeats", &self.repeats)
            .finish_non_exhaustive()
    }
}
