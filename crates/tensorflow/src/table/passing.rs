//! What hands relevance on unchanged, and what carries none (rules §5).

use super::{Entry, Lower};
use crate::Keep;
use dlbacktrace_core::Family;
use dlbacktrace_core::ops::Decision;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new(
        &[
            "Cast",
            "CheckNumerics",
            "CheckNumericsV2",
            "DebugIdentity",
            "DebugIdentityV2",
            "DeepCopy",
            "GuaranteeConst",
            "PlaceholderWithDefault",
            "Print",
            "Snapshot",
            // Rounding to few levels, as in a quantised model.
            "QuantizeAndDequantize",
            "QuantizeAndDequantizeV2",
            "QuantizeAndDequantizeV3",
        ],
        Family::Pass,
        Keep::Indices,
        Lower::Identity,
    )
    .of_complex(),
    Entry::new(
        &[
            "StopGradient",
            "PreventGradient",
            // Rounding that ends derivatives beyond its range.
            "FakeQuantWithMinMaxArgs",
            "FakeQuantWithMinMaxVars",
            "FakeQuantWithMinMaxVarsPerChannel",
            "QuantizeAndDequantizeV4",
        ],
        Family::Pass,
        Keep::Indices,
        Lower::Detached,
    )
    .of_complex(),
    Entry::constant(&[
        "SparseReshape",
        "Shape",
        "ShapeN",
        "Size",
        "Rank",
        "VariableShape",
        "BroadcastArgs",
        "BroadcastGradientArgs",
        "TensorListLength",
        "TensorListElementShape",
        "TensorArraySizeV3",
        "Range",
        "LinSpace",
        "Fill",
        "Empty",
        "ZerosLike",
        "OnesLike",
        "RaggedBincount",
        "InvertPermutation",
        "IsVariableInitialized",
        "VarIsInitializedOp",
        "RandomUniform",
        "RandomUniformInt",
        "RandomStandardNormal",
        "TruncatedNormal",
        "StatelessRandomGetKeyCounter",
        "StatelessRandomGetKeyCounterAlg",
        "StatelessRandomGetAlg",
        "StatelessRandomUniform",
        "StatelessRandomUniformV2",
        "StatelessRandomUniformInt",
        "StatelessRandomUniformIntV2",
        "StatelessRandomUniformFullInt",
        "StatelessRandomUniformFullIntV2",
        "StatelessRandomNormal",
        "StatelessRandomNormalV2",
        "StatelessTruncatedNormal",
        "StatelessTruncatedNormalV2",
        "RngReadAndSkip",
        "StatefulUniform",
        "StatefulUniformInt",
        "StatefulUniformFullInt",
        "StatefulStandardNormalV2",
        "StatefulTruncatedNormal",
        "StatefulRandomBinomial",
        "StatelessRandomBinomial",
        "RandomGamma",
        "RandomPoissonV2",
        "ParameterizedTruncatedNormal",
        "StatelessRandomGammaV2",
        "StatelessRandomGammaV3",
        "StatelessRandomPoisson",
        "StatelessParameterizedTruncatedNormal",
        "Multinomial",
        "StatelessMultinomial",
        "RandomIndexShuffle",
        "SampleDistortedBoundingBox",
        "SampleDistortedBoundingBoxV2",
        "StatelessSampleDistortedBoundingBox",
        "UniformCandidateSampler",
        "LogUniformCandidateSampler",
        "LearnedUnigramCandidateSampler",
        "ThreadUnsafeUnigramCandidateSampler",
        "FixedUnigramCandidateSampler",
        "AllCandidateSampler",
    ]),
    Entry::decision(
        &[
            "Equal",
            "NotEqual",
            "ApproximateEqual",
            "Less",
            "LessEqual",
            "Greater",
            "GreaterEqual",
            "IsNan",
            "IsInf",
            "IsFinite",
            "LogicalAnd",
            "LogicalOr",
            "LogicalNot",
            "Sign",
            "Bucketize",
            "LowerBound",
            "UpperBound",
        ],
        Decision::Each,
    ),
    Entry::decision(&["ArgMax", "ArgMin", "Where", "Any", "All", "InTopK", "InTopKV2"], Decision::Among),
];

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, integers, numbers, relevance, values};

    #[test]
    fn numbers_in_fewer_steps_are_the_numbers() {
        let (x, low, high) = (values(&[3, 2]), numbers(&[], &[-3.0]), numbers(&[], &[3.0]));
        let (lows, highs) = (numbers(&[2], &[-1.0, -3.0]), numbers(&[2], &[2.0, 3.0]));
        let [of_range, of_channels] = [[x.clone(), low, high], [x.clone(), lows, highs]];
        let with_bits = [&of_range[..], &[integers(&[], &[8])]].concat();
        for (operator, inputs) in [
            ("FakeQuantWithMinMaxArgs", &of_range[..1]),
            ("FakeQuantWithMinMaxVars", &of_range),
            ("FakeQuantWithMinMaxVarsPerChannel", &of_channels),
            ("QuantizeAndDequantizeV2", &of_range),
            ("QuantizeAndDequantizeV3", &with_bits),
            ("QuantizeAndDequantizeV4", &of_range),
        ] {
            Case::new(operator, &[], inputs).compare(&[0], relevance(6));
        }
    }
}
