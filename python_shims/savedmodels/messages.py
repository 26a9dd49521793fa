"""What is read inside the model: encoded pictures and serialised examples; and what detectors and losses do behind."""

import numpy as np
import tensorflow as tf

from .kit import EXPORT, Fixture, keras_fixture, module_fixture, normal, seeded


def example(**features) -> bytes:
    kinds = {"f": lambda v: tf.train.Feature(float_list=tf.train.FloatList(value=v)),
             "i": lambda v: tf.train.Feature(int64_list=tf.train.Int64List(value=v)),
             "U": lambda v: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode() for text in v]))}
    made = {name: kinds[np.asarray(values).dtype.kind](values) for name, values in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString(deterministic=True)


def passengers(random):
    return {"examples": np.array([
        example(age=[0.6], fare=[0.3, 0.2], town=["Rome"], ids=[3, 1]),
        example(age=[-0.4], town=["Oslo"], ids=[2]),
    ], object)}


def parsed(weights):
    """Numbers, a default, a word, and ids of any number."""
    table, words, head = weights(5, 3), weights(6, 2), weights(8, 2)

    def call(examples):
        features = tf.io.parse_example(examples, {
            "age": tf.io.FixedLenFeature([1], tf.float32), "fare": tf.io.FixedLenFeature([2], tf.float32, default_value=[0.5, 1.5]),
            "town": tf.io.FixedLenFeature([], tf.string), "ids": tf.io.VarLenFeature(tf.int64),
        })
        dense = tf.sparse.to_dense(features["ids"])
        ids = tf.gather(table, dense) * tf.cast(dense > 0, tf.float32)[..., None]
        town = tf.gather(words, tf.strings.to_hash_bucket_fast(features["town"], 6))
        return tf.concat([features["age"], features["fare"], tf.reduce_sum(ids, 1), town], 1) @ head

    return call


def journeys(random):
    def steps(values):
        return tf.train.FeatureList(feature=[tf.train.Feature(float_list=tf.train.FloatList(value=value)) for value in values])

    def journey(length, places, stops):
        context = tf.train.Features(feature={"length": tf.train.Feature(float_list=tf.train.FloatList(value=[length]))})
        lists = tf.train.FeatureLists(feature_list={"place": steps(places), "stops": steps(stops)})
        return tf.train.SequenceExample(context=context, feature_lists=lists).SerializeToString(deterministic=True)

    return {"journeys": np.array([
        journey(2.0, [[1.0, 2.0], [0.5, 3.0]], [[1.0], [2.0, 4.0]]),
        journey(1.0, [[2.0, 1.0]], [[3.0]]),
    ], object)}


def sequences(weights):
    """2 · length + Σ (place₀ + 10 · place₁) + Σ stops"""

    def call(journeys):
        whole, steps, _ = tf.io.parse_sequence_example(
            journeys, {"length": tf.io.FixedLenFeature([], tf.float32)},
            {"place": tf.io.FixedLenSequenceFeature([2], tf.float32), "stops": tf.io.RaggedFeature(tf.float32)})
        places = tf.reduce_sum(steps["place"] * tf.constant([1.0, 10.0]), [1, 2])
        return 2.0 * whole["length"] + places + tf.reduce_sum(steps["stops"], [1, 2])

    return call


def prices(weights):
    """3 · the number that a text is."""

    def call(price):
        return 3.0 * tf.strings.to_number(tf.strings.strip(price))

    return call


def picture(random, shape=(6, 5, 3)) -> bytes:
    return tf.io.encode_png(random.integers(0, 256, shape).astype(np.uint8)).numpy()


def encoded(weights):
    """Pictures one by one, then all of one size."""
    kernel, head = weights(3, 3, 3, 4), weights(4, 3)

    def read(data):
        return tf.image.resize(tf.cast(tf.io.decode_png(data, channels=3), tf.float32) / 255.0, [6, 6])

    def call(image_bytes):
        images = tf.map_fn(read, image_bytes, fn_output_signature=tf.TensorSpec([6, 6, 3], tf.float32))
        return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(images, kernel, 1, "SAME")), [1, 2]) @ head

    return call


def detector(weights):
    """Anchors of a small picture: a box and the scores of three classes each, the best of which are returned."""
    kernel, sides, scores, centres = weights(3, 3, 3, 8), weights(8, 4, scale=0.5), weights(8, 3), tf.constant(
        [[y - 0.2, x - 0.2, y + 0.2, x + 0.2] for y in (0.25, 0.5, 0.75) for x in (0.25, 0.5, 0.75)])

    def call(image):
        cells = tf.reshape(tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "SAME")), [-1, 9, 8])
        boxes = tf.tensordot(cells, sides, 1) * 0.05 + centres
        found = tf.image.combined_non_max_suppression(boxes[:, :, None], tf.sigmoid(tf.tensordot(cells, scores, 1)), 3, 5, 0.3, 0.2)
        return {"boxes": found.nmsed_boxes, "classes": found.nmsed_classes, "scores": found.nmsed_scores, "valid": found.valid_detections}

    return call


def picked(weights):
    """The best boxes by their places, and what they are of."""
    sides, scores = weights(6, 4), weights(6, 1)

    def call(x):
        cells = x[0]
        chance = tf.sigmoid(cells @ scores)[:, 0]
        boxes = tf.constant([[0.3 * k, 0.1 * k, 0.3 * k + 0.5, 0.1 * k + 0.4] for k in range(7)]) + 0.01 * (cells @ sides)
        index = tf.image.non_max_suppression(boxes, chance, 3, 0.3)
        soft, values = tf.image.non_max_suppression_with_scores(boxes, chance, 3, 0.3)
        return tf.concat([tf.gather(boxes, index), tf.gather(chance, index)[:, None], values[:, None]], 1)[None]

    return call


