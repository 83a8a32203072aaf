//! What counts, once and in one place, and that nothing is changed by it.

use fusebox::Feedback;
use fusebox::call::Comparison;
use fusebox::event::Outbox;
use fusebox::event::{PipelineEvent, ShadowEvent};
use fusebox::guard::{Acceptance, Cx, Route, Verdict};
use fusebox::shadow::{ShadowVerdict, Shadowed};
use fusebox::{
    Call, Event, EventKind, FailureKind, Field, Guard, LineUp, Ratio, Report, Settlement, Severity,
    ShadowComparator, Timestamp, VersionId,
};

use super::{Bench, builder, diverged, version};

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

/// In a run of two documents, the ids of the first two are stored, and not that of the third.
#[test]
fn tickets_that_are_not_comparable_are_known_again_up_to_the_length_of_the_run() {
    let bench = Bench::new(builder().documents(1, 2));
    let tickets = [(); 3].map(|()| bench.compare(Comparison::NotComparable));
    for (ticket, counted) in tickets.iter().zip([3, 3, 4]) {
        let again = Feedback::Compared(Comparison::NotComparable);
        bench.pipeline.observe(ticket, again);
        assert_eq!(bench.shadow.report().total().not_comparable, counted);
    }
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
            "shadow documents: got `0 to 500`, expected 1 <= min <= max <= 100000",
        ),
        (
            builder().documents(501, 500),
            "shadow documents: got `501 to 500`, expected 1 <= min <= max <= 100000",
        ),
        (
            builder().documents(200, 100_001),
            "shadow documents: got `200 to 100001`, expected 1 <= min <= max <= 100000",
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
