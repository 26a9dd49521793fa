//! The symmetric scale of a picture, which a few outliers do not stretch.

use ndarray::Array2;

/// The share of all relevance (by magnitude) that may lie beyond the scale.
const OUTLIERS: f64 = 0.02;

/// Maps relevance to −1 … 1, with 0 in the middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The magnitude at its ends.
    pub limit: f64,
}

impl Scale {
    /// One scale for several maps. Its limit is the magnitude up to which, counted from the smallest, 98 % of all relevance
    /// lies (captum's `outlier_perc = 2`), so that a few glaring cells do not make the others pale.
    pub fn of<'a>(maps: impl IntoIterator<Item = &'a Array2<f64>>) -> Self {
        let mut magnitudes: Vec<f64> =
            maps.into_iter().flatten().map(|v| v.abs()).filter(|v| v.is_finite()).collect();
        magnitudes.sort_by(f64::total_cmp);
        let total: f64 = magnitudes.iter().sum();
        let mut below = 0.0;
        let reached = magnitudes.iter().find(|magnitude| {
            below += **magnitude;
            below >= total * (1.0 - OUTLIERS)
        });
        Self { limit: reached.copied().unwrap_or(0.0) }
    }

    /// The position of a value on the scale; 0 if there is no relevance at all.
    pub fn unit(self, value: f64) -> f64 {
        if self.limit == 0.0 && value.is_finite() { 0.0 } else { (value / self.limit).clamp(-1.0, 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn symmetric_about_zero() {
        let scale = Scale::of([&arr2(&[[-4.0, 2.0], [1.0, 0.0]])]);
        assert_eq!(scale.limit, 4.0);
        assert_eq!((scale.unit(-4.0), scale.unit(0.0), scale.unit(2.0)), (-1.0, 0.0, 0.5));
    }

    #[test]
    fn outliers_are_clipped() {
        let mut map = Array2::from_elem((10, 10), 1.0);
        map[[0, 0]] = 1.5;
        assert_eq!(Scale::of([&map]).limit, 1.0);
        assert_eq!(Scale::of([&map]).unit(1.5), 1.0);
    }

    #[test]
    fn no_relevance_is_neutral_everywhere() {
        let scale = Scale::of([&Array2::zeros((2, 2))]);
        assert_eq!(scale.unit(0.0), 0.0);
        assert!(scale.unit(f64::NAN).is_nan());
    }
}
