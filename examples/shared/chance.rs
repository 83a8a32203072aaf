//! Random numbers from a seed: the same on every machine.

use std::time::Duration;

/// `SplitMix64` (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Between 0 and 1, never either of them.
    pub(crate) fn uniform(&mut self) -> f64 {
        let top = (self.next() >> 32) as u32;
        (f64::from(top) + 0.5) / 4_294_967_296.0
    }

    /// Exponential with this mean.
    pub(crate) fn wait(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-self.uniform().ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published test vector of the generator.
    #[test]
    fn it_is_the_published_generator() {
        let mut chance = Chance::new(1_234_567);
        let drawn: Vec<_> = (0..5).map(|_| chance.next()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    /// Of 100,000: mean 1/2 and variance 1/12, within four standard errors.
    #[test]
    fn uniform_numbers_have_their_mean_and_variance() {
        let mut chance = Chance::new(1);
        let drawn: Vec<f64> = (0..100_000).map(|_| chance.uniform()).collect();
        let (mean, variance) = moments(&drawn);
        assert!((mean - 0.5).abs() < 0.003_7, "{mean}");
        assert!((variance - 1.0 / 12.0).abs() < 0.000_95, "{variance}");
    }

    /// Of 100,000 with a mean of six hours: variance 36, within four standard errors.
    #[test]
    fn waits_have_their_mean_and_variance() {
        let mut chance = Chance::new(2);
        let mean = Duration::from_secs(6 * 3_600);
        let drawn: Vec<f64> = (0..100_000)
            .map(|_| chance.wait(mean).as_secs_f64() / 3_600.0)
            .collect();
        let (mean, variance) = moments(&drawn);
        assert!((mean - 6.0).abs() < 0.076, "{mean}");
        assert!((variance - 36.0).abs() < 1.29, "{variance}");
    }

    fn moments(drawn: &[f64]) -> (f64, f64) {
        let count = f64::from(u32::try_from(drawn.len()).unwrap());
        let mean = drawn.iter().sum::<f64>() / count;
        let squares = drawn.iter().map(|drawn| (drawn - mean).powi(2));
        (mean, squares.sum::<f64>() / count)
    }
}
