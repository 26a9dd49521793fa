//! Discrete Fourier transforms (rules §2): weighted sums of real and imaginary parts. Transforms along several axes, of texts
//! as of pictures, and spectrograms are made of these.

use super::Entry;
use super::parts::{Operand, computed, finish};
use super::spectra::{self, Spectrum};
use crate::TorchTensor;
use crate::arguments::{Arguments, axes};
use crate::lowering::Lowering;
use dlbacktrace_core::ops::MatMul;
use dlbacktrace_core::{BacktraceOp, Context, Error, Family, Relevance, Result, Tensor, ValueId};
use dlbacktrace_torch_recorder::Call;
use tch::{Kind, TchError};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::_fft_r2c"], Family::WeightedSum, |lowering, call| {
        keep_spectrum(lowering, call)?;
        let first = Transform::FromReal { one_sided: call.flag("onesided") };
        transform(lowering, call, |axes| {
            let others = axes.iter().rev().skip(1).map(|&axis| (axis, Transform::Between { forward: true }));
            axes.last().map(|&last| (last, first)).into_iter().chain(others).collect()
        })
    }),
    Entry::by_data(&["aten::_fft_c2c"], Family::WeightedSum, |lowering, call| {
        let forward = call.flag("forward");
        if let (false, Some(lowered)) = (forward, spectra::convolution(lowering, call, true)) {
            return lowered;
        }
        transform(lowering, call, |axes| {
            axes.iter().rev().map(|&axis| (axis, Transform::Between { forward })).collect()
        })
    }),
    Entry::by_data(&["aten::_fft_c2r"], Family::WeightedSum, |lowering, call| {
        let extent = call.int("last_dim_size")?;
        if let Some(lowered) = spectra::convolution(lowering, call, false) {
            return lowered;
        }
        transform(lowering, call, |axes| {
            let others = axes.iter().rev().skip(1).map(|&axis| (axis, Transform::Between { forward: false }));
            others.chain(axes.last().map(|&last| (last, Transform::ToReal { extent }))).collect()
        })
    }),
];

fn keep_spectrum(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let signal = lowering.operand(call.tensor("self")?)?;
    if let &[axis] = &axes(call.ints("dim"), signal.meta.shape.len())?[..] {
        spectra::keep(lowering, call, Some(Spectrum::of(&signal, axis, !call.flag("onesided"))));
    }
    Ok(())
}

/// The most numbers of a matrix.
const LIMIT: usize = 1 << 26;

/// A transform along one axis.
#[derive(Debug, Clone, Copy)]
enum Transform {
    /// Of real numbers, to the whole spectrum or to the half that says all.
    FromReal { one_sided: bool },
    /// Of complex numbers.
    Between { forward: bool },
    /// Back to as many real numbers.
    ToReal { extent: i64 },
}

impl Transform {
    fn of_complex(self) -> bool {
        !matches!(self, Self::FromReal { .. })
    }

    /// Of rows of real numbers, or of real and imaginary parts one after the other, as libtorch transforms them.
    fn rows(self, x: &tch::Tensor, how: i64) -> std::result::Result<tch::Tensor, TchError> {
        let (mut rows, axis) = (x.size(), [x.dim() as i64 - 1]);
        let complex = || {
            let mut parts = rows.clone();
            parts.splice(parts.len() - 1.., [-1, 2]);
            x.f_reshape(parts)?.f_view_as_complex()
        };
        let made = match self {
            Self::FromReal { one_sided } => x.f_internal_fft_r2c(axis, how, one_sided)?,
            Self::Between { forward } => complex()?.f_internal_fft_c2c(axis, how, forward)?,
            Self::ToReal { extent } => complex()?.f_internal_fft_c2r(axis, how, extent)?,
        };
        rows.splice(rows.len() - 1.., [-1]);
        if made.is_complex() { made.f_view_as_real()?.f_reshape(rows) } else { Ok(made) }
    }

    /// The transform of x along an axis.
    fn along(self, lowering: &mut Lowering, x: &Operand, axis: usize, how: i64) -> Result<Operand> {
        let from_parts = usize::from(self.of_complex());
        let to_parts = usize::from(!matches!(self, Self::ToReal { .. }));
        let axes = x.meta.shape.len() - from_parts;
        let extent = x.meta.shape[axis];
        let units = extent << from_parts;
        if units * units > LIMIT {
            return Err(Error::Uncovered(format!(
                "a Fourier transform of {extent} points is too long for its rule"
            )));
        }

        // The axis goes last, and becomes one with that of the parts.
        let mut order: Vec<usize> = (0..axes).collect();
        order[axis..].rotate_left(1);
        let rows: Vec<usize> = order[..axes - 1].iter().map(|&axis| x.meta.shape[axis]).collect();
        let x = lowering.writer.permute(x, &[&order[..], &vec![axes; from_parts]].concat())?;
        let x = lowering.writer.reshape(&x, &[&rows[..], &[units]].concat())?;
        let data = computed(self.rows(x.data()?.as_tch(), how))?;
        let columns = data.shape()[axes - 1];
        let made = lowering.writer.inner(Box::new(OfRows { transform: self, how }), vec![x], data);
        let parts = [&rows[..], &[columns >> to_parts], &vec![2; to_parts]].concat();
        let made = lowering.writer.reshape(&made, &parts)?;
        let mut back: Vec<usize> = (0..axes).collect();
        back[axis..].rotate_right(1);
        lowering.writer.permute(&made, &[&back[..], &vec![axes; to_parts]].concat())
    }
}

/// A transform of rows: a product with the matrix that libtorch makes of unit vectors. That is made only where relevance
/// arrives.
#[derive(Debug)]
struct OfRows {
    transform: Transform,
    how: i64,
}

impl BacktraceOp<TorchTensor> for OfRows {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn backtrace(
        &self,
        inputs: &[Operand],
        arriving: &[Option<Relevance<TorchTensor>>],
        context: &mut Context<'_, TorchTensor>,
    ) -> Result<Vec<Option<Relevance<TorchTensor>>>> {
        let [x] = inputs else { return Err(Error::Uncovered("a transform takes one operand".into())) };
        let units = x.meta.shape.last().copied().unwrap_or(1) as i64;
        let units = tch::Tensor::f_eye(units, (Kind::Double, tch::Device::Cpu));
        let matrix = computed(units.and_then(|units| self.transform.rows(&units, self.how)))?;
        let matrix = dlbacktrace_core::Operand::new(ValueId(usize::MAX), matrix.cast(x.data()?.dtype())?);
        let product = MatMul { transposed: false };
        let mut shares = product.backtrace(&[x.clone(), matrix], arriving, context)?;
        shares.truncate(1);
        Ok(shares)
    }
}

/// Transforms along one axis after the other, as they would be written out: to a spectrum from the last axis on.
fn transform(
    lowering: &mut Lowering,
    call: &Call,
    steps: impl Fn(&[usize]) -> Vec<(usize, Transform)>,
) -> Result<()> {
    let slot = call.tensor("self")?;
    let mut x = lowering.operand(slot)?;
    let axes = axes(call.ints("dim"), x.meta.shape.len() - usize::from(lowering.is_complex(slot)))?;
    let how = call.int("normalization")?;
    for (axis, transform) in steps(&axes) {
        x = transform.along(lowering, &x, axis, how)?;
    }
    finish(lowering, call, x)
}
