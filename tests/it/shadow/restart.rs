//! A restart goes on where the run was.

use fusebox::event::ShadowEvent;
use fusebox::pipeline::Snapshot;
use fusebox::shadow::ShadowVerdict;
use fusebox::{EventKind, Ratio, ShadowComparator, VersionId};

use super::{Bench, builder, diverged, not_comparable};

#[test]
fn a_restart_goes_on_where_the_run_was() {
    let bench = Bench::new(builder());
    let first = bench.compare(diverged());
    bench.compare(not_comparable());
    bench.run(16, 199);
    let next = bench.restarted(builder());
    assert_eq!(next.shadow.report(), bench.shadow.report());
    assert_eq!(next.shadow.verdict(), ShadowVerdict::ReviewRequired);
    next.report(&first, diverged());
    assert_eq!(next.shadow.report(), bench.shadow.report(), "seen before");
    next.run(100, 300);
    assert_eq!(next.reviews(), [], "asked before the restart");
    let last = next.restarted(builder());
    assert_eq!(last.sink.events(), [], "over before the restart");
    assert_eq!(last.shadow.report().total.compared(), 500);
}

#[test]
fn a_restart_with_other_numbers_ends_or_goes_on() {
    let bench = Bench::new(builder());
    bench.run(0, 250);
    let shorter = bench.restarted(builder().documents(100, 240));
    assert!(matches!(
        shorter.sink.events()[0].kind,
        EventKind::Shadow(ShadowEvent::ShadowFinished { compared: 250, .. })
    ));
    let longer = shorter.restarted(builder().documents(100, 300));
    assert_eq!(longer.sink.events(), []);
    longer.run(0, 50);
    assert_eq!(longer.sink.events().len(), 1);
}

#[test]
fn another_candidate_starts_anew() {
    let bench = Bench::new(builder());
    bench.run(40, 200);
    let next =
        bench.restarted(ShadowComparator::builder(VersionId::new("v9").unwrap()).share(Ratio::ONE));
    assert_eq!(
        next.shadow.verdict(),
        ShadowVerdict::Collecting {
            compared: 0,
            needed: 200
        }
    );
    assert_eq!(next.shadow.candidate().as_str(), "v9");
}

#[test]
fn a_state_that_cannot_be_is_refused_and_changes_nothing() {
    let bench = Bench::new(builder());
    bench.run(3, 10);
    let before = bench.shadow.report();
    let text = serde_json::to_string(&bench.pipeline.snapshot().unwrap()).unwrap();
    for (from, to) in [
        (r#""matched":7"#, r#""matched":18446744073709551615"#),
        (r#""diverged":3"#, r#""diverged":4"#),
        (r#""candidate_failed":0"#, r#""candidate_failed":-1"#),
        (r#""reviews":[]"#, r#""reviews":null"#),
        (
            r#""finished":false,"format":1"#,
            r#""finished":false,"format":2"#,
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let snapshot: Snapshot = serde_json::from_str(&text.replace(from, to)).unwrap();
        let error = bench.pipeline.restore(&snapshot).unwrap_err();
        assert!(error.to_string().contains("`shadow`"), "{error}");
        assert_eq!(bench.shadow.report(), before);
    }
}
