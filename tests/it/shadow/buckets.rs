//! Every document that the run is offered ends in exactly one bucket, whatever happens and in
//! whatever order.

use std::collections::BTreeMap;
use std::time::Duration;

use fusebox::call::{Comparison, Difference, DifferenceKind, ShadowEnd, ShadowResult};
use fusebox::clock::MockClock;
use fusebox::shadow::{
    Bucket, IgnoreRule, IgnoreRules, IntervalMethod, Selection, ShadowComparatorBuilder,
    ShadowVerdict,
};
use fusebox::{
    Call, DocumentType, FailureKind, Feedback, Field, LineUp, Pipeline, Ratio, Report, Ticket,
    VersionId,
};
use proptest::prelude::*;

use super::{Bench, builder, compared, diverged, not_comparable, version};

/// What can happen in a shadow run.
#[derive(Clone, Debug)]
enum Step {
    Offer,
    /// The open document of this number ends so.
    End(usize, ShadowEnd),
    /// A document that has ended is reported again.
    Again(usize, ShadowEnd),
    Pass(u64),
    Restart,
}

fn end() -> impl Strategy<Value = ShadowEnd> {
    prop_oneof![
        Just(Comparison::Match.into()),
        Just(Comparison::Ignored(vec![]).into()),
        Just(diverged().into()),
        Just(not_comparable().into()),
        Just(ShadowEnd::Cancelled),
        Just(ShadowEnd::CandidateFailed(FailureKind::ServerError)),
        Just(ShadowEnd::CandidatePanicked),
        Just(ShadowEnd::ComparatorPanicked),
        Just(ShadowEnd::ProductionFailed),
        Just(ShadowEnd::TimedOut),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Offer),
        4 => (any::<usize>(), end()).prop_map(|(at, end)| Step::End(at, end)),
        1 => (any::<usize>(), end()).prop_map(|(at, end)| Step::Again(at, end)),
        2 => (0..50_u64).prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ]
}

/// A run whose end was reached by hand: the buckets of the documents by a naive model.
struct Model {
    clock: MockClock,
    pipeline: Pipeline,
    shadow: std::sync::Arc<fusebox::ShadowComparator>,
    builder: ShadowComparatorBuilder,
    offered: u64,
    buckets: BTreeMap<Bucket, u64>,
    /// Tickets in flight, with the second at which they are overdue.
    open: Vec<(Ticket, u64)>,
    ended: Vec<Ticket>,
    second: u64,
}

impl Model {
    fn new(builder: ShadowComparatorBuilder) -> Self {
        let clock = MockClock::new();
        let (pipeline, shadow) = Self::start(&builder, &clock);
        Self {
            clock,
            pipeline,
            shadow,
            builder,
            offered: 0,
            buckets: BTreeMap::new(),
            open: Vec::new(),
            ended: Vec::new(),
            second: 0,
        }
    }

    fn start(
        builder: &ShadowComparatorBuilder,
        clock: &MockClock,
    ) -> (Pipeline, std::sync::Arc<fusebox::ShadowComparator>) {
        let shadow = std::sync::Arc::new(builder.clone().build().unwrap());
        let pipeline = Pipeline::builder(LineUp::new(version("v7")))
            .guard(std::sync::Arc::clone(&shadow))
            .clock(clock.clone());
        (pipeline.build().unwrap(), shadow)
    }

    fn count(&mut self, bucket: Bucket) {
        *self.buckets.entry(bucket).or_default() += 1;
    }

