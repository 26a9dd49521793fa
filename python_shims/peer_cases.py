"""The facts of `make_peers.py`: nets, inputs, starts and the figures other libraries expect."""

from fractions import Fraction as F


def captum(test: str, file: str = "tests/attr/test_lrp.py") -> dict:
    return {"project": "captum", "file": file, "test": test, "licence": "BSD-3-Clause"}


def julia(test: str) -> dict:
    return {"project": "RelevancePropagation.jl", "file": "test/test_rules.jl", "test": test, "licence": "MIT"}


LAYER = "tests/attr/layer/test_layer_lrp.py"


def step(name: str, op: str, *of: str, **settings) -> dict:
    return {"name": name, "op": op, "of": list(of), **settings}


def filled(outward: int, inward: int, value: float) -> list:
    return [[value] * inward for _ in range(outward)]


def simple(first=None) -> list:
    """captum's SimpleLRPModel."""
    return [
        step("linear", "linear", "x", weight=first or filled(3, 3, 2)), step("relu", "relu", "linear"),
        step("linear2", "linear", "relu", weight=filled(1, 3, 3)), step("dropout", "dropout", "linear2"),
    ]


ROW, TURNED = [[1, 2, 3]], [[-2, 2, 2], [2, 2, 2], [2, 2, 2]]
ONE_CONV = [
    step("conv1", "conv2d", "x", weight=[[filled(3, 3, 1)]] * 2, bias=[-50, -75]), step("relu1", "relu", "conv1"),
    step("view", "reshape", "relu1", shape=[1, 8]), step("fc1", "linear", "view", weight=[[1] * 5 + [-1] * 3] * 4), step("relu2", "relu", "fc1"),
]
REUSED = {"weight": [[1, -2, 3], [2, 1, -1], [0.5, 1.5, 1]], "bias": [0.5, 1, -1]}
DENSE = step("dense", "linear", "x", weight=[[3, 4], [5, 6]], bias=[7, 8])


def pooled(dims: int, of: str = "x", stride: int = 2) -> dict:
    return step("max_pool", "max_pool", of, dims=dims, kernel=2, stride=stride)


def case(name: str, kind: str, source: dict, inputs, steps: list, seed, peer: dict, **more) -> dict:
    inputs = inputs if isinstance(inputs, dict) else {"x": inputs}
    return {"name": name, "kind": kind, "source": source, "inputs": inputs, "steps": steps, "seed": seed, "peer": peer, **more}


def epsilon(x, **others) -> dict:
    return {"rule": "epsilon, 1e-9", "relevance": {"x": x, **others}}


