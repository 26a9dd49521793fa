//! Small networks from the tests of other libraries. Where a library uses the default rule, its figures hold; where it
//! uses another, they differ. Run on the core's tape with the oracle and with libtorch, and on TorchScript twins.
//!
//! See tests/data/README.md for the form of the file and its sources.

use dlbacktrace::core::analysis::PrepareOptions;
use dlbacktrace::core::array::Array;
use dlbacktrace::core::{Observer, Place, Relevance, Tape, Tensor, ValueId, WalkOptions, WeightCache};
use dlbacktrace::torch::TorchTensor;
use dlbacktrace::{Explanation, Inputs, Ledger, Loss, Model, Options};
use ndarray::ArrayD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use testkit::tapes;
use testkit_torch::fixtures::{Input, fixture};

#[derive(Deserialize)]
struct Peers {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: Kind,
    fixture: Option<String>,
    inputs: BTreeMap<String, Stored>,
    steps: Vec<Step>,
    seed: Stored,
    relevance: BTreeMap<String, Stored>,
    bias: f64,
    peer: Peer,
    tolerance: f64,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Verbatim,
    Control,
}

#[derive(Deserialize)]
struct Peer {
    #[serde(default)]
    relevance: BTreeMap<String, Stored>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    op: String,
    of: Vec<String>,
    weight: Option<Stored>,
    bias: Option<Stored>,
    shape: Option<Vec<usize>>,
    dims: Option<usize>,
    kernel: Option<usize>,
    stride: Option<usize>,
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
    let text = fs::read_to_string("tests/data/peers.json").unwrap();
    let cases = serde_json::from_str::<Peers>(&text).unwrap().cases;
    assert!(cases.len() > 20);
    cases
}

/// What was found for a case: the relevance of each value by its name, and what biases took.
struct Found {
    relevance: BTreeMap<String, ArrayD<f64>>,
    bias: f64,
}

