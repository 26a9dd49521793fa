//! Transformers of the transformers library, traced by `python_shims/trace_hf.py`: full coverage, closed accounts,
//! batches with padding, causality, one operator against its written-out form, and depth.

use dlbacktrace::torch::{self, Computation};
use dlbacktrace::{Amount, Explanation, Inputs, Loss, Mode, Model, ModuleRelevance, Options, Target};
use ndarray::{ArrayD, Axis, Slice};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use tch::{Device, Kind, Tensor};
use testkit_torch::fixtures::{agree, channels};

const MODES: [Mode; 2] = [Mode::Default, Mode::Contrastive];
const CASES: [&str; 3] = ["short", "long", "padded"];

#[derive(Debug, Deserialize)]
struct Language {
    name: String,
    task: String,
    equals: Option<String>,
    arguments: Vec<String>,
}

fn all() -> Vec<Language> {
    let index = fs::read_to_string("tests/models/index.json").unwrap();
    serde_json::from_str(&index).unwrap()
}

impl Language {
    fn model(&self) -> Model {
        Model::load(format!("tests/models/{}.pt", self.name)).unwrap()
    }

    fn tensors(&self) -> BTreeMap<String, Tensor> {
        let path = format!("tests/models/{}.safetensors", self.name);
        Tensor::read_safetensors(path).unwrap().into_iter().collect()
    }

    /// The inputs of a case, in order.
    fn inputs(&self, case: &str) -> Vec<Tensor> {
        let tensors = self.tensors();
        self.arguments.iter().map(|name| tensors[&format!("{case}:{name}")].shallow_clone()).collect()
    }

    /// The shape of the output that is explained.
    fn output(&self, case: &str) -> Vec<usize> {
        let size = self.tensors()[&format!("{case}:output:0")].size();
        size.into_iter().map(|extent| extent as usize).collect()
    }

    fn is_causal(&self) -> bool {
        self.task == "causal"
    }
}

fn given(tensors: &[Tensor]) -> Inputs {
    tensors.iter().fold(Inputs::new(), |inputs, tensor| inputs.push(tensor.shallow_clone()))
}

/// Numbers of both signs, the same at every run.
fn start(shape: &[usize]) -> ArrayD<f64> {
    let mut count = 0_usize;
    ArrayD::from_shape_simple_fn(shape, || {
        count += 1;
        ((count * 37 % 101) as f64 - 50.0) / 50.0
    })
}

/// Options with a start for either mode.
fn options(mode: Mode, seed: &ArrayD<f64>) -> Options {
    Options::new().mode(mode).start(seed.clone()).negative_start(seed * 0.5)
}

fn report(problems: Vec<String>) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What is wrong with an account.
fn problem(explanation: &Explanation) -> Option<String> {
    if explanation.coverage() < 1.0 {
        return Some(format!("coverage {}: {:?}", explanation.coverage(), explanation.operators()));
    }
    if !explanation.ledger().closes() {
        return Some(format!("{:?}", explanation.warnings()));
    }
    let arrived: Amount = explanation.inputs().iter().map(|input| input.amount()).sum();
    let lost: Amount = explanation.ledger().losses().into_values().sum();
    let gap = (explanation.start_amount() - arrived - lost).magnitude();
    let gross = |channel: &Tensor| channel.abs().sum(Kind::Double).double_value(&[]);
    let moved = channels(explanation).iter().map(gross).sum::<f64>() + explanation.start_amount().magnitude();
    (gap.is_nan() || gap > 1e-3 * moved).then(|| format!("{gap} of {moved} is not accounted for"))
}

#[test]
fn all_are_explained() {
    let mut problems = Vec::new();
    for language in all() {
        let model = language.model();
        for case in CASES {
            for mode in MODES {
                let target = if mode == Mode::Default { Target::AllOutputs } else { Target::Argmax };
                let explained =
                    model.explain(&given(&language.inputs(case)), &Options::new().mode(mode).target(target));
                let problem = match &explained {
                    Ok(explanation) => problem(explanation),
                    Err(error) => Some(error.to_string()),
                };
                problems.extend(problem.map(|text| format!("{}, {case}, {mode:?}: {text}", language.name)));
            }
        }
    }
    report(problems);
}

#[test]
fn outputs_are_those_of_the_library() {
    for language in all() {
        let model = language.model();
        for case in CASES {
            let expected = &language.tensors()[&format!("{case}:output:0")];
            let explanation = model.explain(&given(&language.inputs(case)), &Options::new()).unwrap();
            let output: Vec<f64> = explanation.output().into_iter().collect();
            let output = Tensor::from_slice(&output).reshape(expected.size());
            assert!(agree(&output, expected, 1e-5), "{}, {case}", language.name);
        }
    }
}

