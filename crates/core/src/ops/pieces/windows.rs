//! The cells that the windows of a pooling see.

use crate::{Error, Range, Result};

/// A regular part of what the windows along one axis see: the i-th of `windows` sees the i-th of `cells`, or a single window
/// sees all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) struct WindowSpan {
    pub(in crate::ops) cells: Range,
    pub(in crate::ops) windows: Range,
}

/// Windows that slide along one axis. Window `o` sees those of the cells `o·stride − padding + k·dilation`, k < `kernel`, that
/// exist.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Sliding {
    pub(in crate::ops) kernel: usize,
    pub(in crate::ops) stride: usize,
    pub(in crate::ops) padding: usize,
    pub(in crate::ops) dilation: usize,
}

impl Sliding {
    /// What `windows` windows see of `extent` cells, in as few parts as possible: one for each cell of the kernel, or one for each
    /// window.
    pub(in crate::ops) fn sights(&self, extent: usize, windows: usize) -> Result<Vec<WindowSpan>> {
        let Self { kernel, stride, padding, dilation } = *self;
        if stride == 0 || dilation == 0 {
            return Err(Error::Uncovered(format!(
                "windows need a stride and a dilation of at least 1: {self:?}"
            )));
        }
        let sights: Vec<Option<WindowSpan>> = if kernel <= windows {
            let at = |place| {
                let (skipped, cells) = inside(place * dilation, padding, stride, windows, extent)?;
                Some(WindowSpan { cells, windows: Range::span(skipped, cells.len) })
            };
            (0..kernel).map(at).collect()
        } else {
            let of = |window| {
                let (_, cells) = inside(window * stride, padding, dilation, kernel, extent)?;
                Some(WindowSpan { cells, windows: Range::span(window, 1) })
            };
            (0..windows).map(of).collect()
        };
        Ok(sights.into_iter().flatten().collect())
    }
}

/// Those of the `count` terms `first − padding`, `first − padding + step`, … that lie in `0..extent`, and the number of terms
/// before them.
fn inside(first: usize, padding: usize, step: usize, count: usize, extent: usize) -> Option<(usize, Range)> {
    let skipped = padding.saturating_sub(first).div_ceil(step);
    let start = first + skipped * step - padding;
    let fitting = extent.checked_sub(start)?.div_ceil(step);
    let len = fitting.min(count.checked_sub(skipped)?);
    (len > 0).then_some((skipped, Range { start, len, step }))
}

/// What `windows` windows see that divide `extent` cells among them: window `o` sees the cells from ⌊o·extent/windows⌋ to
/// below ⌈(o+1)·extent/windows⌉.
pub(in crate::ops) fn adaptive(extent: usize, windows: usize) -> Result<Vec<WindowSpan>> {
    if windows > 0 && extent.is_multiple_of(windows) {
        let kernel = extent / windows;
        return Sliding { kernel, stride: kernel.max(1), padding: 0, dilation: 1 }.sights(extent, windows);
    }
    let sight = |window: usize| {
        let start = window * extent / windows;
        let end = ((window + 1) * extent).div_ceil(windows);
        WindowSpan { cells: Range::span(start, end - start), windows: Range::span(window, 1) }
    };
    Ok((0..windows).map(sight).collect())
}

/// The cells that each window sees.
pub(in crate::ops) fn cells_of_windows(sights: &[WindowSpan], windows: usize) -> Vec<Vec<usize>> {
    let mut cells = vec![Vec::new(); windows];
    for sight in sights {
        for index in 0..sight.cells.len {
            let window = sight.windows.start + index.min(sight.windows.len - 1);
            cells[window].push(sight.cells.start + index * sight.cells.step);
        }
    }
    cells
}

/// The extents of the last axes of an input and an output: one pair for each of `spatial` axes.
pub(in crate::ops) fn extents(
    input: &[usize],
    output: &[usize],
    spatial: usize,
) -> Result<Vec<(usize, usize, usize)>> {
    let lead = input.len().checked_sub(spatial).filter(|_| input.len() == output.len());
    let lead = lead.filter(|&lead| input[..lead] == output[..lead]).ok_or_else(|| {
        Error::Uncovered(format!(
            "shapes {input:?} and {output:?} differ in more than the last {spatial} axes"
        ))
    })?;
    Ok((lead..input.len()).map(|axis| (axis, input[axis], output[axis])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(sights: &[WindowSpan], windows: usize) -> Vec<Vec<usize>> {
        let mut cells = cells_of_windows(sights, windows);
        cells.iter_mut().for_each(|cells| cells.sort_unstable());
        cells
    }

    proptest! {
        #[test]
        fn sliding_windows_see_the_cells_their_formula_names(
            kernel in 1_usize..6, stride in 1_usize..5, padding in 0_usize..4, dilation in 1_usize..4,
            extent in 0_usize..9, windows in 0_usize..7,
        ) {
            let sights = Sliding { kernel, stride, padding, dilation }.sights(extent, windows).unwrap();
            let expected: Vec<Vec<usize>> = (0..windows)
                .map(|window| {
                    (0..kernel)
                        .filter_map(|place| (window * stride + place * dilation).checked_sub(padding))
                        .filter(|&cell| cell < extent)
                        .collect()
                })
                .collect();
            prop_assert_eq!(sorted(&sights, windows), expected);
            prop_assert!(sights.len() <= kernel.min(windows));
        }

        #[test]
        fn adaptive_windows_see_the_cells_their_formula_names(extent in 0_usize..12, windows in 0_usize..12) {
            let expected: Vec<Vec<usize>> = (0..windows)
                .map(|window| (window * extent / windows..((window + 1) * extent).div_ceil(windows)).collect())
                .collect();
            prop_assert_eq!(sorted(&adaptive(extent, windows).unwrap(), windows), expected);
        }
    }

    #[test]
    fn windows_that_stand_still_are_refused() {
        let still = Sliding { kernel: 1, stride: 0, padding: 0, dilation: 1 };
        assert!(matches!(still.sights(1, 1), Err(Error::Uncovered(_))));
    }

    #[test]
    fn shapes_differ_in_the_last_axes_only() {
        assert_eq!(extents(&[2, 5, 6], &[2, 3, 4], 2).unwrap(), [(1, 5, 3), (2, 6, 4)]);
        for (input, output) in [(&[2, 5][..], &[3, 5][..]), (&[2, 5], &[5]), (&[], &[])] {
            assert!(matches!(extents(input, output, 1), Err(Error::Uncovered(_))));
        }
    }
}
