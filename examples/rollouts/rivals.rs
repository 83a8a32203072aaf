//! Other rules on the same documents: they see the corrections that a policy sees, and decide in its
//! place.
//!
//! Each looks every five minutes, as the policy does. A rule that has nothing against the candidate
//! at the end of a stage promotes it, as experimentation tools do with a result that is not clear.

use std::time::Duration;

use fusebox::{CanaryPolicy, Error, Ratio, Role, Ticket};
use statrs::distribution::{DiscreteCDF, Hypergeometric};

use crate::simulation::{Rule, Verdict};

const HOUR: Duration = Duration::from_secs(3_600);
/// The default canary's.
const STAGES: [Duration; 2] = [
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(4 * 3_600),
];
const ALPHA: f64 = 0.05;
/// The mixture's standard deviation: half of 3 %, the most that is tolerated on top.
const MIXTURE: f64 = 0.015;
/// The number of documents at which the sequence is tightest: `GrowthBook`'s default.
const TIGHTEST_AT: f64 = 5_000.0;

/// What a rule compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// The plain ratio above 1.5, at every look.
    PlainRatio,
    /// Fisher's exact test of the stage, one-sided, at its end.
    Fisher,
    /// The mixture sequential probability ratio test, at every look.
    Mixture,
    /// The asymptotic confidence sequence, one-sided, at every look.
    ConfidenceSequence,
}

/// Corrections of some documents.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    documents: u32,
    corrected: u32,
}

impl Tally {
    fn rate(self) -> f64 {
        f64::from(self.corrected) / f64::from(self.documents.max(1))
    }

    /// The variance of the rate.
    fn variance(self) -> f64 {
        self.rate() * (1.0 - self.rate()) / f64::from(self.documents.max(1))
    }
}

/// Both versions over one stage, or over both.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    candidate: Tally,
    production: Tally,
}

impl Counts {
    fn of(&mut self, version: Role) -> &mut Tally {
        match version {
            Role::Candidate => &mut self.candidate,
            Role::Stable | Role::Previous => &mut self.production,
        }
    }

    fn and(self, other: Self) -> Self {
        let sum = |one: Tally, other: Tally| Tally {
            documents: one.documents + other.documents,
            corrected: one.corrected + other.corrected,
        };
        Self {
            candidate: sum(self.candidate, other.candidate),
            production: sum(self.production, other.production),
        }
    }

    fn difference(self) -> f64 {
        self.candidate.rate() - self.production.rate()
    }

    fn variance(self) -> f64 {
        self.candidate.variance() + self.production.variance()
    }
}

impl Test {
    fn is_against(self, stage: Counts, both: Counts, is_due: bool) -> bool {
        match self {
            Self::PlainRatio => is_above_one_and_a_half(stage),
            Self::Fisher => is_due && fisher(stage) < ALPHA,
            Self::Mixture => both.difference() > 0.0 && mixture(both) >= 1.0 / ALPHA,
            Self::ConfidenceSequence => both.difference() > width(both),
        }
    }
}

fn is_above_one_and_a_half(counts: Counts) -> bool {
    let Counts {
        candidate: Tally {
            documents: n,
            corrected: x,
        },
        production: Tally {
            documents: m,
            corrected: y,
        },
    } = counts;
    2 * u64::from(x) * u64::from(m) > 3 * u64::from(y) * u64::from(n)
}

/// The probability of at least as many of the corrections among the candidate's documents, if both
/// versions are equal.
fn fisher(counts: Counts) -> f64 {
    let [n, m] = [counts.candidate.documents, counts.production.documents].map(u64::from);
    let [x, y] = [counts.candidate.corrected, counts.production.corrected].map(u64::from);
    let by_chance = Hypergeometric::new(n + m, x + y, n);
    x.checked_sub(1).map_or(1.0, |fewer| {
        by_chance.map_or(1.0, |by_chance| by_chance.sf(fewer))
    })
}

/// The likelihood ratio with a normal mixture over the difference of two rates (Johari, Koomen,
/// Pekelis and Walsh, "Peeking at A/B Tests", 2017; Zhao, Liu and Deng, arXiv 1905.10493, for the
/// rollouts of experimentation tools). With the difference `d`, its variance `v` and the mixture's
/// variance `t`, it is `sqrt(v / (v + t)) exp(t d^2 / (2 v (v + t)))`.
fn mixture(counts: Counts) -> f64 {
    let (variance, mixed) = (counts.variance(), MIXTURE * MIXTURE);
    if variance == 0.0 {
        return 1.0;
    }
    let both = variance + mixed;
    let exponent = mixed * counts.difference().powi(2) / (2.0 * variance * both);
    (variance / both).sqrt() * exponent.exp()
}

/// How far a rate must lie above the other (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, arXiv
/// 2103.06476v7, equation 134, with `rho` of equation 161, as `GrowthBook` uses them).
fn width(counts: Counts) -> f64 {
    let documents = counts.candidate.documents + counts.production.documents;
    let n = f64::from(documents.max(1));
    (counts.variance() * n).sqrt() * width_of_one(n)
}

