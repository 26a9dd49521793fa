//! libtorch tensors for the rules.

use dlbacktrace_core::{BOUND, Binary, ConvGeometry, DType, Error, PerUnit, Range, Result, Tensor, Unary};
use dlbacktrace_torch_recorder::{Shared, holds_alone};
use ndarray::{ArrayD, ArrayViewD};
use tch::{Kind, TchError};

/// A libtorch tensor. Cloning shares it; nothing is copied on the way in or out.
#[derive(Debug)]
pub struct TorchTensor(Shared);

impl TorchTensor {
    /// The libtorch tensor.
    pub fn as_tch(&self) -> &tch::Tensor {
        &self.0
    }

    /// The libtorch tensor, taken out.
    pub fn into_tch(self) -> tch::Tensor {
        self.0.into_inner()
    }
}

impl From<tch::Tensor> for TorchTensor {
    fn from(tensor: tch::Tensor) -> Self {
        Self(tensor.into())
    }
}

impl Clone for TorchTensor {
    fn clone(&self) -> Self {
        Self::from(self.0.shallow_clone())
    }
}

/// The core's element type for one of libtorch.
pub(crate) fn dtype(kind: Kind) -> DType {
    match kind {
        Kind::Half => DType::F16,
        Kind::BFloat16 => DType::BF16,
        Kind::Float => DType::F32,
        Kind::Double => DType::F64,
        Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64 => DType::Int,
        Kind::Bool => DType::Bool,
        _ => DType::Other,
    }
}

/// The element type of the two numbers that make a complex element.
pub(crate) fn part_of(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::ComplexHalf => Some(Kind::Half),
        Kind::ComplexFloat => Some(Kind::Float),
        Kind::ComplexDouble => Some(Kind::Double),
        _ => None,
    }
}

fn kind(dtype: DType) -> Option<Kind> {
    match dtype {
        DType::F16 => Some(Kind::Half),
        DType::BF16 => Some(Kind::BFloat16),
        DType::F32 => Some(Kind::Float),
        DType::F64 => Some(Kind::Double),
        DType::Int => Some(Kind::Int64),
        DType::Bool => Some(Kind::Bool),
        _ => None,
    }
}

/// Adds the operation to libtorch's message, whose first line says what is wrong.
fn named(operation: &'static str) -> impl Fn(TchError) -> Error {
    move |error| {
        let text = error.to_string();
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Error::tensor(operation, first)
    }
}

fn wrap(operation: &'static str, result: std::result::Result<tch::Tensor, TchError>) -> Result<TorchTensor> {
    result.map(TorchTensor::from).map_err(named(operation))
}

fn signed(extents: &[usize]) -> Vec<i64> {
    // Extents of tensors in memory fit in i64.
    extents.iter().map(|&extent| extent as i64).collect()
}

impl TorchTensor {
    /// The tensor to write into: itself if nothing else sees it, otherwise a copy.
    fn own(self, operation: &'static str) -> Result<tch::Tensor> {
        if holds_alone(&self.0) {
            return Ok(self.into_tch());
        }
        self.0.f_to_dtype(self.0.kind(), false, true).map_err(named(operation))
    }

    /// The region of this tensor; shares its data.
    fn view(&self, operation: &'static str, region: &[Range]) -> Result<tch::Tensor> {
        let shape = self.shape();
        // libtorch would clip a range that ends beyond the axis.
        let inside = |(range, &extent): (&Range, &usize)| {
            range.len == 0 || (range.len - 1) * range.step + range.start < extent
        };
        if region.len() != shape.len() || !region.iter().zip(&shape).all(inside) {
            return Err(Error::tensor(
                operation,
                format!("the region {region:?} does not lie in the shape {shape:?}"),
            ));
        }
        let mut view = self.0.shallow_clone();
        for (axis, (range, &extent)) in region.iter().zip(&shape).enumerate() {
            let end =
                if range.len == 0 { range.start } else { range.start + (range.len - 1) * range.step + 1 };
            if (end, range.step, range.start) != (extent, 1, 0) {
                view = view
                    .f_slice(axis as i64, range.start as i64, end as i64, range.step as i64)
                    .map_err(named(operation))?;
            }
        }
        Ok(view)
    }
}

impl Tensor for TorchTensor {
    fn shape(&self) -> Vec<usize> {
        self.0.size().into_iter().map(|extent| extent as usize).collect()
    }

    fn dtype(&self) -> DType {
        dtype(self.0.kind())
    }

    fn cast(&self, to: DType) -> Result<Self> {
        if self.dtype() == to {
            return Ok(self.clone());
        }
        let kind = kind(to)
            .ok_or_else(|| Error::tensor("cast", format!("no element type of libtorch is {to:?}")))?;
        wrap("cast", self.0.f_to_kind(kind))
    }

