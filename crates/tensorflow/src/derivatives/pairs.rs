//! Functions of two or three values, element by element.

use super::Row;
use super::call::Call;
use super::value::Value;

pub(super) const ROWS: &[Row] = &[
    Row::each(&["SquaredDifference"], BOTH, |c, by| {
        let x = 2.0 * c.r() * (c.input(0) - c.input(1));
        if by == 0 { x } else { -x }
    }),
    // 0 if x is 0, whatever y is.
    Row::each(&["Xlogy"], BOTH, |c, by| match by {
        0 => c.r() * not_0(c).with(c"Xlogy", &c.input(1)),
        _ => c.r() * c.input(0).with(c"Xdivy", &c.input(1)),
    }),
    Row::each(&["Xlog1py"], BOTH, |c, by| match by {
        0 => c.r() * not_0(c).with(c"Xlog1py", &c.input(1)),
        _ => c.r() * c.input(0).with(c"Xdivy", &(c.input(1) + 1.0)),
    }),
    // x mod y = x − y · ⌊x / y⌋
    Row::each(&["FloorMod"], BOTH, |c, by| match by {
        0 => c.r(),
        _ => -c.r() * c.input(0).with(c"FloorDiv", &c.input(1)),
    }),
    // Equal values: the first takes it.
    Row::each(&["Maximum"], BOTH, |c, by| won(c, by, &c.input(0).with(c"GreaterEqual", &c.input(1)))),
    Row::each(&["Minimum"], BOTH, |c, by| won(c, by, &c.input(0).with(c"LessEqual", &c.input(1)))),
    Row::each(&["ClipByValue"], &[0, 1, 2], |c, by| {
        let (below, above) =
            (c.input(0).with(c"Less", &c.input(1)), c.input(0).with(c"Greater", &c.input(2)));
        match by {
            0 => c.r().except(&below.with(c"LogicalOr", &above)),
            1 => c.r().only(&below),
            _ => c.r().only(&above),
        }
    }),
    // aᵇ: R · b · aᵇ⁻¹, and R · aᵇ · ln a where a > 0.
    Row::each(&["Pow"], BOTH, |c, by| {
        let (a, b) = (c.input(0), c.input(1));
        if by == 0 {
            return c.r() * b.clone() * a.with(c"Pow", &(b - 1.0));
        }
        let positive = a.with(c"Greater", &a.number(0.0));
        c.r() * c.y() * a.select(&positive, &a.number(1.0)).apply(c"Log")
    }),
    // The angle of (b, a): R · b / (a² + b²), and −R · a / (a² + b²).
    Row::each(&["Atan2"], BOTH, |c, by| {
        let (a, b) = (c.input(0), c.input(1));
        let r = c.r() / (a.apply(c"Square") + b.apply(c"Square"));
        if by == 0 { b * r } else { -a * r }
    }),
    Row::each(&["NextAfter"], BOTH, |c, by| if by == 0 { c.r() } else { c.r().apply(c"ZerosLike") }),
    Row::each(&["Igamma"], BOTH, gamma),
    Row::each(&["Igammac"], BOTH, |c, by| -gamma(c, by)),
    // exp((b − 1) ln(1 − x) + (a − 1) ln x − ln B(a, b))
    Row::each(&["Betainc"], &[2], |c, _| {
        let (a, b, x) = (c.input(0), c.input(1), c.input(2));
        let beta = a.apply(c"Lgamma") + b.apply(c"Lgamma") - (a.clone() + b.clone()).apply(c"Lgamma");
        let tails = (b - 1.0).with(c"Xlog1py", &-x.clone()) + (a - 1.0).with(c"Xlogy", &x);
        c.r() * (tails - beta).apply(c"Exp")
    }),
    // ζ(x, q): −x · ζ(x + 1, q). ψ of order n: that of order n + 1.
    Row::each(&["Zeta"], &[1], |c, _| -c.r() * c.input(0) * (c.input(0) + 1.0).with(c"Zeta", &c.input(1))),
    Row::each(&["Polygamma"], &[1], |c, _| c.r() * (c.input(0) + 1.0).with(c"Polygamma", &c.input(1))),
    // a × b: b × R, and R × a.
    Row::each(&["Cross"], BOTH, |c, by| match by {
        0 => c.input(1).with(c"Cross", &c.r()),
        _ => c.r().with(c"Cross", &c.input(0)),
    }),
];

const BOTH: &[usize] = &[0, 1];

/// 1 where the first input is not 0.
fn not_0(c: &Call<'_>) -> Value {
    let x = c.input(0);
    x.with(c"NotEqual", &x.number(0.0)).cast_like(&x)
}

/// R where an input won; the first did where `first` holds.
fn won(c: &Call<'_>, by: usize, first: &Value) -> Value {
    if by == 0 { c.r().only(first) } else { c.r().except(first) }
}

/// The lower incomplete Γ(a, x) / Γ(a): by a TensorFlow's own operator, by x exp(−x + (a − 1) ln x − ln Γ(a)).
fn gamma(c: &Call<'_>, by: usize) -> Value {
    let (a, x) = (c.input(0), c.input(1));
    if by == 0 {
        return c.r() * a.with(c"IgammaGradA", &x);
    }
    c.r() * ((a.clone() - 1.0) * x.apply(c"Log") - x - a.apply(c"Lgamma")).apply(c"Exp")
}
