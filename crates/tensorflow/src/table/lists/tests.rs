//! The rules of chains of operators on lists, against what TensorFlow moved.

use crate::lowering;
use crate::table::jacobians::{FLOAT, array, context, integers, numbers, operation, relevance, values};
use crate::table::table;
use crate::{DataType, Origin, Record, Scope, Slot, Tensor, TfTensor, ValueId, ValueInfo};
use dlbacktrace_core::rules::Reads;
use dlbacktrace_core::{Relevance, Tensor as _, ValueId as Value, WalkOptions, WeightCache};
use std::sync::Arc;

/// Operators that run one after the other on lists. Value 0 is explained.
struct Chain {
    values: Vec<Tensor>,
    records: Vec<Record>,
}

impl Chain {
    fn new(shape: &[usize]) -> Self {
        Self { values: vec![values(shape)], records: Vec::new() }
    }

    fn integers(&mut self, shape: &[usize], integers_: &[i32]) -> usize {
        self.values.push(integers(shape, integers_));
        self.values.len() - 1
    }

    fn longs(&mut self, longs: &[i64]) -> usize {
        let bytes: Vec<u8> = longs.iter().flat_map(|long| long.to_ne_bytes()).collect();
        self.values.push(context().tensor(DataType::INT64, &[longs.len()], &bytes).unwrap());
        self.values.len() - 1
    }

    fn number(&mut self, number: i32) -> usize {
        self.integers(&[], &[number])
    }

    /// The first of the values that an operator makes.
    fn run(&mut self, operator: &str, attribute: &str, inputs: &[usize], outputs: usize) -> usize {
        let attributes = [(attribute, FLOAT)];
        let operation = operation(operator, if attribute.is_empty() { &[] } else { &attributes });
        let given: Vec<Tensor> = inputs.iter().map(|&input| self.values[input].clone()).collect();
        let made = operation.run(context(), &given, outputs).unwrap();
        let first = self.values.len();
        let slot = |value: usize, tensor: &Tensor| {
            let index = tensor.data_type() == DataType::INT32 || tensor.data_type() == DataType::INT64;
            Slot { value: ValueId(value), tensor: index.then(|| tensor.clone()) }
        };
        self.records.push(Record {
            chance: None,
            operation,
            scope: Arc::new(Scope::default()),
            inputs: inputs.iter().zip(&given).map(|(&input, tensor)| slot(input, tensor)).collect(),
            outputs: (first..).zip(&made).map(|(value, tensor)| slot(value, tensor)).collect(),
        });
        self.values.extend(made);
        first
    }

    fn list(&mut self, operator: &str, inputs: &[usize]) -> usize {
        let outputs = if operator.contains("Concat") || operator.contains("Pop") { 2 } else { 1 };
        self.run(operator, "element_dtype", inputs, outputs)
    }

    fn array(&mut self, operator: &str, inputs: &[usize]) -> usize {
        let attribute = match operator {
            "TensorArrayV3" | "TensorArrayReadV3" | "TensorArrayGatherV3" | "TensorArrayConcatV3" => "dtype",
            _ => "T",
        };
        let outputs = if operator.ends_with("ArrayV3") || operator.contains("Concat") { 2 } else { 1 };
        self.run(operator, attribute, inputs, outputs)
    }

