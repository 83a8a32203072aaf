//! One cause is one incident; it is told again when it grows.

use fusebox::event::IncidentChange::{Continues, Ended, Grew, Opened};
use fusebox::event::{DriftEvent, LedgerEvent};
use fusebox::guard::{Cx, Trouble};
use fusebox::{
    Confidence, ConfidenceDriftMonitor, DocumentType, EventKind, Report, RouteLedger, Severity,
};

use super::{Told, kind, open};
use crate::support::{Bench, minutes, seconds};

fn silent(many: u64) -> impl Fn(&Cx<'_>) {
    move |cx| cx.still(&Trouble::new("silent").many(many), kind)
}

#[test]
fn ten_times_as_many_are_told_again() {
    let told = Told::new();
    told.says_after(minutes(1), silent(3));
    told.says_after(minutes(2), silent(29));
    assert_eq!(told.changes(), [(Severity::Page, Opened)]);
    told.says_after(minutes(2), silent(30));
    assert_eq!(told.changes(), [(Severity::Page, Grew)]);
    assert_eq!(told.bench.pipeline.incidents()[0].things, 30);
    told.says_after(minutes(2), silent(31));
    assert_eq!(told.changes(), []);
}

#[test]
fn within_a_minute_it_is_the_same_page() {
    let told = Told::new();
    told.says_after(minutes(1), silent(1));
    told.says_after(seconds(59), silent(300));
    assert_eq!(told.changes(), [(Severity::Page, Opened)]);
    told.says_after(seconds(1), silent(300));
    assert_eq!(told.changes(), [(Severity::Page, Grew)]);
}

#[test]
fn something_new_after_an_hour_is_told_again_and_what_is_known_is_not() {
    let told = Told::new();
    told.says_after(minutes(1), silent(2));
    told.says_after(minutes(61), silent(2));
    told.says_after(minutes(1), silent(1));
    assert_eq!(told.changes(), [(Severity::Page, Opened)]);
    told.says_after(minutes(1), silent(3));
    assert_eq!(told.changes(), [(Severity::Page, Grew)]);
}

#[test]
fn what_begins_within_a_minute_has_the_same_cause() {
    let told = Told::new();
    let say = |whats: &'static [&'static str]| {
        move |cx: &Cx<'_>| {
            for what in whats {
                cx.still(&Trouble::new(what), kind);
            }
        }
    };
    told.says_after(minutes(1), say(&["one"]));
    told.says_after(seconds(59), say(&["one", "two"]));
    assert_eq!(open(&told.bench), ["says/one/-/1"]);
    told.says_after(seconds(1), say(&["one", "two", "three"]));
    assert_eq!(open(&told.bench), ["says/one/-/1", "says/three/-/1"]);
    told.says_after(minutes(1), say(&["two", "three"]));
    told.says_after(minutes(20), say(&["two", "three"]));
    assert_eq!(open(&told.bench).len(), 2, "two is still wrong");
}

/// What is no cause of its own comes back to the incident that has it, not to one of its own name.
#[test]
fn what_happens_again_is_in_the_incident_that_has_it() {
    let told = Told::new();
    let page = |what: &'static str| {
        let trouble = move || Trouble::new(what).until_acknowledged();
        move |cx: &Cx<'_>| cx.page(&trouble(), kind())
    };
    told.says_after(minutes(1), page("first"));
    told.says_after(seconds(30), page("second"));
    let opened = open(&told.bench);
    assert_eq!(opened.len(), 1, "{opened:?}");
    told.says_after(minutes(90), page("second"));
    assert_eq!(open(&told.bench), opened);
}

#[test]
fn what_is_worse_is_told_again_at_once() {
    let told = Told::new();
    let worse = Trouble::new("worse").worse();
    told.says_after(minutes(1), move |cx| {
        cx.page(&Trouble::new("broken"), kind());
        cx.page(&worse, kind());
        cx.page(&worse, kind());
    });
    assert_eq!(
        told.changes(),
        [
            (Severity::Page, Opened),
            (Severity::Page, Grew),
            (Severity::Warning, Continues)
        ]
    );
}

#[test]
fn a_page_joins_a_warning_as_a_page() {
    let told = Told::new();
    told.says_after(minutes(1), |cx| {
        cx.page(&Trouble::new("quiet").told_as(Severity::Warning), kind());
        cx.page(&Trouble::new("silent"), kind());
    });
    assert_eq!(
        told.changes(),
        [(Severity::Warning, Opened), (Severity::Page, Grew)]
    );
    let open = told.bench.pipeline.incidents();
    assert_eq!((open.len(), open[0].severity), (1, Severity::Page));
}

/// A provider is away: 300 declared types stop at once.
#[test]
fn three_hundred_silent_types_are_one_page_with_ten_names() {
    let names: Vec<_> = (0..300).map(|n| format!("type-{n:03}")).collect();
    let mut ledger = RouteLedger::builder();
    for name in &names {
        ledger = ledger.expect(DocumentType::new(name).unwrap(), minutes(20));
    }
    let bench = Bench::with_guard(ledger.build().unwrap());
    for name in &names {
        let _ = bench.permit(name).answer(Report::new());
        bench.clock.advance(std::time::Duration::from_millis(10));
    }
    for _ in 0..200 {
        bench.tick_after(seconds(60));
    }
    let pages = bench.pages();
    let [
        EventKind::Ledger(LedgerEvent::Silent {
            document_type,
            also,
            more,
            ..
        }),
    ] = &pages[..]
    else {
        panic!("{} pages", pages.len());
    };
    assert_eq!(
        (document_type.as_str(), also[8].as_str()),
        ("type-000", "type-009")
    );
    assert_eq!((also.len(), *more), (9, 290));
    assert_eq!(bench.pipeline.incidents()[0].things, 300);
    for name in &names {
        let _ = bench.permit(name).answer(Report::new());
    }
    bench.tick_after(seconds(1));
    bench.tick_after(minutes(15));
    assert_eq!(super::changes(&bench).last().unwrap().2, Ended);
}

#[test]
fn four_hundred_fields_that_drift_are_one_page() {
    let drift = ConfidenceDriftMonitor::builder();
    let bench = Bench::with_guard(drift.baseline_documents(100).build().unwrap());
    let answer = |confidence: f64| {
        let report = (0..400).fold(Report::new(), |report, n| {
            report.confidence(format!("field-{n}"), confidence)
        });
        let _ = bench.permit("invoice").answer(report);
    };
    (0..100).for_each(|_| answer(0.95));
    (0..400).for_each(|_| answer(0.5));
    let pages = bench.pages();
    assert_eq!(pages.len(), 1);
    assert!(matches!(
        &pages[0],
        EventKind::Drift(DriftEvent::DriftDetected { baseline, .. })
            if *baseline == Confidence::percent(95)
    ));
    assert_eq!(bench.pipeline.incidents()[0].things, 400);
}
