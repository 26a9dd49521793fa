"""Writes tests/data/rule_peers.json: what other tools compute for the networks of tests/fixtures/rules.

    python python_shims/make_rule_peers.py

Needs requirements/peers.txt. The figures are those of zennit and captum, and of autograd for rules of transformers: there the network
runs once more with each step written so that gradient times input is the step's rule. `fixtures/rules.py` makes the networks, and
`make_fixtures.py` their archives. Each case explains one unit. Its relevance starts with the unit's value, or with 1 for rules that are
gradients.
"""

import itertools
import json
from importlib.metadata import version
from pathlib import Path

import torch
import torch.nn.functional as F
from captum.attr import LRP, Deconvolution, GuidedBackprop, Saliency
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval
from zennit import composites, layer, rules
from zennit.attribution import Gradient
from zennit.types import AvgPool, Convolution, Linear

from fixtures.rules import FIXTURES, Added, Bert, Normed, Transformer, Vit, Written

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "rule_peers.json"

EPSILON = 1e-6
TINY = 1e-30  # where our rules need no stabiliser, the tool's shall not matter


# zennit

CELLS = 16  # of the average in `Residual`. Our rules know an average up to its divisor: they add ε to the sum.
SUMS = [(layer.Sum, rules.Norm(EPSILON)), (AvgPool, rules.Norm(EPSILON / CELLS))]


def relevance(convolution: rules.BasicHook, linear: rules.BasicHook) -> composites.Composite:
    """Rules for layers; sums by the rule epsilon, activations pass."""
    layers = [(Convolution, convolution), (Linear, linear)]
    return composites.LayerMapComposite([*SUMS, *layers, *composites.layer_map_base(TINY)])


def everywhere(rule: rules.BasicHook) -> composites.Composite:
    return relevance(rule, rule.copy())


ZENNIT = {
    "epsilon": lambda: everywhere(rules.Epsilon(EPSILON)),
    "epsilon-plus": lambda: composites.EpsilonPlus(EPSILON, TINY, layer_map=SUMS),
    "epsilon-alpha2-beta1": lambda: composites.EpsilonAlpha2Beta1(EPSILON, TINY, layer_map=SUMS),
    "gamma": lambda: everywhere(rules.Gamma(0.25, TINY)),
    "zplus": lambda: everywhere(rules.ZPlus(TINY)),
    "excitation": lambda: composites.ExcitationBackprop(TINY, layer_map=SUMS),
    "guided": composites.GuidedBackprop,
    "deconvolution": composites.DeconvNet,
}
GRADIENTS = ["gradient", "guided", "deconvolution"]


def first(layer_rule: rules.BasicHook, convolution: rules.BasicHook, linear: rules.BasicHook) -> composites.Composite:
    """As `relevance`, with a rule of its own for the first layer."""
    layers = [(Convolution, convolution), (Linear, linear)]
    firsts = [(Convolution, layer_rule), (Linear, layer_rule)]
    return composites.SpecialFirstLayerMapComposite([*SUMS, *layers, *composites.layer_map_base(TINY)], firsts)


# Rules that no named set has in all layers, as sets of their own.
ONE_RULE = {
    "w-square": lambda: everywhere(rules.WSquare(TINY)),
    "flat": lambda: everywhere(rules.Flat(TINY)),
}
FLAT = {"epsilon-plus-flat": lambda: composites.EpsilonPlusFlat(EPSILON, TINY, layer_map=SUMS)}
# zennit's own composite boxes only a first convolution; ours boxes a first linear layer too.
BOXED = {
    "epsilon-gamma-box": lambda low, high: first(rules.ZBox(low, high, TINY), rules.Gamma(0.25, TINY), rules.Epsilon(EPSILON)),
    "box": lambda low, high: first(rules.ZBox(low, high, TINY), rules.Epsilon(EPSILON), rules.Epsilon(EPSILON)),
}
MADE = ZENNIT | ONE_RULE | FLAT


def bounds(x: Tensor) -> dict:
    """Bounds that hold x: one below, one above for each channel."""
    return {"low": -4.5, "high": [4.0 + 0.5 * channel for channel in range(x.shape[1])]}


def as_tensors(x: Tensor) -> tuple[Tensor, Tensor]:
    low, high = (torch.as_tensor(level, dtype=x.dtype) for level in bounds(x).values())
    axes = [1] * (x.dim() - 2)
    return low.expand(1, x.shape[1]).reshape(1, -1, *axes), high.reshape(1, -1, *axes)


