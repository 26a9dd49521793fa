//! Numbers without pattern, the same for the same seed.

use ndarray::ArrayD;

/// A source of numbers.
#[derive(Debug, Clone)]
pub struct Numbers {
    state: u64,
}

impl Numbers {
    /// The source of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A whole number below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True one time in `of`.
    pub fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn array(&mut self, shape: &[usize], mut number: impl FnMut(&mut Self) -> f64) -> ArrayD<f64> {
        ArrayD::from_shape_simple_fn(shape, || number(self))
    }

    /// Multiples of ½ within ±2: zeros and equal numbers are common, and sums of products are never rounded, so
    /// that every backend sees the same signs and the same ties. One array in eight is all zeros.
    pub fn exact(&mut self, shape: &[usize]) -> ArrayD<f64> {
        let dead = self.chance(8);
        self.array(shape, |numbers| if dead { 0.0 } else { numbers.below(9) as f64 / 2.0 - 2.0 })
    }

    /// Numbers in (−1, 1), one in ten of them 0.
    pub fn rough(&mut self, shape: &[usize]) -> ArrayD<f64> {
        self.array(shape, |numbers| match numbers.chance(10) {
            true => 0.0,
            false => numbers.next() as f64 / 2.0_f64.powi(63) - 1.0,
        })
    }

    /// Whole numbers below a bound.
    pub fn whole(&mut self, shape: &[usize], bound: usize) -> ArrayD<f64> {
        self.array(shape, |numbers| numbers.below(bound) as f64)
    }
}
