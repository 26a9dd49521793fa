//! The authors' vectors, run on any tensor.
//!
//! The vectors are those of `tests/data/rules.json`, or of the file that `DLB_VECTORS` names.

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::ops::{Convolution, MatMul, MaxPool, Pass, Product, Separable, Sum};
use dlbacktrace_core::recurrent::{Cell, Layer};
use dlbacktrace_core::start::{StartOptions, Target, Task};
use dlbacktrace_core::{
    BacktraceOp, ConvGeometry, Function, Meta, Mode, Operand, Place, Relevance, Step, Tape, TapeWriter,
    Tensor, ValueId, WalkOptions, WeightCache,
};
use ndarray::ArrayD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::{env, fs};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    op: String,
    mode: Mode,
    params: BTreeMap<String, serde_json::Value>,
    inputs: BTreeMap<String, Stored>,
    expected: BTreeMap<String, Stored>,
}

#[derive(Deserialize)]
struct Stored {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl Stored {
    fn array(&self) -> ArrayD<f64> {
        ArrayD::from_shape_vec(self.shape.clone(), self.data.clone()).unwrap()
    }
}

fn cases() -> Vec<Case> {
    let text = match env::var("DLB_VECTORS") {
        Ok(path) => fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read the vectors {path}: {error}")),
        Err(_) => include_str!("../../../tests/data/rules.json").to_owned(),
    };
    let vectors: Vectors = serde_json::from_str(&text).unwrap();
    vectors.cases
}

/// Holds the rules to the vectors on the tensors that `make` makes.
pub fn check<T: Tensor>(tolerance: f64, make: impl Fn(ArrayD<f64>) -> T) {
    let mut held = 0;
    for (index, case) in cases().iter().enumerate() {
        let found = run(case, &make);
        assert_eq!(
            found.len(),
            case.expected.len(),
            "case {index} {} gives another number of results",
            case.op
        );
        for (name, expected) in &case.expected {
            let expected = expected.array();
            let got = found.get(name).unwrap_or_else(|| panic!("case {index} {} gives no {name}", case.op));
            let got = got.to_shape(expected.raw_dim()).unwrap_or_else(|_| {
                panic!(
                    "case {index} {}: {name} has shape {:?}, not {:?}",
                    case.op,
                    got.shape(),
                    expected.shape()
                )
            });
            let scale = expected.iter().fold(0.0_f64, |scale, value| scale.max(value.abs()));
            for (position, (got, expected)) in got.iter().zip(&expected).enumerate() {
                assert!(
                    (got - expected).abs() <= tolerance * scale.max(f64::MIN_POSITIVE),
                    "case {index} {} {:?} {:?}: {name}[{position}] is {got}, not {expected}",
                    case.op,
                    case.mode,
                    case.params,
                );
            }
        }
        held += 1;
    }
    assert!(held > 0, "there are no vectors to hold to");
    println!("{held} vectors hold");
}

type Results = BTreeMap<String, ArrayD<f64>>;

fn run<T: Tensor>(case: &Case, make: &impl Fn(ArrayD<f64>) -> T) -> Results {
    let input = |name: &str| make(case.inputs[name].array());
    let number = |name: &str| case.params.get(name).and_then(serde_json::Value::as_u64).unwrap_or(1) as usize;
    let padding = |axes: usize| {
        vec![case.params.get("padding").and_then(|value| value.as_u64()).unwrap_or(0) as usize; axes]
    };
    let spatial = |axes: usize| ConvGeometry {
        stride: vec![number("stride"); axes],
        padding: padding(axes),
        dilation: vec![number("dilation"); axes],
        groups: number("groups"),
    };
    let weighted = |op: Box<dyn BacktraceOp<T>>| {
        let operands = vec![(input("input"), true), (input("weight"), false), (input("bias"), false)];
        walk(case, make, op, operands, &["input"])
    };
    let pooled = |op: Box<dyn BacktraceOp<T>>| walk(case, make, op, vec![(input("input"), true)], &["input"]);
    let kernel = |axes: usize| vec![number("kernel"); axes];
    let shape = |name: &str| case.inputs[name].shape.clone();
    let average = |axes: usize| {
        let (kernel, stride) = (kernel(axes), vec![number("stride"); axes]);
        Box::new(
            Separable::average_pool(&shape("input"), &shape("relevance"), &kernel, &stride, &padding(axes))
                .unwrap(),
        )
    };
    let max = |axes: usize| {
        let stride = vec![number("stride"); axes];
        Box::new(MaxPool { kernel: kernel(axes), stride, padding: padding(axes), dilation: vec![1; axes] })
    };
    let pair = || vec![(input("a"), true), (input("b"), true)];
    match case.op.as_str() {
        "seed" => start(case, make),
        "linear" => weighted(Box::new(MatMul { transposed: true })),
        "conv1d" => weighted(Box::new(Convolution { geometry: spatial(1) })),
        "conv2d" => weighted(Box::new(Convolution { geometry: spatial(2) })),
        "max_pool1d" => pooled(max(1)),
        "max_pool2d" => pooled(max(2)),
        "avg_pool1d" => pooled(average(1)),
        "avg_pool2d" => pooled(average(2)),
        "adaptive_avg_pool2d" => pooled(Box::new(
            Separable::adaptive_average_pool(&shape("input"), &shape("relevance"), 2).unwrap(),
        )),
        "add" => walk(case, make, Box::new(Sum::add()), pair(), &["a", "b"]),
        "mul" => walk(case, make, Box::new(Product), pair(), &["a", "b"]),
        "lstm" => lstm(case, make),
        other => panic!("no rule is tested under the name {other}"),
    }
}

fn start<T: Tensor>(case: &Case, make: &impl Fn(ArrayD<f64>) -> T) -> Results {
    let text = |name: &str| case.params.get(name).and_then(serde_json::Value::as_str);
    let number = |name: &str| case.params.get(name).and_then(serde_json::Value::as_f64);
    let task = match text("task").unwrap() {
        "binary-classification" | "multi-class classification" => Task::Classification,
        "bbox-regression" => Task::BoundingBox,
        "binary-segmentation" => Task::Segmentation { threshold: number("threshold").unwrap() },
        other => panic!("no start is tested for the task {other}"),
    };
    let options = StartOptions {
        mode: case.mode,
        task,
        target: Target::Argmax,
        scaler: number("scaler"),
        ..StartOptions::default()
    };
    let start = dlbacktrace_core::start::start(&make(case.inputs["output"].array()), &options).unwrap();
    let mut results = Results::new();
    match case.mode {
        Mode::Default => results.insert("relevance".into(), start.relevance.first().to_array().unwrap()),
        Mode::Contrastive => {
            results.insert("positive".into(), start.relevance.first().to_array().unwrap());
            results.insert("negative".into(), start.relevance.second().unwrap().to_array().unwrap())
        }
    };
    results
}

/// Walks a tape of one step, and an activation behind it if the case names one.
fn walk<T: Tensor>(
    case: &Case,
    make: &impl Fn(ArrayD<f64>) -> T,
    op: Box<dyn BacktraceOp<T>>,
    operands: Vec<(T, bool)>,
    names: &[&str],
) -> Results {
    let mut tape = Tape::new();
    let mut inputs = Vec::new();
    for (data, explained) in operands {
        let value = tape.value(Meta::new(data.shape(), data.dtype()));
        if explained {
            tape.inputs.push(value);
        }
        inputs.push(Operand::new(value, data));
    }
    let relevance = arriving(case, make);
    let meta = Meta::new(relevance.shape(), relevance.first().dtype());
    let output = tape.value(meta.clone());
    let step = |op, inputs, output| Step::new(case.op.clone(), Place::default(), op, inputs, vec![output]);
    tape.steps.push(step(op, inputs, output));
    let mut last = output;
    if let Some(function) = activation(case) {
        last = tape.value(meta.clone());
        let behind = Operand::shape_only(output, meta);
        tape.steps.push(step(Box::new(Pass::function(function)), vec![behind], last));
    }
    tape.outputs = vec![last];
    named(names, walk_back(tape, last, relevance))
}

/// A layer on one sample, from a state of zeros. Keras stores the weights of all gates side by side.
fn lstm<T: Tensor>(case: &Case, make: &impl Fn(ArrayD<f64>) -> T) -> Results {
    let input = |name: &str| make(case.inputs[name].array());
    let mut writer = TapeWriter::new();
    let x = input("input");
    let value = writer.tape.value(Meta::new(x.shape(), x.dtype()));
    writer.tape.inputs.push(value);
    let zeros = x.zeros(&[1, case.inputs["recurrent_kernel"].shape[0]]).unwrap();
    let state = [writer.constant(zeros.clone()), writer.constant(zeros)];
    let layer = Layer {
        cell: Cell::Lstm,
        input: writer.constant(input("kernel").transpose().unwrap()),
        input_bias: Some(writer.constant(input("bias"))),
        recurrent: writer.constant(input("recurrent_kernel").transpose().unwrap()),
        recurrent_bias: None,
        projection: None,
        reversed: false,
    };
    let steps = vec![1; x.shape()[0]];
    let unrolled = layer.unroll(&mut writer, &Operand::new(value, x), &steps, &state, None).unwrap();
    let output = match case.params["returns"].as_str() {
        Some("last") => &unrolled.state[0],
        _ => &unrolled.hidden,
    };
    let relevance =
        arriving(case, make).map_conserving(|channel| channel.reshape(&output.meta.shape)).unwrap();
    writer.tape.outputs = vec![output.value];
    named(&["input"], walk_back(writer.tape, output.value, relevance))
}

fn arriving<T: Tensor>(case: &Case, make: &impl Fn(ArrayD<f64>) -> T) -> Relevance<T> {
    let of = |name: &str| make(case.inputs[name].array());
    match case.mode {
        Mode::Default => Relevance::default_mode(of("relevance")),
        Mode::Contrastive => Relevance::contrastive(of("positive"), of("negative")),
    }
}

fn named<T: Tensor>(names: &[&str], outcome: Vec<Relevance<T>>) -> Results {
    let mut results = Results::new();
    for (name, found) in names.iter().zip(outcome) {
        match found.second() {
            None => drop(results.insert(format!("{name}_relevance"), found.first().to_array().unwrap())),
            Some(negative) => {
                results.insert(format!("{name}_positive"), found.first().to_array().unwrap());
                results.insert(format!("{name}_negative"), negative.to_array().unwrap());
            }
        }
    }
    results
}

fn walk_back<T: Tensor>(tape: Tape<T>, output: ValueId, relevance: Relevance<T>) -> Vec<Relevance<T>> {
    let prepared = tape.prepare(&PrepareOptions::default(), &WeightCache::new(0)).unwrap();
    let weights = WeightCache::new(0);
    let outcome =
        prepared.backtrace(vec![(output, relevance)], &weights, WalkOptions::default(), &mut ()).unwrap();
    assert!(outcome.ledger.closes(), "open: {:?}", outcome.ledger.open_entries().collect::<Vec<_>>());
    outcome.inputs.into_iter().map(|found| found.expect("relevance reaches every operand")).collect()
}

/// The vectors' swish is x · σ(0.75x).
fn activation(case: &Case) -> Option<Function> {
    match case.params.get("activation").and_then(serde_json::Value::as_str) {
        Some("tanh") => Some(Function::Tanh),
        Some("sigmoid") => Some(Function::Sigmoid),
        Some("softmax") => Some(Function::Softmax),
        Some("swish") => Some(Function::Swish { beta: 0.75 }),
        Some("relu") => Some(Function::Other),
        _ => None,
    }
}
