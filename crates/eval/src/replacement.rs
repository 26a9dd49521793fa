//! What stands in the place of what is taken away.

use crate::{Error, Random, Result};
use ndarray::{Array1, ArrayD, Axis};

/// What stands in the place of what is taken away.
#[derive(Debug, Clone, PartialEq)]
pub enum Replacement {
    /// Zeros.
    Zero,
    /// A number, such as the value of grey.
    Value(f64),
    /// The mean of the sample itself, for each index of this axis by itself, such as that of the channels; over everything without one.
    Mean(Option<usize>),
    /// The sample itself, blurred along the two axes of its picture by a Gaussian of this deviation in pixels.
    Blur {
        /// The axes.
        spatial: [usize; 2],
        /// The deviation.
        deviation: f64,
    },
    /// Random numbers between the least and the largest of the sample.
    Uniform {
        /// The seed: the same number gives the same picture.
        seed: u64,
    },
    /// Another sample of the same shape, such as a row of a background.
    Sample(ArrayD<f64>),
}

impl Replacement {
    /// What stands in the place of each cell of `x`.
    ///
    /// # Errors
    /// [`Error::Unfit`] if an axis or the shape is another one.
    pub fn of(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>> {
        let wrong =
            |axis: usize| Error::Unfit(format!("a sample of shape {:?} has no axis {axis}", x.shape()));
        match self {
            Self::Zero => Ok(ArrayD::zeros(x.raw_dim())),
            Self::Value(value) => Ok(ArrayD::from_elem(x.raw_dim(), *value)),
            Self::Mean(None) => Ok(ArrayD::from_elem(x.raw_dim(), x.mean().unwrap_or(0.0))),
            Self::Mean(Some(axis)) if *axis >= x.ndim() => Err(wrong(*axis)),
            Self::Mean(Some(axis)) => {
                let mut means = x.clone();
                for mut part in means.axis_iter_mut(Axis(*axis)) {
                    let mean = part.mean().unwrap_or(0.0);
                    part.fill(mean);
                }
                Ok(means)
            }
            Self::Blur { spatial, deviation } => match spatial.iter().find(|axis| **axis >= x.ndim()) {
                Some(axis) => Err(wrong(*axis)),
                None => Ok(spatial.iter().fold(x.clone(), |x, axis| blurred(&x, Axis(*axis), *deviation))),
            },
            Self::Uniform { seed } => {
                let (low, high) = range(x);
                let mut random = Random::new(*seed);
                Ok(x.mapv(|_| low + (high - low) * random.unit()))
            }
            Self::Sample(sample) if sample.shape() == x.shape() => Ok(sample.clone()),
            Self::Sample(sample) => Err(Error::Unfit(format!(
                "the replacement has the shape {:?}, the sample {:?}",
                sample.shape(),
                x.shape()
            ))),
        }
    }
}

/// The least and the largest number.
pub(crate) fn range(x: &ArrayD<f64>) -> (f64, f64) {
    x.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)))
}

/// Weighted means along an axis, by a Gaussian that ends at three deviations. Beyond the border there is nothing.
fn blurred(x: &ArrayD<f64>, axis: Axis, deviation: f64) -> ArrayD<f64> {
    let reach = (3.0 * deviation).ceil().max(0.0) as usize;
    let weights: Vec<f64> = (0..=reach)
        .map(|step| (-0.5 * (step as f64 / deviation.max(f64::MIN_POSITIVE)).powi(2)).exp())
        .collect();
    let mut blurred = x.clone();
    for (mut lane, given) in blurred.lanes_mut(axis).into_iter().zip(x.lanes(axis)) {
        let mean = |at: usize| {
            let (from, to) = (at.saturating_sub(reach), (at + reach + 1).min(given.len()));
            let terms = (from..to).map(|other| (weights[at.abs_diff(other)], given[other]));
            let (total, sum) = terms
                .fold((0.0, 0.0), |(total, sum), (weight, value)| (total + weight, sum + weight * value));
            sum / total
        };
        lane.assign(&(0..given.len()).map(mean).collect::<Array1<f64>>());
    }
    blurred
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::IxDyn;

    #[test]
    fn a_blur_keeps_what_is_even_and_spreads_what_is_not() -> Result<()> {
        let blur = Replacement::Blur { spatial: [1, 2], deviation: 1.0 };
        let even = ArrayD::from_elem(IxDyn(&[1, 5, 4]), 2.5);
        assert!(blur.of(&even)?.iter().all(|value| (value - 2.5).abs() < 1e-12));
        let mut point = ArrayD::zeros(IxDyn(&[1, 9, 9]));
        point[[0, 4, 4]] = 1.0;
        let spread = blur.of(&point)?;
        assert!(
            (spread[[0, 4, 4]] - 0.159).abs() < 1e-2 && (spread[[0, 4, 5]] - spread[[0, 5, 4]]).abs() < 1e-12,
            "{spread}"
        );
        assert!(Replacement::Blur { spatial: [1, 3], deviation: 1.0 }.of(&point).is_err());
        Ok(())
    }

    #[test]
    fn means_are_those_of_their_channel() -> Result<()> {
        let x = ArrayD::from_shape_vec(IxDyn(&[1, 2, 2]), vec![1.0, 3.0, 10.0, 30.0]).unwrap_or_default();
        assert_eq!(Replacement::Mean(Some(1)).of(&x)?.into_raw_vec_and_offset().0, [2.0, 2.0, 20.0, 20.0]);
        assert_eq!(Replacement::Mean(None).of(&x)?[[0, 0, 0]], 11.0);
        assert_eq!(Replacement::Value(0.5).of(&x)?[[0, 1, 1]], 0.5);
        let drawn = Replacement::Uniform { seed: 1 }.of(&x)?;
        assert!(drawn.iter().all(|value| (1.0..30.0).contains(value)));
        assert_eq!(drawn, Replacement::Uniform { seed: 1 }.of(&x)?);
        assert!(Replacement::Sample(x.clone()).of(&ArrayD::zeros(IxDyn(&[4]))).is_err());
        Ok(())
    }
}
