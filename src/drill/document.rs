//! What the number of a document decides: which shares it is in, and what is drawn for it.

use twox_hash::XxHash3_64;

use crate::ratio::Ratio;

/// A document of a drill, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Document(pub(super) u64);

/// What is decided by a share of the documents. Each thing has a sequence of its own, and so has
/// each fault: a document that a fault meets is not for that reason one that reviewers correct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShareOf {
    /// The half of the confidences that rise as they spread.
    Rise,
    /// The failures that are usual.
    Failure,
    Correction,
    Comparison,
    /// What the fault with this sequence meets.
    Fault(Sequence),
}

/// The sequence of a fault: the prime of whose root it has the fraction as its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence(u32);

impl Sequence {
    /// That of the golden ratio, which spreads most evenly: it is half of one more than the root.
    const GOLDEN_RATIO: Self = Self(5);

    /// Those of the faults of a drill, in their order. No two correlate: the roots of primes are
    /// independent over the rational numbers (Besicovitch, On the linear independence of fractional
    /// powers of integers, 1940).
    pub(super) fn of_faults() -> impl Iterator<Item = Self> {
        let is_prime = |number: &u32| {
            let divisors = 2..=number.isqrt();
            divisors.into_iter().all(|divisor| number % divisor != 0)
        };
        // The primes below 13 are the golden ratio's and those of the other shares.
        let later = (13..).filter(is_prime).map(Self);
        std::iter::once(Self::GOLDEN_RATIO).chain(later)
    }
}

impl ShareOf {
    /// The step of its sequence: the fraction of the golden ratio or of the root of a prime, which
    /// no sum of multiples of the others makes.
    fn step(self) -> u64 {
        const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
        let prime = match self {
            Self::Fault(Sequence::GOLDEN_RATIO) => return GOLDEN_RATIO,
            Self::Rise => 2,
            Self::Failure => 3,
            Self::Correction => 7,
            Self::Comparison => 11,
            Self::Fault(Sequence(prime)) => prime,
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
    /// Of its field at this place.
    Confidence(usize),
    /// Which of its fields is corrected, or differs.
    Field,
    CorrectionDelay,
    Gap,
    Latency,
}

impl Document {
    /// Whether it is in a share of all documents, spread evenly: the multiples of an irrational
    /// number leave no gaps and no clusters (Knuth, The Art of Computer Programming, volume 3,
    /// section 6.4).
    pub(super) fn is_among(self, share: Ratio, of: ShareOf) -> bool {
        share == Ratio::ONE || share.contains_hash(self.0.wrapping_mul(of.step()))
    }

    pub(super) fn draw(self, drawn: Drawn, seed: u64) -> Draw {
        let (what, place) = match drawn {
            Drawn::Confidence(place) => (0, place as u64),
            Drawn::CorrectionDelay => (1, 0),
            Drawn::Gap => (2, 0),
            Drawn::Latency => (3, 0),
            Drawn::Field => (3, 1),
        };
        let number = (self.0 << 2) | what;
        Draw(if place == 0 {
            XxHash3_64::oneshot_with_seed(seed, &number.to_le_bytes())
        } else {
            let number = u128::from(number) | u128::from(place) << 64;
            XxHash3_64::oneshot_with_seed(seed, &number.to_le_bytes())
        })
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
    /// Drawn at random, that number of 10,000 scatters by 43, of which two are allowed.
    #[test]
    fn a_document_in_one_share_is_not_for_that_reason_in_another() {
        let faults = Sequence::of_faults().take(40).map(ShareOf::Fault);
        let others = [
            ShareOf::Rise,
            ShareOf::Failure,
            ShareOf::Correction,
            ShareOf::Comparison,
        ];
        let half = Ratio::percent(50);
        let members = |share| {
            let documents = (1..=10_000).map(Document);
            documents.map(move |document| document.is_among(half, share))
        };
        let shares: Vec<(ShareOf, Vec<bool>)> = faults
            .chain(others)
            .map(|share| (share, members(share).collect()))
            .collect();
        for (number, (one, in_one)) in shares.iter().enumerate() {
            for (other, in_other) in shares.iter().skip(number + 1) {
                let both = in_one.iter().zip(in_other).filter(|(a, b)| **a && **b);
                let both = both.count();
                assert!(both.abs_diff(2_500) < 86, "{both} in {one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn no_two_faults_have_one_sequence() {
        let primes: Vec<u32> = Sequence::of_faults().take(9).map(|of| of.0).collect();
        assert_eq!(primes, [5, 13, 17, 19, 23, 29, 31, 37, 41]);
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
        assert!((mean(Drawn::Confidence(7), 1) - 499.5).abs() < 12.0);
        let first = |seed| Document(7).draw(Drawn::Gap, seed).0;
        assert_ne!(first(1), first(2));
    }
}
