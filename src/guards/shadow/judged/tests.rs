//! What people told, in any order, against what is counted.

mod law;
mod storage;
mod verdicts;

use std::time::Duration;

use super::report::Pair;
use super::*;
use crate::call::{Call, Comparable, Difference, DifferenceKind, Version};
use crate::name::Field;
use crate::time::{hours, minutes};

const START: Timestamp = Timestamp::from_millis(1_763_899_200_000);

struct Bench {
    judged: Judged,
    now: Timestamp,
}

impl Bench {
    fn new() -> Self {
        Self::with(JudgedSettings::default())
    }

    fn with(settings: JudgedSettings) -> Self {
        Self {
            judged: Judged::new(settings, key()).unwrap(),
            now: START,
        }
    }

    fn compare(&mut self, ticket: &Ticket, comparison: &Comparison) -> &mut Self {
        self.judged.compared(ticket, comparison, self.now);
        self
    }

    fn correct(&mut self, ticket: &Ticket, field: &str, settled: Settled<'_>) -> &mut Self {
        self.judged
            .corrected(ticket, &correction(field), settled, self.now);
        self
    }

    fn retract(&mut self, ticket: &Ticket, field: &str) -> &mut Self {
        self.judged.retracted(ticket, &correction(field), self.now);
        self
    }

    fn review(&mut self, ticket: &Ticket) -> &mut Self {
        self.judged.reviewed(ticket, self.now);
        self
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now = self.now + time;
        self.judged.advance(self.now);
        self
    }

