//! How confidences are distributed, and how that changes.

use crate::chance::Chance;

/// A distribution of confidences, before anything changes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Law {
    /// Beta(18, 2): mean 0.90, standard deviation 0.065.
    Beta,
    /// The few round values that a language model gives: mean 0.89, standard deviation 0.107.
    Discrete,
}

/// What happens to the confidences.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// Each is lower by this much.
    Drop(f64),
    /// A quarter falls and the others rise; the mean stays.
    Shape,
}

/// In percent of the documents.
const DISCRETE: [(f64, u32); 8] = [
    (0.50, 2),
    (0.60, 2),
    (0.70, 6),
    (0.80, 12),
    (0.85, 13),
    (0.90, 14),
    (0.95, 33),
    (1.00, 18),
];

impl Law {
    pub(crate) const ALL: [Self; 2] = [Self::Beta, Self::Discrete];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Beta => "Beta(18, 2)",
            Self::Discrete => "Discrete",
        }
    }

    pub(crate) fn score(self, chance: &mut Chance) -> f64 {
        match self {
            Self::Beta => beta_18_2(chance),
            Self::Discrete => discrete(chance),
        }
    }

    pub(crate) fn changed(self, change: Change, chance: &mut Chance) -> f64 {
        match change {
            Change::Drop(drop) => (self.score(chance) - drop).max(0.0),
            Change::Shape => {
                let (high, low) = self.two_values();
                if chance.uniform() < 0.75 { high } else { low }
            }
        }
    }

    /// Three quarters and one quarter, with the mean of the law.
    fn two_values(self) -> (f64, f64) {
        match self {
            Self::Beta => (0.98, 0.66),
            Self::Discrete => (0.97, 0.65),
        }
    }
}

impl Change {
    pub(crate) const ALL: [Self; 6] = [
        Self::Drop(0.03),
        Self::Drop(0.05),
        Self::Drop(0.08),
        Self::Drop(0.15),
        Self::Drop(0.40),
        Self::Shape,
    ];

    pub(crate) fn title(self) -> String {
        match self {
            Self::Drop(drop) => format!("-{drop:.2}"),
            Self::Shape => "shape".to_owned(),
        }
    }
}

/// The second largest of 19 uniform numbers.
fn beta_18_2(chance: &mut Chance) -> f64 {
    let (mut largest, mut second) = (0.0_f64, 0.0_f64);
    for _ in 0..19 {
        let next = chance.uniform();
        second = second.max(next.min(largest));
        largest = largest.max(next);
    }
    second
}

fn discrete(chance: &mut Chance) -> f64 {
    let drawn = chance.uniform();
    let mut below = 0;
    let found = DISCRETE.iter().find(|(_, percent)| {
        below += percent;
        drawn < f64::from(below) / 100.0
    });
    found.map_or(1.0, |(score, _)| *score)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 18 / 20 and the root of 18 * 2 / (20^2 * 21) = 0.0655; the weighted sums of
    /// `DISCRETE`; 0.75 * 0.98 + 0.25 * 0.66 and 0.75 * 0.97 + 0.25 * 0.65.
    #[test]
    fn laws_have_their_means_and_deviations() {
        let mut chance = Chance::new(3);
        for (law, mean, deviation) in [(Law::Beta, 0.90, 0.0655), (Law::Discrete, 0.89, 0.1070)] {
            let drawn: Vec<f64> = (0..100_000).map(|_| law.score(&mut chance)).collect();
            let (got, spread) = moments(&drawn);
            assert!((got - mean).abs() < 0.0015, "{law:?}: {got}");
            assert!((spread - deviation).abs() < 0.0015, "{law:?}: {spread}");
            let changed = |_| law.changed(Change::Shape, &mut chance);
            let (got, _) = moments(&(0..100_000).map(changed).collect::<Vec<_>>());
            assert!((got - mean).abs() < 0.002, "{law:?}: {got}");
        }
        assert_eq!(
            DISCRETE.iter().map(|(_, percent)| percent).sum::<u32>(),
            100
        );
    }

    fn moments(drawn: &[f64]) -> (f64, f64) {
        let count = f64::from(u32::try_from(drawn.len()).unwrap());
        let mean = drawn.iter().sum::<f64>() / count;
        let squares = drawn.iter().map(|drawn| (drawn - mean).powi(2));
        (mean, (squares.sum::<f64>() / count).sqrt())
    }
}
