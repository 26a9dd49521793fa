//! The test archives, what goes into them, and what must hold for every recording.

use dlbacktrace_torch_recorder::{
    Alias, ArgumentValue, Call, Input, Inputs, Keep, Module, Origin, Patch, Policy, Record, Recording, Slot,
    ValueId,
};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use tch::{Device, IndexOp, Kind, Tensor};
use testkit::fixtures::checkout;

pub const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

/// All archives of tests/data.
pub const MODELS: [&str; 15] = [
    "in_place",
    "input_write",
    "view_write",
    "loop_write",
    "fork_wait",
    "nested",
    "numbers",
    "stateful",
    "buffer_write",
    "conv_net",
    "conv_net_traced",
    "recurrent",
    "torture",
    "masked",
    "growing",
];

/// Leaves, as in a table of rules.
pub const LEAVES: [(&str, Keep); 14] = [
    ("aten::linear", Keep::All),
    ("aten::conv2d", Keep::All),
    ("aten::_convolution", Keep::All),
    ("aten::batch_norm", Keep::Indices),
    ("aten::relu", Keep::Indices),
    ("aten::add", Keep::All),
    ("aten::mul", Keep::All),
    ("aten::copy", Keep::Indices),
    ("aten::lstm", Keep::All),
    ("aten::select", Keep::Indices),
    ("aten::slice", Keep::Indices),
    ("aten::adaptive_avg_pool2d", Keep::Indices),
    ("aten::flatten", Keep::Indices),
    ("aten::dropout", Keep::Indices),
];

pub fn data(name: &str) -> PathBuf {
    checkout().join(format!("crates/torch-recorder/tests/data/{name}.pt"))
}

pub fn load(name: &str) -> Module {
    Module::load(data(name)).unwrap()
}

/// Numbers without pattern, the same each time.
pub fn numbers(shape: &[i64]) -> Tensor {
    let count: i64 = shape.iter().product();
    (Tensor::arange(count, FLOAT) * 0.7311 + 0.3).sin().reshape(shape)
}

pub fn tensor(shape: &[i64]) -> Input {
    Input::Tensor(numbers(shape))
}

/// Inputs that fit a test archive.
pub fn inputs(name: &str) -> Inputs {
    match name {
        "in_place" | "input_write" => Inputs::new([tensor(&[2, 4])]),
        "view_write" => Inputs::new([tensor(&[3, 4])]),
        "loop_write" => Inputs::new([tensor(&[2, 6])]),
        "fork_wait" => Inputs::new([tensor(&[2, 8])]),
        "nested" => nested(),
        "numbers" => Inputs::new([tensor(&[2, 2]), Input::Int(16000)]),
        "stateful" => Inputs::new([tensor(&[1, 3])]),
        "buffer_write" => Inputs::new([tensor(&[3])]),
        "conv_net" | "conv_net_traced" => Inputs::new([tensor(&[1, 3, 8, 8])]),
        "recurrent" => Inputs::new([tensor(&[2, 5, 3])]),
        "torture" => Inputs::new([Input::Tensor(numbers(&[4, 4]) * 5.0), Input::Int(4)]),
        "masked" => Inputs::new([tensor(&[2, 4]), Input::Tensor(numbers(&[2, 4]).gt(0.0))]),
        "growing" => Inputs::new([tensor(&[2, 5, 8])]),
        other => panic!("no inputs for {other}"),
    }
}

fn nested() -> Inputs {
    let key = |text: &str| Input::Text(text.to_owned());
    Inputs::new([
        Input::Dict(vec![(key("ids"), tensor(&[2])), (key("mask"), tensor(&[3]))]),
        Input::List(vec![tensor(&[2]), tensor(&[4])]),
        Input::List(vec![Input::Int(3)]),
        Input::Tuple(vec![tensor(&[2]), Input::Float(0.5)]),
    ])
}

pub fn calls(recording: &Recording) -> impl Iterator<Item = &Call> {
    recording.records.iter().filter_map(|record| match record {
        Record::Call(call) => Some(call),
        Record::Alias(_) => None,
    })
}

