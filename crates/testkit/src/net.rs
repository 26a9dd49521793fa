//! Networks of a few operators, computed and recorded by hand.

use crate::numbers::Numbers;
use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{
    Constant, Convolution, Embedding, Extremum, MatMul, Measure, OneHot, Pass, Permute, Product, Quotient,
    Reduce, Reshape, Statistic, Sum,
};
use dlbacktrace_core::{
    Backtrace, BacktraceOp, ConvGeometry, DType, Error, Function, Meta, ModulePath, Operand, Place, Prepared,
    Relevance, Step, Tape, ValueId, WalkOptions, WeightCache,
};
use ndarray::{ArrayD, Axis};

/// A tape that is being written, with the numbers of its values.
pub struct Net {
    pub tape: Tape<Array>,
    data: Vec<ArrayD<f64>>,
    numbers: Numbers,
}

impl Default for Net {
    fn default() -> Self {
        Self { tape: Tape::new(), data: Vec::new(), numbers: Numbers::new(7) }
    }
}

impl Net {
    pub fn new() -> Self {
        Self::default()
    }

    fn value(&mut self, data: ArrayD<f64>, dtype: DType) -> ValueId {
        let value = self.tape.value(Meta::new(data.shape().to_vec(), dtype));
        self.data.push(data);
        value
    }

    /// The numbers of a value.
    pub fn data(&self, value: ValueId) -> &ArrayD<f64> {
        &self.data[value.0]
    }

    /// An input to explain.
    pub fn input(&mut self, shape: &[usize]) -> ValueId {
        let value = self.constant(shape);
        self.tape.inputs.push(value);
        value
    }

    /// An input of these numbers.
    pub fn given(&mut self, data: ArrayD<f64>) -> ValueId {
        let value = self.number(data);
        self.tape.inputs.push(value);
        value
    }

    /// A constant of these numbers.
    pub fn number(&mut self, data: ArrayD<f64>) -> ValueId {
        self.value(data, DType::F64)
    }

    /// An integer input, of numbers below 4.
    pub fn tokens(&mut self, shape: &[usize]) -> ValueId {
        let data = self.numbers.whole(shape, 4);
        let value = self.value(data, DType::Int);
        self.tape.inputs.push(value);
        value
    }

    /// Gives other numbers to a value that nothing has read yet.
    pub fn set(&mut self, value: ValueId, data: ArrayD<f64>) {
        self.data[value.0] = data;
    }

    /// A parameter or the like.
    pub fn constant(&mut self, shape: &[usize]) -> ValueId {
        // Neither 0 nor 1, and all different.
        let data = self.numbers.rough(shape) + 0.3;
        self.value(data, DType::F64)
    }

    /// A number that is an integer.
    pub fn integer(&mut self, number: i64) -> ValueId {
        self.value(ndarray::arr0(number as f64).into_dyn(), DType::Int)
    }

    /// The value that the model returns.
    pub fn returns(&mut self, value: ValueId) -> ValueId {
        self.tape.outputs.push(value);
        value
    }

    /// One step with one output.
    pub fn step(
        &mut self,
        op: impl BacktraceOp<Array> + 'static,
        inputs: &[ValueId],
        result: ArrayD<f64>,
        dtype: DType,
    ) -> ValueId {
        let operand = |&value: &ValueId| {
            let meta = self.tape.meta(value).clone();
            // Integers among floats are read as numbers, as the frameworks do.
            let data = Some(Array::new(self.data[value.0].clone()));
            Operand { data, ..Operand::shape_only(value, meta) }
        };
        let inputs = inputs.iter().map(operand).collect();
        let output = self.value(result, dtype);
        let step = self.tape.steps.len();
        // Each step in a module of its own, named by its number.
        let module = ModulePath { path: step.to_string(), class: String::new() };
        let place = Place { step, module, ..Place::default() };
        self.tape.steps.push(Step::new(format!("step {step}"), place, Box::new(op), inputs, vec![output]));
        output
    }

    pub fn function(&mut self, function: Function, x: ValueId, f: impl Fn(f64) -> f64) -> ValueId {
        let result = self.data(x).mapv(f);
        self.step(Pass::function(function), &[x], result, DType::F64)
    }

    pub fn sigmoid(&mut self, x: ValueId) -> ValueId {
        self.function(Function::Sigmoid, x, |x| 1.0 / (1.0 + (-x).exp()))
    }

    pub fn tanh(&mut self, x: ValueId) -> ValueId {
        self.function(Function::Tanh, x, f64::tanh)
    }

    pub fn relu(&mut self, x: ValueId) -> ValueId {
        self.function(Function::Other, x, |x| x.max(0.0))
    }

