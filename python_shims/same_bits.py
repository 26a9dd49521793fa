"""Tells whether two builds of the command explain every model of the tests alike, to the last bit.

    python python_shims/same_bits.py BEFORE AFTER [--tests tests] [--only NAME…]

BEFORE and AFTER are two `dlbacktrace` programs. Both explain every model in both modes, as a user would. The arrays of relevance
must hold the same bits, and what one refuses the other must refuse with the same exit code. Where they differ, both explain it
once more from one start, which tells a change of the start from a change of the rules. Needs Python 3.11 and numpy.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

GOOD = ("same", "refused")


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
            if kind not in GOOD:
                print(f"{name} ({mode}): {result}")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    sys.exit(any(kind not in GOOD for kind in counts))


def models(tests: Path):
    """Name, path and inputs of every model: the name of each and a value, or a tensor as its file and key; options beside."""
    for index in sorted(tests.glob("fixtures/**/index.json")):
        for fixture in json.loads(index.read_text())["fixtures"]:
            stem = index.parent / fixture["name"]
            tensors = Path(f"{stem}.safetensors")
            inputs = [leaf for given in fixture["inputs"] for leaf in leaves(given["name"], given, tensors)]
            yield fixture["name"], f"{stem}.pt", inputs, []
    for index in sorted(tests.glob("savedmodels/**/index.json")):
        for fixture in json.loads(index.read_text())["fixtures"]:
            stem = index.parent / fixture["name"]
            options = [f"--numeric-input={name}" for name in fixture.get("numeric_inputs", [])]
            yield fixture["name"], str(stem), signature(Path(f"{stem}.safetensors")), options
    for language in json.loads((tests / "models/index.json").read_text()):
        stem = tests / "models" / language["name"]
        for case in ("short", "long", "padded"):
            inputs = [(name, (Path(f"{stem}.safetensors"), f"{case}:{name}")) for name in language["arguments"]]
            yield f"{language['name']}, {case}", f"{stem}.pt", inputs, []


def leaves(name: str, node: dict, tensors: Path) -> list:
    """What fills an input of a TorchScript model."""
    if "tensor" in node:
        return [(name, (tensors, node["tensor"]))]
    if "value" in node:
        value = node["value"]
        return [] if value is None else [(name, value if isinstance(value, str) else json.dumps(value))]
    for kind in ("list", "tuple", "dict", "namedtuple"):
        if kind in node:
            # Older builds know the fields of a named tuple by their numbers only.
            keyed = kind == "dict"
            parts = node[kind].items() if keyed else enumerate(node[kind].values() if kind == "namedtuple" else node[kind])
            return [leaf for key, part in parts for leaf in leaves(f"{name}.{key}", part, tensors)]
    return []


def signature(tensors: Path) -> list:
    """What fills the inputs of a SavedModel."""
    if not tensors.exists():
        return []
    header = header_of(tensors)[0]
    texts = json.loads(header.get("__metadata__", {}).get("text", "{}"))
    arrays = [(key.removeprefix("input:"), (tensors, key)) for key in sorted(header) if key.startswith("input:")]
    return arrays + [(key.removeprefix("input:"), json.dumps(texts[key])) for key in texts if key.startswith("input:")]


def header_of(tensors: Path):
    """The header of a safetensors file, and its data."""
    data = tensors.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:start]), data[start:]


def given(name: str, value, folder: Path) -> str:
    """An input as an argument; a tensor becomes a file of its own."""
    if isinstance(value, str):
        return f"--input={name}={value}"
    header, data = header_of(value[0])
    begin, end = header[value[1]]["data_offsets"]
    alone = json.dumps({"tensor": {**header[value[1]], "data_offsets": [0, end - begin]}}).encode()
    file = folder / f"{len(list(folder.iterdir()))}.safetensors"
    file.write_bytes(len(alone).to_bytes(8, "little") + alone + data[begin:end])
    return f"--input={name}={file}"


def compare(before: Path, after: Path, model: str, inputs: list, options: list[str]) -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = [model, *(given(name, value, folder) for name, value in inputs), *options]
        return [(mode, outcome(before, after, [*arguments, f"--mode={mode}"], folder / mode)) for mode in ("default", "contrastive")]


def outcome(before: Path, after: Path, arguments: list[str], folder: Path) -> str:
    result = comparison(before, after, arguments, folder / "chosen")
    if not result.startswith("differs"):
        return result
    output = json.loads((folder / "chosen" / "after" / "explanation.json").read_text())["output"]
    start = np.cos(np.arange(np.prod(output["shape"], dtype=int))).reshape(output["shape"])
    np.save(folder / "start.npy", start)
    arguments = [*arguments, f"--output={output['name']}", f"--start={folder / 'start.npy'}"]
    again = comparison(before, after, arguments, folder / "same")
    return "other start" if again == "same" else f"{result}; from the same start: {again}"


def comparison(before: Path, after: Path, arguments: list[str], folder: Path) -> str:
    old, first = explain(before, arguments, folder / "before")
    new, second = explain(after, arguments, folder / "after")
    if old or new:
        return "refused" if old == new else f"exit code: {old}, then {new}: {second if new else first}"
    if first.keys() != second.keys():
        return f"inputs: {sorted(first)}, then {sorted(second)}"
    worst = max((difference(first[name], second[name]) for name in first), default=0.0)
    return f"differs: by {worst:.2g} of the largest" if worst else "same"


def explain(program: Path, arguments: list[str], out: Path):
    """The exit code and what it wrote: its message, or the arrays of relevance."""
    done = subprocess.run([program, "explain", *arguments, "--out", out], capture_output=True, text=True, check=False)
    if done.returncode:
        return done.returncode, (done.stderr.strip() or "no message").splitlines()[0]
    with np.load(out / "relevance.npz") as arrays:
        # Differences are computed from the channels, and older builds lack them.
        return 0, {name: arrays[name] for name in arrays.files if not name.endswith(":difference")}


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
