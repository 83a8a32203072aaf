//! Sums over strata, in a form that is cheap for many document types with few events.

use crate::event::Tally;

/// The number of ratios in the grid.
pub(crate) const POINTS: usize = 64;

/// A value for each ratio of the grid.
pub(crate) type Points = [f64; POINTS];

/// Candidate and production under the same conditions: one stage, one document type, one time
/// slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stratum {
    pub(crate) candidate: Tally,
    pub(crate) stable: Tally,
}

/// The sum over strata.
#[derive(Clone, Debug)]
pub(crate) struct Likelihood {
    pub(crate) candidate: Tally,
    pub(crate) stable: Tally,
    /// The candidate's events, each weighted with production's share of its stratum.
    pub(crate) above: f64,
    /// Production's events, each weighted with the candidate's share.
    pub(crate) below: f64,
    /// The candidate's events in strata that have both versions.
    pub(crate) candidate_events: u64,
    /// The denominator of each ratio's likelihood: the product of `(w r + 1 - w)^k` over strata
    /// with `k` events. A product, because most document types have so few events that no logarithm
    /// is needed.
    pub(crate) cost: Product,
    /// The logarithm of the factors that no longer fit into `cost`.
    pub(crate) ln_cost: Option<Box<Points>>,
}

/// A product of factors.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) points: Points,
    /// The number of factors, at most `MOST_FACTORS`.
    pub(crate) factors: u64,
}

/// Each factor lies between 1/8 and 8, so the square of a product of this many is a finite `f64`.
pub(crate) const MOST_FACTORS: u64 = 128;

impl Default for Likelihood {
    fn default() -> Self {
        Self {
            candidate: Tally::default(),
            stable: Tally::default(),
            above: 0.0,
            below: 0.0,
            candidate_events: 0,
            cost: Product {
                points: [1.0; POINTS],
                factors: 0,
            },
            ln_cost: None,
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
impl Stratum {
    /// The candidate's events weighted with production's share, and production's weighted with the
    /// candidate's; `None` if only one version has documents.
    pub(crate) fn mantel_haenszel(&self) -> Option<(f64, f64)> {
        if self.candidate.documents == 0 || self.stable.documents == 0 {
            return None;
        }
        if self.candidate.events + self.stable.events == 0 {
            return Some((0.0, 0.0));
        }
        let (n, m) = (
            self.candidate.documents as f64,
            self.stable.documents as f64,
        );
        let (x, y) = (self.candidate.events as f64, self.stable.events as f64);
        Some((x * m / (n + m), y * n / (n + m)))
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
impl Likelihood {
    pub(crate) fn count(&mut self, candidate: Tally, stable: Tally) {
        for (sum, tally) in [(&mut self.candidate, candidate), (&mut self.stable, stable)] {
            sum.documents = sum.documents.saturating_add(tally.documents);
            sum.events = sum.events.saturating_add(tally.events);
        }
    }

    /// Multiplies the cost by these factors to the power of `events`.
    pub(crate) fn multiply(&mut self, factors: &Points, events: u64) {
        if events > MOST_FACTORS {
            for (cost, factor) in self.ln_cost().iter_mut().zip(factors) {
                *cost += events as f64 * factor.ln();
            }
            return;
        }
        self.make_room(events);
        let factors = if events == 1 {
            *factors
        } else {
            power(*factors, events)
        };
        for (point, factor) in self.cost.points.iter_mut().zip(factors) {
            *point *= factor;
        }
    }

    /// Moves the product into its logarithm if there would be too many factors.
    fn make_room(&mut self, factors: u64) {
        if self.cost.factors + factors > MOST_FACTORS {
            let points = std::mem::replace(&mut self.cost.points, [1.0; POINTS]);
            for (cost, point) in self.ln_cost().iter_mut().zip(points) {
                *cost += point.ln();
            }
            self.cost.factors = 0;
        }
        self.cost.factors += factors;
    }

    fn ln_cost(&mut self) -> &mut Points {
        self.ln_cost.get_or_insert_with(|| Box::new([0.0; POINTS]))
    }

    /// Adds the likelihood of other strata.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count(other.candidate, other.stable);
        self.above += other.above;
        self.below += other.below;
        self.candidate_events += other.candidate_events;
        self.make_room(other.cost.factors);
        for (point, factor) in self.cost.points.iter_mut().zip(other.cost.points) {
            *point *= factor;
        }
        if let Some(more) = &other.ln_cost {
            for (cost, more) in self.ln_cost().iter_mut().zip(**more) {
                *cost += more;
            }
        }
    }

    /// Subtracts a likelihood that was added before.
    pub(crate) fn remove(&mut self, other: &Self) {
        for (sum, tally) in [
            (&mut self.candidate, other.candidate),
            (&mut self.stable, other.stable),
        ] {
            sum.documents = sum.documents.saturating_sub(tally.documents);
            sum.events = sum.events.saturating_sub(tally.events);
        }
        self.above -= other.above;
        self.below -= other.below;
        self.candidate_events = self.candidate_events.saturating_sub(other.candidate_events);
        self.make_room(other.cost.factors);
        for (point, factor) in self.cost.points.iter_mut().zip(other.cost.points) {
            *point /= factor;
        }
        if let Some(less) = &other.ln_cost {
            for (cost, less) in self.ln_cost().iter_mut().zip(**less) {
                *cost -= less;
            }
        }
    }
}

/// Each value to the same power.
pub(crate) fn power(mut base: Points, mut exponent: u64) -> Points {
    let mut product = [1.0; POINTS];
    while exponent > 0 {
        if exponent % 2 == 1 {
            for (product, factor) in product.iter_mut().zip(base) {
                *product *= factor;
            }
        }
        exponent /= 2;
        if exponent > 0 {
            for factor in &mut base {
                *factor *= *factor;
            }
        }
    }
    product
}
