//! What the rules need of a tensor.

use crate::Result;
use ndarray::{ArrayD, ArrayViewD};
use std::fmt::Debug;

/// The element type of a tensor, as far as the rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DType {
    /// IEEE half precision.
    F16,
    /// Brain float.
    BF16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// Any integer.
    Int,
    /// Truth values.
    Bool,
    /// Anything else (complex, quantised, strings): carries no relevance.
    Other,
}

impl DType {
    /// Whether values of this type carry relevance (rules §5: integers, booleans and shapes carry none).
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }

    /// The type in which relevance is computed: single precision for the two half precisions, otherwise the type itself.
    pub fn compute(self) -> Self {
        match self {
            Self::F16 | Self::BF16 => Self::F32,
            other => other,
        }
    }

    /// Magnitudes below this count as 0 (rules §0, §7). Near the lower end of its range a type keeps few digits, and a quotient by
    /// such a number overflows.
    pub fn negligible(self) -> f64 {
        match self {
            Self::F64 => 1e-290,
            _ => 1e-30,
        }
    }
}

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unary {
    /// |x|
    Abs,
    /// max(x, 0)
    Positive,
    /// max(−x, 0)
    Negative,
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// tanh x
    Tanh,
    /// x clamped to ±[`BOUND`], infinities included.
    Bounded,
}

/// Replaces infinity, because an infinite operand would turn its share of nothing into NaN. It is far above any activation
/// and far below the largest single-precision number.
pub const BOUND: f64 = 1e30;

/// A function of two numbers. Shapes broadcast as in NumPy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// a + b
    Add,
    /// a − b
    Sub,
    /// a · b
    Mul,
    /// 1 where a = b, else 0, in the floating type of a
    Equal,
    /// 1 where a > b, else 0, in the floating type of a
    Greater,
}

/// A regular selection along one axis: `len` cells from `start`, `step` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First index.
    pub start: usize,
    /// Number of indices.
    pub len: usize,
    /// Distance between them, at least 1.
    pub step: usize,
}

impl Range {
    /// All `len` indices of an axis.
    pub fn full(len: usize) -> Self {
        Self { start: 0, len, step: 1 }
    }

    /// `len` consecutive indices from `start`.
    pub fn span(start: usize, len: usize) -> Self {
        Self { start, len, step: 1 }
    }

    /// The whole of a tensor: one range for each axis.
    pub fn whole(shape: &[usize]) -> Vec<Self> {
        shape.iter().copied().map(Self::full).collect()
    }
}

/// The geometry of a convolution with `s` spatial axes; each vector has length `s`. Padding is symmetric and zero; other
/// paddings are steps of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Stride of each spatial axis.
    pub stride: Vec<usize>,
    /// Zero padding on both sides of each spatial axis.
    pub padding: Vec<usize>,
    /// Dilation of each spatial axis.
    pub dilation: Vec<usize>,
    /// Number of groups.
    pub groups: usize,
}

/// Relevance per unit of denominator, x ⊘ d, where d already includes the bias b.
#[derive(Debug)]
pub struct PerUnit<T> {
    /// x ⊘ d
    pub shares: T,
    /// The sum of those x whose d is 0.
    pub zero: f64,
    /// The bias's own share: Σ (x ⊘ d) ⊙ b.
    pub bias: f64,
}

