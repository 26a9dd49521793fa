"""What every theme uses: the description of a fixture, the ways of saving, and small helpers to build models."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import keras
import numpy as np
import tensorflow as tf
import tf_keras

EXPLAINED, UNSUPPORTED, RAISES, RANDOM = "explained", "unsupported", "raises", "random"
EXPORT, SAVE, TF_KERAS = "export", "save", "tf_keras"

# The ways of saving: by which Keras, and how.
WRITERS = {
    EXPORT: (keras, lambda model, path: model.export(str(path), format="tf_saved_model", verbose=False)),
    SAVE: (keras, lambda model, path: tf.saved_model.save(model, str(path))),
    TF_KERAS: (tf_keras, lambda model, path: model.save(str(path), save_format="tf")),
}

Arrays = dict[str, np.ndarray]


@dataclass
class Fixture:
    """One SavedModel: `write(path)` writes it and gives its inputs, and the outputs of the model before it was saved if it has them."""

    name: str
    write: Callable[[Path], tuple[Arrays, Any]]
    description: str
    expect: str = EXPLAINED
    equals: str = ""  # the fixture whose relevance this one must have
    numeric_inputs: tuple[str, ...] = ()  # inputs of integers that are numbers and no tokens
    whole: bool = False  # kept as it was saved, with what saving and training need
    common: bool = True  # False: holds operators few models have; an error that names one is an answer too


def seeded(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def spread(shape: tuple) -> float:
    """The deviation of weights: what is summed over many inputs stays of the size of one."""
    return min(0.5, float(np.prod(shape[:-1])) ** -0.5)


def randomise(model, seed: str) -> None:
    """Every weight random, variances positive, so that no part of the network is idle.

    Numbers depend on the place of the layer and of the weight in it, so that both Keras give one network the same.
    """
    for place, layer in enumerate(part for part in model.layers if part.weights):
        for number, weight in enumerate(layer.weights):
            if not tf.as_dtype(weight.dtype).is_floating:
                continue
            shape = tuple(weight.shape)
            value = seeded(f"{seed} {place} {number}").normal(scale=spread(shape), size=shape)
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)


def keras_fixture(name: str, build, inputs, description: str, writer: str = EXPORT, seed: str = "", **more) -> Fixture:
    """A Keras model: `build(keras)` makes it with either Keras, `inputs(random)` its inputs by name."""
    seed = seed or name

    def write(path: Path):
        module, save = WRITERS[writer]
        module.utils.set_random_seed(1)
        model = build(module)
        randomise(model, seed)
        values = inputs(seeded(f"{seed} inputs"))
        given = values if len(values) > 1 else next(iter(values.values()))
        save(model, path)
        # After saving: a stateful layer remembers the call. Text has to be a tensor.
        return values, model(tf.nest.map_structure(tf.constant, given))

    return Fixture(name, write, description, **more)


def every_way(name: str, build, inputs, description: str, writers=(EXPORT, SAVE, TF_KERAS), **more) -> list[Fixture]:
    """The same network in several ways of saving; all must have the relevance of the first."""
    first = f"{name}_{writers[0]}"
    return [
        keras_fixture(f"{name}_{writer}", build, inputs, description if writer == writers[0] else f"the same, by {writer}", writer,
                      seed=name, equals="" if writer == writers[0] else first, **more)
        for writer in writers
    ]


def module_fixture(name: str, call, inputs, description: str, seed: str = "", **more) -> Fixture:
    """A function of TensorFlow itself: `call(weights, **inputs)`; `weights(*shape)` gives the next random variable."""
    seed = seed or name

    def write(path: Path):
        module = tf.Module()
        module.made = []
        values = inputs(seeded(f"{seed} inputs"))

        def weights(*shape, scale=1.0, dtype=tf.float32, positive=False):
            number = len(module.made)
            value = seeded(f"{seed} {number}").normal(scale=scale * spread(shape), size=shape)
            value = np.abs(value) + 0.5 if positive else value
            module.made.append(tf.Variable(tf.cast(value, dtype), name=f"weight_{number}"))
            return module.made[-1]

        body = call(weights)
        specs = [tf.TensorSpec([None, *value.shape[1:]], tf.string if value.dtype.kind in "UO" else tf.as_dtype(value.dtype), name=key)
                 for key, value in values.items()]
        module.serve = tf.function(body, input_signature=specs, autograph=False)
        outputs = None if more.get("expect") in (RAISES, RANDOM) else module.serve(*map(tf.constant, values.values()))
        options = tf.saved_model.SaveOptions(save_debug_info=False)
        tf.saved_model.save(module, str(path), signatures=module.serve, options=options)
        return values, outputs

    return Fixture(name, write, description, **more)


def branches(keras, x, *parts, classes: int = 3):
    """Each part on the same value; results flattened, joined, classified."""
    results = [part(x) for part in parts]
    flat = [keras.layers.Flatten()(result) for result in results]
    joined = keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    return keras.layers.Dense(classes)(joined)


def layers_on(shape: tuple, parts):
    """A model of `branches` over an input "x" of the shape; `parts(layers)` gives them."""

    def build(keras):
        x = keras.Input(shape, name="x")
        return keras.Model(x, branches(keras, x, *parts(keras.layers)))

    return build


def normal(**shapes):
    """Inputs of normally distributed numbers, by name."""
    return lambda random: {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
