//! A framework in a few lines: what it has to tell so that its recordings are explained. It computes on `ndarray`, and
//! its recordings are written by hand.
#![allow(missing_docs)]

use dlbacktrace_core::array::Array;
use dlbacktrace_core::explain::{self, Options, Run};
use dlbacktrace_core::lowering::{self, Framework, Lowering, OfSlot, Table};
use dlbacktrace_core::ops::{Flip, MatMul, Sum};
use dlbacktrace_core::rules::Reads;
use dlbacktrace_core::{
    Chance, Error, Family, Function, Loss, Meta, ModulePath, Place, Port, Result, Slot, Tensor, ValueId,
    WeightCache, WeightKey,
};
use ndarray::{ArrayD, Axis, Ix2, arr2};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Which values of a recording are weights.
struct Toy {
    weights: Vec<ValueId>,
}

/// One operator that ran.
struct Call {
    operator: &'static str,
    layer: &'static str,
    inputs: Vec<Slot<ArrayD<f64>>>,
    output: Slot<ArrayD<f64>>,
}

impl Framework for Toy {
    type Tensor = Array;
    type Raw = ArrayD<f64>;
    type Call = Call;
    /// Its recorder keeps everything.
    type Keep = ();

    const INDICES: () = ();
    const GATED: () = ();
    const OPERANDS: () = ();
    const RESULTS: () = ();
    const DERIVATIVE: () = ();
    const ALL: () = ();

    fn operator(call: &Call) -> &str {
        call.operator
    }

    fn place(call: &Call) -> Place {
        let module = ModulePath { path: call.layer.to_owned(), class: String::new() };
        Place { module, ..Place::default() }
    }

    fn chance(_: &Call) -> Option<Chance> {
        None
    }

    fn operands(call: &Call) -> impl Iterator<Item = &Slot<ArrayD<f64>>> {
        call.inputs.iter()
    }

    fn outputs(call: &Call) -> impl Iterator<Item = (&Slot<ArrayD<f64>>, bool)> {
        std::iter::once((&call.output, true))
    }

    fn on(call: &Call, slot: &mut OfSlot<'_, ArrayD<f64>>) -> Result<Call> {
        let inputs = call.inputs.iter().map(|input| slot(input, false)).collect::<Result<_>>()?;
        Ok(Call { inputs, output: slot(&call.output, true)?, ..*call })
    }

    fn tensor(&self, raw: &ArrayD<f64>, _: &Meta) -> Result<Array> {
        Ok(array(raw))
    }

    fn share(raw: &ArrayD<f64>) -> ArrayD<f64> {
        raw.clone()
    }

    fn part(raw: &ArrayD<f64>, index: usize) -> Result<ArrayD<f64>> {
        Ok(raw.index_axis(Axis(raw.ndim() - 1), index).to_owned())
    }

    fn weight(&self, _: &Slot<ArrayD<f64>>) -> Option<WeightKey> {
        None
    }

    fn is_stored(&self, value: ValueId) -> bool {
        self.weights.contains(&value)
    }
}

fn array(raw: &ArrayD<f64>) -> Array {
    let standard = raw.as_standard_layout();
    Array::from_slice(raw.shape(), standard.as_slice().unwrap_or_default())
}

type Row = lowering::Row<Toy>;

/// Its whole table.
const ROWS: &[Row] = &[
    Row::by_data(&["dense"], Family::WeightedSum, |lowering, call| {
        let operands = call.inputs.iter().map(|slot| lowering.operand(slot)).collect::<Result<_>>()?;
        lowering.step(call, Box::new(MatMul { transposed: true }), operands)
    }),
    Row::by_data(&["plus"], Family::WeightedSum, |lowering, call| {
        let operands = call.inputs.iter().map(|slot| lowering.operand(slot)).collect::<Result<_>>()?;
        lowering.step(call, Box::new(Sum::add()), operands)
    }),
    Row::function(&["rectify"], Function::Other),
    Row::by_shape(&["reverse"], Family::Movement, |lowering, call| {
        let axes = vec![1];
        lowering.all(call, Box::new(Flip { axes }))
    }),
    Row::unruled(&["sort"]),
];

fn table() -> &'static Table<Toy> {
    static TABLE: OnceLock<Table<Toy>> = OnceLock::new();
    TABLE.get_or_init(|| Table::of(ROWS))
}

/// Runs operators and writes down what ran.
struct Recorder {
    values: Vec<ArrayD<f64>>,
    calls: Vec<Call>,
    weights: Vec<ValueId>,
}

impl Recorder {
    fn begin(x: ArrayD<f64>) -> (Self, ValueId) {
        (Self { values: vec![x], calls: Vec::new(), weights: Vec::new() }, ValueId(0))
    }

