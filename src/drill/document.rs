//! What the number of a document decides: which shares it is in, and what is drawn for it.

use twox_hash::XxHash3_64;

use crate::ratio::Ratio;

/// A document of a drill, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Document(pub(super) u64);

/// What is decided by a share of the documents. Each thing has a sequence of its own, as have seven
/// faults: a document that a fault meets is not for that reason one that reviewers correct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// The fault with this number.
    Fault(usize),
    /// The half of the confidences that rise as they spread.
    Rise,
    /// The failures that are usual.
    Failure,
    Correction,
    Comparison,
}

impl Share {
    /// The step of its sequence: the fraction of the golden ratio or of the root of a prime, which
    /// no sum of multiples of the others makes.
    fn step(self) -> u64 {
        const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
        let prime: u32 = match self {
            Self::Fault(0) => return GOLDEN_RATIO,
            Self::Rise => 2,
            Self::Failure => 3,
            Self::Correction => 7,
            Self::Comparison => 11,
            Self::Fault(number) => match number % 6 {
                1 => 13,
                2 => 17,
                3 => 19,
                4 => 23,
                5 => 29,
                _ => 31,
            },
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a fraction of 2^64 is meant"
        )]
        let step = (f64::from(prime).sqrt().fract() * u64::MAX as f64) as u64;
        step
    }
}

/// What is drawn for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drawn {
    Confidence,
    CorrectionDelay,
    Gap,
    Latency,
}

impl Document {
    /// Whether it is in a share of all documents, spread evenly: the multiples of an irrational
    /// number leave no gaps and no clusters (Knuth, The Art of Computer Programming, volume 3,
    /// section 6.4).
    pub(super) fn is_among(self, share: Ratio, of: Share) -> bool {
        share == Ratio::ONE || share.contains_hash(self.0.wrapping_mul(of.step()))
    }

    pub(super) fn draw(self, drawn: Drawn, seed: u64) -> Draw {
        let number = (self.0 << 2) | drawn as u64;
        Draw(XxHash3_64::oneshot_with_seed(seed, &number.to_le_bytes()))
    }
}

/// A point from 0 to 1, at random and the same for each run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// One of some values, each as likely as the others; `None` of none.
    pub(super) fn among<T: Copy>(self, values: &[T]) -> Option<T> {
        let place = (u128::from(self.0) * values.len() as u128) >> u64::BITS;
        values.get(usize::try_from(place).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of two shares of one half that do not know each other, a quarter of the documents is in both.
    #[test]
    fn a_document_in_one_share_is_not_for_that_reason_in_another() {
        let shares = [
            Share::Fault(0),
            Share::Fault(1),
            Share::Fault(2),
            Share::Rise,
            Share::Failure,
            Share::Correction,
            Share::Comparison,
        ];
        let half = Ratio::percent(50);
        for (number, one) in shares.iter().enumerate() {
            for other in shares.iter().skip(number + 1) {
                let both = (1..=10_000).map(Document).filter(|document| {
                    document.is_among(half, *one) && document.is_among(half, *other)
                });
                let both = both.count();
                assert!(both.abs_diff(2_500) < 50, "{both} in {one:?} and {other:?}");
            }
        }
    }

    /// A mean of 10,000 points from 0 to 1 scatters by 0.0029.
    #[test]
    fn draws_are_even_and_depend_on_the_seed() {
        let places: Vec<u32> = (0..1_000).collect();
        let mean = |drawn, seed| {
            let drawn = (0..10_000).filter_map(|n| Document(n).draw(drawn, seed).among(&places));
            drawn.map(f64::from).sum::<f64>() / 10_000.0
        };
        assert!((mean(Drawn::Gap, 1) - 499.5).abs() < 12.0);
        assert!((mean(Drawn::Latency, 2) - 499.5).abs() < 12.0);
        let first = |seed| Document(7).draw(Drawn::Gap, seed).0;
        assert_ne!(first(1), first(2));
    }
}
