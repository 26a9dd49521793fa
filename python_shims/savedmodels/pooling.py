"""Pooling of every rank."""

from .kit import keras_fixture, layers_on, normal


def pools(rank: int):
    def parts(layers):
        def layer(name):
            return getattr(layers, f"{name}Pooling{rank}D")

        return [
            layer("Max")(2), layer("Max")(3, strides=2, padding="same"), layer("Average")(2), layer("Average")(3, strides=2, padding="same"),
            layer("GlobalMax")(), layer("GlobalAverage")(), layer("GlobalAverage")(keepdims=True),
        ]

    return parts


FIXTURES = [
    keras_fixture("pool1d", layers_on((9, 2), pools(1)), normal(x=(2, 9, 2)), "pooling over one axis"),
    keras_fixture("pool2d", layers_on((6, 7, 2), pools(2)), normal(x=(2, 6, 7, 2)), "pooling over two axes"),
    keras_fixture("pool3d", layers_on((4, 5, 4, 2), pools(3)), normal(x=(1, 4, 5, 4, 2)), "pooling over three axes"),
]
