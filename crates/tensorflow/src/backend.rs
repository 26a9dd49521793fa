//! TensorFlow's tensors for the rules.

mod conversion;
mod convolution;
mod layout;
mod matmul;
mod movement;
mod region;
mod run;

pub(crate) use conversion::{dtype, part, parts};
pub use layout::TfTensor;

use crate::DataType;
use crate::eager::Attributes;
use conversion::{data_type, doubles, numbers, read, reshaped, scalar};
use dlbacktrace_core::{BOUND, Binary, ConvGeometry, DType, Error, Range, Result, Tensor, Unary};
use ndarray::{ArrayD, ArrayViewD};
use run::run;

/// Adds the operation to TensorFlow's message.
fn failed<E: ToString>(operation: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::tensor(operation, error)
}

impl Tensor for TfTensor {
    fn shape(&self) -> Vec<usize> {
        self.extents().to_vec()
    }

    fn dtype(&self) -> DType {
        dtype(self.stored().data_type())
    }

    fn cast(&self, to: DType) -> Result<Self> {
        if self.dtype() == to {
            return Ok(self.clone());
        }
        let to = data_type(to)
            .ok_or_else(|| Error::tensor("cast", format!("no element type of TensorFlow is {to:?}")))?;
        Ok(Self::ordered(self.stored().cast(to).map_err(failed("cast"))?, self.order().to_vec()))
    }

    fn full(&self, shape: &[usize], value: f64) -> Result<Self> {
        let value = scalar("full", self.stored(), value)?;
        if shape.is_empty() {
            return Ok(value.into());
        }
        // Laid out as this tensor, which it will probably meet.
        let (stored, order) = match self.order().len() == shape.len() {
            true => (self.as_stored(shape), self.order().to_vec()),
            false => (shape.to_vec(), (0..shape.len()).collect()),
        };
        let stored = numbers("full", self.stored(), &stored)?;
        let filled = run("full", c"Fill", &Attributes::default(), stored, &[&value])?;
        Ok(Self::ordered(filled, order))
    }

    fn floats(&self, values: ArrayViewD<'_, f64>) -> Result<Self> {
        let (context, data_type) = (self.stored().context(), self.stored().data_type());
        doubles("floats", context, data_type, values.shape(), values.iter().copied()).map(Self::from)
    }

