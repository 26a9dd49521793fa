"""Writes tests/data/peers.json: what other relevance libraries expect of nets small enough for a pencil.

    python python_shims/make_peers.py

Only facts are theirs: weights, inputs, expected numbers. Each case is recomputed here from the formula of the
default rule, r = |x| ⊙ |W|ᵀ(R ⊘ (|W||x| + |b|)), and must agree with the peer ("verbatim") or differ ("control").
"""

import itertools
import json
from pathlib import Path

import numpy as np

from peer_cases import CASES

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "peers.json"


def array(value) -> np.ndarray:
    return np.array(json.loads(json.dumps(value, default=float)), dtype=np.float64)


def divided(r: np.ndarray, d: np.ndarray) -> np.ndarray:
    """R ⊘ D with 0/0 = 0."""
    return np.divide(r, d, out=np.zeros(np.broadcast(r, d).shape), where=d != 0)


class Linear:
    """y = Wx + b over the last axis; `matrix` may be that of any linear map of a flattened sample."""

    def __init__(self, matrix, bias):
        self.matrix, self.bias = matrix, bias

    def forward(self, x):
        return x @ self.matrix.T + self.bias

    def backward(self, x, r):
        s = divided(r, np.abs(x) @ np.abs(self.matrix).T + np.abs(self.bias))
        return [np.abs(x) * (s @ np.abs(self.matrix))], float((s * np.abs(self.bias)).sum())


class Conv2d:
    """Stride 1, no padding, by its dense matrix."""

    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def dense(self, shape):
        outward, inward, kh, kw = self.weight.shape
        height, width = shape[2] - kh + 1, shape[3] - kw + 1
        matrix = np.zeros((outward, height, width, inward, shape[2], shape[3]))
        for o, i, j in np.ndindex(outward, height, width):
            matrix[o, i, j, :, i:i + kh, j:j + kw] = self.weight[o]
        size = outward * height * width
        return Linear(matrix.reshape(size, -1), np.repeat(self.bias, height * width)), (shape[0], outward, height, width)

    def forward(self, x):
        linear, shape = self.dense(x.shape)
        return linear.forward(x.reshape(len(x), -1)).reshape(shape)

    def backward(self, x, r):
        linear, _ = self.dense(x.shape)
        (relevance,), lost = linear.backward(x.reshape(len(x), -1), r.reshape(len(r), -1))
        return [relevance.reshape(x.shape)], lost


