"""Writes the SavedModel fixtures of the tests: NAME/ and NAME.safetensors.

    python python_shims/make_savedmodels.py [--out tests/savedmodels] [NAME…]

Needs Python 3.11, tensorflow-cpu 2.21.0, tf_keras and safetensors. NAME.safetensors holds the inputs as `input:NAME`
and Python's own outputs as `output:NAME`, by their names in the signature; inputs of text are in its metadata, as JSON.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402
from tensorflow.core.protobuf import saved_model_pb2  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent))

from savedmodels import graphs, modules  # noqa: E402
from savedmodels.networks import NETWORKS, randomise  # noqa: E402

WRITERS = {
    "export": (keras, lambda model, path: model.export(str(path), format="tf_saved_model", verbose=False)),
    "save": (keras, lambda model, path: tf.saved_model.save(model, str(path))),
    "tf_keras": (tf_keras, lambda model, path: model.save(str(path), save_format="tf")),
}


def loaded_outputs(path: Path, inputs: dict) -> dict:
    """What TensorFlow computes with the saved model's signature."""
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    return {name: value.numpy() for name, value in serve(**{k: tf.constant(v) for k, v in inputs.items()}).items()}


def write_network(path: Path, network: str, writer: str):
    keras_module, write = WRITERS[writer]
    build, make_input = NETWORKS[network]
    keras_module.backend.clear_session()
    random = np.random.default_rng(1)
    model = build(keras_module)
    randomise(model, random)
    value = make_input(random)
    write(model, path)
    (name,) = tf.saved_model.load(str(path)).signatures["serving_default"].structured_input_signature[1]
    inputs = {name: value}
    outputs = loaded_outputs(path, inputs)
    (output,) = outputs.values()
    np.testing.assert_allclose(output, model(value).numpy(), atol=1e-6)
    return inputs, outputs


def write_module(write):
    def run(path: Path):
        inputs = write(path)
        return inputs, loaded_outputs(path, inputs)

    return run


FIXTURES = {
    f"{network}_{writer}": lambda path, network=network, writer=writer: write_network(path, network, writer)
    for network in NETWORKS
    for writer in WRITERS
} | {
    "control_flow": write_module(modules.write_control_flow),
    "lookup": write_module(modules.write_lookup),
    "graph_reference": lambda path: graphs.write(path, resource=False),
    "graph_resource": lambda path: graphs.write(path, resource=True),
}


def called(nodes) -> set:
    """The functions that nodes call."""
    values = [value for node in nodes for value in node.attr.values()]
    return {f.name for value in values for f in [value.func, *value.list.func] if f.name}


def prune(path: Path) -> None:
    """Leaves out the functions that the graph does not lead to. Recurrent layers of tf_keras have hundreds of them, for training."""
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in model.meta_graphs:
        library = {function.signature.name: function for function in graph.graph_def.library.function}
        kept, found = {}, called(graph.graph_def.node)
        while found - kept.keys():
            name = (found - kept.keys()).pop()
            kept[name] = library[name]
            found |= called(library[name].node_def)
        for name in library.keys() - kept.keys():
            graph.object_graph_def.concrete_functions.pop(name, None)
        del graph.graph_def.library.function[:], graph.graph_def.library.gradient[:]
        graph.graph_def.library.function.extend(kept[name] for name in sorted(kept))
    path.write_bytes(model.SerializeToString(deterministic=True))


def write_tensors(path: Path, inputs: dict, outputs: dict) -> None:
    text = {f"input:{name}": value.tolist() for name, value in inputs.items() if value.dtype.kind in "US"}
    tensors = {f"input:{name}": value for name, value in inputs.items() if f"input:{name}" not in text}
    tensors |= {f"output:{name}": np.ascontiguousarray(value) for name, value in outputs.items()}
    save_file(tensors, path, {"text": json.dumps(text)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("tests/savedmodels"))
    parser.add_argument("names", nargs="*", default=list(FIXTURES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        path = arguments.out / name
        shutil.rmtree(path, ignore_errors=True)
        inputs, outputs = FIXTURES[name](path)
        # What no loader of the graph reads: Keras' own description of the model.
        (path / "keras_metadata.pb").unlink(missing_ok=True)
        prune(path / "saved_model.pb")
        write_tensors(path.with_suffix(".safetensors"), inputs, outputs)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        print(f"{name}: {size // 1024} kB")


if __name__ == "__main__":
    main()
