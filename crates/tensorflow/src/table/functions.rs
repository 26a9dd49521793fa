//! Functions of each element (rules §5).

use super::Entry;
use dlbacktrace_core::Function;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::function(&["Tanh"], Function::Tanh),
    Entry::function(&["Sigmoid"], Function::Sigmoid),
    Entry::function(&["Softmax"], Function::Softmax),
    Entry::function(&["Relu6", "Erf", "Erfc", "Atan", "Softsign"], Function::Bounded),
    Entry::function(&["Relu"], Function::Rectifier),
    Entry::function(&["Exp"], Function::Exp),
    Entry::function(&["Log"], Function::Log),
    Entry::function(&["Sqrt"], Function::Power(0.5)),
    Entry::function(&["Rsqrt"], Function::Power(-0.5)),
    Entry::function(&["Reciprocal", "Inv"], Function::Power(-1.0)),
    Entry::function(&["Square"], Function::Power(2.0)),
    Entry::function(&["Neg"], Function::Scale(-1.0)).of_complex(),
    Entry::function(&["Abs"], Function::Magnitude),
    Entry::function(
        &[
            "LeakyRelu",
            "Elu",
            "Selu",
            "Softplus",
            "LogSoftmax",
            "Expm1",
            "Log1p",
            "Sin",
            "Cos",
            "Tan",
            "Asin",
            "Acos",
            "Sinh",
            "Cosh",
            "Asinh",
            "Acosh",
            "Atanh",
            "Erfinv",
            "Lgamma",
            "Digamma",
            "Floor",
            "Ceil",
            "Round",
            "Rint",
        ],
        Function::Other,
    ),
];