    /// The documents that somebody looked at, each as one pair.
    fn pairs(&self) -> Vec<(Pair, u64)> {
        let found = self.judged.total.looked_at;
        let counts = [
            (Pair::BothRight, found.both_right),
            (Pair::BothWrong, found.both_wrong),
            (Pair::OnlyCandidateRight, found.only_candidate_right),
            (Pair::OnlyProductionRight, found.only_production_right),
            (Pair::Unknown, found.unknown),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Many documents of a kind, each reviewed; the first has this number.
    fn many(&mut self, from: u64, count: u64, pair: Pair) -> &mut Self {
        for n in from..from + count {
            self.one(&ticket(n), pair);
        }
        self.wait(minutes(10))
    }

    fn one(&mut self, ticket: &Ticket, pair: Pair) {
        match pair {
            Pair::BothRight => self.compare(ticket, &Comparison::Match),
            Pair::OnlyProductionRight => self.compare(ticket, &differs(&[("total", "9")])),
            Pair::OnlyCandidateRight => self.compare(ticket, &differs(&[("total", "1")])).correct(
                ticket,
                "total",
                Settled::Value("1"),
            ),
            Pair::BothWrong => self.compare(ticket, &Comparison::Match).correct(
                ticket,
                "total",
                Settled::Value("1"),
            ),
            Pair::Unknown => self.compare(ticket, &differs(&[("total", "1")])).correct(
                ticket,
                "total",
                Settled::Untold,
            ),
        };
        self.review(ticket);
    }

    /// The same after a restart.
    fn restarted(&self) -> Self {
        let stored = serde_json::to_string(&self.judged.stored()).unwrap();
        let mut judged = Judged::new(self.judged.settings.clone(), key()).unwrap();
        judged
            .restore("shadow", serde_json::from_str(&stored).unwrap())
            .unwrap();
        Self {
            judged,
            now: self.now,
        }
    }
}

fn key() -> DigestKey {
    DigestKey::new(*b"a secret of ours")
}

fn ticket(n: u64) -> Ticket {
    let call = Call::new(n.to_string(), "invoice").unwrap();
    Ticket::new(&call, &Version::new("v7", "gpt-4o").unwrap()).with_id(TicketId::new(1, n))
}

fn in_batch(n: u64, batch: &str) -> Ticket {
    let call = Call::new(n.to_string(), "invoice").unwrap();
    let call = call.in_batch(BatchKey::new(batch).unwrap());
    Ticket::new(&call, &Version::new("v7", "gpt-4o").unwrap()).with_id(TicketId::new(1, n))
}

fn of_type(n: u64, document_type: &str) -> Ticket {
    let call = Call::new(n.to_string(), document_type).unwrap();
    Ticket::new(&call, &Version::new("v7", "gpt-4o").unwrap()).with_id(TicketId::new(1, n))
}

/// A millisecond less.
fn almost(time: Duration) -> Duration {
    time.saturating_sub(Duration::from_millis(1))
}

fn field(name: &str) -> Field {
    Field::new(name).unwrap()
}

fn correction(name: &str) -> Correction {
    Correction::new(field(name))
}

/// The candidate has these values where production has others.
fn differs(values: &[(&str, &str)]) -> Comparison {
    let differences = values.iter().map(|(name, value)| {
        let mut difference = Difference::changed(field(name));
        difference.comparable = Some(Comparable::Form((*value).to_owned()));
        difference
    });
    Comparison::Diverged(differences.collect())
}

#[test]
fn the_candidate_is_right_where_it_has_the_settled_value() {
    let one = Settled::Value("1");
    let both = differs(&[("total", "1"), ("vendor", "acme")]);
    for (comparison, corrections, pair) in [
        (Comparison::Match, &[][..], Pair::BothRight),
        (Comparison::Match, &[("total", one)], Pair::BothWrong),
        (differs(&[("total", "1")]), &[], Pair::OnlyProductionRight),
        (
            differs(&[("total", "1")]),
            &[("total", one)],
            Pair::OnlyCandidateRight,
        ),
        (
            differs(&[("total", "2")]),
            &[("total", one)],
            Pair::BothWrong,
        ),
        (
            differs(&[("total", "1")]),
            &[("vendor", one)],
            Pair::BothWrong,
        ),
        (
            differs(&[("total", "1")]),
            &[("total", Settled::Untold)],
            Pair::Unknown,
        ),
        (
            differs(&[("total", "1")]),
            &[("total", Settled::Absent)],
            Pair::BothWrong,
        ),
        // It differs in the vendor too, which was accepted.
        (both.clone(), &[("total", one)], Pair::BothWrong),
        (
            both.clone(),
            &[("total", one), ("vendor", Settled::Value("acme"))],
            Pair::OnlyCandidateRight,
        ),
        // One field decides, whatever is not known of another.
        (
            both.clone(),
            &[("total", Settled::Value("7")), ("vendor", Settled::Untold)],
            Pair::BothWrong,
        ),
        (
            both,
            &[("total", one), ("vendor", Settled::Untold)],
            Pair::Unknown,
        ),
        (
            Comparison::Ignored(vec![Difference::changed(field("note"))]),
            &[],
            Pair::BothRight,
        ),
    ] {
        let mut bench = Bench::new();
        bench.compare(&ticket(1), &comparison).review(&ticket(1));
        for (field, settled) in corrections {
            bench.correct(&ticket(1), field, *settled);
        }
        bench.wait(minutes(10));
        assert_eq!(bench.pairs(), [(pair, 1)], "{comparison:?} {corrections:?}");
    }
}

#[test]
fn a_value_without_a_canonical_form_cannot_be_said_to_be_right() {
    let difference = |kind| Comparison::Diverged(vec![Difference::new(field("total"), kind)]);
    for (kind, settled, pair) in [
        (DifferenceKind::Changed, Settled::Value("1"), Pair::Unknown),
        // Without a value, it is known what it has.
        (
            DifferenceKind::Missing,
            Settled::Absent,
            Pair::OnlyCandidateRight,
        ),
        (DifferenceKind::Missing, Settled::Value(""), Pair::BothWrong),
    ] {
        let mut bench = Bench::new();
        bench
            .compare(&ticket(1), &difference(kind))
            .review(&ticket(1));
        bench
            .correct(&ticket(1), "total", settled)
            .wait(minutes(10));
        assert_eq!(bench.pairs(), [(pair, 1)], "{kind:?} {settled:?}");
        bench.retract(&ticket(1), "total");
        assert_eq!(
            bench.pairs(),
            [(Pair::OnlyProductionRight, 1)],
            "accepted as it was"
        );
    }
}

#[test]
fn a_correction_of_a_part_or_of_the_whole_leaves_open_what_the_other_is() {
    for (differing, corrected, pair) in [
        ("/lines/0/amount", "/lines", Pair::Unknown),
        ("/lines", "/lines/0/amount", Pair::Unknown),
        ("/lines", "/lines2", Pair::BothWrong),
    ] {
        let mut bench = Bench::new();
        bench.compare(&ticket(1), &differs(&[(differing, "1")]));
        bench.correct(&ticket(1), corrected, Settled::Value("1"));
        bench.review(&ticket(1)).wait(minutes(10));
        assert_eq!(bench.pairs(), [(pair, 1)], "{differing} {corrected}");
    }
}

#[test]
fn answers_that_differ_as_a_whole_are_wrong_where_production_is_accepted() {
    let mut bench = Bench::new();
    let whole = Comparison::Diverged(vec![]);
    bench.compare(&ticket(1), &whole).review(&ticket(1));
    bench.compare(&ticket(2), &whole).review(&ticket(2));
    bench.correct(&ticket(2), "total", Settled::Value("1"));
    let many: Vec<_> = (0..101)
        .map(|n| Difference::changed(field(&format!("f{n}"))))
        .collect();
    bench
        .compare(&ticket(3), &Comparison::Diverged(many))
        .review(&ticket(3));
    bench.wait(minutes(10));
    assert_eq!(
        bench.pairs(),
        [(Pair::OnlyProductionRight, 2), (Pair::Unknown, 1)]
    );
}

#[test]
fn answers_that_cannot_be_compared_are_not_counted() {
    let mut bench = Bench::new();
    let not = Comparison::NotComparable("no total".into());
    bench
        .compare(&ticket(1), &not)
        .review(&ticket(1))
        .wait(minutes(10));
    assert_eq!(bench.judged.total, JudgedCounts::default());
}

/// A tool that tells of the review first must not make the candidate look wrong for a moment.
#[test]
fn a_review_counts_after_ten_minutes_and_not_before() {
    let mut bench = Bench::new();
    bench
        .compare(&ticket(1), &differs(&[("total", "1")]))
        .review(&ticket(1));
    bench.wait(almost(minutes(10)));
    assert_eq!(bench.judged.total.unreviewed, 1);
    bench
        .review(&ticket(1))
        .correct(&ticket(1), "total", Settled::Value("1"));
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.pairs(), [(Pair::OnlyCandidateRight, 1)]);
}

#[test]
fn where_all_count_a_document_without_a_correction_is_accepted_after_two_days() {
    let mut bench = Bench::with(JudgedSettings {
        looked_at: LookedAt::All,
        ..JudgedSettings::default()
    });
    bench.compare(&ticket(1), &differs(&[("total", "1")]));
    bench.compare(&ticket(2), &Comparison::Match);
    bench.correct(&ticket(2), "total", Settled::Value("1"));
    bench.wait(almost(hours(48))).review(&ticket(1));
    assert_eq!(bench.pairs(), [], "neither before the other");
    assert_eq!(bench.judged.total.corrected_only.both_wrong, 1);
    bench.wait(Duration::from_millis(1));
    assert_eq!(
        bench.pairs(),
        [(Pair::BothWrong, 1), (Pair::OnlyProductionRight, 1)]
    );
    bench.correct(&ticket(1), "total", Settled::Value("1"));
    assert_eq!(
        bench.pairs(),
        [(Pair::BothWrong, 1), (Pair::OnlyCandidateRight, 1)],
        "late"
    );
}

#[test]
fn corrections_without_a_review_count_apart() {
    let mut bench = Bench::new();
    for (n, settled) in [(1, "1"), (2, "2")] {
        bench.compare(&ticket(n), &differs(&[("total", "1")]));
        bench.correct(&ticket(n), "total", Settled::Value(settled));
    }
    bench.compare(&ticket(3), &differs(&[("total", "1"), ("vendor", "acme")]));
    bench
        .correct(&ticket(3), "total", Settled::Value("1"))
        .wait(hours(1_000));
    let apart = bench.judged.total.corrected_only;
    assert_eq!(
        (apart.only_candidate_right, apart.both_wrong, apart.unknown),
        (1, 1, 1),
        "nobody looked at the vendor of the third"
    );
    assert_eq!(bench.judged.units, PairCounts::default());
    assert!(matches!(
        bench.judged.verdict(),
        JudgedVerdict::NotEnough {
            reason: JudgedGap::CorrectionsOnly,
            ..
        }
    ));
}

#[test]
fn feedback_before_the_comparison_counts_with_it() {
    let mut bench = Bench::new();
    bench.correct(&ticket(1), "total", Settled::Value("1"));
    bench.correct(&ticket(1), "vendor", Settled::Untold);
    bench
        .retract(&ticket(1), "vendor")
        .retract(&ticket(2), "vendor");
    bench.review(&ticket(1)).wait(hours(2));
    assert_eq!(bench.judged.total, JudgedCounts::default());
    let mut bench = bench.restarted();
    bench.compare(&ticket(1), &differs(&[("total", "1")]));
    assert_eq!(bench.pairs(), [(Pair::OnlyCandidateRight, 1)]);
    assert!(
        !bench.judged.waiting.contains(TicketId::new(1, 2)),
        "nothing to retract"
    );
}

#[test]
fn a_comparison_that_is_told_twice_counts_once() {
    let mut bench = Bench::new();
    bench
        .compare(&ticket(1), &Comparison::Match)
        .review(&ticket(1));
    bench
        .compare(&ticket(1), &differs(&[("total", "1")]))
        .wait(minutes(10));
    assert_eq!(bench.pairs(), [(Pair::BothRight, 1)]);
}

#[test]
fn a_batch_is_one_fact_and_its_documents_are_counted() {
    let mut bench = Bench::new();
    for n in 0..8 {
        bench.one(&in_batch(n, "monday"), Pair::OnlyProductionRight);
    }
    bench.one(&in_batch(8, "tuesday"), Pair::OnlyProductionRight);
    bench.one(&ticket(9), Pair::OnlyProductionRight);
    bench.wait(minutes(10));
    assert_eq!(bench.pairs(), [(Pair::OnlyProductionRight, 10)]);
    assert_eq!(bench.judged.units.only_production_right, 3);
    bench.one(&in_batch(10, "monday"), Pair::OnlyCandidateRight);
    bench.wait(minutes(10));
    let units = bench.judged.units;
    assert_eq!((units.only_production_right, units.both_wrong), (2, 1));
    bench.retract(&in_batch(10, "monday"), "total");
    assert_eq!(bench.judged.units.only_production_right, 3);
    assert_eq!(bench.restarted().judged.units, bench.judged.units);
}

#[test]
fn the_oldest_document_is_let_go_and_stays_as_it_was_counted() {
    let mut bench = Bench::with(JudgedSettings {
        documents: 3,
        ..JudgedSettings::default()
    });
    bench
        .many(0, 1, Pair::OnlyProductionRight)
        .many(1, 1, Pair::BothRight);
    bench.compare(&ticket(2), &Comparison::Match);
    assert_eq!(bench.judged.let_go, 0);
    bench.compare(&ticket(3), &Comparison::Match);
    assert_eq!(bench.judged.let_go, 1);
    bench
        .correct(&ticket(0), "total", Settled::Value("9"))
        .wait(minutes(10));
    assert_eq!(
        bench.pairs(),
        [(Pair::BothRight, 1), (Pair::OnlyProductionRight, 1)]
    );
    assert_eq!(bench.judged.total.unreviewed, 2);
    assert_eq!(bench.restarted().judged.report(), bench.judged.report());
}

#[test]
fn a_document_is_let_go_after_thirty_days_and_not_before() {
    let mut bench = Bench::new();
    bench.compare(&in_batch(0, "monday"), &Comparison::Match);
    bench.wait(hours(720));
    assert_eq!((bench.judged.let_go, bench.judged.batches.len()), (0, 1));
    bench.wait(Duration::from_millis(1));
    assert_eq!((bench.judged.let_go, bench.judged.batches.len()), (1, 0));
    assert!(bench.judged.documents.is_empty() && bench.judged.due.is_empty());
}

#[test]
fn types_above_the_limit_share_one_entry() {
    let mut bench = Bench::new();
    for n in 0..1_002 {
        let ticket = of_type(n, &format!("type-{n}"));
        bench
            .judged
            .compared(&ticket, &Comparison::Match, bench.now);
        bench.review(&ticket);
    }
    bench.wait(minutes(10));
    let report = bench.judged.report();
    assert_eq!(report.types.len(), 1_000);
    assert_eq!(
        report.other.map(|other| other.looked_at.both_right),
        Some(2)
    );
    assert_eq!(report.total.looked_at.both_right, 1_002);
    let mut bench = bench.restarted();
    bench.correct(&of_type(1_001, "type-1001"), "total", Settled::Untold);
    let other = bench.judged.report().other.unwrap();
    assert_eq!(
        (other.looked_at.both_right, other.looked_at.both_wrong),
        (1, 1)
    );
}
