//! Keys, and what a person reads.

use fusebox::event::OpenIncident;
use fusebox::guard::{Cx, Trouble};
use fusebox::{ErrorRateBreaker, EventKind, Guard, LineUp, Severity, VersionId};
use proptest::prelude::*;

use super::{Told, kind};
use crate::support::{Bench, minutes, version};

#[test]
fn a_key_has_no_time_and_no_instance_and_counts() {
    let keys = || {
        let bench = Bench::with_guard(ErrorRateBreaker::default());
        bench.fail(5);
        bench.pipeline.incidents()[0].key.clone()
    };
    assert_eq!(keys().as_str(), "error-rate/failing/v7/1");
    assert_eq!(keys(), keys());
}

#[test]
fn the_parts_of_a_key_do_not_run_into_each_other() {
    let line_up = LineUp::new(version("a/b%c")).with_previous(version("v6"));
    let bench = Bench::with(line_up, |builder| {
        builder.guard(ErrorRateBreaker::default().named("one/two"))
    });
    bench.fail(5);
    let key = bench.pipeline.incidents()[0].key.clone();
    assert_eq!(key.as_str(), "one%2Ftwo/failing/a%2Fb%25c/1");
}

/// A guard of one's own that leaves plain pages: what it names is what is wrong.
#[test]
fn events_of_two_names_are_two_things() {
    let told = Told::new();
    for name in ["stale-index", "no-disk"] {
        told.says_after(minutes(2), move |cx: &Cx<'_>| {
            let custom = EventKind::Custom {
                name: name.to_owned(),
                message: "look".to_owned(),
            };
            cx.emit(Severity::Page, custom);
        });
    }
    let things: Vec<_> = told.bench.pipeline.incidents();
    let things: Vec<_> = things.iter().map(|open| open.things).collect();
    assert_eq!(things.iter().sum::<u64>(), 2, "{things:?}");
}

proptest! {
    #[test]
    fn a_key_fits_into_every_pager(one in "\\PC{1,300}", other in "\\PC{1,300}") {
        let key = |id: &str| {
            let told = Told::new();
            let id = VersionId::new(id).unwrap();
            told.says_after(minutes(1), move |cx: &Cx<'_>| {
                cx.page(&Trouble::new("broken").of_version(&id), kind());
            });
            told.bench.events()[0].incident.clone().unwrap().key
        };
        prop_assert!(key(&one).as_str().len() <= 255);
        let same = VersionId::new(&one).unwrap() == VersionId::new(&other).unwrap();
        prop_assert_eq!(key(&one) == key(&other), same);
    }
}

#[test]
fn an_open_incident_says_all_that_a_person_needs_and_is_read_again() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(5);
    let open = bench.pipeline.incidents();
    let text = serde_json::to_string(&open).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<OpenIncident>>(&text).unwrap(),
        open
    );
    let [incident] = &open[..] else {
        panic!("{open:?}");
    };
    assert_eq!(incident.evidence.to_string(), incident.summary);
    assert_eq!(
        [&incident.done_already, &incident.undo],
        [
            "v6 serves instead of v7",
            "put v7 back with `rearm`, or deploy a corrected prompt under a new id"
        ]
    );
}

#[test]
fn an_event_names_its_incident_flat() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(5);
    let event = bench
        .events()
        .into_iter()
        .find(|event| event.incident.is_some())
        .unwrap();
    let json = serde_json::to_value(&event).unwrap();
    assert_eq!(json["incident"], "error-rate/failing/v7/1");
    assert_eq!(json["incident_change"], "opened");
    assert_eq!(
        serde_json::from_value::<fusebox::Event>(json).unwrap(),
        event
    );
}
