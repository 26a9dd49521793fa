"""Attention layers."""

import numpy as np

from .kit import EXPORT, TF_KERAS, every_way, keras_fixture, normal

BOTH = (EXPORT, TF_KERAS)
QUERY, VALUE = (4, 6), (5, 6)


def multi_head(**call):
    """Self-attention."""

    def build(keras):
        layers = keras.layers
        x = keras.Input(QUERY, name="x")
        y = layers.MultiHeadAttention(num_heads=2, key_dim=3)(x, x, **call)
        return keras.Model(x, layers.Dense(2)(layers.Flatten()(y)))

    return build


def cross(keras):
    """Keys and values of another sequence, weights as an output."""
    layers = keras.layers
    query, value = keras.Input(QUERY, name="query"), keras.Input(VALUE, name="value")
    y, scores = layers.MultiHeadAttention(num_heads=2, key_dim=3, value_dim=2, use_bias=False)(query, value, return_attention_scores=True)
    return keras.Model([query, value], {"classes": layers.Dense(2)(layers.Flatten()(y)), "scores": scores})


def masked(keras):
    """The mask is an input of truth values."""
    layers = keras.layers
    x, mask = keras.Input(QUERY, name="x"), keras.Input((4, 4), dtype="bool", name="mask")
    y = layers.MultiHeadAttention(num_heads=2, key_dim=3)(x, x, attention_mask=mask)
    return keras.Model([x, mask], layers.Dense(2)(layers.Flatten()(y)))


def from_tokens(keras):
    """The mask is that of the embedding."""
    layers = keras.layers
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = layers.Embedding(9, 6, mask_zero=True)(tokens)
    y = layers.MultiHeadAttention(num_heads=2, key_dim=3)(x, x)
    return keras.Model(tokens, layers.Dense(2)(layers.GlobalAveragePooling1D()(y)))


def simple(layer: str, **options):
    """Attention without projections."""

    def build(keras):
        layers = keras.layers
        query, value = keras.Input(QUERY, name="query"), keras.Input(VALUE, name="value")
        y = getattr(layers, layer)(**options)([query, value])
        return keras.Model([query, value], layers.Dense(2)(layers.Flatten()(y)))

    return build


def grouped(keras):
    layers = keras.layers
    x = keras.Input(QUERY, name="x")
    y = layers.GroupQueryAttention(head_dim=3, num_query_heads=4, num_key_value_heads=2)(x, x)
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(y)))


def masked_inputs(random):
    mask = np.tril(np.ones((4, 4), bool))
    return {"x": random.normal(size=(2, *QUERY)).astype(np.float32), "mask": np.stack([mask, ~mask | np.eye(4, dtype=bool)])}


def tokens(random):
    return {"tokens": np.array([[3, 1, 8, 4, 0], [2, 7, 0, 0, 0]], np.int32)}


ONE, TWO = normal(x=(2, *QUERY)), normal(query=(2, *QUERY), value=(2, *VALUE))

FIXTURES = [
    keras_fixture("multi_head", multi_head(), ONE, "MultiHeadAttention of one sequence"),
    *every_way("multi_head_cross", cross, TWO, "MultiHeadAttention between sequences, scores given out", BOTH),
    *every_way("multi_head_mask", masked, masked_inputs, "MultiHeadAttention with a mask as an input", BOTH),
    *every_way("multi_head_causal", multi_head(use_causal_mask=True), ONE, "MultiHeadAttention, causal", BOTH),
    *every_way("multi_head_tokens", from_tokens, tokens, "MultiHeadAttention over masked tokens", BOTH),
    keras_fixture("attention", simple("Attention", use_scale=True), TWO, "Attention, scaled"),
    keras_fixture("attention_concat", simple("Attention", score_mode="concat"), TWO, "Attention by sums"),
    keras_fixture("additive_attention", simple("AdditiveAttention"), TWO, "AdditiveAttention"),
    keras_fixture("grouped_attention", grouped, ONE, "GroupQueryAttention"),
]
