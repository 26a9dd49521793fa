//! Every operation of the [`Tensor`] trait on drawn tensors, for comparison between backends.

use crate::geometry::{self, Convolution};
use crate::numbers::Numbers;
use dlbacktrace_core::{BOUND, Binary, DType, PerUnit, Range, Result, Tensor, Unary};
use ndarray::ArrayD;
use proptest::prelude::*;

/// What an operation gave, by its name.
pub type Results = Vec<(String, ArrayD<f64>)>;

/// What is drawn for one run.
#[derive(Debug, Clone)]
pub struct Draw {
    wide: Vec<usize>,
    narrow: Vec<usize>,
    matrices: (usize, usize, usize),
    convolution: Convolution,
    /// Whether operands lie in memory in another order than their axes.
    turned: bool,
    seed: u64,
}

/// Draws any run.
pub fn draw() -> impl Strategy<Value = Draw> {
    let matrices = (1_usize..4, 1_usize..4, 1_usize..4);
    (geometry::broadcast(), matrices, geometry::convolution(), any::<bool>(), any::<u64>()).prop_map(
        |((wide, narrow), matrices, convolution, turned, seed)| Draw {
            wide,
            narrow,
            matrices,
            convolution: Convolution { batch: Some(2), ..convolution },
            turned,
            seed,
        },
    )
}

/// Runs everything on the backend of `like`, a floating tensor.
///
/// # Errors
/// Those of the operations; no operation should fail.
pub fn run<T: Tensor>(draw: &Draw, like: &T) -> Result<Results> {
    let mut run = Run { numbers: Numbers::new(draw.seed), draw, like, results: Vec::new() };
    run.element_wise()?;
    run.conversions()?;
    run.reductions()?;
    run.movement()?;
    run.selection()?;
    run.products()?;
    Ok(run.results)
}

struct Run<'a, T> {
    numbers: Numbers,
    draw: &'a Draw,
    like: &'a T,
    results: Results,
}

