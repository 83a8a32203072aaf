//! Hours of a pipeline in milliseconds: a queue of actions on a virtual clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{BEGIN, Fault, TICK_EVERY, Traffic};
use crate::call::{Call, Feedback, Report, Ticket};
use crate::error::Error;
use crate::event::Event;
use crate::failure::FailureKind;
use crate::name::DocumentId;
use crate::pipeline::clock::{Clock, MockClock};
use crate::pipeline::{Builder, Permit, Pipeline, Settlement};
use crate::ratio::Ratio;
use crate::sink;
use crate::time::Timestamp;

type Delivered = Arc<Mutex<Vec<(Timestamp, Event)>>>;

pub(super) fn run(
    production: Builder,
    traffic: Vec<Traffic>,
    faults: Vec<(Duration, Fault)>,
    length: Duration,
) -> Result<Vec<(Timestamp, Event)>, Error> {
    let clock = MockClock::at(BEGIN);
    let delivered = Delivered::default();
    let recorder = {
        let (delivered, clock) = (Arc::clone(&delivered), clock.clone());
        sink::from_fn(move |event| delivered.lock().push((clock.now(), event.clone())))
    };
    let mut simulation = Simulation {
        pipeline: production.rehearse(clock.clone(), recorder).build()?,
        clock,
        broken: Vec::new(),
        queue: BTreeMap::new(),
        planned: 0,
        documents: 0,
    };
    for (after, fault) in faults {
        simulation.plan(BEGIN + after, Action::Break(fault));
    }
    for traffic in traffic {
        simulation.plan(BEGIN, Action::Arrive(traffic));
    }
    simulation.plan(BEGIN, Action::Tick);
    simulation.go_on_until(BEGIN + length)?;
    // Dropping the simulation abandons its open calls, which is no part of the drill.
    let events = std::mem::take(&mut *delivered.lock());
    Ok(events)
}

struct Simulation {
    pipeline: Pipeline,
    clock: MockClock,
    broken: Vec<Fault>,
    /// The actions to come; the number keeps the order of actions at one time.
    queue: BTreeMap<(Timestamp, u64), Action>,
    planned: u64,
    documents: u64,
}

enum Action {
    Arrive(Traffic),
    Break(Fault),
    Complete(Permit, Traffic, Document),
    Correct(Ticket, Traffic),
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
}

impl Simulation {
    fn plan(&mut self, at: Timestamp, action: Action) {
        self.planned += 1;
        self.queue.insert((at, self.planned), action);
    }

    fn go_on_until(&mut self, end: Timestamp) -> Result<(), Error> {
        while let Some(((at, _), action)) = self.queue.pop_first() {
            if at > end {
                self.plan(at, action);
                break;
            }
            self.clock.set(at);
            self.take(at, action)?;
        }
        Ok(())
    }

    fn take(&mut self, now: Timestamp, action: Action) -> Result<(), Error> {
        match action {
            Action::Arrive(traffic) => self.arrive(now, traffic)?,
            Action::Break(Fault::Deploy(line_up)) => self.pipeline.deploy(line_up)?,
            Action::Break(fault) => self.broken.push(fault),
            Action::Complete(permit, traffic, document) => {
                self.complete(now, permit, traffic, document);
            }
            Action::Correct(ticket, traffic) => {
                self.pipeline
                    .observe(&ticket, Feedback::corrected(traffic.field));
            }
            Action::Tick => {
                self.pipeline.tick();
                self.plan(now + TICK_EVERY, Action::Tick);
            }
        }
        Ok(())
    }

    fn arrive(&mut self, now: Timestamp, traffic: Traffic) -> Result<(), Error> {
        let stopped = |fault: &Fault| matches!(fault, Fault::Stop { document_type } if *document_type == traffic.document_type);
        if self.broken.iter().any(stopped) {
            return Ok(());
        }
        self.documents += 1;
        let document = Document(self.documents);
        let id = DocumentId::new(format!("{}-{}", traffic.document_type, self.documents))?;
        let call = Call::of(id, traffic.document_type.clone()).with_document_tokens(traffic.tokens);
        if let Some(permit) = self.pipeline.admit(&call).permit() {
            self.plan(
                now + traffic.latency,
                Action::Complete(permit, traffic.clone(), document),
            );
        }
        self.plan(now + traffic.gap, Action::Arrive(traffic));
        Ok(())
    }

    fn complete(&mut self, now: Timestamp, permit: Permit, traffic: Traffic, document: Document) {
        let ticket = permit.ticket().clone();
        if self.hangs(document) {
            const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);
            self.plan(NEVER, Action::Complete(permit, traffic, document));
            return;
        }
        if let Some(kind) = self.failure(&ticket, document) {
            permit.fail(kind);
            return;
        }
        let lost: u32 = self.broken.iter().map(lowered).sum();
        let confidence = f64::from(traffic.confidence.as_millionths().saturating_sub(lost)) / 1e6;
        let settlement = permit.answer(Report::new().confidence(&traffic.field, confidence));
        let corrected = self.is_corrected(&ticket, document, traffic.corrections);
        if corrected && !matches!(settlement, Settlement::Failed { .. }) {
            self.plan(
                now + traffic.correction_delay,
                Action::Correct(ticket, traffic),
            );
        }
    }

    fn hangs(&self, document: Document) -> bool {
        let hangs =
            |fault: &Fault| matches!(fault, Fault::Hang { share } if document.is_among(*share));
        self.broken.iter().any(hangs)
    }

    fn failure(&self, ticket: &Ticket, document: Document) -> Option<FailureKind> {
        self.broken.iter().find_map(|fault| match fault {
            Fault::Fail {
                kind,
                share,
                version,
                document_type,
            } => {
                let concerned = version
                    .as_ref()
                    .is_none_or(|version| version == ticket.version())
                    && document_type
                        .as_ref()
                        .is_none_or(|document_type| document_type == ticket.document_type());
                (concerned && document.is_among(*share)).then_some(*kind)
            }
            _ => None,
        })
    }

    fn is_corrected(&self, ticket: &Ticket, document: Document, usual: Ratio) -> bool {
        let share = self.broken.iter().find_map(|fault| match fault {
            Fault::Corrections { version, share } if version == ticket.version() => Some(*share),
            _ => None,
        });
        document.is_among(share.unwrap_or(usual))
    }
}

fn lowered(fault: &Fault) -> u32 {
    match fault {
        Fault::LowerConfidence { by } => by.as_millionths(),
        _ => 0,
    }
}
