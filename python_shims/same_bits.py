"""Tells whether two builds of the command explain every model of the tests alike, to the last bit.

    python python_shims/same_bits.py BEFORE AFTER [--tests tests] [--only NAME…]

BEFORE and AFTER are two `dlbacktrace` programs. Both explain every model in both modes, as a user would. The arrays of relevance
must hold the same bits, and what one refuses the other must refuse with the same exit code. Needs Python 3.11 and numpy.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--tests", type=Path, default=Path("tests"), help="the folder that holds the models")
    parser.add_argument("--only", nargs="*", default=[], help="names of models; all others are left out")
    options = parser.parse_args()
    for program in (options.before, options.after):
        subprocess.run([program, "--version"], check=True, capture_output=True)
    cases = [case for case in models(options.tests) if not options.only or case[0] in options.only]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda case: (case[0], compare(options.before, options.after, *case[1:])), cases))
    counts: dict[str, int] = {}
    for name, results in found:
        for mode, result in results:
            kind = result.split(":")[0]
            counts[kind] = counts.get(kind, 0) + 1
            if kind not in ("same", "refused"):
                print(f"{name} ({mode}): {result}")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    sys.exit(any(kind not in ("same", "refused") for kind in counts))


def models(tests: Path):
    """Name, path and arguments of every model."""
    for index in sorted(tests.glob("fixtures/**/index.json")):
        for fixture in json.loads(index.read_text())["fixtures"]:
            stem = index.parent / fixture["name"]
            arguments = []
            for given in fixture["inputs"]:
                arguments += leaves(given["name"], given, f"{stem}.safetensors")
            yield fixture["name"], f"{stem}.pt", arguments
    for index in sorted(tests.glob("savedmodels/**/index.json")):
        for fixture in json.loads(index.read_text())["fixtures"]:
            stem = index.parent / fixture["name"]
            yield fixture["name"], str(stem), signature(Path(f"{stem}.safetensors"), fixture.get("numeric_inputs", []))
    for language in json.loads((tests / "models/index.json").read_text()):
        stem = tests / "models" / language["name"]
        for case in ("short", "long", "padded"):
            arguments = [f"--input={name}={stem}.safetensors:{case}:{name}" for name in language["arguments"]]
            yield f"{language['name']}, {case}", f"{stem}.pt", arguments


def leaves(name: str, node: dict, file: str) -> list[str]:
    """The arguments that fill an input of a TorchScript model."""
    if "tensor" in node:
        return [f"--input={name}={file}:{node['tensor']}"]
    if "value" in node:
        value = node["value"]
        return [] if value is None else [f"--input={name}={value if isinstance(value, str) else json.dumps(value)}"]
    for kind in ("list", "tuple", "dict", "namedtuple"):
        if kind in node:
            parts = node[kind].items() if isinstance(node[kind], dict) else enumerate(node[kind])
            return [argument for key, part in parts for argument in leaves(f"{name}.{key}", part, file)]
    return []


def signature(file: Path, numeric: list[str]) -> list[str]:
    """The arguments that fill the inputs of a SavedModel."""
    if not file.exists():
        return []
    arguments = [f"--numeric-input={name}" for name in numeric]
    with file.open("rb") as opened:
        header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
    for key in sorted(header):
        if key.startswith("input:"):
            arguments.append(f"--input={key.removeprefix('input:')}={file}:{key}")
    for key, value in json.loads(header.get("__metadata__", {}).get("text", "{}")).items():
        if key.startswith("input:"):
            arguments.append(f"--input={key.removeprefix('input:')}={json.dumps(value)}")
    return arguments


def compare(before: Path, after: Path, model: str, arguments: list[str]) -> list[tuple[str, str]]:
    return [(mode, outcome(before, after, model, [f"--mode={mode}", *arguments])) for mode in ("default", "contrastive")]


def outcome(before: Path, after: Path, model: str, arguments: list[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        (old, first), (new, second) = (
            explain(program, model, arguments, Path(folder) / name) for program, name in ((before, "before"), (after, "after"))
        )
    if old or new:
        return "refused" if old == new else f"exit code: {old or 0}, then {new or 0}: {second if new else first}"
    if first.keys() != second.keys():
        return f"inputs: {sorted(first)}, then {sorted(second)}"
    worst = max((difference(first[name], second[name]) for name in first), default=0.0)
    if worst is None or worst > 0:
        return f"differs: by {worst:.2g} of the largest"
    return "same"


def explain(program: Path, model: str, arguments: list[str], out: Path):
    """The exit code and what it wrote: its message, or the arrays of relevance."""
    done = subprocess.run([program, "explain", model, *arguments, "--out", out], capture_output=True, text=True, check=False)
    if done.returncode:
        return done.returncode, done.stderr.strip().splitlines()[0] if done.stderr.strip() else ""
    with np.load(out / "relevance.npz") as arrays:
        return 0, {name: arrays[name] for name in arrays.files}


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference, as a share of the largest entry; 0 only for the same bits."""
    if first.shape != second.shape:
        return float("inf")
    if first.dtype == second.dtype and first.tobytes() == second.tobytes():
        return 0.0
    largest = max(np.abs(first).max(initial=0), np.abs(second).max(initial=0), np.finfo(np.float64).tiny)
    return max(float(np.abs(first.astype(float) - second.astype(float)).max(initial=0) / largest), np.finfo(np.float64).tiny)


if __name__ == "__main__":
    main()
