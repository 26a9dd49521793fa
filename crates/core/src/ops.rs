//! The operators, one a file; what several share is in `pieces`.

mod adaptive_average_pool;
mod adaptive_max_pool;
mod alias;
mod as_complex;
mod attention;
mod average_pool;
mod bundle;
mod channels_last;
mod circular_convolution;
mod complex_product;
mod concat;
mod conjugate;
mod constant;
mod convolution;
mod cumulative_sum;
mod decision;
mod detach;
mod einsum;
mod embedding;
mod expand;
mod extremum;
mod flip;
mod fourier;
mod index_add;
mod index_extremum;
mod index_select;
mod interpolate;
mod inverse;
mod linear;
mod log_add_exp;
mod matmul;
mod max_pool;
mod nearest;
mod norm;
mod one_hot;
mod pad;
mod pairwise_extremum;
mod pass;
mod permute;
mod pieces;
mod product;
mod quotient;
mod rearrange;
mod reduce;
mod reshape;
mod select;
mod separable;
mod slice;
mod softmax_expansion;
mod sparse_sum;
mod statistic;
mod sum;
mod token_arithmetic;
mod token_scatter;
mod transposed_convolution;
mod unruled;
mod within_layer;

pub use adaptive_max_pool::AdaptiveMaxPool;
pub use alias::{Alias, Strided};
pub use as_complex::AsComplex;
pub use attention::Attention;
pub use bundle::Bundle;
pub use channels_last::ChannelsLast;
pub use circular_convolution::CircularConvolution;
pub use complex_product::{ComplexProduct, Multiply};
pub use concat::Concat;
pub use conjugate::Conjugate;
pub use constant::Constant;
pub use convolution::Convolution;
pub use cumulative_sum::CumulativeSum;
pub use decision::Decision;
pub use detach::Detach;
pub use einsum::Einsum;
pub use embedding::Embedding;
pub use expand::Expand;
pub use extremum::Extremum;
pub use flip::Flip;
pub use fourier::{Fourier, Transform};
pub use index_add::IndexAdd;
pub use index_extremum::IndexExtremum;
pub use index_select::IndexSelect;
pub use interpolate::{Interpolation, Sampling};
pub use inverse::Inverse;
pub use linear::{Linear, OwnedMap};
pub use log_add_exp::LogAddExp;
pub use matmul::MatMul;
pub use max_pool::MaxPool;
pub use nearest::Nearest;
pub use norm::{Norm, Statistics};
pub use one_hot::OneHot;
pub use pad::Pad;
pub use pairwise_extremum::PairwiseExtremum;
pub use pass::Pass;
pub use permute::Permute;
pub use pieces::movement::Movement;
pub use product::Product;
pub use quotient::Quotient;
pub use rearrange::Rearrange;
pub use reduce::Reduce;
pub use reshape::Reshape;
pub use select::Select;
pub use separable::Separable;
pub use slice::Slice;
pub(crate) use softmax_expansion::SoftmaxExpansion;
pub use sparse_sum::SparseSum;
pub use statistic::{Measure, Statistic};
pub use sum::Sum;
pub use token_arithmetic::TokenArithmetic;
pub use token_scatter::TokenScatter;
pub use transposed_convolution::TransposedConvolution;
pub use unruled::Unruled;
pub(crate) use within_layer::WithinLayer;

use crate::{Context, Error, Loss, Operand, Relevance, Result, Tensor};

/// The operands of an operator that takes exactly `N`.
pub(crate) fn exactly<T, const N: usize>(operands: &[Operand<T>]) -> Result<&[Operand<T>; N]> {
    operands
        .try_into()
        .map_err(|_| Error::Uncovered(format!("expected {N} operands, found {}", operands.len())))
}

/// An operand seen under another shape.
pub(crate) fn viewed<T: Tensor>(operand: &Operand<T>, shape: &[usize]) -> Result<Operand<T>> {
    let mut viewed = operand.clone();
    viewed.data = operand.data.as_ref().map(|data| data.reshape(shape)).transpose()?;
    viewed.meta.shape = shape.to_vec();
    Ok(viewed)
}

/// Gives each operand its part of the relevance of each element; what a constant takes is lost.
pub(crate) fn by_parts<T: Tensor, const N: usize>(
    operands: &[Operand<T>; N],
    parts: [T; N],
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<Vec<Option<Relevance<T>>>> {
    let shares = operands.iter().zip(parts).map(|(operand, part)| {
        let share = relevance.map(|channel| channel.mul(&part)?.sum_to(&operand.meta.shape))?;
        if operand.depends {
            return Ok(Some(share));
        }
        context.lose(Loss::Constant, share.amount()?);
        Ok(None)
    });
    shares.collect()
}