    fn indices(&self, values: &[i64]) -> Result<Self> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let made = self.stored().context().tensor(DataType::INT64, &[values.len()], &bytes);
        made.map(Self::from).map_err(failed("indices"))
    }

    fn to_array(&self) -> Result<ArrayD<f64>> {
        read(self, DataType::DOUBLE, f64::from_ne_bytes)
    }

    fn to_indices(&self) -> Result<ArrayD<i64>> {
        read(self, DataType::INT64, i64::from_ne_bytes)
    }

    fn unary(&self, function: Unary) -> Result<Self> {
        let apply = |operator| self.elementwise("unary", operator, &[]);
        match function {
            Unary::Abs => apply(c"Abs"),
            Unary::Positive => apply(c"Relu"),
            Unary::Negative => apply(c"Neg")?.elementwise("unary", c"Relu", &[]),
            Unary::Sigmoid => apply(c"Sigmoid"),
            Unary::Tanh => apply(c"Tanh"),
            Unary::Bounded => {
                let bound = |bound| scalar("unary", self.stored(), bound);
                let above = self.elementwise("unary", c"Maximum", &[&bound(-BOUND)?])?;
                above.elementwise("unary", c"Minimum", &[&bound(BOUND)?])
            }
        }
    }

    fn binary(&self, function: Binary, other: &Self) -> Result<Self> {
        let (a, b, order) = self.aligned(other)?;
        let floating = if self.dtype().is_float() { a.data_type() } else { DataType::FLOAT };
        let apply = |operator| run("binary", operator, &Attributes::default(), a, &[&b]);
        let mask = |mask: crate::Tensor| mask.cast(floating).map_err(failed("binary"));
        let made = match function {
            Binary::Add => apply(c"AddV2"),
            Binary::Sub => apply(c"Sub"),
            Binary::Mul => apply(c"Mul"),
            Binary::Equal => apply(c"Equal").and_then(mask),
            Binary::Greater => apply(c"Greater").and_then(mask),
        };
        Ok(Self::ordered(made?, order))
    }

    fn affine(&self, factor: f64, offset: f64) -> Result<Self> {
        let by = |x: &Self, operator, number: f64| {
            x.elementwise("affine", operator, &[&scalar("affine", x.stored(), number)?])
        };
        let scaled = if factor == 1.0 { self.clone() } else { by(self, c"Mul", factor)? };
        if offset == 0.0 { Ok(scaled) } else { by(&scaled, c"AddV2", offset) }
    }

    fn accumulate(self, other: &Self) -> Result<Self> {
        let name = "accumulate";
        if self.extents() != other.extents() {
            return Err(Error::tensor(name, format!("{other:?} does not have the shape of {self:?}")));
        }
        let other = other.stored_as(self.order())?;
        let (stored, order) = self.into_parts();
        Ok(Self::ordered(run(name, c"AddV2", &Attributes::default(), stored, &[&other])?, order))
    }

    fn quotient(&self, denominator: &Self) -> Result<(Self, f64)> {
        let name = "quotient";
        let none = Attributes::default();
        let (x, d, order) = self.aligned(denominator)?;
        // Most denominators are sums of magnitudes without a zero among them: one look saves two passes.
        let axes: Vec<usize> = (0..denominator.extents().len()).collect();
        let smallest = movement::reduce(name, c"Min", denominator, &axes, false)?;
        let least = self.dtype().negligible();
        let clear = smallest.to_array()?.iter().all(|&smallest| smallest >= least);
        let ratio = run(name, c"RealDiv", &none, x.clone(), &[&d])?;
        let whole = Self::ordered(ratio.clone(), order.clone());
        if whole.extents() != self.extents() {
            let message = format!("{denominator:?} does not broadcast to {self:?}");
            return Err(Error::tensor(name, message));
        }
        if clear {
            return Ok((whole, 0.0));
        }
        let (zero, least) = (scalar(name, &x, 0.0)?, scalar(name, &x, least)?);
        let size = run(name, c"Abs", &none, d, &[])?;
        let met = run(name, c"Less", &none, size, &[&least])?;
        let lost = run(name, c"SelectV2", &none, met.clone(), &[&x, &zero])?;
        let ratio = run(name, c"SelectV2", &none, met, &[&zero, &ratio])?;
        Ok((Self::ordered(ratio, order.clone()), Self::ordered(lost, order).total()?))
    }

    fn sum(&self, axes: &[usize], keep: bool) -> Result<Self> {
        movement::reduce("sum", c"Sum", self, axes, keep)
    }

    fn max_over(&self, axes: &[usize]) -> Result<Self> {
        movement::reduce("max_over", c"Max", self, axes, true)
    }

    fn softmax(&self) -> Result<Self> {
        let logits = self.to_tensor()?;
        run("softmax", c"Softmax", &Attributes::default(), logits, &[]).map(Self::from)
    }

    fn least(&self) -> Result<f64> {
        if self.extents().contains(&0) {
            return Ok(f64::INFINITY);
        }
        let axes: Vec<usize> = (0..self.extents().len()).collect();
        Ok(movement::reduce("least", c"Min", self, &axes, false)?.to_array()?.sum())
    }

    /// The sum in double precision, which the balance of the ledger needs.
    fn total(&self) -> Result<f64> {
        let axes: Vec<usize> = (0..self.extents().len()).collect();
        let sum = movement::reduce("total", c"Sum", &self.cast(DType::F64)?, &axes, false)?;
        Ok(sum.to_array()?.sum())
    }

    fn reshape(&self, shape: &[usize]) -> Result<Self> {
        if self.extents() == shape {
            return Ok(self.clone());
        }
        reshaped("reshape", self.to_tensor()?, shape).map(Self::from)
    }

    fn permute(&self, order: &[usize]) -> Result<Self> {
        self.permuted(order)
    }

    fn broadcast_to(&self, shape: &[usize]) -> Result<Self> {
        movement::broadcast_to(self, shape)
    }

    fn slice(&self, region: &[Range]) -> Result<Self> {
        region::slice(self, region)
    }

    fn add_region(self, region: &[Range], part: &Self) -> Result<Self> {
        region::add_region(self, region, part)
    }

    fn concat(parts: &[Self], axis: usize) -> Result<Self> {
        movement::concat(parts, axis)
    }

    fn flip(&self, axes: &[usize]) -> Result<Self> {
        movement::flip(self, axes)
    }

    fn index_select(&self, axis: usize, index: &Self) -> Result<Self> {
        movement::index_select(self, axis, index)
    }

    fn index_add(self, axis: usize, index: &Self, source: &Self) -> Result<Self> {
        movement::index_add(self, axis, index, source)
    }

    fn matmul(&self, other: &Self) -> Result<Self> {
        matmul::matmul(self, other)
    }

    fn convolve(&self, weight: &Self, geometry: &ConvGeometry) -> Result<Self> {
        convolution::convolve(self, weight, geometry)
    }

    fn convolve_adjoint(
        &self,
        weight: &Self,
        geometry: &ConvGeometry,
        input_spatial: &[usize],
    ) -> Result<Self> {
        convolution::convolve_adjoint(self, weight, geometry, input_spatial)
    }
}