/// The half-width for a variance of one.
fn width_of_one(n: f64) -> f64 {
    let twice = -2.0 * (2.0 * ALPHA).ln();
    let rho = (twice + (twice + 1.0).ln()) / TIGHTEST_AT;
    let grown = n * rho + 1.0;
    let log = (1.0 + grown.sqrt() / (2.0 * ALPHA)).ln();
    (2.0 * grown / (n * n * rho) * log).sqrt()
}

/// A rule in place of the policy.
#[derive(Debug)]
pub(crate) struct Rival {
    test: Test,
    stage: usize,
    since: Duration,
    counts: [Counts; STAGES.len()],
}

impl Rival {
    pub(crate) fn new(test: Test) -> Self {
        Self {
            test,
            stage: 0,
            since: Duration::ZERO,
            counts: Default::default(),
        }
    }

    /// A canary with the default shares that decides nothing in the time of a run.
    pub(crate) fn router() -> Result<CanaryPolicy, Error> {
        CanaryPolicy::builder()
            .stage(Ratio::percent(5), 10_000 * HOUR)
            .stage(Ratio::percent(25), 10_000 * HOUR)
            .plain_ratio()
            .build()
    }

    fn tally(&mut self, ticket: &Ticket) -> Option<&mut Tally> {
        let stage = usize::from(ticket.stage()?).checked_sub(1)?;
        Some(self.counts.get_mut(stage)?.of(ticket.role()))
    }
}

impl Rule for Rival {
    fn answered(&mut self, ticket: &Ticket) {
        if let Some(tally) = self.tally(ticket) {
            tally.documents += 1;
        }
    }

    fn corrected(&mut self, ticket: &Ticket) {
        if let Some(tally) = self.tally(ticket) {
            tally.corrected += 1;
        }
    }

    fn look(&mut self, after: Duration) -> Option<Verdict> {
        let length = STAGES.get(self.stage)?;
        let is_due = after.saturating_sub(self.since) >= *length;
        let [first, second] = self.counts;
        let stage = if self.stage == 0 { first } else { second };
        if self.test.is_against(stage, first.and(second), is_due) {
            return Some(Verdict::RolledBack);
        }
        is_due.then(|| {
            (self.stage, self.since) = (self.stage + 1, after);
            Verdict::Promoted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts((x, n): (u32, u32), (y, m): (u32, u32)) -> Counts {
        let tally = |corrected, documents| Tally {
            documents,
            corrected,
        };
        Counts {
            candidate: tally(x, n),
            production: tally(y, m),
        }
    }

    /// By hand: of the 70 ways to choose 4 of 8 cups, 16 + 1 have 3 or more of the 4 (Fisher's tea).
    /// The others are scipy 1.17's `fisher_exact(.., alternative="greater")`.
    #[test]
    fn the_exact_test_gives_the_published_probabilities() {
        for (counts, expected) in [
            (counts((3, 4), (1, 4)), 17.0 / 70.0),
            (counts((10, 200), (114, 3_800)), 0.089_597_502_023_258_83),
            (counts((11, 200), (114, 3_800)), 0.046_466_404_666_826),
            (counts((12, 200), (114, 3_800)), 0.022_434_414_937_435_22),
            (counts((0, 200), (114, 3_800)), 1.0),
        ] {
            let p = fisher(counts);
            assert!((p - expected).abs() < 1e-9, "{p}, expected {expected}");
        }
    }

    /// `GrowthBook`'s own test of the one-sided sequence: 6,461 documents, a standard error of
    /// 0.129831, an estimate of 0.234377 and a lower end of -0.126568.
    #[test]
    fn the_confidence_sequence_is_as_wide_as_published() {
        let (n, error) = (6_461.0_f64, 0.129_830_812_541_847_36);
        let width = error * n.sqrt() * width_of_one(n);
        let expected = 0.234_376_666_666_666_68 + 0.126_568_441_728_049_82;
        assert!((width - expected).abs() < 1e-9, "{width}");
    }

    /// By hand. 8 of 400 and 32 of 400: the difference is 0.06, the variance (0.02 x 0.98 + 0.08 x
    /// 0.92) / 400 = 0.000233, the mixture's 0.000225, so the ratio is sqrt(0.508734) exp(3.795191).
    #[test]
    fn the_mixture_is_the_closed_form() {
        let ratio = mixture(counts((32, 400), (8, 400)));
        let expected = 0.508_733_624_454_148_5_f64.sqrt() * 3.795_190_884_045_204_f64.exp();
        assert!(
            (ratio / expected - 1.0).abs() < 1e-9,
            "{ratio}, expected {expected}"
        );
        assert!(mixture(counts((0, 400), (0, 400))) < 20.0);
    }

    #[test]
    fn exactly_one_and_a_half_times_is_not_above() {
        assert!(!is_above_one_and_a_half(counts((45, 1_000), (570, 19_000))));
        assert!(is_above_one_and_a_half(counts((46, 1_000), (570, 19_000))));
        assert!(is_above_one_and_a_half(counts((1, 50), (0, 950))));
        assert!(!is_above_one_and_a_half(counts((0, 50), (0, 950))));
    }
}
