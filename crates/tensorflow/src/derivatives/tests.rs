//! Every derivative against central differences: in double precision if the operator takes doubles.

use super::{derivative, rows};
use crate::eager::one_type;
use crate::proto::Attribute;
use crate::proto::Attribute::{Bool, Float, Int};
use crate::table::jacobians::{array, context, integers, ints, longs, operation, text};
use crate::{DataType, Operation, Record, Scope, Slot, Tensor, TfTensor, ValueId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// An operator with its inputs, and those inputs whose derivative is checked.
struct Case {
    operator: &'static str,
    attributes: Vec<(&'static str, Attribute)>,
    inputs: Vec<Tensor>,
    outputs: usize,
    by: Vec<usize>,
    /// What arrives at these outputs is compared.
    from: Vec<usize>,
    /// What TensorFlow takes for the derivative, in place of the slope: R times this.
    instead: Option<f64>,
}

fn case(operator: &'static str, inputs: impl Into<Vec<Tensor>>) -> Case {
    let inputs = inputs.into();
    let by = (0..inputs.len()).filter(|&index| is_floating(&inputs[index])).collect();
    Case { operator, attributes: Vec::new(), inputs, outputs: 1, by, from: vec![0], instead: None }
}

impl Case {
    fn with(self, attributes: &[(&'static str, Attribute)]) -> Self {
        Self { attributes: attributes.to_vec(), ..self }
    }

    fn by(self, by: &[usize]) -> Self {
        Self { by: by.to_vec(), ..self }
    }

    fn outputs(self, outputs: usize, from: &[usize]) -> Self {
        Self { outputs, from: from.to_vec(), ..self }
    }

    fn times(self, factor: f64) -> Self {
        Self { instead: Some(factor), ..self }
    }

    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        operation(self.operator, &self.attributes).run(context(), inputs, self.outputs)
    }

    /// What is wrong with the derivative.
    fn check(&self) -> Result<(), String> {
        let outputs = self.run(&self.inputs)?;
        let slot =
            |(index, tensor): (usize, &Tensor)| Slot { value: ValueId(index), tensor: Some(tensor.clone()) };
        let mut slots: Vec<Slot> = self.inputs.iter().chain(&outputs).enumerate().map(slot).collect();
        let made = slots.split_off(self.inputs.len());
        let record = Record {
            operation: operation(self.operator, &self.attributes),
            scope: Arc::new(Scope::default()),
            chance: None,
            inputs: slots,
            outputs: made,
        };
        let arriving: Vec<Option<Vec<f64>>> = outputs
            .iter()
            .enumerate()
            .map(|(index, output)| self.from.contains(&index).then(|| weights(array(output).len())))
            .collect();
        let as_tensor = |(output, weights): (&Tensor, &Option<Vec<f64>>)| {
            let weights = weights.as_ref()?;
            Some(TfTensor::from(of_type(output.data_type(), &output.shape().unwrap(), weights)))
        };
        let given: Vec<Option<TfTensor>> = outputs.iter().zip(&arriving).map(as_tensor).collect();
        let wanted: Vec<ValueId> = self.by.iter().copied().map(ValueId).collect();
        let found = derivative(&record).expect(self.operator).adjoint(&wanted, &given);
        let found = found.map_err(|error| error.to_string())?;
        for (&by, found) in self.by.iter().zip(found) {
            let (x, data_type) = (array(&self.inputs[by]), self.inputs[by].data_type());
            let found = found.map(|found| {
                let found = found.to_tensor().unwrap();
                assert_eq!(found.shape().unwrap(), self.inputs[by].shape().unwrap(), "{}", self.operator);
                array(&found)
            });
            let found = found.unwrap_or_else(|| vec![0.0; x.len()]);
            let double =
                data_type == DataType::DOUBLE && outputs[self.from[0]].data_type() == DataType::DOUBLE;
            let (step, tolerance) = if double { (1e-5, 2e-7) } else { (1.0 / 64.0, 4e-3) };
            let expected: Vec<f64> = match self.instead {
                Some(factor) => arriving[0].iter().flatten().map(|r| factor * r).collect(),
                None => (0..x.len())
                    .map(|place| self.slope(by, place, step, &arriving))
                    .collect::<Result<_, _>>()?,
            };
            let scale = expected.iter().chain(&found).fold(1e-2, |scale: f64, value| scale.max(value.abs()));
            let gap = found.iter().zip(&expected).fold(0.0, |gap: f64, (a, b)| gap.max((a - b).abs()));
            // NaN is not near.
            let near = gap <= tolerance * scale;
            if !near {
                return Err(format!("by input {by}: {found:?}, not {expected:?}"));
            }
        }
        Ok(())
    }

    /// Σ R · (f(x + h) − f(x − h)) / 2h
    fn slope(
        &self,
        by: usize,
        place: usize,
        step: f64,
        arriving: &[Option<Vec<f64>>],
    ) -> Result<f64, String> {
        let at = |step: f64| -> Result<f64, String> {
            let (mut x, shape) = (array(&self.inputs[by]), self.inputs[by].shape().unwrap());
            x[place] += step;
            let mut inputs = self.inputs.clone();
            inputs[by] = of_type(inputs[by].data_type(), &shape, &x);
            let outputs = self.run(&inputs)?;
            let weighted = outputs.iter().zip(arriving).filter_map(|(output, weights)| {
                let weights = weights.as_ref()?;
                Some(array(output).iter().zip(weights).map(|(y, r)| y * r).sum::<f64>())
            });
            Ok(weighted.sum::<f64>())
        };
        Ok((at(step)? - at(-step)?) / (2.0 * step))
    }
}

fn is_floating(tensor: &Tensor) -> bool {
    [DataType::FLOAT, DataType::DOUBLE].contains(&tensor.data_type())
}

/// What arrives: different numbers of both signs.
fn weights(count: usize) -> Vec<f64> {
    (0..count).map(|unit| ((unit * 5 + 2) % 13) as f64 / 4.0 - 0.5).collect()
}

fn of_type(data_type: DataType, shape: &[usize], values: &[f64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    context().tensor(DataType::DOUBLE, shape, &bytes).unwrap().cast(data_type).unwrap()
}

fn doubles(shape: &[usize], values: &[f64]) -> Tensor {
    of_type(DataType::DOUBLE, shape, values)
}

fn singles(shape: &[usize], values: &[f64]) -> Tensor {
    of_type(DataType::FLOAT, shape, values)
}

/// Different numbers between −2 and 2, none of them near 0 or near another.
fn spread(shape: &[usize]) -> Vec<f64> {
    let count: usize = shape.iter().product();
    let step = (1..).map(|step| 2 * step + 5).find(|step| gcd(*step, count) == 1).unwrap();
    let value = |index: usize| 4.0 * ((index * step % count.max(1)) as f64 + 0.4) / count as f64 - 2.0;
    (0..count).map(value).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn any(shape: &[usize]) -> Tensor {
    doubles(shape, &spread(shape))
}

fn single(shape: &[usize]) -> Tensor {
    singles(shape, &spread(shape))
}

/// The same, each by a function.
fn of(shape: &[usize], function: impl Fn(f64) -> f64) -> Tensor {
    doubles(shape, &spread(shape).into_iter().map(function).collect::<Vec<_>>())
}

/// Positive ones.
fn positive(shape: &[usize]) -> Tensor {
    of(shape, |value| value.abs() + 0.3)
}

fn functions() -> Vec<Case> {
    let every = [
        "Abs",
        "Square",
        "Exp",
        "Expm1",
        "Sin",
        "Cos",
        "Tan",
        "Atan",
        "Sinh",
        "Cosh",
        "Tanh",
        "Asinh",
        "Sigmoid",
        "Relu",
        "Relu6",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Softplus",
        "Softsign",
        "Softmax",
        "LogSoftmax",
        "Erf",
        "Erfc",
        "Dawsn",
        "FresnelCos",
        "FresnelSin",
        "BesselI0",
        "BesselI0e",
        "BesselI1",
        "BesselI1e",
        "BesselJ0",
        "BesselJ1",
        "Floor",
        "Ceil",
        "Round",
        "Rint",
    ];
    let above_0 = [
        "Sqrt",
        "Rsqrt",
        "Reciprocal",
        "Inv",
        "Log",
        "Log1p",
        "Lgamma",
        "Digamma",
        "Expint",
        "Spence",
        "BesselK0",
        "BesselK0e",
        "BesselK1",
        "BesselK1e",
        "BesselY0",
        "BesselY1",
    ];
    let within_1 = ["Asin", "Acos", "Atanh", "Erfinv"];
    let shape = [2, 2, 3];
    let made = every.into_iter().map(|name| case(name, [any(&shape)]));
    let made = made.chain(above_0.into_iter().map(|name| case(name, [positive(&shape)])));
    let made = made.chain(within_1.into_iter().map(|name| case(name, [of(&shape, |value| value * 0.45)])));
    let more = [
        case("Acosh", [of(&shape, |value| value.abs() + 1.2)]),
        case("Ndtri", [of(&shape, |value| 0.5 + value / 5.0)]),
        case("LeakyRelu", [any(&shape)]).with(&[("alpha", Float(0.375))]),
        case("StopGradient", [any(&shape)]).times(0.0),
        // At 0, where the formula divides by 0.
        case("BesselI1", [doubles(&[1], &[0.0])]),
        case("BesselJ1", [doubles(&[1], &[0.0])]),
        case("Spence", [doubles(&[1], &[1.0])]),
    ];
    made.chain(more).collect()
}

fn pairs() -> Vec<Case> {
    let (wide, narrow) = ([2, 3], [2, 1, 3]);
    let repeated = || [any(&wide), of(&narrow, |value| value * 1.3 + 0.05)];
    let divided = || [any(&wide), positive(&narrow)];
    let mut cases: Vec<Case> = ["SquaredDifference", "Maximum", "Minimum", "Atan2", "NextAfter", "FloorDiv"]
        .into_iter()
        .map(|name| case(name, repeated()))
        .collect();
    cases.extend(
        ["Xlogy", "Xlog1py", "FloorMod", "TruncateDiv"].into_iter().map(|name| case(name, divided())),
    );
    cases.extend([
        case("Pow", [positive(&wide), any(&narrow)]),
        case("Pow", [any(&wide), doubles(&[], &[3.0])]).by(&[0]),
        case("ClipByValue", [any(&wide), doubles(&[], &[-0.9]), doubles(&[], &[0.8])]),
        case("Igamma", [positive(&wide), positive(&narrow)]),
        case("Igammac", [positive(&wide), positive(&narrow)]),
        case("Betainc", [positive(&wide), positive(&wide), of(&wide, |value| 0.5 + value / 5.0)]).by(&[2]),
        case("Zeta", [of(&wide, |value| value.abs() + 1.5), positive(&narrow)]).by(&[1]),
        case("Polygamma", [doubles(&[], &[2.0]), positive(&wide)]).by(&[1]),
        case("Cross", [any(&wide), of(&wide, |value| 1.0 - value * value)]),
        // What is 0 whatever the other is.
        case("Xlogy", [doubles(&[2], &[0.0, 1.5]), doubles(&[2], &[0.0, 2.0])]).by(&[1]),
    ]);
    // Within its range, and beyond.
    for (x, factor) in [(single(&[6]), 1.0), (singles(&[2], &[-5.0, 5.0]), 0.0)] {
        let how = [("min", Float(-3.0)), ("max", Float(3.0))];
        cases.push(case("FakeQuantWithMinMaxArgs", [x]).with(&how).times(factor));
    }
    for name in ["FakeQuantWithMinMaxVars", "QuantizeAndDequantizeV4"] {
        let range = [singles(&[], &[-3.0]), singles(&[], &[3.0])];
        cases.push(case(name, [&[single(&[6])][..], &range].concat()).by(&[0]).times(1.0));
    }
    let ranges = [singles(&[2], &[-3.0, -2.5]), singles(&[2], &[3.0, 2.5])];
    cases.push(
        case("FakeQuantWithMinMaxVarsPerChannel", [&[single(&[3, 2])][..], &ranges].concat())
            .by(&[0])
            .times(1.0),
    );
    cases
}

fn norms() -> Vec<Case> {
    let mut cases = Vec::new();
    let of_channels = |values: [f64; 3]| singles(&[3], &values);
    let scale = || of_channels([0.8, -1.1, 1.4]);
    let shift = || of_channels([0.2, 0.3, -0.4]);
    for (name, outputs) in [("FusedBatchNorm", 5), ("FusedBatchNormV2", 5), ("FusedBatchNormV3", 6)] {
        let x = single(&[2, 2, 2, 3]);
        let statistics = [of_channels([0.1, -0.2, 0.3]), of_channels([0.9, 1.6, 0.4])];
        let inputs = [&[x.clone(), scale(), shift()][..], &statistics].concat();
        let how = [("is_training", Bool(false)), ("epsilon", Float(0.01))];
        cases.push(case(name, inputs).with(&how).outputs(outputs, &[0]).by(&[0, 1, 2]));
        let none = [singles(&[0], &[]), singles(&[0], &[])];
        let inputs = [&[x, scale(), shift()][..], &none].concat();
        let how = [("epsilon", Float(0.01))];
        cases.push(case(name, inputs).with(&how).outputs(outputs, &[0]).by(&[0, 1, 2]));
    }
    let how = [("depth_radius", Int(1)), ("bias", Float(0.7)), ("alpha", Float(0.4)), ("beta", Float(0.6))];
    cases.push(case("LRN", [single(&[1, 2, 2, 5])]).with(&how));
    cases
}

fn reductions() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["Mean", "Max", "Min", "EuclideanNorm", "Prod"] {
        for (axes, keep) in [(&[-1, 0][..], true), (&[1], false), (&[0, 1, 2], false), (&[], false)] {
            let inputs = [any(&[2, 3, 4]), integers(&[axes.len()], axes)];
            cases.push(case(name, inputs).with(&[("keep_dims", Bool(keep))]));
        }
    }
    cases.push(case("Prod", [doubles(&[2, 3], &[0.0, 2.0, 3.0, 0.0, 0.0, 4.0]), integers(&[1], &[1])]));
    for name in ["Cumprod", "CumulativeLogsumexp"] {
        for (exclusive, reverse) in [(false, false), (false, true), (true, false), (true, true)] {
            let how = [("exclusive", Bool(exclusive)), ("reverse", Bool(reverse))];
            for axis in [0, -1] {
                let x = any(&[3, 4]);
                let case = case(name, [x, integers(&[], &[axis])]).with(&how);
                cases.push(case);
            }
        }
    }
    cases
}

fn segments() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["SegmentMean", "SegmentMax", "SegmentMin", "SegmentProd"] {
        cases.push(case(name, [any(&[4, 3]), integers(&[4], &[0, 0, 2, 2])]));
    }
    for name in ["UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd"] {
        let numbers = [integers(&[5], &[2, 0, -1, 0, 2]), integers(&[], &[4])];
        cases.push(case(name, [&[any(&[5, 3])][..], &numbers].concat()));
    }
    let with_zeros = doubles(&[5], &[0.0, 2.0, 3.0, 0.0, 0.0]);
    let numbers = [integers(&[5], &[0, 0, 0, 1, 1]), integers(&[], &[2])];
    cases.push(case("SegmentProd", [with_zeros.clone(), numbers[0].clone()]));
    cases.push(case("UnsortedSegmentProd", [&[with_zeros][..], &numbers].concat()));
    for name in ["TensorScatterMax", "TensorScatterMin"] {
        let inputs = [any(&[4, 2]), integers(&[3, 1], &[1, 3, 1]), of(&[3, 2], |value| value * 0.9 + 0.03)];
        cases.push(case(name, inputs));
    }
    cases
}

fn pools() -> Vec<Case> {
    let windows = |kernel: &[i64], strides: &[i64], padding| {
        [("ksize", ints(kernel)), ("strides", ints(strides)), ("padding", text(padding))]
    };
    let mut cases = Vec::new();
    for name in ["AvgPool", "MaxPool"] {
        cases.push(case(name, [any(&[2, 5, 4, 2])]).with(&windows(&[1, 2, 3, 1], &[1, 2, 1, 1], "VALID")));
        cases.push(case(name, [any(&[1, 6, 5, 2])]).with(&windows(&[1, 3, 2, 1], &[1, 2, 2, 1], "SAME")));
    }
    for name in ["AvgPool3D", "MaxPool3D"] {
        let how = windows(&[1, 2, 3, 2, 1], &[1, 2, 2, 1, 1], "SAME");
        cases.push(case(name, [single(&[1, 3, 4, 3, 2])]).with(&how));
    }
    let how = windows(&[1, 3, 2, 1], &[1, 2, 2, 1], "SAME");
    cases.push(case("MaxPoolWithArgmax", [any(&[2, 6, 5, 2])]).with(&how).outputs(2, &[0]));
    let inputs = [any(&[1, 5, 4, 2]), integers(&[4], &[1, 2, 2, 1]), integers(&[4], &[1, 2, 1, 1])];
    cases.push(case("MaxPoolV2", inputs).with(&[("padding", text("SAME"))]));
    for name in ["FractionalMaxPool", "FractionalAvgPool"] {
        let ratios =
            Attribute::List(crate::proto::List { floats: vec![1.0, 1.44, 1.73, 1.0], ..Default::default() });
        let how =
            [("pooling_ratio", ratios), ("deterministic", Bool(true)), ("seed", Int(5)), ("seed2", Int(7))];
        cases.push(case(name, [any(&[1, 6, 6, 2])]).with(&how).outputs(3, &[0]));
    }
    let how = [("strides", ints(&[1, 1, 1, 1])), ("rates", ints(&[1, 1, 1, 1])), ("padding", text("VALID"))];
    cases.push(case("Dilation2D", [any(&[1, 4, 4, 2]), of(&[2, 2, 2], |value| value / 3.0)]).with(&how));
    cases
}

fn losses() -> Vec<Case> {
    let labels = || doubles(&[2, 3], &[0.2, 0.5, 0.3, 0.0, 0.1, 0.9]);
    vec![
        case("L2Loss", [any(&[2, 3])]),
        case("SoftmaxCrossEntropyWithLogits", [any(&[2, 3]), labels()]).outputs(2, &[0]),
        case("SoftmaxCrossEntropyWithLogits", [any(&[2, 3]), labels()]).outputs(2, &[0, 1]).by(&[0]),
        case("SparseSoftmaxCrossEntropyWithLogits", [any(&[2, 3]), longs(&[2], &[2, 0])]).outputs(2, &[0, 1]),
    ]
}

fn images() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["ResizeBilinear", "ResizeBicubic"] {
        for (align, half) in [(false, false), (true, false), (false, true)] {
            let how = [("align_corners", Bool(align)), ("half_pixel_centers", Bool(half))];
            cases.push(case(name, [single(&[1, 4, 3, 2]), integers(&[2], &[3, 5])]).with(&how));
        }
    }
    for kernel in ["lanczos3", "triangle"] {
        let (scale, moved) = (singles(&[2], &[1.5, 0.6]), singles(&[2], &[0.25, -0.5]));
        let inputs = [single(&[1, 4, 5, 2]), integers(&[2], &[6, 3]), scale, moved];
        cases.push(case("ScaleAndTranslate", inputs).with(&[("kernel_type", text(kernel))]).by(&[0]));
    }
    let boxes = singles(&[2, 4], &[0.13, 0.06, 0.83, 0.94, 0.21, 0.33, 0.68, 0.63]);
    let inputs = [single(&[2, 5, 6, 2]), boxes, integers(&[2], &[1, 0]), integers(&[2], &[3, 2])];
    cases.push(case("CropAndResize", inputs.clone()));
    cases.push(case("CropAndResize", inputs).with(&[("method", text("nearest"))]).by(&[0]));
    cases
}

fn matrices() -> Vec<Case> {
    // Well conditioned, two of them.
    let a = || doubles(&[2, 2, 2], &[2.0, 0.3, -0.4, 1.5, -1.2, 0.7, 0.5, 1.9]);
    let b = || any(&[2, 2, 3]);
    let triangular = || doubles(&[2, 2, 2], &[2.0, 0.0, -0.4, 1.5, -1.2, 0.0, 0.5, 1.9]);
    let mut cases =
        vec![case("MatrixDeterminant", [a()]), case("LogMatrixDeterminant", [a()]).outputs(2, &[1])];
    for adjoint in [false, true] {
        let how = [("adjoint", Bool(adjoint))];
        cases.push(case("MatrixInverse", [a()]).with(&how));
        cases.push(case("MatrixSolve", [a(), b()]).with(&how));
        for lower in [false, true] {
            let how = [("adjoint", Bool(adjoint)), ("lower", Bool(lower))];
            cases.push(case("MatrixTriangularSolve", [triangular(), b()]).with(&how));
        }
    }
    cases
}

fn sparse() -> Vec<Case> {
    let places = longs(&[4, 2], &[0, 0, 0, 2, 1, 1, 2, 0]);
    let shape = longs(&[2], &[3, 3]);
    let mut cases = vec![case("SparseSoftmax", [places.clone(), any(&[4]), shape.clone()])];
    for name in ["SparseDenseCwiseMul", "SparseDenseCwiseDiv"] {
        for dense in [any(&[3, 3]), any(&[3]), any(&[3, 1])] {
            cases.push(case(name, [places.clone(), any(&[4]), shape.clone(), dense]));
        }
    }
    cases
}

fn recurrent() -> Vec<Case> {
    let small = |shape: &[usize]| of(shape, |value| value / 3.0).cast(DataType::FLOAT).unwrap();
    let (steps, samples, features, cells) = (2, 1, 2, 2);
    let inputs = [
        longs(&[], &[steps as i64]),
        small(&[steps, samples, features]),
        small(&[samples, cells]),
        small(&[samples, cells]),
        small(&[features + cells, 4 * cells]),
        small(&[cells]),
        small(&[cells]),
        small(&[cells]),
        small(&[4 * cells]),
    ];
    let peeps = |operator| {
        let how = [("use_peephole", Bool(true))];
        case(operator, inputs.to_vec()).with(&how).outputs(7, &[6])
    };
    vec![peeps("BlockLSTM"), peeps("BlockLSTMV2")]
}

#[test]
fn every_derivative_is_the_slope() {
    let cases = [
        functions(),
        pairs(),
        norms(),
        reductions(),
        segments(),
        pools(),
        losses(),
        images(),
        matrices(),
        sparse(),
        recurrent(),
    ];
    let cases: Vec<Case> = cases.into_iter().flatten().collect();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| Some(format!("\n{}: {}", case.operator, case.check().err()?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:{}", wrong.len(), cases.len(), wrong.concat());
    let checked: BTreeSet<&str> = cases.iter().map(|case| case.operator).chain(ELSEWHERE).collect();
    let listed: BTreeSet<&str> = rows().flat_map(|row| row.names.iter().copied()).collect();
    let unchecked: Vec<_> = listed.difference(&checked).collect();
    assert!(unchecked.is_empty(), "without a case: {unchecked:?}");
}

/// Checked below.
const ELSEWHERE: [&str; 3] = ["Cholesky", "ComplexAbs", "Angle"];

/// An operator whose results, if it has an attribute for their type, are doubles.
fn doubled(operator: &'static str) -> Arc<Operation> {
    let complex = ["ComplexAbs", "Angle"].contains(&operator);
    let types =
        [("T", Attribute::Type(DataType::COMPLEX128.0)), ("Tout", Attribute::Type(DataType::DOUBLE.0))];
    operation(operator, if complex { &types } else { &[] })
}

/// A call whose derivative is asked for by its only input, from its first output.
fn adjoint(operator: &'static str, input: &Tensor) -> Vec<f64> {
    let operation = doubled(operator);
    let made = operation.run(context(), std::slice::from_ref(input), 1).unwrap().remove(0);
    let weights = doubles(&made.shape().unwrap(), &weights(array(&made).len()));
    let slot = |index, tensor: &Tensor| Slot { value: ValueId(index), tensor: Some(tensor.clone()) };
    let (inputs, outputs) = (vec![slot(0, input)], vec![slot(1, &made)]);
    let record = Record { operation, scope: Arc::default(), chance: None, inputs, outputs };
    let found = derivative(&record).unwrap().adjoint(&[ValueId(0)], &[Some(weights.into())]).unwrap();
    array(&found[0].as_ref().unwrap().to_tensor().unwrap())
}

fn weighted(operator: &'static str, input: &Tensor) -> f64 {
    let made = array(&doubled(operator).run(context(), std::slice::from_ref(input), 1).unwrap()[0]);
    made.iter().zip(weights(made.len())).map(|(y, r)| y * r).sum()
}

fn slope(step: f64, at: impl Fn(f64) -> f64) -> f64 {
    (at(step) - at(-step)) / (2.0 * step)
}

#[track_caller]
fn is_near(found: &[f64], expected: &[f64]) {
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-8);
    assert!(near && found.len() == expected.len(), "{found:?}, not {expected:?}");
}

/// The kernel reads one triangle of a symmetric matrix, of which both change together.
#[test]
fn a_cholesky_factor_changes_with_both_triangles() {
    let (size, a) = (3, [4.0, 1.0, 0.5, 1.0, 3.0, -0.7, 0.5, -0.7, 2.0]);
    let found = adjoint("Cholesky", &doubles(&[size, size], &a));
    let (mut of_both, mut expected) = (Vec::new(), Vec::new());
    for (row, column) in (0..size).flat_map(|row| (0..=row).map(move |column| (row, column))) {
        let places: BTreeSet<usize> = [row * size + column, column * size + row].into();
        expected.push(slope(1e-5, |step| {
            let mut a = a;
            places.iter().for_each(|&place| a[place] += step);
            weighted("Cholesky", &doubles(&[size, size], &a))
        }));
        of_both.push(places.iter().map(|&place| found[place]).sum());
    }
    is_near(&of_both, &expected);
}

#[test]
fn a_complex_number_changes_by_its_parts() {
    let parts = [[0.7, -1.2], [-0.4, 0.9], [1.5, 0.6]];
    let numbers = |parts: &[[f64; 2]; 3]| {
        let part = |index: usize| doubles(&[3], &parts.map(|number| number[index]));
        let to = one_type(c"Tout", DataType::COMPLEX128);
        context().execute(c"Complex", &to, [&part(0), &part(1)], 1).unwrap().remove(0)
    };
    for operator in ["ComplexAbs", "Angle"] {
        let mut expected = Vec::new();
        for (number, part) in (0..3).flat_map(|number| [(number, 0), (number, 1)]) {
            expected.push(slope(1e-5, |step| {
                let mut parts = parts;
                parts[number][part] += step;
                weighted(operator, &numbers(&parts))
            }));
        }
        is_near(&adjoint(operator, &numbers(&parts)), &expected);
    }
}

/// Pixels may be bytes.
#[test]
fn whole_numbers_that_move_are_numbers() {
    let found = |data_type: DataType| {
        let picture = singles(&[1, 3, 3, 1], &[3.0, 250.0, 17.0, 90.0, 4.0, 66.0, 128.0, 9.0, 201.0]);
        let inputs = [picture.cast(data_type).unwrap(), integers(&[2], &[2, 5])];
        let operation = operation("ResizeBilinear", &[]);
        let made = operation.run(context(), &inputs, 1).unwrap();
        let arriving = singles(&[1, 2, 5, 1], &weights(10));
        let slot =
            |(index, tensor): (usize, &Tensor)| Slot { value: ValueId(index), tensor: Some(tensor.clone()) };
        let mut slots: Vec<Slot> = inputs.iter().chain(&made).enumerate().map(slot).collect();
        let outputs = slots.split_off(2);
        let record = Record { operation, scope: Arc::default(), chance: None, inputs: slots, outputs };
        let derivative = derivative(&record).unwrap();
        let found = derivative.adjoint(&[ValueId(0), ValueId(1)], &[Some(arriving.into())]).unwrap();
        assert!(found[1].is_none());
        array(&found[0].as_ref().unwrap().to_tensor().unwrap())
    };
    assert_eq!(found(DataType::UINT8), found(DataType::FLOAT));
}

#[test]
fn what_has_no_derivative_is_named() {
    let scalar = || doubles(&[], &[0.5]);
    let slot = |index, tensor: Tensor| Slot { value: ValueId(index), tensor: Some(tensor) };
    let record = Record {
        operation: operation("Betainc", &[]),
        scope: Arc::default(),
        chance: None,
        inputs: (0..3).map(|index| slot(index, scalar())).collect(),
        outputs: vec![slot(3, scalar())],
    };
    let found = derivative(&record).unwrap().adjoint(&[ValueId(0)], &[Some(scalar().into())]);
    assert_eq!(found.unwrap_err().to_string(), "TensorFlow has no derivative of Betainc by its input 0");
}