impl<T: Tensor> Run<'_, T> {
    fn tensor(&mut self, shape: &[usize]) -> Result<T> {
        let values = self.numbers.exact(shape);
        if !self.draw.turned {
            return self.like.floats(values.view());
        }
        let order: Vec<usize> = (0..shape.len()).rev().collect();
        self.like.floats(values.t())?.permute(&order)
    }

    fn keep(&mut self, name: impl Into<String>, result: &T) -> Result<()> {
        self.results.push((name.into(), result.to_array()?));
        Ok(())
    }

    fn number(&mut self, name: &str, number: f64) {
        self.results.push((name.into(), ndarray::arr0(number).into_dyn()));
    }

    fn element_wise(&mut self) -> Result<()> {
        let (wide, narrow) = (self.draw.wide.clone(), self.draw.narrow.clone());
        let (x, y, z) = (self.tensor(&wide)?, self.tensor(&narrow)?, self.tensor(&wide)?);
        let unary =
            [Unary::Abs, Unary::Positive, Unary::Negative, Unary::Sigmoid, Unary::Tanh, Unary::Bounded];
        for function in unary {
            self.keep(format!("{function:?}"), &x.unary(function)?)?;
        }
        for sign in [1.0, -1.0] {
            let infinite = x.full(&wide, sign * f64::INFINITY)?.bounded()?;
            self.keep("bounded", &infinite.scale(1.0 / BOUND)?)?;
        }
        for function in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Equal, Binary::Greater] {
            self.keep(format!("{function:?}"), &x.binary(function, &y)?)?;
            self.keep(format!("{function:?}, turned"), &y.binary(function, &x)?)?;
        }
        for (factor, offset) in [(1.0, 0.0), (-0.5, 0.0), (1.0, 2.0), (0.0, 1.5)] {
            self.keep("affine", &x.affine(factor, offset)?)?;
        }
        self.keep("greater_than", &x.greater_than(0.5)?)?;
        self.keep("less_than", &x.less_than(0.5)?)?;
        self.keep("complement", &x.complement()?)?;
        self.keep("where_positive", &x.where_positive(&x.affine(-1.0, 0.5)?)?)?;
        for divisor in [&y, &z, &z.abs()?, &z.zeros(&[])?] {
            let (ratio, lost) = x.quotient(divisor)?;
            self.keep("quotient", &ratio)?;
            self.number("lost to zeros", lost);
        }
        for divisor in [x.affine(2.0, 1.0)?, x.abs()?.affine(1.0, 0.5)?, x.zeros(&x.shape())?] {
            for bias in [None, Some(&y), Some(&divisor.zeros(&[])?)] {
                let PerUnit { shares, zero, bias } = divisor.clone().divide_into_shares(bias, &z)?;
                self.keep("dividing", &shares)?;
                self.number("lost to zeros", zero);
                self.number("taken by the bias", bias);
            }
        }
        for (divisor, epsilon) in
            [(&x, 0.25), (&x.zeros(&wide)?, 0.25), (&x, 1e-300), (&x.zeros(&wide)?, 1e-300)]
        {
            let PerUnit { shares, zero, bias } = z.stabilised_quotient(divisor, epsilon)?;
            self.keep("stabilised quotient", &shares)?;
            self.number("lost to zeros", zero);
            self.number("taken by epsilon", bias);
        }
        let sum = x.affine(2.0, 1.0)?.accumulate(&z)?;
        self.keep("accumulate", &sum)?;
        self.keep("multiplied", &x.affine(2.0, 1.0)?.multiplied(&z)?)?;
        self.keep("accumulate to what another holds", &x.clone().accumulate(&z)?)?;
        self.keep("multiplied, held by another", &x.clone().multiplied(&z)?)?;
        self.keep("dividing, held by another", &x.clone().divide_into_shares(Some(&y), &z)?.shares)?;
        let view = x.slice(&Range::whole(&wide))?;
        self.keep("accumulate to a view", &view.accumulate(&z)?)?;
        self.keep("the operand of them all", &x)?;
        let repeated = x.full(&[], 2.0)?.broadcast_to(&wide)?;
        self.keep("accumulate to one repeated element", &repeated.accumulate(&z)?)
    }

    fn conversions(&mut self) -> Result<()> {
        let x = self.tensor(&[2, 3])?;
        let whole = x.scale(2.0)?;
        let (ints, flags) = (whole.cast(DType::Int)?, x.cast(DType::Bool)?);
        assert_eq!((ints.dtype(), flags.dtype()), (DType::Int, DType::Bool));
        assert_eq!(x.cast(x.dtype())?.dtype(), x.dtype());
        for (name, tensor) in [("int", &ints), ("bool", &flags)] {
            self.keep(format!("{name} as numbers"), &tensor.cast(x.dtype())?)?;
            self.keep(name, tensor)?;
            let indices = tensor.to_indices()?;
            self.results.push((format!("{name} as indices"), indices.mapv(|index| index as f64)));
            self.keep(format!("{name} equal"), &tensor.equal(tensor)?)?;
        }
        self.keep("indices", &x.indices(&[3, 0, -1])?)?;
        self.keep("full", &x.full(&[2, 1], 0.25)?)?;
        assert_eq!(x.full(&[], 1.0)?.dtype(), x.dtype());
        let empty = x.zeros(&[0, 3])?;
        assert_eq!((empty.shape(), empty.total()?), (vec![0, 3], 0.0));
        self.keep("empty", &empty)
    }

    fn reductions(&mut self) -> Result<()> {
        let (wide, narrow) = (self.draw.wide.clone(), self.draw.narrow.clone());
        let x = self.tensor(&wide)?;
        self.number("total", x.total()?);
        for mask in 1..1_usize << wide.len() {
            let axes: Vec<usize> = (0..wide.len()).filter(|axis| mask >> axis & 1 == 1).collect();
            self.keep(format!("sum {axes:?}"), &x.sum(&axes, false)?)?;
            self.keep(format!("sum {axes:?}, kept"), &x.sum(&axes, true)?)?;
            self.keep(format!("max {axes:?}"), &x.max_over(&axes)?)?;
        }
        self.number("least", x.least()?);
        self.number("least of none", x.zeros(&[0])?.least()?.recip());
        if !wide.is_empty() {
            self.keep("softmax", &x.softmax()?)?;
            self.keep("softmax of a permuted", &x.transpose()?.softmax()?)?;
        }
        self.keep("sum_to", &x.sum_to(&narrow)?)
    }

    fn movement(&mut self) -> Result<()> {
        let (wide, narrow) = (self.draw.wide.clone(), self.draw.narrow.clone());
        let (x, y) = (self.tensor(&wide)?, self.tensor(&narrow)?);
        self.keep("reshape", &x.reshape(&[1, wide.iter().product(), 1])?)?;
        let order: Vec<usize> = (1..wide.len()).chain((!wide.is_empty()).then_some(0)).collect();
        self.keep("permute", &x.permute(&order)?)?;
        self.keep("transpose", &x.transpose()?)?;
        self.keep("broadcast_to", &y.broadcast_to(&wide)?)?;
        let axes: Vec<usize> = (0..wide.len()).filter(|_| self.numbers.chance(2)).collect();
        self.keep("flip", &x.flip(&axes)?)?;
        let region: Vec<Range> = wide
            .iter()
            .map(|&extent| {
                let (start, step) = (self.numbers.below(extent), 1 + self.numbers.below(2));
                Range { start, len: (extent - start).div_ceil(step), step }
            })
            .collect();
        let part = x.slice(&region)?;
        self.keep("slice", &part)?;
        let nothing: Vec<Range> = wide.iter().map(|_| Range::span(0, 0)).collect();
        self.keep("slice of nothing", &x.slice(&nothing)?)?;
        let grown = x.affine(1.0, 1.0)?.add_region(&region, &part)?;
        self.keep("add_region", &grown)?;
        self.keep("the part that was added", &part)?;
        if let Some(axis) = wide.len().checked_sub(1) {
            self.keep("concat", &T::concat(&[x.clone(), x.scale(2.0)?, part.zeros(&wide)?], axis)?)?;
        }
        self.keep("the operand of them all", &x)
    }

    fn selection(&mut self) -> Result<()> {
        let wide = self.draw.wide.clone();
        let x = self.tensor(&wide)?;
        for (axis, &extent) in wide.iter().enumerate() {
            let index: Vec<i64> = (0..4).map(|_| self.numbers.below(extent) as i64).collect();
            let index = x.indices(&index)?;
            let chosen = x.index_select(axis, &index)?;
            self.keep("index_select", &chosen)?;
            let grown = x.affine(1.0, 1.0)?.index_add(axis, &index, &chosen)?;
            self.keep("index_add", &grown)?;
        }
        self.keep("the operand of them all", &x)
    }

    fn products(&mut self) -> Result<()> {
        let ((rows, inner, columns), wide, narrow) =
            (self.draw.matrices, self.draw.wide.clone(), self.draw.narrow.clone());
        let a = self.tensor(&[wide.as_slice(), &[rows, inner]].concat())?;
        let b = self.tensor(&[narrow.as_slice(), &[inner, columns]].concat())?;
        self.keep("matmul", &a.matmul(&b)?)?;
        self.keep("matmul of transposes", &b.transpose()?.matmul(&a.transpose()?)?)?;

        let drawn = self.draw.convolution.clone();
        let geometry = drawn.geometry();
        let weight = self.tensor(&drawn.kernel())?;
        let x = self.tensor(&drawn.tensor(drawn.groups * drawn.second, |axis| axis.input))?;
        let y = x.convolve(&weight, &geometry)?;
        self.keep("convolve", &y)?;
        let spatial: Vec<usize> = drawn.axes.iter().map(|axis| axis.input).collect();
        self.keep("convolve_adjoint", &y.convolve_adjoint(&weight, &geometry, &spatial)?)?;
        let y = self.tensor(&drawn.tensor(drawn.groups * drawn.first, |axis| axis.input))?;
        let spatial: Vec<usize> = drawn.axes.iter().map(|axis| axis.unfolded()).collect();
        self.keep("convolve_adjoint with more cells", &y.convolve_adjoint(&weight, &geometry, &spatial)?)
    }
}

