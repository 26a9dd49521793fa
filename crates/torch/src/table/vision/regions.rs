//! The cells of a feature map that are read, and their weights.

use dlbacktrace_core::maps::Entries;
use ndarray::ArrayD;

/// The extents of one feature map.
pub(super) struct Map {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Map {
    /// The four cells around a point, with their weights. A point that is more than a cell outside the map has none; a nearer one is
    /// moved to the edge.
    fn around(&self, y: f64, x: f64) -> Vec<(usize, f64)> {
        let (height, width) = (self.height as f64, self.width as f64);
        if y < -1.0 || y > height || x < -1.0 || x > width {
            return Vec::new();
        }
        let between = |at: f64, extent: usize| {
            let at = at.clamp(0.0, (extent - 1) as f64);
            let low = at.floor();
            [(low as usize, 1.0 - (at - low)), ((low as usize + 1).min(extent - 1), at - low)]
        };
        let (rows, columns) = (between(y, self.height), between(x, self.width));
        let cell = |(row, a): (usize, f64)| {
            columns.map(|(column, b): (usize, f64)| (row * self.width + column, a * b))
        };
        rows.into_iter().flat_map(cell).collect()
    }

    /// As [`around`](Self::around), but cells outside the map count as 0.
    fn around_or_zero(&self, y: f64, x: f64) -> Vec<(usize, f64)> {
        let (low_y, low_x) = (y.floor(), x.floor());
        let corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)];
        let cell = |(down, right): (f64, f64)| {
            let (row, column) = (low_y + down, low_x + right);
            let inside =
                row >= 0.0 && column >= 0.0 && row < self.height as f64 && column < self.width as f64;
            let weight = (1.0 - (y - row).abs()) * (1.0 - (x - column).abs());
            inside.then(|| (row as usize * self.width + column as usize, weight))
        };
        corners.into_iter().filter_map(cell).collect()
    }
}

/// Boxes in pictures, each of which is pooled to the same number of bins.
pub(super) struct Regions {
    /// The sample, then left, upper, right and lower edge.
    pub(super) boxes: Vec<[f64; 5]>,
    /// The factor from their coordinates to cells of the feature map.
    pub(super) scale: f64,
    /// Rows and columns of bins.
    pub(super) pooled: [usize; 2],
    /// The number of points along each side of a bin; 0 for the number of its cells.
    pub(super) sampling: usize,
}

/// One bin: its number, its position and its size.
struct Bin {
    region: usize,
    sample: usize,
    place: [usize; 2],
    start: [f64; 2],
    size: [f64; 2],
    points: [usize; 2],
}

impl Bin {
    /// The points sampled in it, with equal weights.
    fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let [rows, columns] = self.points;
        let at = |axis: usize, point: usize| {
            self.start[axis] + (point as f64 + 0.5) * self.size[axis] / self.points[axis] as f64
        };
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (at(0, row), at(1, column))))
    }
}

impl Regions {
    /// The bins of all regions, with edges moved by `shift` and sides of at least `least`.
    fn bins(&self, shift: f64, least: f64) -> Vec<Bin> {
        let mut bins = Vec::new();
        for (region, &[sample, left, upper, right, lower]) in self.boxes.iter().enumerate() {
            let start = [upper, left].map(|edge| edge * self.scale - shift);
            let end = [lower, right].map(|edge| edge * self.scale - shift);
            let size = [0, 1].map(|axis| (end[axis] - start[axis]).max(least) / self.pooled[axis] as f64);
            let points = size.map(|size| match self.sampling {
                0 => size.ceil().max(0.0) as usize,
                points => points,
            });
            let [rows, columns] = self.pooled;
            for place in (0..rows).flat_map(|row| (0..columns).map(move |column| [row, column])) {
                let start = [0, 1].map(|axis| start[axis] + place[axis] as f64 * size[axis]);
                bins.push(Bin { region, sample: sample.max(0.0) as usize, place, start, size, points });
            }
        }
        bins
    }

    /// Means of points between cells; rows of the result are bins, rows of the map are cells.
    pub(super) fn align(&self, map: &Map, aligned: bool) -> Entries {
        let (shift, least) = if aligned { (0.5, f64::NEG_INFINITY) } else { (0.0, 1.0) };
        let mut entries = Entries::default();
        for (to, bin) in self.bins(shift, least).iter().enumerate() {
            let count = bin.points.iter().product::<usize>().max(1) as f64;
            for (y, x) in bin.points() {
                for (cell, weight) in map.around(y, x) {
                    entries.add(to, bin.sample * map.height * map.width + cell, weight / count);
                }
            }
        }
        entries
    }

