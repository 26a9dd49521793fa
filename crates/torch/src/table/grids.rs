//! Sampling at the points of a constant grid (rules §2 and "Sampling at a grid"): libtorch's own operator is the weighted sum, and
//! its gradient is the adjoint.

use super::Entry;
use crate::TorchTensor;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::maps::LinearMap;
use dlbacktrace_core::ops::{Linear, OwnedMap};
use dlbacktrace_core::{Error, Family, Operand, Part, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Input, call_operator};
use ndarray::{ArrayD, IxDyn};

pub(super) const ENTRIES: &[Entry] =
    &[Entry::by_data(&["aten::grid_sampler"], Family::WeightedSum, grid_sampler)];

const CUBIC: i64 = 2;

fn grid_sampler(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let x = lowering.operand(call.tensor("input")?)?;
    let grid = lowering.operand(call.tensor("grid")?)?;
    let interpolation = call.int("interpolation_mode")?;
    if interpolation == CUBIC {
        return Err(Error::Uncovered(
            "cubic sampling at a grid has no rule; bilinear and nearest have one".into(),
        ));
    }
    let map = GridSampler {
        kernel: if x.meta.shape.len() == 5 { "aten::grid_sampler_3d" } else { "aten::grid_sampler_2d" },
        interpolation,
        padding: call.int("padding_mode")?,
        align_corners: call.flag("align_corners"),
    };
    lowering.step(call, Box::new(Linear { map }), vec![x, grid])
}

/// y = W x, where W holds the weights of the cells around each point of a grid, none of them negative. Operands: x
/// `[N, C, spatial…]` and the grid `[N, points…, axes]`.
#[derive(Debug, Clone)]
struct GridSampler {
    kernel: &'static str,
    interpolation: i64,
    padding: i64,
    align_corners: bool,
}

#[derive(Debug)]
struct AtGrid<'a> {
    sampler: &'a GridSampler,
    grid: &'a TorchTensor,
    /// Any tensor with the shape of x.
    like: &'a TorchTensor,
}

impl AtGrid<'_> {
    fn call(&self, suffix: &str, tensors: &[&TorchTensor], mask: Option<[bool; 2]>) -> Result<TorchTensor> {
        let GridSampler { kernel, interpolation, padding, align_corners } = *self.sampler;
        let mut arguments: Vec<Input> =
            tensors.iter().map(|tensor| Input::Tensor(tensor.as_tch().shallow_clone())).collect();
        arguments.extend([Input::Int(interpolation), Input::Int(padding), Input::Bool(align_corners)]);
        arguments.extend(mask.map(|mask| Input::List(mask.map(Input::Bool).into())));
        let results = call_operator(&format!("{kernel}{suffix}"), "", arguments)
            .map_err(|error| Error::tensor("sampling at a grid", error))?;
        let first = results.into_iter().next().map(TorchTensor::from);
        first.ok_or_else(|| Error::tensor("sampling at a grid", "no result"))
    }
}

impl LinearMap<TorchTensor> for AtGrid<'_> {
    fn apply(&self, part: Part, x: &TorchTensor) -> Result<TorchTensor> {
        match part {
            Part::Signed | Part::Abs | Part::Positive => self.sampled(x),
            Part::Negative => self.sampled(x)?.scale(0.0),
            Part::Square | Part::Ones => self
                .over_cells(|cells| reweighted(part, &self.sampled(&cells.mul(x)?)?, &self.sampled(cells)?)),
        }
    }

    fn adjoint(&self, part: Part, y: &TorchTensor) -> Result<TorchTensor> {
        match part {
            Part::Signed | Part::Abs | Part::Positive => self.spread(y),
            Part::Negative => self.like.zeros(&self.like.shape()),
            Part::Square | Part::Ones => self
                .over_cells(|cells| cells.mul(&self.spread(&reweighted(part, y, &self.sampled(cells)?)?)?)),
        }
    }
}

impl AtGrid<'_> {
    fn sampled(&self, x: &TorchTensor) -> Result<TorchTensor> {
        self.call("", &[x, self.grid], None)
    }

    fn spread(&self, y: &TorchTensor) -> Result<TorchTensor> {
        self.call("_backward", &[y, self.like, self.grid], Some([true, false]))
    }

    /// The sum over the cells around each point, which the kernel weighs together. Neighbours along an axis are even and odd, so a
    /// mask of cells that are alike along each axis holds one of the cells around any point, and sampling the mask gives its weight.
    fn over_cells(&self, part: impl Fn(&TorchTensor) -> Result<TorchTensor>) -> Result<TorchTensor> {
        let shape = self.like.shape();
        let spatial = &shape[2..];
        let masks = (0..1_usize << spatial.len()).map(|corner| {
            let alike = |at: &IxDyn| (0..spatial.len()).all(|axis| at[axis + 2] % 2 == corner >> axis & 1);
            let mask_shape = [&[1, 1], spatial].concat();
            let mask = ArrayD::from_shape_fn(mask_shape, |at| f64::from(u8::from(alike(&at))));
            part(&self.like.floats(mask.view())?.broadcast_to(&shape)?)
        });
        masks.reduce(|sum, part| sum?.add(&part?)).unwrap_or_else(|| self.like.zeros(&shape))
    }
}

/// A weight below this is a rounding error of the point's place.
const NO_WEIGHT: f64 = 1e-6;

/// w·x with w² or 1 in place of the weight w of a cell, from w·x and w; or the same of y.
fn reweighted(part: Part, weighted: &TorchTensor, weight: &TorchTensor) -> Result<TorchTensor> {
    match part {
        Part::Square => weighted.mul(weight),
        _ => weighted.quotient(weight)?.0.mul(&weight.greater_than(NO_WEIGHT)?),
    }
}

impl OwnedMap<TorchTensor> for GridSampler {
    fn name(&self) -> &'static str {
        "sampling at a grid"
    }

    fn map<'a>(
        &'a self,
        operands: &'a [Operand<TorchTensor>],
    ) -> Result<Box<dyn LinearMap<TorchTensor> + 'a>> {
        let [x, grid] = operands else {
            return Err(Error::Uncovered("sampling takes a tensor and a grid".into()));
        };
        Ok(Box::new(AtGrid { sampler: self, grid: grid.data()?, like: x.data()? }))
    }
}
