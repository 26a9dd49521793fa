//! Decides which operators are recorded as a whole, and which tensors stay in memory.

use crate::bridge::ffi;

use std::fmt;

pub use ffi::Keep;

/// Decides what a recording writes down and keeps. Build it once and use it for many recordings, on many threads.
///
/// - An operator named here is a *leaf*: it is recorded as one call. In-place and `out=` twins share its name, so `aten::relu`
///   covers `aten::relu_`. One name covers all overloads.
/// - An operator not named here that libtorch composes of others (`CompositeImplicitAutograd`) is followed into its parts.
/// - Any other operator is recorded as one call that keeps what [`Keep::Indices`] keeps.
#[derive(Clone)]
pub struct Policy {
    pub(crate) inner: cxx::SharedPtr<ffi::Policy>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Policy").finish_non_exhaustive()
    }
}

impl Policy {
    /// A policy with these leaves: qualified names without overload (`"aten::conv2d"`), each with what it keeps.
    pub fn new<'a>(leaves: impl IntoIterator<Item = (&'a str, Keep)>) -> Policy {
        Policy::build(leaves, false)
    }

    /// As [`Policy::new`], but every tensor of every call is kept: what [`Recording::replay`](crate::Recording::replay) needs.
    pub fn keeping_all<'a>(leaves: impl IntoIterator<Item = (&'a str, Keep)>) -> Policy {
        Policy::build(leaves, true)
    }

    fn build<'a>(leaves: impl IntoIterator<Item = (&'a str, Keep)>, keep_all: bool) -> Policy {
        let leaves: Vec<ffi::Leaf> =
            leaves.into_iter().map(|(name, keep)| ffi::Leaf { name: name.to_owned(), keep }).collect();
        Policy { inner: ffi::new_policy(&leaves, keep_all) }
    }
}