    fn full(&self, shape: &[usize], value: f64) -> Result<Self> {
        wrap("full", tch::Tensor::f_full(signed(shape), value, (self.0.kind(), self.0.device())))
    }

    fn floats(&self, values: ArrayViewD<'_, f64>) -> Result<Self> {
        let flat: Vec<f64> = values.iter().copied().collect();
        let tensor = tch::Tensor::f_from_slice(&flat)
            .and_then(|tensor| tensor.f_to_kind(self.0.kind()))
            .and_then(|tensor| tensor.f_to_device(self.0.device()))
            .and_then(|tensor| tensor.f_reshape(signed(values.shape())));
        wrap("floats", tensor)
    }

    fn indices(&self, values: &[i64]) -> Result<Self> {
        wrap(
            "indices",
            tch::Tensor::f_from_slice(values).and_then(|tensor| tensor.f_to_device(self.0.device())),
        )
    }

    fn to_array(&self) -> Result<ArrayD<f64>> {
        read(&self.0, Kind::Double, 0.0)
    }

    fn to_indices(&self) -> Result<ArrayD<i64>> {
        read(&self.0, Kind::Int64, 0)
    }

    fn unary(&self, function: Unary) -> Result<Self> {
        let x = &self.0;
        let result = match function {
            Unary::Abs => x.f_abs(),
            Unary::Positive => x.f_clamp_min(0.0),
            Unary::Negative => x.f_clamp_max(0.0).and_then(|x| x.f_neg()),
            Unary::Sigmoid => x.f_sigmoid(),
            Unary::Tanh => x.f_tanh(),
            Unary::Bounded => x.f_clamp(-BOUND, BOUND),
        };
        wrap("unary", result)
    }

    fn binary(&self, function: Binary, other: &Self) -> Result<Self> {
        let (a, b) = (&self.0, &other.0);
        // Masks of numbers are made several times as fast as truth values that are then converted, if what they compare is
        // contiguous.
        let mask = |compare: fn(
            &tch::Tensor,
            &tch::Tensor,
            &tch::Tensor,
        ) -> std::result::Result<tch::Tensor, TchError>| {
            let kind = if dtype(a.kind()).is_float() { a.kind() } else { Kind::Float };
            let out = tch::Tensor::f_empty([0], (kind, a.device()))?;
            compare(&a.f_contiguous()?, &out, b)
        };
        let result = match function {
            Binary::Add => a.f_add(b),
            Binary::Sub => a.f_sub(b),
            Binary::Mul => a.f_mul(b),
            Binary::Equal => mask(|a, out, b| a.f_eq_tensor_out(out, b)),
            Binary::Greater => mask(|a, out, b| a.f_gt_tensor_out(out, b)),
        };
        wrap("binary", result)
    }

    fn affine(&self, factor: f64, offset: f64) -> Result<Self> {
        let x = &self.0;
        wrap(
            "affine",
            match (factor, offset) {
                (1.0, 0.0) => Ok(x.shallow_clone()),
                (1.0, offset) => x.f_add_scalar(offset),
                (factor, 0.0) => x.f_mul_scalar(factor),
                (-1.0, offset) => x.f_rsub_scalar(offset),
                (factor, offset) => x.f_mul_scalar(factor).and_then(|x| x.f_add_scalar(offset)),
            },
        )
    }

    fn accumulate(self, other: &Self) -> Result<Self> {
        if !holds_alone(&self.0) {
            return self.add(other);
        }
        let mut sum = self.into_tch();
        wrap("accumulate", sum.f_add_(&other.0))
    }

    fn multiplied(self, other: &Self) -> Result<Self> {
        if !holds_alone(&self.0) {
            return self.mul(other);
        }
        let mut product = self.into_tch();
        wrap("multiplied", product.f_mul_(&other.0))
    }

    fn where_positive(&self, other: &Self) -> Result<Self> {
        wrap("where_positive", other.0.f_threshold_backward(&self.0, 0.0))
    }

    fn quotient(&self, denominator: &Self) -> Result<(Self, f64)> {
        divided(self, denominator, |x, d| x.f_div(d))
    }

    fn divide_into_shares(self, bias: Option<&Self>, x: &Self) -> Result<PerUnit<Self>> {
        let name = "dividing";
        // A second handle would force a copy of a tensor that nobody else holds.
        let whole = if self.shape() == x.shape() { self } else { self.broadcast_to(&x.shape())? };
        let mut denominator = whole.own(name)?;
        if let Some(bias) = bias {
            denominator = denominator.f_add_(&bias.0).map_err(named(name))?;
        }
        let (shares, zero) = divided(x, &Self::from(denominator), |x, d| x.f_div_out(d, d))?;
        let bias = bias.map_or(Ok(0.0), |bias| shares.dot(bias))?;
        Ok(PerUnit { shares, zero, bias })
    }

