//! Linear operators computed cell by cell from their definitions.

use crate::geometry::Convolution;
use ndarray::{ArrayD, Axis, Dimension, IxDyn};

/// The triples of cells of x, y and w that meet in a convolution: `[n, channel, position…]` for x and y,
/// `[o, c, kernel…]` for w. `small` and `large` are the extents of the narrow and of the wide side.
fn meetings(geometry: &Convolution, small: &[usize], large: &[usize]) -> Vec<[Vec<usize>; 3]> {
    let spatial = geometry.axes.len();
    let kernel = geometry.kernel();
    let mut found = Vec::new();
    for from in ndarray::indices(IxDyn(small)) {
        for tap in ndarray::indices(IxDyn(&kernel[1..])) {
            let (from, tap) = (from.slice(), tap.slice());
            let group = from[1] / geometry.first;
            let mut to = vec![from[0], group * geometry.second + tap[0]];
            for axis in 0..spatial {
                let at = &geometry.axes[axis];
                let cell = from[axis + 2] * at.stride + tap[axis + 1] * at.dilation;
                match cell.checked_sub(at.padding).filter(|&cell| cell < large[axis + 2]) {
                    Some(cell) => to.push(cell),
                    None => break,
                }
            }
            if to.len() == spatial + 2 {
                let weight = [&from[1..2], tap].concat();
                found.push([from.to_vec(), to, weight]);
            }
        }
    }
    found
}

/// y = w ∗ x, of the shape `output`; its adjoint if `transposed`.
pub fn convolution(
    x: &ArrayD<f64>,
    weight: &ArrayD<f64>,
    geometry: &Convolution,
    output: &[usize],
    transposed: bool,
) -> ArrayD<f64> {
    // A missing batch axis counts as one of extent 1.
    let lead = if geometry.batch.is_some() { 0 } else { 1 };
    let batched = |shape: &[usize]| [&[1][..lead], shape].concat();
    let x = x.to_shape(batched(x.shape())).unwrap();
    let mut y = ArrayD::zeros(batched(output));
    let (small, large) = if transposed { (x.shape(), y.shape()) } else { (y.shape(), x.shape()) };
    for [narrow, wide, tap] in meetings(geometry, small, large) {
        let (from, to) = if transposed { (&narrow, &wide) } else { (&wide, &narrow) };
        y[to.as_slice()] += x[from.as_slice()] * weight[tap.as_slice()];
    }
    y.into_shape_with_order(output).unwrap()
}

/// The matrix `[outputs, inputs]` of a linear map, from its results on the unit tensors.
pub fn matrix(shape: &[usize], map: impl Fn(&ArrayD<f64>) -> ArrayD<f64>) -> ndarray::Array2<f64> {
    let count = shape.iter().product();
    let rows: usize = map(&ArrayD::zeros(shape)).len();
    let mut matrix = ndarray::Array2::zeros((rows, count));
    for at in 0..count {
        let mut unit = ArrayD::zeros(shape);
        unit.as_slice_mut().unwrap()[at] = 1.0;
        matrix.column_mut(at).assign(&ndarray::Array1::from_iter(map(&unit)));
    }
    matrix
}

/// Product over the last two axes of arrays of at least two axes; the others broadcast.
pub fn matmul(a: &ArrayD<f64>, b: &ArrayD<f64>) -> ArrayD<f64> {
    let lead = |x: &ArrayD<f64>| x.shape()[..x.ndim() - 2].to_vec();
    let (rows, inner, columns) = (a.shape()[a.ndim() - 2], a.shape()[a.ndim() - 1], b.shape()[b.ndim() - 1]);
    let shape = broadcast(&lead(a), &lead(b));
    let wide_a = a.broadcast([shape.as_slice(), &[rows, inner]].concat()).unwrap();
    let wide_b = b.broadcast([shape.as_slice(), &[inner, columns]].concat()).unwrap();
    ArrayD::from_shape_fn([shape.as_slice(), &[rows, columns]].concat(), |at| {
        let at = at.slice();
        let (lead, place) = at.split_at(shape.len());
        let term = |k: usize| {
            wide_a[[lead, &[place[0], k]].concat().as_slice()]
                * wide_b[[lead, &[k, place[1]]].concat().as_slice()]
        };
        (0..inner).map(term).sum()
    })
}

/// The shape to which two shapes broadcast.
pub fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let extent =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank).map(|axis| extent(a, axis).max(extent(b, axis))).collect()
}

/// The mean of the cells that a window sees along each axis.
pub fn averages(x: &ArrayD<f64>, windows: &[Vec<Vec<usize>>]) -> ArrayD<f64> {
    let lead = x.ndim() - windows.len();
    windows.iter().enumerate().fold(x.clone(), |x, (axis, windows)| {
        let axis = Axis(lead + axis);
        let means: Vec<ArrayD<f64>> = windows
            .iter()
            .map(|cells| x.select(axis, cells).sum_axis(axis) / cells.len().max(1) as f64)
            .collect();
        ndarray::stack(axis, &means.iter().map(|part| part.view()).collect::<Vec<_>>()).unwrap()
    })
}

/// One axis sampled at positions between its cells; cells beyond an edge are the cell at the edge.
pub fn sampled(x: &ArrayD<f64>, axis: usize, to: usize, cubic: bool, align: bool) -> ArrayD<f64> {
    let axis = Axis(axis);
    let from = x.len_of(axis);
    let samples: Vec<ArrayD<f64>> = (0..to)
        .map(|index| {
            let position = match (align, to) {
                (true, 1) => 0.0,
                (true, _) => index as f64 * (from as f64 - 1.0) / (to as f64 - 1.0),
                (false, _) => (index as f64 + 0.5) * from as f64 / to as f64 - 0.5,
            };
            let position = if cubic { position } else { position.max(0.0) };
            let weight = |cell: i64| {
                let distance = (position - cell as f64).abs();
                match (cubic, distance) {
                    (false, _) => (1.0 - distance).max(0.0),
                    // Keys' kernel with a = −¾.
                    (true, d) if d < 1.0 => 1.25 * d.powi(3) - 2.25 * d.powi(2) + 1.0,
                    (true, d) if d < 2.0 => -0.75 * (d.powi(3) - 5.0 * d.powi(2) + 8.0 * d - 4.0),
                    _ => 0.0,
                }
            };
            let near = position.floor() as i64 - 1..=position.floor() as i64 + 2;
            near.fold(ArrayD::zeros(x.index_axis(axis, 0).raw_dim()), |sum, cell| {
                sum + &x.index_axis(axis, cell.clamp(0, from as i64 - 1) as usize) * weight(cell)
            })
        })
        .collect();
    ndarray::stack(axis, &samples.iter().map(|part| part.view()).collect::<Vec<_>>()).unwrap()
}
