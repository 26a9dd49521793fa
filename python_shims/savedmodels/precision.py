"""Half, bfloat16, double, and mixtures."""

import numpy as np
import tensorflow as tf

from .kit import keras_fixture, module_fixture, normal


def network(policy: str):
    """Convolution, norm, pooling, classifier, in a policy of Keras; the last layer gives single precision."""

    def build(keras):
        layers = keras.layers
        x = keras.Input((6, 6, 2), name="x")
        y = layers.Conv2D(4, 3, activation="relu", dtype=policy)(x)
        y = layers.BatchNormalization(dtype=policy)(y)
        y = layers.MaxPooling2D(dtype=policy)(y)
        y = layers.Flatten(dtype=policy)(y)
        return keras.Model(x, layers.Dense(3, activation="softmax", dtype="float32")(y))

    return build


def perceptron(dtype):
    def build(weights):
        first, bias, second = weights(6, 8, dtype=dtype), weights(8, dtype=dtype), weights(8, 3, dtype=dtype)
        return lambda x: tf.nn.relu(x @ first + bias) @ second

    return build


def rows(dtype):
    return lambda random: {"x": random.normal(size=(3, 6)).astype(dtype)}


FIXTURES = [
    keras_fixture("mixed_float16", network("mixed_float16"), normal(x=(2, 6, 6, 2)), "variables in single, computation in half precision"),
    keras_fixture("mixed_bfloat16", network("mixed_bfloat16"), normal(x=(2, 6, 6, 2)), "variables in single precision, computation in bfloat16"),
    keras_fixture("float64", network("float64"), normal(x=(2, 6, 6, 2)), "double precision inside"),
    module_fixture("mlp_f16", perceptron(tf.float16), rows(np.float16), "half precision"),
    module_fixture("mlp_bf16", perceptron(tf.bfloat16), rows(tf.bfloat16.as_numpy_dtype), "bfloat16"),
    module_fixture("mlp_f64", perceptron(tf.float64), rows(np.float64), "double precision"),
]
