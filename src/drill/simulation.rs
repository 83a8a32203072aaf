//! Hours of a pipeline in milliseconds: a queue of actions on a virtual clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use super::fault::{Fault, Meets, What};
use super::traffic::Traffic;
use crate::call::{Call, Feedback, LineUp, Report, Ticket};
use crate::confidence::Confidence;
use crate::error::Error;
use crate::event::{Event, Severity};
use crate::name::{DocumentId, DocumentType, VersionId};
use crate::pipeline::clock::{Clock, MockClock};
use crate::pipeline::{Builder, Permit, Pipeline, Settlement};
use crate::ratio::Ratio;
use crate::sink;
use crate::time::{Timestamp, millis};

/// How often a drill calls `tick`.
const TICK_EVERY: Duration = Duration::from_secs(5);
/// Every drill begins at Monday 2026-01-05, 08:00 UTC.
pub(super) const BEGIN: Timestamp = Timestamp::from_millis(1_767_600_000_000);

/// What was seen in a simulation.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Seen {
    /// The events that reached the sink, with the time by the drill's clock.
    pub(super) events: Vec<(Timestamp, Event)>,
    /// How many documents arrived.
    pub(super) documents: u64,
    /// How many documents each fault met.
    pub(super) met: Vec<u64>,
    /// How many were met before the first page after the first fault.
    pub(super) met_before_page: u64,
    /// The version of the last document that was admitted.
    pub(super) last_version: Option<VersionId>,
}

/// What reached the sink, and whether a page was among it since the first fault.
#[derive(Default)]
struct Delivered {
    events: Vec<(Timestamp, Event)>,
    is_broken: bool,
    is_paged: bool,
}

pub(super) fn run(
    production: Builder,
    traffic: &[Traffic],
    faults: &[(Duration, Fault)],
    length: Duration,
) -> Result<Seen, Error> {
    let (time, clock) = (MockClock::at(BEGIN), MockClock::at(BEGIN));
    let delivered = Arc::new(Mutex::new(Delivered::default()));
    let recorder = {
        let (delivered, time) = (Arc::clone(&delivered), time.clone());
        sink::from_fn(move |event| {
            let mut delivered = delivered.lock();
            delivered.is_paged |= delivered.is_broken && event.severity == Severity::Page;
            delivered.events.push((time.now(), event.clone()));
        })
    };
    let mut simulation = Simulation {
        pipeline: production.rehearse(clock.clone(), recorder).build()?,
        time,
        clock,
        delivered: Arc::clone(&delivered),
        faults: faults.iter().map(|(_, fault)| (fault, false)).collect(),
        queue: BTreeMap::new(),
        planned: 0,
        seen: Seen {
            met: vec![0; faults.len()],
            ..Seen::default()
        },
    };
    for (number, (after, fault)) in faults.iter().enumerate() {
        simulation.plan(BEGIN + *after, Action::Break(number));
        if let Some(lasts) = fault.lasts {
            simulation.plan(BEGIN + *after + lasts, Action::Mend(number));
        }
    }
    for traffic in traffic {
        simulation.plan(BEGIN, Action::Arrive(traffic));
    }
    simulation.plan(BEGIN, Action::Tick);
    simulation.go_on_until(BEGIN + length)?;
    // Dropping the simulation abandons its open calls, which is no part of the drill.
    let events = std::mem::take(&mut delivered.lock().events);
    Ok(Seen {
        events,
        ..simulation.seen
    })
}

struct Simulation<'a> {
    pipeline: Pipeline,
    /// The drill's clock, and the pipeline's, which may have jumped.
    time: MockClock,
    clock: MockClock,
    delivered: Arc<Mutex<Delivered>>,
    /// The faults, and which of them are at work.
    faults: Vec<(&'a Fault, bool)>,
    /// The actions to come; the number keeps the order of actions at one time.
    queue: BTreeMap<(Timestamp, u64), Action<'a>>,
    planned: u64,
    seen: Seen,
}

