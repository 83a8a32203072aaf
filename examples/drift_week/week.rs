//! The week, on a mock clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fusebox::clock::MockClock;
use fusebox::report::DriftTimeline;
use fusebox::{
    Call, ConfidenceDriftMonitor, Error, Feedback, Field, LineUp, Pipeline, Report, Ticket,
    Timestamp, Version, sink,
};

use crate::chance::Chance;

/// 2026-03-09 00:00 UTC, a Monday.
const MONDAY: Timestamp = Timestamp::from_millis(1_773_014_400_000);
const MINUTE: Duration = Duration::from_secs(60);
/// 40 documents an hour, while documents come.
const WAIT: Duration = Duration::from_secs(90);
/// A reviewer gets to an answer after this time on average.
const REVIEW: Duration = Duration::from_secs(2 * 3_600);
const TYPE: &str = "invoice";
const FIELD: &str = "total";

/// The hour of a day of the week, from Monday, 0.
const fn at(day: u64, hour: u64) -> Duration {
    Duration::from_secs((day * 24 + hour) * 3_600)
}

/// The scanner is dirty from Tuesday, 14:00, until it is cleaned on Wednesday, 9:00.
const DIRTY: (Duration, Duration) = (at(1, 14), at(2, 9));
/// The operator, who has seen that the scans are good again.
const RESOLVED: Duration = at(2, 11);
/// A supplier sends its invoices in a form of its own on Thursday.
const NEW_FORM: (Duration, Duration) = (at(3, 9), at(3, 17));

fn is_in((from, to): (Duration, Duration), time: Duration) -> bool {
    from <= time && time < to
}

/// From 6 to 20 o'clock, Monday to Friday.
fn is_open(time: Duration) -> bool {
    let hours = time.as_secs() / 3_600;
    hours / 24 < 5 && (6..20).contains(&(hours % 24))
}

/// An answer that a reviewer will correct.
struct Wrong {
    ticket: Ticket,
    due: Timestamp,
}

struct Week {
    drift: Arc<ConfidenceDriftMonitor>,
    timeline: DriftTimeline,
    pipeline: Pipeline,
    clock: MockClock,
    chance: Chance,
    field: Field,
    /// In the order in which they are corrected.
    wrong: VecDeque<Wrong>,
    documents: u64,
}

/// Plays the week; prints each event when it happens.
pub(crate) fn simulate(seed: u64) -> Result<DriftTimeline, Error> {
    let drift = Arc::new(ConfidenceDriftMonitor::default());
    let timeline = DriftTimeline::new(TYPE, FIELD)?;
    let clock = MockClock::at(MONDAY);
    let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
        .guard(Arc::clone(&drift))
        .clock(clock.clone())
        .sink(timeline.clone())
        .sink(sink::from_fn(|event| println!("{event}")))
        .build()?;
    let mut week = Week {
        drift,
        timeline,
        pipeline,
        clock,
        chance: Chance::new(seed),
        field: Field::new(FIELD)?,
        wrong: VecDeque::new(),
        documents: 0,
    };
    week.play()?;
    Ok(week.timeline)
}

impl Week {
    fn play(&mut self) -> Result<(), Error> {
        let mut next_document = Duration::ZERO;
        let mut is_resolved = false;
        for minute in 0..7 * 24 * 60 {
            let time = MINUTE * minute;
            self.clock.set(MONDAY + time);
            while next_document <= time {
                if is_open(time) {
                    self.document(time)?;
                }
                next_document += self.chance.wait(WAIT);
            }
            self.correct();
            if !is_resolved && time >= RESOLVED {
                is_resolved = true;
                let seen = self.drift.status(TYPE, FIELD).revision;
                let why = "the scanner was dirty; cleaned at 9:00";
                self.drift.resolve(TYPE, FIELD, seen, "ada", why)?;
            }
            self.pipeline.tick();
            let status = self.drift.status(TYPE, FIELD);
            self.timeline.record(MONDAY + time, &status);
        }
        Ok(())
    }

    fn document(&mut self, time: Duration) -> Result<(), Error> {
        self.documents += 1;
        let call = Call::new(format!("inv-{}", self.documents), TYPE)?;
        let Some(permit) = self.pipeline.admit(&call).permit() else {
            return Ok(());
        };
        let (score, wrong) = self.answer(time);
        let settlement = permit.answer(Report::new().confidence(self.field.clone(), score));
        if self.chance.uniform() < wrong {
            let due = MONDAY + time + self.chance.wait(REVIEW);
            let ticket = settlement.ticket().clone();
            let place = self.wrong.partition_point(|other| other.due <= due);
            self.wrong.insert(place, Wrong { ticket, due });
        }
        Ok(())
    }

    /// A confidence, and the probability that the answer is wrong.
    fn answer(&mut self, time: Duration) -> (f64, f64) {
        let score = (0.98 - 0.16 * self.chance.uniform() * self.chance.uniform()).min(1.0);
        if is_in(DIRTY, time) {
            (score - 0.12, 0.15)
        } else if is_in(NEW_FORM, time) {
            let is_new = self.chance.uniform() < 0.2;
            (if is_new { 0.78 } else { 0.98 }, 0.03)
        } else {
            (score, 0.03)
        }
    }

    /// What reviewers have found by now.
    fn correct(&mut self) {
        let now = self.clock_time();
        while self.wrong.front().is_some_and(|wrong| wrong.due <= now) {
            let Some(Wrong { ticket, due }) = self.wrong.pop_front() else {
                return;
            };
            let feedback = Feedback::corrected(self.field.clone());
            self.timeline.observe(due, &ticket, &feedback);
            self.pipeline.observe(&ticket, feedback);
        }
    }

    fn clock_time(&self) -> Timestamp {
        fusebox::clock::Clock::now(&self.clock)
    }
}
