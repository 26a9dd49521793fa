"""Inputs of tokens, categories and text."""

import numpy as np
import tensorflow as tf

from .kit import EXPORT, TF_KERAS, every_way, keras_fixture, module_fixture

BOTH = (EXPORT, TF_KERAS)
WORDS = ["the", "dog", "cat", "sat", "ran"]
IDS = np.array([[3, 7, 1, 0, 0], [5, 2, 8, 4, 6]], np.int32)

NAMES = np.array([[3, 7, 1], [12, 0, 12]], np.int32)


def ids(random):
    return {"tokens": IDS}


def embedding(mask: bool):
    def build(keras):
        layers = keras.layers
        tokens = keras.Input((5,), dtype="int32", name="tokens")
        x = layers.Embedding(9, 4, mask_zero=mask)(tokens)
        x = layers.Dense(4, activation="relu")(x)
        return keras.Model(tokens, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))

    return build


def positions(keras):
    """Tokens and their places."""
    layers = keras.layers
    tokens, places = keras.Input((5,), dtype="int32", name="tokens"), keras.Input((5,), dtype="int64", name="places")
    x = layers.Add()([layers.Embedding(9, 4)(tokens), layers.Embedding(5, 4)(places)])
    return keras.Model([tokens, places], layers.Dense(2)(layers.Flatten()(layers.LayerNormalization(epsilon=1e-5)(x))))


def text(keras):
    """Sentences, cut into words inside the model."""
    layers = keras.layers
    text = keras.Input((1,), dtype="string", name="text")
    words = layers.TextVectorization(vocabulary=WORDS, output_mode="int", output_sequence_length=5)(text)
    x = layers.Embedding(len(WORDS) + 2, 4)(words)
    return keras.Model(text, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))


def lookups(keras):
    """Words and numbers to indices, then to rows."""
    layers = keras.layers
    word, code = keras.Input((3,), dtype="string", name="word"), keras.Input((2,), dtype="int64", name="code")
    first = layers.Embedding(8, 3)(layers.StringLookup(vocabulary=WORDS, num_oov_indices=2)(word))
    second = layers.Embedding(5, 3)(layers.IntegerLookup(vocabulary=[10, 20, 30, 40])(code))
    return keras.Model([word, code], layers.Dense(2)(layers.Flatten()(layers.Concatenate(axis=1)([first, second]))))


def categories(keras):
    """Categories as rows of ones, numbers as bins."""
    layers = keras.layers
    kind, number = keras.Input((3,), dtype="int64", name="kind"), keras.Input((2,), name="number")
    word = keras.Input((2,), dtype="string", name="word")
    parts = [
        layers.CategoryEncoding(6, output_mode="multi_hot")(kind), layers.CategoryEncoding(6, output_mode="count")(kind),
        layers.StringLookup(vocabulary=WORDS, output_mode="multi_hot")(word), layers.Hashing(4, output_mode="one_hot")(word[:, :1]),
        layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.5], output_mode="multi_hot")(number),
    ]
    return keras.Model([kind, number, word], layers.Dense(2)(layers.Concatenate()([*parts, number])))


def table(keras):
    """A table of numbers and categories: the usual network of measurements."""
    layers = keras.layers
    numbers, place = keras.Input((4,), name="numbers"), keras.Input((1,), dtype="string", name="place")
    scaled = layers.Normalization(mean=[1.0, 2.0, 0.5, 0.0], variance=[1.0, 4.0, 0.25, 2.0])(numbers)
    row = layers.Flatten()(layers.Embedding(6, 3)(layers.StringLookup(vocabulary=WORDS)(place)))
    x = layers.Dense(6, activation="relu")(layers.Concatenate()([scaled, row]))
    return keras.Model({"numbers": numbers, "place": place}, {"risk": layers.Dense(1, activation="sigmoid")(x), "hidden": x})