CASES = [
    case("captum_simple", "verbatim", captum("test_lrp_simple_attributions"), ROW, simple(), [[108]], epsilon([[18, 36, 54]]), fixture="peer_simple"),
    case("captum_simple_inplace", "verbatim", captum("test_lrp_simple_inplaceReLU"), ROW, simple(), [[108]], epsilon([[18, 36, 54]]),
         fixture="peer_simple_inplace"),
    case("captum_simple_batch", "verbatim", captum("test_lrp_simple_attributions_batch"), [[1, 2, 3], [3, 6, 9]], simple(), [[108], [324]],
         epsilon([[18, 36, 54], [54, 108, 162]]), fixture="peer_simple_batch"),
    case("captum_simple_layer", "verbatim", captum("test_lrp_simple_attributions", LAYER), ROW, simple(), [[108]],
         epsilon([[18, 36, 54]], linear=[[36, 36, 36]], relu=[[36, 36, 36]]), fixture="peer_simple",
         note="relevance of the values in between"),
    case("captum_simple_layers_batch", "verbatim", captum("test_lrp_simple_attributions_all_layers_delta", LAYER), [[1, 2, 3], [2, 4, 6]], simple(),
         [[108], [216]], epsilon([[18, 36, 54], [36, 72, 108]])),
    case("captum_tanh", "verbatim", captum("test_lrp_simple_tanh"), ROW,
         [step("linear", "linear", "x", weight=filled(3, 3, 0.1)), step("tanh", "tanh", "linear"), step("linear2", "linear", "tanh", weight=filled(1, 3, 0.1))],
         [[0.16111487099404083]], epsilon([[0.0269, 0.0537, 0.0806]], linear=[[0.0537, 0.0537, 0.0537]]), tolerance=1e-4, fixture="peer_simple_tanh",
         note="tanh passes relevance; figures to four places"),
    case("captum_skip", "verbatim", captum("test_lrp_skip_connection"), [[2, 3]],
         [step("linear", "linear", "x", weight=filled(2, 2, 5)), step("add", "add", "linear", "x")], [[0, 28]], epsilon([[10, 18]]), fixture="peer_skip"),
    case("captum_max_pool1d", "verbatim", captum("test_lrp_maxpool1D"), [[[1, 2], [5, 6]]],
         [step("linear", "linear", "x", weight=filled(2, 2, 2)), pooled(1, "linear")], [[[0], [22]]], epsilon([[[0, 0], [10, 12]]]), fixture="peer_max_pool1d"),
    case("captum_max_pool2d", "verbatim", captum("test_lrp_maxpool2D"), [[[[1, 2], [5, 6]]]], [pooled(2)], [[[[6]]]],
         epsilon([[[[0, 0], [0, 6]]]]), fixture="peer_max_pool2d"),
    case("captum_max_pool3d", "verbatim", captum("test_lrp_maxpool3D"), [[[[[1, 2], [5, 6]], [[3, 4], [7, 8]]]]], [pooled(3)], [[[[[8]]]]],
         epsilon([[[[[0, 0], [0, 0]], [[0, 0], [0, 8]]]]]), fixture="peer_max_pool3d"),
    case("captum_conv_bias", "control", captum("test_lrp_basic_attributions"), [[[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]]],
         ONE_CONV, [[54, 0, 0, 0]], epsilon([[[[0, 1, 2, 3], [0, 5, 6, 7], [0, 9, 10, 11], [0, 0, 0, 0]]]]), fixture="peer_conv",
         note="the peer keeps all 54; here the biases −50 and −75 take their share"),
    case("captum_conv_layer", "control", captum("test_lrp_basic_attributions", LAYER), [[[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]]],
         ONE_CONV, [[54, 0, 0, 0]], {"rule": "epsilon, 1e-9", "relevance": {"conv1": [[[[0, 4], [31, 40]], [[0, 0], [-6, -15]]]]}}, fixture="peer_conv",
         note="relevance of the convolution's output: signed there, by magnitude here"),
    case("captum_multi_inputs", "control", captum("test_lrp_multi_inputs"), {"x": ROW, "add_input": [[3, 6, 9]]},
         [step("input", "add", "x", "add_input"), step("linear0", "linear", "input", weight=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], bias=[0, 0, 0]),
          step("linear1", "linear", "linear0", weight=filled(4, 3, 1), bias=[-10, 1, 1, 1]), step("relu", "relu", "linear1"),
          step("linear2", "linear", "relu", weight=filled(2, 4, 1), bias=[-1, 1])],
         [[88, 0]], epsilon([[16, 32, 48]]), fixture="peer_multilayer", note="other shares at the addition; here biases take theirs"),
    case("captum_gamma", "control", captum("test_lrp_simple_attributions_GammaRule"), ROW, simple(TURNED), [[96]],
         {"rule": "gamma 1, then gamma 0.25", "relevance": {"x": [[F(28, 3), F(104, 3), 52]]}}),
    case("captum_alpha_beta", "control", captum("test_lrp_simple_attributions_AlphaBeta"), ROW, simple(TURNED), [[96]],
         {"rule": "alpha 1, beta 0", "relevance": {"x": [[12, 33.6, 50.4]]}}),
    case("captum_identity", "control", captum("test_lrp_Identity"), ROW, simple(TURNED), [[96]],
         {"rule": "identity, then epsilon", "relevance": {"x": [[24, 36, 36]]}}),
    case("captum_reused", "control", captum("test_lrp_repeated_module"), [[1, 1, 1], [1, 1, 1]],
         [step("first", "linear", "x", **REUSED), step("relu", "relu", "first"), step("second", "linear", "relu", **REUSED), step("out", "relu", "second")],
         [[4, 0, 0], [4, 0, 0]], {"rule": "epsilon", "error": "RuntimeError: module is being used more than once"}, fixture="peer_reused",
         note="must raise there; here it must equal the unrolled net. The weights are ours"),
    case("julia_dense", "verbatim", julia("ZeroRule analytic"), [[1, 2]], [DENSE, step("relu", "relu", "dense")], [[F(1, 3), F(2, 3)]],
         {"rule": "zero", "relevance": {"x": [[F(17, 90), F(316, 675)]]}}, fixture="peer_dense"),
    case("julia_max_pool", "verbatim", julia("ZeroRule analytic"), [[[[1, 2, 3], [10, 5, 6], [7, 8, 9]]]], [pooled(2, stride=1)],
         [[[[F(1, 30), F(2, 30)], [F(3, 30), F(4, 30)]]]],
         {"rule": "zero", "relevance": {"x": [[[[0, 0, 0], [F(4, 30), 0, F(2, 30)], [0, 0, F(4, 30)]]]]}},
         note="overlapping windows; one of three equal channels"),
    case("julia_skip_1", "verbatim", julia("Parallel and SkipConnection analytic"), [[1, 2]],
         [DENSE, step("relu", "relu", "dense"), step("add", "add", "relu", "x")],
         [[1, 0]], {"rule": "zero", "relevance": {"x": [[F(4, 19), F(8, 19)]]}}, fixture="peer_dense_skip"),
    case("julia_skip_2", "verbatim", julia("Parallel and SkipConnection analytic"), [[1, 2]],
         [DENSE, step("relu", "relu", "dense"), step("add", "add", "relu", "x")],
         [[0, 1]], {"rule": "zero", "relevance": {"x": [[F(5, 27), F(14, 27)]]}}, fixture="peer_dense_skip"),
    case("julia_alpha_beta", "control", julia("AlphaBetaRule analytic"), [[1, 1]], [step("dense", "linear", "x", weight=[[1, -1]], bias=[-1])], [[-1]],
         {"rule": "alpha 2, beta 1", "relevance": {"x": [[-2, 0.5]]}}),
]
