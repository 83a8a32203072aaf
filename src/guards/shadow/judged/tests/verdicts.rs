//! At which counts a verdict is there, and how long it stands.

use super::*;

/// 27 to 10 is convincing, 26 to 10 is not (numpy).
#[test]
fn a_candidate_is_called_worse_at_the_count_that_shows_it() {
    let mut bench = Bench::new();
    bench
        .many(0, 900, Pair::BothRight)
        .many(1_000, 10, Pair::OnlyCandidateRight);
    bench.many(2_000, 26, Pair::OnlyProductionRight);
    assert!(matches!(
        bench.judged.verdict(),
        JudgedVerdict::NotEnough {
            reason: JudgedGap::TooFew,
            ..
        }
    ));
    bench.many(3_000, 1, Pair::OnlyProductionRight);
    assert_eq!(bench.judged.verdict(), JudgedVerdict::Worse);
    assert_eq!(bench.judged.report().called_worse_at, Some(bench.now));
}

#[test]
fn worse_stands_whatever_comes_after_it() {
    let mut bench = Bench::new();
    bench
        .many(0, 900, Pair::BothRight)
        .many(2_000, 7, Pair::OnlyProductionRight);
    assert_eq!(bench.judged.verdict(), JudgedVerdict::Worse);
    bench.many(3_000, 90, Pair::OnlyCandidateRight);
    assert_eq!(bench.judged.verdict(), JudgedVerdict::Worse);
    assert!(bench.judged.report().evidence_worse < 1.0);
    // A fact that came later is no part of it.
    bench.retract(&ticket(3_000), "total");
    let mut bench = bench.restarted();
    assert_eq!(bench.judged.verdict(), JudgedVerdict::Worse);
    // One on which it was called turns out to be production's mistake.
    bench.correct(&ticket(2_000), "total", Settled::Value("9"));
    assert_ne!(bench.judged.verdict(), JudgedVerdict::Worse);
    assert_eq!(bench.judged.report().called_worse_at, None);
    assert!(
        !bench
            .judged
            .documents
            .values()
            .any(|document| document.in_verdict)
    );
}

#[test]
fn worse_on_the_facts_of_a_batch_falls_with_the_batch() {
    let mut bench = Bench::new();
    bench.many(0, 90, Pair::BothRight);
    for n in 0..7 {
        bench.one(
            &in_batch(1_000 + n, &n.to_string()),
            Pair::OnlyProductionRight,
        );
    }
    bench.wait(minutes(10));
    assert_eq!(bench.judged.verdict(), JudgedVerdict::Worse);
    let mut bench = bench.restarted();
    bench.correct(&in_batch(1_000, "0"), "total", Settled::Value("9"));
    assert_ne!(bench.judged.verdict(), JudgedVerdict::Worse);
}

/// 31 to 20 is convincing, 30 to 20 is not (numpy); what is there now decides.
#[test]
fn no_worse_is_said_of_what_stands_now() {
    let mut bench = Bench::new();
    bench
        .many(0, 900, Pair::BothRight)
        .many(1_000, 30, Pair::OnlyCandidateRight);
    bench.many(2_000, 20, Pair::OnlyProductionRight);
    assert_ne!(bench.judged.verdict(), JudgedVerdict::NoWorse);
    bench.many(3_000, 1, Pair::OnlyCandidateRight);
    assert_eq!(bench.judged.verdict(), JudgedVerdict::NoWorse);
    bench.retract(&ticket(3_000), "total");
    assert_ne!(bench.judged.verdict(), JudgedVerdict::NoWorse);
}

#[test]
fn reviews_that_follow_corrections_only_never_show_no_worse() {
    let mut bench = Bench::new();
    bench.many(0, 200, Pair::OnlyCandidateRight);
    assert!(matches!(
        bench.judged.verdict(),
        JudgedVerdict::NotEnough {
            reason: JudgedGap::CorrectionsOnly,
            ..
        }
    ));
    bench.many(1_000, 23, Pair::BothRight);
    assert_eq!(
        bench.judged.verdict(),
        JudgedVerdict::NoWorse,
        "more than one in ten"
    );
}

#[test]
fn nobody_knows_which_is_right_of_what_nobody_looked_at() {
    let mut bench = Bench::new();
    for n in 0..100 {
        bench.compare(&ticket(n), &differs(&[("total", "1")]));
    }
    bench.wait(hours(400));
    let report = bench.judged.report();
    assert_eq!(
        (report.total.unreviewed, report.total.compared()),
        (100, 100)
    );
    assert_eq!(
        report.verdict,
        JudgedVerdict::NotEnough {
            reason: JudgedGap::Unreviewed,
            needed: DocumentsNeeded::default()
        }
    );
}
