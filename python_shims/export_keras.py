"""Exports a Keras model file to a SavedModel and checks that it computes the same at two batch sizes.

    python python_shims/export_keras.py MODEL.keras OUT_DIR

OUT_DIR must be new. The inputs keep the names of the model's input layers.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

SEED = 7
EXTENT = 16  # of axes that the model leaves open
TOLERANCE = 1e-5  # of the largest output
BATCHES = (1, 3)


def sample(spec: keras.KerasTensor, batch: int, noise: np.random.Generator) -> np.ndarray:
    """Random numbers; tokens 0 and 1 for integer inputs, which every vocabulary has."""
    shape = [batch, *(EXTENT if extent is None else extent for extent in spec.shape[1:])]
    dtype = tf.as_dtype(spec.dtype)
    if dtype.is_integer or dtype.is_bool:
        return noise.integers(0, 2, shape).astype(dtype.as_numpy_dtype)
    return noise.standard_normal(shape).astype(dtype.as_numpy_dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    if options.out.exists():
        raise SystemExit(f"{options.out} is there already")
    model = keras.saving.load_model(options.model, compile=False)
    model.export(str(options.out), verbose=False)

    signature = tf.saved_model.load(str(options.out)).signatures["serving_default"]
    noise = np.random.default_rng(SEED)
    for batch in BATCHES:
        inputs = [sample(spec, batch, noise) for spec in model.inputs]
        expected = [np.asarray(part) for part in tf.nest.flatten(model(inputs if len(inputs) > 1 else inputs[0], training=False))]
        names = [spec.name for spec in model.inputs]
        found = [np.asarray(part) for part in tf.nest.flatten(signature(**dict(zip(names, map(tf.constant, inputs), strict=True))))]
        for got, want in zip(found, expected, strict=True):
            gap = np.abs(got - want).max() / max(np.abs(want).max(), 1e-30)
            if got.shape != want.shape or not gap <= TOLERANCE:
                raise SystemExit(f"in a batch of {batch} the SavedModel is off by {gap:.1e}")
    print(f"{options.out}: inputs {', '.join(names)}; equal to the original in batches of {' and '.join(map(str, BATCHES))}")


if __name__ == "__main__":
    main()