    pub fn exp(&mut self, x: ValueId) -> ValueId {
        self.function(Function::Exp, x, f64::exp)
    }

    pub fn log(&mut self, x: ValueId) -> ValueId {
        self.function(Function::Log, x, f64::ln)
    }

    pub fn power(&mut self, x: ValueId, exponent: f64) -> ValueId {
        self.function(Function::Power(exponent), x, |x| x.powf(exponent))
    }

    /// A product with a number.
    pub fn scale(&mut self, x: ValueId, factor: f64) -> ValueId {
        self.function(Function::Scale(factor), x, |x| factor * x)
    }

    pub fn identity(&mut self, x: ValueId, dtype: DType) -> ValueId {
        let result = self.data(x).clone();
        self.step(Pass::identity(), &[x], result, dtype)
    }

    /// A sum with a number.
    pub fn shift(&mut self, x: ValueId, constant: f64) -> ValueId {
        let result = self.data(x) + constant;
        self.step(Sum { factors: vec![1.0], constant }, &[x], result, DType::F64)
    }

    /// The element type of what is computed from two values.
    fn common(&self, a: ValueId, b: ValueId) -> DType {
        let ints = [a, b].iter().all(|&value| self.tape.meta(value).dtype == DType::Int);
        if ints { DType::Int } else { DType::F64 }
    }

    pub fn add(&mut self, a: ValueId, b: ValueId) -> ValueId {
        let result = self.data(a) + self.data(b);
        self.step(Sum::add(), &[a, b], result, self.common(a, b))
    }

    pub fn sub(&mut self, a: ValueId, b: ValueId) -> ValueId {
        let result = self.data(a) - self.data(b);
        self.step(Sum { factors: vec![1.0, -1.0], constant: 0.0 }, &[a, b], result, DType::F64)
    }

    pub fn mul(&mut self, a: ValueId, b: ValueId) -> ValueId {
        let result = self.data(a) * self.data(b);
        self.step(Product, &[a, b], result, self.common(a, b))
    }

    pub fn div(&mut self, a: ValueId, b: ValueId) -> ValueId {
        let result = self.data(a) / self.data(b);
        self.step(Quotient, &[a, b], result, DType::F64)
    }

    /// The mean over the last axis, kept.
    pub fn mean(&mut self, x: ValueId) -> ValueId {
        let axis = Axis(self.data(x).ndim() - 1);
        let result = self.data(x).mean_axis(axis).unwrap().insert_axis(axis);
        self.step(Reduce { axes: vec![axis.0] }, &[x], result, DType::F64)
    }

    /// The sum over the last axis, kept.
    pub fn sum(&mut self, x: ValueId) -> ValueId {
        let axis = Axis(self.data(x).ndim() - 1);
        let result = self.data(x).sum_axis(axis).insert_axis(axis);
        self.step(Reduce { axes: vec![axis.0] }, &[x], result, DType::F64)
    }

    /// A variance, norm or the like over the last axis, kept: an operator of its own.
    pub fn statistic(&mut self, measure: Measure, x: ValueId, f: impl Fn(&[f64]) -> f64) -> ValueId {
        let axis = Axis(self.data(x).ndim() - 1);
        let result = self.data(x).map_axis(axis, |row| f(&row.to_vec())).insert_axis(axis);
        self.step(Statistic { axes: vec![axis.0], measure }, &[x], result, DType::F64)
    }

    /// a·b over the last two axes of matrices.
    pub fn matmul(&mut self, a: ValueId, b: ValueId) -> ValueId {
        let result = crate::forward::matmul(self.data(a), self.data(b));
        self.step(MatMul { transposed: false }, &[a, b], result, DType::F64)
    }

    /// x with its last two axes exchanged.
    pub fn transposed(&mut self, x: ValueId) -> ValueId {
        let mut result = self.data(x).clone();
        let rank = result.ndim();
        result.swap_axes(rank - 2, rank - 1);
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        self.step(Permute { order }, &[x], result.as_standard_layout().into_owned(), DType::F64)
    }

    pub fn softmax(&mut self, x: ValueId) -> ValueId {
        let mut result = self.data(x).clone();
        for mut row in result.rows_mut() {
            let max = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            row.mapv_inplace(|x| (x - max).exp());
            let sum = row.sum();
            row.mapv_inplace(|x| x / sum);
        }
        self.step(Pass::function(Function::Softmax), &[x], result, DType::F64)
    }

