"""Writes the SavedModel fixtures of the tests: THEME/NAME/ and THEME/NAME.safetensors, an index.json a theme.

    python python_shims/make_savedmodels.py [--out tests/savedmodels] [--gradients] [NAME…]

Needs Python 3.11, tensorflow-cpu 2.21.0, tf_keras and safetensors. NAME.safetensors holds the inputs as `input:NAME`
and Python's own outputs as `output:NAME`, by their names in the signature; inputs of text are in its metadata, as JSON, those of bytes in hexadecimal.
`gradient:NAME` is what tf.GradientTape gives for an input of floating numbers: the derivative of the sum of the first output of such
numbers, by name. It is absent where TensorFlow has none.
Names given: only those are written, the indexes keep the rest. --gradients: the models, inputs and outputs stay, only gradients are written.
"""

import argparse
import collections
import functools
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402
from tensorflow.core.protobuf import saved_model_pb2  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import savedmodels  # noqa: E402
from savedmodels.kit import EXPLAINED, RAISES, Fixture  # noqa: E402
from themes import Themes  # noqa: E402

THEMES = Themes(savedmodels.every())


# Equal in their outputs, not in relevance (docs/rules.md, "Written out and in one operator", "Gates"): a shift that is a table and no vector of features keeps its
# share behind a fused norm; a slice between a sum and tanh leaves the sum without a gate.
OTHERWISE = {"layer_norm_tf_keras", "pair_linear_convolved"}


