//! P6: a shadow run counts how often a candidate disagrees, asks a person to look, and changes nothing.

use std::sync::Arc;

use fusebox::Feedback;
use fusebox::call::Comparison;
use fusebox::clock::MockClock;
use fusebox::event::Outbox;
use fusebox::event::{PipelineEvent, ShadowEvent};
use fusebox::guard::{Acceptance, Cx, Route, Verdict};
use fusebox::pipeline::Snapshot;
use fusebox::shadow::{ShadowComparatorBuilder, ShadowVerdict, Shadowed};
use fusebox::sink::MemorySink;
use fusebox::{
    Call, Event, EventKind, FailureKind, Field, Guard, LineUp, Pipeline, Ratio, Report, Settlement,
    Severity, ShadowComparator, Ticket, Timestamp, Version, VersionId,
};

struct Bench {
    pipeline: Pipeline,
    shadow: Arc<ShadowComparator>,
    sink: MemorySink,
}

impl Bench {
    fn new(builder: ShadowComparatorBuilder) -> Self {
        let (shadow, sink) = (Arc::new(builder.build().unwrap()), MemorySink::new());
        let line_up = LineUp::new(version("v7")).with_candidate(version("v8"));
        let pipeline = Pipeline::builder(line_up)
            .guard(Arc::clone(&shadow))
            .clock(MockClock::new())
            .sink(sink.clone())
            .build()
            .unwrap();
        sink.take();
        Self {
            pipeline,
            shadow,
            sink,
        }
    }

    /// A document that production served.
    fn ticket(&self, document: &str, document_type: &str) -> Ticket {
        let call = Call::new(document, document_type).unwrap();
        let permit = self.pipeline.admit(&call).permit().unwrap();
        permit.answer(Report::new()).ticket().clone()
    }

    fn compare(&self, comparison: Comparison) -> Ticket {
        let ticket = self.ticket("document", "invoice");
        self.pipeline
            .observe(&ticket, Feedback::Compared(comparison));
        ticket
    }

    /// So many documents, of which so many diverge, evenly spread.
    fn run(&self, diverging: u64, documents: u64) {
        let by_then = |n: u64| diverging * n / documents;
        for n in 0..documents {
            if by_then(n + 1) > by_then(n) {
                self.compare(diverged());
            } else {
                self.compare(Comparison::Match);
            }
        }
    }

    fn reviews(&self) -> Vec<Event> {
        let mut events = self.sink.events();
        events.retain(|event| {
            matches!(
                event.kind,
                EventKind::Shadow(ShadowEvent::ReviewRequested { .. })
            )
        });
        events
    }

    fn restarted(&self, builder: ShadowComparatorBuilder) -> Self {
        let text = serde_json::to_string(&self.pipeline.snapshot().unwrap()).unwrap();
        let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
        let next = Self::new(builder);
        next.pipeline.restore(&snapshot).unwrap();
        next
    }
}

fn version(id: &str) -> Version {
    Version::new(id, "gpt-4o").unwrap()
}

fn builder() -> ShadowComparatorBuilder {
    ShadowComparator::builder(VersionId::new("v8").unwrap())
}

fn diverged() -> Comparison {
    Comparison::Diverged(vec![Field::new("total").unwrap()])
}

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
        // A run that diverges from document `n` on is first reviewed at the first look from there on.
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
                bench
                    .pipeline
                    .observe(&ticket, Feedback::Compared(comparison));
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

/// From scipy 1.17.1: the smallest count above 8 %, and the largest whose two-sided Wilson interval ends at or below 8 %
/// (`binomtest(k, n).proportion_ci(method="wilson")`).
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
    let total = bench.shadow.report().total();
    assert_eq!(total.interval(), (Ratio::ZERO, Ratio::ONE));
    bench.run(40, 500);
    let (low, high) = bench.shadow.report().total().interval();
    assert_eq!(low.to_string(), "5.93 %");
    assert_eq!(high.to_string(), "10.71 %");
}

