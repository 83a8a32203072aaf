//! Hours of a pipeline in milliseconds: a queue of actions on a virtual clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::document::{Document, Drawn, Share};
use super::fault::{Fault, Meets, What};
use super::recorder::Recorder;
use super::script::Script;
use super::traffic::Traffic;
use super::virtual_time::TICK_EVERY;
use crate::call::{Call, Comparison, Difference, Feedback, LineUp, Report, Ticket};
use crate::confidence::Confidence;
use crate::error::Error;
use crate::event::Event;
use crate::name::{DocumentId, DocumentType, VersionId};
use crate::pipeline::clock::MockClock;
use crate::pipeline::{Builder, Permit, Pipeline, Settlement};
use crate::ratio::Ratio;
use crate::time::{Timestamp, millis};

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
    /// When each version served a document last, since the last fault began.
    pub(super) served: BTreeMap<VersionId, Timestamp>,
    /// How many documents ended: with an answer, a failure or a diversion.
    pub(super) ended: u64,
    /// How many pages came while the sink was down.
    pub(super) pages_lost: u64,
    /// The documents that got no answer, no failure and no diversion.
    pub(super) lost: BTreeSet<DocumentId>,
}

pub(super) fn run(production: Builder, script: &Script) -> Result<Seen, Error> {
    let (time, clock) = (MockClock::at(script.begin), MockClock::at(script.begin));
    let recorder = Recorder::new(time.clone());
    let pipeline = production
        .rehearse(clock.clone(), recorder.clone())
        .build()?;
    let mut simulation = Simulation {
        pipeline,
        script,
        time,
        clock,
        jumps: (Duration::ZERO, Duration::ZERO),
        recorder: recorder.clone(),
        is_working: vec![false; script.faults.len()],
        arrivals: vec![Duration::ZERO; script.traffic.len()],
        queue: BTreeMap::new(),
        planned: 0,
        seen: Seen {
            met: vec![0; script.faults.len()],
            ..Seen::default()
        },
    };
    for (number, (after, fault)) in script.faults.iter().enumerate() {
        simulation.plan(script.begin + *after, Action::Break(number));
        if let Some(lasts) = fault.lasts {
            simulation.plan(script.begin + *after + lasts, Action::Mend(number));
        }
    }
    for (number, traffic) in script.traffic.iter().enumerate() {
        let first = traffic.rates.as_ref().map_or(Duration::ZERO, |rates| {
            rates.next(Duration::ZERO, Duration::ZERO, script.begin)
        });
        simulation.plan_arrival(number, first);
    }
    simulation.plan(script.begin, Action::Tick);
    simulation.go_on_until(script.begin + script.length)?;
    // Dropping the simulation abandons its open calls, which is no part of the drill.
    let events = recorder.take();
    Ok(Seen {
        events,
        pages_lost: recorder.pages_lost(),
        ..simulation.seen
    })
}

struct Simulation<'a> {
    pipeline: Pipeline,
    script: &'a Script,
    /// The drill's clock, and the pipeline's, which may have jumped.
    time: MockClock,
    clock: MockClock,
    /// How far the pipeline's clock has jumped forward, and back.
    jumps: (Duration, Duration),
    recorder: Recorder,
    /// Which faults are at work.
    is_working: Vec<bool>,
    /// When the next document of each traffic comes, since the beginning.
    arrivals: Vec<Duration>,
    /// The actions to come; the number keeps the order of actions at one time.
    queue: BTreeMap<(Timestamp, u64), Action<'a>>,
    planned: u64,
    seen: Seen,
}

enum Action<'a> {
    Arrive(usize),
    Break(usize),
    Complete(Box<OpenCall<'a>>),
    Correct(Box<Ticket>, &'a Traffic),
    Mend(usize),
    Tick,
}

/// A call whose end is to come. It is boxed, as the queue moves its actions often.
struct OpenCall<'a> {
    permit: Permit,
    traffic: &'a Traffic,
    document: Document,
}

/// A confidence of a document, after a fault.
fn distorted(document: Document, score: Confidence, what: &What) -> Confidence {
    match what {
        What::LowerConfidence(by) => score.lowered_by(*by),
        What::SpreadConfidence(by) => {
            let room = score.min(Confidence::CERTAIN.lowered_by(score));
            let by = room.min(*by);
            if document.is_among(Ratio::percent(50), Share::Rise) {
                score.raised_by(by, Confidence::CERTAIN)
            } else {
                score.lowered_by(by)
            }
        }
        _ => score,
    }
}

