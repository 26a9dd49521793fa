//! A layer that is written with movement around it has the bias, gate and relevance of the layer (rules, "Gates").

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{ChannelsLast, Convolution, Pad, Permute, Rearrange};
use dlbacktrace_core::{ConvGeometry, DType, Function, Gate, Loss, Tensor, Turn, ValueId};
use ndarray::{ArrayD, Dimension, IxDyn};
use proptest::prelude::*;
use testkit::net::Net;

/// Pads a value and takes its cells apart as samples, and the reverse. Each axis behind the first has a size of blocks,
/// and cells before and after.
struct Blocks {
    blocks: Vec<usize>,
    sides: Vec<(usize, usize)>,
}

impl Blocks {
    fn shapes(&self, whole: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let mut wide = whole.to_vec();
        let mut apart = whole.to_vec();
        for (axis, (block, (before, after))) in self.blocks.iter().zip(&self.sides).enumerate() {
            wide[axis + 1] += before + after;
            apart[axis + 1] = wide[axis + 1] / block;
            apart[0] *= block;
        }
        (wide, apart)
    }

    /// The place in the whole of a cell that was taken apart; `None` for padding.
    fn place(&self, cell: &[usize], whole: &[usize]) -> Option<Vec<usize>> {
        let (mut start, mut place) = (cell[0] / whole[0], cell.to_vec());
        place[0] = cell[0] % whole[0];
        for (axis, block) in self.blocks.iter().enumerate().rev() {
            let wide = cell[axis + 1] * block + start % block;
            start /= block;
            place[axis + 1] = wide.checked_sub(self.sides[axis].0).filter(|&at| at < whole[axis + 1])?;
        }
        Some(place)
    }

    fn turn(&self, apart: bool) -> Option<Turn> {
        Some(Turn::Blocks { blocks: self.blocks.clone(), apart })
    }

    fn take_apart(&self, net: &mut Net, x: ValueId) -> ValueId {
        let data = net.data(x).clone();
        let whole = data.shape().to_vec();
        let (_, apart) = self.shapes(&whole);
        let numbers = ArrayD::from_shape_vec(whole.clone(), (0..data.len() as i64).collect()).unwrap();
        let cells = || ndarray::indices(IxDyn(&apart)).into_iter();
        let number = |cell: IxDyn| self.place(cell.as_array_view().as_slice().unwrap(), &whole);
        let indices: Vec<i64> = cells().map(|cell| number(cell).map_or(-1, |at| numbers[&at[..]])).collect();
        let moved: Vec<f64> = cells().map(|cell| number(cell).map_or(0.0, |at| data[&at[..]])).collect();
        let op = Rearrange { turn: self.turn(true), ..Rearrange::new(Array::ints(&apart, &indices)) };
        net.step(op, &[x], ArrayD::from_shape_vec(apart, moved).unwrap(), DType::F64)
    }

    /// Gives the shape `whole`: the sides are cropped.
    fn put_together(&self, net: &mut Net, x: ValueId, whole: &[usize]) -> ValueId {
        let data = net.data(x).clone();
        let mut indices = ArrayD::from_elem(whole, -1_i64);
        let mut moved = ArrayD::zeros(whole);
        for (number, (cell, value)) in data.indexed_iter().enumerate() {
            if let Some(at) = self.place(cell.as_array_view().as_slice().unwrap(), whole) {
                indices[&at[..]] = number as i64;
                moved[&at[..]] = *value;
            }
        }
        let indices: Vec<i64> = indices.into_iter().collect();
        let op = Rearrange { turn: self.turn(false), ..Rearrange::new(Array::ints(whole, &indices)) };
        net.step(op, &[x], moved, DType::F64)
    }
}

fn geometry(dilation: &[usize], padding: &[usize]) -> ConvGeometry {
    let rank = dilation.len();
    ConvGeometry { stride: vec![1; rank], padding: padding.to_vec(), dilation: dilation.to_vec(), groups: 1 }
}

fn first(rank: usize) -> Vec<usize> {
    [0, rank - 1].into_iter().chain(1..rank - 1).collect()
}