def run(path: Path, inputs: dict) -> tuple[dict, dict, dict]:
    """The inputs, and what TensorFlow computes with the saved model's signature, by the names there: outputs and gradients."""
    loaded = tf.saved_model.load(str(path))  # holds the variables
    serve = loaded.signatures["serving_default"]
    names = serve.structured_input_signature[1]
    if len(names) == 1:  # tf.saved_model.save gives an only input a name of its own
        inputs = dict(zip(names, inputs.values()))
    given = {name: tf.constant(value) for name, value in inputs.items()}
    floating = {name: value for name, value in given.items() if value.dtype.is_floating}
    try:
        # Once: a model may keep a state.
        with tf.GradientTape() as tape:
            tape.watch(floating)
            outputs = serve(**given)
        explained = [outputs[name] for name in sorted(outputs) if outputs[name].dtype.is_floating][:1]
        slopes = tape.gradient(explained, floating, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        slopes = {name: tf.convert_to_tensor(value).numpy() for name, value in slopes.items()}
    # Of an operator without a gradient, or without one on CPUs; of variables in loops; of a loaded graph of TensorFlow 1.
    except (LookupError, tf.errors.OpError, ValueError, AttributeError) as error:
        print(f"{path.name}: TensorFlow has no gradient: {str(error)[:200]}", file=sys.stderr, flush=True)
        outputs, slopes = serve(**given), {}
    return inputs, {name: value.numpy() for name, value in outputs.items()}, slopes


def called(nodes) -> set:
    """The functions that nodes call."""
    values = [value for node in nodes for value in node.attr.values()]
    return {f.name for value in values for f in [value.func, *value.list.func] if f.name}


def roots(graph) -> set:
    """The nodes that a run begins or ends with: inputs and outputs, initialising."""
    signatures = graph.signature_def.values()
    names = [info.name for signature in signatures for info in [*signature.inputs.values(), *signature.outputs.values()]]
    names += [info.tensor_info.name for info in graph.asset_file_def]
    names += [name for collection in graph.collection_def.values() for name in collection.node_list.value]
    return {name.partition(":")[0] for name in names}


def closure(names: set, after) -> set:
    """The names and all that `after` leads to from them."""
    found, waiting = set(), set(names)
    while waiting:
        found |= waiting
        waiting = set().union(*map(after, waiting)) - found
    return found


def prune(path: Path, whole: bool) -> dict[str, int]:
    """Leaves out what no run of the graph reads; gives the operators that are left, with their counts.

    That is most of a small file: Keras' own description of the model, functions that the graph does not lead to
    (recurrent layers of tf_keras have hundreds, for training), and, if not `whole`, saving, restoring and shapes noted beside nodes.
    """
    for name in ("keras_metadata.pb", "fingerprint.pb"):
        (path / name).unlink(missing_ok=True)
    file = path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (graph,) = model.meta_graphs
    nodes = {node.name: node for node in graph.graph_def.node}
    kept = set(nodes) if whole else closure(roots(graph), lambda name: {i.lstrip("^").partition(":")[0] for i in nodes[name].input})
    top = [node for name, node in nodes.items() if name in kept]
    library = {function.signature.name: function for function in graph.graph_def.library.function}
    functions = closure(called(top), lambda name: called(library[name].node_def))
    for name in library.keys() - functions:
        graph.object_graph_def.concrete_functions.pop(name, None)
    for part, values in (
        (graph.graph_def.node, top), (graph.graph_def.library.function, [library[name] for name in sorted(functions)]), (graph.graph_def.library.gradient, []),
    ):
        values = [type(value).FromString(value.SerializeToString()) for value in values]
        del part[:]
        part.extend(values)
    every = [*graph.graph_def.node, *(node for function in graph.graph_def.library.function for node in function.node_def)]
    if not whole:
        graph.ClearField("saver_def")  # the object graph knows the variables
        for holder in every:
            holder.attr.pop("_output_shapes", None)
            holder.ClearField("experimental_debug_info")
    file.write_bytes(model.SerializeToString(deterministic=True))
    return dict(sorted(collections.Counter(node.op for node in every).items()))


def write_tensors(path: Path, inputs: dict, outputs: dict, slopes: dict) -> None:
    text = {f"input:{name}": value.tolist() for name, value in inputs.items() if value.dtype.kind in "US"}
    data = {f"input:{name}": [item.hex() for item in value] for name, value in inputs.items() if value.dtype.kind == "O"}
    tensors = {f"input:{name}": value for name, value in inputs.items() if f"input:{name}" not in text | data}
    tensors |= {f"output:{name}": np.ascontiguousarray(value) for name, value in outputs.items()}
    tensors |= {f"gradient:{name}": np.ascontiguousarray(value) for name, value in slopes.items()}
    save_file(tensors, path, {"text": json.dumps(text), **({"bytes": json.dumps(data)} if data else {})})


def check(fixture: Fixture, outputs: dict, made, out: Path) -> None:
    """Outputs are finite, are those of the model before it was saved, and those of twins agree."""
    for name, value in outputs.items():
        if not np.isfinite(value.astype(np.float64)).all():
            raise SystemExit(f"{fixture.name}: {name} is not finite")
    if made is not None:
        before = list(made.values()) if isinstance(made, dict) else tf.nest.flatten(made)
        for value in before:
            value = np.asarray(value)
            if not any(value.shape == other.shape and np.allclose(value, other, rtol=1e-4, atol=1e-5) for other in outputs.values()):
                raise SystemExit(f"{fixture.name}: saving changed the outputs")
    if fixture.equals:
        twin = load_file(THEMES.place(out, fixture.equals).with_suffix(".safetensors"))
        twin = [value for name, value in twin.items() if name.startswith("output:")]
        for value in outputs.values():
            if not any(value.shape == other.shape and np.allclose(value, other, rtol=1e-5, atol=1e-5) for other in twin):
                raise SystemExit(f"{fixture.name}: an output differs from those of {fixture.equals}")


def write(fixture: Fixture, out: Path) -> dict:
    path = THEMES.place(out, fixture.name)
    shutil.rmtree(path, ignore_errors=True)
    inputs, made = fixture.write(path)
    outputs, slopes = {}, {}
    if fixture.expect != RAISES:
        inputs, outputs, slopes = run(path, inputs)
    operators = prune(path, fixture.whole)
    check(fixture, outputs, made, out)
    write_tensors(path.with_suffix(".safetensors"), inputs, outputs, slopes if fixture.expect == EXPLAINED else {})
    return {
        "name": fixture.name, "description": fixture.description, "expect": fixture.expect, "common": fixture.common,
        **({"equals": fixture.equals} if fixture.equals and fixture.name not in OTHERWISE else {}),
        **({"numeric_inputs": fixture.numeric_inputs} if fixture.numeric_inputs else {}),
        "operators": operators,
    }


def write_gradients(fixture: Fixture, out: Path) -> None:
    """Adds the gradients to what is stored beside a model.

    They are those of the model made once more, because parts of it that only training reads are not stored.
    """
    file = THEMES.place(out, fixture.name).with_suffix(".safetensors")
    if fixture.expect != EXPLAINED:
        return
    with tempfile.TemporaryDirectory() as folder:
        inputs, _ = fixture.write(Path(folder) / fixture.name)
        inputs, outputs, slopes = run(Path(folder) / fixture.name, inputs)
    before = load_file(file)
    stored = {name: value for name, value in before.items() if not name.startswith("gradient:")}
    for name, value in outputs.items():
        if not np.allclose(value.astype(np.float64), stored[f"output:{name}"].astype(np.float64), rtol=1e-5, atol=1e-6):
            raise SystemExit(f"made once more, it is another model, because {name} differs; write it without --gradients")
    stored |= {f"gradient:{name}": np.ascontiguousarray(value) for name, value in slopes.items()}
    if not slopes and stored.keys() == before.keys():
        return
    with safe_open(file, "numpy") as opened:
        metadata = opened.metadata()
    save_file(stored, file, metadata)


def write_named(name: str, out: Path, only_gradients: bool):
    try:
        return (write_gradients if only_gradients else write)(THEMES.fixtures[name], out)
    except (Exception, SystemExit) as error:
        return f"{name}: {type(error).__name__}: {error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "tests" / "savedmodels")
    parser.add_argument("--gradients", action="store_true", help="only the gradients, for models that are there")
    parser.add_argument("names", nargs="*", help="only these fixtures")
    options = parser.parse_args()
    made, failed = [], []
    # A process each: the names in a graph depend on what the process built before.
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for entry in pool.imap(functools.partial(write_named, out=options.out, only_gradients=options.gradients), options.names or THEMES.fixtures, chunksize=1):
            if isinstance(entry, str):
                failed.append(entry)
                print(entry[:300], file=sys.stderr, flush=True)
            elif entry:
                made.append(entry)
    entries = THEMES.describe(options.out, made, not (options.names or options.gradients), {"tensorflow": tf.__version__})
    explained = sum(entry["expect"] == EXPLAINED for entry in entries)
    size = sum(file.stat().st_size for file in options.out.rglob("*") if file.is_file())
    print(f"{len(entries)} fixtures, {explained} of them to be explained, {size / 1e6:.2f} MB in {options.out}")
    if failed:
        raise SystemExit(f"{len(failed)} failed")


if __name__ == "__main__":
    main()
