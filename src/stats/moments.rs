//! The number of documents, and the sums of their scores and squares: an exact mean, whatever the
//! order.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;

/// The largest number of documents: keeps the comparison of two means within 128 bits.
pub(crate) const MOST_DOCUMENTS: u64 = 1_000_000_000_000;
const MILLION: i128 = 1_000_000;

/// Documents, the sum of their scores in millionths and the sum of the squares in billionths. All
/// three are whole numbers, so parts add up exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "[u64; 3]", into = "[u64; 3]")]
pub(crate) struct Moments {
    documents: u64,
    millionths: u64,
    squares: u64,
}

impl Moments {
    /// Documents of which only the mean is known. The squares are the largest that this mean
    /// allows: scores of 0 and 1 only.
    pub(crate) fn of_mean(mean: Confidence, documents: u64) -> Self {
        let millionths = documents.saturating_mul(u64::from(mean.as_millionths()));
        Self {
            documents,
            millionths,
            squares: millionths.saturating_mul(1_000),
        }
    }

    /// What a window's counters say.
    pub(crate) fn of_counts([documents, millionths, squares]: [u64; 3]) -> Self {
        Self {
            documents,
            millionths,
            squares,
        }
    }

    /// The counts of one document.
    pub(crate) fn counts_of(score: Confidence) -> [u64; 3] {
        let millionths = u64::from(score.as_millionths());
        [1, millionths, (millionths * millionths + 500) / 1_000]
    }

    pub(crate) fn add(&mut self, score: Confidence) {
        let [one, millionths, square] = Self::counts_of(score);
        self.documents = self.documents.saturating_add(one);
        self.millionths = self.millionths.saturating_add(millionths);
        self.squares = self.squares.saturating_add(square);
    }

    pub(crate) fn documents(self) -> u64 {
        self.documents
    }

    /// The mean, rounded to millionths; `None` without documents.
    pub(crate) fn mean(self) -> Option<Confidence> {
        let half = self.documents / 2;
        let rounded = self
            .millionths
            .saturating_add(half)
            .checked_div(self.documents)?;
        let millionths = u32::try_from(rounded).unwrap_or(u32::MAX);
        Some(Confidence::try_from(millionths).unwrap_or(Confidence::CERTAIN))
    }

    /// The variance of the scores, unbiased; 0 with fewer than two documents.
    #[allow(
        clippy::cast_precision_loss,
        reason = "a variance needs no more digits than a float has"
    )]
    pub(crate) fn variance(self) -> f64 {
        let [n, sum, squares] = [self.documents, self.millionths, self.squares].map(i128::from);
        if n < 2 {
            return 0.0;
        }
        // In millionths squared; rounded squares may leave a constant a little below zero.
        let spread = n.saturating_mul(squares) * 1_000 - sum.saturating_mul(sum);
        spread.max(0) as f64 / (n * (n - 1)) as f64 / 1e12
    }

    /// The standard error of the mean; 0 with fewer than two documents.
    pub(crate) fn standard_error(self) -> f64 {
        (self.variance() / float(self.documents.max(1))).sqrt()
    }

    /// How the fall of the mean from here to `later` compares with `limit`, without rounding. Equal
    /// where one of the two has no documents and `limit` is zero.
    pub(crate) fn compare_fall(self, later: Self, limit: Confidence) -> Ordering {
        let [documents, others] = [self.documents, later.documents].map(i128::from);
        let fall = i128::from(self.millionths) * others - i128::from(later.millionths) * documents;
        fall.cmp(&(i128::from(limit.as_millionths()) * documents * others))
    }

    /// How many standard errors the mean of `later` lies below this one, with standard deviations
    /// of at least `floor`: scores that are all the same are no proof.
    pub(crate) fn z_of_fall(self, later: Self, floor: f64) -> f64 {
        let (Some(mean), Some(now)) = (self.mean(), later.mean()) else {
            return 0.0;
        };
        let of_mean =
            |moments: Self| moments.variance().max(floor * floor) / float(moments.documents.max(1));
        (mean.as_f64() - now.as_f64()) / (of_mean(self) + of_mean(later)).sqrt()
    }

    /// What the scores of `later` lack to have this mean, added up, in trillionths and rounded
    /// down: negative where they have more, and nothing where there are no documents here.
    pub(crate) fn shortfall(self, later: Self) -> i128 {
        let [documents, sum, others, sum_of_others] = [
            self.documents,
            self.millionths,
            later.documents,
            later.millionths,
        ]
        .map(i128::from);
        let expected = (sum.saturating_mul(others)).saturating_mul(MILLION);
        if documents == 0 {
            return 0;
        }
        expected.div_euclid(documents) - sum_of_others * MILLION
    }

    /// What the scores lack, as a [`shortfall`](Self::shortfall), where each lacks this.
    pub(crate) fn lacking(self, each: Confidence) -> i128 {
        i128::from(self.documents) * i128::from(each.as_millionths()) * MILLION
    }

    /// How much of a [`shortfall`](Self::shortfall) falls to each document, rounded to millionths.
    pub(crate) fn each_of(self, shortfall: i128) -> i128 {
        let documents = i128::from(self.documents.max(1)) * MILLION;
        (shortfall + documents / 2).div_euclid(documents)
    }

    /// Adds the documents of another part.
    pub(crate) fn merge(&mut self, other: Self) {
        self.documents = self.documents.saturating_add(other.documents);
        self.millionths = self.millionths.saturating_add(other.millionths);
        self.squares = self.squares.saturating_add(other.squares);
    }
}