    fn stabilised_quotient(&self, z: &Self, epsilon: f64) -> Result<PerUnit<Self>> {
        let name = "stabilised_quotient";
        let size = self.full(&[], epsilon)?;
        // −0.0 takes −ε here. All that adds up to it is 0, so no share shows it.
        let step = size.0.f_copysign(&z.0).map_err(named(name))?;
        let denominator = wrap(name, z.0.f_add(&step))?;
        let above_zero = size.total()? >= self.dtype().negligible();
        let (shares, zero) = if above_zero && denominator.shape() == self.shape() {
            (wrap(name, self.0.f_div_out(&denominator.0, &denominator.0))?, 0.0)
        } else {
            self.quotient(&denominator)?
        };
        let bias = shares.dot(&Self::from(step))?;
        Ok(PerUnit { shares, zero, bias })
    }

    // For libtorch, an empty list of axes means all of them.
    fn sum(&self, axes: &[usize], keep: bool) -> Result<Self> {
        if axes.is_empty() {
            return Ok(self.clone());
        }
        wrap("sum", self.0.f_sum_dim_intlist(signed(axes), keep, None))
    }

    fn max_over(&self, axes: &[usize]) -> Result<Self> {
        if axes.is_empty() {
            return Ok(self.clone());
        }
        wrap("max_over", self.0.f_amax(signed(axes), true))
    }

    fn softmax(&self) -> Result<Self> {
        if self.0.dim() == 0 {
            return Err(Error::tensor("softmax", "a tensor without axes has no softmax"));
        }
        wrap("softmax", self.0.f_softmax(-1, self.0.kind()))
    }

    fn least(&self) -> Result<f64> {
        if self.0.numel() == 0 {
            return Ok(f64::INFINITY);
        }
        self.0.f_min().and_then(|least| least.f_double_value(&[])).map_err(named("least"))
    }

    fn total(&self) -> Result<f64> {
        self.0.f_sum(None).and_then(|sum| sum.f_double_value(&[])).map_err(named("total"))
    }

    fn reshape(&self, shape: &[usize]) -> Result<Self> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        wrap("reshape", self.0.f_reshape(signed(shape)))
    }

    fn permute(&self, order: &[usize]) -> Result<Self> {
        wrap("permute", self.0.f_permute(signed(order)))
    }

    fn broadcast_to(&self, shape: &[usize]) -> Result<Self> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        wrap("broadcast_to", self.0.f_broadcast_to(signed(shape)))
    }

    fn slice(&self, region: &[Range]) -> Result<Self> {
        self.view("slice", region).map(Self::from)
    }

    fn split(&self, axis: usize, extents: &[usize]) -> Result<Vec<Self>> {
        let parts = self.0.f_split_with_sizes(signed(extents), axis as i64).map_err(named("split"))?;
        Ok(parts.into_iter().map(Self::from).collect())
    }

    fn add_region(self, region: &[Range], part: &Self) -> Result<Self> {
        let whole = Self::from(self.own("add_region")?);
        let _ = whole.view("add_region", region)?.f_add_(&part.0).map_err(named("add_region"))?;
        Ok(whole)
    }

    fn concat(parts: &[Self], axis: usize) -> Result<Self> {
        let parts: Vec<&tch::Tensor> = parts.iter().map(Self::as_tch).collect();
        wrap("concat", tch::Tensor::f_cat(&parts, axis as i64))
    }

    fn flip(&self, axes: &[usize]) -> Result<Self> {
        wrap("flip", self.0.f_flip(signed(axes)))
    }

    fn index_select(&self, axis: usize, index: &Self) -> Result<Self> {
        wrap("index_select", self.0.f_index_select(axis as i64, &index.0))
    }

    fn index_add(self, axis: usize, index: &Self, source: &Self) -> Result<Self> {
        wrap("index_add", self.own("index_add")?.f_index_add_(axis as i64, &index.0, &source.0))
    }

    fn is_column_major(&self) -> bool {
        let [.., rows, columns] = self.0.stride()[..] else { return false };
        rows == 1 && columns != 1
    }

    fn matmul(&self, other: &Self) -> Result<Self> {
        wrap("matmul", self.0.f_matmul(&other.0))
    }

    fn convolve(&self, weight: &Self, geometry: &ConvGeometry) -> Result<Self> {
        let none = vec![0_i64; geometry.stride.len()];
        convolution("convolve", &self.0, &weight.0, geometry, false, none)
    }

    fn convolve_adjoint(
        &self,
        weight: &Self,
        geometry: &ConvGeometry,
        input_spatial: &[usize],
    ) -> Result<Self> {
        let name = "convolve_adjoint";
        let (output, kernel) = (self.shape(), weight.shape());
        let reached = |axis: usize| -> Option<usize> {
            let span = output.get(axis + 2)?.checked_sub(1)? * geometry.stride[axis]
                + geometry.dilation[axis] * kernel.get(axis + 2)?.checked_sub(1)?
                + 1;
            // The number of cells that the stride leaves over, perhaps 0.
            (input_spatial.get(axis)? + 2 * geometry.padding[axis]).checked_sub(span)
        };
        let left_over =
            (0..geometry.stride.len()).map(reached).collect::<Option<Vec<_>>>().ok_or_else(|| {
                let message = format!(
                    "extents {output:?} are not the output of extents {input_spatial:?} under {geometry:?}"
                );
                Error::tensor(name, message)
            })?;
        // The fold has no output padding as large as the stride.
        let folds = left_over.iter().zip(&geometry.stride).all(|(left_over, stride)| left_over < stride);
        match (kernel.as_slice(), geometry.groups) {
            (&[_, channels, _, _], 1) if channels <= FEW_CHANNELS && folds => {
                adjoint_to_few_channels(&self.0, &weight.0, geometry, input_spatial)
            }
            _ => convolution(name, &self.0, &weight.0, geometry, true, signed(&left_over)),
        }
    }
}