class MaxPool:
    """Over the last `dims` axes; the winner takes all, ties share."""

    def __init__(self, dims, kernel, stride):
        self.dims, self.kernel, self.stride = dims, kernel, stride

    def windows(self, x):
        lead = x.ndim - self.dims
        counts = [(n - self.kernel) // self.stride + 1 for n in x.shape[lead:]]
        for cell in itertools.product(*map(range, counts)):
            yield cell, tuple(slice(c * self.stride, c * self.stride + self.kernel) for c in cell)

    def forward(self, x):
        lead = x.shape[:x.ndim - self.dims]
        axes = tuple(range(-self.dims, 0))
        cells = {cell: x[(..., *window)].max(axis=axes) for cell, window in self.windows(x)}
        y = np.zeros(lead + tuple(1 + max(c[i] for c in cells) for i in range(self.dims)))
        for cell, value in cells.items():
            y[(..., *cell)] = value
        return y

    def backward(self, x, r):
        relevance, y, axes = np.zeros_like(x), self.forward(x), tuple(range(-self.dims, 0))
        spread = (..., *(None,) * self.dims)
        for cell, window in self.windows(x):
            wins = x[(..., *window)] == y[(..., *cell)][spread]
            relevance[(..., *window)] += wins * (r[(..., *cell)] / wins.sum(axis=axes))[spread]
        return [relevance], 0.0


class Pass:
    """An activation, dropout or reshape: relevance unchanged."""

    def __init__(self, function):
        self.forward = function

    def backward(self, x, r):
        return [r.reshape(x.shape)], 0.0


class Add:
    def forward(self, a, b):
        return a + b

    def backward(self, a, b, r):
        s = divided(r, np.abs(a) + np.abs(b))
        return [np.abs(a) * s, np.abs(b) * s], 0.0


def build(step: dict):
    weight = array(step["weight"]) if "weight" in step else None
    bias = array(step.get("bias", [0] * len(step["weight"]))) if "weight" in step else None
    return {
        "linear": lambda: Linear(weight, bias), "conv2d": lambda: Conv2d(weight, bias), "add": Add,
        "relu": lambda: Pass(lambda x: np.maximum(x, 0)), "tanh": lambda: Pass(np.tanh), "dropout": lambda: Pass(lambda x: x),
        "reshape": lambda: Pass(lambda x: x.reshape(step["shape"])),
        "max_pool": lambda: MaxPool(step["dims"], step["kernel"], step["stride"]),
    }[step["op"]]()


def explain(case: dict) -> tuple[dict[str, np.ndarray], float]:
    """Relevance of every value by name, and what the biases took."""
    values = {name: array(value) for name, value in case["inputs"].items()}
    operators = [build(step) for step in case["steps"]]
    for step, operator in zip(case["steps"], operators):
        values[step["name"]] = operator.forward(*(values[name] for name in step["of"]))
    relevance = {name: np.zeros_like(value) for name, value in values.items()}
    relevance[case["steps"][-1]["name"]] = array(case["seed"])
    bias = 0.0
    for step, operator in zip(reversed(case["steps"]), reversed(operators)):
        parts, lost = operator.backward(*(values[name] for name in step["of"]), relevance[step["name"]])
        bias += lost
        for name, part in zip(step["of"], parts):
            relevance[name] += part
    return relevance, bias


def check(case: dict, relevance: dict, bias: float) -> None:
    total = sum(relevance[name].sum() for name in case["inputs"])
    assert abs(total + bias - array(case["seed"]).sum()) < 1e-9, f"{case['name']}: does not close"
    for name, expected in case["peer"].get("relevance", {}).items():
        same = np.allclose(relevance[name], array(expected), rtol=0, atol=case["tolerance"])
        assert same == (case["kind"] == "verbatim"), f"{case['name']}: {name} is {relevance[name].tolist()}"


def shaped(value) -> dict:
    value = value if isinstance(value, np.ndarray) else array(value)
    return {"shape": list(value.shape), "data": [round(v, 15) for v in value.ravel().tolist()]}


def written(case: dict) -> dict:
    """The case as it stands in the file."""
    case = {"tolerance": 1e-9, **case}
    relevance, bias = explain(case)
    check(case, relevance, bias)
    known = [*case["inputs"], *(name for name in case["peer"].get("relevance", {}) if name not in case["inputs"])]
    steps = [{key: shaped(value) if key in ("weight", "bias") else value for key, value in step.items()} for step in case["steps"]]
    peer = {**case["peer"], "relevance": {name: shaped(value) for name, value in case["peer"].get("relevance", {}).items()}}
    return {
        "name": case["name"], "kind": case["kind"], "source": case["source"], **({"fixture": case["fixture"]} if "fixture" in case else {}),
        **({"note": case["note"]} if "note" in case else {}),
        "inputs": {name: shaped(value) for name, value in case["inputs"].items()}, "steps": steps, "seed": shaped(case["seed"]),
        "relevance": {name: shaped(relevance[name]) for name in known}, "bias": round(bias, 15), "peer": peer, "tolerance": case["tolerance"],
    }


def main() -> None:
    lines = ",\n".join(json.dumps(written(case), ensure_ascii=False) for case in CASES)
    OUT.write_text(f'{{"cases": [\n{lines}\n]}}\n')
    print(f"{len(CASES)} cases in {OUT}")


if __name__ == "__main__":
    main()