    /// For each channel of a bin, the number of the element in the result and of the first cell that it reads: bins at different
    /// places read different channels.
    fn planes<'a>(&'a self, map: &'a Map, bin: &'a Bin) -> impl Iterator<Item = (usize, usize)> + 'a {
        let [rows, columns] = self.pooled;
        let channels = map.channels / (rows * columns).max(1);
        let [row, column] = bin.place;
        (0..channels).map(move |channel| {
            let to = ((bin.region * channels + channel) * rows + row) * columns + column;
            let from = (channel * rows + row) * columns + column;
            (to, (bin.sample * map.channels + from) * map.height * map.width)
        })
    }

    /// As [`align`](Self::align), with another channel for each bin; rows are single elements.
    pub(super) fn align_by_position(&self, map: &Map) -> Entries {
        let mut entries = Entries::default();
        for bin in &self.bins(0.5, f64::NEG_INFINITY) {
            let count = bin.points.iter().product::<usize>().max(1) as f64;
            let cells: Vec<(usize, f64)> = bin.points().flat_map(|(y, x)| map.around(y, x)).collect();
            for (to, plane) in self.planes(map, bin) {
                cells.iter().for_each(|&(cell, weight)| entries.add(to, plane + cell, weight / count));
            }
        }
        entries
    }

    /// Means of the whole cells of each bin, with another channel for each bin.
    pub(super) fn pool_by_position(&self, map: &Map) -> Entries {
        let rounded = self.boxes.iter().map(|&[sample, edges @ ..]| {
            let [left, upper, right, lower] = edges.map(|edge| (edge * self.scale).round());
            [sample, left, upper, right, lower]
        });
        let whole = Self { boxes: rounded.collect(), scale: 1.0, pooled: self.pooled, sampling: 1 };
        let mut entries = Entries::default();
        for bin in &whole.bins(0.0, 1.0) {
            let [rows, columns] = [0, 1].map(|axis| {
                let limit = [map.height, map.width][axis] as f64;
                let from = bin.start[axis] - bin.place[axis] as f64 * bin.size[axis];
                let edge = |place: f64| place * bin.size[axis];
                let first = edge(bin.place[axis] as f64).floor() + from;
                let last = edge(bin.place[axis] as f64 + 1.0).ceil() + from;
                first.clamp(0.0, limit) as usize..last.clamp(0.0, limit) as usize
            });
            let count = (rows.len() * columns.len()).max(1) as f64;
            for (to, plane) in self.planes(map, bin) {
                for row in rows.clone() {
                    columns
                        .clone()
                        .for_each(|column| entries.add(to, plane + row * map.width + column, 1.0 / count));
                }
            }
        }
        entries
    }
}

/// The cells that a kernel reads.
pub(super) struct Kernel {
    pub(super) extents: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) padding: [usize; 2],
    pub(super) dilation: [usize; 2],
}

