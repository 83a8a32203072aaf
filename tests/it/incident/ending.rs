//! When an incident is over, and that it is over at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fusebox::event::IncidentChange::{Continues, Ended, Opened};
use fusebox::guard::{Cx, Trouble};
use fusebox::{ErrorRateBreaker, Guard, LineUp, Severity};

use super::{Told, broken, changes, kind, open};
use crate::operator::rearm;
use crate::support::{Bench, line_up, minutes, seconds, stored, v7, version};

#[test]
fn what_goes_on_is_told_once_and_is_over_after_a_quarter_of_an_hour() {
    let told = Told::new();
    for _ in 0..100 {
        told.says_after(minutes(1), broken);
    }
    assert_eq!(told.changes(), [(Severity::Page, Opened)]);
    assert_eq!(open(&told.bench), ["says/broken/-/1"]);
    told.is_well_after(minutes(1)).is_well_after(seconds(899));
    assert_eq!(told.changes(), []);
    let since = told.bench.pipeline.incidents()[0].well_since.unwrap();
    assert_eq!(
        since,
        told.bench.pipeline.incidents()[0].since + minutes(100)
    );
    told.is_well_after(seconds(1));
    assert_eq!(told.changes(), [(Severity::Info, Ended)]);
    assert_eq!(open(&told.bench), [] as [String; 0]);
}

#[test]
fn what_comes_back_while_it_is_held_open_is_the_same() {
    let told = Told::new();
    told.says_after(minutes(1), broken);
    told.is_well_after(minutes(1)).is_well_after(minutes(14));
    told.says_after(seconds(30), broken);
    told.is_well_after(minutes(1)).is_well_after(minutes(14));
    assert_eq!(told.changes(), [(Severity::Page, Opened)]);
    told.is_well_after(minutes(1));
    assert_eq!(told.changes(), [(Severity::Info, Ended)]);
}

#[test]
fn what_happens_at_moments_is_over_when_it_has_not_happened_again() {
    let told = Told::new();
    let happens = |cx: &Cx<'_>| cx.page(&Trouble::new("broken").seen(), kind());
    told.says_after(minutes(1), happens)
        .says_after(minutes(10), happens);
    assert_eq!(
        told.changes(),
        [(Severity::Page, Opened), (Severity::Warning, Continues)]
    );
    told.is_well_after(minutes(14));
    assert_eq!(told.changes(), []);
    told.is_well_after(minutes(1));
    assert_eq!(told.changes(), [(Severity::Info, Ended)]);
}

/// 100 times in 24 hours: 20 minutes well, 20 seconds broken.
#[test]
fn what_comes_and_goes_all_day_is_three_pages() {
    let told = Told::new();
    for _ in 0..70 {
        for _ in 0..4 {
            told.is_well_after(minutes(5));
        }
        told.says_after(seconds(20), broken);
    }
    let changes = told.changes();
    let pages = changes
        .iter()
        .filter(|(severity, _)| *severity == Severity::Page);
    assert_eq!(pages.count(), 3, "{changes:?}");
    assert_eq!(open(&told.bench), ["says/broken/-/3"], "held open");
    told.is_well_after(minutes(1)).is_well_after(minutes(60));
    assert_eq!(
        told.changes(),
        [(Severity::Info, Ended)],
        "a day after the first page"
    );
}

#[test]
fn it_goes_on_over_a_restart_and_is_not_told_again() {
    let before = Told::new();
    before.says_after(minutes(1), broken);
    let after = Told::new();
    after
        .bench
        .pipeline
        .restore(&stored(&before.bench.pipeline))
        .unwrap();
    after.says_after(minutes(1), broken);
    assert_eq!(after.changes(), []);
    assert_eq!(open(&after.bench), ["says/broken/-/1"]);
    after.is_well_after(minutes(1)).is_well_after(minutes(15));
    assert_eq!(after.changes(), [(Severity::Info, Ended)]);
}