/// A tensor of some framework, with the operations in which the rules are written.
///
/// Handles are cheap to clone and share their data; no operation changes what another handle sees. The operations that consume
/// a tensor ([`add_region`](Tensor::add_region), [`accumulate`](Tensor::accumulate), [`multiplied`](Tensor::multiplied),
/// [`divide_into_shares`](Tensor::divide_into_shares), [`index_add`](Tensor::index_add)) work in its buffer if no one else
/// holds it, so callers pass a tensor that they have made and not shared. All floating-point operands of one call have the
/// same element type. Shapes broadcast only where the operation says so.
///
/// # Errors
/// Every operation returns [`Error::Tensor`](crate::Error::Tensor) if the backend refuses it.
pub trait Tensor: Clone + Debug + Send + Sized + 'static {
    /// The extent of each axis.
    fn shape(&self) -> Vec<usize>;
    /// The element type.
    fn dtype(&self) -> DType;

    /// The tensor in the given element type; itself if it has that type.
    fn cast(&self, dtype: DType) -> Result<Self>;
    /// A tensor of one repeated value, with this tensor's element type and device.
    fn full(&self, shape: &[usize], value: f64) -> Result<Self>;
    /// A tensor of the given values, with this tensor's floating-point type and device.
    fn floats(&self, values: ArrayViewD<'_, f64>) -> Result<Self>;
    /// A one-dimensional tensor of indices on this tensor's device.
    fn indices(&self, values: &[i64]) -> Result<Self>;
    /// The elements as doubles, in row-major order.
    fn to_array(&self) -> Result<ArrayD<f64>>;
    /// The elements of an integer or boolean tensor.
    fn to_indices(&self) -> Result<ArrayD<i64>>;

    /// Applies a function to every element.
    fn unary(&self, function: Unary) -> Result<Self>;
    /// Applies a function to every pair of elements; shapes broadcast.
    fn binary(&self, function: Binary, other: &Self) -> Result<Self>;
    /// `factor · x + offset`.
    fn affine(&self, factor: f64, offset: f64) -> Result<Self>;
    /// Adds `other` (same shape).
    fn accumulate(self, other: &Self) -> Result<Self>;
    /// Multiplies by `other` (same shape).
    fn multiplied(self, other: &Self) -> Result<Self> {
        self.mul(other)
    }
    /// `self ⊘ denominator` with x/0 := 0 (rules §0), and the sum of those x whose denominator is 0 or less than
    /// [`DType::negligible`]. The denominator broadcasts to this tensor's shape.
    fn quotient(&self, denominator: &Self) -> Result<(Self, f64)>;
    /// The [`quotient`](Tensor::quotient) of `x` and this tensor plus a bias, which broadcasts to it, if there is one.
    fn divide_into_shares(self, bias: Option<&Self>, x: &Self) -> Result<PerUnit<Self>> {
        let denominator = match bias {
            Some(bias) => self.add(bias)?,
            None => self,
        };
        let (shares, zero) = x.quotient(&denominator)?;
        let bias = bias.map_or(Ok(0.0), |bias| shares.dot(bias))?;
        Ok(PerUnit { shares, zero, bias })
    }

    /// `self ⊘ (z + ε·sign z)` with sign 0 = 1; the sum of those x whose denominator is 0; and the share of ε, which acts as a bias of
    /// ε·sign z would. Shapes broadcast.
    fn stabilised_quotient(&self, z: &Self, epsilon: f64) -> Result<PerUnit<Self>> {
        let step = z.less_than(0.0)?.affine(-2.0 * epsilon, epsilon)?;
        let (shares, zero) = self.quotient(&z.add(&step)?)?;
        let bias = shares.dot(&step)?;
        Ok(PerUnit { shares, zero, bias })
    }

    /// Sum over the given axes.
    fn sum(&self, axes: &[usize], keep: bool) -> Result<Self>;
    /// Largest element over the given axes, which stay with extent 1.
    fn max_over(&self, axes: &[usize]) -> Result<Self>;
    /// eˣ / Σeˣ over the last axis; there must be one.
    fn softmax(&self) -> Result<Self>;
    /// The smallest of all elements; infinity if there are none.
    fn least(&self) -> Result<f64>;
    /// Sum of all elements.
    fn total(&self) -> Result<f64>;

    /// The same elements under another shape.
    fn reshape(&self, shape: &[usize]) -> Result<Self>;
    /// Axes in another order: axis `i` of the result is axis `order[i]` of this tensor.
    fn permute(&self, order: &[usize]) -> Result<Self>;
    /// Repeats axes of extent 1 (and leading axes) to the given shape.
    fn broadcast_to(&self, shape: &[usize]) -> Result<Self>;
    /// A region: one range for each axis.
    fn slice(&self, region: &[Range]) -> Result<Self>;
    /// Adds `part` to a region of this tensor, consuming it.
    fn add_region(self, region: &[Range], part: &Self) -> Result<Self>;
    /// Concatenates tensors along an axis.
    fn concat(parts: &[Self], axis: usize) -> Result<Self>;
    /// Reverses the order of elements along the given axes.
    fn flip(&self, axes: &[usize]) -> Result<Self>;
    /// The sub-tensors at `index` (one-dimensional, integer, not negative) along an axis.
    fn index_select(&self, axis: usize, index: &Self) -> Result<Self>;
    /// Adds the sub-tensors of `source` at `index` along an axis, consuming this tensor; repeated indices add up. The adjoint of
    /// [`index_select`](Tensor::index_select).
    fn index_add(self, axis: usize, index: &Self, source: &Self) -> Result<Self>;

    /// Whether the elements of a column lie side by side in memory, rather than those of a row. Only a hint at what is fast.
    fn is_column_major(&self) -> bool {
        false
    }
    /// Matrix product over the last two axes; leading axes broadcast. Both operands have at least two axes.
    fn matmul(&self, other: &Self) -> Result<Self>;
    /// Convolution of `self` `[N, C, spatial…]` with `weight` `[O, C / groups, kernel…]`, without bias.
    fn convolve(&self, weight: &Self, geometry: &ConvGeometry) -> Result<Self>;
    /// The adjoint of [`convolve`](Tensor::convolve): `self` is `[N, O, spatial…]`, the result `[N, C, input_spatial…]`.
    /// Input cells that no kernel reaches are 0. If the extents would give the convolution more outputs, those count as 0, as
    /// long as they need fewer cells than the dilation: this is the output padding of transposed convolutions.
    fn convolve_adjoint(
        &self,
        weight: &Self,
        geometry: &ConvGeometry,
        input_spatial: &[usize],
    ) -> Result<Self>;

    /// |x|
    fn abs(&self) -> Result<Self> {
        self.unary(Unary::Abs)
    }
    /// max(x, 0)
    fn positive(&self) -> Result<Self> {
        self.unary(Unary::Positive)
    }
    /// max(−x, 0)
    fn negative(&self) -> Result<Self> {
        self.unary(Unary::Negative)
    }
    /// x clamped to ±[`BOUND`].
    fn bounded(&self) -> Result<Self> {
        self.unary(Unary::Bounded)
    }
    /// Element-wise sum; shapes broadcast.
    fn add(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Add, other)
    }
    /// Element-wise difference; shapes broadcast.
    fn sub(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Sub, other)
    }
    /// Element-wise product; shapes broadcast.
    fn mul(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Mul, other)
    }
    /// `factor · x`.
    fn scale(&self, factor: f64) -> Result<Self> {
        self.affine(factor, 0.0)
    }
    /// 1 where the elements are equal, else 0.
    fn equal(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Equal, other)
    }
    /// 1 where this element is greater, else 0.
    fn greater(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Greater, other)
    }
    /// 1 where the element is greater than `bound`, else 0.
    fn greater_than(&self, bound: f64) -> Result<Self> {
        self.greater(&self.full(&[], bound)?)
    }
    /// 1 where the element is less than `bound`, else 0.
    fn less_than(&self, bound: f64) -> Result<Self> {
        self.full(&[], bound)?.greater(self)
    }
    /// This where `other` is above 0, else 0.
    fn where_positive(&self, other: &Self) -> Result<Self> {
        self.mul(&other.greater_than(0.0)?)
    }
    /// `1 − x`: the complement of a 0/1 mask.
    fn complement(&self) -> Result<Self> {
        self.affine(-1.0, 1.0)
    }
    /// A tensor of zeros, with this tensor's element type and device.
    fn zeros(&self, shape: &[usize]) -> Result<Self> {
        self.full(shape, 0.0)
    }
    /// Splits into parts of the given extents along an axis.
    fn split(&self, axis: usize, extents: &[usize]) -> Result<Vec<Self>> {
        let mut region = Range::whole(&self.shape());
        let mut parts = Vec::with_capacity(extents.len());
        let mut start = 0;
        for &extent in extents {
            region[axis] = Range::span(start, extent);
            parts.push(self.slice(&region)?);
            start += extent;
        }
        Ok(parts)
    }
    /// The last two axes exchanged.
    fn transpose(&self) -> Result<Self> {
        let rank = self.shape().len();
        let mut order: Vec<usize> = (0..rank).collect();
        if rank >= 2 {
            order.swap(rank - 2, rank - 1);
        }
        self.permute(&order)
    }
    /// Σ x ⊙ y, with y broadcast.
    fn dot(&self, y: &Self) -> Result<f64> {
        // Summing x down to the shape of y first avoids expanding a bias vector to the size of x.
        let shape = y.shape();
        if shape.iter().product::<usize>() < self.shape().iter().product() {
            self.sum_to(&shape)?.mul(y)?.total()
        } else {
            self.mul(y)?.total()
        }
    }
    /// Sums over what broadcasting to this tensor's shape would repeat: the adjoint of [`broadcast_to`](Tensor::broadcast_to).
    fn sum_to(&self, shape: &[usize]) -> Result<Self> {
        let from = self.shape();
        if from == shape {
            return Ok(self.clone());
        }
        let lead = from.len().saturating_sub(shape.len());
        let axes: Vec<usize> = (0..from.len())
            .filter(|&axis| axis < lead || (shape[axis - lead] == 1 && from[axis] != 1))
            .collect();
        let summed = if axes.is_empty() { self.clone() } else { self.sum(&axes, true)? };
        summed.reshape(shape)
    }
}