    /// A 1 × 1 convolution of `[1, C, H, W]` to `channels`.
    pub fn convolution(&mut self, x: ValueId, channels: usize) -> ValueId {
        let [_, depth, height, width] = self.data(x).shape()[..] else { panic!("four axes") };
        let weight = self.constant(&[channels, depth, 1, 1]);
        let flat = self.data(x).to_shape(vec![depth, height * width]).unwrap().to_owned();
        let matrix = self.data(weight).to_shape(vec![channels, depth]).unwrap().to_owned();
        let result = crate::forward::matmul(&matrix, &flat);
        let result = result.into_shape_with_order(vec![1, channels, height, width]).unwrap();
        let geometry =
            ConvGeometry { stride: vec![1; 2], padding: vec![0; 2], dilation: vec![1; 2], groups: 1 };
        self.step(Convolution { geometry }, &[x, weight], result, DType::F64)
    }

    pub fn reshape(&mut self, x: ValueId, shape: &[usize]) -> ValueId {
        let result = self.data(x).to_shape(shape).unwrap().to_owned();
        let dtype = self.tape.meta(x).dtype;
        self.step(Reshape, &[x], result, dtype)
    }

    /// Rows of a constant table of 8.
    pub fn embedding(&mut self, tokens: ValueId, width: usize) -> ValueId {
        let table = self.constant(&[8, width]);
        let shape = [self.data(tokens).shape(), &[width]].concat();
        let rows = self
            .data(tokens)
            .iter()
            .flat_map(|&token| (0..width).map(move |column| [token as usize, column]));
        let result = rows.map(|at| self.data(table)[at]).collect();
        let result = ArrayD::from_shape_vec(shape, result).unwrap();
        self.step(Embedding, &[table, tokens], result, DType::F64)
    }

    /// The element of a vector at an index.
    pub fn element(&mut self, table: ValueId, index: ValueId) -> ValueId {
        let at = self.data(index).iter().map(|&at| at as usize).next().unwrap();
        let result = ArrayD::from_elem(self.data(index).shape(), self.data(table)[[at]]);
        let dtype = self.tape.meta(table).dtype;
        self.step(Embedding, &[table, index], result, dtype)
    }

    /// Rows of zeros with a one where each of 8 tokens has its place, as integers.
    pub fn one_hot(&mut self, tokens: ValueId) -> ValueId {
        let shape = self.data(tokens).shape().to_vec();
        let rows = self
            .data(tokens)
            .iter()
            .flat_map(|&token| (0..8).map(move |name| f64::from(u8::from(token == f64::from(name)))));
        let result = ArrayD::from_shape_vec([&shape[..], &[8]].concat(), rows.collect()).unwrap();
        self.step(OneHot { axis: shape.len() }, &[tokens], result, DType::Int)
    }

    /// Where the largest of each row stands.
    pub fn place_of_largest(&mut self, x: ValueId) -> ValueId {
        let rows = self.data(x).rows().into_iter();
        let place = |row: ndarray::ArrayView1<f64>| {
            (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as f64
        };
        let places: Vec<f64> = rows.map(place).collect();
        let result = ArrayD::from_shape_vec(vec![places.len()], places).unwrap();
        self.step(Extremum { axes: vec![1], largest: true }, &[x], result, DType::Int)
    }

    /// Where tokens are not 0: a comparison.
    pub fn mask(&mut self, tokens: ValueId) -> ValueId {
        let result = self.data(tokens).mapv(|token| f64::from(u8::from(token != 0.0)));
        self.step(Constant, &[tokens], result, DType::Bool)
    }

    /// The analysed tape.
    pub fn prepared(self, options: &PrepareOptions) -> Prepared<Array> {
        self.tape.prepare(options, &WeightCache::new(0)).unwrap()
    }

    /// Relevance of a value's shape.
    pub fn relevance(&mut self, value: ValueId, contrastive: bool) -> Relevance<Array> {
        let shape = self.data(value).shape().to_vec();
        let mut channel = || Array::new(self.numbers.rough(&shape));
        if contrastive {
            Relevance::contrastive(channel(), channel())
        } else {
            Relevance::default_mode(channel())
        }
    }

    /// Walks back from a value.
    pub fn explain(self, from: ValueId, relevance: Relevance<Array>) -> Result<Backtrace<Array>, Error> {
        let prepared = self.prepared(&PrepareOptions::default());
        let outcome = prepared.backtrace(
            vec![(from, relevance)],
            &WeightCache::new(0),
            WalkOptions::default(),
            &mut (),
        )?;
        assert!(outcome.ledger.closes(), "open: {:?}", outcome.ledger.open_entries().collect::<Vec<_>>());
        Ok(outcome)
    }
}