fn last(rank: usize) -> Vec<usize> {
    [0].into_iter().chain(2..rank).chain([1]).collect()
}

/// A convolution of a value whose channels are last.
fn convolve(net: &mut Net, x: ValueId, weight: ValueId, geometry: ConvGeometry) -> ValueId {
    let rank = net.data(x).ndim();
    let turned = Array::new(net.data(x).clone()).permute(&first(rank)).unwrap();
    let result = turned.convolve(&Array::new(net.data(weight).clone()), &geometry).unwrap();
    let result = result.permute(&last(rank)).unwrap().to_array().unwrap();
    net.step(ChannelsLast::new(Convolution { geometry }), &[x, weight], result, DType::F64)
}

fn permuted(net: &mut Net, x: ValueId, order: Vec<usize>) -> ValueId {
    let result = Array::new(net.data(x).clone()).permute(&order).unwrap().to_array().unwrap();
    net.step(Permute { order }, &[x], result, DType::F64)
}

/// Builds the layer without its bias from x and the weight.
type Form<'a> = &'a dyn Fn(&mut Net, ValueId, ValueId) -> ValueId;

/// What x receives, and what is lost, when a bias and tanh follow the layer.
fn relevance(
    form: Form,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    contrastive: bool,
) -> Vec<f64> {
    let mut net = Net::new();
    let (x, weight) = (net.input(x), net.constant(weight));
    let bias = bias.map(|shape| net.constant(shape));
    let mut y = form(&mut net, x, weight);
    if let Some(bias) = bias {
        y = net.add(y, bias);
    }
    let y = net.tanh(y);
    net.returns(y);
    let start = net.relevance(y, contrastive);
    let walked = net.explain(y, start).unwrap();
    let losses = walked.ledger.losses();
    assert!(!losses.contains_key(&Loss::Constant), "{losses:?}");
    assert_eq!(losses.contains_key(&Loss::Bias), bias.is_some() && !contrastive, "{losses:?}");
    let share = walked.inputs[0].clone().unwrap();
    let channels = [Some(share.first()), share.second()];
    channels.into_iter().flatten().flat_map(|channel| channel.to_array().unwrap()).collect()
}

