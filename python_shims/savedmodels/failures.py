"""Models that end in an error, each of its own kind."""

import tensorflow as tf

from .kit import RAISES, UNSUPPORTED, module_fixture, normal


def exponential(weights):
    head = weights(6, 3)
    return lambda x: tf.abs(tf.exp(tf.complex(x, x[:, ::-1]))) @ head


def inverse(weights):
    head = weights(6, 3)
    return lambda x: tf.linalg.inv(x[:, :, None] * x[:, None, :] + tf.eye(6)) @ head


def labels(weights):
    head = weights(6, 3)
    return lambda x: tf.argmax(x @ head, 1)


def constant(weights):
    table = weights(2, 3)
    return lambda x: table * 2.0 + tf.zeros([tf.shape(x)[0], 1])


def raises(weights):
    head = weights(6, 3)

    def call(x):
        tf.debugging.assert_less(tf.shape(x)[0], 2, "one sample at a time, please")
        return x @ head

    return call


FIXTURES = [
    module_fixture("unsupported", exponential, normal(x=(2, 6)), "an exponential of complex numbers: no rule", expect=UNSUPPORTED),
    module_fixture("unsupported_inverse", inverse, normal(x=(2, 6)), "an inverse of a matrix: no rule", expect=UNSUPPORTED),
    module_fixture("integer_output", labels, normal(x=(2, 6)), "the output is an integer tensor", expect=UNSUPPORTED),
    module_fixture("constant_output", constant, normal(x=(2, 6)), "the output does not depend on the input", expect=UNSUPPORTED),
    module_fixture("raises", raises, normal(x=(2, 6)), "an assertion fails on a batch of two", expect=RAISES),
]
