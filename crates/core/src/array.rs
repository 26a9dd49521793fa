//! Tensors on [`ndarray`], free of any framework: the oracle that the other backends are tested against.
//!
//! Clarity comes before speed here. Elements lie in row-major order behind a shared pointer. A movement gathers elements by a
//! `Selection`, and its adjoint scatters by the same selection, so sums, `add_region` and `index_add` are adjoints by
//! construction. Convolution is written in `slice`, `matmul` and `add_region`. Sums of many numbers accumulate in double
//! precision.

mod conv;
mod elements;
mod elementwise;
mod matmul;
mod movement;
mod real;
mod reduce;
mod selection;
mod shape;
#[cfg(test)]
mod testing;

pub use real::Real;

use crate::{Binary, ConvGeometry, DType, Error, Range, Result, Tensor, Unary};
use elements::Elements;
use ndarray::{ArrayD, ArrayViewD};
use std::sync::Arc;

/// A tensor of floating-point numbers, of integers or of truth values, in memory.
///
/// An `Array<F>` has the one floating-point type `F` (`f32` or `f64`). A [`cast`](Tensor::cast) to single or double precision
/// gives `F`, whichever of the two was requested; a cast to half precision is refused. A cast to integers drops the fraction.
/// Arithmetic takes floating-point operands. Comparisons also take two tensors of integers or of truth values, and return
/// `F`.
///
/// ```
/// use dlbacktrace_core::{Tensor, array::Array};
///
/// let x = Array::from_slice(&[2, 2], &[-1.0, 2.0, 3.0, -4.0]);
/// assert_eq!(x.positive()?.total()?, 5.0);
/// # Ok::<(), dlbacktrace_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Array<F: Real = f64> {
    shape: Vec<usize>,
    elements: Elements<F>,
}

impl Array<f64> {
    /// An array of doubles, in row-major order.
    ///
    /// # Panics
    /// When the number of values is not the product of the shape.
    pub fn from_slice(shape: &[usize], values: &[f64]) -> Self {
        filled(shape, Elements::Float(Arc::new(values.to_vec())))
    }
}

impl<F: Real> Array<F> {
    /// An array of floating-point numbers.
    pub fn new(values: ArrayD<F>) -> Self {
        let shape = values.shape().to_vec();
        Self { shape, elements: Elements::Float(Arc::new(values.iter().copied().collect())) }
    }

    /// An array of integers, in row-major order.
    ///
    /// # Panics
    /// When the number of values is not the product of the shape.
    pub fn ints(shape: &[usize], values: &[i64]) -> Self {
        filled(shape, Elements::Int(Arc::new(values.to_vec())))
    }

    /// An array of truth values, in row-major order.
    ///
    /// # Panics
    /// When the number of values is not the product of the shape.
    pub fn bools(shape: &[usize], values: &[bool]) -> Self {
        filled(shape, Elements::Bool(Arc::new(values.to_vec())))
    }

    /// The floating-point numbers; `None` if the array holds integers or truth values.
    pub fn as_array(&self) -> Option<ArrayViewD<'_, F>> {
        match &self.elements {
            Elements::Float(values) => ArrayViewD::from_shape(self.shape.as_slice(), values).ok(),
            Elements::Int(_) | Elements::Bool(_) => None,
        }
    }

    /// An array of floating-point numbers that fill the shape.
    fn of(shape: Vec<usize>, values: Vec<F>) -> Self {
        Self { shape, elements: Elements::Float(Arc::new(values)) }
    }

    /// The floating-point numbers in row-major order; errors name `operation`.
    fn float(&self, operation: &'static str) -> Result<&[F]> {
        match &self.elements {
            Elements::Float(values) => Ok(values),
            Elements::Int(_) | Elements::Bool(_) => Err(self.not_float(operation)),
        }
    }

    /// The floating-point numbers for writing; copied first if they are shared.
    fn float_mut(&mut self, operation: &'static str) -> Result<&mut [F]> {
        let refusal = self.not_float(operation);
        match &mut self.elements {
            Elements::Float(values) => Ok(Arc::make_mut(values).as_mut_slice()),
            Elements::Int(_) | Elements::Bool(_) => Err(refusal),
        }
    }

    fn not_float(&self, operation: &'static str) -> Error {
        let (dtype, shape) = (self.dtype(), &self.shape);
        let message = format!(
            "the tensor {shape:?} holds {dtype:?}, not floating-point numbers; cast it to {:?} first",
            F::DTYPE
        );
        Error::tensor(operation, message)
    }
}