def named(computed: bool):
    """Rows of one table by arithmetic on the tokens, or the same rows of a table for each column and of hashed ones."""

    def call(weights):
        table, head = weights(60, 4), weights(4, 2)
        every, offsets = np.arange(20), np.array([0, 20, 40])

        def body(ids):
            if computed:
                rows = [tf.gather(table, ids + offsets), tf.gather(table, (ids * 31 + 7) % 60), tf.gather(table, tf.bitwise.bitwise_xor(ids // 2, 5))]
            else:
                columns = [tf.gather(table[20 * i:20 * i + 20], ids[:, i]) for i in range(3)]
                tables = tf.gather(table, (every * 31 + 7) % 60), tf.gather(table, (every // 2) ^ 5)
                rows = [tf.stack(columns, 1), *(tf.gather(hashed, ids) for hashed in tables)]
            return {"output": tf.reduce_mean(tf.nn.relu(tf.concat(rows, 1)), 1) @ head}

        return body

    return call


def counted(weights):
    """Tokens by rows of ones and by their counts, of a kind of their own each."""
    table, head = weights(20, 4), weights(8, 2)

    def body(ids):
        rows = tf.reduce_mean(tf.nn.relu(tf.one_hot(ids, 20) @ table), 1)
        columns = tf.transpose(tf.one_hot(ids, 20, axis=1), [0, 2, 1])
        bags = tf.math.bincount(ids, minlength=20, maxlength=20, axis=-1, dtype=tf.float32) @ table
        return {"output": tf.concat([rows + tf.reduce_mean(columns @ table, 1), bags], -1) @ head}

    return body


def looked_up(weights):
    """The same by rows of tables."""
    table, head = weights(20, 4), weights(8, 2)

    def body(ids):
        found = tf.gather(table, ids)
        parts = tf.reduce_mean(tf.nn.relu(found), 1) + tf.reduce_mean(found, 1), tf.reduce_sum(found, 1)
        return {"output": tf.concat(parts, -1) @ head}

    return body


def bags(how: str):
    """Means of rows, 0 being no token: written out, or of sparse tables, which look up each token once."""

    def call(weights):
        table, head = weights(20, 4), weights(4, 2)

        def body(ids):
            if how == "dense":
                present = tf.cast(tf.not_equal(ids, 0), tf.float32)[..., tf.newaxis]
                bag = tf.reduce_sum(tf.gather(table, ids) * present, 1) / tf.reduce_sum(present, 1)
            elif how == "sparse":
                bag = tf.nn.embedding_lookup_sparse(table, tf.sparse.from_dense(ids), None, combiner="mean")
            else:
                bag = tf.nn.safe_embedding_lookup_sparse(table, tf.sparse.from_dense(ids), combiner="mean")
            return {"output": tf.nn.relu(bag) @ head}

        return body

    return call


def pooled(form: str):
    """The mean over the rows of each graph, the counts that divide written in different ways."""

    def build(weights):
        before, after = weights(3, 4), weights(4, 2)

        def serve(x, graph):
            graph = tf.reshape(graph, [-1])
            y = tf.nn.relu(x @ before)
            total = tf.math.unsorted_segment_sum(y, graph, 2)
            spread = tf.one_hot(graph, 2)
            count = {
                "added": lambda: tf.maximum(tf.math.unsorted_segment_sum(tf.ones_like(graph, tf.float32), graph, 2), 1.0),
                "counted": lambda: tf.cast(tf.math.bincount(graph, minlength=2), tf.float32),
                "spread": lambda: tf.reduce_sum(spread, 0),
                "unique": lambda: tf.cast(tf.unique_with_counts(graph).count, tf.float32),
                "multiplied": lambda: tf.reduce_sum(spread, 0),
            }
            if form == "averaged":
                return tf.math.unsorted_segment_mean(y, graph, 2) @ after
            if form == "multiplied":
                return (tf.matmul(spread, y, transpose_a=True) * tf.math.reciprocal(count[form]())[:, None]) @ after
            return (total / count[form]()[:, None]) @ after

        return serve

    return build


def graphs(random):
    return {"x": random.normal(size=(5, 3)).astype(np.float32), "graph": np.array([[0, 0, 1, 1, 1]])}


def pairs(weights):
    """Rows of pairs of words, joined and hashed."""
    table, head = weights(20, 4), weights(4, 2)

    def body(words):
        pair = tf.strings.to_hash_bucket_fast(tf.strings.join([words[:, 0], words[:, 1]], "_x_"), 20)
        return {"output": tf.nn.relu(tf.gather(table, pair)) @ head}

    return body


def applicants(keras):
    """An input for each column of a table, as tables of people come."""
    layers = keras.layers
    age, rate = keras.Input((1,), name="age"), keras.Input((), name="rate")
    job, children = keras.Input((1,), dtype="string", name="job"), keras.Input((1,), dtype="int64", name="children")
    parts = [
        layers.Normalization(mean=40.0, variance=100.0)(age), layers.Reshape((1,))(rate), layers.StringLookup(vocabulary=WORDS, output_mode="one_hot")(job),
        layers.CategoryEncoding(5, output_mode="one_hot")(children),
    ]
    x = layers.Dense(6, activation="relu")(layers.Concatenate()(parts))
    return keras.Model([age, rate, job, children], layers.Dense(1, activation="sigmoid")(x))


def picture(keras):
    """Bytes of a picture, scaled inside."""
    layers = keras.layers
    image = keras.Input((6, 6, 3), dtype="uint8", name="image")
    x = layers.Conv2D(3, 3, activation="relu")(layers.Rescaling(1 / 255.0)(image))
    return keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


SENTENCES = {"text": np.array([["The dog sat!"], ["a cat, the DOG ran off"]])}
WORD_PAIRS = np.array([["dog", "zebra"], ["the", "cat"]])
CODES = {"word": np.array([["dog", "zebra", "sat"], ["the", "the", "ran"]]), "code": np.array([[10, 99], [40, 20]])}


def category_inputs(random):
    return {"kind": np.array([[1, 5, 1], [0, 2, 3]]), "number": random.normal(size=(2, 2)).astype(np.float32),
            "word": np.array([["dog", "zebra"], ["the", "cat"]])}


def table_inputs(random):
    return {"numbers": random.normal(size=(2, 4)).astype(np.float32), "place": np.array([["cat"], ["nowhere"]])}


def applicant_inputs(random):
    return {"age": np.array([[31.5], [52.0]], np.float32), "rate": np.array([0.3, 1.5], np.float32), "job": np.array([["cat"], ["nowhere"]]),
            "children": np.array([[2], [0]])}


def picture_inputs(random):
    return {"image": random.integers(0, 256, (2, 6, 6, 3)).astype(np.uint8)}


FIXTURES = [
    *every_way("embedding", embedding(False), ids, "Embedding", BOTH),
    *every_way("embedding_mask", embedding(True), ids, "Embedding that masks zeros", BOTH),
    keras_fixture("embedding_places", positions, lambda random: {"tokens": IDS, "places": np.tile(np.arange(5), (2, 1))}, "tokens and places"),
    *every_way("text", text, lambda random: SENTENCES, "TextVectorization", BOTH),
    *every_way("string_lookup", lookups, lambda random: CODES, "StringLookup and IntegerLookup", BOTH),
    *every_way("categories", categories, category_inputs, "CategoryEncoding, Hashing, Discretization", BOTH),
    *every_way("table", table, table_inputs, "numbers and a category, inputs and outputs by name", BOTH),
    module_fixture("token_tables", named(False), lambda random: {"ids": NAMES}, "a table for each column, and hashed ones", seed="names"),
    module_fixture("token_arithmetic", named(True), lambda random: {"ids": NAMES}, "the same rows of one table, by arithmetic", seed="names", equals="token_tables"),
    module_fixture("token_rows", looked_up, lambda random: {"ids": NAMES}, "rows of a table, and their sum", seed="ones"),
    module_fixture("token_counts", counted, lambda random: {"ids": NAMES}, "the same by ones and counts", seed="ones", equals="token_rows"),
    module_fixture("bags_dense", bags("dense"), lambda random: {"ids": IDS.astype(np.int64)}, "means of rows", seed="bags"),
    module_fixture("bags_sparse", bags("sparse"), lambda random: {"ids": IDS.astype(np.int64)}, "the same of a sparse table", seed="bags", equals="bags_dense"),
    module_fixture("bags_sparse_safe", bags("safe"), lambda random: {"ids": IDS.astype(np.int64)}, "the same, rows without tokens filled", seed="bags", equals="bags_dense"),
    module_fixture("words_joined", pairs, lambda random: {"words": WORD_PAIRS}, "pairs of words, hashed"),
    *(module_fixture(f"pooled_{form}", pooled(form), graphs, f"means over graphs: {form}", seed="pooled", equals="" if form == "added" else "pooled_added")
      for form in ("added", "counted", "spread", "unique", "multiplied", "averaged")),
    *every_way("applicants", applicants, applicant_inputs, "an input for each column", BOTH),
    keras_fixture("picture", picture, picture_inputs, "bytes of a picture, scaled inside", numeric_inputs=("image",)),
]
