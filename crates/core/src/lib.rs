//! Relevance rules, tape and engine of dlbacktrace, free of any framework.
//!
//! A framework crate records what a model executed as a [`Tape`] of [`Step`]s over its own tensors
//! (anything that implements [`Tensor`]). [`Tape::prepare`] analyses it, and [`Prepared::backtrace`] walks it
//! from the outputs to the inputs; at each step the step's [`BacktraceOp`] turns the relevance of its outputs
//! into the relevance of its inputs and books what is lost on the way in the [`Ledger`].
//!
//! The formulas are those of DLBacktrace (arXiv 2411.12643) as laid down in the project's `docs/rules.md`;
//! comments cite its sections as "rules §n".
#![forbid(unsafe_code)]

pub mod analysis;
pub mod array;
mod engine;
mod error;
pub mod explain;
mod ledger;
pub mod maps;
mod op;
pub mod ops;
mod random;
pub mod recurrent;
mod relevance;
mod row_block;
pub mod start;
mod tape;
mod tensor;
pub mod weighted_sum;
mod weights;
mod writer;

pub use analysis::Prepared;
pub use engine::{Backtrace, Observer, WalkOptions};
pub use error::{Error, Result};
pub use ledger::{Amount, Entry, Ledger, Loss};
pub use op::{BacktraceOp, Context, Family, Function, Gate, Role, Turn};
pub use random::{Chance, RandomUse};
pub use relevance::{Mode, Relevance};
pub use row_block::{RowBlock, Rows};
pub use tape::{Meta, ModulePath, Operand, Place, Step, Tape, ValueId};
pub use tensor::{BOUND, Binary, ConvGeometry, DType, PerUnit, Range, Tensor, Unary};
pub use weights::{Part, WeightCache, WeightKey};
pub use writer::{Last, OfComplex, TapeWriter};
