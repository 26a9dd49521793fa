//! What lowering needs of a framework.

use crate::recording::Slot;
use crate::{Chance, Derivative, Meta, Place, Result, Tensor, ValueId, WeightKey};

/// Gives the slot that replaces a slot; the flag says whether it is an output's.
pub type OfSlot<'a, R> = dyn FnMut(&Slot<R>, bool) -> Result<Slot<R>> + 'a;

/// A framework whose operators are recorded, and what is known of the values of one of its recordings.
pub trait Framework: Sized + 'static {
    /// Its tensors for the rules.
    type Tensor: Tensor;
    /// Its own tensors, which a recording contains.
    type Raw;
    /// One operator that ran.
    type Call;
    /// Which tensors of a call its recorder keeps.
    type Keep: Copy + Send + Sync + 'static;

    /// Keeps integers and truth values, which say how or where; of numbers only the shapes.
    const INDICES: Self::Keep;
    /// Keeps the argument of a gating function, if that needs no copy.
    const GATED: Self::Keep;
    /// Keeps all operands.
    const OPERANDS: Self::Keep;
    /// Keeps all results, and of the operands integers and truth values.
    const RESULTS: Self::Keep;
    /// Keeps what the derivative of a function or a norm reads.
    const DERIVATIVE: Self::Keep;
    /// Keeps all operands and results.
    const ALL: Self::Keep;

    /// The operator's name, as reports show it.
    fn operator(call: &Self::Call) -> &str;

    /// The name of the operator's row. Several operators may share a row, such as an operator and its in-place twin.
    fn row(call: &Self::Call) -> &str {
        Self::operator(call)
    }

    /// The place of the call. The number of the step and the shapes of the operands are filled in later.
    fn place(call: &Self::Call) -> Place;

    /// Why the call may give something else for the same sample, if it may.
    fn chance(call: &Self::Call) -> Option<Chance>;

    /// The tensors that it read, in order, with lists flattened.
    fn operands(call: &Self::Call) -> impl Iterator<Item = &Slot<Self::Raw>>;

    /// The tensors that it returned, in order, with lists flattened, and for each whether this call made its value. A value that
    /// existed before keeps its own maker.
    fn outputs(call: &Self::Call) -> impl Iterator<Item = (&Slot<Self::Raw>, bool)>;

    /// The same call on other tensors: `slot` gives what replaces each, first for the operands and then, with `true`, for the
    /// outputs.
    ///
    /// # Errors
    /// What `slot` returns.
    fn on(call: &Self::Call, slot: &mut OfSlot<'_, Self::Raw>) -> Result<Self::Call>;

    /// The derivative of a call whose tensors were all kept, by the framework's own kernel; `None` if it has none.
    fn derivative(&self, call: &Self::Call) -> Option<Box<dyn Derivative<Self::Tensor>>> {
        let _ = call;
        None
    }

    /// A kept tensor in the form that the rules read. Complex numbers have their parts along the last axis.
    ///
    /// # Errors
    /// [`Error::Uncovered`](crate::Error::Uncovered) for a kind of tensor that no rule reads.
    fn tensor(&self, raw: &Self::Raw, meta: &Meta) -> Result<Self::Tensor>;

    /// Another handle of the same tensor.
    fn share(raw: &Self::Raw) -> Self::Raw;

    /// The real parts (0) or the imaginary parts (1) of complex numbers.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    fn part(raw: &Self::Raw, index: usize) -> Result<Self::Raw>;

    /// The identity of a value that is the same in every run, so that what is derived from it can be kept.
    fn weight(&self, slot: &Slot<Self::Raw>) -> Option<WeightKey>;

    /// Whether a value is a parameter or a constant of the model.
    fn is_stored(&self, value: ValueId) -> bool;
}
