"""Models of pictures that scale them themselves, and maps of classes."""

from .kit import RANDOM, keras_fixture


def classifier(scale: float | None, offset: float = 0.0, dtype: str = "float32"):
    """Rescaling, convolution, classifier."""

    def build(keras):
        layers = keras.layers
        x = keras.Input((6, 6, 1), name="picture", dtype=dtype)
        y = x if scale is None else layers.Rescaling(scale, offset)(x)
        y = layers.Conv2D(4, 3, activation="relu")(y)
        y = layers.GlobalAveragePooling2D()(y)
        return keras.Model(x, layers.Dense(3, activation="softmax")(y))

    return build


def augmented(keras):
    """Flipped and turned before it is rescaled, as layers of augmentation do when they are called without training=False."""
    layers = keras.layers
    x = keras.Input((6, 6, 1), name="picture")
    y = layers.Rescaling(1 / 255)(layers.RandomRotation(0.1)(layers.RandomFlip()(x)))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(y))
    return keras.Model(x, layers.Dense(3, activation="softmax")(y))


def maps(keras):
    layers = keras.layers
    x = keras.Input((4, 5, 2), name="x")
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    return keras.Model(x, layers.Softmax()(layers.Conv2D(3, 1)(y)))


def pixels(dtype: str, largest: float):
    return lambda random: {"picture": (largest * random.random((1, 6, 6, 1))).astype(dtype)}


FIXTURES = [
    keras_fixture("pixels_rescaled", classifier(1 / 255), pixels("float32", 255), "pixels of 0 to 255, rescaled inside"),
    keras_fixture("pixels_signed", classifier(1 / 127.5, -1.0), pixels("float32", 255), "pixels of 0 to 255, made -1 to 1 inside"),
    keras_fixture("pixels_uint8", classifier(1 / 255, dtype="uint8"), pixels("uint8", 255), "pixels as bytes", numeric_inputs=("picture",)),
    keras_fixture("pixels_augmented", augmented, pixels("float32", 255), "pixels of 0 to 255, augmented and rescaled inside", expect=RANDOM),
    keras_fixture("class_maps", maps, lambda random: {"x": random.normal(size=(2, 4, 5, 2)).astype("float32")}, "class maps [N, H, W, C]"),
]
