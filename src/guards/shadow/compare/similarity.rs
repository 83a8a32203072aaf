//! Texts that are nearly equal.

use super::Compare;
use super::excerpt::answers_differ;
use crate::call::Comparison;
use crate::error::Error;
use crate::ratio::Ratio;

/// The longest text that is compared, in characters, by default.
const LONGEST: usize = 2_000;

/// Texts agree if they are similar: at most a share of their characters was edited.
///
/// The similarity is `1 - d / n`: `d` is the Levenshtein distance (how many characters were
/// inserted, deleted or replaced), `n` the number of characters of the longer text. It is compared
/// with the threshold in whole numbers: `kitten` and `sitting` (3 edits, 7 characters) agree at 4/7
/// and not above.
///
/// The time grows with the product of the lengths. Texts of which one is longer than a limit (2,000
/// characters by default, which takes some milliseconds) are [`Comparison::NotComparable`], unless
/// they are equal.
///
/// Use it for prose. One digit of twenty is a similarity of 95 %, and a wrong amount: compare
/// fields with [`JsonFields`](super::JsonFields).
///
/// A divergence has one difference, of the field `(answer)`: the whole answer, with both texts, cut
/// after 2,000 characters.
///
/// ```
/// use fusebox::Ratio;
/// use fusebox::call::Comparison;
/// use fusebox::shadow::compare::{Compare, TextSimilarity};
///
/// let similar = TextSimilarity::at_least(Ratio::new(4, 7)?)?;
/// assert_eq!(similar.compare("kitten", "sitting"), Comparison::Match);
/// assert!(matches!(similar.compare("kitten", "sittings"), Comparison::Diverged(_)));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextSimilarity {
    threshold: Ratio,
    longest: usize,
}

impl TextSimilarity {
    /// Texts agree from this similarity on; an error unless it is above 0 % and at most 100 %.
    pub fn at_least(threshold: Ratio) -> Result<Self, Error> {
        if threshold > Ratio::ZERO && threshold <= Ratio::ONE {
            Ok(Self {
                threshold,
                longest: LONGEST,
            })
        } else {
            Err(Error::invalid(
                "text similarity",
                threshold,
                "more than 0 % and at most 100 %",
            ))
        }
    }

    /// The longest text that is compared, in characters (2,000 by default); an error if it is 0.
    pub fn longest(mut self, chars: usize) -> Result<Self, Error> {
        if chars == 0 {
            return Err(Error::invalid(
                "longest text to compare",
                chars,
                "at least 1 character",
            ));
        }
        self.longest = chars;
        Ok(self)
    }

    /// Whether so many edits of so many characters leave the texts similar.
    fn tolerates(&self, edits: usize, chars: usize) -> bool {
        // A length fits in 64 bits on every target.
        let [edits, chars] = [edits, chars].map(|n| u64::try_from(n).unwrap_or(u64::MAX));
        !self.threshold.is_above(chars.saturating_sub(edits), chars)
    }
}

impl Compare<str> for TextSimilarity {
    fn compare(&self, production: &str, candidate: &str) -> Comparison {
        if production == candidate {
            return Comparison::Match;
        }
        let (of_production, of_candidate) = (production.chars().count(), candidate.chars().count());
        let chars = of_production.max(of_candidate);
        if chars > self.longest {
            return Comparison::NotComparable(format!(
                "a text has {chars} characters, more than the {} up to which similarity is computed",
                self.longest
            ));
        }
        // The difference in length is a lower bound of the distance.
        let is_similar = self.tolerates(of_production.abs_diff(of_candidate), chars)
            && self.tolerates(strsim::levenshtein(production, candidate), chars);
        if is_similar {
            Comparison::Match
        } else {
            Comparison::Diverged(vec![answers_differ(production, candidate)])
        }
    }
}

impl Compare<String> for TextSimilarity {
    fn compare(&self, production: &String, candidate: &String) -> Comparison {
        self.compare(production.as_str(), candidate.as_str())
    }
}
