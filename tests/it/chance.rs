//! Numbers drawn by a generator whose seed is the number of the run: every run of the tests sees
//! the same.

/// Xorshift, 64 bits (Marsaglia, "Xorshift RNGs", 2003).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(run: u64) -> Self {
        let mut chance = Self(run.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03);
        for _ in 0..10 {
            chance.uniform();
        }
        chance
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let top = u32::try_from(self.0 >> 32).unwrap();
        (f64::from(top) + 0.5) / 4_294_967_296.0
    }

    /// A number from the distribution Beta(18, 2), with mean 0.9 and standard deviation 0.065: the
    /// second largest of 19 uniform ones.
    pub(crate) fn beta_18_2(&mut self) -> f64 {
        let (mut largest, mut second) = (0.0_f64, 0.0_f64);
        for _ in 0..19 {
            let next = self.uniform();
            second = second.max(next.min(largest));
            largest = largest.max(next);
        }
        second
    }
}
