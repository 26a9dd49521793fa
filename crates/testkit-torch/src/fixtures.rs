//! Reads the fixtures of `tests/fixtures`.

use dlbacktrace::{Explanation, Inputs, Model, Options, Value};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tch::{Kind, Tensor};
use testkit::fixtures::TORCHSCRIPT;

#[derive(Debug, Deserialize)]
pub struct Fixture {
    pub name: String,
    /// `explained`, `unsupported`, `raises` or `no-forward`.
    pub expect: String,
    /// Whether every model like it must be explained; if not, an error that names the operator is fine.
    pub common: bool,
    /// The fixture that must give the same relevance.
    pub equals: Option<String>,
    pub inputs: Vec<Input>,
    pub outputs: Option<Node>,
}

#[derive(Debug, Deserialize)]
pub struct Input {
    pub name: String,
    #[serde(flatten)]
    pub value: Node,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Node {
    Tensor(String),
    Value(serde_json::Value),
    List(Vec<Node>),
    Tuple(Vec<Node>),
    Dict(BTreeMap<String, Node>),
    NamedTuple(BTreeMap<String, Node>),
}

pub type Tensors = BTreeMap<String, Tensor>;

pub fn fixtures() -> Vec<Fixture> {
    TORCHSCRIPT.index()
}

pub fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).unwrap_or_else(|| panic!("no fixture {name}"))
}

impl Fixture {
    pub fn path(&self) -> PathBuf {
        TORCHSCRIPT.path(&format!("{}.pt", self.name))
    }

    pub fn tensors(&self) -> Tensors {
        let path = TORCHSCRIPT.path(&format!("{}.safetensors", self.name));
        Tensor::read_safetensors(path).unwrap().into_iter().collect()
    }

    pub fn inputs(&self, tensors: &Tensors) -> Inputs {
        self.inputs.iter().fold(Inputs::new(), |inputs, input| inputs.push(input.value.value(tensors)))
    }

    /// The recorded outputs, flattened.
    pub fn outputs(&self, tensors: &Tensors) -> Vec<Tensor> {
        let mut keys = Vec::new();
        if let Some(outputs) = &self.outputs {
            outputs.keys(&mut keys);
        }
        keys.iter().map(|key| tensors[key].shallow_clone()).collect()
    }
}

impl Input {
    /// Its key among the tensors, if it is a tensor.
    pub fn key(&self) -> Option<&str> {
        match &self.value {
            Node::Tensor(key) => Some(key),
            _ => None,
        }
    }
}

impl Node {
    fn value(&self, tensors: &Tensors) -> Value {
        let all = |nodes: &[Node]| nodes.iter().map(|node| node.value(tensors)).collect();
        match self {
            Self::Tensor(key) => tensors[key].copy().into(),
            Self::Value(value) => literal(value),
            Self::List(nodes) => Value::List(all(nodes)),
            Self::Tuple(nodes) => Value::Tuple(all(nodes)),
            Self::NamedTuple(nodes) => Value::Tuple(nodes.values().map(|node| node.value(tensors)).collect()),
            Self::Dict(nodes) => {
                Value::Dict(nodes.iter().map(|(key, node)| (key.clone(), node.value(tensors))).collect())
            }
        }
    }

    fn keys(&self, keys: &mut Vec<String>) {
        match self {
            Self::Tensor(key) => keys.push(key.clone()),
            Self::Value(_) => {}
            Self::List(nodes) | Self::Tuple(nodes) => nodes.iter().for_each(|node| node.keys(keys)),
            Self::Dict(nodes) | Self::NamedTuple(nodes) => nodes.values().for_each(|node| node.keys(keys)),
        }
    }
}

fn literal(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Nothing,
        serde_json::Value::Bool(flag) => Value::Flag(*flag),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap()), Value::Integer)
        }
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(values) => Value::List(values.iter().map(literal).collect()),
        serde_json::Value::Object(entries) => {
            Value::Dict(entries.iter().map(|(key, value)| (key.clone(), literal(value))).collect())
        }
    }
}

pub fn load(name: &str) -> (Fixture, Model) {
    let fixture = fixture(name);
    let model = Model::load(fixture.path()).unwrap();
    (fixture, model)
}

pub fn inputs(fixture: &Fixture) -> Inputs {
    fixture.inputs(&fixture.tensors())
}

pub fn explain(name: &str, options: &Options) -> Explanation {
    let (fixture, model) = load(name);
    model.explain(&inputs(&fixture), options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every channel of every input.
pub fn channels(explanation: &Explanation) -> Vec<Tensor> {
    let both = explanation.inputs().iter().flat_map(|input| [input.tensor(), input.negative_tensor()]);
    both.flatten().map(Tensor::shallow_clone).collect()
}

pub fn same_bits(a: &Explanation, b: &Explanation) -> bool {
    let (a, b) = (channels(a), channels(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.equal(b))
}

/// Whether two tensors agree within a tolerance relative to the largest element.
pub fn agree(a: &Tensor, b: &Tensor, tolerance: f64) -> bool {
    if a.size() != b.size() {
        return false;
    }
    if a.numel() == 0 {
        return true;
    }
    let (a, b) = (a.to_kind(Kind::Double), b.to_kind(Kind::Double));
    let scale = b.abs().max().double_value(&[]).max(1e-12);
    (a - b).abs().max().double_value(&[]) <= tolerance * scale
}
