//! What the road from a recording to a tape asks of a framework.

use crate::recording::Slot;
use crate::{Chance, Meta, Place, Result, Tensor, ValueId, WeightKey};

/// What becomes of a slot; it is told whether that of an output.
pub type OfSlot<'a, R> = dyn FnMut(&Slot<R>, bool) -> Result<Slot<R>> + 'a;

/// A framework whose operators are recorded, and what is known of the values of one of its recordings.
pub trait Framework: Sized + 'static {
    /// Its tensors under the rules.
    type Tensor: Tensor;
    /// Its own tensors, which a recording holds.
    type Raw;
    /// One operator that ran.
    type Call;
    /// Which tensors of a call its recorder keeps.
    type Keep: Copy + Send + Sync + 'static;

    /// Keeps integers and truth values, which say how or where; of numbers the shapes alone.
    const INDICES: Self::Keep;
    /// Keeps what a gating function is applied to, where that costs no copy.
    const GATED: Self::Keep;
    /// Keeps all operands.
    const OPERANDS: Self::Keep;
    /// Keeps all operands and results.
    const ALL: Self::Keep;

    /// The operator's name, as a report shows it.
    fn operator(call: &Self::Call) -> &str;

    /// The name of the operator's row: several operators may share one, as an operator and its twin that works in place do.
    fn row(call: &Self::Call) -> &str {
        Self::operator(call)
    }

    /// Where the call ran. The number of the step and the shapes of the operands are filled in.
    fn place(call: &Self::Call) -> Place;

    /// Why the call may give something else for the same sample, if it may.
    fn chance(call: &Self::Call) -> Option<Chance>;

    /// The tensors it read, in order, lists flattened.
    fn operands(call: &Self::Call) -> impl Iterator<Item = &Slot<Self::Raw>>;

    /// The tensors it gave, in order, lists flattened, each with whether this call made its value. A value that existed
    /// before keeps its own maker.
    fn outputs(call: &Self::Call) -> impl Iterator<Item = (&Slot<Self::Raw>, bool)>;

    /// The same call on other tensors: `slot` says what each becomes, operands first, then those of the outputs, for which
    /// it is told `true`.
    ///
    /// # Errors
    /// What `slot` returns.
    fn on(call: &Self::Call, slot: &mut OfSlot<'_, Self::Raw>) -> Result<Self::Call>;

    /// A kept tensor as the rules read it. Complex numbers get their parts as the last axis.
    ///
    /// # Errors
    /// [`Error::Uncovered`](crate::Error::Uncovered) of a kind of tensor that no rule reads.
    fn tensor(&self, raw: &Self::Raw, meta: &Meta) -> Result<Self::Tensor>;

    /// The same tensor once more.
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
