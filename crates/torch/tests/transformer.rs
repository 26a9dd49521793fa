//! The fast paths of torch's transformer modules against their parts called one by one.

use dlbacktrace_core::Mode;
use dlbacktrace_torch::Input::{self, Bool, Float, Int, None as Nothing};
use tch::{Kind, Tensor};
use testkit_torch::operators::{assert_equal, explain, numbers, result, tensor};

const WIDTH: i64 = 6;
const HEADS: i64 = 2;
const LENGTH: i64 = 4;

struct Weights {
    packed: Tensor,
    packed_bias: Tensor,
    out: Tensor,
    out_bias: Tensor,
}

impl Weights {
    fn new() -> Self {
        Self {
            packed: numbers(&[3 * WIDTH, WIDTH], 1),
            packed_bias: numbers(&[3 * WIDTH], 2),
            out: numbers(&[WIDTH, WIDTH], 3),
            out_bias: numbers(&[WIDTH], 4),
        }
    }

    fn inputs(&self) -> [Input; 4] {
        [&self.packed, &self.packed_bias, &self.out, &self.out_bias].map(tensor)
    }

    /// The outputs, and the attention map before averaging.
    fn written_out(&self, [q, k, v]: [&Tensor; 3], hidden: Option<&Tensor>) -> (Tensor, Tensor) {
        let heads = |x: &Tensor, index: i64| {
            let weight = self.packed.narrow(0, index * WIDTH, WIDTH);
            let bias = self.packed_bias.narrow(0, index * WIDTH, WIDTH);
            x.linear(&weight, Some(&bias)).unflatten(-1, [HEADS, WIDTH / HEADS]).transpose(1, 2)
        };
        let scores = heads(q, 0).matmul(&heads(k, 1).transpose(-2, -1)) / ((WIDTH / HEADS) as f64).sqrt();
        let scores = match hidden {
            Some(hidden) => scores.masked_fill(hidden, f64::NEG_INFINITY),
            None => scores,
        };
        let map = scores.softmax(-1, None::<Kind>);
        let mixed = map.matmul(&heads(v, 2)).transpose(1, 2).flatten(2, 3);
        (mixed.linear(&self.out, Some(&self.out_bias)), map)
    }
}

#[track_caller]
fn check_twin(name: &str, x: &Tensor, fast: &dyn Fn() -> Tensor, slow: &dyn Fn() -> Tensor) {
    assert_equal(&fast(), &slow(), name);
    let start = numbers(&slow().size(), 9);
    for mode in [Mode::Default, Mode::Contrastive] {
        let found = explain(x, &start, mode, fast).unwrap();
        let expected = explain(x, &start, mode, slow).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert_equal(found, expected, name);
        }
    }
}

/// The masks of each type, and the same for `[N, heads, T, T]`.
fn masks() -> Vec<(i64, Tensor, Tensor)> {
    let future = Tensor::ones([LENGTH, LENGTH], (Kind::Bool, tch::Device::Cpu)).triu(1);
    let padding =
        Tensor::from_slice(&[false, false, false, true, false, false, false, false]).reshape([2, LENGTH]);
    let both =
        future.logical_or(&padding.reshape([2, 1, 1, LENGTH])).expand([2, HEADS, LENGTH, LENGTH], false);
    vec![
        (0, future.shallow_clone(), future),
        (1, padding.shallow_clone(), padding.reshape([2, 1, 1, LENGTH])),
        (2, both.contiguous(), both),
    ]
}

fn attention(
    weights: &Weights,
    sources: [&Tensor; 3],
    mask: Option<(i64, &Tensor)>,
    map: Option<bool>,
) -> Tensor {
    let mut arguments: Vec<Input> = sources.map(tensor).into();
    arguments.extend([Int(WIDTH), Int(HEADS)]);
    arguments.extend(weights.inputs());
    arguments.push(mask.map_or(Nothing, |(_, mask)| tensor(mask)));
    arguments.extend([Bool(map.is_some()), Bool(map.unwrap_or(true))]);
    arguments.push(mask.map_or(Nothing, |(kind, _)| Int(kind)));
    result("aten::_native_multi_head_attention", "", arguments, usize::from(map.is_some()))
}

#[test]
fn attention_of_itself_is_its_parts() {
    let (x, weights) = (numbers(&[2, LENGTH, WIDTH], 5), Weights::new());
    let itself = [&x, &x, &x];
    check_twin("plain", &x, &|| attention(&weights, itself, None, None), &|| {
        weights.written_out(itself, None).0
    });
    for (kind, mask, hidden) in masks() {
        check_twin(
            &format!("mask of type {kind}"),
            &x,
            &|| attention(&weights, itself, Some((kind, &mask)), None),
            &|| weights.written_out(itself, Some(&hidden)).0,
        );
    }
}