/// Both forms give the same, with and without a bias, in both modes.
#[track_caller]
fn agree(a: Form, b: Form, shapes: [&[usize]; 2], biases: [&[usize]; 2], may_be_nothing: bool) {
    let [x, weight] = shapes;
    let [bias, other_bias] = biases;
    for contrastive in [false, true] {
        for (bias, other) in [(None, None), (Some(bias), Some(other_bias))] {
            let (a, b) =
                (relevance(a, x, weight, bias, contrastive), relevance(b, x, weight, other, contrastive));
            // A window of few cells may see nothing but padding.
            assert!(may_be_nothing || a.iter().any(|&value| value != 0.0));
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 1e-12, "{a} and {b}, contrastive: {contrastive}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_convolution_of_places_apart_is_one_with_dilation(
        axes in prop::collection::vec((1_usize..4, 1_usize..4, 1_usize..4, 0_usize..4), 1..4)
    ) {
        // For each axis: kernel, distance, places of the result, cells padded at both sides.
        let extents = axes.iter().map(|&(kernel, distance, places, padding)| {
            let wide = places + (kernel - 1) * distance;
            let padding = padding.min(((kernel - 1) * distance) / 2).min((wide - 1) / 2);
            (wide - 2 * padding, padding)
        });
        let (cells, padding): (Vec<usize>, Vec<usize>) = extents.unzip();
        let dilation: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
        let x = [&[2], &cells[..], &[3]].concat();
        let kernel: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
        let weight = [&[2, 3], &kernel[..]].concat();
        let whole = |net: &mut Net, x, weight| convolve(net, x, weight, geometry(&dilation, &padding));
        let apart = |net: &mut Net, x: ValueId, weight| {
            let padded = cells.iter().zip(&padding).zip(&dilation);
            let sides = padded.map(|((cells, padding), block)| {
                let wide: usize = cells + 2 * padding;
                (*padding, padding + wide.next_multiple_of(*block) - wide)
            });
            let blocks = Blocks { blocks: dilation.clone(), sides: sides.collect() };
            let taken = blocks.take_apart(net, x);
            let convolved = convolve(net, taken, weight, geometry(&vec![1; cells.len()], &vec![0; cells.len()]));
            // The additional cells are cropped at the end.
            let crops = Blocks { sides: vec![(0, 0); cells.len()], ..blocks };
            let places: Vec<usize> = axes.iter().map(|axis| axis.2).collect();
            crops.put_together(net, convolved, &[&[2], &places[..], &[2]].concat())
        };
        agree(&whole, &apart, [&x, &weight], [&[2], &[2]], true);
    }
}

#[test]
fn a_convolution_between_turned_axes_is_one_with_its_channels_elsewhere() {
    let plain = |net: &mut Net, x: ValueId, weight| {
        let turned = Array::new(net.data(x).clone());
        let geometry = geometry(&[1, 1], &[1, 1]);
        let result = turned.convolve(&Array::new(net.data(weight).clone()), &geometry).unwrap();
        net.step(Convolution { geometry }, &[x, weight], result.to_array().unwrap(), DType::F64)
    };
    // Padding stands between, as in models translated from another framework.
    let turned = |net: &mut Net, x, weight| {
        let x = permuted(net, x, last(4));
        let (before, after) = (vec![0, 1, 1, 0], vec![0, 1, 1, 0]);
        let mut wide = ArrayD::zeros(vec![2, 6, 7, 3]);
        wide.slice_mut(ndarray::s![.., 1..5, 1..6, ..]).assign(net.data(x));
        let x = net.step(Pad { before, after }, &[x], wide.into_dyn(), DType::F64);
        let y = convolve(net, x, weight, geometry(&[1, 1], &[0, 0]));
        permuted(net, y, first(4))
    };
    for bias in [&[2, 1, 1][..], &[1, 2, 1, 1]] {
        agree(&plain, &turned, [&[2, 3, 4, 5], &[2, 3, 3, 3]], [&[2, 1, 1], bias], false);
    }
}

#[test]
fn a_convolution_with_one_more_axis_is_one_of_fewer() {
    let plain = |net: &mut Net, x, weight: ValueId| convolve(net, x, weight, geometry(&[1], &[0]));
    let raised = |net: &mut Net, x, weight: ValueId| {
        let x = net.reshape(x, &[4, 1, 5, 4]);
        let kernel = net.data(weight).to_shape(vec![2, 4, 1, 3]).unwrap().to_owned();
        let kernel = net.number(kernel);
        let y = convolve(net, x, kernel, geometry(&[1, 1], &[0, 0]));
        net.reshape(y, &[4, 3, 2])
    };
    agree(&plain, &raised, [&[4, 5, 4], &[2, 4, 3]], [&[2], &[2]], false);
}

#[test]
fn movement_that_is_not_taken_back_stands_between() {
    let gate = |form: Form| {
        let mut net = Net::new();
        let (x, weight) = (net.input(&[2, 4, 3, 3]), net.constant(&[2, 3, 1, 1]));
        let y = form(&mut net, x, weight);
        let y = net.tanh(y);
        net.returns(y);
        let steps = net.prepared(&PrepareOptions::default());
        steps.steps().iter().find_map(|step| step.gate)
    };
    let convolve = |net: &mut Net, x, weight| convolve(net, x, weight, geometry(&[1, 1], &[0, 0]));
    let swap = || vec![0, 2, 1, 3];
    let both = |net: &mut Net, x, weight| {
        let x = permuted(net, x, swap());
        let y = convolve(net, x, weight);
        permuted(net, y, swap())
    };
    assert_eq!(gate(&both), Gate::of(Function::Tanh));
    let behind = |net: &mut Net, x, weight| {
        let y = convolve(net, x, weight);
        permuted(net, y, swap())
    };
    assert_eq!(gate(&behind), None);
    let another = |net: &mut Net, x, weight| {
        let x = permuted(net, x, swap());
        let y = convolve(net, x, weight);
        permuted(net, y, first(4))
    };
    assert_eq!(gate(&another), None);
}
