//! Random numbers, the same in every run of the program.

use twox_hash::XxHash3_64;

/// Pseudo-random numbers.
#[derive(Debug)]
pub(super) struct Chance {
    run: u64,
    drawn: u64,
}

impl Chance {
    pub(super) fn new(run: u32) -> Self {
        Self {
            run: u64::from(run),
            drawn: 0,
        }
    }

    /// Uniformly distributed between 0 and 1.
    pub(super) fn uniform(&mut self) -> f64 {
        self.drawn += 1;
        let hash = XxHash3_64::oneshot_with_seed(self.run, &self.drawn.to_le_bytes());
        let top = u32::try_from(hash >> 32).unwrap_or(u32::MAX);
        (f64::from(top) + 0.5) / 4_294_967_296.0
    }

    /// Poisson-distributed with this mean: by inversion, in parts for which the smallest
    /// probability does not underflow.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        const PART: f64 = 500.0;
        let (mut left, mut count) = (mean, 0);
        while left > 0.0 {
            let part = left.min(PART);
            left -= part;
            let mut probability = (-part).exp();
            let mut missing = self.uniform() - probability;
            let mut drawn = 0_u32;
            while missing > 0.0 && probability > 0.0 {
                drawn += 1;
                probability *= part / f64::from(drawn);
                missing -= probability;
            }
            count += u64::from(drawn);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Means and variances of 20,000 draws both equal the mean of the distribution, within four
    /// standard errors of the mean and a tenth of the variance, whose standard error is 1 % (4 % at
    /// the smallest mean).
    #[test]
    fn counts_by_chance_have_the_mean_and_the_variance_of_poisson() {
        for mean in [0.05, 3.0, 40.0, 1_200.0] {
            let mut chance = Chance::new(7);
            let draws: Vec<f64> = (0..20_000)
                .map(|_| f64::from(u32::try_from(chance.poisson(mean)).unwrap()))
                .collect();
            let average = draws.iter().sum::<f64>() / 20_000.0;
            let squares = draws.iter().map(|draw| (draw - average).powi(2));
            let variance = squares.sum::<f64>() / 20_000.0;
            assert!(
                (average - mean).abs() < 4.0 * (mean / 20_000.0).sqrt(),
                "{mean}: {average}"
            );
            assert!((variance / mean - 1.0).abs() < 0.1, "{mean}: {variance}");
        }
    }
}