def written_set(name: str) -> dict:
    """The set of a name that is none of ours, as our files write it."""
    layers = 'kinds = ["linear", "convolution"]'
    rows = {
        **{rule: f'{layers}\nrule = "{rule}"' for rule in ONE_RULE},
        "box": f'{layers}\nlayer = "first"\nrule = "box"\n[[step]]\n{layers}\nrule = {{ epsilon = {EPSILON} }}',
    }
    if name not in rows:
        return {}
    sums = f'kinds = ["sum", "average"]\nrule = {{ epsilon = {EPSILON} }}'
    return {"set": f'name = "{name}"\nbatch-norm = "fold"\n[[step]]\n{rows[name]}\n[[step]]\n{sums}\n'}


class Stacked(nn.Module):
    """zennit's sum takes its terms along an axis."""

    def __init__(self):
        super().__init__()
        self.sum = layer.Sum()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.sum(torch.stack((a, b), -1))


def folded(layers: nn.Sequential) -> nn.Sequential:
    """The same layers with their batch norms folded into those beside them."""
    made: list[nn.Module] = []
    waiting = None
    for part in layers:
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            fuse = {nn.Conv2d: fuse_conv_bn_eval, nn.Linear: fuse_linear_bn_eval}.get(type(made[-1]))
            if fuse:
                made[-1] = fuse(made[-1], part)
            else:
                waiting = part
            continue
        if waiting is not None:
            # W(s·x + t) + b
            scale = waiting.weight / (waiting.running_var + waiting.eps).sqrt()
            shift = waiting.bias - scale * waiting.running_mean
            behind = nn.Linear(part.in_features, part.out_features, dtype=part.weight.dtype)
            behind.weight.data, behind.bias.data = part.weight * scale, part.bias + part.weight @ shift
            part, waiting = behind, None
        made.append(part)
    return nn.Sequential(*made).eval()


def by_zennit(network: nn.Module, x: Tensor, name: str, unit: int) -> Tensor:
    if isinstance(network, Normed):
        output = network(x)
        network.features, network.classifier = folded(network.features), folded(network.classifier)
        torch.testing.assert_close(network(x), output, rtol=1e-12, atol=1e-12)
    if isinstance(getattr(network, "add", None), Added):
        network.add = Stacked()

    def start(output: Tensor) -> Tensor:
        chosen = F.one_hot(torch.tensor([unit]), output.shape[-1])
        return chosen.to(output) if name in GRADIENTS else chosen * output

    composite = BOXED[name](*as_tensors(x)) if name in BOXED else MADE[name]()
    with Gradient(network, composite, attr_output=start) as attributor:
        return attributor(x)[1]


# captum


def by_captum(network: nn.Module, x: Tensor, name: str, unit: int) -> Tensor:
    if name == "epsilon":
        for part in network.modules():
            if isinstance(part, (nn.Linear, nn.Conv2d)):
                part.rule = EpsilonRule(EPSILON)
            if isinstance(part, nn.MaxPool2d):
                part.rule = EpsilonRule(TINY)
        return LRP(network).attribute(x, target=unit)
    if name == "gradient":
        return Saliency(network).attribute(x, target=unit, abs=False)
    return {"guided": GuidedBackprop, "deconvolution": Deconvolution}[name](network).attribute(x, target=unit)


# autograd


def scaled(y: Tensor, factor: Tensor | float) -> Tensor:
    """y, whose gradient is `factor` times as large."""
    return y * factor + (y * (1 - factor)).detach()


def stabilised(z: Tensor) -> Tensor:
    """z, by the rule epsilon: the gradient of all that z sums is z / (z + ε·sign z) times as large."""
    return scaled(z, (z / (z + EPSILON * torch.where(z < 0, -1.0, 1.0))).detach())


def passed(y: Tensor, x: Tensor) -> Tensor:
    """y = f(x) as x times a constant: relevance passes."""
    return x * (y / x).detach()


