"""Layers that move, repeat, resize or leave out, and those that join."""

from .kit import EXPORT, TF_KERAS, every_way, keras_fixture, layers_on, normal

BOTH = (EXPORT, TF_KERAS)


def up1d(layers):
    return [layers.UpSampling1D(2), layers.ZeroPadding1D((1, 2)), layers.Cropping1D((1, 2)), layers.Permute((2, 1)), layers.Reshape((2, -1))]


def up2d(layers):
    return [
        layers.UpSampling2D(2), layers.UpSampling2D((2, 3), interpolation="bilinear"), layers.ZeroPadding2D(((1, 0), (0, 2))),
        layers.Cropping2D(((1, 0), (1, 1))), layers.Permute((3, 1, 2)),
    ]


def up3d(layers):
    return [layers.UpSampling3D((1, 2, 2)), layers.ZeroPadding3D(1), layers.Cropping3D(((0, 1), (1, 0), (0, 0)))]


def resizing(layers):
    return [
        layers.Resizing(4, 9), layers.Resizing(3, 4, interpolation="nearest"), layers.CenterCrop(3, 4), layers.Rescaling(0.5, offset=0.25),
        layers.Normalization(mean=[0.3, -0.2], variance=[0.5, 2.0]),
    ]


def resizing_rare(layers):
    return [layers.Resizing(9, 4, interpolation="bicubic"), layers.Resizing(3, 3, interpolation="area")]


def noise(layers):
    """What does something in training alone."""
    return [
        layers.Dropout(0.5), layers.SpatialDropout2D(0.5), layers.GaussianNoise(0.5), layers.GaussianDropout(0.5),
        layers.ActivityRegularization(0.1), layers.RandomFlip(),
    ]


def rows(layers):
    return [layers.RepeatVector(3), layers.Reshape((2, 3)), layers.Flatten(), layers.Dropout(0.2), layers.Identity()]


def merged(keras):
    """Two inputs, joined in every way."""
    layers = keras.layers
    first, second = keras.Input((4, 3), name="first"), keras.Input((4, 3), name="second")
    row = keras.Input((1, 3), name="row")
    both = [first, second]
    parts = [
        layers.Concatenate()(both), layers.Concatenate(axis=1)([first, second, row]), layers.Add()([first, second, row]), layers.Subtract()(both),
        layers.Multiply()(both), layers.Average()(both), layers.Maximum()(both), layers.Minimum()(both), layers.Dot(axes=2)(both),
        layers.Dot(axes=1, normalize=True)(both),
    ]
    joined = layers.Concatenate()([layers.Flatten()(part) for part in parts])
    return keras.Model([first, second, row], layers.Dense(3)(joined))


FIXTURES = [
    keras_fixture("move1d", layers_on((6, 2), up1d), normal(x=(2, 6, 2)), "UpSampling1D, padding, cropping"),
    *every_way("move2d", layers_on((4, 5, 2), up2d), normal(x=(2, 4, 5, 2)), "UpSampling2D, padding, cropping", BOTH),
    keras_fixture("move3d", layers_on((3, 3, 2, 2), up3d), normal(x=(1, 3, 3, 2, 2)), "UpSampling3D, padding, cropping"),
    *every_way("resizing", layers_on((6, 5, 2), resizing), normal(x=(2, 6, 5, 2)), "Resizing, CenterCrop, Rescaling, Normalization", BOTH),
    keras_fixture("resizing_rare", lambda keras: layers_on((6, 5, 2), resizing_rare)(keras), normal(x=(2, 6, 5, 2)), "bicubic and area", TF_KERAS, common=False),
    keras_fixture("upsampling_rare", layers_on((4, 5, 2), lambda layers: [layers.UpSampling2D(2, interpolation="bicubic"), layers.UpSampling2D(2, interpolation="lanczos3")]),
                  normal(x=(2, 4, 5, 2)), "bicubic and lanczos", common=False),
    keras_fixture("noise", layers_on((4, 4, 2), noise), normal(x=(2, 4, 4, 2)), "layers of training, at inference"),
    keras_fixture("rows", layers_on((6,), rows), normal(x=(2, 6)), "RepeatVector, Reshape, Dropout, Identity"),
    keras_fixture("merging", merged, normal(first=(2, 4, 3), second=(2, 4, 3), row=(2, 1, 3)), "Concatenate, Add … Dot"),
]