def picked_in_every_way(weights):
    """The scores of boxes that each form of the operator picks."""
    boxes = tf.constant([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.05, 1.0], [0.0, 2.0, 1.0, 3.0], [5.0, 5.0, 6.0, 6.0]])
    overlaps = tf.constant([[1.0, 0.9, 0.0, 0.0], [0.9, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])

    def call(scores):
        given = scores[0]
        common = dict(scores=given, max_output_size=3, iou_threshold=0.5)
        picks = [
            tf.raw_ops.NonMaxSuppression(boxes=boxes, scores=given, max_output_size=3, iou_threshold=0.5),
            tf.raw_ops.NonMaxSuppressionV2(boxes=boxes, **common),
            tf.raw_ops.NonMaxSuppressionV4(boxes=boxes, score_threshold=0.0, **common).selected_indices,
            tf.raw_ops.NonMaxSuppressionWithOverlaps(
                overlaps=overlaps, scores=given, max_output_size=3, overlap_threshold=0.5, score_threshold=0.0),
        ]
        return tf.reduce_sum(tf.stack([tf.gather(given, pick) for pick in picks]), [0, 1])[None]

    return call


def scored(weights):
    """Losses as scores, and rare functions."""
    wide, labels, centre = weights(6, 4), tf.constant([[0.1, 0.2, 0.3, 0.4]]), weights(6)

    def call(x):
        logits = x @ wide
        sides = tf.stack([x[:, 0], x[:, 1]], 1)
        return tf.stack([
            tf.nn.softmax_cross_entropy_with_logits(tf.repeat(labels, tf.shape(x)[0], 0), logits),
            tf.nn.sparse_softmax_cross_entropy_with_logits(tf.fill([tf.shape(x)[0]], 2), logits),
            tf.map_fn(lambda row: tf.nn.l2_loss(row - centre), x),
            tf.atan2(sides[:, 0], 2.0 + sides[:, 1]),
            tf.reduce_sum(tf.quantization.fake_quant_with_min_max_args(logits, -2.0, 2.0), 1),
            tf.reduce_sum(tf.nn.local_response_normalization(x[:, None, None])[:, 0, 0], 1),
            tf.math.reduce_euclidean_norm(x, 1),
        ], 1)

    return call


def cropped(weights):
    kernel, head = weights(3, 3, 2, 3), weights(3, 2)

    def call(x):
        boxes, owners = tf.constant([[0.0, 0.1, 0.7, 0.9], [0.2, -0.2, 1.0, 0.5]]), tf.constant([0, 0])
        crops = tf.image.crop_and_resize(x, boxes, owners, [4, 3])
        return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(crops, kernel, 1, "SAME")), [1, 2]) @ head

    return call


def crossings(keras):
    """Two categories and the category of both."""
    layers = keras.layers
    word, code = keras.Input((1,), dtype="string", name="word"), keras.Input((1,), dtype="int64", name="code")
    crossed = layers.HashedCrossing(num_bins=7)((word, code))
    return keras.Model([word, code], layers.Dense(2)(layers.Flatten()(layers.Embedding(7, 3)(crossed))))


def sparse_rows(weights):
    wide, bias = weights(9, 4), weights(4)

    def call(x):
        table = tf.sparse.from_dense(tf.nn.relu(x))
        return tf.tanh(tf.sparse.sparse_dense_matmul(table, wide) + bias)

    return call


def quantities_and_categories(weights):
    """An integer that is a number, and a text that is compared, beside a number."""
    def call(age, income, color):
        return tf.concat([tf.cast(age, tf.float32) * 0.5, income], 1) @ [[1.0], [1.0]] + 5.0 * tf.cast(color == "blue", tf.float32)

    return call


FIXTURES = [
    module_fixture("quantities_and_categories", quantities_and_categories, lambda random: {
        "age": np.array([[30], [40]], np.int64), "income": np.array([[2.5], [1.0]], np.float32), "color": np.array([["blue"], ["red"]])},
                   "integers that are numbers, and texts that are compared"),
    module_fixture("examples_parsed", parsed, passengers, "serialised examples, parsed in the graph"),
    module_fixture("sequences", sequences, journeys, "serialised examples of sequences, parsed in the graph"),
    module_fixture("prices", prices, lambda random: {"price": np.array([["2.5 "], ["-4"]])}, "texts that are numbers"),
    module_fixture("pictures_encoded", encoded, lambda random: {"image_bytes": np.array([picture(random), picture(random)], object)},
                   "PNG files, decoded in the graph one by one"),
    module_fixture("detector", detector, normal(image=(1, 6, 6, 3)), "a detector that returns the best boxes"),
    module_fixture("boxes_picked", picked, normal(x=(1, 7, 6)), "boxes picked by their places"),
    module_fixture("boxes_picked_in_every_way", picked_in_every_way, lambda random: {"scores": np.array([[0.9, 0.8, 0.7, 0.3]], np.float32)},
                   "boxes picked by each form of the operator"),
    module_fixture("scored", scored, normal(x=(3, 6)), "losses as scores"),
    module_fixture("crops", cropped, normal(x=(1, 6, 7, 2)), "crops of pictures"),
    keras_fixture("crossings", crossings, lambda random: {"word": np.array([["sun"], ["moon"]]), "code": np.array([[3], [5]], np.int64)},
                  "hashed crossings", EXPORT),
    module_fixture("sparse_rows", sparse_rows, normal(x=(3, 9)), "a sparse table times a matrix"),
]