enum Action<'a> {
    Arrive(&'a Traffic),
    Break(usize),
    Complete(Permit, &'a Traffic, Document),
    Correct(Ticket, &'a Traffic),
    Mend(usize),
    Tick,
}

/// The number of a document; it decides which shares the document is in.
#[derive(Clone, Copy)]
struct Document(u64);

impl Document {
    /// Whether it is in a share of all documents, spread evenly: the multiples of the golden ratio
    /// leave no gaps and no clusters (Knuth, The Art of Computer Programming, volume 3, section
    /// 6.4).
    fn is_among(self, share: Ratio) -> bool {
        const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
        let point = self.0.wrapping_mul(GOLDEN_RATIO);
        share.contains_hash(point)
    }

    /// A confidence of it, after a fault.
    fn distorted(self, score: Confidence, what: &What) -> Confidence {
        match what {
            What::LowerConfidence(by) => score.lowered_by(*by),
            What::SpreadConfidence(by) => {
                let room = score.min(Confidence::CERTAIN.lowered_by(score));
                let by = room.min(*by);
                if self.is_among(Ratio::percent(50)) {
                    score.raised_by(by, Confidence::CERTAIN)
                } else {
                    score.lowered_by(by)
                }
            }
            _ => score,
        }
    }
}

impl<'a> Simulation<'a> {
    fn plan(&mut self, at: Timestamp, action: Action<'a>) {
        self.planned += 1;
        self.queue.insert((at, self.planned), action);
    }

    fn go_on_until(&mut self, end: Timestamp) -> Result<(), Error> {
        while let Some(((at, _), action)) = self.queue.pop_first() {
            if at > end {
                self.plan(at, action);
                break;
            }
            self.time.set(at);
            self.clock.set(self.by_pipeline(at));
            self.take(at, action)?;
        }
        Ok(())
    }

    /// What the pipeline's clock shows at a time.
    fn by_pipeline(&self, at: Timestamp) -> Timestamp {
        let working = self.faults.iter().filter(|(_, is_working)| *is_working);
        let (forward, back) = working.fold(
            (Duration::ZERO, Duration::ZERO),
            |(forward, back), (fault, _)| match fault.what {
                What::JumpClock { by, is_back: false } => (forward.saturating_add(by), back),
                What::JumpClock { by, is_back: true } => (forward, back.saturating_add(by)),
                _ => (forward, back),
            },
        );
        let ahead = at + forward;
        Timestamp::from_millis(ahead.as_millis().saturating_sub(millis(back)))
    }

    fn take(&mut self, now: Timestamp, action: Action<'a>) -> Result<(), Error> {
        match action {
            Action::Arrive(traffic) => self.arrive(now, traffic)?,
            Action::Break(number) => self.start(number)?,
            Action::Complete(permit, traffic, document) => {
                self.complete(now, permit, traffic, document);
            }
            Action::Correct(ticket, traffic) => {
                self.pipeline
                    .observe(&ticket, Feedback::corrected(traffic.field.clone()));
            }
            Action::Mend(number) => self.set_working(number, false),
            Action::Tick => {
                self.pipeline.tick();
                self.plan(now + TICK_EVERY, Action::Tick);
            }
        }
        Ok(())
    }

    fn start(&mut self, number: usize) -> Result<(), Error> {
        self.set_working(number, true);
        self.delivered.lock().is_broken = true;
        match self.faults.get(number) {
            Some((
                Fault {
                    what: What::Deploy(line_up),
                    ..
                },
                _,
            )) => self.pipeline.deploy(LineUp::clone(line_up)),
            _ => Ok(()),
        }
    }

    fn set_working(&mut self, number: usize, works: bool) {
        if let Some((_, is_working)) = self.faults.get_mut(number) {
            *is_working = works;
        }
    }

    /// What the faults at work do to this document now; counts that they met it.
    fn meet(
        &mut self,
        when: Meets,
        document: Document,
        document_type: &DocumentType,
        version: Option<&VersionId>,
    ) -> Vec<&'a What> {
        let is_paged = self.delivered.lock().is_paged;
        let mut met = Vec::new();
        for ((fault, is_working), count) in self.faults.iter().zip(&mut self.seen.met) {
            let meets = *is_working
                && fault.meets() == when
                && fault.concerns(document_type, version)
                && document.is_among(fault.share);
            if meets {
                *count += 1;
                self.seen.met_before_page += u64::from(!is_paged);
                met.push(&fault.what);
            }
        }
        met
    }

    fn arrive(&mut self, now: Timestamp, traffic: &'a Traffic) -> Result<(), Error> {
        self.seen.documents += 1;
        let document = Document(self.seen.documents);
        let met = self.meet(Meets::Arrival, document, &traffic.document_type, None);
        self.plan(now + traffic.gap, Action::Arrive(traffic));
        if met.iter().any(|what| matches!(what, What::Silence)) {
            return Ok(());
        }
        let added = met.iter().map(|what| match what {
            What::AddTokens(tokens) => *tokens,
            _ => 0,
        });
        let tokens = added.fold(traffic.tokens, u64::saturating_add);
        let id = DocumentId::new(format!("{}-{}", traffic.document_type, document.0))?;
        let call = Call::of(id, traffic.document_type.clone()).with_document_tokens(tokens);
        if let Some(permit) = self.pipeline.admit(&call).permit() {
            self.seen.last_version = Some(permit.ticket().version().clone());
            let complete = Action::Complete(permit, traffic, document);
            self.plan(now + traffic.latency, complete);
        }
        Ok(())
    }

    fn complete(
        &mut self,
        now: Timestamp,
        permit: Permit,
        traffic: &'a Traffic,
        document: Document,
    ) {
        let ticket = permit.ticket().clone();
        let version = Some(ticket.version());
        let met = self.meet(Meets::End, document, &traffic.document_type, version);
        if met.iter().any(|what| matches!(what, What::Hang)) {
            const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);
            self.plan(NEVER, Action::Complete(permit, traffic, document));
            return;
        }
        let failure = met.iter().find_map(|what| match what {
            What::Fail(kind) => Some(*kind),
            _ => None,
        });
        if let Some(kind) = failure {
            permit.fail(kind);
            return;
        }
        let score = met.iter().fold(traffic.confidence, |score, what| {
            document.distorted(score, what)
        });
        let report = Report::new().confidence(&traffic.field, score.as_f64());
        let settlement = permit.answer(report);
        if matches!(settlement, Settlement::Failed { .. }) {
            return;
        }
        let met = self.meet(Meets::Review, document, &traffic.document_type, version);
        let is_corrected = document.is_among(traffic.corrections)
            || met.iter().any(|what| matches!(what, What::Correct));
        let comes = !met.iter().any(|what| matches!(what, What::StopFeedback));
        if is_corrected && comes {
            let correct = Action::Correct(ticket, traffic);
            self.plan(now + traffic.correction_delay, correct);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden ratio spreads numbers so evenly that of n of them the share below one half is off
    /// by less than 3 ln n / n (Kuipers and Niederreiter, Uniform Distribution of Sequences,
    /// theorem 3.4): .021 of 1,000, which moves the mean by at most .021 * 2 * 0.2.
    #[test]
    fn confidences_spread_at_the_same_mean_and_not_beyond_one() {
        let spread = What::SpreadConfidence(Confidence::percent(20));
        let mean = |usual: Confidence| {
            let scores = (1..=1_000).map(|n| Document(n).distorted(usual, &spread));
            scores
                .map(|score| f64::from(score.as_millionths()))
                .sum::<f64>()
                / 1e9
        };
        assert!((mean(Confidence::percent(70)) - 0.70).abs() < 0.0084);
        let near_one = Confidence::percent(95);
        assert!((mean(near_one) - 0.95).abs() < 0.0021);
        let highest = Document(1)
            .distorted(near_one, &spread)
            .max(Document(2).distorted(near_one, &spread));
        assert!(highest <= Confidence::percent(100));
    }
}
