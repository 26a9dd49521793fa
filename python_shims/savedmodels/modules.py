"""Modules written in TensorFlow itself, without Keras: loops, branches, tables of words."""

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from .kit import RANDOM, Fixture, module_fixture, normal


class ControlFlow(tf.Module):
    """Loops, branches, a tensor array, two inputs and two outputs, and a counter that every call moves on."""

    def __init__(self):
        super().__init__()
        random = np.random.default_rng(3)
        self.table = tf.Variable(random.normal(size=(9, 4)).astype(np.float32), name="table")
        self.kernel = tf.Variable(random.normal(size=(4, 4)).astype(np.float32), name="kernel")
        self.calls = tf.Variable(0.0, name="calls", trainable=False)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 3], tf.int32, name="ids"),
            tf.TensorSpec([None, 4], tf.float32, name="extra"),
        ]
    )
    def serve(self, ids, extra):
        self.calls.assign_add(1.0)
        x = tf.reduce_sum(tf.gather(self.table, ids), axis=1) + extra
        for step in tf.range(3):
            if step % 2 == 0:
                x = tf.tanh(tf.matmul(x, self.kernel))
            else:
                for _ in tf.range(step + 1):
                    x = x * 0.5 + 0.1
        parts = tf.TensorArray(tf.float32, size=2)
        for i in tf.range(2):
            parts = parts.write(i, tf.switch_case(i, [lambda: tf.nn.relu(x), lambda: -x]))
        stacked = tf.transpose(parts.stack(), [1, 0, 2])
        return {"stacked": stacked, "counted": tf.reduce_sum(x, axis=-1) + self.calls}


class Lookup(tf.Module):
    """Words to rows of a table, by a vocabulary file, and numbers by a table in the graph."""

    def __init__(self):
        super().__init__()
        vocabulary = Path(tempfile.mkdtemp()) / "vocabulary.txt"
        vocabulary.write_text("the\ndog\nsat\na longer word that no short string holds\n")
        self.vocabulary = tf.saved_model.Asset(str(vocabulary))
        self.words = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                self.vocabulary, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            num_oov_buckets=1,
        )
        self.scores = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.range(5, dtype=tf.int64), tf.constant([0.5, -1.0, 2.0, 0.25, -0.75])), 0.0
        )
        self.rows = tf.Variable(np.random.default_rng(4).normal(size=(5, 3)).astype(np.float32), name="rows")

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, name="text")])
    def serve(self, text):
        ids = self.words.lookup(text)
        return {"output": tf.reduce_sum(tf.gather(self.rows, ids) * self.scores.lookup(ids)[..., None], axis=1)}


def save(module: tf.Module, path: Path, inputs):
    tf.saved_model.save(module, str(path), signatures=module.serve, options=tf.saved_model.SaveOptions(save_debug_info=False))
    return inputs, None


def write_control_flow(path: Path):
    random = np.random.default_rng(5)
    inputs = {"ids": random.integers(0, 9, (2, 3)).astype(np.int32), "extra": random.normal(size=(2, 4)).astype(np.float32)}
    return save(ControlFlow(), path, inputs)


def write_lookup(path: Path):
    return save(Lookup(), path, {"text": np.array([["the", "dog", "sat"], ["a longer word that no short string holds", "zebra", "the"]])})


def chance(weights):
    """Random numbers by a kernel's own state, of a seed in a variable, and of a seed that stands in the graph."""
    state, table, head = weights(2, dtype=tf.int32, scale=20.0), weights(6, 6), weights(18, 2)

    def call(x):
        with tf.name_scope("dropped"):
            dropped = tf.nn.dropout(x, 0.5)
        with tf.name_scope("seeded"):
            seeded = x * tf.random.stateless_uniform(tf.shape(x), state)
        fixed = tf.cos(x @ tf.random.stateless_normal([6, 6], [1, 2])) @ table
        return tf.concat([dropped, seeded, fixed], 1) @ head

    return call


def generated(weights):
    """Random numbers by the state of a generator, as models of TensorFlow 2.0 to 2.4 draw them."""
    state, head = weights(3, dtype=tf.int64), weights(6, 2)

    def call(x):
        noise = tf.raw_ops.StatefulUniform(
            resource=state.handle, algorithm=tf.constant(1, tf.int64), shape=tf.shape(x), dtype=tf.float32)
        return (x * noise) @ head

    return call


def sampled(weights):
    """Classes that are drawn among many."""
    table = weights(20, 6)

    def call(x):
        classes, *_ = tf.random.log_uniform_candidate_sampler(tf.zeros([1, 1], tf.int64), 1, 4, True, 20)
        return x @ tf.transpose(tf.gather(table, classes))

    return call


def trained(weights):
    """A batch norm that takes statistics of its batch."""
    scale, shift, head = weights(3, positive=True), weights(3), weights(3, 2)

    def call(x):
        with tf.name_scope("norm"):
            y, *_ = tf.compat.v1.nn.fused_batch_norm(x, scale, shift, is_training=True)
        return tf.reduce_mean(tf.nn.relu(y), [1, 2]) @ head

    return call


def on_devices(weights):
    """Made for devices that this machine has not."""
    head = weights(3, 2)

    def call(x):
        with tf.device("/device:GPU:0"):
            y = tf.map_fn(lambda row: row * tf.constant([1.0, 2.0, 3.0]), x)
        with tf.device("/device:GPU:7"):
            return tf.cond(tf.reduce_sum(y) > 0.0, lambda: y @ head, lambda: -y @ head)

    return call


FIXTURES = [
    module_fixture("on_devices", on_devices, normal(x=(2, 3)), "constants and branches on other devices"),
    module_fixture("chance", chance, normal(x=(2, 6)), "random numbers, of three kinds", expect=RANDOM),
    module_fixture("generated", generated, normal(x=(2, 6)), "random numbers of a generator", expect=RANDOM),
    module_fixture("sampled", sampled, normal(x=(2, 6)), "classes drawn among many", expect=RANDOM),
    module_fixture("trained", trained, normal(x=(2, 3, 3, 3)), "a batch norm in training", common=False),
    Fixture("control_flow", write_control_flow, "loops in loops, branches, a tensor array, a counter", whole=True),
    Fixture("lookup", write_lookup, "tables of words and of numbers"),
]
