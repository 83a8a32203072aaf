//! Acts two and three: the same client calls inside a pipeline of guards.

use std::sync::Arc;

use fusebox::clock::MockClock;
use fusebox::event::PipelineEvent;
use fusebox::pipeline::CallFailure;
use fusebox::sink::MemorySink;
use fusebox::{Call, EventKind, Role, RouteLedger, Served, Timestamp};

use crate::AnyError;
use crate::client::Extractor;
use crate::documents::Documents;
use crate::report::{Act, progress};
use crate::schedule::Night;
use crate::versions::Versions;

pub(crate) async fn run(
    title: &str,
    night: &Night,
    documents: &Documents,
    versions: &Versions,
    extractor: &Extractor,
    meanwhile: impl Fn(Timestamp),
) -> Result<Act, AnyError> {
    let (clock, sink, ledger) = (
        MockClock::at(night.begins),
        MemorySink::new(),
        Arc::new(RouteLedger::default()),
    );
    let pipeline = versions.pipeline(Arc::clone(&ledger), clock.clone(), sink.clone())?;
    let mut act = Act::new(title);
    let bar = progress(night.number(), title);
    for arrival in night.arrivals(documents) {
        bar.inc(1);
        clock.set(arrival.at);
        pipeline.tick();
        meanwhile(arrival.at);
        if arrival.at == night.ships_at {
            pipeline.deploy(versions.after())?;
        }
        let document = arrival.document;
        let call = Call::new(&arrival.id, &document.kind)?.with_document(&document.text);
        let served = pipeline
            .run(&call, async |ticket| {
                extractor
                    .extract(ticket.version(), ticket.model(), &document.text)
                    .await
            })
            .await;
        let live = pipeline.line_up();
        let (version, end) = match &served {
            Served::Accepted { ticket, .. } if ticket.model() != versions.model.name() => {
                act.first_bad.get_or_insert(arrival.at);
                (ticket.version(), "approved, by the larger model")
            }
            Served::Accepted { ticket, .. } if ticket.role() == Role::Previous => {
                (ticket.version(), "approved, by version 6 again")
            }
            Served::Accepted { ticket, .. } => (ticket.version(), "approved"),
            Served::NeedsReview { ticket, .. } => {
                (ticket.version(), "human review: low confidence")
            }
            Served::Diverted(diversion) => {
                act.first_bad.get_or_insert(arrival.at);
                (
                    diversion.ticket().version(),
                    "human review: no call was made",
                )
            }
            Served::Failed {
                ticket,
                failure: CallFailure::Answer(_),
                ..
            } => (ticket.version(), "human review: the answer was cut"),
            Served::Failed { .. } => {
                act.first_bad.get_or_insert(arrival.at);
                (live.stable().id(), "human review: the call failed")
            }
        };
        act.count(&arrival, version, end);
    }
    bar.finish_and_clear();
    clock.set(night.ends());
    pipeline.tick();
    let report = ledger.report();
    act.all_known = report.open() == 0
        && report.total().total() == night.number()
        && act.is_complete(night.number());
    act.events = sink.events();
    act.shipped_at = act
        .events
        .iter()
        .filter(|event| {
            matches!(
                event.kind,
                EventKind::Pipeline(PipelineEvent::Deployed { .. })
            )
        })
        .nth(1)
        .map(|event| event.at);
    Ok(act)
}