/// What the guard said before the restart, it has not said since.
#[test]
fn what_is_well_after_a_restart_is_well_from_the_first_tick() {
    let before = Told::new();
    before.says_after(minutes(1), broken);
    let after = Told::new();
    let snapshot = stored(&before.bench.pipeline);
    after.bench.pipeline.restore(&snapshot).unwrap();
    after.is_well_after(minutes(2)).is_well_after(minutes(15));
    assert_eq!(after.changes(), [(Severity::Info, Ended)]);
}

/// The state says that v7 is out; nobody knows of the page.
#[test]
fn a_page_that_was_lost_comes_again() {
    let before = Bench::with_guard(ErrorRateBreaker::default());
    before.fail(5);
    let mut snapshot = serde_json::to_value(before.pipeline.snapshot().unwrap()).unwrap();
    snapshot
        .as_object_mut()
        .unwrap()
        .remove("incidents")
        .unwrap();
    let after = Bench::with_guard(ErrorRateBreaker::default());
    after
        .pipeline
        .restore(&serde_json::from_value(snapshot).unwrap())
        .unwrap();
    after.tick_after(seconds(1));
    let key = "error-rate/failing/v7/1".to_owned();
    assert_eq!(changes(&after), [(Severity::Page, key, Opened)]);
    after.tick_after(seconds(1));
    assert_eq!(changes(&after), []);
}

#[test]
fn it_ends_with_its_version() {
    let bench = Bench::with_guard(ErrorRateBreaker::default());
    bench.fail(5);
    let next = LineUp::new(version("v8")).with_previous(version("v6"));
    bench.pipeline.deploy(next).unwrap();
    bench.tick_after(seconds(1));
    assert_eq!(open(&bench), [] as [String; 0]);
}

#[test]
fn what_a_person_has_put_right_ends_at_once_and_is_new_when_it_comes_back() {
    let breaker = Arc::new(ErrorRateBreaker::default());
    let bench = Bench::with_guard(Arc::clone(&breaker));
    for n in 1..=5 {
        bench.fail(5);
        assert_eq!(open(&bench), [format!("error-rate/failing/v7/{n}")]);
        let told = changes(&bench);
        assert_eq!(told.last().unwrap().0, Severity::Page, "{n}: {told:?}");
        rearm(&breaker, v7());
        bench.tick_after(minutes(5));
        assert_eq!(open(&bench), [] as [String; 0]);
    }
}

/// Panics at each tick while it is broken.
#[derive(Debug, Default)]
struct Fragile(AtomicBool);

impl Guard for Fragile {
    fn name(&self) -> &'static str {
        "fragile"
    }

    fn tick(&self, _: &Cx<'_>) {
        assert!(!self.0.load(Ordering::SeqCst), "broken");
    }
}

#[test]
fn a_guard_that_panics_again_after_a_thousand_good_hours_pages_again() {
    let (bench, fragile) = Bench::and_guard(Fragile::default());
    for n in 1..=2 {
        fragile.0.store(true, Ordering::SeqCst);
        for _ in 0..10 {
            bench.tick_after(seconds(5));
        }
        assert_eq!(bench.pages().len(), 1, "once, the {n}. time");
        assert_eq!(open(&bench), [format!("fragile/panicked/-/{n}")]);
        fragile.0.store(false, Ordering::SeqCst);
        bench.tick_after(minutes(59));
        assert_eq!(open(&bench).len(), 1);
        bench.tick_after(minutes(1_000 * 60));
        assert_eq!(open(&bench), [] as [String; 0]);
    }
}

#[test]
fn a_guard_in_a_dry_run_opens_none() {
    let breaker = ErrorRateBreaker::default().dry_run();
    let bench = Bench::with(line_up(), |builder| builder.guard(breaker));
    bench.fail(5);
    bench.tick_after(seconds(1));
    assert_eq!(changes(&bench), []);
    assert_eq!(open(&bench), [] as [String; 0]);
}