#[test]
fn every_comparison_is_in_one_place_and_a_candidate_that_fails_diverges() {
    let bench = Bench::new(builder());
    let failed = Comparison::CandidateFailed(FailureKind::Timeout);
    for (comparison, times) in [
        (Comparison::Match, 4),
        (diverged(), 3),
        (failed.clone(), 2),
        (Comparison::NotComparable, 1),
    ] {
        for _ in 0..times {
            bench.compare(comparison.clone());
        }
    }
    let contract = bench.ticket("document", "contract");
    bench
        .pipeline
        .observe(&contract, Feedback::Compared(failed.clone()));
    let report = bench.shadow.report();
    let total = report.total();
    assert_eq!((total.matched, total.diverged), (4, 3));
    assert_eq!((total.candidate_failed, total.not_comparable), (3, 1));
    assert_eq!((total.compared(), total.diverging()), (10, 6));
    assert_eq!(report.of("invoice").compared(), 9);
    assert_eq!(report.of("contract").candidate_failed, 1);
    assert_eq!(
        report.of("letter"),
        fusebox::shadow::ShadowCounts::default()
    );
    let names: Vec<_> = report.types().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["contract", "invoice"]);
    assert_eq!(report.other(), None);
    assert_eq!(report.divergences().len(), 6);
    assert_eq!(report.divergences()[0].comparison, diverged());
    assert_eq!(report.divergences()[5].ticket, contract);
    assert_eq!(report.divergences()[5].comparison, failed);
}

#[test]
fn candidates_that_only_fail_are_reviewed() {
    let bench = Bench::new(builder());
    for _ in 0..17 {
        bench.compare(Comparison::CandidateFailed(FailureKind::Transport));
    }
    bench.run(0, 183);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::ReviewRequired);
}

#[test]
fn what_cannot_be_compared_is_no_evidence() {
    let bench = Bench::new(builder().documents(10, 20));
    for _ in 0..1_000 {
        bench.compare(Comparison::NotComparable);
    }
    bench.run(0, 9);
    assert_eq!(
        bench.shadow.verdict(),
        ShadowVerdict::Collecting {
            compared: 9,
            needed: 10
        }
    );
    assert_eq!(bench.shadow.report().total().not_comparable, 1_000);
}

#[test]
fn a_ticket_counts_once() {
    let bench = Bench::new(builder());
    let (agrees, differs) = (bench.compare(Comparison::Match), bench.compare(diverged()));
    let neither = bench.compare(Comparison::NotComparable);
    let before = bench.shadow.report();
    for ticket in [agrees, differs, neither] {
        for comparison in [Comparison::Match, diverged(), Comparison::NotComparable] {
            bench
                .pipeline
                .observe(&ticket, Feedback::Compared(comparison));
        }
    }
    assert_eq!(bench.shadow.report(), before);
}

#[test]
fn the_run_ends_at_its_last_document_and_says_so_once() {
    let bench = Bench::new(builder());
    bench.compare(Comparison::NotComparable);
    bench.run(100, 499);
    let ticket = bench.ticket("document", "invoice");
    assert!(bench.shadow.wants(&ticket));
    bench.compare(Comparison::Match);
    assert!(!bench.shadow.wants(&ticket));
    bench.run(5, 5);
    let report = bench.shadow.report();
    assert_eq!(report.total().compared(), 500);
    assert_eq!(report.surplus(), 5);
    assert_eq!(report.divergences().len(), 100);
    let events = bench.sink.events();
    assert_eq!(events.len(), 2, "one review, one end");
    assert_eq!(events[1].severity, Severity::Info);
    assert_eq!(
        events[1].kind,
        EventKind::Shadow(ShadowEvent::ShadowFinished {
            candidate: VersionId::new("v8").unwrap(),
            diverged: 100,
            compared: 500,
            not_comparable: 1,
        })
    );
}

#[test]
fn it_never_votes_whatever_it_has_seen() {
    let bench = Bench::new(builder());
    bench.run(500, 500);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::ReviewRequired);
    let (line_up, outbox) = (bench.pipeline.line_up(), Outbox::new());
    let cx = Cx::new(Timestamp::EPOCH, &line_up, &outbox, "shadow");
    let call = Call::new("document", "invoice").unwrap();
    assert_eq!(bench.shadow.route(&call, &cx), Route::Abstain);
    assert_eq!(
        bench.shadow.check(&call, line_up.stable(), &cx),
        Verdict::Proceed
    );
    let permit = bench.pipeline.admit(&call).permit().unwrap();
    assert_eq!(*permit.ticket().version(), "v7");
    let report = Report::new().confidence("total", 0.1);
    assert_eq!(
        bench.shadow.review(permit.ticket(), &report, &cx),
        Acceptance::Accept
    );
    assert!(matches!(permit.answer(report), Settlement::Accepted { .. }));
}

#[test]
fn a_document_that_the_candidate_served_is_neither_wanted_nor_comparable() {
    let bench = Bench::new(builder());
    bench.pipeline.deploy(LineUp::new(version("v8"))).unwrap();
    let ticket = bench.compare(diverged());
    assert!(!bench.shadow.wants(&ticket));
    let total = bench.shadow.report().total();
    assert_eq!((total.compared(), total.not_comparable), (0, 1));
}

