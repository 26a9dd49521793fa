//! Arithmetic on TensorFlow's tensors, so that a formula reads as it does on paper.

use crate::eager::{Attributes, one_bool, one_type};
use crate::{DataType, Tensor};
use std::ffi::CStr;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A tensor, or why it could not be computed. Arithmetic repeats the smaller of two tensors as TensorFlow's does.
#[derive(Debug, Clone)]
pub(super) struct Value(Result<Tensor, String>);

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Self(Ok(tensor))
    }
}

/// A formula that reads shapes or integers.
pub(super) fn attempt(formula: impl FnOnce() -> Result<Value, String>) -> Value {
    formula().unwrap_or_else(|reason| Value(Err(reason)))
}

impl Value {
    pub(super) fn tensor(self) -> Result<Tensor, String> {
        self.0
    }

    /// What an operator of one output makes of its inputs.
    pub(super) fn of<const N: usize>(operator: &CStr, attributes: &Attributes, inputs: [&Self; N]) -> Self {
        Self::output_of(operator, attributes, inputs, (0, 1))
    }

    /// One output of an operator, by its number and the number of all.
    pub(super) fn output_of<'a>(
        operator: &CStr,
        attributes: &Attributes,
        inputs: impl IntoIterator<Item = &'a Self>,
        (output, outputs): (usize, usize),
    ) -> Self {
        let made = || {
            let inputs =
                inputs.into_iter().map(|input| input.0.clone()).collect::<Result<Vec<Tensor>, String>>()?;
            let first = inputs.first().ok_or("an operator without an input")?;
            let made = first.context().execute(operator, attributes, &inputs, outputs)?;
            let lacking = || format!("{} returned no output {output}", operator.to_string_lossy());
            made.into_iter().nth(output).ok_or_else(lacking)
        };
        Self(made())
    }

    /// A function of each element.
    pub(super) fn apply(&self, operator: &CStr) -> Self {
        Self::of(operator, &Attributes::default(), [self])
    }

    /// An operator of two tensors.
    pub(super) fn with(&self, operator: &CStr, other: &Self) -> Self {
        Self::of(operator, &Attributes::default(), [self, other])
    }

    /// A number of the same element type.
    pub(super) fn number(&self, number: f64) -> Self {
        attempt(|| {
            let like = self.0.as_ref().map_err(String::clone)?;
            let made = like.context().tensor(DataType::DOUBLE, &[], &number.to_ne_bytes());
            Ok(made.and_then(|made| made.cast(like.data_type())).map_err(|error| error.to_string())?.into())
        })
    }

    /// Numbers that say how, such as axes or a shape.
    pub(super) fn integers(&self, numbers: &[usize]) -> Self {
        attempt(|| {
            let like = self.0.as_ref().map_err(String::clone)?;
            let bytes: Vec<u8> = numbers.iter().flat_map(|&number| (number as i64).to_ne_bytes()).collect();
            let made = like.context().tensor(DataType::INT64, &[numbers.len()], &bytes);
            Ok(made.map_err(|error| error.to_string())?.into())
        })
    }

    pub(super) fn shape(&self) -> Result<Vec<usize>, String> {
        self.0.as_ref().map_err(String::clone)?.shape().map_err(|error| error.to_string())
    }

    pub(super) fn data_type(&self) -> Result<DataType, String> {
        Ok(self.0.as_ref().map_err(String::clone)?.data_type())
    }

    /// The same numbers in another element type.
    pub(super) fn cast(&self, to: DataType) -> Self {
        attempt(|| Ok(self.clone().0?.cast(to).map_err(|error| error.to_string())?.into()))
    }

    /// Truth values as 0 and 1 of the element type of `other`, or numbers in it.
    pub(super) fn cast_like(&self, other: &Self) -> Self {
        attempt(|| Ok(self.cast(other.data_type()?)))
    }

    pub(super) fn reshape(&self, shape: &[usize]) -> Self {
        self.with(c"Reshape", &self.integers(shape))
    }

    pub(super) fn broadcast_to(&self, shape: &[usize]) -> Self {
        self.with(c"BroadcastTo", &self.integers(shape))
    }

    pub(super) fn permute(&self, order: &[usize]) -> Self {
        self.with(c"Transpose", &self.integers(order))
    }

    /// The sum over axes, which stay with extent 1.
    pub(super) fn sum(&self, axes: &[usize]) -> Self {
        let keep = one_bool(c"keep_dims", true);
        Self::of(c"Sum", &keep, [self, &self.integers(axes)])
    }

    /// The sum over the last axis, which stays with extent 1.
    pub(super) fn sum_over_last(&self) -> Self {
        attempt(|| Ok(self.sum(&[self.shape()?.len().saturating_sub(1)])))
    }

    /// The sum over all axes along which a tensor of this shape was repeated.
    pub(super) fn sum_to(&self, shape: &[usize]) -> Self {
        attempt(|| {
            let own = self.shape()?;
            if own == shape {
                return Ok(self.clone());
            }
            let lead = own.len().checked_sub(shape.len());
            let lead = lead.ok_or_else(|| format!("{own:?} is no repetition of {shape:?}"))?;
            let repeated = |axis: &usize| *axis < lead || (shape[axis - lead] == 1 && own[*axis] != 1);
            let axes: Vec<usize> = (0..own.len()).filter(repeated).collect();
            Ok(self.sum(&axes).reshape(shape))
        })
    }

    /// Rows (along the first axis) by their numbers.
    pub(super) fn rows(&self, numbers: &Self) -> Self {
        let axis = self.number(0.0).cast(DataType::INT32);
        Self::of(c"GatherV2", &Attributes::default(), [self, numbers, &axis])
    }

    /// The matrix product; `true` takes the adjoint of a factor.
    pub(super) fn matmul(&self, adjoint: bool, other: &Self, other_adjoint: bool) -> Self {
        let flags = one_bool(c"adj_x", adjoint).and(one_bool(c"adj_y", other_adjoint));
        Self::of(c"BatchMatMulV2", &flags, [self, other])
    }

    /// Where a condition holds this, elsewhere `otherwise`.
    pub(super) fn select(&self, condition: &Self, otherwise: &Self) -> Self {
        Self::of(c"SelectV2", &Attributes::default(), [condition, self, otherwise])
    }

    /// Where a condition holds this, elsewhere 0.
    pub(super) fn only(&self, condition: &Self) -> Self {
        self.select(condition, &self.number(0.0))
    }

    /// Where a condition does not hold this, elsewhere 0.
    pub(super) fn except(&self, condition: &Self) -> Self {
        self.number(0.0).select(condition, self)
    }

    /// Complex numbers with this real part.
    pub(super) fn with_imaginary(&self, imaginary: &Self) -> Self {
        attempt(|| {
            let to = match self.data_type()? {
                DataType::DOUBLE => DataType::COMPLEX128,
                _ => DataType::COMPLEX64,
            };
            Ok(Self::of(c"Complex", &one_type(c"Tout", to), [self, imaginary]))
        })
    }

    /// Real numbers as complex ones.
    pub(super) fn complex(&self) -> Self {
        self.with_imaginary(&self.apply(c"ZerosLike"))
    }

    /// The real (`c"Real"`) or imaginary (`c"Imag"`) parts of complex numbers.
    pub(super) fn part(&self, which: &CStr) -> Self {
        attempt(|| {
            let to = self.data_type()?.part().ok_or("real numbers have no parts")?;
            Ok(Self::of(which, &one_type(c"Tout", to), [self]))
        })
    }
}

macro_rules! arithmetic {
    ($($name:ident $method:ident $operator:literal;)*) => {$(
        impl $name for Value {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                self.with($operator, &other)
            }
        }

        impl $name<f64> for Value {
            type Output = Self;

            fn $method(self, other: f64) -> Self {
                self.with($operator, &self.number(other))
            }
        }

        impl $name<Value> for f64 {
            type Output = Value;

            fn $method(self, other: Value) -> Value {
                other.number(self).with($operator, &other)
            }
        }
    )*};
}

arithmetic! {
    Add add c"AddV2";
    Sub sub c"Sub";
    Mul mul c"Mul";
    Div div c"RealDiv";
}

impl Neg for Value {
    type Output = Self;

    fn neg(self) -> Self {
        self.apply(c"Neg")
    }
}
