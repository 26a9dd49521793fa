"""The networks that Keras 3 and tf_keras both build; `keras` is either."""

import numpy as np

from .kit import every_way, normal


def mlp(keras):
    layers = keras.layers
    x = inputs = keras.Input((8,), name="features")
    x = layers.Dense(16, activation="relu")(x)
    x = layers.Dense(12, activation="gelu")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def cnn(keras):
    layers = keras.layers
    x = inputs = keras.Input((12, 12, 2), name="image")
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("swish")(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(6, 2, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3)(x))


def unet(keras):
    layers = keras.layers
    inputs = keras.Input((16, 16, 1), name="image")
    fine = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D()(fine)
    coarse = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(coarse)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(6, 2, strides=2)(x)
    x = layers.Concatenate()([x, coarse])
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    x = layers.Concatenate()([x, fine])
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


def lstm(keras):
    layers = keras.layers
    x = inputs = keras.Input((6, 4), name="sequence")
    x = layers.LSTM(5, return_sequences=True)(x)
    x = layers.LSTM(4)(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def gru(keras):
    layers = keras.layers
    x = inputs = keras.Input((None, 4), name="sequence")
    x = layers.GRU(5, return_sequences=True)(x)
    x = layers.GRU(4, reset_after=False)(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def bilstm(keras):
    layers = keras.layers
    x = inputs = keras.Input((7,), dtype="int32", name="tokens")
    x = layers.Embedding(11, 4, mask_zero=True)(x)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(3))(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def transformer(keras):
    layers = keras.layers
    inputs = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(20, 8)(inputs)
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=4)(x, x)
    x = layers.LayerNormalization(epsilon=1e-5)(layers.Add()([x, attended]))
    wide = layers.Dense(16, activation="gelu")(x)
    x = layers.LayerNormalization(epsilon=1e-5)(layers.Add()([x, layers.Dense(8)(wide)]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(3)(x))



def tokens(random):
    return {"tokens": random.integers(0, 20, size=(2, 6)).astype(np.int32)}


def padded_tokens(random):
    return {"tokens": np.array([[3, 1, 10, 4, 0, 0, 0], [2, 7, 7, 1, 5, 9, 0]], np.int32)}


FIXTURES = [
    *every_way("mlp", mlp, normal(features=(4, 8)), "perceptron: relu, gelu, softmax", whole=True),
    *every_way("cnn", cnn, normal(image=(2, 12, 12, 2)), "convolutions, batch norm, pooling"),
    *every_way("unet", unet, normal(image=(1, 16, 16, 1)), "U-Net: transposed convolution, bilinear upsampling, concatenation"),
    *every_way("lstm", lstm, normal(sequence=(2, 6, 4)), "two LSTM layers"),
    *every_way("gru", gru, normal(sequence=(2, 5, 4)), "two GRU layers, any length"),
    *every_way("bilstm", bilstm, padded_tokens, "two bidirectional LSTM layers over masked tokens"),
    *every_way("transformer", transformer, tokens, "transformer block over tokens"),
]