/// A count as a float, for arithmetic other than comparisons with a limit.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

impl TryFrom<[u64; 3]> for Moments {
    type Error = String;

    fn try_from([documents, millionths, squares]: [u64; 3]) -> Result<Self, String> {
        let [n, sum, of_squares] = [documents, millionths, squares].map(i128::from);
        let fits = documents <= MOST_DOCUMENTS
            && sum <= n * MILLION
            // A square is rounded by at most half a billionth.
            && of_squares <= sum * 1_000 + n;
        if !fits {
            return Err(format!(
                "{documents} documents cannot have a score sum of {millionths} millionths and \
                 {squares} billionths of squares"
            ));
        }
        Ok(Self {
            documents,
            millionths,
            squares,
        })
    }
}

impl From<Moments> for [u64; 3] {
    fn from(moments: Moments) -> Self {
        [moments.documents, moments.millionths, moments.squares]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(millionths: &[u32]) -> Moments {
        let mut moments = Moments::default();
        for score in millionths {
            moments.add(Confidence::try_from(*score).unwrap());
        }
        moments
    }

    /// scipy 1.17.1: `np.mean`, `np.var(ddof=1)`, `stats.sem` of [0.9, 0.95, 0.5, 1.0, 0.87].
    #[test]
    fn mean_and_variance_agree_with_scipy() {
        let moments = of(&[900_000, 950_000, 500_000, 1_000_000, 870_000]);
        assert_eq!(moments.mean(), Some(Confidence::try_from(844_000).unwrap()));
        assert!(
            (moments.variance() - 0.039_430).abs() < 1e-9,
            "{}",
            moments.variance()
        );
        assert!((moments.standard_error() - 0.088_803_153_097_387_08).abs() < 1e-8);
    }

    #[test]
    fn a_fall_of_exactly_the_limit_is_equal_to_it() {
        let limit = Confidence::percent(5);
        let (before, after) = (of(&[900_000; 30]), [850_000_u32; 30]);
        assert_eq!(before.compare_fall(of(&after), limit), Ordering::Equal);
        let mut lower = after;
        lower[0] -= 1;
        assert_eq!(before.compare_fall(of(&lower), limit), Ordering::Greater);
        lower[0] += 2;
        assert_eq!(before.compare_fall(of(&lower), limit), Ordering::Less);
    }

    #[test]
    fn a_mean_alone_has_the_largest_variance_it_can_have() {
        let moments = Moments::of_mean(Confidence::percent(90), 1_000_000);
        // p (1 - p), and n / (n - 1) of it.
        assert!((moments.variance() - 0.09).abs() < 1e-6);
    }

    /// 600 documents with a mean of 0.75 lack 30 of 0.80; two of 1 have 0.5 more than of 0.75.
    #[test]
    fn a_shortfall_is_what_a_mean_is_short_of() {
        let (before, after) = (of(&[800_000; 7]), of(&[750_000; 600]));
        let shortfall = before.shortfall(after);
        assert_eq!(shortfall, 30_000_000_000_000);
        assert_eq!(shortfall, after.lacking(Confidence::percent(5)));
        assert_eq!(after.each_of(shortfall), 50_000);
        let risen = of(&[1_000_000; 2]);
        assert_eq!(after.shortfall(risen), -500_000_000_000);
        assert_eq!(risen.each_of(after.shortfall(risen)), -250_000);
        assert_eq!(Moments::default().shortfall(after), 0);
        // A third of 1.000001 has no last digit.
        assert_eq!(of(&[0, 1, 1_000_000]).shortfall(of(&[0])), 333_333_666_666);
    }

    /// (0.90 - 0.80) / sqrt(0.01^2 / 100 + 0.01^2 / 25), by hand 44.72.
    #[test]
    fn scores_that_are_all_the_same_have_the_floor_as_standard_deviation() {
        let z = of(&[900_000; 100]).z_of_fall(of(&[800_000; 25]), 0.01);
        assert!((z - 44.721_359_549_995_79).abs() < 1e-9, "{z}");
        assert!(Moments::default().z_of_fall(of(&[1]), 0.01).abs() < f64::EPSILON);
    }

    #[test]
    fn what_cannot_be_is_not_read() {
        for text in [
            "[1,1000001,0]",
            "[1,900000,2000000000]",
            "[1000000000001,0,0]",
        ] {
            assert!(serde_json::from_str::<Moments>(text).is_err(), "{text}");
        }
        let moments = of(&[1, 999, 1_000_000, 123_457]);
        let text = serde_json::to_string(&moments).unwrap();
        assert_eq!(serde_json::from_str::<Moments>(&text).unwrap(), moments);
    }

    proptest! {
        #[test]
        fn parts_add_up(scores in prop::collection::vec(0_u32..=1_000_000, 0..60), cut in 0_usize..60) {
            let cut = cut.min(scores.len());
            let mut merged = of(&scores[cut..]);
            merged.merge(of(&scores[..cut]));
            prop_assert_eq!(merged, of(&scores));
            let counts = <[u64; 3]>::from(merged);
            prop_assert!(Moments::try_from(counts).is_ok());
        }
    }
}