impl Kernel {
    /// What each cell of the kernel reads, displaced by `[N, groups · cells · 2, rows, columns]`. A row of the result is a sample,
    /// group, cell of the kernel and place; a row of the map is a sample, group and cell.
    pub(super) fn entries(&self, map: &Map, displacement: &ArrayD<f64>, groups: usize) -> Entries {
        let [samples, _, rows, columns] = displacement.shape() else { return Entries::default() };
        let cells = self.extents[0] * self.extents[1];
        let mut entries = Entries::default();
        let mut to = 0;
        for (sample, group) in (0..*samples).flat_map(|sample| (0..groups).map(move |group| (sample, group)))
        {
            let first = (sample * groups + group) * map.height * map.width;
            for cell in 0..cells {
                let within = [cell / self.extents[1], cell % self.extents[1]];
                for (row, column) in (0..*rows).flat_map(|row| (0..*columns).map(move |column| (row, column)))
                {
                    let at = |axis: usize| {
                        let led = displacement[[sample, 2 * (group * cells + cell) + axis, row, column]];
                        let place =
                            [row, column][axis] * self.stride[axis] + within[axis] * self.dilation[axis];
                        place as f64 - self.padding[axis] as f64 + led
                    };
                    for (from, weight) in map.around_or_zero(at(0), at(1)) {
                        entries.add(to, first + from, weight);
                    }
                    to += 1;
                }
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TorchTensor;
    use dlbacktrace_core::Tensor;
    use dlbacktrace_core::ops::SparseSum;
    use ndarray::IxDyn;

    /// The value between cells, weighted by their distances.
    fn between(map: &[f64], [height, width]: [usize; 2], y: f64, x: f64) -> f64 {
        let near = |at: f64, cell: usize| (1.0 - (at - cell as f64).abs()).max(0.0);
        (0..height * width).map(|cell| map[cell] * near(y, cell / width) * near(x, cell % width)).sum()
    }

    fn numbers(count: usize) -> Vec<f64> {
        (0..count).map(|i| ((i * 37 + 11) % 23) as f64 / 7.0 - 1.5).collect()
    }

    fn applied(entries: Entries, rows: usize, x: &[f64], columns: usize) -> Vec<f64> {
        let x = tch::Tensor::from_slice(x).reshape([-1, columns as i64]);
        let y = SparseSum { entries, rows }.of(&TorchTensor::from(x)).expect("rows that there are");
        y.to_array().expect("numbers").into_iter().collect()
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (at, (a, b)) in found.iter().zip(expected).enumerate() {
            assert!((a - b).abs() < 1e-9, "at {at}: {a}, expected {b}");
        }
    }

    fn regions(sampling: usize) -> Regions {
        let boxes = vec![[0.0, 1.0, 2.0, 9.0, 7.5], [1.0, 4.0, 0.5, 13.0, 12.0]];
        Regions { boxes, scale: 0.5, pooled: [2, 3], sampling }
    }

    #[test]
    fn regions_are_means_of_points_between_cells() {
        let (map, extents) = (Map { channels: 6, height: 7, width: 8 }, [7, 8]);
        let x = numbers(2 * 56);
        for sampling in [0, 2] {
            let regions = regions(sampling);
            let mut expected = Vec::new();
            for &[sample, left, upper, right, lower] in &regions.boxes {
                let plane = &x[56 * sample as usize..];
                let (high, wide) = ((lower - upper) / 4.0, (right - left) / 6.0);
                let count = |size: f64| if sampling == 0 { size.ceil() as usize } else { sampling };
                for bin in 0..6 {
                    let (top, side) = (
                        upper / 2.0 - 0.5 + (bin / 3) as f64 * high,
                        left / 2.0 - 0.5 + (bin % 3) as f64 * wide,
                    );
                    let (m, n) = (count(high), count(wide));
                    let sum: f64 = (0..m * n)
                        .map(|point| {
                            let y = top + ((point / n) as f64 + 0.5) * high / m as f64;
                            let x = side + ((point % n) as f64 + 0.5) * wide / n as f64;
                            between(plane, extents, y.max(0.0), x.max(0.0))
                        })
                        .sum();
                    expected.push(sum / (m * n) as f64);
                }
            }
            assert_close(&applied(regions.align(&map, true), 12, &x, 1), &expected);
        }
    }

    #[test]
    fn bins_read_channels_of_their_own() {
        let map = Map { channels: 6, height: 7, width: 8 };
        let x = numbers(2 * 6 * 56);
        let whole = regions(2).align(&map, true);
        let found = applied(regions(2).align_by_position(&map), 12, &x, 1);
        for channel in 0..6 {
            // The bin at the channel's place must equal that bin of the channel alone.
            let planes: Vec<f64> =
                (0..2).flat_map(|sample| x[(sample * 6 + channel) * 56..][..56].to_vec()).collect();
            let of_channel = applied(whole.clone(), 12, &planes, 1);
            assert_close(
                &[found[channel], found[6 + channel]],
                &[of_channel[channel], of_channel[6 + channel]],
            );
        }
    }

    #[test]
    fn pooled_bins_are_means_of_whole_cells() {
        let map = Map { channels: 2, height: 4, width: 4 };
        let x = numbers(32);
        let regions =
            Regions { boxes: vec![[0.0, 0.0, 0.0, 4.0, 3.0]], scale: 1.0, pooled: [1, 2], sampling: 0 };
        let mean = |plane: usize, columns: std::ops::Range<usize>| {
            let cells =
                (0..3).flat_map(|row| columns.clone().map(move |column| 16 * plane + 4 * row + column));
            cells.map(|cell| x[cell]).sum::<f64>() / 6.0
        };
        let found = applied(regions.pool_by_position(&map), 2, &x, 1);
        assert_close(&found, &[mean(0, 0..2), mean(1, 2..4)]);
    }

    #[test]
    fn a_kernel_reads_where_displacements_lead() {
        let (map, extents) = (Map { channels: 2, height: 4, width: 5 }, [4, 5]);
        let kernel = Kernel { extents: [2, 2], stride: [2, 1], padding: [1, 0], dilation: [1, 2] };
        let (rows, columns) = (2, 3);
        let led = ArrayD::from_shape_vec(IxDyn(&[1, 8, rows, columns]), numbers(48)).expect("48 numbers");
        let x = numbers(20);
        let mut expected = Vec::new();
        for cell in 0..4 {
            for place in 0..rows * columns {
                let (row, column) = (place / columns, place % columns);
                let y = (row * 2 + cell / 2) as f64 - 1.0 + led[[0, 2 * cell, row, column]];
                let x_at = (column + cell % 2 * 2) as f64 + led[[0, 2 * cell + 1, row, column]];
                expected.push(between(&x, extents, y, x_at));
            }
        }
        assert_close(&applied(kernel.entries(&map, &led, 1), 24, &x, 1), &expected);
    }
}
