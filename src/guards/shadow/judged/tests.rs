//! What people told, in any order, against what is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::report::Pair;
use super::*;
use crate::call::{Call, Difference, DifferenceKind, Version};
use crate::name::{CorrectionId, Field};
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
        difference.normalised = Some((*value).to_owned());
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
fn types_above_the_limit_share_one_entry_and_are_reported_once() {
    let mut bench = Bench::new();
    for n in 0..1_002 {
        let ticket = of_type(n, &format!("type-{n}"));
        let is_first = bench
            .judged
            .compared(&ticket, &Comparison::Match, bench.now);
        assert_eq!(is_first, n == 1_000, "{n}");
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

#[test]
fn no_value_is_in_what_is_stored() {
    let mut bench = Bench::new();
    bench.compare(&ticket(1), &differs(&[("total", "secret-1")]));
    bench.correct(&ticket(1), "total", Settled::Value("secret-2"));
    bench.correct(&ticket(2), "total", Settled::Value("secret-3"));
    let stored = serde_json::to_string(&bench.judged.stored()).unwrap();
    assert!(stored.starts_with(r#"{"format":1,"#), "{stored}");
    assert!(!stored.contains("secret") && !format!("{:?}", bench.judged).contains("secret"));
}

#[test]
fn a_document_on_which_both_agree_takes_few_bytes() {
    assert!(size_of::<Document>() <= 160, "{}", size_of::<Document>());
    let mut bench = Bench::new();
    bench.compare(&ticket(1), &Comparison::Match);
    let document = bench.judged.documents.values().next().unwrap();
    assert_eq!(
        serde_json::to_string(document).unwrap(),
        r#"{"type":"invoice","compared_at":1763899200000}"#
    );
}

/// Each edit makes a state that says two things.
#[test]
fn a_state_that_contradicts_itself_is_refused() {
    let mut bench = Bench::new();
    bench
        .many(0, 90, Pair::BothRight)
        .many(1_000, 7, Pair::OnlyProductionRight);
    bench.one(&in_batch(2_000, "monday"), Pair::BothWrong);
    bench.review(&ticket(3_000)).wait(minutes(10));
    let stored = serde_json::to_value(bench.judged.stored()).unwrap();
    let restore = |stored: serde_json::Value| {
        let stored = serde_json::from_value(stored).map_err(|error| error.to_string())?;
        let mut judged = Judged::new(JudgedSettings::default(), key()).unwrap();
        let restored = judged.restore("shadow", stored);
        restored.map_err(|error| error.to_string())
    };
    assert_eq!(restore(stored.clone()), Ok(()));
    for (at, value, reason) in [
        ("/format", 2.into(), "unknown format 2"),
        ("/key", 5.into(), "another key"),
        ("/looked_at", "all".into(), "another rule"),
        ("/now", 1.into(), "order of time"),
        ("/documents/1", stored["documents"][0].clone(), "twice"),
        (
            "/documents/0/0",
            "0000000000000001-3000".into(),
            "waits for its comparison",
        ),
        (
            "/documents/0/1/compared_at",
            1_763_999_999_999_u64.into(),
            "order of time",
        ),
        (
            "/documents/0/1/reviewed_at",
            1_863_999_999_999_u64.into(),
            "a review to come",
        ),
        (
            "/documents/0/1/looked_at",
            false.into(),
            "that nobody looked at",
        ),
        ("/documents/0/1/elsewhere", true.into(), "do not match"),
        ("/documents/0/1/type", "contract".into(), "do not match"),
        (
            "/documents/97/1/in_verdict",
            true.into(),
            "a unit of its own",
        ),
        (
            "/documents/97/1/batch",
            "sunday".into(),
            "batches do not match",
        ),
        ("/batches", serde_json::json!([]), "batches do not match"),
        ("/batches/0/1/remembered", 2.into(), "batches do not match"),
        (
            "/batches/0/1/production_wrong",
            0.into(),
            "batches do not match",
        ),
        ("/types/0/1/unreviewed", 4.into(), "do not match"),
        ("/total/looked_at/both_right", 91.into(), "do not match"),
        (
            "/other",
            stored["total"].clone(),
            "an overflow without need",
        ),
        ("/let_go", 1.into(), "do not match"),
        ("/units/both_right", 0.into(), "verdict does not match"),
        ("/called", serde_json::Value::Null, "verdict does not match"),
        (
            "/called/at",
            1_863_999_999_999_u64.into(),
            "verdict does not match",
        ),
    ] {
        let mut edited = stored.clone();
        if let Some(found) = edited.pointer_mut(at) {
            *found = value;
        } else {
            let (object, name) = at.rsplit_once('/').unwrap();
            edited.pointer_mut(object).unwrap()[name] = value;
        }
        let error = restore(edited).unwrap_err();
        assert!(error.contains(reason), "{at}: {error}");
    }
}

#[test]
fn another_tolerated_ratio_after_a_restart_decides_anew() {
    let mut bench = Bench::new();
    bench
        .many(0, 900, Pair::BothRight)
        .many(1_000, 20, Pair::BothWrong);
    bench.many(2_000, 12, Pair::OnlyProductionRight);
    assert_eq!(bench.judged.verdict(), JudgedVerdict::Worse);
    let stored = bench.judged.stored();
    let settings = JudgedSettings {
        max_ratio: Ratio::percent(200),
        ..JudgedSettings::default()
    };
    let mut judged = Judged::new(settings, key()).unwrap();
    judged.restore("shadow", stored).unwrap();
    assert_ne!(judged.verdict(), JudgedVerdict::Worse, "32 to 20");
}

#[derive(Clone, Debug)]
enum Step {
    Compare(u64, u8),
    Correct(u64, u8, u8, u8),
    Retract(u64, u8, u8),
    Review(u64),
    Restart,
    Wait,
}

/// The facts of one document, in the plainest form.
#[derive(Clone, Debug, Default)]
struct Facts {
    /// The candidate's value of each field that differs.
    differing: Option<BTreeMap<u8, u8>>,
    /// By field and correction: when it was told, and the settled value; 0 is untold.
    corrections: BTreeMap<(u8, u8), (usize, u8)>,
    is_reviewed: bool,
}

impl Facts {
    fn pair(&self) -> Option<Pair> {
        let differing = self.differing.clone().filter(|_| self.is_reviewed)?;
        let production_is_wrong = !self.corrections.is_empty();
        let mut wrong = false;
        let mut unknown = false;
        for field in 0..3 {
            let told = self
                .corrections
                .iter()
                .filter(|((corrected, _), _)| *corrected == field);
            let settled = told.map(|(_, told)| *told).max().map(|(_, value)| value);
            match (differing.get(&field), settled) {
                (None, None) => {}
                (Some(_), Some(0)) => unknown = true,
                (Some(value), Some(settled)) => wrong |= *value != settled,
                (None, Some(_)) | (Some(_), None) => wrong = true,
            }
        }
        Some(match (production_is_wrong, wrong, unknown) {
            (false, false, _) => Pair::BothRight,
            (false, true, _) => Pair::OnlyProductionRight,
            (true, true, _) => Pair::BothWrong,
            (true, false, true) => Pair::Unknown,
            (true, false, false) => Pair::OnlyCandidateRight,
        })
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_u64..6, 0_u8..8).prop_map(|(n, fields)| Step::Compare(n, fields)),
        4 => (0_u64..6, 0_u8..3, 0_u8..2, 0_u8..3)
            .prop_map(|(n, field, id, value)| Step::Correct(n, field, id, value)),
        2 => (0_u64..6, 0_u8..3, 0_u8..2).prop_map(|(n, field, id)| Step::Retract(n, field, id)),
        3 => (0_u64..6).prop_map(Step::Review),
        1 => Just(Step::Restart),
        1 => Just(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    /// Against a plain list of the facts: whatever the order, the counts are those of what stands.
    #[test]
    fn the_counts_are_those_of_the_facts_that_stand(steps in steps()) {
        let mut bench = Bench::new();
        let mut facts: BTreeMap<u64, Facts> = BTreeMap::new();
        // Documents 3 to 5 are one batch.
        let ticket = |n| if n < 3 { ticket(n) } else { in_batch(n, "monday") };
        let named = |field: u8, id: u8| {
            correction(&format!("f{field}")).with_id(CorrectionId::new(id.to_string()).unwrap())
        };
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                // The candidate has the value 1 in the fields that differ.
                Step::Compare(n, fields) => {
                    let differing = (0..3).filter(|field| fields & (1 << field) > 0);
                    let differing: BTreeMap<u8, u8> = differing.map(|field| (field, 1)).collect();
                    let names: Vec<_> = differing.keys().map(|field| format!("f{field}")).collect();
                    let values: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
                    let comparison = if values.is_empty() {
                        Comparison::Match
                    } else {
                        differs(&values)
                    };
                    bench.compare(&ticket(n), &comparison);
                    facts.entry(n).or_default().differing.get_or_insert(differing);
                }
                Step::Correct(n, field, id, value) => {
                    let text = value.to_string();
                    let settled = if value == 0 { Settled::Untold } else { Settled::Value(&text) };
                    bench.judged.corrected(&ticket(n), &named(field, id), settled, bench.now);
                    facts.entry(n).or_default().corrections.insert((field, id), (at, value));
                }
                Step::Retract(n, field, id) => {
                    bench.judged.retracted(&ticket(n), &named(field, id), bench.now);
                    facts.entry(n).or_default().corrections.remove(&(field, id));
                }
                Step::Review(n) => {
                    bench.review(&ticket(n));
                    facts.entry(n).or_default().is_reviewed = true;
                }
                Step::Restart => bench = bench.restarted(),
                Step::Wait => {
                    bench.wait(minutes(3));
                }
            }
        }
        bench.wait(minutes(10));
        let mut expected = PairCounts::default();
        facts.values().filter_map(Facts::pair).for_each(|pair| expected.add(pair));
        prop_assert_eq!(bench.judged.total.looked_at, expected);
        let compared = facts.values().filter(|facts| facts.differing.is_some()).count();
        prop_assert_eq!(bench.judged.total.compared(), compared as u64);
        let mut units = PairCounts::default();
        facts.range(..3).filter_map(|(_, facts)| facts.pair()).for_each(|pair| units.add(pair));
        let mut batch = Batch::default();
        facts.range(3..).filter_map(|(_, facts)| facts.pair()).for_each(|pair| batch.revise(None, Some(pair)));
        units.revise(None, batch.pair());
        prop_assert_eq!(bench.judged.units, units);
        prop_assert_eq!(bench.restarted().judged.report(), bench.judged.report());
    }
}
