"""Modules written in TensorFlow itself, without Keras: loops, branches, tables of words."""

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from .kit import Fixture


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


FIXTURES = [
    Fixture("control_flow", write_control_flow, "loops in loops, branches, a tensor array, a counter", whole=True),
    Fixture("lookup", write_lookup, "tables of words and of numbers"),
]
