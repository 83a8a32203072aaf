//! What the counts show: the bets on the ratio of the two versions' rates of mistakes.

use super::report::{DocumentsNeeded, JudgedFeasibility, PairCounts};
use crate::error::Error;
use crate::ratio::Ratio;
use crate::stats::{Luck, PairShares, RatioBet, Wrong, float, whole};

/// What the report says of more evidence than this.
const MOST_EVIDENCE: f64 = 1e12;
/// Reviews say what people accept only if at least one reviewed document in so many was accepted.
const ACCEPTED_ONE_IN: u64 = 10;
/// The candidate that [`DocumentsNeeded::worse`] speaks of.
const TWICE: f64 = 2.0;

/// The two bets on the ratio of the rates.
#[derive(Clone, Debug)]
pub(super) struct Bets {
    max_ratio: Ratio,
    /// That the candidate is wrong more often than production.
    worse: RatioBet,
    /// That production is wrong more often than the candidate, divided by the tolerated ratio.
    no_worse: RatioBet,
}

impl Bets {
    pub(super) fn new(max_ratio: Ratio) -> Self {
        Self {
            max_ratio,
            worse: RatioBet::above(1.0),
            no_worse: RatioBet::above(1.0 / max_ratio.as_f64()),
        }
    }

    /// Whether the candidate is shown to be worse, and is more than the tolerated times as often
    /// wrong. It counts as right in what is unknown.
    ///
    /// The bet bounds how often an equal candidate is called worse; the plain ratio keeps the
    /// verdict from candidates that are worse, but tolerated.
    pub(super) fn show_worse(&self, units: &PairCounts) -> bool {
        let above = self
            .max_ratio
            .is_exceeded_by(units.candidate_wrong(), units.production_wrong());
        above && self.worse.is_convincing(candidate_right(units))
    }

    /// Whether the candidate is shown to be no worse. It counts as wrong in what is unknown.
    ///
    /// The documents by themselves must not be above the tolerated ratio either: with many documents
    /// in a batch, nearly every batch has a mistake of both.
    pub(super) fn show_no_worse(&self, units: &PairCounts, documents: &PairCounts) -> bool {
        let candidate = documents
            .candidate_wrong()
            .saturating_add(documents.unknown);
        let above = self
            .max_ratio
            .is_exceeded_by(candidate, documents.production_wrong());
        !above
            && self
                .no_worse
                .is_convincing(candidate_wrong(units).swapped())
    }

    /// Whether reviews are told of what people accept too, and not of corrections alone.
    pub(super) fn see_accepted(documents: &PairCounts) -> bool {
        documents.accepted().saturating_mul(ACCEPTED_ONE_IN) >= documents.total()
    }

    /// The evidence for "worse" and for "no worse".
    pub(super) fn evidence(&self, units: &PairCounts) -> (f64, f64) {
        let plain = |ln: f64| ln.exp().min(MOST_EVIDENCE);
        (
            plain(self.worse.ln_evidence(candidate_right(units))),
            plain(self.no_worse.ln_evidence(candidate_wrong(units).swapped())),
        )
    }

    /// How many more documents are needed after these units, at the rates that they have.
    /// `documents` is how many documents the units are.
    pub(super) fn still_needed(&self, units: &PairCounts, documents: u64) -> DocumentsNeeded {
        let (total, wrong) = (float(units.total()), float(units.production_wrong()));
        if units.production_wrong() == 0 {
            return DocumentsNeeded::default();
        }
        let in_common = float(units.both_wrong) / wrong;
        let found = self.needed(units, wrong / total, in_common, Luck::Expected);
        let in_documents = |units: u64| {
            let documents = float(units) * float(documents) / total;
            whole(documents.ceil())
        };
        DocumentsNeeded {
            no_worse: found.no_worse.map(in_documents),
            worse: found.worse.map(in_documents),
        }
    }

    fn needed(
        &self,
        so_far: &PairCounts,
        rate: f64,
        in_common: f64,
        luck: Luck,
    ) -> DocumentsNeeded {
        let max_ratio = self.max_ratio.as_f64();
        let no_worse = PairShares::new(rate, 1.0, in_common).documents_until(
            candidate_wrong(so_far),
            luck,
            |wrong, doubt| {
                let wrong = Wrong {
                    hits: wrong.hits + doubt,
                    misses: wrong.misses - doubt,
                    ..wrong
                };
                wrong.misses >= 0.0 && self.no_worse.is_convincing(wrong.swapped())
            },
        );
        let worse = PairShares::new(rate, TWICE, in_common).documents_until(
            candidate_right(so_far),
            luck,
            |wrong, doubt| {
                let wrong = Wrong {
                    hits: wrong.hits - doubt,
                    misses: wrong.misses + doubt,
                    ..wrong
                };
                wrong.hits >= 0.0
                    && wrong.both + wrong.hits > max_ratio * (wrong.both + wrong.misses)
                    && self.worse.is_convincing(wrong)
            },
        );
        DocumentsNeeded { no_worse, worse }
    }

    /// How many documents a run needs, if production's rate of corrections is `rate`, of which the
    /// candidate makes the share `in_common` too.
    ///
    /// The rate is more than 0 % and less than 100 %, and the share at most 100 %.
    pub(super) fn feasibility(
        &self,
        rate: Ratio,
        in_common: Ratio,
    ) -> Result<JudgedFeasibility, Error> {
        let rate = rate.strictly_between_zero_and_one("correction rate")?;
        if in_common > Ratio::ONE {
            let allowed = "at most 100 %";
            return Err(Error::invalid("mistakes in common", in_common, allowed));
        }
        let none = PairCounts::default();
        let needed = |luck| self.needed(&none, rate.as_f64(), in_common.as_f64(), luck);
        Ok(JudgedFeasibility {
            expected: needed(Luck::Expected),
            nine_in_ten: needed(Luck::NineInTen),
        })
    }
}