/// An array of given elements, for the constructors that take them from a literal.
fn filled<F: Real>(shape: &[usize], elements: Elements<F>) -> Array<F> {
    let (volume, len) = (shape::volume("new", shape).ok(), elements.len());
    assert!(volume == Some(len), "an array of shape {shape:?} cannot hold {len} values");
    Array { shape: shape.to_vec(), elements }
}

impl<F: Real> Tensor for Array<F> {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }
    fn dtype(&self) -> DType {
        self.elements.dtype()
    }
    fn cast(&self, dtype: DType) -> Result<Self> {
        Ok(Self { shape: self.shape.clone(), elements: self.elements.cast(dtype)? })
    }
    fn full(&self, shape: &[usize], value: f64) -> Result<Self> {
        let volume = shape::volume("full", shape)?;
        Ok(Self { shape: shape.to_vec(), elements: self.elements.repeat(value, volume)? })
    }
    fn floats(&self, values: ArrayViewD<'_, f64>) -> Result<Self> {
        Ok(Self::of(values.shape().to_vec(), values.iter().map(|&value| F::nearest(value)).collect()))
    }
    fn indices(&self, values: &[i64]) -> Result<Self> {
        Ok(Self::ints(&[values.len()], values))
    }
    fn to_array(&self) -> Result<ArrayD<f64>> {
        ArrayD::from_shape_vec(self.shape.as_slice(), self.elements.doubles())
            .map_err(|error| Error::tensor("to_array", error))
    }
    fn to_indices(&self) -> Result<ArrayD<i64>> {
        let values = self.elements.integers().ok_or_else(|| {
            Error::tensor(
                "to_indices",
                format!("{:?} values cannot be indices; cast them to Int first", F::DTYPE),
            )
        })?;
        ArrayD::from_shape_vec(self.shape.as_slice(), values)
            .map_err(|error| Error::tensor("to_indices", error))
    }

    fn unary(&self, function: Unary) -> Result<Self> {
        elementwise::unary(self, function)
    }
    fn binary(&self, function: Binary, other: &Self) -> Result<Self> {
        elementwise::binary(self, function, other)
    }
    fn affine(&self, factor: f64, offset: f64) -> Result<Self> {
        elementwise::map(self, "affine", |x| factor * x + offset)
    }
    fn accumulate(self, other: &Self) -> Result<Self> {
        elementwise::accumulate(self, other)
    }
    fn quotient(&self, denominator: &Self) -> Result<(Self, f64)> {
        elementwise::quotient(self, denominator)
    }

    fn sum(&self, axes: &[usize], keep: bool) -> Result<Self> {
        reduce::sum(self, axes, keep)
    }
    fn max_over(&self, axes: &[usize]) -> Result<Self> {
        reduce::max_over(self, axes)
    }
    fn softmax(&self) -> Result<Self> {
        reduce::softmax(self)
    }
    fn least(&self) -> Result<f64> {
        let smaller = |least: f64, x: f64| if x < least || x.is_nan() { x } else { least };
        Ok(self.float("least")?.iter().map(|&x| x.into()).fold(f64::INFINITY, smaller))
    }
    fn total(&self) -> Result<f64> {
        Ok(self.float("total")?.iter().map(|&x| x.into()).sum())
    }

    fn reshape(&self, shape: &[usize]) -> Result<Self> {
        movement::reshape(self, shape)
    }
    fn permute(&self, order: &[usize]) -> Result<Self> {
        movement::permute(self, order)
    }
    fn broadcast_to(&self, shape: &[usize]) -> Result<Self> {
        movement::broadcast_to(self, "broadcast_to", shape)
    }
    fn slice(&self, region: &[Range]) -> Result<Self> {
        movement::slice(self, region)
    }
    fn add_region(self, region: &[Range], part: &Self) -> Result<Self> {
        movement::add_region(self, region, part)
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
        conv::convolve(self, weight, geometry)
    }
    fn convolve_adjoint(
        &self,
        weight: &Self,
        geometry: &ConvGeometry,
        input_spatial: &[usize],
    ) -> Result<Self> {
        conv::convolve_adjoint(self, weight, geometry, input_spatial)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::refused;
    use super::*;
    use ndarray::{ShapeBuilder, array};

    #[test]
    fn a_column_major_array_is_read_in_row_major_order() {
        let columns = ArrayD::from_shape_vec(vec![2, 2].f(), vec![1.0, 3.0, 2.0, 4.0]).unwrap();
        assert_eq!(Array::new(columns), Array::from_slice(&[2, 2], &[1.0, 2.0, 3.0, 4.0]));
    }

    #[test]
    #[should_panic(expected = "cannot hold 3 values")]
    fn a_literal_must_fill_its_shape() {
        Array::from_slice(&[2, 2], &[1.0, 2.0, 3.0]);
    }

    #[test]
    fn casts_keep_the_one_floating_type() {
        let x = Array::from_slice(&[3], &[-1.5, 0.0, 2.0]);
        assert_eq!(x.cast(DType::F32).unwrap(), x);
        assert_eq!(x.cast(DType::Int).unwrap(), Array::ints(&[3], &[-1, 0, 2]));
        assert_eq!(x.cast(DType::Bool).unwrap(), Array::bools(&[3], &[true, false, true]));
        assert_eq!(
            x.cast(DType::Bool).unwrap().cast(DType::F64).unwrap(),
            Array::from_slice(&[3], &[1.0, 0.0, 1.0])
        );
        assert_eq!(Array::<f32>::bools(&[1], &[true]).cast(DType::F64).unwrap().dtype(), DType::F32);
        for dtype in [DType::F16, DType::BF16, DType::Other] {
            refused(x.cast(dtype), "cast");
        }
    }

    #[test]
    fn full_keeps_the_element_type_and_refuses_what_it_cannot_hold() {
        let x = Array::from_slice(&[1], &[0.0]);
        let (ints, bools) = (Array::<f64>::ints(&[1], &[0]), Array::<f64>::bools(&[1], &[false]));
        assert_eq!(x.full(&[2], 0.5).unwrap(), Array::from_slice(&[2], &[0.5, 0.5]));
        assert_eq!(ints.full(&[2], 3.0).unwrap(), Array::ints(&[2], &[3, 3]));
        assert_eq!(bools.full(&[], 1.0).unwrap(), Array::bools(&[], &[true]));
        refused(ints.full(&[2], 0.5), "full");
        refused(bools.full(&[2], 2.0), "full");
        refused(x.full(&[usize::MAX, 2], 0.0), "full");
    }

    #[test]
    fn values_go_in_and_out() {
        let x = Array::<f32>::new(array![[0.5_f32, 1.5]].into_dyn());
        assert_eq!(x.as_array().unwrap(), array![[0.5_f32, 1.5]].into_dyn());
        assert_eq!(x.to_array().unwrap(), array![[0.5, 1.5]].into_dyn());
        assert_eq!(
            x.floats(array![0.25].into_dyn().view()).unwrap(),
            Array::new(array![0.25_f32].into_dyn())
        );
        assert_eq!(x.indices(&[4, 5]).unwrap().to_indices().unwrap(), array![4, 5].into_dyn());
        assert_eq!(Array::<f64>::bools(&[2], &[true, false]).to_indices().unwrap(), array![1, 0].into_dyn());
        assert!(Array::<f64>::ints(&[1], &[1]).as_array().is_none());
        assert_eq!(Array::<f64>::ints(&[1], &[7]).to_array().unwrap(), array![7.0].into_dyn());
        refused(x.to_indices(), "to_indices");
    }

    #[test]
    fn arithmetic_wants_floating_numbers() {
        let ints = Array::<f64>::ints(&[2], &[1, 2]);
        refused(ints.abs(), "unary");
        refused(ints.add(&ints), "binary");
        refused(ints.affine(2.0, 0.0), "affine");
        refused(ints.clone().accumulate(&ints), "accumulate");
        refused(ints.quotient(&ints), "quotient");
        refused(ints.sum(&[0], false), "sum");
        refused(ints.max_over(&[0]), "max_over");
        refused(ints.total(), "total");
        refused(ints.clone().add_region(&[Range::full(2)], &ints), "add_region");
        refused(ints.clone().index_add(0, &ints, &ints), "index_add");
    }
}