/// Up to this many input channels, as in pictures, libtorch's kernel for the adjoint is slower than a matrix product and the
/// fold of its columns: 11 ms against 5 ms for the first layer of a ResNet.
const FEW_CHANNELS: usize = 4;

/// The adjoint of a convolution without groups in two dimensions: wᵀ·y gives what each kernel cell hands back for each output
/// cell, and the fold adds it up where the kernel was.
fn adjoint_to_few_channels(
    y: &tch::Tensor,
    weight: &tch::Tensor,
    geometry: &ConvGeometry,
    input_spatial: &[usize],
) -> Result<TorchTensor> {
    let (batch, kernel) = (y.size()[0], weight.size());
    let columns = weight
        .f_reshape([kernel[0], -1])
        .and_then(|weight| weight.f_transpose(0, 1))
        .and_then(|weight| weight.f_matmul(&y.f_reshape([batch, kernel[0], -1])?))
        .and_then(|columns| {
            columns.f_col2im(
                signed(input_spatial),
                &kernel[2..],
                signed(&geometry.dilation),
                signed(&geometry.padding),
                signed(&geometry.stride),
            )
        });
    wrap("convolve_adjoint", columns)
}

fn convolution(
    operation: &'static str,
    x: &tch::Tensor,
    weight: &tch::Tensor,
    geometry: &ConvGeometry,
    transposed: bool,
    output_padding: Vec<i64>,
) -> Result<TorchTensor> {
    let result = x.f_convolution(
        weight,
        None::<tch::Tensor>,
        signed(&geometry.stride),
        signed(&geometry.padding),
        signed(&geometry.dilation),
        transposed,
        output_padding,
        geometry.groups as i64,
    );
    wrap(operation, result)
}

/// The quotient of x and d by `divide`, 0 where d is 0; and the sum of the x there.
fn divided(
    x: &TorchTensor,
    d: &TorchTensor,
    divide: impl FnOnce(&tch::Tensor, &tch::Tensor) -> std::result::Result<tch::Tensor, TchError>,
) -> Result<(TorchTensor, f64)> {
    let name = "quotient";
    let negligible = x.dtype().negligible();
    // Most denominators are sums of magnitudes without a zero among them: one look saves three passes.
    if d.least()? >= negligible {
        return Ok((wrap(name, divide(&x.0, &d.0))?, 0.0));
    }
    let zero = d.0.f_abs().and_then(|size| size.f_lt(negligible)).map_err(named(name))?;
    let lost = x.0.f_mul(&zero).map(TorchTensor::from).map_err(named(name))?.total()?;
    let ratio = divide(&x.0, &d.0).and_then(|ratio| ratio.f_masked_fill(&zero, 0.0));
    Ok((wrap(name, ratio)?, lost))
}

/// Copies the elements of a tensor in row-major order.
fn read<T: tch::kind::Element + Copy>(tensor: &tch::Tensor, kind: Kind, blank: T) -> Result<ArrayD<T>> {
    let name = "to_array";
    let tensor = tensor
        .f_to_device(tch::Device::Cpu)
        .and_then(|tensor| tensor.f_to_kind(kind))
        .and_then(|tensor| tensor.f_contiguous())
        .map_err(named(name))?;
    let shape: Vec<usize> = tensor.size().into_iter().map(|extent| extent as usize).collect();
    let mut values = vec![blank; tensor.numel()];
    let count = values.len();
    tensor.f_copy_data(&mut values, count).map_err(named(name))?;
    ArrayD::from_shape_vec(shape, values).map_err(|error| Error::tensor(name, error))
}