/// The wrong units, if the candidate is right in all that is unknown.
fn candidate_right(units: &PairCounts) -> Wrong {
    Wrong {
        both: float(units.both_wrong),
        hits: float(units.only_production_right),
        misses: float(units.only_candidate_right.saturating_add(units.unknown)),
    }
}

/// The wrong units, if the candidate is wrong in all that is unknown.
fn candidate_wrong(units: &PairCounts) -> Wrong {
    Wrong {
        both: float(units.both_wrong.saturating_add(units.unknown)),
        hits: float(units.only_production_right),
        misses: float(units.only_candidate_right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bets() -> Bets {
        Bets::new(Ratio::percent(150))
    }

    fn units(right: u64, wrong: u64, candidate_only: u64, production_only: u64) -> PairCounts {
        PairCounts {
            both_right: right,
            both_wrong: wrong,
            only_production_right: candidate_only,
            only_candidate_right: production_only,
            unknown: 0,
        }
    }

    /// The evidence for 27 to 10 is 20 and for 26 to 10 is not (numpy); with 24 mistakes in common
    /// the ratio is exactly 1.5, which is tolerated.
    #[test]
    fn worse_needs_both_the_evidence_and_the_ratio() {
        assert!(bets().show_worse(&units(900, 0, 27, 10)));
        assert!(!bets().show_worse(&units(900, 0, 26, 10)));
        assert!(bets().show_worse(&units(900, 23, 27, 10)));
        assert!(!bets().show_worse(&units(900, 24, 27, 10)));
    }

    #[test]
    fn no_worse_needs_the_evidence_and_no_higher_ratio_of_the_documents() {
        // 31 to 20 at the limit of two fifths is 20, and 30 to 20 is not (numpy).
        let documents = units(900, 0, 30, 20);
        assert!(bets().show_no_worse(&units(900, 0, 20, 31), &documents));
        assert!(!bets().show_no_worse(&units(900, 0, 20, 30), &documents));
        let documents = units(900, 0, 31, 20);
        assert!(!bets().show_no_worse(&units(900, 0, 20, 31), &documents));
    }

    #[test]
    fn what_is_unknown_counts_for_the_less_convincing_side() {
        let mut found = units(900, 0, 27, 9);
        found.unknown = 1;
        assert!(
            bets().show_worse(&found),
            "as if production alone were wrong"
        );
        found.unknown = 2;
        assert!(!bets().show_worse(&found));
        let mut found = units(900, 0, 20, 31);
        assert!(bets().show_no_worse(&found, &found));
        (found.only_candidate_right, found.unknown) = (29, 2);
        assert!(!bets().show_no_worse(&found, &found));
    }

    #[test]
    fn for_no_worse_the_unknown_are_wrong_in_both() {
        let mut unknown = units(900, 4, 20, 25);
        unknown.unknown = 3;
        let (_, found) = bets().evidence(&unknown);
        let (_, both) = bets().evidence(&units(900, 7, 20, 25));
        assert!((found / both - 1.0).abs() < 1e-12, "{found} {both}");
    }

    #[test]
    fn one_accepted_document_in_ten_is_enough_to_see_what_is_accepted() {
        assert!(Bets::see_accepted(&units(9, 90, 1, 0)));
        assert!(!Bets::see_accepted(&units(9, 91, 1, 0)));
    }

    /// numpy: one by one, on the expected path.
    #[test]
    fn feasibility_has_the_numbers_of_a_search_one_by_one() {
        let found = bets()
            .feasibility(Ratio::percent(3), Ratio::percent(30))
            .unwrap();
        let needed = |no_worse, worse| DocumentsNeeded {
            no_worse: Some(no_worse),
            worse: Some(worse),
        };
        assert_eq!(found.expected, needed(2_716, 637));
        assert_eq!(found.nine_in_ten, needed(5_740, 1_356));
    }

    #[test]
    fn a_run_without_mistakes_can_show_nothing() {
        for (rate, in_common) in [(0, 0), (100, 0), (3, 101)] {
            let found = bets().feasibility(Ratio::percent(rate), Ratio::percent(in_common));
            assert!(found.is_err(), "{rate} {in_common}");
        }
        let error = bets().feasibility(Ratio::ZERO, Ratio::ZERO).unwrap_err();
        assert_eq!(
            error.to_string(),
            "correction rate: got `0 %`, expected more than 0 % and less than 100 %"
        );
    }

    /// From no counts but the rates, the number is that of the feasibility; it falls with what is
    /// known, and is in documents, of which a unit has eight here.
    #[test]
    fn what_is_still_needed_falls_with_what_is_known() {
        let few = bets().still_needed(&units(94, 0, 3, 3), 100);
        assert!(
            few.no_worse.is_some_and(|n| (3_900..4_095).contains(&n)),
            "{few:?}"
        );
        let more = bets().still_needed(&units(940, 0, 30, 30), 1_000);
        assert!(more.no_worse < few.no_worse, "{more:?}");
        let batches = bets().still_needed(&units(94, 0, 3, 3), 800);
        let eight = few.no_worse.map(|n| n * 8);
        assert_eq!(batches.no_worse, eight);
        assert_eq!(
            bets().still_needed(&units(94, 0, 3, 0), 97),
            DocumentsNeeded::default()
        );
    }
}
