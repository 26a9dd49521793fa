//! Cells of the output, named by their coordinates.

use super::argmax;
use crate::{Error, Result};
use ndarray::ArrayD;
use std::str::FromStr;

/// A coordinate along one axis of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinate {
    /// This index; negative ones count from the end.
    At(isize),
    /// Every index.
    All,
    /// The index of the largest value, for each choice of the coordinates that are [`All`](Coordinate::All).
    Argmax,
}

/// `17`, `-1`, `:` or `argmax`.
impl FromStr for Coordinate {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.trim() {
            ":" => Ok(Self::All),
            "argmax" => Ok(Self::Argmax),
            index => index.parse().map(Self::At).map_err(|_| {
                format!("`{text}` is not a coordinate; give a number from 0 (or from -1, the last), `:` for all, or argmax")
            }),
        }
    }
}

/// The numbers of the chosen cells of one sample, counted over its flattened values.
///
/// # Errors
/// [`Error::Start`] if the coordinates do not fit the output.
pub(super) fn chosen(
    a: &ArrayD<f64>,
    coordinates: &[Coordinate],
    sample: usize,
    samples: usize,
    sample_axis: Option<usize>,
) -> Result<Vec<usize>> {
    let rank = a.ndim() + usize::from(sample_axis.is_some());
    if coordinates.len() != rank {
        return Err(Error::Start(format!(
            "the target has {} coordinates, but the output has {rank} axes{}; give one for each, `:` for every index of an axis",
            coordinates.len(),
            sample_axis.map_or(String::new(), |axis| format!(", of which axis {axis} counts samples"))
        )));
    }
    let mut within = coordinates.to_vec();
    if let Some(axis) = sample_axis {
        let own = match within.remove(axis) {
            Coordinate::All => true,
            Coordinate::At(index) => place(index, samples)? == sample,
            Coordinate::Argmax => {
                return Err(Error::Start(format!(
                    "axis {axis} of the output counts samples; give `:` for all of them or one number as its coordinate in the target"
                )));
            }
        };
        if !own {
            return Ok(Vec::new());
        }
    }
    let of = |argmax: bool| {
        let range = |(&extent, &coordinate): (&usize, &Coordinate)| match coordinate {
            Coordinate::Argmax if argmax => Ok((0..extent).collect()),
            Coordinate::Argmax => Ok(vec![0]),
            _ if argmax => Ok(vec![0]),
            Coordinate::All => Ok((0..extent).collect()),
            Coordinate::At(index) => Ok(vec![place(index, extent)?]),
        };
        let ranges = a.shape().iter().zip(&within).map(range).collect::<Result<Vec<_>>>()?;
        Ok::<_, Error>(numbers(a.shape(), &ranges))
    };
    let values: Vec<f64> = a.iter().copied().collect();
    let (corners, rivals) = (of(false)?, of(true)?);
    let winner = |corner: usize| corner + rivals[argmax(rivals.iter().map(|rival| &values[corner + rival]))];
    Ok(corners.into_iter().map(winner).collect())
}

/// An index counted from the front.
fn place(index: isize, extent: usize) -> Result<usize> {
    let found = if index < 0 { extent.checked_add_signed(index) } else { Some(index as usize) };
    found.filter(|index| *index < extent).ok_or_else(|| {
        Error::Start(format!(
            "the target's coordinate {index} is outside an axis of extent {extent}; indices count from 0"
        ))
    })
}

/// The numbers of all cells whose index along each axis is among the given ones, in order.
fn numbers(shape: &[usize], indices: &[Vec<usize>]) -> Vec<usize> {
    shape.iter().zip(indices).fold(vec![0], |numbers, (extent, indices)| {
        numbers.iter().flat_map(|number| indices.iter().map(move |index| number * extent + index)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, Array3};

    /// 2 × 3 × 4 cells, whose values are their numbers but for the largest, cell 5.
    fn cells() -> ArrayD<f64> {
        let mut cells: Array3<f64> =
            Array::from_iter((0..24).map(f64::from)).into_shape_with_order((2, 3, 4)).expect("24 cells");
        cells[[0, 1, 1]] = 99.0;
        cells.into_dyn()
    }

    fn of(text: &str, sample: usize, sample_axis: Option<usize>) -> Result<Vec<usize>> {
        let coordinates: Vec<Coordinate> =
            text.split(',').map(|one| one.parse().expect("a coordinate")).collect();
        chosen(&cells(), &coordinates, sample, 8, sample_axis)
    }

    #[test]
    fn coordinates_name_cells() -> Result<()> {
        assert_eq!(of("0,1,1", 0, None)?, [5]);
        assert_eq!(of("-1,-1,-1", 0, None)?, [23]);
        assert_eq!(of("1,:,2", 0, None)?, [14, 18, 22]);
        assert_eq!(of("argmax,argmax,argmax", 0, None)?, [5]);
        assert_eq!(of("0,:,argmax", 0, None)?, [3, 5, 11]);
        assert_eq!(of("argmax,1,:", 0, None)?, [16, 5, 18, 19]);
        Ok(())
    }

    #[test]
    fn a_sample_is_chosen_by_its_axis() -> Result<()> {
        assert_eq!(of(":,0,1,1", 7, Some(0))?, [5]);
        assert_eq!(of("0,1,7,1", 7, Some(2))?, [5]);
        assert_eq!(of("0,1,6,1", 7, Some(2))?, Vec::<usize>::new());
        assert_eq!(of("0,1,-1,1", 7, Some(2))?, [5]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for (text, sample_axis) in [
            ("0,1", None),
            ("0,1,4", None),
            ("0,1,-5", None),
            ("argmax,0,0,0", Some(0)),
            ("8,0,1,1", Some(0)),
        ] {
            assert!(of(text, 0, sample_axis).is_err(), "{text}");
        }
        assert!("x".parse::<Coordinate>().is_err());
    }
}
