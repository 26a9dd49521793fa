//! Functions of each element, and softmax: R ⊙ f′(x).

use super::Row;
use super::value::Value;
use crate::eager::Attributes;
use std::ffi::CStr;

pub(super) const ROWS: &[Row] = &[
    Row::first(&["Abs"], |c| c.r() * c.x().apply(c"Sign")),
    Row::first(&["Square"], |c| c.r() * (2.0 * c.x())),
    Row::first(&["Sqrt"], |c| own(c"SqrtGrad", [&c.y(), &c.r()])),
    Row::first(&["Rsqrt"], |c| own(c"RsqrtGrad", [&c.y(), &c.r()])),
    Row::first(&["Reciprocal", "Inv"], |c| own(c"ReciprocalGrad", [&c.y(), &c.r()])),
    Row::first(&["Exp"], |c| c.r() * c.y()),
    Row::first(&["Expm1"], |c| c.r() * c.x().apply(c"Exp")),
    Row::first(&["Log"], |c| c.r() / c.x()),
    Row::first(&["Log1p"], |c| c.r() / (1.0 + c.x())),
    // Circular and hyperbolic.
    Row::first(&["Sin"], |c| c.r() * c.x().apply(c"Cos")),
    Row::first(&["Cos"], |c| -c.r() * c.x().apply(c"Sin")),
    Row::first(&["Tan"], |c| c.r() / c.x().apply(c"Cos").apply(c"Square")),
    Row::first(&["Asin"], |c| c.r() * (1.0 - c.x().apply(c"Square")).apply(c"Rsqrt")),
    Row::first(&["Acos"], |c| -c.r() * (1.0 - c.x().apply(c"Square")).apply(c"Rsqrt")),
    Row::first(&["Atan"], |c| c.r() / (1.0 + c.x().apply(c"Square"))),
    Row::first(&["Sinh"], |c| c.r() * c.x().apply(c"Cosh")),
    Row::first(&["Cosh"], |c| c.r() * c.x().apply(c"Sinh")),
    Row::first(&["Tanh"], |c| own(c"TanhGrad", [&c.y(), &c.r()])),
    Row::first(&["Asinh"], |c| c.r() / c.y().apply(c"Cosh")),
    Row::first(&["Acosh"], |c| c.r() / c.y().apply(c"Sinh")),
    Row::first(&["Atanh"], |c| c.r() / (1.0 - c.x().apply(c"Square"))),
    // Activations.
    Row::first(&["Sigmoid"], |c| own(c"SigmoidGrad", [&c.y(), &c.r()])),
    Row::first(&["Relu"], |c| own(c"ReluGrad", [&c.r(), &c.y()])),
    Row::first(&["Relu6"], |c| own(c"Relu6Grad", [&c.r(), &c.y()])),
    Row::first(&["LeakyRelu"], |c| Value::of(c"LeakyReluGrad", &c.given(&["alpha"]), [&c.r(), &c.x()])),
    Row::first(&["Elu"], |c| own(c"EluGrad", [&c.r(), &c.y()])),
    Row::first(&["Selu"], |c| own(c"SeluGrad", [&c.r(), &c.y()])),
    Row::first(&["Softplus"], |c| c.r() * c.x().apply(c"Sigmoid")),
    Row::first(&["Softsign"], |c| own(c"SoftsignGrad", [&c.r(), &c.x()])),
    // y ⊙ (R − Σ R ⊙ y)
    Row::first(&["Softmax"], |c| (c.r() - (c.r() * c.y()).sum_over_last()) * c.y()),
    // R − eʸ · Σ R
    Row::first(&["LogSoftmax"], |c| c.r() - c.r().sum_over_last() * c.y().apply(c"Exp")),
    // The error function: ±2/√π · exp(−x²).
    Row::first(&["Erf"], |c| c.r() * (TWO_OVER_ROOT_PI * (-c.x().apply(c"Square")).apply(c"Exp"))),
    Row::first(&["Erfc"], |c| c.r() * (-TWO_OVER_ROOT_PI * (-c.x().apply(c"Square")).apply(c"Exp"))),
    Row::first(&["Erfinv"], |c| c.r() * (c.y().apply(c"Square").apply(c"Exp") / TWO_OVER_ROOT_PI)),
    // √2π · exp(y² / 2)
    Row::first(&["Ndtri"], |c| {
        c.r() * (std::f64::consts::TAU.sqrt() * (c.y().apply(c"Square") / 2.0).apply(c"Exp"))
    }),
    // Γ: ψ, and ψ′.
    Row::first(&["Lgamma"], |c| c.r() * c.x().apply(c"Digamma")),
    Row::first(&["Digamma"], |c| c.r() * c.x().number(1.0).with(c"Polygamma", &c.x())),
    // Integrals.
    Row::first(&["Dawsn"], |c| c.r() * (1.0 - 2.0 * c.x() * c.y())),
    Row::first(&["Expint"], |c| c.r() * (c.x().apply(c"Exp") / c.x())),
    Row::first(&["FresnelCos"], |c| c.r() * (HALF_PI * c.x().apply(c"Square")).apply(c"Cos")),
    Row::first(&["FresnelSin"], |c| c.r() * (HALF_PI * c.x().apply(c"Square")).apply(c"Sin")),
    // ln x / (1 − x), which is −1 at 1.
    Row::first(&["Spence"], |c| {
        let one = c.x().with(c"Equal", &c.x().number(1.0));
        c.r() * c.x().number(-1.0).select(&one, &(c.x().apply(c"Log") / (1.0 - c.x())))
    }),
    // Bessel functions; those with an e are scaled by exp(−|x|) or exp(x).
    Row::first(&["BesselI0"], |c| c.r() * c.x().apply(c"BesselI1")),
    Row::first(&["BesselI0e"], |c| c.r() * (c.x().apply(c"BesselI1e") - c.x().apply(c"Sign") * c.y())),
    Row::first(&["BesselI1"], |c| c.r() * at_0(&c.x(), 1.0, c.x().apply(c"BesselI0") - c.y() / c.x())),
    Row::first(&["BesselI1e"], |c| {
        let by_x = c.x().apply(c"BesselI0e") - c.y() * (c.x().apply(c"Sign") + 1.0 / c.x());
        c.r() * at_0(&c.x(), 0.5, by_x)
    }),
    Row::first(&["BesselK0"], |c| -c.r() * c.x().apply(c"BesselK1")),
    Row::first(&["BesselK0e"], |c| c.r() * (c.y() - c.x().apply(c"BesselK1e"))),
    Row::first(&["BesselK1"], |c| -c.r() * (c.x().apply(c"BesselK0") + c.y() / c.x())),
    Row::first(&["BesselK1e"], |c| c.r() * (c.y() * (1.0 - 1.0 / c.x()) - c.x().apply(c"BesselK0e"))),
    Row::first(&["BesselJ0"], |c| -c.r() * c.x().apply(c"BesselJ1")),
    Row::first(&["BesselJ1"], |c| c.r() * at_0(&c.x(), 0.5, c.x().apply(c"BesselJ0") - c.y() / c.x())),
    Row::first(&["BesselY0"], |c| -c.r() * c.x().apply(c"BesselY1")),
    Row::first(&["BesselY1"], |c| c.r() * (c.x().apply(c"BesselY0") - c.y() / c.x())),
    // |z|: R·z / |z|. The angle of z = a + bi: R·(−b + ai) / |z|².
    Row::first(&["ComplexAbs"], |c| (c.r().complex() * c.x()).with(c"DivNoNan", &c.y().complex()))
        .of_complex(),
    Row::first(&["Angle"], |c| {
        let turned = c.x().part(c"Imag").with_imaginary(&c.x().part(c"Real"));
        -c.r().complex() / turned
    })
    .of_complex(),
];

const TWO_OVER_ROOT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI;
const HALF_PI: f64 = std::f64::consts::FRAC_PI_2;

/// TensorFlow's own operator for a derivative.
fn own(operator: &CStr, inputs: [&Value; 2]) -> Value {
    Value::of(operator, &Attributes::default(), inputs)
}

/// A formula that divides by x, and its limit at 0.
fn at_0(x: &Value, limit: f64, elsewhere: Value) -> Value {
    x.number(limit).select(&x.with(c"Equal", &x.number(0.0)), &elsewhere)
}