#[test]
fn attention_of_other_values_is_its_parts() {
    let (x, weights) = (numbers(&[2, LENGTH, WIDTH], 5), Weights::new());
    check_twin(
        "three sources",
        &x,
        &|| attention(&weights, [&x, &x.flip([1]), &x.flip([2])], None, None),
        &|| weights.written_out([&x, &x.flip([1]), &x.flip([2])], None).0,
    );
    let memory = numbers(&[2, LENGTH, WIDTH], 6);
    check_twin(
        "constant keys and values",
        &x,
        &|| attention(&weights, [&x, &memory, &memory], None, None),
        &|| weights.written_out([&x, &memory, &memory], None).0,
    );
}

#[test]
fn the_attention_map_is_explained_too() {
    let (x, weights) = (numbers(&[2, LENGTH, WIDTH], 5), Weights::new());
    let (_, mask, hidden) = masks().swap_remove(0);
    check_twin("averaged", &x, &|| attention(&weights, [&x, &x, &x], Some((0, &mask)), Some(true)), &|| {
        weights.written_out([&x, &x, &x], Some(&hidden)).1.mean_dim([1].as_slice(), false, Kind::Double)
    });
    check_twin("head by head", &x, &|| attention(&weights, [&x, &x, &x], None, Some(false)), &|| {
        weights.written_out([&x, &x, &x], None).1
    });
}

/// The parameters of an encoder layer.
struct Layer {
    attention: Weights,
    norms: [Tensor; 4],
    wide: [Tensor; 2],
    narrow: [Tensor; 2],
}

impl Layer {
    fn new() -> Self {
        Self {
            attention: Weights::new(),
            norms: [6, 7, 8, 9].map(|seed| numbers(&[WIDTH], seed) + 1.5),
            wide: [numbers(&[10, WIDTH], 10), numbers(&[10], 11)],
            narrow: [numbers(&[WIDTH, 10], 12), numbers(&[WIDTH], 13)],
        }
    }

    fn fast(&self, x: &Tensor, gelu: bool, norm_first: bool, mask: Option<&Tensor>) -> Tensor {
        let mut arguments = vec![tensor(x), Int(WIDTH), Int(HEADS)];
        arguments.extend(self.attention.inputs());
        arguments.extend([Bool(gelu), Bool(norm_first), Float(1e-5)]);
        arguments.extend(self.norms.iter().chain(&self.wide).chain(&self.narrow).map(tensor));
        arguments.extend(mask.map_or([Nothing, Nothing], |mask| [tensor(mask), Int(1)]));
        result("aten::_transformer_encoder_layer_fwd", "", arguments, 0)
    }

    fn slow(&self, x: &Tensor, gelu: bool, norm_first: bool, hidden: &Tensor) -> Tensor {
        let norm = |x: &Tensor, index: usize| {
            x.layer_norm([WIDTH], Some(&self.norms[index]), Some(&self.norms[index + 1]), 1e-5, false)
        };
        let attend = |x: &Tensor| self.attention.written_out([x, x, x], Some(hidden)).0;
        let feed = |x: &Tensor| {
            let y = x.linear(&self.wide[0], Some(&self.wide[1]));
            let y = if gelu { y.gelu("none") } else { y.relu() };
            y.linear(&self.narrow[0], Some(&self.narrow[1]))
        };
        if norm_first {
            let middle = x + attend(&norm(x, 0));
            &middle + feed(&norm(&middle, 2))
        } else {
            let middle = norm(&(x + attend(x)), 0);
            norm(&(&middle + feed(&middle)), 2)
        }
    }
}

#[test]
fn an_encoder_layer_is_its_parts() {
    let (x, layer) = (numbers(&[2, LENGTH, WIDTH], 5), Layer::new());
    let (_, mask, hidden) = masks().swap_remove(1);
    for (gelu, norm_first) in [(false, false), (true, false), (false, true), (true, true)] {
        check_twin(
            &format!("gelu {gelu}, norm first {norm_first}"),
            &x,
            &|| layer.fast(&x, gelu, norm_first, Some(&mask)),
            &|| layer.slow(&x, gelu, norm_first, &hidden),
        );
    }
}

#[test]
fn samples_of_unequal_length_are_padded_ones() {
    let (x, layer) = (numbers(&[2, LENGTH, WIDTH], 5), Layer::new());
    // No sample is as long as the tensor.
    let lengths = Tensor::from_slice(&[3_i64, 2]).unsqueeze(1);
    let kept = Tensor::arange(LENGTH, tch::kind::INT64_CPU).less_tensor(&lengths);
    let missing = kept.logical_not();
    check_twin(
        "nested",
        &x,
        &|| {
            let nested = result("aten::_nested_tensor_from_mask", "", vec![tensor(&x), tensor(&kept)], 0);
            let nested = layer.fast(&layer.fast(&nested, false, false, None), false, false, None);
            let size = Input::List([2, LENGTH, WIDTH].map(Int).into());
            result("aten::to_padded_tensor", "", vec![tensor(&nested), Float(0.0), size], 0)
        },
        &|| {
            let y = layer.fast(&x, false, false, Some(&missing));
            let y = layer.fast(&y, false, false, Some(&missing));
            y.masked_fill(&missing.unsqueeze(-1), 0.0)
        },
    );
}
