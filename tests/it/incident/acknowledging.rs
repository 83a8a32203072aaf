//! What only a person can end.

use fusebox::event::{IncidentChange, IncidentEvent};
use fusebox::{ErrorRateBreaker, EventKind, RouteLedger, Severity};

use super::{changes, open};
use crate::support::{Bench, refused, seconds, stored};

fn lost() -> Bench {
    let before = Bench::with_guard(RouteLedger::default());
    let permits = [before.permit("invoice"), before.permit("invoice")];
    let after = before.restarted(RouteLedger::default());
    let _ = permits.map(fusebox::Permit::release);
    after
}

#[test]
fn it_stays_open_until_a_person_closes_it() {
    let bench = lost();
    for _ in 0..100 {
        bench.tick_after(seconds(3_600));
    }
    let [incident] = &bench.pipeline.incidents()[..] else {
        panic!("one");
    };
    assert_eq!(incident.key.as_str(), "ledger/lost-in-restart/-/1");
    assert_eq!((incident.things, incident.well_since), (2, None));
    bench.events();
    let note = "both processed again";
    bench
        .pipeline
        .acknowledge(&incident.key, "ada", note)
        .unwrap();
    assert_eq!(open(&bench), [] as [String; 0]);
    let events = bench.events();
    let [event] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(event.severity, Severity::Info);
    let in_incident = event.incident.as_ref().unwrap();
    assert_eq!(
        (&in_incident.key, in_incident.change),
        (&incident.key, IncidentChange::Ended)
    );
    assert!(matches!(
        &event.kind,
        EventKind::Incident(IncidentEvent::IncidentAcknowledged { who, note, .. })
            if who == "ada" && note == "both processed again"
    ));
}

#[test]
fn it_is_remembered_over_a_restart() {
    let bench = lost();
    let next = Bench::with_guard(RouteLedger::default());
    next.pipeline.restore(&stored(&bench.pipeline)).unwrap();
    assert_eq!(changes(&next), []);
    assert_eq!(open(&next), ["ledger/lost-in-restart/-/1"]);
}

#[test]
fn what_cannot_be_closed_says_why() {
    let bench = lost();
    let close = |key: &str, who: &str, note: &str| bench.pipeline.acknowledge(key, who, note);
    let key = "ledger/lost-in-restart/-/1";
    refused(
        close("ledger/silent/-/1", "ada", "fine"),
        "incident: got `ledger/silent/-/1`, expected the key of an open incident; see \
         `Pipeline::incidents`",
    );
    refused(
        close(key, " ", "fine"),
        "who: got ` `, expected at least one character",
    );
    refused(
        close(key, "ada", ""),
        "note: got ``, expected at least one character",
    );
    assert_eq!(open(&bench), [key]);

    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(5);
    refused(
        bench
            .pipeline
            .acknowledge("error-rate/failing/v7/1", "ada", "seen"),
        "incident: got `error-rate/failing/v7/1`, expected an incident that only a person can end; \
         this one ends when v7 has been in service and well for as long as the breaker holds \
         incidents open, or is no longer live",
    );
    assert_eq!(open(&bench), ["error-rate/failing/v7/1"]);
}
