//! Operators that read files and messages inside the model (rules, "Files and messages"). Bytes say nothing by themselves: the
//! numbers and texts decoded from them are inputs of their own, with names such as `image:DecodeJpeg` and `examples[age]`.

use super::Entry;
use crate::lowering::{Lowering, input, not_kept};
use crate::{DataType, Origin, Record, Result as TfResult, Slot, TfTensor};
use dlbacktrace_core::ops::{Constant, Pass};
use dlbacktrace_core::{DType, Error, Family, Meta, Operand, Port, Result, Tensor, ValueId};
use std::collections::{HashMap, HashSet};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_result(
        &[
            "DecodeJpeg",
            "DecodeAndCropJpeg",
            "DecodePng",
            "DecodeBmp",
            "DecodeGif",
            "DecodeWebP",
            "DecodeImage",
            "DecodeWav",
            "DecodeRaw",
            "DecodePaddedRaw",
            "ParseTensor",
            "StringToNumber",
        ],
        Family::Pass,
        |lowering, record| {
            let operator = &record.operation.operator;
            // A sound comes with its rate, which carries nothing.
            read(lowering, record, |owner, output| (output == 0).then(|| format!("{owner}:{operator}")))
        },
    ),
    Entry::by_result(&["DecodeCSV"], Family::Pass, |lowering, record| {
        read(lowering, record, |owner, column| Some(format!("{owner}[{column}]")))
    }),
    Entry::by_result(
        &[
            "ParseExample",
            "ParseExampleV2",
            "ParseSingleExample",
            "ParseSequenceExample",
            "ParseSequenceExampleV2",
            "ParseSingleSequenceExample",
        ],
        Family::Pass,
        parsed,
    ),
];

/// Each output that gets a name becomes an input. The others, such as places and shapes, carry nothing.
fn read(
    lowering: &mut Lowering,
    record: &Record,
    name: impl Fn(&str, usize) -> Option<String>,
) -> Result<()> {
    let Some(owner) = owner(lowering, input(record, 0)?) else {
        return lowering.all(record, Box::new(Constant));
    };
    for (index, output) in record.outputs.iter().enumerate() {
        match name(&owner, index) {
            Some(name) => begin(lowering, name, output)?,
            None => lowering.writer.step(Box::new(Constant), Vec::new(), vec![output.value]),
        }
    }
    lowering.framework.owners.insert(owner);
    Ok(())
}

/// The name of the input, or of the value read from an input, from which a value was made.
fn owner(lowering: &Lowering, slot: &Slot) -> Option<String> {
    let (mut waiting, mut seen) = (vec![slot.value], HashSet::new());
    while let Some(value) = waiting.pop() {
        if let Some(port) = lowering.framework.ports.iter().find(|port| port.value == value) {
            return Some(port.name.clone());
        }
        if let Some(Origin::Input(name)) = lowering.framework.origins.get(value.0) {
            return Some(name.clone());
        }
        let makers = lowering.writer.tape.steps.iter().filter(|step| step.outputs.contains(&value));
        let operands = makers.flat_map(|step| step.inputs.iter().rev().map(|operand| operand.value));
        waiting.extend(operands.filter(|&operand| seen.insert(operand)));
    }
    None
}

/// What an operator read becomes an input to explain. Pictures and sounds are explained as floats.
fn begin(lowering: &mut Lowering, name: String, slot: &Slot) -> Result<()> {
    let tensor = slot.tensor.as_ref().ok_or_else(|| not_kept(slot))?;
    let mut value = slot.value;
    let mut read = TfTensor::from(tensor.clone());
    if SAMPLES.contains(&tensor.data_type()) {
        read = read.cast(DType::F32)?;
        let numbers =
            Operand::new(lowering.writer.tape.value(Meta::new(read.shape(), DType::F32)), read.clone());
        let from = numbers.value;
        lowering.writer.step(Box::new(Pass::identity()), vec![numbers], vec![value]);
        value = from;
    }
    lowering.framework.ports.push(Port { name, value, tensor: read });
    Ok(())
}

/// What is to be explained: the inputs, and what was read from them. An input that is only read is left out.
pub(crate) fn explained(lowering: &mut Lowering, inputs: Vec<Port<TfTensor>>) -> Vec<Port<TfTensor>> {
    let mut ports: Vec<_> = inputs.into_iter().chain(std::mem::take(&mut lowering.framework.ports)).collect();
    ports
        .retain(|port| !(lowering.framework.owners.contains(&port.name) && only_moves(lowering, port.value)));
    number(&mut ports);
    ports
}

/// Whether a value is only moved and asked for its shape.
fn only_moves(lowering: &Lowering, value: ValueId) -> bool {
    let mut moved = HashSet::from([value]);
    lowering.writer.tape.steps.iter().all(|step| {
        let reads = step.inputs.iter().any(|operand| moved.contains(&operand.value));
        match step.op.family() {
            _ if !reads => true,
            Family::Movement | Family::Pass => {
                moved.extend(&step.outputs);
                true
            }
            family => family == Family::Constant,
        }
    })
}

