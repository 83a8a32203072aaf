//! What counts, once and in one place, and that nothing is changed by it.

use std::time::Duration;

use fusebox::call::{Comparison, Difference, ShadowEnd};
use fusebox::event::Outbox;
use fusebox::event::{PipelineEvent, ShadowEvent};
use fusebox::guard::{Acceptance, Cx, Route, Verdict};
use fusebox::shadow::{Blindness, Sealed, Selection, ShadowComparatorBuilder, ShadowVerdict};
use fusebox::{
    Call, DocumentType, EventKind, FailureKind, Field, Guard, LineUp, Ratio, Report, Settlement,
    Severity, ShadowComparator, Timestamp, VersionId,
};

use super::{Bench, builder, diverged, not_comparable, version};

#[test]
fn every_comparison_is_in_one_place_and_a_candidate_that_fails_diverges() {
    let bench = Bench::new(builder());
    let failed = ShadowEnd::CandidateFailed(FailureKind::Timeout);
    for (end, times) in [
        (ShadowEnd::from(Comparison::Match), 4),
        (diverged().into(), 3),
        (failed.clone(), 2),
        (not_comparable().into(), 1),
    ] {
        for _ in 0..times {
            bench.compare(end.clone());
        }
    }
    let contract = bench.ticket("document", "contract");
    bench.report(&contract, failed.clone());
    let report = bench.shadow.report();
    let total = report.total;
    assert_eq!((total.matched, total.diverged), (4, 3));
    assert_eq!((total.candidate_failed, total.not_comparable), (3, 1));
    assert_eq!((total.compared(), total.diverging()), (10, 6));
    assert_eq!(report.of("invoice").compared(), 9);
    assert_eq!(report.of("contract").candidate_failed, 1);
    assert_eq!(
        report.of("letter"),
        fusebox::shadow::ShadowCounts::default()
    );
    let names: Vec<_> = report.types.keys().map(DocumentType::as_str).collect();
    assert_eq!(names, ["contract", "invoice"]);
    assert_eq!(report.other, None);
    assert_eq!(report.divergences.len(), 6);
    assert_eq!(report.divergences[0].end, diverged().into());
    assert_eq!(report.divergences[5].ticket, contract);
    assert_eq!(report.divergences[5].end, failed);
}

#[test]
fn a_ticket_counts_once() {
    let bench = Bench::new(builder());
    let (agrees, differs) = (bench.compare(Comparison::Match), bench.compare(diverged()));
    let neither = bench.compare(not_comparable());
    let before = bench.shadow.report();
    for ticket in [agrees, differs, neither] {
        for comparison in [Comparison::Match, diverged(), not_comparable()] {
            bench.report(&ticket, comparison);
        }
    }
    assert_eq!(bench.shadow.report(), before);
}

#[test]
fn tickets_outside_the_rate_are_known_again_up_to_ten_thousand() {
    let bench = Bench::new(builder());
    let ticket = bench.compare(not_comparable());
    for _ in 0..9_998 {
        bench.compare(not_comparable());
    }
    let (last_known, first_unknown) = (
        bench.compare(not_comparable()),
        bench.compare(not_comparable()),
    );
    for (ticket, counted) in [
        (ticket, 10_001),
        (last_known, 10_001),
        (first_unknown, 10_002),
    ] {
        bench.report(&ticket, not_comparable());
        assert_eq!(bench.shadow.report().total.not_comparable, counted);
    }
}

#[test]
fn the_run_ends_at_its_last_document_and_says_so_once() {
    let bench = Bench::new(builder());
    bench.compare(not_comparable());
    bench.run(100, 499);
    assert_eq!(bench.select("document"), Selection::Run);
    bench.compare(Comparison::Match);
    assert_eq!(bench.select("document"), Selection::Over);
    bench.run(5, 5);
    let report = bench.shadow.report();
    assert_eq!(report.total.compared(), 500);
    assert_eq!(report.surplus, 5);
    assert_eq!(report.divergences.len(), 100);
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
    let next = bench.ticket("another", "invoice");
    let now = bench.pipeline.now();
    assert_eq!(bench.shadow.select(&next, now), Selection::NotComparable);
    assert_eq!(bench.shadow.select(&ticket, now), Selection::Over);
    let total = bench.shadow.report().total;
    assert_eq!((total.compared(), total.not_comparable), (0, 2));
}

#[test]
fn a_share_is_the_same_documents_every_time_and_a_larger_one_contains_it() {
    let wanted = |experiment: &str, share: Ratio| -> Vec<u64> {
        let bench = Bench::new(
            builder()
                .experiment(experiment)
                .share(share)
                .in_flight(10_000),
        );
        let is_run = |n: &u64| bench.select(&format!("inv-{n}")) == Selection::Run;
        let wanted: Vec<u64> = (0..10_000).filter(is_run).collect();
        let report = bench.shadow.report();
        assert_eq!(report.total.not_sampled, 10_000 - wanted.len() as u64);
        assert_eq!(
            (report.offered(), report.in_flight),
            (10_000, wanted.len() as u64)
        );
        wanted
    };
    let tenth = wanted("total-2026", Ratio::percent(10));
    assert_eq!(tenth, wanted("total-2026", Ratio::new(1, 10).unwrap()));
    // 1,000 expected, with a standard deviation of 30: three of them.
    assert!((910..=1_090).contains(&tenth.len()), "{}", tenth.len());
    let fifth = wanted("total-2026", Ratio::percent(20));
    assert!(tenth.iter().all(|n| fifth.contains(n)));
    assert!(fifth.len() > tenth.len());
    assert_ne!(tenth, wanted("vendor-2026", Ratio::percent(10)));
    assert_eq!(wanted("total-2026", Ratio::ONE).len(), 10_000);
    assert!(wanted("total-2026", Ratio::ZERO).is_empty());
}

