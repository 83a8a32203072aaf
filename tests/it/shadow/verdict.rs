//! When a person is asked to look.

use fusebox::call::{Comparison, ShadowEnd};
use fusebox::event::ShadowEvent;
use fusebox::shadow::{Blindness, ShadowVerdict};
use fusebox::{EventKind, FailureKind, Ratio, Severity, VersionId};

use super::{Bench, builder, diverged, not_comparable};

#[test]
fn forty_of_five_hundred_is_not_too_much_and_forty_one_is() {
    let bench = Bench::new(builder());
    bench.run(40, 500);
    assert_eq!(bench.reviews(), []);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::NotShownBelow);

    let bench = Bench::new(builder());
    bench.run(41, 500);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::ReviewRequired);
    let reviews = bench.reviews();
    assert_eq!(reviews.len(), 1);
    assert_eq!(reviews[0].severity, Severity::Warning);
    assert_eq!(
        reviews[0].kind,
        EventKind::Shadow(ShadowEvent::ReviewRequested {
            candidate: VersionId::new("v8").unwrap(),
            production: VersionId::new("v7").unwrap(),
            diverged: 41,
            compared: 500,
            threshold: Ratio::percent(8),
        })
    );
}

#[test]
fn it_does_not_look_before_two_hundred_documents() {
    let bench = Bench::new(builder());
    bench.run(199, 199);
    assert_eq!(
        bench.shadow.verdict(),
        ShadowVerdict::Collecting {
            compared: 199,
            needed: 200
        }
    );
    assert_eq!(bench.sink.events(), []);
    bench.compare(Comparison::Match);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::ReviewRequired);
    assert_eq!(bench.reviews().len(), 1);
}

#[test]
fn between_two_looks_nothing_is_judged() {
    let bench = Bench::new(builder());
    bench.run(0, 200);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::CertifiedBelow);
    bench.run(99, 99);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::CertifiedBelow);
    assert_eq!(bench.reviews(), []);
    bench.compare(Comparison::Match);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::ReviewRequired);
}

#[test]
fn it_looks_at_the_first_every_hundred_more_and_the_last() {
    for (min, max, looks) in [
        (200, 500, &[200, 300, 400, 500][..]),
        (30, 160, &[30, 130, 160]),
        (50, 50, &[50]),
    ] {
        // A run that diverges from document `n` on is first reviewed at the first look from there
        // on.
        for n in (1..=max).step_by(10).chain([max]) {
            let bench = Bench::new(
                builder()
                    .documents(min, max)
                    .threshold(Ratio::new(1, 10_000).unwrap()),
            );
            let tickets = (1..=max).map(|_| bench.ticket("document", "invoice"));
            for (at, ticket) in (1..).zip(tickets) {
                let comparison = if at >= n {
                    diverged()
                } else {
                    Comparison::Match
                };
                bench.report(&ticket, comparison);
            }
            let EventKind::Shadow(ShadowEvent::ReviewRequested { compared, .. }) =
                bench.reviews()[0].kind
            else {
                panic!("not a review");
            };
            assert_eq!(
                Some(&compared),
                looks.iter().find(|look| **look >= n),
                "{n}"
            );
        }
    }
}

/// From scipy 1.17.1: the smallest count above 8 %, and the largest whose two-sided Wilson interval
/// ends at or below 8 % (`binomtest(k, n).proportion_ci(method="wilson")`).
#[test]
fn verdicts_agree_with_scipy() {
    for (documents, certified, triggers) in
        [(200, 8, 17), (300, 14, 25), (400, 21, 33), (500, 28, 41)]
    {
        for (diverging, verdict) in [
            (0, ShadowVerdict::CertifiedBelow),
            (certified, ShadowVerdict::CertifiedBelow),
            (certified + 1, ShadowVerdict::NotShownBelow),
            (triggers - 1, ShadowVerdict::NotShownBelow),
            (triggers, ShadowVerdict::ReviewRequired),
            (documents, ShadowVerdict::ReviewRequired),
        ] {
            let bench = Bench::new(builder().documents(documents, documents));
            bench.run(diverging, documents);
            assert_eq!(
                bench.shadow.verdict(),
                verdict,
                "{diverging} of {documents}"
            );
            let asked = usize::from(verdict == ShadowVerdict::ReviewRequired);
            assert_eq!(bench.reviews().len(), asked, "{diverging} of {documents}");
        }
    }
}

/// From scipy 1.17.1, in percent to two digits: 40 of 500 is 5.93 to 10.71.
#[test]
fn the_report_shows_the_interval() {
    let bench = Bench::new(builder());
    let total = bench.shadow.report().total;
    assert_eq!(total.interval(), (Ratio::ZERO, Ratio::ONE));
    bench.run(40, 500);
    let (low, high) = bench.shadow.report().total.interval();
    assert_eq!(low.to_string(), "5.93 %");
    assert_eq!(high.to_string(), "10.71 %");
}

#[test]
fn candidates_that_only_fail_are_reviewed() {
    let bench = Bench::new(builder());
    for _ in 0..17 {
        bench.compare(ShadowEnd::CandidateFailed(FailureKind::Transport));
    }
    bench.run(0, 183);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::ReviewRequired);
}

#[test]
fn what_cannot_be_compared_is_no_evidence() {
    let bench = Bench::new(builder().documents(10, 20));
    for _ in 0..1_000 {
        bench.compare(not_comparable());
    }
    bench.run(0, 9);
    let why = Blindness::FewCompared {
        compared: 9,
        begun: 1_009,
    };
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::Blind(why));
    assert_eq!(bench.shadow.report().total.not_comparable, 1_000);
    let events = bench.sink.events();
    assert_eq!(events.len(), 1, "said once");
    assert_eq!(
        events[0].kind.to_string(),
        "shadow run of v8 is blind: only 0 of 10 documents could be compared"
    );
}