    /// Checks that each element of value 0 takes what arrives at the elements of the result that equal it.
    #[track_caller]
    fn moves_to(self, result: usize) {
        let info = |tensor: &Tensor| {
            let data_type = tensor.data_type();
            let opaque = [DataType::VARIANT, DataType::RESOURCE].contains(&data_type);
            let shape = if opaque { Vec::new() } else { tensor.shape().unwrap() };
            ValueInfo { data_type, shape, origin: Origin::Computed }
        };
        let infos = self.values.iter().map(info).collect();
        let mut lowering = lowering::begin(context(), infos, &self.records, Reads::default(), table());
        for record in self.records {
            lowering.record(&record).unwrap();
        }
        let (x, y) = (array(&self.values[0]), array(&self.values[result]));
        let start = relevance(y.len());
        let expected: Vec<f64> = x
            .iter()
            .map(|x| y.iter().zip(&start).filter(|(y, _)| *y == x).map(|(_, relevance)| relevance).sum())
            .collect();
        assert!(expected.iter().any(|&relevance| relevance != 0.0), "nothing is expected");
        let start: Vec<f32> = start.into_iter().map(|value| value as f32).collect();
        let start = numbers(&self.values[result].shape().unwrap(), &start);
        let start = vec![(Value(result), Relevance::default_mode(TfTensor::from(start)))];
        let mut tape = lowering.writer.tape;
        (tape.inputs, tape.outputs) = (vec![Value(0)], vec![Value(result)]);
        let prepared = tape.prepare(&Default::default(), &WeightCache::new(0)).unwrap();
        let mut walked =
            prepared.backtrace(start, &WeightCache::new(0), WalkOptions::default(), &mut ()).unwrap();
        assert!(walked.ledger.closes());
        let found = walked.inputs.remove(0).unwrap().first().to_array().unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn elements_that_are_set_pushed_and_popped() {
    let mut chain = Chain::new(&[4, 2]);
    let [shape, one, three, six] =
        [chain.integers(&[1], &[2]), chain.number(1), chain.number(3), chain.number(6)];
    let list = chain.list("TensorListFromTensor", &[0, shape]);
    let item = chain.list("TensorListGetItem", &[list, three, shape]);
    let set = chain.list("TensorListSetItem", &[list, one, item]);
    let pushed = chain.list("TensorListPushBack", &[set, item]);
    let popped = chain.list("TensorListPopBack", &[pushed, shape]);
    let again = chain.list("TensorListPushBack", &[popped, popped + 1]);
    let longer = chain.run("TensorListResize", "", &[again, six], 1);
    let result = chain.list("TensorListStack", &[longer, shape]);
    chain.moves_to(result);
}

#[test]
fn what_was_never_written_is_constant() {
    let mut chain = Chain::new(&[2]);
    let [shape, one, three] = [chain.integers(&[1], &[2]), chain.number(1), chain.number(3)];
    let list = chain.list("TensorListReserve", &[shape, three]);
    let set = chain.list("TensorListSetItem", &[list, one, 0]);
    let result = chain.list("TensorListStack", &[set, shape]);
    chain.moves_to(result);
}

#[test]
fn rows_are_scattered_and_gathered() {
    for existing in [false, true] {
        let mut chain = Chain::new(&[3, 2]);
        let [shape, five] = [chain.integers(&[1], &[2]), chain.number(5)];
        let (places, wanted) = (chain.integers(&[3], &[4, 0, 2]), chain.integers(&[3], &[2, 4, 4]));
        let list = match existing {
            false => chain.list("TensorListScatterV2", &[0, places, shape, five]),
            true => {
                let list = chain.list("TensorListReserve", &[shape, five]);
                chain.list("TensorListScatterIntoExistingList", &[list, 0, places])
            }
        };
        let result = chain.list("TensorListGather", &[list, wanted, shape]);
        chain.moves_to(result);
    }
}

#[test]
fn parts_of_several_lengths_are_split_off_and_joined() {
    let mut chain = Chain::new(&[5, 2]);
    let shape = chain.integers(&[2], &[-1, 2]);
    let lengths = chain.longs(&[2, 0, 3]);
    let leading = chain.longs(&[]);
    let list = chain.list("TensorListSplit", &[0, shape, lengths]);
    let result = chain.list("TensorListConcatV2", &[list, shape, leading]);
    chain.moves_to(result);
}

#[test]
fn arrays_are_changed_in_place() {
    let mut chain = Chain::new(&[3, 2]);
    let [zero, two, four] = [chain.number(0), chain.number(2), chain.number(4)];
    let (places, wanted) = (chain.integers(&[3], &[3, 1, 2]), chain.integers(&[3], &[1, 0, 3]));
    let handle = chain.array("TensorArrayV3", &[four]);
    let scattered = chain.array("TensorArrayScatterV3", &[handle, places, 0, handle + 1]);
    let row = chain.array("TensorArrayReadV3", &[handle, two, scattered]);
    let written = chain.array("TensorArrayWriteV3", &[handle, zero, row, scattered]);
    let result = chain.array("TensorArrayGatherV3", &[handle, wanted, written]);
    chain.moves_to(result);
}

#[test]
fn arrays_are_split_and_joined() {
    let mut chain = Chain::new(&[5, 2]);
    let (three, lengths) = (chain.number(3), chain.longs(&[2, 1, 2]));
    let handle = chain.array("TensorArrayV3", &[three]);
    let split = chain.array("TensorArraySplitV3", &[handle, 0, lengths, handle + 1]);
    let result = chain.array("TensorArrayConcatV3", &[handle, split]);
    chain.moves_to(result);
}