/// Element types that hold samples of pictures and sounds.
const SAMPLES: [DataType; 4] = [DataType::UINT8, DataType::INT8, DataType::UINT16, DataType::INT16];

/// Numbers ports of the same name.
fn number(ports: &mut [Port<TfTensor>]) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for port in &*ports {
        *counts.entry(port.name.clone()).or_default() += 1;
    }
    let mut used: HashMap<String, usize> = HashMap::new();
    for port in ports.iter_mut().filter(|port| counts[&port.name] > 1) {
        let index = used.entry(port.name.clone()).or_default();
        port.name = format!("{}[{index}]", port.name);
        *index += 1;
    }
}

/// Names each output that holds the values of a feature after the feature.
fn parsed(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let keys = keys(record).map_err(|error| Error::tensor("features", error))?;
    read(lowering, record, |owner, output| keys.get(output)?.as_ref().map(|key| format!("{owner}[{key}]")))
}

/// The feature whose values each output holds, if any. The outputs are: places, values and shapes of all sparse
/// features; dense features; values and bounds of ragged features. A sequence has these twice: first for the whole,
/// then for its steps, where dense features come with lengths too and ragged ones with two kinds of bounds.
fn keys(record: &Record) -> TfResult<Vec<Option<String>>> {
    let (operation, inputs) = (&record.operation, &record.inputs);
    let count = |name| operation.int(name).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let attribute = |name| -> Vec<String> {
        let keys = operation.texts(name).unwrap_or_default();
        keys.into_iter().map(str::to_owned).collect()
    };
    // The inputs from `first` on, as lists of `counts`.
    let listed = |first: usize, counts: &[usize]| {
        let mut next = first;
        let lists = counts.iter().map(|count| {
            let slots = inputs.get(next..next + count).unwrap_or_default();
            next += count;
            texts(slots)
        });
        lists.collect::<TfResult<Vec<_>>>()
    };
    const OF_SEQUENCES: [&str; 4] =
        ["context_sparse_keys", "context_dense_keys", "feature_list_sparse_keys", "feature_list_dense_keys"];
    let none = Vec::new;
    let mut outputs = Outputs::default();
    match operation.operator.as_str() {
        "ParseExampleV2" => outputs.add(&listed(2, &[1, 1, 1])?, false, 1),
        "ParseExample" => {
            outputs.add(&[listed(2, &[count("Nsparse"), count("Ndense")])?, vec![none()]].concat(), false, 1);
        }
        "ParseSingleExample" => {
            outputs.add(&[attribute("sparse_keys"), attribute("dense_keys"), none()], false, 1);
        }
        "ParseSequenceExampleV2" => {
            let lists = listed(2, &[1; 6])?;
            outputs.add(&lists[..3], false, 1);
            outputs.add(&lists[3..], true, 2);
        }
        operator => {
            let single = operator == "ParseSingleSequenceExample";
            let lists = match single {
                true => listed(
                    2,
                    &["Ncontext_sparse", "Ncontext_dense", "Nfeature_list_sparse", "Nfeature_list_dense"]
                        .map(count),
                )?,
                false => OF_SEQUENCES.map(attribute).to_vec(),
            };
            outputs.add(&[&lists[..2], &[none()]].concat(), false, 1);
            outputs.add(&[&lists[2..], &[none()]].concat(), !single, 2);
        }
    }
    Ok(outputs.0)
}

/// The outputs of a parser.
#[derive(Default)]
struct Outputs(Vec<Option<String>>);

impl Outputs {
    fn values(&mut self, keys: &[String]) {
        self.0.extend(keys.iter().cloned().map(Some));
    }

    fn others(&mut self, count: usize) {
        self.0.extend(std::iter::repeat_n(None, count));
    }

    /// Adds sparse, dense and ragged features; dense ones with `lengths`, ragged ones with so many `bounds`.
    fn add(&mut self, lists: &[Vec<String>], lengths: bool, bounds: usize) {
        let [sparse, dense, ragged] = lists else { return };
        self.others(sparse.len());
        self.values(sparse);
        self.others(sparse.len());
        self.values(dense);
        self.others(if lengths { dense.len() } else { 0 });
        self.values(ragged);
        self.others(bounds * ragged.len());
    }
}

fn texts(slots: &[Slot]) -> TfResult<Vec<String>> {
    let mut texts = Vec::new();
    for tensor in slots.iter().filter_map(|slot| slot.tensor.as_ref()) {
        texts.extend(tensor.strings()?.iter().map(|text| String::from_utf8_lossy(text).into_owned()));
    }
    Ok(texts)
}
