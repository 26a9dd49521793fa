//! The rule of weighted sums (rules §2) unit by unit, slow and close to the formulas.

use dlbacktrace_core::Gate;
use dlbacktrace_core::rules::{Bounds, Level, Rule};
use dlbacktrace_core::weighted_sum::Variant;
use ndarray::Array2;

/// y = Wx + b, with all of W.
#[derive(Debug, Clone)]
pub struct Dense {
    /// W, `[units, inputs]`.
    pub weight: Array2<f64>,
    /// x
    pub x: Vec<f64>,
    /// b of each unit; what a constant operand adds counts as one, too.
    pub bias: Vec<f64>,
}

/// One unit: its contributions and its bias.
struct Unit {
    c: Vec<f64>,
    b: f64,
}

fn up(c: f64) -> f64 {
    c.max(0.0)
}

fn down(c: f64) -> f64 {
    (-c).max(0.0)
}

impl Unit {
    fn p(&self) -> f64 {
        self.c.iter().copied().map(up).sum()
    }

    fn n(&self) -> f64 {
        self.c.iter().copied().map(down).sum()
    }

    /// Shares a number among the contributions in proportion to a measure of them.
    fn share(&self, r: f64, denominator: f64, measure: impl Fn(f64) -> f64) -> Vec<f64> {
        let of = |&c: &f64| if denominator == 0.0 { 0.0 } else { r * measure(c) / denominator };
        self.c.iter().map(of).collect()
    }
}

impl Dense {
    fn unit(&self, j: usize) -> Unit {
        let c = self.weight.row(j).iter().zip(&self.x).map(|(w, x)| w * x).collect();
        Unit { c, b: self.bias[j] }
    }

    fn gather(&self, relevance: &[f64], rule: impl Fn(&Unit, f64) -> Vec<f64>) -> Vec<f64> {
        let mut gathered = vec![0.0; self.x.len()];
        for (j, &r) in relevance.iter().enumerate() {
            for (sum, share) in gathered.iter_mut().zip(rule(&self.unit(j), r)) {
                *sum += share;
            }
        }
        gathered
    }

    /// r_i = |c_i| / (p + n + |b|) · R
    pub fn default_mode(&self, relevance: &[f64]) -> Vec<f64> {
        self.gather(relevance, |unit, r| unit.share(r, unit.p() + unit.n() + unit.b.abs(), f64::abs))
    }

    /// D = m_p p + m_n n + |b|; a convolution keeps D = p + n + |b|.
    pub fn gated(&self, relevance: &[f64], gate: Gate, variant: Variant) -> Vec<f64> {
        self.gather(relevance, |unit, r| {
            let (p, n) = (unit.p(), unit.n());
            let (m_p, m_n, gross) = match variant {
                Variant::Linear => {
                    let (m_p, m_n) = linear_gate(unit, gate);
                    (m_p, m_n, m_p * p + m_n * n)
                }
                Variant::Convolution => {
                    let (m_p, m_n) = convolution_gate(unit, gate);
                    (m_p, m_n, p + n)
                }
            };
            unit.share(r, gross + unit.b.abs(), |c| m_p * up(c) + m_n * down(c))
        })
    }

    /// Wᵀ·R
    fn gradient(&self, relevance: &[f64]) -> Vec<f64> {
        self.weight
            .columns()
            .into_iter()
            .map(|column| column.iter().zip(relevance).map(|(w, r)| w * r).sum())
            .collect()
    }

    /// f(w) in place of each contribution and of the bias.
    fn by_weights(&self, relevance: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
        let (weight, bias) = (self.weight.mapv(&f), self.bias.iter().copied().map(&f).collect());
        Self { weight, bias, x: vec![1.0; self.x.len()] }.default_mode(relevance)
    }

    /// w·x − max(w, 0)·low − min(w, 0)·high in place of each contribution.
    fn boxed(&self, relevance: &[f64], low: f64, high: f64) -> Vec<f64> {
        let weight = Array2::from_shape_fn(self.weight.dim(), |(j, i)| {
            let w = self.weight[[j, i]];
            w * self.x[i] - w.max(0.0) * low - w.min(0.0) * high
        });
        Self { weight, bias: vec![0.0; self.bias.len()], x: vec![1.0; self.x.len()] }.default_mode(relevance)
    }