impl<'a> Simulation<'a> {
    fn plan(&mut self, at: Timestamp, action: Action<'a>) {
        self.planned += 1;
        self.queue.insert((at, self.planned), action);
    }

    fn plan_arrival(&mut self, number: usize, after: Duration) {
        if let Some(arrival) = self.arrivals.get_mut(number) {
            *arrival = after;
        }
        self.plan(self.script.begin + after, Action::Arrive(number));
    }

    fn go_on_until(&mut self, end: Timestamp) -> Result<(), Error> {
        while let Some(((at, _), action)) = self.queue.pop_first() {
            if at > end {
                self.plan(at, action);
                break;
            }
            self.time.set(at);
            let (forward, back) = self.jumps;
            let ahead = (at + forward).as_millis();
            self.clock
                .set(Timestamp::from_millis(ahead.saturating_sub(millis(back))));
            self.take(at, action)?;
        }
        Ok(())
    }

    fn take(&mut self, now: Timestamp, action: Action<'a>) -> Result<(), Error> {
        match action {
            Action::Arrive(number) => self.arrive(now, number)?,
            Action::Break(number) => {
                self.recorder.fault_began();
                self.seen.served.clear();
                self.set_working(number, true);
                let what = self.script.faults.get(number).map(|(_, fault)| &fault.what);
                if let Some(What::Deploy(line_up)) = what {
                    self.pipeline.deploy(LineUp::clone(line_up))?;
                }
            }
            Action::Complete(call) => self.complete(now, *call),
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

    fn set_working(&mut self, number: usize, works: bool) {
        if let Some(is_working) = self.is_working.get_mut(number) {
            *is_working = works;
        }
        let mut jumps = (Duration::ZERO, Duration::ZERO);
        let mut is_down = false;
        for fault in self.working() {
            match fault.what {
                What::JumpClock { by, is_back: false } => jumps.0 = jumps.0.saturating_add(by),
                What::JumpClock { by, is_back: true } => jumps.1 = jumps.1.saturating_add(by),
                What::SinkDown => is_down = true,
                _ => {}
            }
        }
        self.jumps = jumps;
        self.recorder.set_down(is_down);
    }

    /// The faults at work.
    fn working(&self) -> impl Iterator<Item = &'a Fault> {
        let faults = self.script.faults.iter().zip(&self.is_working);
        faults.filter_map(|((_, fault), is_working)| is_working.then_some(fault))
    }

    /// What the faults at work do to this document now; counts that they met it.
    fn meet(
        &mut self,
        when: Meets,
        document: Document,
        document_type: &DocumentType,
        version: Option<&VersionId>,
    ) -> Vec<&'a What> {
        let mut met = Vec::new();
        for (number, (_, fault)) in self.script.faults.iter().enumerate() {
            let meets = self.is_working.get(number) == Some(&true)
                && fault.meets() == when
                && fault.concerns(document_type, version)
                && document.is_among(fault.share, Share::Fault(number));
            if meets {
                if let Some(count) = self.seen.met.get_mut(number) {
                    *count += 1;
                }
                self.seen.met_before_page += u64::from(!self.recorder.is_paged());
                met.push(&fault.what);
            }
        }
        met
    }

