//! Rotated, shifted and stretched pictures, as in layers of augmentation (rules §2 and "Sampling at a grid"): each pixel is a
//! weighted sum of the pixels around the point from which it is taken.

use super::Entry;
use crate::lowering::{Lowering, input};
use crate::{Record, rearrange};
use dlbacktrace_core::maps::Entries;
use dlbacktrace_core::ops::{Reshape, SparseSum};
use dlbacktrace_core::{Error, Family, Result, Tensor};

pub(super) const ENTRIES: &[Entry] = &[Entry::by_data(
    &["ImageProjectiveTransformV2", "ImageProjectiveTransformV3"],
    Family::WeightedSum,
    projected,
)];

fn projected(lowering: &mut Lowering, record: &Record) -> Result<()> {
    if record.operation.text("interpolation") == Some("NEAREST") {
        return rearrange::lower(lowering, record, &[0]);
    }
    let x = lowering.operand(input(record, 0)?)?;
    let &[samples, height, width, channels] = x.meta.shape.as_slice() else {
        return Err(Error::Uncovered(format!("pictures have four axes, not {:?}", x.meta.shape)));
    };
    let shape = lowering.output_shape(record)?;
    let (rows, columns) = (shape[1], shape[2]);
    let transforms: Vec<f64> = lowering.operand(input(record, 1)?)?.data()?.to_array()?.into_iter().collect();
    let transforms: Vec<&[f64]> = transforms.chunks_exact(8).collect();
    let edge = Edge::of(record.operation.text("fill_mode").unwrap_or("CONSTANT"))?;
    let filled = match record.inputs.get(3) {
        Some(slot) => lowering.operand(slot)?.data()?.to_array()?.iter().any(|&value| value != 0.0),
        None => false,
    };
    let mut entries = Entries::default();
    for sample in 0..samples {
        let transform = transforms.get(sample).or(transforms.first().filter(|_| transforms.len() == 1));
        let transform = transform
            .ok_or_else(|| Error::Uncovered("the operator has no transform for a picture".into()))?;
        for row in 0..rows {
            for column in 0..columns {
                let to = (sample * rows + row) * columns + column;
                let mut within = 0.0;
                for (at, weight) in around(transform, [row, column], [height, width], edge) {
                    entries.add(to, sample * height * width + at, weight);
                    within += weight;
                }
                if filled && within < 1.0 - 1e-6 {
                    return Err(Error::Uncovered("filling with a number other than 0 has no rule".into()));
                }
            }
        }
    }
    let pixels = lowering.writer.reshape(&x, &[samples * height * width, channels])?;
    let sum = SparseSum { entries, rows: samples * rows * columns };
    let data = sum.of(pixels.data()?)?;
    let made = lowering.writer.inner(Box::new(sum), vec![pixels], data);
    lowering.step(record, Box::new(Reshape), vec![made])
}

/// What is beyond the edge of a picture.
#[derive(Debug, Clone, Copy)]
enum Edge {
    Constant,
    Reflect,
    Wrap,
    Nearest,
}

impl Edge {
    fn of(mode: &str) -> Result<Self> {
        Ok(match mode {
            "CONSTANT" => Self::Constant,
            "REFLECT" => Self::Reflect,
            "WRAP" => Self::Wrap,
            "NEAREST" => Self::Nearest,
            other => return Err(Error::Uncovered(format!("edges of the kind {other} have no rule"))),
        })
    }

    /// The coordinate inside an axis that replaces one outside, as TensorFlow's kernel finds it.
    fn within(self, at: f64, extent: usize) -> f64 {
        let (length, last) = (extent as f64, extent as f64 - 1.0);
        if matches!(self, Self::Constant) {
            return at;
        }
        if extent <= 1 {
            return 0.0;
        }
        let moved = match self {
            Self::Reflect if at < 0.0 => {
                let twice = 2.0 * length;
                let at = twice * (-at / twice).trunc() + at;
                if at < -length { at + twice } else { -at - 1.0 }
            }
            Self::Reflect if at > last => {
                let twice = 2.0 * length;
                let at = at - twice * (at / twice).trunc();
                if at >= length { twice - at - 1.0 } else { at }
            }
            Self::Wrap if at < 0.0 => at + length * ((-at / last).trunc() + 1.0),
            Self::Wrap if at > last => at - length * (at / last).trunc(),
            _ => at,
        };
        moved.clamp(0.0, last)
    }
}

/// The pixels around the point from which (row, column) is taken: their numbers in the picture, and their weights. The
/// transform a₀ … c₁ takes (x, y) to ((a₀x + a₁y + a₂) / k, (b₀x + b₁y + b₂) / k) with k = c₀x + c₁y + 1.
fn around(
    transform: &[f64],
    [row, column]: [usize; 2],
    extents: [usize; 2],
    edge: Edge,
) -> Vec<(usize, f64)> {
    let (x, y) = (column as f64, row as f64);
    let k = transform[6] * x + transform[7] * y + 1.0;
    if k == 0.0 {
        return Vec::new();
    }
    let along = |by: &[f64]| (by[0] * x + by[1] * y + by[2]) / k;
    let cells = |at: f64, extent: usize| {
        let at = edge.within(at, extent);
        let below = at.floor();
        [(below, below + 1.0 - at), (below + 1.0, at - below)]
    };
    let inside = |cell: f64, extent: usize| (cell >= 0.0 && cell < extent as f64).then_some(cell as usize);
    let mut found = Vec::with_capacity(4);
    for (row, high) in cells(along(&transform[3..6]), extents[0]) {
        for (column, wide) in cells(along(&transform[..3]), extents[1]) {
            if let (Some(row), Some(column)) = (inside(row, extents[0]), inside(column, extents[1])) {
                found.push((row * extents[1] + column, high * wide));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, integers, numbers, text, values};

    #[test]
    fn turned_pictures_are_sums_of_what_stands_around() {
        let turned = [0.9, -0.4, 0.7, 0.4, 0.9, -0.8, 0.0, 0.0, 1.1, 0.3, -1.5, -0.2, 0.8, 0.4, 0.02, -0.01];
        let pictures = values(&[2, 4, 5, 2]);
        for (interpolation, edge) in [
            ("BILINEAR", "CONSTANT"),
            ("BILINEAR", "REFLECT"),
            ("BILINEAR", "WRAP"),
            ("BILINEAR", "NEAREST"),
            ("NEAREST", "CONSTANT"),
            ("NEAREST", "REFLECT"),
        ] {
            for transforms in [numbers(&[2, 8], &turned), numbers(&[1, 8], &turned[..8])] {
                let inputs = [pictures.clone(), transforms, integers(&[2], &[3, 4]), numbers(&[], &[0.0])];
                let attributes = [("interpolation", text(interpolation)), ("fill_mode", text(edge))];
                Case::new("ImageProjectiveTransformV3", &attributes, &inputs).is_a_sum_of(&[0]);
                Case::new("ImageProjectiveTransformV2", &attributes, &inputs[..3]).is_a_sum_of(&[0]);
            }
        }
    }
}
