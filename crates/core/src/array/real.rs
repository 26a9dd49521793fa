//! The floating-point types of an array.

use crate::DType;
use ndarray::LinalgScalar;
use std::fmt::Debug;

/// A floating-point type in which an [`Array`](super::Array) computes: `f32` or `f64`.
///
/// Functions of elements are computed in double precision and rounded once.
pub trait Real: LinalgScalar + PartialOrd + Debug + Into<f64> + Send + Sync + sealed::Sealed {
    /// The element type.
    const DTYPE: DType;

    /// The number of this type nearest to `value`.
    fn nearest(value: f64) -> Self;
}

impl Real for f32 {
    const DTYPE: DType = DType::F32;

    fn nearest(value: f64) -> Self {
        value as Self
    }
}

impl Real for f64 {
    const DTYPE: DType = DType::F64;

    fn nearest(value: f64) -> Self {
        value
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