/// Operations that no backend may carry out, nor panic on.
pub fn refused<T: Tensor>(like: &T) -> Vec<(&'static str, Result<T>)> {
    let x = like.full(&[2, 3], 1.0).unwrap();
    let cube = like.full(&[1, 2, 3], 1.0).unwrap();
    let (row, far) = (like.full(&[4], 1.0).unwrap(), like.indices(&[7]).unwrap());
    let geometry =
        dlbacktrace_core::ConvGeometry { stride: vec![1], padding: vec![0], dilation: vec![1], groups: 1 };
    let beyond = [Range::full(2), Range::span(2, 2)];
    vec![
        ("binary", x.add(&row)),
        ("accumulate", x.affine(2.0, 0.0).unwrap().accumulate(&row)),
        ("multiplied", x.affine(2.0, 0.0).unwrap().multiplied(&row)),
        ("softmax", like.full(&[], 1.0).unwrap().softmax()),
        ("quotient", x.quotient(&row).map(|(ratio, _)| ratio)),
        ("sum", x.sum(&[2], false)),
        ("max_over", x.max_over(&[2])),
        ("reshape", x.reshape(&[4])),
        ("permute", x.permute(&[0])),
        ("permute to nowhere", x.permute(&[0, 2])),
        ("broadcast_to", x.broadcast_to(&[2, 4])),
        ("broadcast_to fewer axes", x.broadcast_to(&[3])),
        ("slice", x.slice(&beyond)),
        ("slice of more axes", x.slice(&[Range::full(2), Range::full(3), Range::full(1)])),
        ("slice of fewer axes", x.slice(&[Range::full(2)])),
        ("add_region", x.affine(2.0, 0.0).unwrap().add_region(&beyond, &x)),
        ("concat", T::concat(&[x.clone(), row.clone()], 0)),
        ("concat along no axis", T::concat(&[x.clone(), x.clone()], 2)),
        ("concat of nothing", T::concat(&[], 0)),
        ("flip", x.flip(&[2])),
        ("index_select", x.index_select(0, &far)),
        ("index_select along no axis", x.index_select(2, &far)),
        ("index_add", x.affine(2.0, 0.0).unwrap().index_add(0, &far, &x)),
        ("matmul", x.matmul(&x)),
        ("convolve", cube.convolve(&cube.reshape(&[1, 3, 2]).unwrap(), &geometry)),
        ("convolve without a batch", row.convolve(&cube, &geometry)),
        ("convolve_adjoint", cube.convolve_adjoint(&cube, &geometry, &[2])),
        ("convolve_adjoint of too much", cube.convolve_adjoint(&cube, &geometry, &[9])),
        ("convolve_adjoint without a batch", row.convolve_adjoint(&cube, &geometry, &[6])),
    ]
}
