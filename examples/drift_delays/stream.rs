//! The documents of one field, on a mock clock, as one rule sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fusebox::clock::MockClock;
use fusebox::{
    Call, Confidence, DocumentType, Error, Field, LineUp, Pipeline, Report, Timestamp, Version,
    sink,
};

use crate::chance::Chance;
use crate::law::Law;
use crate::rule::Rule;

pub(crate) const WINDOW: Duration = Duration::from_secs(4 * 3_600);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// 2026-03-09 00:00 UTC.
const BEGIN: Timestamp = Timestamp::from_millis(1_773_014_400_000);

/// What comes to a monitor, and what it is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) rule: Rule,
    pub(crate) law: Law,
    /// The documents that 4 hours have on average; they come at random.
    pub(crate) in_a_window: u32,
    /// The documents on which the baseline is measured.
    pub(crate) baseline: u32,
}

pub(crate) struct Stream {
    pub(crate) law: Law,
    pub(crate) chance: Chance,
    pub(crate) now: Timestamp,
    pipeline: Pipeline,
    clock: MockClock,
    field: Field,
    wait: Duration,
    next_tick: Timestamp,
    next_document: Timestamp,
    found: Arc<AtomicU32>,
}

impl Stream {
    pub(crate) fn new(setting: Setting, seed: u64) -> Result<Self, Error> {
        let Setting {
            rule,
            law,
            in_a_window,
            baseline,
        } = setting;
        let mut chance = Chance::new(seed);
        let scores: Result<Vec<_>, _> = (0..baseline)
            .map(|_| Confidence::new(law.score(&mut chance)))
            .collect();
        let (invoice, field) = (DocumentType::new("invoice")?, Field::new("total")?);
        let drift = rule
            .builder()
            .baseline_confidences(invoice, field.clone(), scores?)
            .restore_when_recovered()
            .build()?;
        // At random within a bucket of five minutes.
        let now = BEGIN + (5 * MINUTE).mul_f64(chance.uniform());
        let (clock, found) = (MockClock::at(now), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&found);
        let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
            .guard(drift)
            .clock(clock.clone())
            .sink(sink::from_fn(move |event| {
                counted.fetch_add(u32::from(rule.is_in(event)), Ordering::Relaxed);
            }))
            .build()?;
        let wait = WINDOW / in_a_window.max(1);
        let next_document = now + chance.wait(wait);
        Ok(Self {
            law,
            chance,
            now,
            pipeline,
            clock,
            field,
            wait,
            next_tick: now + MINUTE,
            next_document,
            found,
        })
    }

    /// How often the rule has found a change.
    pub(crate) fn found(&self) -> u32 {
        self.found.load(Ordering::Relaxed)
    }

    /// Moves on to the next document or the next tick; whether it was a document.
    pub(crate) fn step(&mut self, score: impl Fn(Law, &mut Chance) -> f64) -> Result<bool, Error> {
        let is_document = self.next_document <= self.next_tick;
        self.now = self.next_document.min(self.next_tick);
        self.clock.set(self.now);
        if !is_document {
            self.pipeline.tick();
            self.next_tick = self.now + MINUTE;
            return Ok(false);
        }
        self.next_document = self.now + self.chance.wait(self.wait);
        let score = score(self.law, &mut self.chance);
        if let Some(permit) = self
            .pipeline
            .admit(&Call::new("document", "invoice")?)
            .permit()
        {
            let report = Report::new().confidence(self.field.clone(), score);
            let _ = permit.answer(report);
        }
        Ok(true)
    }
}