    fn arrive(&mut self, now: Timestamp, number: usize) -> Result<(), Error> {
        let Some(traffic) = self.script.traffic.get(number) else {
            return Ok(());
        };
        self.seen.documents += 1;
        let document = Document(self.seen.documents);
        self.plan_next_after(document, traffic, number);
        let met = self.meet(Meets::Arrival, document, &traffic.document_type, None);
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
            let version = permit.ticket().version();
            if let Some(last) = self.seen.served.get_mut(version) {
                *last = now;
            } else {
                self.seen.served.insert(version.clone(), now);
            }
            let latency = traffic
                .latency
                .at(document.draw(Drawn::Latency, self.script.seed));
            let call = OpenCall {
                permit,
                traffic,
                document,
            };
            self.plan(now + latency, Action::Complete(Box::new(call)));
        } else {
            self.seen.ended += 1;
        }
        Ok(())
    }

    /// Plans the arrival of the next document of this traffic.
    fn plan_next_after(&mut self, document: Document, traffic: &Traffic, number: usize) {
        let Script { begin, seed, .. } = *self.script;
        let gap = traffic
            .gaps
            .as_ref()
            .map_or(traffic.gap, |gaps| gaps.at(document.draw(Drawn::Gap, seed)));
        let last = self.arrivals.get(number).copied().unwrap_or_default();
        let next = traffic
            .rates
            .as_ref()
            .map_or(last.saturating_add(gap), |rates| {
                rates.next(last, gap, begin)
            });
        self.plan_arrival(number, next);
    }

    fn complete(&mut self, now: Timestamp, call: OpenCall<'a>) {
        let OpenCall {
            permit,
            traffic,
            document,
        } = call;
        let version = Some(permit.ticket().version().clone());
        let met = self.meet(
            Meets::End,
            document,
            &traffic.document_type,
            version.as_ref(),
        );
        if met.iter().any(|what| matches!(what, What::Hang)) {
            const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);
            self.seen.lost.insert(permit.ticket().document().clone());
            let call = OpenCall {
                permit,
                traffic,
                document,
            };
            self.plan(NEVER, Action::Complete(Box::new(call)));
            return;
        }
        if met.iter().any(|what| matches!(what, What::Abandon)) {
            self.seen.lost.insert(permit.ticket().document().clone());
            drop(permit);
            return;
        }
        self.seen.ended += 1;
        let usual = traffic
            .failing
            .filter(|(_, share)| document.is_among(*share, Share::Failure))
            .map(|(kind, _)| kind);
        let by_fault = met.iter().find_map(|what| match what {
            What::Fail(kind) => Some(*kind),
            _ => None,
        });
        if let Some(kind) = by_fault.or(usual) {
            permit.fail(kind);
            return;
        }
        let usual = traffic
            .confidence
            .at(document.draw(Drawn::Confidence, self.script.seed));
        let score = met
            .iter()
            .fold(usual, |score, what| distorted(document, score, what));
        let ticket = permit.ticket().clone();
        let report = Report::new().confidence(&traffic.field, score.as_f64());
        let settlement = permit.answer(report);
        if !matches!(settlement, Settlement::Failed { .. }) {
            self.compare(&ticket, traffic, document);
            self.review(now, ticket, traffic, document);
        }
    }

    /// Reports what a shadow run saw, if it compares this answer.
    fn compare(&mut self, ticket: &Ticket, traffic: &Traffic, document: Document) {
        let Some((candidate, share)) = &traffic.compared else {
            return;
        };
        if !document.is_among(*share, Share::Comparison) {
            return;
        }
        let met = self.meet(
            Meets::Comparison,
            document,
            &traffic.document_type,
            Some(ticket.version()),
        );
        let comparison = if met.is_empty() {
            Comparison::Match
        } else {
            Comparison::Diverged(vec![Difference::changed(traffic.field.clone())])
        };
        self.pipeline
            .observe(ticket, Feedback::compared(candidate.clone(), comparison));
    }

    /// Plans the correction of an answer, if reviewers correct it.
    fn review(&mut self, now: Timestamp, ticket: Ticket, traffic: &'a Traffic, document: Document) {
        let met = self.meet(
            Meets::Review,
            document,
            &traffic.document_type,
            Some(ticket.version()),
        );
        let is_corrected = document.is_among(traffic.corrections, Share::Correction)
            || met.iter().any(|what| matches!(what, What::Correct));
        let comes = !met.iter().any(|what| matches!(what, What::StopFeedback));
        if is_corrected && comes {
            let delay = traffic
                .correction_delay
                .at(document.draw(Drawn::CorrectionDelay, self.script.seed));
            self.plan(now + delay, Action::Correct(Box::new(ticket), traffic));
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
            let scores = (1..=1_000).map(|n| distorted(Document(n), usual, &spread));
            scores
                .map(|score| f64::from(score.as_millionths()))
                .sum::<f64>()
                / 1e9
        };
        assert!((mean(Confidence::percent(70)) - 0.70).abs() < 0.0084);
        let near_one = Confidence::percent(95);
        assert!((mean(near_one) - 0.95).abs() < 0.0021);
        let highest = distorted(Document(1), near_one, &spread).max(distorted(
            Document(2),
            near_one,
            &spread,
        ));
        assert!(highest <= Confidence::percent(100));
    }
}
