//! The rules of single operators against their Jacobians, which come from running them on unit vectors.

use super::{keep, table};
use crate::eager::registered_operators;
use crate::lowering;
use crate::proto::{Attribute, AttributeValue, List, NodeDef};
use crate::{
    Context, DataType, Keep, Library, Operation, Origin, Record, Scope, Slot, Tensor, TfTensor, ValueId,
    ValueInfo,
};
use dlbacktrace_core::rules::RuleSet;
use dlbacktrace_core::{Relevance, Tensor as _, ValueId as Value, WalkOptions, WeightCache};
use std::sync::{Arc, OnceLock};

/// An operator with its attributes and inputs.
pub(super) struct Case {
    operation: Arc<Operation>,
    inputs: Vec<Tensor>,
    outputs: usize,
    /// The outputs that are compared; if empty, all floating ones.
    counted: Vec<usize>,
    rules: RuleSet,
}

pub(crate) fn context() -> &'static Arc<Context> {
    static CONTEXT: OnceLock<Arc<Context>> = OnceLock::new();
    CONTEXT.get_or_init(|| {
        let library = Library::load(None)
            .unwrap_or_else(|error| panic!("{error}, or `cargo xtask setup --tensorflow`"));
        Context::new(library, Some(1)).unwrap()
    })
}

/// A tensor of these numbers.
pub(super) fn numbers(shape: &[usize], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    context().tensor(DataType::FLOAT, shape, &bytes).unwrap()
}