fn largest_gap(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

impl Case {
    /// `rounding` is the backend's, relative to the largest number.
    fn check(&self, found: &Found, rounding: f64) {
        let scale = self.seed.data.iter().map(|r| r.abs()).sum::<f64>();
        for (name, expected) in &self.relevance {
            let gap = largest_gap(&found.relevance[name], &expected.array());
            assert!(gap <= rounding * scale, "{}: {name} is off by {gap}", self.name);
        }
        let gap = (found.bias - self.bias).abs();
        assert!(gap <= rounding * scale, "{}: biases took {}, not {}", self.name, found.bias, self.bias);
        for (name, figures) in &self.peer.relevance {
            let gap = largest_gap(&found.relevance[name], &figures.array());
            match self.kind {
                Kind::Verbatim => assert!(
                    gap <= self.tolerance.max(rounding * scale),
                    "{}: the peer's figures for {name} are off by {gap}",
                    self.name
                ),
                Kind::Control => {
                    assert!(gap > 0.01 * scale, "{}: {name} is the peer's, but the rules differ", self.name);
                }
            }
        }
    }
}

fn bias(ledger: &Ledger) -> f64 {
    assert!(ledger.closes());
    ledger.losses().get(&Loss::Bias).map_or(0.0, |lost| lost.positive)
}

/// Collects the relevance of every value that is made on the tape.
#[derive(Default)]
struct Arrivals(BTreeMap<ValueId, ArrayD<f64>>);

impl<T: Tensor> Observer<T> for Arrivals {
    fn arrived(
        &mut self,
        value: ValueId,
        _: &str,
        _: &Place,
        relevance: &Relevance<T>,
    ) -> dlbacktrace::core::Result<()> {
        self.0.insert(value, relevance.first().to_array()?);
        Ok(())
    }
}

/// The case on a tape of the core's operators.
fn walked<T: Tensor>(case: &Case, like: &T) -> Found {
    let mut tape = Tape::new();
    let mut values = BTreeMap::new();
    for (name, input) in &case.inputs {
        let data = like.floats(input.array().view()).unwrap();
        values.insert(name.as_str(), tapes::input(&mut tape, data));
    }
    for step in &case.steps {
        let operands: Vec<_> = step.of.iter().map(|name| values[name.as_str()].clone()).collect();
        let number = |number: Option<usize>| number.expect("a setting of this operator");
        let parameter = |stored: &Option<Stored>| {
            stored.as_ref().map(|stored| like.floats(stored.array().view()).unwrap())
        };
        let (weight, bias) = (parameter(&step.weight), parameter(&step.bias));
        let made = match step.op.as_str() {
            "linear" => tapes::linear(&mut tape, &operands[0], weight.unwrap(), bias),
            "conv2d" => tapes::convolution(&mut tape, &operands[0], weight.unwrap(), bias),
            "add" => tapes::add(&mut tape, &operands[0], &operands[1]),
            "relu" => tapes::relu(&mut tape, &operands[0]),
            "tanh" => tapes::tanh(&mut tape, &operands[0]),
            "dropout" => tapes::identity(&mut tape, &operands[0]),
            "reshape" => tapes::reshape(&mut tape, &operands[0], step.shape.as_ref().unwrap()),
            "max_pool" => {
                let (dims, kernel, stride) = (number(step.dims), number(step.kernel), number(step.stride));
                // No other step reads the result of a pooling here, so its shape is that of the start.
                tapes::max_pool(&mut tape, &operands[0], dims, kernel, stride, &case.seed.shape)
            }
            other => panic!("no operator {other}"),
        };
        values.insert(&step.name, made);
    }
    let last = values[case.steps.last().unwrap().name.as_str()].value;
    tape.outputs = vec![last];
    let seed = Relevance::default_mode(like.floats(case.seed.array().view()).unwrap());
    let mut arrivals = Arrivals::default();
    let explained = tape.inputs.clone();
    let outcome = tape
        .prepare(&PrepareOptions::default(), &WeightCache::new(0))
        .unwrap()
        .backtrace(vec![(last, seed)], &WeightCache::new(0), WalkOptions::default(), &mut arrivals)
        .unwrap();
    for (value, relevance) in explained.into_iter().zip(outcome.inputs) {
        arrivals.0.insert(value, relevance.unwrap().first().to_array().unwrap());
    }
    let named = values.iter().map(|(name, operand)| (name.to_string(), arrivals.0[&operand.value].clone()));
    Found { relevance: named.collect(), bias: bias(&outcome.ledger) }
}

#[test]
fn they_hold_on_the_oracle() {
    for case in cases() {
        case.check(&walked(&case, &Array::from_slice(&[], &[0.0])), 1e-12);
    }
}

#[test]
fn they_hold_on_libtorch() {
    for case in cases() {
        case.check(&walked(&case, &TorchTensor::from(tch::Tensor::from(0.0_f64))), 1e-12);
    }
}

fn explained(case: &Case, name: &str) -> Explanation {
    let fixture = fixture(name);
    let model = Model::load(fixture.path()).unwrap();
    // Cases that share a fixture have their own inputs. Several inputs are named as in the fixture.
    let inputs = fixture.inputs.iter().fold(Inputs::new(), |inputs, input| {
        let stored = case.inputs.get(&input.name).or(case.inputs.values().next()).unwrap();
        inputs.push(stored.array().mapv(|number| number as f32))
    });
    model.explain(&inputs, &Options::new().start(case.seed.array()).all_values(true)).unwrap()
}

/// The case on its TorchScript twin.
fn found_in(case: &Case, explanation: &Explanation) -> Found {
    let mut relevance = BTreeMap::new();
    for (name, input) in case.inputs.keys().zip(in_order(case, explanation)) {
        relevance.insert(name.clone(), explanation.inputs()[input].relevance().unwrap());
    }
    // The explanation lists the last step first. Dropout in evaluation mode makes no value.
    let steps: Vec<&Step> = case.steps.iter().filter(|step| step.op != "dropout").collect();
    assert_eq!(explanation.values().len(), steps.len(), "{}: {:?}", case.name, explanation.values());
    for (step, value) in steps.into_iter().zip(explanation.values().iter().rev()) {
        relevance.insert(step.name.clone(), value.relevance().unwrap());
    }
    Found { relevance, bias: bias(explanation.ledger()) }
}

/// The position of each of the case's inputs among those of the explanation.
fn in_order(case: &Case, explanation: &Explanation) -> Vec<usize> {
    let position = |name: &String| explanation.inputs().iter().position(|input| input.name == *name);
    case.inputs.keys().map(|name| position(name).unwrap_or(0)).collect()
}

#[test]
fn they_hold_on_torchscript() {
    let mut held = 0;
    for case in cases() {
        let Some(name) = &case.fixture else { continue };
        let explanation = explained(&case, name);
        case.check(&found_in(&case, &explanation), 1e-6);
        held += 1;
    }
    assert!(held > 12);
}

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name}"))
}

#[test]
fn writing_in_place_changes_nothing() {
    let case = case("captum_simple");
    let [apart, in_place] = ["peer_simple", "peer_simple_inplace"].map(|name| explained(&case, name));
    for (apart, in_place) in apart.values().iter().zip(in_place.values()) {
        assert_eq!(apart.relevance().unwrap(), in_place.relevance().unwrap(), "{}", apart.name);
    }
    assert_eq!(apart.inputs()[0].relevance().unwrap(), in_place.inputs()[0].relevance().unwrap());
}

/// The peer does not support a module that is used twice; here it equals two modules.
#[test]
fn a_reused_module_equals_its_unrolled_twin() {
    let case = case("captum_reused");
    let found = found_in(&case, &explained(&case, "peer_reused"));
    let unrolled = walked(&case, &TorchTensor::from(tch::Tensor::from(0.0_f32)));
    assert_eq!(found.relevance.len(), unrolled.relevance.len());
    for (name, relevance) in &unrolled.relevance {
        assert!(largest_gap(relevance, &found.relevance[name]) < 1e-6, "{name}");
    }
}

#[test]
fn the_model_is_the_same_afterwards() {
    use dlbacktrace_torch as torch;
    for case in cases() {
        let Some(name) = &case.fixture else { continue };
        let fixture = fixture(name);
        let tensors = fixture.tensors();
        let model = torch::Model::load(fixture.path()).unwrap();
        let given = |input: &Input| torch::Input::Tensor(tensors[input.key().unwrap()].copy());
        let inputs = || torch::Inputs::new(fixture.inputs.iter().map(given).collect::<Vec<_>>());
        let forward = || model.forward(&inputs()).unwrap().remove(0).1;
        let before = forward();
        model.explain(&inputs(), &Default::default()).unwrap();
        assert!(before.equal(&forward()), "{name}");
    }
}
