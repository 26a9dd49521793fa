//! The inputs and outputs of a signature.

use crate::DataType;

/// An input or output of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name in the signature.
    pub name: String,
    /// Its element type.
    pub data_type: DataType,
    /// The extent of each axis, `None` for any; `None` if even the number of axes is unknown.
    pub shape: Option<Vec<Option<usize>>>,
    /// Whether a run may leave it out.
    pub optional: bool,
    /// The tensor of the graph.
    pub(crate) tensor: String,
}