/// Different numbers of both signs, none of them 0.
pub(super) fn values(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let step = (1..).map(|step| 2 * step + 5).find(|step| gcd(*step, count) == 1).unwrap();
    let value = |index: usize| (index * step % count.max(1)) as f32 - count as f32 / 3.0 + 0.4;
    numbers(shape, &(0..count).map(value).collect::<Vec<_>>())
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

pub(crate) fn integers(shape: &[usize], values: &[i32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    context().tensor(DataType::INT32, shape, &bytes).unwrap()
}

pub(crate) fn longs(shape: &[usize], values: &[i64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    context().tensor(DataType::INT64, shape, &bytes).unwrap()
}

pub(super) fn truths(shape: &[usize], values: &[bool]) -> Tensor {
    let bytes: Vec<u8> = values.iter().map(|&value| u8::from(value)).collect();
    context().tensor(DataType::BOOL, shape, &bytes).unwrap()
}

pub(crate) fn ints(ints: &[i64]) -> Attribute {
    Attribute::List(List { ints: ints.to_vec(), ..List::default() })
}

pub(crate) fn text(text: &str) -> Attribute {
    Attribute::Bytes(text.into())
}

pub(super) const INT32: Attribute = Attribute::Type(DataType::INT32.0);
pub(super) const FLOAT: Attribute = Attribute::Type(DataType::FLOAT.0);

/// Attributes that are not given are TensorFlow's defaults, or follow from the inputs.
pub(crate) fn operation(operator: &str, attributes: &[(&str, Attribute)]) -> Arc<Operation> {
    let attribute = |(name, value): &(&str, Attribute)| {
        ((*name).to_owned(), AttributeValue { value: Some(value.clone()) })
    };
    let attributes = attributes.iter().map(attribute).collect();
    let node = NodeDef { name: operator.into(), operator: operator.into(), inputs: Vec::new(), attributes };
    let here = registered_operators(context().library()).get(operator);
    Arc::new(Operation::new(&node, here, None).unwrap())
}

impl Case {
    pub(super) fn new(operator: &str, attributes: &[(&str, Attribute)], inputs: &[Tensor]) -> Self {
        Self {
            operation: operation(operator, attributes),
            inputs: inputs.to_vec(),
            outputs: 1,
            counted: Vec::new(),
            rules: RuleSet::default(),
        }
    }

    /// By another rule set.
    pub(super) fn by(self, rules: &str) -> Self {
        Self { rules: RuleSet::named(rules).unwrap(), ..self }
    }

    pub(super) fn outputs(self, outputs: usize) -> Self {
        Self { outputs, ..self }
    }

    /// Compares only these outputs.
    pub(super) fn counting(self, outputs: &[usize]) -> Self {
        Self { counted: outputs.to_vec(), ..self }
    }

    fn counts(&self, output: usize, tensor: &Tensor) -> bool {
        tensor.data_type() == DataType::FLOAT && (self.counted.is_empty() || self.counted.contains(&output))
    }

    fn run(&self, inputs: &[Tensor]) -> Vec<Tensor> {
        self.operation.run(context(), inputs, self.outputs).unwrap()
    }

    /// Checks that the operator is a sum of its `moving` inputs: each takes |x| ⊙ |W|ᵀ(R ⊘ |W||x|).
    #[track_caller]
    pub(super) fn is_a_sum_of(&self, moving: &[usize]) {
        let columns = self.columns(moving, |values, index| {
            values.fill(0.0);
            values[index] = 1.0;
            1.0
        });
        let x: Vec<f64> = moving.iter().flat_map(|&index| array(&self.inputs[index])).collect();
        let gross: Vec<f64> = (0..columns[0].len())
            .map(|unit| columns.iter().zip(&x).map(|(column, x)| (column[unit] * x).abs()).sum())
            .collect();
        let share = |(column, x): (&Vec<f64>, &f64)| {
            let units = column.iter().zip(&gross).zip(relevance(gross.len()));
            units.map(|((w, gross), r)| if *gross == 0.0 { 0.0 } else { (w * x).abs() / gross * r }).sum()
        };
        self.compare(moving, columns.iter().zip(&x).map(share).collect());
    }

    /// Checks that winners take the relevance of the outputs: small changes of x show which elements won.
    #[track_caller]
    pub(super) fn is_won_by(&self, moving: &[usize]) {
        self.is_won_by_change(moving, 0.125);
    }

    /// Like [`is_won_by`](Self::is_won_by), if its change would make other elements win.
    #[track_caller]
    pub(super) fn is_won_by_change(&self, moving: &[usize], change: f32) {
        let columns = self.columns(moving, |values, index| {
            values[index] += change;
            f64::from(change)
        });
        let share =
            |column: &Vec<f64>| column.iter().zip(relevance(column.len())).map(|(w, r)| w.round() * r).sum();
        self.compare(moving, columns.iter().map(share).collect());
    }

    /// The change of all outputs, one after the other, for a change of each element.
    fn columns(&self, moving: &[usize], change: impl Fn(&mut [f32], usize) -> f64) -> Vec<Vec<f64>> {
        let results = |inputs: &[Tensor]| -> Vec<f64> {
            self.run(inputs)
                .iter()
                .enumerate()
                .filter(|(output, tensor)| self.counts(*output, tensor))
                .flat_map(|(_, tensor)| array(tensor))
                .collect()
        };
        let mut columns = Vec::new();
        for &input in moving {
            let (shape, x) = (self.inputs[input].shape().unwrap(), array(&self.inputs[input]));
            for index in 0..x.len() {
                let mut changed: Vec<f32> = x.iter().map(|&value| value as f32).collect();
                let by = change(&mut changed, index);
                let mut origin = changed.clone();
                origin[index] -= by as f32;
                let with = |values: &[f32]| {
                    let mut inputs = self.inputs.clone();
                    inputs[input] = numbers(&shape, values);
                    results(&inputs)
                };
                let (changed, origin) = (with(&changed), with(&origin));
                columns.push(changed.iter().zip(origin).map(|(a, b)| (a - b) / by).collect());
            }
        }
        columns
    }

    #[track_caller]
    pub(super) fn compare(&self, moving: &[usize], expected: Vec<f64>) {
        let found = self.relevance(moving);
        assert_eq!(found.len(), expected.len(), "{}", self.operation.operator);
        let scale = expected.iter().fold(1e-3, |scale: f64, value| scale.max(value.abs()));
        assert!(scale > 1e-3, "{}: nothing is expected", self.operation.operator);
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let gap = (found - expected).abs();
            assert!(gap <= 2e-5 * scale, "{}: {found} at {index}, not {expected}", self.operation.operator);
        }
    }

    /// The relevance of the moving inputs by the operator's steps.
    #[track_caller]
    fn relevance(&self, moving: &[usize]) -> Vec<f64> {
        let outputs = self.run(&self.inputs);
        let tensors: Vec<&Tensor> = self.inputs.iter().chain(&outputs).collect();
        let reads = self.rules.reads();
        let kept = keep(&self.operation.operator, reads);
        let slot = |(index, tensor): (usize, &&Tensor)| {
            let whole = kept == Keep::All || (kept == Keep::Inputs && index < self.inputs.len());
            let index_like = tensor.data_type() != DataType::FLOAT && index < self.inputs.len();
            let tensor = (whole || index_like).then(|| (*tensor).clone());
            Slot { value: ValueId(index), tensor }
        };
        let mut slots: Vec<Slot> = tensors.iter().enumerate().map(slot).collect();
        let info = |tensor: &&Tensor| ValueInfo {
            data_type: tensor.data_type(),
            shape: tensor.shape().unwrap(),
            origin: Origin::Computed,
        };
        let values = tensors.iter().map(info).collect();
        let (operation, scope) = (Arc::clone(&self.operation), Arc::new(Scope::default()));
        let made = slots.split_off(self.inputs.len());
        let record = Record { operation, scope, chance: None, inputs: slots, outputs: made };
        let mut lowering = lowering::begin(context(), values, &[], reads, table());
        lowering.record(&record).unwrap();
        let mut tape = lowering.writer.tape;
        tape.inputs = moving.iter().map(|&input| Value(input)).collect();
        tape.outputs = (self.inputs.len()..tensors.len()).map(Value).collect();
        let mut start = Vec::new();
        let floating: Vec<usize> =
            (0..outputs.len()).filter(|&output| self.counts(output, &outputs[output])).collect();
        let mut given =
            relevance(floating.iter().map(|&output| array(&outputs[output]).len()).sum()).into_iter();
        for output in floating {
            let shape = outputs[output].shape().unwrap();
            let values: Vec<f32> =
                given.by_ref().take(shape.iter().product()).map(|value| value as f32).collect();
            let seed = Relevance::default_mode(TfTensor::from(numbers(&shape, &values)));
            start.push((Value(self.inputs.len() + output), seed));
        }
        let walked = tape.prepare(&Default::default(), &WeightCache::new(0)).unwrap().backtrace(
            start,
            &WeightCache::new(0),
            WalkOptions { rules: self.rules.clone(), ..WalkOptions::default() },
            &mut (),
        );
        let walked = walked.unwrap_or_else(|error| panic!("{}: {error}", self.operation.operator));
        assert!(walked.ledger.closes(), "{}", self.operation.operator);
        let of = |(input, share): (&usize, Option<Relevance<TfTensor>>)| match share {
            Some(share) => share.first().to_array().unwrap().into_iter().collect(),
            None => vec![0.0; array(&self.inputs[*input]).len()],
        };
        moving.iter().zip(walked.inputs).flat_map(of).collect()
    }
}

/// The start: a number for each unit.
pub(super) fn relevance(units: usize) -> Vec<f64> {
    (0..units).map(|unit| ((unit * 5 + 2) % 13) as f64 / 4.0 - 0.5).collect()
}

pub(crate) fn array(tensor: &Tensor) -> Vec<f64> {
    TfTensor::from(tensor.clone()).to_array().unwrap().into_iter().collect()
}