#[test]
fn in_another_form_relevance_is_the_same() {
    let (mut problems, mut pairs) = (Vec::new(), 0);
    for language in all() {
        let Some(twin) = &language.equals else { continue };
        let twin = all().into_iter().find(|other| other.name == *twin).unwrap();
        pairs += 1;
        for case in CASES {
            let seed = start(&language.output(case));
            for mode in MODES {
                let of = |language: &Language| {
                    let model = language.model();
                    channels(&model.explain(&given(&language.inputs(case)), &options(mode, &seed)).unwrap())
                };
                for (a, b) in of(&language).iter().zip(of(&twin)) {
                    // Contrastive mode asks for signs, so rounding turns a unit over if its sum is close to 0. That is
                    // rare, differs between machines, and moves little of all relevance.
                    let sum = |x: &Tensor| x.abs().sum(Kind::Double).double_value(&[]);
                    let (gap, same) = match mode {
                        Mode::Default => ((a - &b).abs().max().double_value(&[]), agree(a, &b, 1e-5)),
                        Mode::Contrastive => {
                            let gap = sum(&(a - &b));
                            (gap, gap <= 1e-2 * sum(&b))
                        }
                    };
                    if !same {
                        problems
                            .push(format!("{} and {}, {case}, {mode:?}: {gap}", language.name, twin.name));
                    }
                }
            }
        }
    }
    assert!(pairs >= 5);
    report(problems);
}

#[test]
fn a_padded_batch_is_its_texts() {
    let mut problems = Vec::new();
    for language in all().into_iter().filter(|language| language.task != "image") {
        let (model, batch) = (language.model(), language.inputs("padded"));
        let mask = language.arguments.iter().position(|name| name == "attention_mask").unwrap();
        let lengths: Vec<i64> =
            Vec::try_from(batch[mask].sum_dim_intlist([1_i64].as_slice(), false, Kind::Int64)).unwrap();
        let shape = language.output("padded");
        // If each token has an output, the start has none at the padding.
        let by_token = shape.len() == 3 && language.task != "translate";
        let mut seed = start(&shape);
        for (row, &length) in lengths.iter().enumerate().filter(|_| by_token) {
            seed.index_axis_mut(Axis(0), row)
                .slice_axis_mut(Axis(0), Slice::from(length as usize..))
                .fill(0.0);
        }
        for mode in MODES {
            let together = channels(&model.explain(&given(&batch), &options(mode, &seed)).unwrap());
            for (row, &length) in lengths.iter().enumerate() {
                let cut = |name: &str, tensor: &Tensor| {
                    let row = tensor.narrow(0, row as i64, 1);
                    if name.starts_with("decoder") { row } else { row.narrow(1, 0, length) }
                };
                let text: Vec<Tensor> =
                    language.arguments.iter().zip(&batch).map(|(name, tensor)| cut(name, tensor)).collect();
                let mut own = seed.slice_axis(Axis(0), Slice::from(row..=row)).to_owned();
                if by_token {
                    own = own.slice_axis(Axis(1), Slice::from(..length as usize)).to_owned();
                }
                let alone = model.explain(&given(&text), &options(mode, &own)).unwrap();
                for (together, alone) in together.iter().zip(channels(&alone)) {
                    let row = together.narrow(0, row as i64, 1);
                    let (mine, rest) = (
                        row.narrow(1, 0, alone.size()[1]),
                        row.narrow(1, alone.size()[1], row.size()[1] - alone.size()[1]),
                    );
                    if !agree(&mine, &alone, 1e-4) || rest.abs().sum(Kind::Double).double_value(&[]) != 0.0 {
                        problems
                            .push(format!("{}, {mode:?}: {mine} and {alone}, rest {rest}", language.name));
                    }
                }
            }
        }
    }
    report(problems);
}

