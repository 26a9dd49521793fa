//! A safe wrapper of TensorFlow's eager execution.

mod attributes;
mod context;
mod data_type;
mod op_list;
mod status;
mod tensor;

pub(crate) use attributes::{Attributes, list_of_ints, list_of_types, one_bool, one_int, one_type, one_word};
pub use context::Context;
pub use data_type::DataType;
pub(crate) use op_list::registered_operators;
pub use tensor::Tensor;
