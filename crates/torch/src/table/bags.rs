//! Bags of embeddings (rules §5, then §2 or §3): rows are looked up, then summed or compared bag by bag.

use super::Entry;
use super::parts::{self, Operand, computed};
use crate::TorchTensor;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Embedding, IndexAdd, IndexExtremum, IndexSelect, Product};
use dlbacktrace_core::{BacktraceOp, Family, Result, Tensor};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[Entry::by_result(
    &["aten::embedding_bag", "aten::_embedding_bag", "aten::_embedding_bag_forward_only"],
    Family::Embedding,
    bags,
)];

const MAX: i64 = 2;

fn bags(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let table = lowering.operand(call.tensor("weight")?)?;
    let mut tokens = lowering.operand(call.tensor("indices")?)?;
    let mut factors = call.optional("per_sample_weights").map(|slot| lowering.operand(slot)).transpose()?;
    let result = parts::result(lowering, call)?;
    let offsets = lowering.operand(call.tensor("offsets")?)?;
    let mut bags = bag_of_each(&tokens, &offsets, result.shape()[0])?;
    if let Some(kept) = kept(call, &tokens, &table)? {
        bags = bags.index_select(0, &kept)?;
        tokens = chosen(lowering, &tokens, &kept)?;
        factors = factors.map(|factors| chosen(lowering, &factors, &kept)).transpose()?;
    }
    let rows = table.data()?.index_select(0, tokens.data()?)?;
    let mut rows = lowering.writer.inner(Box::new(Embedding), vec![table, tokens], rows);
    if let Some(factors) = factors {
        let column = lowering.writer.reshape(&factors, &[rows.meta.shape[0], 1])?;
        let scaled = rows.data()?.mul(column.data()?)?;
        rows = lowering.writer.inner(Box::new(Product), vec![rows, column], scaled);
    }
    let op: Box<dyn BacktraceOp<TorchTensor>> = if call.int("mode")? == MAX {
        Box::new(IndexExtremum { axis: 0, index: bags, result })
    } else {
        // A mean only scales whole bags.
        Box::new(IndexAdd { axis: 0, index: bags })
    };
    lowering.step(call, op, vec![rows])
}

/// The bag of each token: offsets say where bags start.
fn bag_of_each(tokens: &Operand, offsets: &Operand, count: usize) -> Result<TorchTensor> {
    let starts = offsets.data()?.as_tch().f_narrow(0, 0, count as i64);
    let places =
        tch::Tensor::f_arange(tokens.meta.shape.iter().product::<usize>() as i64, tch::kind::INT64_CPU);
    computed(starts.and_then(|starts| {
        let started = places?.f_unsqueeze(1)?.f_greater_equal_tensor(&starts)?;
        started.f_sum_dim_intlist([1].as_slice(), false, tch::Kind::Int64)?.f_sub_scalar(1)
    }))
}

/// The places of the tokens that are not padding; `None` if all are kept.
fn kept(call: &Call, tokens: &Operand, table: &Operand) -> Result<Option<TorchTensor>> {
    let rows = table.meta.shape.first().map_or(0, |&rows| rows as i64);
    let padding = match call.int("padding_idx") {
        Ok(index) if index >= 0 => index,
        // The composite operator counts from the end; its kernel takes a negative index for none.
        Ok(index) if call.base == "aten::embedding_bag" => index + rows,
        _ => return Ok(None),
    };
    let kept = tokens.data()?.as_tch().f_ne(padding);
    computed(kept.and_then(|kept| kept.f_nonzero()?.f_reshape([-1]))).map(Some)
}

fn chosen(lowering: &mut Lowering, x: &Operand, places: &TorchTensor) -> Result<Operand> {
    let data = x.data()?.index_select(0, places)?;
    let places = lowering.writer.constant(places.clone());
    Ok(lowering.writer.inner(Box::new(IndexSelect { axis: 0 }), vec![x.clone(), places], data))
}