#[test]
fn the_future_receives_exactly_nothing() {
    let mut checked = 0;
    for language in all().into_iter().filter(Language::is_causal) {
        let (model, inputs, shape) = (language.model(), language.inputs("long"), language.output("long"));
        for position in 0..shape[1] {
            let mut seed = ArrayD::zeros(shape.clone());
            seed.slice_axis_mut(Axis(1), Slice::from(position..=position)).assign(&start(&[1, 1, shape[2]]));
            for mode in MODES {
                let explanation = model.explain(&given(&inputs), &options(mode, &seed)).unwrap();
                for channel in
                    channels(&explanation).iter().filter(|channel| channel.any().int64_value(&[]) != 0)
                {
                    let (position, tokens) = (position as i64, shape[1] as i64);
                    let future = channel.narrow(1, position + 1, tokens - position - 1);
                    assert_eq!(
                        future.any().int64_value(&[]),
                        0,
                        "{}, {position}, {mode:?}: {future}",
                        language.name
                    );
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 200, "{checked}");
}

/// The account of one module.
fn passed<'a>(explanation: &'a Explanation, path: &str) -> &'a ModuleRelevance {
    let found = explanation.modules().iter().find(|module| module.module.path == path);
    found.unwrap_or_else(|| {
        panic!(
            "no module {path}: {:?}",
            explanation.modules().iter().map(|module| &module.module.path).collect::<Vec<_>>()
        )
    })
}

fn close(a: Amount, b: Amount) -> bool {
    (a - b).magnitude() <= 1e-4 * a.magnitude().max(b.magnitude()).max(1.0)
}

#[test]
fn every_module_accounts_for_what_it_received() {
    for language in all() {
        for mode in MODES {
            let options = Options::new().mode(mode).scaler(1.0).modules(true);
            let explanation = language.model().explain(&given(&language.inputs("long")), &options).unwrap();
            assert!(explanation.modules().len() > 10, "{}", language.name);
            for module in explanation.modules() {
                let lost = module.lost.values().copied().sum();
                let place = format!("{}, {}, {mode:?}", language.name, module.module.path);
                assert!(close(module.received, module.delivered + lost), "{place}: {module:?}");
                if !module.heads.is_empty() {
                    assert_eq!(module.heads.len(), 4, "{place}");
                    assert!(module.heads.iter().all(|head| head.magnitude() > 0.0), "{place}");
                }
            }
            let with_heads = explanation.modules().iter().filter(|module| !module.heads.is_empty()).count();
            assert!(with_heads >= 2, "{}: {with_heads}", language.name);
        }
    }
}

#[test]
fn heads_share_what_enters_the_output_projection() {
    let language = all().into_iter().find(|language| language.name == "llama").unwrap();
    let options = Options::new().scaler(1.0).modules(true);
    let explanation = language.model().explain(&given(&language.inputs("long")), &options).unwrap();
    for layer in 0..2 {
        let path = format!("model.layers.{layer}.self_attn");
        let heads: Amount = passed(&explanation, &path).heads.iter().copied().sum();
        assert!(close(heads, passed(&explanation, &format!("{path}.o_proj")).delivered), "{path}");
    }
}

#[test]
fn experts_share_what_their_layer_received() {
    for name in ["mixtral", "olmoe"] {
        let language = all().into_iter().find(|language| language.name == name).unwrap();
        let inputs = language.inputs("long");
        let options = Options::new().scaler(1.0).target(Target::AllOutputs).modules(true);
        let explanation = language.model().explain(&given(&inputs), &options).unwrap();
        let tokens = inputs[0].size()[1] as usize;
        for layer in 0..2 {
            let path = format!("model.layers.{layer}.mlp");
            let experts = passed(&explanation, &format!("{path}.experts"));
            let prefix = format!("{path}.experts.");
            let each =
                || explanation.modules().iter().filter(|module| module.module.path.starts_with(&prefix));
            // The router weights the experts' answers, and takes its share of each product.
            let shared = each().map(|expert| expert.received).sum::<Amount>()
                + passed(&explanation, &format!("{path}.gate")).received;
            assert!(close(experts.received, shared), "{path}: {} and {shared:?}", experts.received.positive);
            assert_eq!(each().map(|expert| expert.rows).sum::<usize>(), 2 * tokens, "two experts a token");
            assert!(each().all(|expert| expert.rows <= tokens));
            assert_eq!(experts.rows, tokens);
        }
    }
}

/// A decoder of equal layers, as in Llama: norms by root mean squares, rotary positions, gated feed-forward parts.
struct Decoder {
    table: Tensor,
    weights: Vec<Tensor>,
    biases: Option<Tensor>,
    heads: i64,
}

impl Decoder {
    const WIDTH: i64 = 16;

    fn new(biases: bool) -> Self {
        tch::manual_seed(5);
        let noise = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu)) * 0.2;
        let weights = (0..7).map(|_| noise(&[Self::WIDTH, Self::WIDTH])).collect();
        let biases = biases.then(|| noise(&[Self::WIDTH]));
        Self { table: noise(&[20, Self::WIDTH]), weights, biases, heads: 4 }
    }

    fn linear(&self, number: usize, x: &Tensor) -> Tensor {
        x.linear(&self.weights[number], self.biases.as_ref())
    }

    fn norm(x: &Tensor) -> Tensor {
        x * (x.square().mean_dim([-1_i64].as_slice(), true, None::<Kind>) + 1e-5).rsqrt()
    }

    fn rotated(&self, x: &Tensor) -> Tensor {
        let (tokens, width) = (x.size()[1], Self::WIDTH / self.heads);
        let heads = x.reshape([1, tokens, self.heads, width]).transpose(1, 2);
        let steps = Tensor::arange(tokens, (Kind::Float, Device::Cpu)).unsqueeze(1);
        let angles = steps * Tensor::from_slice(&[1.0_f32, 0.1, 1.0, 0.1]);
        let halves = heads.chunk(2, -1);
        let turned = Tensor::cat(&[-&halves[1], halves[0].shallow_clone()], -1);
        &heads * angles.cos() + turned * angles.sin()
    }

    fn layer(&self, x: &Tensor) -> Tensor {
        let (tokens, width) = (x.size()[1], Self::WIDTH / self.heads);
        let normal = Self::norm(x);
        let (query, key) = (self.rotated(&self.linear(0, &normal)), self.rotated(&self.linear(1, &normal)));
        let value = self.linear(2, &normal).reshape([1, tokens, self.heads, width]).transpose(1, 2);
        let hidden = Tensor::full([tokens, tokens], f64::NEG_INFINITY, (Kind::Float, Device::Cpu)).triu(1);
        let scores = query.matmul(&key.transpose(-2, -1)) / (width as f64).sqrt() + hidden;
        let seen = scores.softmax(-1, None::<Kind>).matmul(&value);
        let x = x + self.linear(3, &seen.transpose(1, 2).reshape([1, tokens, Self::WIDTH]));
        let normal = Self::norm(&x);
        &x + self.linear(6, &(self.linear(4, &normal).silu() * self.linear(5, &normal)))
    }

    fn explain(&self, layers: usize) -> Explanation {
        let ids = Tensor::from_slice(&[3_i64, 1, 4, 1, 5, 9]).unsqueeze(0);
        let computation = Computation { inputs: &[("ids", &ids)], ..Default::default() };
        torch::explain(computation, &Options::new().scaler(1.0), || {
            let tokens = Tensor::embedding(&self.table, &ids, -1, false, false);
            let last = (0..layers).fold(tokens, |x, _| self.layer(&x));
            Self::norm(&last).select(1, -1).matmul(&self.table.transpose(0, 1))
        })
        .unwrap()
    }
}

