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
        let sampled = self.call("", &[x, self.grid], None)?;
        if part == Part::Negative { sampled.scale(0.0) } else { Ok(sampled) }
    }

    fn adjoint(&self, part: Part, y: &TorchTensor) -> Result<TorchTensor> {
        if part == Part::Negative {
            return self.like.zeros(&self.like.shape());
        }
        self.call("_backward", &[y, self.like, self.grid], Some([true, false]))
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