pub fn aliases(recording: &Recording) -> impl Iterator<Item = &Alias> {
    recording.records.iter().filter_map(|record| match record {
        Record::Alias(alias) => Some(alias),
        Record::Call(_) => None,
    })
}

pub fn slots(call: &Call) -> Vec<&Slot> {
    let mut slots = Vec::new();
    for argument in &call.arguments {
        match &argument.value {
            ArgumentValue::Tensor(slot) => slots.push(slot),
            ArgumentValue::Tensors(list) => slots.extend(list.iter().flatten()),
            _ => {}
        }
    }
    slots
}

/// Checks what must hold for every recording: no value is read before it exists, and each is computed once.
pub fn assert_sound(recording: &Recording) {
    let mut made: HashSet<ValueId> = recording
        .values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.origin != Origin::Computed)
        .map(|(id, _)| ValueId(id))
        .collect();
    for (at, record) in recording.records.iter().enumerate() {
        match record {
            Record::Call(call) => {
                for slot in slots(call) {
                    assert!(
                        made.contains(&slot.value),
                        "record {at}, {}, reads {:?} too early",
                        call.name,
                        slot.value
                    );
                }
                for output in &call.outputs {
                    let new = made.insert(output.slot.value);
                    assert_eq!(
                        new, output.fresh,
                        "record {at}, {}, output {:?}",
                        call.name, output.slot.value
                    );
                }
            }
            Record::Alias(alias) => {
                assert!(
                    alias.sources.iter().all(|source| made.contains(&source.value)),
                    "record {at}: {alias:?}"
                );
                assert!(made.insert(alias.target.value), "record {at} makes {:?} again", alias.target.value);
            }
        }
    }
    assert!(recording.outputs.iter().all(|output| made.contains(&output.value)));
}

/// Puts each alias together from its sources and compares it with the tensor that was read. Returns their number.
///
/// The recording must have kept all tensors.
pub fn assert_aliases_exact(recording: &Recording) -> usize {
    let mut tensors: HashMap<ValueId, &Tensor> = HashMap::new();
    for call in calls(recording) {
        let outputs = call.outputs.iter().map(|output| &output.slot);
        for slot in slots(call).into_iter().chain(outputs) {
            tensors.insert(slot.value, slot.tensor.as_ref().unwrap());
        }
    }
    for port in recording.inputs.iter().chain(&recording.outputs) {
        tensors.insert(port.value, &port.tensor);
    }
    let mut compared = 0;
    for alias in aliases(recording) {
        let patches = alias.sources.iter().chain([&alias.target]);
        let length = patches.map(|patch| places(patch).iter().max().unwrap_or(&-1) + 1).max().unwrap();
        let mut storage = vec![f64::NAN; length as usize];
        for source in &alias.sources {
            let elements =
                Vec::<f64>::try_from(tensors[&source.value].to_kind(Kind::Double).flatten(0, -1)).unwrap();
            for (place, element) in places(source).into_iter().zip(elements) {
                storage[place as usize] = element;
            }
        }
        let put_together: Vec<f64> =
            places(&alias.target).into_iter().map(|place| storage[place as usize]).collect();
        let Some(read) = tensors.get(&alias.target.value) else { continue };
        let read = Vec::<f64>::try_from(read.to_kind(Kind::Double).flatten(0, -1)).unwrap();
        assert_eq!(put_together, read, "{alias:?}");
        compared += 1;
    }
    compared
}

/// The places of a patch's elements in the storage, in row-major order.
fn places(patch: &Patch) -> Vec<i64> {
    let mut places = vec![patch.offset];
    for (&size, &stride) in patch.sizes.iter().zip(&patch.strides) {
        places = places.iter().flat_map(|place| (0..size).map(move |i| place + i * stride)).collect();
    }
    places
}

pub fn bit_equal(a: &Tensor, b: &Tensor) -> bool {
    a.size() == b.size() && a.kind() == b.kind() && a.equal(b)
}

pub fn rows(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.i(..).flatten(0, -1)).unwrap()
}

pub fn policy() -> Policy {
    Policy::new(LEAVES)
}

pub fn keeping_all() -> Policy {
    Policy::keeping_all(LEAVES)
}
