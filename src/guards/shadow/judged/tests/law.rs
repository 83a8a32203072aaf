//! Whatever the order, the counts are those of the facts that stand.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::name::CorrectionId;

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
