//! Relevance rules, tape and engine of dlbacktrace, free of any framework.
//!
//! A framework crate records what a model executed as a [`Tape`] of [`Step`]s over its own tensors, which implement
//! [`Tensor`]. [`Tape::prepare`] analyses the tape, and [`Prepared::backtrace`] walks it from the outputs to the inputs. At
//! each step, the step's [`BacktraceOp`] takes the relevance of its outputs to the relevance of its operands, and books what
//! is lost on the way in the [`Ledger`].
//!
//! The rules also work by themselves, on `ndarray` tensors ([`array::Array`]):
//!
//! ```
//! use dlbacktrace_core::array::Array;
//! use dlbacktrace_core::{Loss, Meta, Operand, Relevance, TapeWriter, Tensor, WalkOptions, WeightCache};
//!
//! // The tape: y = x·Wᵀ + b = 3·2 − 1·1 + 1 = 6.
//! let mut writer = TapeWriter::new();
//! let data = Array::from_slice(&[1, 2], &[3.0, 1.0]);
//! let input = writer.tape.value(Meta::new(data.shape(), data.dtype()));
//! writer.tape.inputs.push(input);
//! let weight = writer.constant(Array::from_slice(&[1, 2], &[2.0, -1.0]));
//! let bias = writer.constant(Array::from_slice(&[1], &[1.0]));
//! let y = writer.linear(&Operand::new(input, data), &weight, Some(&bias))?;
//! writer.tape.outputs.push(y.value);
//!
//! // The relevance: the walk starts with y and divides it by |contribution|, 6 : 1, with 1 for the bias.
//! let start = Relevance::default_mode(y.data()?.clone());
//! let weights = WeightCache::new(0);
//! let prepared = writer.tape.prepare(&Default::default(), &weights)?;
//! let walk = prepared.backtrace(vec![(y.value, start)], &weights, WalkOptions::default(), &mut ())?;
//! let relevance = walk.inputs[0].as_ref().map(Relevance::first);
//! assert_eq!(relevance, Some(&Array::from_slice(&[1, 2], &[4.5, 0.75])));
//!
//! // The ledger: of 6, the input received 5.25, and the bias took 0.75.
//! assert!(walk.ledger.closes());
//! assert_eq!(walk.ledger.losses()[&Loss::Bias].positive, 0.75);
//! # Ok::<(), dlbacktrace_core::Error>(())
//! ```
//!
//! The formulas are those of DLBacktrace (arXiv 2411.12643), as the project's `docs/rules.md` states them. Comments cite its
//! sections as "rules §n", and the decisions in §9 by their headings.
#![forbid(unsafe_code)]

pub mod analysis;
pub mod array;
mod derivative;
mod engine;
mod error;
pub mod explain;
mod features;
mod ledger;
pub mod lowering;
pub mod maps;
pub mod names;
mod op;
pub mod ops;
mod random;
mod recording;
pub mod recurrent;
mod relevance;
mod row_block;
pub mod rules;
pub mod start;
mod tape;
mod tensor;
pub mod weighted_sum;
mod weights;
mod writer;

pub use analysis::Prepared;
pub use derivative::Derivative;
pub use engine::{Backtrace, Observer, WalkOptions};
pub use error::{Error, Result};
pub use features::{Affine, Features};
pub use ledger::{Amount, Entry, Ledger, Loss};
pub use op::{BacktraceOp, Context, Family, Function, Gate, Role, Turn};
pub use random::{Chance, RandomUse};
pub use recording::{Port, Replay, Slot};
pub use relevance::{Mode, Relevance};
pub use row_block::{RowBlock, Rows};
pub use tape::{Meta, ModulePath, Operand, Place, Step, Tape, ValueId, WholeCall, Written};
pub use tensor::{BOUND, Binary, ConvGeometry, DType, PerUnit, Range, Tensor, Unary};
pub use weights::{Part, WeightCache, WeightKey};
pub use writer::{Last, OfComplex, TapeWriter};
