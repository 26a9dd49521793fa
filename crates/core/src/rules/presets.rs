//! Rule sets under the names that the field uses.

use super::Kind::{
    Activation, Attention, Average, Convolution, Embedding, Linear, MatrixProduct, Norm, Product, Rectifier,
    Softmax, Sum, Winner,
};
use super::{BatchNorm, Kind, Layer, Others, Row, Rule, RuleSet};
use serde::Serialize;

/// A rule set with its name and source.
#[derive(Debug, Serialize)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    #[serde(skip)]
    others: Others,
    #[serde(skip)]
    batch_norm: BatchNorm,
    #[serde(skip)]
    rows: fn() -> Vec<Row>,
}

/// The layers: weighted sums with constant weights.
const LAYERS: [Kind; 2] = [Linear, Convolution];

/// The sums without weights of their own.
const SUMS: [Kind; 2] = [Sum, Average];

/// The usual ε.
const EPSILON: Rule = Rule::Epsilon(1e-6);

/// The sets that have names.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "backtrace",
        summary: "DLBacktrace's own rules",
        source: "arXiv 2411.12643",
        others: Others::Backtrace,
        batch_norm: BatchNorm::Pass,
        rows: Vec::new,
    },
    Preset {
        name: "last-layer-signed",
        summary: "as backtrace, with the last layer by epsilon: signed, and another map for each class where the last layer reads maps",
        source: "this project",
        others: Others::Backtrace,
        batch_norm: BatchNorm::Pass,
        rows: || vec![Row::of(LAYERS, EPSILON).at(Layer::Last)],
    },
    Preset {
        name: "signed-backtrace",
        summary: "as backtrace, with signed shares in sums: another map for each class, and nothing is divided by a small number",
        source: "this project",
        others: Others::Refused,
        batch_norm: BatchNorm::Fold,
        rows: || {
            let own = [MatrixProduct, Attention, Product, Softmax, Norm, Activation, Winner, Embedding];
            vec![
                Row::of([Linear, Convolution, Sum, Average], Rule::SignedBacktrace),
                Row::of(own, Rule::Backtrace),
            ]
        },
    },
    Preset {
        name: "gradient",
        summary: "the derivative of the explained output by each input; tokens take that of their embedding, times the embedding",
        source: "arXiv 1312.6034",
        others: Others::Backtrace,
        batch_norm: BatchNorm::Pass,
        rows: || vec![Row::of([], Rule::Gradient)],
    },
    Preset {
        name: "guided",
        summary: "guided backpropagation: as gradient, but rectifiers let only positive relevance through",
        source: "arXiv 1412.6806",
        others: Others::Backtrace,
        batch_norm: BatchNorm::Pass,
        rows: || vec![Row::of([Rectifier], Rule::Guided), Row::of([], Rule::Gradient)],
    },
    Preset {
        name: "deconvolution",
        summary: "as gradient, but rectifiers pass what is positive of the relevance, whatever their input",
        source: "arXiv 1311.2901",
        others: Others::Backtrace,
        batch_norm: BatchNorm::Pass,
        rows: || vec![Row::of([Rectifier], Rule::Deconvolution), Row::of([], Rule::Gradient)],
    },
    Preset {
        name: "epsilon",
        summary: "LRP with the rule epsilon in all layers; nearly gradient times input for rectified networks",
        source: "doi 10.1371/journal.pone.0130140",
        others: Others::Refused,
        batch_norm: BatchNorm::Fold,
        rows: || relevance([Row::of(LAYERS, EPSILON)]),
    },
    Preset {
        name: "epsilon-plus",
        summary: "LRP with z-plus in convolutions and epsilon in linear layers",
        source: "arXiv 1910.09840",
        others: Others::Refused,
        batch_norm: BatchNorm::Fold,
        rows: || relevance([Row::of([Convolution], Rule::ZPlus), Row::of([Linear], EPSILON)]),
    },
    Preset {
        name: "epsilon-alpha2-beta1",
        summary: "LRP with alpha-beta 2, 1 in convolutions and epsilon in linear layers",
        source: "arXiv 1910.09840",
        others: Others::Refused,
        batch_norm: BatchNorm::Fold,
        rows: || relevance([Row::of([Convolution], Rule::AlphaBeta(2.0, 1.0)), Row::of([Linear], EPSILON)]),
    },
    Preset {
        name: "epsilon-plus-flat",
        summary: "as epsilon-plus, with the first layer by flat: it tells the places that the second layer reads, not what stands there",
        source: "doi 10.1038/s41467-019-08987-4, arXiv 2106.13200",
        others: Others::Refused,
        batch_norm: BatchNorm::Fold,
        rows: || {
            let layers = [Row::of([Convolution], Rule::ZPlus), Row::of([Linear], EPSILON)];
            relevance([Row::of(LAYERS, Rule::Flat).at(Layer::First)].into_iter().chain(layers))
        },
    },
    Preset {
        name: "epsilon-gamma-box",
        summary: "LRP with box in the first layer, gamma 0.25 in convolutions and epsilon in linear layers; it needs the bounds of the input, as pictures have",
        source: "doi 10.1007/978-3-030-28954-6_10, arXiv 2106.13200",
        others: Others::Refused,
        batch_norm: BatchNorm::Fold,
        rows: || {
            let layers = [Row::of([Convolution], Rule::Gamma(0.25)), Row::of([Linear], EPSILON)];
            relevance([Row::of(LAYERS, Rule::OpenBox).at(Layer::First)].into_iter().chain(layers))
        },
    },
    Preset {
        name: "gamma",
        summary: "LRP with gamma 0.25 in all layers",
        source: "doi 10.1007/978-3-030-28954-6_10",
        others: Others::Refused,
        batch_norm: BatchNorm::Fold,
        rows: || relevance([Row::of(LAYERS, Rule::Gamma(0.25))]),
    },
    Preset {
        name: "zplus",
        summary: "LRP with z-plus in all layers: positive relevance only",
        source: "doi 10.1016/j.patcog.2016.11.008",
        others: Others::Refused,
        batch_norm: BatchNorm::Fold,
        rows: || relevance([Row::of(LAYERS, Rule::ZPlus)]),
    },
    Preset {
        name: "excitation",
        summary: "excitation backpropagation: the probabilities with which positive contributions win, which are those of z-plus",
        source: "arXiv 1608.00507",
        others: Others::Refused,
        batch_norm: BatchNorm::Fold,
        rows: || relevance([Row::of(LAYERS, Rule::ZPlus)]),
    },
    Preset {
        name: "attn-lrp",
        summary: "LRP of transformers: epsilon in layers and products of matrices, the first-order term of softmax, half to each factor",
        source: "arXiv 2402.05602",
        others: Others::Refused,
        batch_norm: BatchNorm::Pass,
        rows: || relevance([Row::of([Linear, Convolution, Norm], EPSILON)]),
    },
    Preset {
        name: "cp-lrp",
        summary: "LRP of transformers that holds attention weights and norms fixed: values take everything",
        source: "arXiv 2202.07304",
        others: Others::Refused,
        batch_norm: BatchNorm::Pass,
        rows: || {
            let fixed = [Row::of([MatrixProduct, Attention], Rule::Second(1e-6))];
            let softmax = [Row::of([Softmax], Rule::Pass).at(Layer::Last), Row::of([Softmax], Rule::Closed)];
            relevance([Row::of([Linear, Convolution, Norm], EPSILON)].into_iter().chain(fixed).chain(softmax))
        },
    },
];

/// These rows, and those that sets of layer-wise relevance propagation share. A softmax behind the last layer passes, so that its
/// logit is explained.
fn relevance(rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
    let shared = [
        Row::of(SUMS, EPSILON),
        Row::of([MatrixProduct, Attention], EPSILON),
        Row::of([Product], Rule::Half),
        Row::of([Softmax], Rule::Pass).at(Layer::Last),
        Row::of([Softmax], Rule::Taylor),
        Row::of([Activation, Norm], Rule::Pass),
        Row::of([Winner, Embedding], Rule::Backtrace),
    ];
    rows.into_iter().chain(shared).collect()
}

impl Preset {
    /// The set.
    pub fn rules(&self) -> RuleSet {
        RuleSet {
            name: self.name.into(),
            others: self.others,
            batch_norm: self.batch_norm,
            rows: (self.rows)(),
        }
    }
}