    fn compared(&self) -> u64 {
        let compared = self
            .buckets
            .iter()
            .filter(|(bucket, _)| bucket.is_compared());
        compared.map(|(_, count)| count).sum()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Offer => {
                let call = Call::new(format!("inv-{}", self.offered), "invoice").unwrap();
                let permit = self.pipeline.admit(&call).permit().unwrap();
                let ticket = permit.answer(Report::new()).ticket().clone();
                let selection = self.shadow.select(&ticket, self.pipeline.now());
                let is_over = self.compared() >= 40;
                match selection {
                    Selection::NotSampled => self.count(Bucket::NotSampled),
                    Selection::Over => {
                        assert!(is_over);
                        return;
                    }
                    Selection::Shed => {
                        assert_eq!(self.open.len(), 4);
                        self.count(Bucket::Shed);
                    }
                    Selection::Withheld => self.count(Bucket::Withheld),
                    Selection::Run => self.open.push((ticket, self.second + 30)),
                    other => panic!("{other:?}"),
                }
                self.offered += 1;
            }
            Step::End(at, end) => {
                if self.open.is_empty() {
                    return;
                }
                let (ticket, until) = self.open.remove(at % self.open.len());
                let bucket = if self.second > until {
                    Bucket::TimedOut
                } else {
                    Bucket::of(&end)
                };
                if self.compared() < 40 {
                    self.count(bucket);
                } else {
                    self.offered -= 1;
                }
                self.pipeline.observe(&ticket, compared(end));
                self.ended.push(ticket);
            }
            Step::Again(at, end) => {
                let known: Vec<_> = self.ended.iter().collect();
                if let Some(ticket) = known.get(at % known.len().max(1)) {
                    self.pipeline.observe(ticket, compared(end));
                }
            }
            Step::Pass(seconds) => {
                self.second += seconds;
                self.clock.advance(Duration::from_secs(seconds));
                self.pipeline.tick();
                let second = self.second;
                let open = std::mem::take(&mut self.open);
                let (mut overdue, open): (Vec<_>, Vec<_>) =
                    open.into_iter().partition(|(_, until)| second > *until);
                self.open = open;
                overdue.sort_by_key(|(ticket, _)| ticket.id());
                for (ticket, _) in overdue {
                    if self.compared() < 40 {
                        self.count(Bucket::TimedOut);
                    } else {
                        self.offered -= 1;
                    }
                    self.ended.push(ticket);
                }
            }
            Step::Restart => {
                let snapshot = self.pipeline.snapshot().unwrap();
                (self.pipeline, self.shadow) = Self::start(&self.builder, &self.clock);
                self.pipeline.restore(&snapshot).unwrap();
                for (ticket, _) in std::mem::take(&mut self.open) {
                    self.count(Bucket::Cancelled);
                    self.ended.push(ticket);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn the_buckets_add_up_whatever_happens(steps in prop::collection::vec(step(), 1..120)) {
        let builder = builder()
            .share(Ratio::percent(80))
            .documents(10, 40)
            .in_flight(4)
            .max_calls(60)
            .timeout(Duration::from_secs(30));
        let mut model = Model::new(builder);
        for step in steps {
            model.take(step);
            let report = model.shadow.report();
            for bucket in Bucket::ALL {
                let expected = model.buckets.get(&bucket).copied().unwrap_or_default();
                prop_assert_eq!(report.total.of(bucket), expected, "{}", bucket);
            }
            prop_assert_eq!(report.in_flight, model.open.len() as u64);
            prop_assert_eq!(report.offered(), model.offered);
        }
    }
}

#[test]
fn types_that_were_expected_or_begun_and_never_compared_are_named() {
    let types = ["invoice", "contract", "letter"].map(|name| DocumentType::new(name).unwrap());
    let bench = Bench::new(builder().expect_types(types));
    bench.compare(Comparison::Match);
    let note = bench.ticket("document", "note");
    bench.report(&note, not_comparable());
    let uncovered = bench.shadow.report().uncovered;
    let names: Vec<_> = uncovered.iter().map(DocumentType::as_str).collect();
    assert_eq!(names, ["contract", "letter", "note"]);
}

#[test]
fn two_shadow_runs_in_one_pipeline_count_what_is_theirs() {
    let bench = Bench::new(builder());
    let ticket = bench.ticket("document", "invoice");
    let v9 = VersionId::new("v9").unwrap();
    bench
        .pipeline
        .observe(&ticket, Feedback::compared(v9, diverged()));
    assert_eq!(bench.shadow.report().total.ended(), 0);
    bench.report(&ticket, Comparison::Match);
    assert_eq!(bench.shadow.report().total.matched, 1);
}

#[test]
fn noise_is_paired_by_document() {
    let bench = Bench::new(builder());
    let v8 = || VersionId::new("v8").unwrap();
    let failed = || ShadowEnd::CandidateFailed(FailureKind::Timeout);
    for (candidate, baseline, times) in [
        (
            ShadowEnd::from(Comparison::Match),
            ShadowEnd::from(Comparison::Match),
            5,
        ),
        (diverged().into(), Comparison::Match.into(), 4),
        (Comparison::Match.into(), diverged().into(), 3),
        (diverged().into(), diverged().into(), 2),
        (failed(), Comparison::Match.into(), 1),
        (Comparison::Match.into(), failed(), 1),
    ] {
        for at in 0..times {
            let ticket = bench.ticket("document", "invoice");
            let noise = Feedback::Compared(ShadowResult::of_baseline(v8(), baseline.clone()));
            // Either may come first.
            if at % 2 == 0 {
                bench.pipeline.observe(&ticket, noise.clone());
                bench.report(&ticket, candidate.clone());
            } else {
                bench.report(&ticket, candidate.clone());
                bench.pipeline.observe(&ticket, noise.clone());
            }
            bench.pipeline.observe(&ticket, noise);
        }
    }
    let noise = bench.shadow.report().baseline.unwrap();
    assert_eq!((noise.compared, noise.diverging, noise.lost), (15, 5, 1));
    assert_eq!((noise.neither, noise.only_candidate), (5, 5));
    assert_eq!(
        (noise.only_baseline, noise.both, noise.paired()),
        (3, 2, 15)
    );
}

#[test]
fn an_acknowledgement_says_who_and_why_and_ends_no_verdict() {
    let bench = Bench::new(builder().documents(10, 20));
    let error = bench
        .shadow
        .acknowledge("ada", "looked at them")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "shadow review: got `0 of 0`, expected a review that was requested and not acknowledged"
    );
    bench.run(5, 10);
    assert!(bench.shadow.acknowledge(" ", "looked").is_err());
    bench
        .shadow
        .acknowledge("ada", "all of one supplier")
        .unwrap();
    assert!(bench.shadow.acknowledge("bob", "too").is_err(), "once");
    bench.sink.take();
    bench.pipeline.tick();
    bench.pipeline.tick();
    let texts: Vec<_> = bench
        .sink
        .events()
        .iter()
        .map(|event| event.kind.to_string())
        .collect();
    assert_eq!(
        texts,
        ["ada acknowledged the review of v8: all of one supplier"]
    );
    let report = bench.shadow.report();
    assert_eq!(report.verdict, ShadowVerdict::ReviewRequired);
    let known = &report.acknowledged[0];
    assert_eq!((known.diverged, known.compared), (5, 10));
    assert!(known.at.is_some());
    let next = bench.restarted(builder().documents(10, 20));
    assert_eq!(next.shadow.report(), report);
    next.run(10, 10);
    assert_eq!(next.reviews(), [], "once for each version of production");
}

/// From the table of exact one-sided McNemar tests by scipy 1.17.1 (`binomtest(b, b + c, 0.5,
/// alternative="greater")`): the least excess below 5 % and the largest above it.
#[test]
fn an_excess_over_productions_own_noise_is_tested_exactly() {
    for (only_candidate, only_baseline, is_distinguishable) in [
        (5, 0, true),
        (4, 0, false),
        (10, 3, true),
        (9, 3, false),
        (15, 6, true),
        (14, 6, false),
    ] {
        let bench = Bench::new(builder());
        let v8 = || VersionId::new("v8").unwrap();
        let pairs = [
            (
                only_candidate,
                ShadowEnd::from(diverged()),
                ShadowEnd::from(Comparison::Match),
            ),
            (only_baseline, Comparison::Match.into(), diverged().into()),
        ];
        for (documents, candidate, baseline) in pairs {
            for _ in 0..documents {
                let ticket = bench.compare(candidate.clone());
                let noise = ShadowResult::of_baseline(v8(), baseline.clone());
                bench.pipeline.observe(&ticket, Feedback::Compared(noise));
            }
        }
        let noise = bench.shadow.report().baseline.unwrap();
        let p = noise.p_value();
        assert_eq!(
            noise.is_distinguishable(),
            is_distinguishable,
            "{only_candidate} {p}"
        );
        if (only_candidate, only_baseline) == (5, 0) {
            assert!((p - 0.031_25).abs() < 1e-12, "{p}");
        }
    }
}

#[test]
fn a_difference_that_was_accepted_does_not_count_until_its_rule_expires() {
    let bench = Bench::new(builder());
    let invoice = DocumentType::new("invoice").unwrap();
    let (total, vendor) = (Field::new("total").unwrap(), Field::new("vendor").unwrap());
    let mut rules = IgnoreRules::new();
    let expires = bench.pipeline.now() + Duration::from_secs(60);
    let rule = IgnoreRule::new(
        invoice,
        total.clone(),
        DifferenceKind::Changed,
        expires,
        "ada",
    );
    rules.add(rule.unwrap()).unwrap();
    bench.shadow.ignore(rules);
    bench.compare(diverged());
    let two = vec![
        Difference::changed(total.clone()),
        Difference::changed(vendor),
    ];
    bench.compare(Comparison::Diverged(two));
    bench.compare(Comparison::Diverged(vec![]));
    let missing = Difference::new(total, DifferenceKind::Missing);
    bench.compare(Comparison::Diverged(vec![missing]));
    let contract = bench.ticket("document", "contract");
    bench.report(&contract, diverged());
    let counts = bench.shadow.report().total;
    assert_eq!((counts.ignored, counts.diverged), (1, 4));
    bench.clock.advance(Duration::from_secs(60));
    bench.compare(diverged());
    let report = bench.shadow.report();
    assert_eq!((report.total.ignored, report.total.diverged), (1, 5));
    assert_eq!(report.divergences.len(), 5);
    assert_eq!(bench.restarted(builder()).shadow.report(), report);
}

/// From scipy 1.17.1, `binomtest(k, n).proportion_ci(method="exact")`: 5.7766 % to 10.7345 %.
#[test]
fn the_interval_is_clopper_and_pearsons_by_choice() {
    let bench = Bench::new(builder().interval(IntervalMethod::ClopperPearson));
    bench.run(40, 500);
    let report = bench.shadow.report();
    let (low, high) = report.interval;
    assert_eq!(
        (low.to_string(), high.to_string()),
        ("5.78 %".into(), "10.73 %".into())
    );
    assert_eq!(report.total.interval().0.to_string(), "5.93 %", "Wilson's");
}

#[test]
fn a_runs_checkpoints_can_be_chosen() {
    let bench = Bench::new(builder().documents(10, 40).checkpoints([25]));
    bench.run(0, 10);
    assert_eq!(bench.shadow.verdict(), ShadowVerdict::NotShownBelow);
    bench.run(14, 14);
    assert_eq!(bench.reviews(), [], "not evaluated yet");
    bench.compare(Comparison::Match);
    assert_eq!(bench.reviews().len(), 1);
}

#[test]
fn the_longest_text_of_a_document_is_bounded() {
    let bench = Bench::new(builder());
    let long = "x".repeat(20 << 10);
    let difference = |name: &str| Difference::changed(Field::new(name).unwrap());
    let differences = vec![
        difference("note").between("short", &long).not_critical(),
        difference("total").between("", &long),
        difference("vendor").between("", &long),
    ];
    bench.compare(Comparison::Diverged(differences));
    let report = bench.shadow.report();
    let ShadowEnd::Compared(Comparison::Diverged(kept)) = &report.divergences[0].end else {
        panic!("{report:?}");
    };
    let kept: Vec<_> = kept
        .iter()
        .map(|difference| (difference.field.as_str(), difference.candidate.is_some()))
        .collect();
    assert_eq!(kept, [("total", true), ("vendor", false), ("note", false)]);
}