    fn value(&mut self, value: ArrayD<f64>) -> ValueId {
        self.values.push(value);
        ValueId(self.values.len() - 1)
    }

    fn weight(&mut self, weight: ArrayD<f64>) -> ValueId {
        let value = self.value(weight);
        self.weights.push(value);
        value
    }

    fn slot(&self, value: ValueId) -> Slot<ArrayD<f64>> {
        Slot { value, tensor: Some(self.values[value.0].clone()) }
    }

    fn run(&mut self, operator: &'static str, layer: &'static str, inputs: &[ValueId]) -> ValueId {
        let read: Vec<&ArrayD<f64>> = inputs.iter().map(|value| &self.values[value.0]).collect();
        let matrix = |x: &ArrayD<f64>| x.view().into_dimensionality::<Ix2>().unwrap().to_owned();
        let made = match operator {
            "dense" => (matrix(read[0]).dot(&matrix(read[1]).t()) + read[2]).into_dyn(),
            "plus" => read[0] + read[1],
            "rectify" => read[0].mapv(|x| x.max(0.0)),
            "reverse" => read[0].slice(ndarray::s![.., ..;-1]).to_owned().into_dyn(),
            _ => read[0].clone(),
        };
        let inputs = inputs.iter().map(|value| self.slot(*value)).collect();
        let value = self.value(made);
        self.calls.push(Call { operator, layer, inputs, output: self.slot(value) });
        value
    }

    /// Lowers the recording and explains it.
    fn explain(self, output: ValueId) -> Result<explain::Explanation<Array>> {
        let mut lowering = Lowering::new(Toy { weights: self.weights.clone() }, table(), Reads::default());
        for value in &self.values {
            lowering.writer.tape.value(Meta::new(value.shape().to_vec(), array(value).dtype()));
        }
        for call in &self.calls {
            lowering.record(call)?;
        }
        let port = |name: &str, value: ValueId| Port {
            name: name.to_owned(),
            value,
            tensor: array(&self.values[value.0]),
        };
        let inputs = vec![port("x", ValueId(0))];
        let run = Run {
            tape: lowering.writer.tape,
            given: inputs.clone(),
            inputs,
            outputs: vec![port("output", output)],
            assumed: Vec::new(),
            recorded: Instant::now(),
            forward: Duration::ZERO,
            again: None,
        };
        explain::explain(run, &Options::default(), &WeightCache::new(0))
    }
}

fn network(last: &'static str) -> (Recorder, ValueId) {
    let (mut recorder, x) = Recorder::begin(arr2(&[[1.0, 2.0]]).into_dyn());
    let weight = recorder.weight(arr2(&[[1.0, 1.0], [1.0, -1.0]]).into_dyn());
    let bias = recorder.weight(ndarray::arr1(&[1.0, 0.0]).into_dyn());
    let hidden = recorder.run("dense", "hidden", &[x, weight, bias]);
    let active = recorder.run("rectify", "hidden", &[hidden]);
    let turned = recorder.run("reverse", "", &[active]);
    let output = recorder.run(last, "", &[turned]);
    (recorder, output)
}

#[test]
fn its_recordings_are_explained() -> Result<()> {
    // h = [1 + 2 + 1, 1 − 2] = [4, −1]; rectified and reversed [0, 4]: the largest unit is 4.
    let (recorder, output) = network("rectify");
    let explanation = recorder.explain(output)?;
    let relevance = explanation.inputs[0].relevance.first().to_array()?;
    // 4 is shared by 1, 2 and the bias 1.
    assert_eq!(relevance, arr2(&[[1.0, 2.0]]).into_dyn());
    let lost = explanation.ledger.losses();
    assert_eq!(lost.get(&Loss::Bias).map(|lost| lost.positive), Some(1.0));
    assert!(explanation.ledger.closes());
    Ok(())
}

#[test]
fn an_operator_without_a_rule_is_named() {
    for unruled in ["sort", "unheard of"] {
        let (recorder, output) = network(unruled);
        let error = recorder.explain(output).map(|_| ());
        assert!(matches!(&error, Err(Error::NoRule { operator, .. }) if operator == unruled), "{error:?}");
    }
}

#[test]
fn its_table_is_listed() {
    let rules = table().rules();
    let named: Vec<(&str, Family)> = rules.iter().map(|rule| (rule.operator, rule.family)).collect();
    assert_eq!(
        named,
        [
            ("dense", Family::WeightedSum),
            ("plus", Family::WeightedSum),
            ("rectify", Family::Pass),
            ("reverse", Family::Movement),
            ("sort", Family::Unruled),
        ]
    );
}