    /// The share of each contribution by a rule of a rule set.
    pub fn by_rule(&self, relevance: &[f64], rule: &Rule) -> Vec<f64> {
        match rule {
            Rule::Gradient => return self.gradient(relevance),
            Rule::WSquare => return self.by_weights(relevance, |w| w * w),
            Rule::Flat => {
                // A bias is no connection.
                let unbiased = Self { bias: vec![0.0; self.bias.len()], ..self.clone() };
                return unbiased.by_weights(relevance, |w| f64::from(u8::from(w != 0.0)));
            }
            Rule::Box(Bounds { low: Level::All(low), high: Level::All(high), .. }) => {
                return self.boxed(relevance, *low, *high);
            }
            _ => {}
        }
        self.gather(relevance, |unit, r| {
            let (p, n) = (unit.p() + up(unit.b), unit.n() + down(unit.b));
            let z = p - n;
            let sign = if z < 0.0 { -1.0 } else { 1.0 };
            match *rule {
                Rule::Epsilon(epsilon) => unit.share(r, z + epsilon * sign, |c| c),
                Rule::Gamma(gamma) if z < 0.0 => unit.share(r, z - gamma * n, |c| c - gamma * down(c)),
                Rule::Gamma(gamma) => unit.share(r, z + gamma * p, |c| c + gamma * up(c)),
                Rule::AlphaBeta(alpha, beta) => {
                    let (positive, negative) = (unit.share(alpha * r, p, up), unit.share(beta * r, n, down));
                    positive.iter().zip(negative).map(|(a, b)| a - b).collect()
                }
                Rule::ZPlus => unit.share(r, p, up),
                Rule::SignedBacktrace => unit.share(r * if z == 0.0 { 0.0 } else { sign }, p + n, |c| c),
                ref other => panic!("no formula for {other}"),
            }
        })
    }

    /// The two channels.
    pub fn contrastive(&self, support: &[f64], against: &[f64], variant: Variant) -> [Vec<f64>; 2] {
        let mut gathered = [vec![0.0; self.x.len()], vec![0.0; self.x.len()]];
        for (j, (&r_p, &r_n)) in support.iter().zip(against).enumerate() {
            for (sums, shares) in gathered.iter_mut().zip(routed(&self.unit(j), r_p, r_n, variant)) {
                sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
            }
        }
        gathered
    }
}

fn linear_gate(unit: &Unit, gate: Gate) -> (f64, f64) {
    let (p, n, b) = (unit.p(), unit.n(), unit.b);
    let t = p - n + b;
    let (mut m_p, mut m_n) = (1.0, 1.0);
    if gate.lower.is_some_and(|lower| t < lower) {
        m_p = 0.0;
    }
    if gate.upper.is_some_and(|upper| t > upper) {
        m_n = 0.0;
    }
    if let (Some(beta), 1.0, 1.0) = (gate.swish, m_p, m_n) {
        let phi = |x: f64| x / (1.0 + (-beta * x).exp());
        if phi(t) == phi(p + up(b)) {
            m_n = 0.0;
        } else if phi(t) == phi(-(n + down(b))) {
            m_p = 0.0;
        }
    }
    (m_p, m_n)
}

fn convolution_gate(unit: &Unit, gate: Gate) -> (f64, f64) {
    let (p, n, b) = (unit.p(), unit.n(), unit.b);
    let g = p + n;
    let mut open_p = gate.lower.map_or(p > 0.0, |lower| g > lower);
    let mut open_n = gate.upper.map_or(n > 0.0, |upper| g < upper);
    if let Some(beta) = gate.swish {
        let phi = |x: f64| x / (1.0 + (-beta * x).exp());
        open_n &= (phi(g) - phi(p + up(b))).abs() > 1e-5;
        open_p &= (phi(g) - phi(-(n + down(b)))).abs() > 1e-5;
    }
    (f64::from(u8::from(open_p)), f64::from(u8::from(open_n)))
}

fn routed(unit: &Unit, r_p: f64, r_n: f64, variant: Variant) -> [Vec<f64>; 2] {
    let (p, n) = (unit.p(), unit.n());
    let to_positives = |r| unit.share(r, p, up);
    let to_negatives = |r| unit.share(r, n, down);
    let nothing = || vec![0.0; unit.c.len()];
    if variant == Variant::Linear && (p == 0.0 || n == 0.0) {
        return [unit.share(r_p, p + n, f64::abs), unit.share(r_n, p + n, f64::abs)];
    }
    let t = p + unit.b - n;
    if t == 0.0 || (variant == Variant::Convolution && r_p == r_n) {
        return [nothing(), nothing()];
    }
    let straight = if t > 0.0 { r_p > r_n } else { r_p < r_n };
    if straight { [to_positives(r_p), to_negatives(r_n)] } else { [to_negatives(r_p), to_positives(r_n)] }
}