#[test]
fn without_a_share_nothing_is_run_and_the_verdict_says_so() {
    let bench = Bench::new(ShadowComparator::builder(VersionId::new("v8").unwrap()));
    assert_eq!(bench.select("inv-1"), Selection::NotSampled);
    let verdict = bench.shadow.verdict();
    assert_eq!(verdict, ShadowVerdict::Blind(Blindness::NothingSampled));
    assert_eq!(verdict.to_string(), "blind: its share is 0 %");
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let bench = Bench::new(builder().documents(1, 2_000));
    let fields: Vec<_> = (0..1_000)
        .map(|n| Field::new(format!("field-{n}")).unwrap())
        .collect();
    let all = fields.iter().cloned().map(Difference::changed);
    let all: Vec<_> = all.collect();
    bench.compare(Comparison::Diverged(all.clone()));
    let report = bench.shadow.report();
    let kept = &report.divergences[0].end;
    assert_eq!(*kept, Comparison::Diverged(all[..100].to_vec()).into());
    for n in 0..1_500 {
        let ticket = bench.ticket("document", &format!("type-{n}"));
        bench.report(&ticket, Comparison::Match);
    }
    let report = bench.shadow.report();
    assert_eq!(report.types.len(), 1_000);
    assert_eq!(report.other.unwrap().matched, 501);
    assert_eq!(exhausted(&bench), ["type-999"]);
}

/// The first type above the limit, of each event that names one.
fn exhausted(bench: &Bench) -> Vec<String> {
    let events = bench.sink.events().into_iter();
    let firsts = events.filter_map(|event| match event.kind {
        EventKind::Pipeline(PipelineEvent::KeysExhausted { first, .. }) => Some(first),
        _ => None,
    });
    firsts.collect()
}

#[test]
fn too_many_types_are_told_however_the_first_of_them_ends() {
    let full = |builder: ShadowComparatorBuilder| {
        let bench = Bench::new(builder.documents(1, 2_000));
        for n in 0..1_000 {
            let ticket = bench.ticket("document", &format!("type-{n}"));
            bench.report(&ticket, Comparison::Match);
        }
        bench
    };
    let offer = |bench: &Bench, document_type: &str| {
        let ticket = bench.ticket("document", document_type);
        bench.shadow.select(&ticket, bench.pipeline.now())
    };
    let shed = full(builder().in_flight(1));
    assert_eq!(offer(&shed, "type-0"), Selection::Run);
    assert_eq!(offer(&shed, "shed"), Selection::Shed);
    let withheld = full(builder().max_calls(0));
    assert_eq!(offer(&withheld, "withheld"), Selection::Withheld);
    let served = full(builder());
    let promoted = LineUp::new(version("v8"));
    served.pipeline.deploy(promoted).unwrap();
    assert_eq!(offer(&served, "served"), Selection::NotComparable);

    for (bench, first) in [(shed, "shed"), (withheld, "withheld"), (served, "served")] {
        let _ = offer(&bench, "one more");
        let after = bench.restarted(builder().documents(1, 2_000));
        for bench in [&bench, &after] {
            assert_eq!(exhausted(bench), [""; 0], "no step has told it yet");
            bench.pipeline.tick();
            bench.pipeline.tick();
            assert_eq!(exhausted(bench), [first]);
        }
    }
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
            builder().share(Ratio::percent(101)),
            "shadow share: got `101 %`, expected at most 100 %",
        ),
        (
            builder().baseline_share(Ratio::percent(101)),
            "shadow baseline share: got `101 %`, expected at most 100 %",
        ),
        (
            builder().timeout(Duration::ZERO),
            "shadow timeout: got `0ns`, expected more than 0 s and at most 24 h",
        ),
        (
            builder().timeout(Duration::from_secs(86_401)),
            "shadow timeout: got `86401s`, expected more than 0 s and at most 24 h",
        ),
        (
            builder().in_flight(0),
            "shadow calls in flight: got `0`, expected 1 to 10000",
        ),
        (
            builder().in_flight(10_001),
            "shadow calls in flight: got `10001`, expected 1 to 10000",
        ),
        (
            builder().checkpoints([300, 501]),
            "shadow checkpoint: got `501`, expected 200 to 500, as the run's documents",
        ),
        (
            builder().documents(1, 2_000).checkpoints(1..=1_001),
            "shadow checkpoints: got `1001`, expected at most 1000",
        ),
        (
            builder().experiment("two\nlines"),
            "shadow experiment: got `two\\nlines`, expected one line, without control characters",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), message);
    }
}

#[test]
fn a_sealed_output_prints_its_type_and_a_hash_only() {
    let print = |value: u32| format!("{:?}", Sealed::new(value));
    let printed = print(4_111_111);
    let hash = printed
        .strip_prefix("Sealed<u32>(")
        .unwrap()
        .strip_suffix(')')
        .unwrap();
    assert_eq!(hash.len(), 16);
    assert!(hash.chars().all(|c| c.is_ascii_hexdigit()), "{hash}");
    assert_eq!(printed, print(4_111_111), "equal outputs can be told");
    assert_ne!(printed, print(4_111_112));
    let sealed = Sealed::new(4_111_111_u32);
    let comparison = sealed.compare(&4_111_111_u32, |production, candidate| {
        if production == candidate {
            Comparison::Match
        } else {
            diverged()
        }
    });
    assert_eq!(comparison, Comparison::Match);
}