#[test]
fn depth_costs_no_relevance() {
    let _no_gradients = tch::no_grad_guard();
    for biases in [false, true] {
        let decoder = Decoder::new(biases);
        for layers in [1, 2, 4, 8, 16, 32] {
            let explanation = decoder.explain(layers);
            let arrived = explanation.inputs()[0].amount().positive;
            let losses = explanation.ledger().losses();
            let lost: Amount = losses.values().copied().sum();
            assert!(explanation.ledger().closes(), "{layers} layers: {:?}", explanation.warnings());
            assert!(
                (arrived + lost.positive - 1.0).abs() < 1e-3,
                "{layers} layers: {arrived} arrived, {losses:?} lost"
            );
            if biases {
                assert!(losses[&Loss::Bias].positive > 0.0, "{layers} layers: {losses:?}");
            } else {
                assert!((arrived - 1.0).abs() < 1e-3, "{layers} layers: {arrived} arrived, {losses:?} lost");
            }
        }
    }
}

/// The embedding of a text is often the mean over its tokens, divided by its norm: a statistic of the tokens that is
/// normalised itself.
#[test]
fn a_pooled_value_may_be_normalised() {
    let _no_gradients = tch::no_grad_guard();
    tch::manual_seed(9);
    let noise = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
    let (tokens, mask, classes) =
        (noise(&[2, 5, 8]), Tensor::from_slice(&[1.0_f32, 1.0, 1.0, 1.0, 0.0]), noise(&[3, 8]));
    let pooled = || {
        (&tokens * mask.unsqueeze(-1)).sum_dim_intlist([1_i64].as_slice(), false, None::<Kind>)
            / mask.sum(None::<Kind>)
    };
    let explain = |compute: &dyn Fn() -> Tensor| {
        let computation = Computation { inputs: &[("tokens", &tokens)], ..Default::default() };
        let options = Options::new().target(Target::Class(1)).scaler(1.0);
        channels(&torch::explain(computation, &options, compute).unwrap()).remove(0)
    };
    let plain = explain(&|| pooled().linear::<Tensor>(&classes, None));
    let normalised = explain(&|| {
        let text = pooled();
        let norm = text.norm_scalaropt_dim(2.0, [1_i64].as_slice(), true).clamp_min(1e-12).expand_as(&text);
        (text / norm).linear::<Tensor>(&classes, None)
    });
    assert!(agree(&normalised, &plain, 1e-5), "{normalised} and {plain}");
}
