//! The plain-C interface of dlbacktrace, as a table of functions.
//!
//! A program sees `cpp/include/dlbacktrace/dlbacktrace.h`. Behind it are shared objects, one for each framework, so that a
//! program needs no framework that it does not use. `libdlbacktrace.so` (`crates/capi`) explains SavedModels, and loads
//! `libdlbacktrace_torch.so` (`crates/capi-torch`) when it meets a TorchScript model. Both consist of this crate over the
//! public interface `dlbacktrace`, built with one framework each. Only the [`Table`] connects them: every handle begins with
//! the address of the table of the object that made it, and every call goes through that table. No Rust type crosses.
//!
//! Every function catches panics, returns a status ([`Error::exit_code`](dlbacktrace::Error::exit_code)) and leaves its
//! message to [`last_error`]. Handles own what they need, so they may be freed in any order.

mod answer;
mod arrays;
mod explanation;
mod handle;
mod json;
mod kept;
mod model;
mod numbers;
mod options;
mod outputs;
mod request;
mod results;
mod scalings;
mod status;
mod table;
mod text;
mod torch;
mod types;
mod verification;

pub use arrays::MAX_RANK;
pub use explanation::Explanation;
pub use model::{MAX_TEXTS, Model};
pub use numbers::NUMBERS;
pub use outputs::Outputs;
pub use request::{MAX_DEPTH, Request};
pub use scalings::Scalings;
pub use status::{guarded, last_error, set_last_error};
pub use table::{ABI, TABLE, Table};
pub use text::{c_string, given};
pub use types::*;
pub use verification::Verification;