class Relevance(Written):
    """The steps, written so that gradient times input is their relevance by the rules of AttnLRP."""

    @staticmethod
    def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return stabilised(F.linear(x, weight, bias))

    def attention(self, query: Tensor, key: Tensor, value: Tensor, is_causal: bool = False) -> Tensor:
        scores = self.matmul(query, key.transpose(-1, -2)) / query.shape[-1] ** 0.5
        if is_causal:
            scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
        return self.matmul(self.softmax(scores), value)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return stabilised(a + b)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return scaled(a * b, 0.5)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        return scaled(stabilised(a @ b), 0.5)

    def mean(self, x: Tensor) -> Tensor:
        return stabilised(x.sum(1)) / x.shape[1]

    def gelu(self, x: Tensor) -> Tensor:
        return passed(F.gelu(x), x)

    def silu(self, x: Tensor) -> Tensor:
        return passed(F.silu(x), x)

    def layer_norm(self, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        """With the deviation held fixed it is a linear map."""
        centred = x - x.mean(-1, keepdim=True)
        deviation = (centred.pow(2).mean(-1, keepdim=True) + norm.eps).sqrt().detach()
        return stabilised(centred / deviation * norm.weight + norm.bias)

    def rms_norm(self, x: Tensor, weight: Tensor) -> Tensor:
        """With the mean square held fixed, x times a constant."""
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6).detach() * weight


class FixedAttention(Relevance):
    """By the rules of CP-LRP, where attention and the weights of experts are held fixed."""

    def softmax(self, x: Tensor) -> Tensor:
        return super().softmax(x).detach()

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        return stabilised(a.detach() @ b)


AUTOGRAD = {"attn-lrp": Relevance, "cp-lrp": FixedAttention}


def by_autograd(network: Transformer, x: Tensor, name: str, unit: int) -> Tensor:
    written = network(x)
    network.math = AUTOGRAD[name]()
    if isinstance(network, Vit):
        network.convolved = lambda x: stabilised(network.patches(x))
    start = x
    if isinstance(network, Bert):
        start = network.words(x)
        network.embedded = lambda _: start
    start = start.detach().requires_grad_()
    output = network(x if isinstance(network, Bert) else start)
    torch.testing.assert_close(output, written, rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(output[0, unit], start)
    share = gradient * start.detach()
    return share.sum(-1) if isinstance(network, Bert) else share


PLAIN = ["rules_mlp", "rules_cnn"]  # captum's rules know no sum
RECTIFIED = [*PLAIN, "rules_residual"]
GEOMETRIES = ["rules_geometry", "rules_signal", "rules_volume", "rules_enlarged"]
TRANSFORMERS = ["rules_bert", "rules_bert_written", "rules_llama", "rules_experts", "rules_vit"]
TOOLS = [
    ("zennit", by_zennit, ZENNIT, [*RECTIFIED, "rules_normed"]),
    ("zennit", by_zennit, FLAT | BOXED, [*RECTIFIED, "rules_normed"]),
    # By these, cells of 0 take relevance. Where such cells tie in a max pooling, zennit gives all to the first, and our rule to each.
    ("zennit", by_zennit, ONE_RULE, ["rules_mlp", "rules_residual"]),
    ("zennit", by_zennit, [*ONE_RULE, *FLAT, *BOXED], GEOMETRIES),
    ("captum", by_captum, ["epsilon"], PLAIN),
    ("captum", by_captum, GRADIENTS, RECTIFIED),
    ("autograd", by_autograd, AUTOGRAD, TRANSFORMERS),
]


def cases():
    made = {fixture.name: fixture for fixture in FIXTURES}
    for tool, compute, names, networks in TOOLS:
        for name, fixture in itertools.product(names, networks):
            for unit in range(1 if fixture in GEOMETRIES else 3):
                network, inputs = made[fixture].make()
                (x,) = inputs.values()
                found = compute(network, x, name, unit).detach()
                if not 0 < found.abs().max() < torch.inf:
                    raise SystemExit(f"{name} of {fixture} by {tool}, unit {unit}: nothing to compare")
                yield {
                    "fixture": fixture, "rules": name, "tool": tool, "unit": unit,
                    **written_set(name), **({"bounds": bounds(x)} if name in BOXED else {}),
                    "relevance": {"shape": list(found.shape), "data": found.flatten().tolist()},
                }


def main() -> None:
    torch.set_num_threads(1)
    made = [json.dumps(case) for case in cases()]
    versions = json.dumps({tool: version(tool) for tool in ("torch", "zennit", "captum")})
    OUT.write_text(f'{{"versions": {versions}, "cases": [\n' + ",\n".join(made) + "\n]}\n")
    print(f"{len(made)} cases in {OUT}")


if __name__ == "__main__":
    main()
