//! Replays recorded arrivals and token counts through the same pipeline, on the virtual clock and
//! without a network.

use std::path::Path;
use std::sync::Arc;

use fusebox::clock::MockClock;
use fusebox::sink::MemorySink;
use fusebox::{Admission, Call, Report, RouteLedger, Timestamp};

use crate::AnyError;
use crate::arrivals::{self, Arrivals};
use crate::report::{Act, Story, progress};
use crate::versions::Versions;

pub(crate) fn replay(file: &Path, versions: &Versions) -> Result<Story, AnyError> {
    let Arrivals { all, unreadable } = arrivals::read(file)?;
    let starts_at = all.first().map_or(Timestamp::EPOCH, |arrival| arrival.at);
    let ships_at = all
        .get(all.len() / 2)
        .map_or(starts_at, |arrival| arrival.at);
    let (clock, sink, ledger) = (
        MockClock::at(starts_at),
        MemorySink::new(),
        Arc::new(RouteLedger::default()),
    );
    let pipeline = versions.pipeline(Arc::clone(&ledger), clock.clone(), sink.clone())?;
    let mut act = Act::new("The trace with guards; version 7 ships in the middle of it");
    let number = all.len() as u64;
    let bar = progress(number, "replaying");
    let mut shipped = false;
    for (n, arrival) in all.iter().enumerate() {
        bar.inc(1);
        clock.set(arrival.at);
        pipeline.tick();
        if !shipped && arrival.at >= ships_at {
            pipeline.deploy(versions.after())?;
            shipped = true;
        }
        let call =
            Call::new(format!("row-{}", n + 1), "trace")?.with_document_tokens(arrival.tokens);
        let end = match pipeline.admit(&call) {
            Admission::Admitted(permit) => {
                let prompt = permit
                    .ticket()
                    .measurement()
                    .map(|measured| measured.prompt().lower());
                let read = prompt.unwrap_or(arrival.tokens);
                let settled = permit.answer(Report::new().usage(read, arrival.answer));
                if settled.ticket().model() == versions.model.name() {
                    "answered"
                } else {
                    act.first_bad.get_or_insert(arrival.at);
                    "answered, by the larger model"
                }
            }
            Admission::Diverted(_diversion) => {
                act.first_bad.get_or_insert(arrival.at);
                "human review: no call was made"
            }
        };
        act.count_one(call.document_type().to_string(), end);
    }
    bar.finish_and_clear();
    let report = ledger.report();
    act.all_known =
        report.open() == 0 && report.total().total() == number && act.is_complete(number);
    act.events = sink.events();
    let note = format!(
        "{number} rows replayed, {} could not be read",
        unreadable.len()
    );
    Ok(Story {
        acts: vec![act],
        notes: vec![note],
        unreadable,
    })
}
