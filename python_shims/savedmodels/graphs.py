"""A graph of TensorFlow 1: reference variables, cond and while as single nodes, a tensor array."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from .kit import Fixture

v1 = tf.compat.v1


def build(resource: bool):
    random = np.random.default_rng(6)
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    kernel = v1.get_variable("kernel", initializer=random.normal(size=(4, 4)).astype(np.float32), use_resource=resource)
    bias = v1.get_variable("bias", initializer=random.normal(size=4).astype(np.float32), use_resource=resource)
    seen = v1.get_variable("seen", initializer=np.float32(0), use_resource=resource, trainable=False)
    with tf.control_dependencies([v1.assign_add(seen, 1.0)]):
        y = tf.nn.relu(tf.matmul(x, kernel) + bias)
    # Branches that hold a loop, and a loop that holds a branch.
    y = v1.cond(
        tf.reduce_sum(y) > 1e9,
        lambda: tf.while_loop(lambda i, v: i < 2, lambda i, v: (i + 1, v * 2), (0, y))[1],
        lambda: y + 0.5,
    )

    def body(i, value, parts):
        value = tf.tanh(tf.matmul(value, kernel))
        value = v1.cond(tf.equal(i % 2, 0), lambda: value * 0.5, lambda: value + bias)
        _, value = tf.while_loop(lambda j, v: j < i, lambda j, v: (j + 1, v * 1.25), (0, value))
        return i + 1, value, parts.write(i, value)

    parts = tf.TensorArray(tf.float32, size=3)
    _, last, parts = tf.while_loop(lambda i, v, p: i < 3, body, (0, y, parts))
    return x, tf.identity(last, name="last"), tf.reduce_sum(parts.stack(), axis=0, name="total")


def write(path: Path, resource: bool):
    """Writes the model; returns its input and its outputs."""
    v1.disable_control_flow_v2()
    with tf.Graph().as_default(), v1.Session() as session:
        x, last, total = build(resource)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(path), {"x": x}, {"last": last, "total": total})
        value = np.random.default_rng(7).normal(size=(2, 4)).astype(np.float32)
        outputs = session.run({"last": last, "total": total}, {x: value})
    v1.enable_control_flow_v2()
    return {"x": value}, outputs


FIXTURES = [
    Fixture("graph_reference", lambda path: write(path, resource=False), "TensorFlow 1: reference variables, cond, while, a tensor array", whole=True),
    Fixture("graph_resource", lambda path: write(path, resource=True), "the same with resource variables", equals="graph_reference", whole=True),
]