#[test]
fn a_share_is_the_same_documents_every_time_and_a_larger_one_contains_it() {
    let wanted = |candidate: &str, share: Ratio| -> Vec<u64> {
        let candidate = VersionId::new(candidate).unwrap();
        let bench = Bench::new(ShadowComparator::builder(candidate).share(share));
        (0..4_000)
            .filter(|n| {
                bench
                    .shadow
                    .wants(&bench.ticket(&format!("inv-{n}"), "invoice"))
            })
            .collect()
    };
    let tenth = wanted("v8", Ratio::percent(10));
    assert_eq!(tenth, wanted("v8", Ratio::new(1, 10).unwrap()));
    // 400 expected, with a standard deviation of 19.
    assert!((325..=475).contains(&tenth.len()), "{}", tenth.len());
    let fifth = wanted("v8", Ratio::percent(20));
    assert!(tenth.iter().all(|n| fifth.contains(n)));
    assert!(fifth.len() > tenth.len());
    assert_ne!(tenth, wanted("v9", Ratio::percent(10)));
    assert_eq!(wanted("v8", Ratio::ONE).len(), 4_000);
}

#[test]
fn a_restart_goes_on_where_the_run_was() {
    let bench = Bench::new(builder());
    let first = bench.compare(diverged());
    bench.compare(Comparison::NotComparable);
    bench.run(16, 199);
    let next = bench.restarted(builder());
    assert_eq!(next.shadow.report(), bench.shadow.report());
    assert_eq!(next.shadow.verdict(), ShadowVerdict::ReviewRequired);
    next.pipeline
        .observe(&first, Feedback::Compared(diverged()));
    assert_eq!(next.shadow.report(), bench.shadow.report(), "seen before");
    next.run(100, 300);
    assert_eq!(next.reviews(), [], "asked before the restart");
    let last = next.restarted(builder());
    assert_eq!(last.sink.events(), [], "over before the restart");
    assert_eq!(last.shadow.report().total().compared(), 500);
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
    let next = bench.restarted(ShadowComparator::builder(VersionId::new("v9").unwrap()));
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
        (r#""review":false"#, r#""review":null"#),
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

#[test]
fn memory_is_bounded_whatever_comes() {
    let bench = Bench::new(builder().documents(1, 2_000));
    let fields: Vec<_> = (0..1_000)
        .map(|n| Field::new(format!("field-{n}")).unwrap())
        .collect();
    bench.compare(Comparison::Diverged(fields.clone()));
    let report = bench.shadow.report();
    let kept = &report.divergences()[0].comparison;
    assert_eq!(*kept, Comparison::Diverged(fields[..100].to_vec()));
    for n in 0..1_500 {
        let ticket = bench.ticket("document", &format!("type-{n}"));
        bench
            .pipeline
            .observe(&ticket, Feedback::Compared(Comparison::Match));
    }
    let report = bench.shadow.report();
    assert_eq!(report.types().count(), 1_000);
    assert_eq!(report.other().unwrap().matched, 501);
    let exhausted = |event: &&Event| {
        matches!(
            event.kind,
            EventKind::Pipeline(PipelineEvent::KeysExhausted { .. })
        )
    };
    assert_eq!(bench.sink.events().iter().filter(exhausted).count(), 1);
}

#[test]
fn numbers_outside_their_range_are_refused_by_name() {
    for (builder, message) in [
        (
            builder().documents(0, 500),
            "shadow documents: got `0 to 500`, expected at least 1, rising, at most 100000",
        ),
        (
            builder().documents(501, 500),
            "shadow documents: got `501 to 500`, expected at least 1, rising, at most 100000",
        ),
        (
            builder().documents(200, 100_001),
            "shadow documents: got `200 to 100001`, expected at least 1, rising, at most 100000",
        ),
        (
            builder().threshold(Ratio::ONE),
            "shadow threshold: got `100 %`, expected more than 0 % and less than 100 %",
        ),
        (
            builder().share(Ratio::ZERO),
            "shadow share: got `0 %`, expected more than 0 % and at most 100 %",
        ),
        (
            builder().share(Ratio::percent(101)),
            "shadow share: got `101 %`, expected more than 0 % and at most 100 %",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), message);
    }
}

#[test]
fn a_shadow_output_prints_its_type_only() {
    let shadowed = Shadowed::new(4_111_111_u32);
    assert_eq!(format!("{shadowed:?}"), "Shadowed<u32>");
    let comparison = shadowed.compare(&4_111_111_u32, |production, candidate| {
        if production == candidate {
            Comparison::Match
        } else {
            diverged()
        }
    });
    assert_eq!(comparison, Comparison::Match);
}
