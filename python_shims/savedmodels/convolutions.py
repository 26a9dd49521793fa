"""Convolutions and their transposes, of every rank and padding."""

import tensorflow as tf

from .kit import EXPORT, TF_KERAS, every_way, keras_fixture, layers_on, module_fixture, normal


def conv1d(layers):
    return [
        layers.Conv1D(3, 3), layers.Conv1D(3, 4, strides=2, padding="same"), layers.Conv1D(2, 3, dilation_rate=2, padding="causal"),
        layers.Conv1D(4, 3, groups=2, activation="relu"), layers.SeparableConv1D(3, 3, depth_multiplier=2, padding="same"),
        layers.DepthwiseConv1D(3, strides=2, depth_multiplier=2),
    ]


def conv2d(layers):
    return [
        layers.Conv2D(3, 3), layers.Conv2D(3, (3, 2), strides=2, padding="same"), layers.Conv2D(2, 3, dilation_rate=2, padding="same"),
        layers.Conv2D(2, (2, 3), dilation_rate=(1, 2)), layers.Conv2D(4, 3, groups=2, use_bias=False), layers.Conv2D(3, 1, activation="relu"),
    ]


def conv3d(layers):
    return [
        layers.Conv3D(2, 2), layers.Conv3D(2, (3, 2, 3), strides=2, padding="same"),
    ]


def depthwise(layers):
    return [
        layers.DepthwiseConv2D(3, depth_multiplier=2), layers.DepthwiseConv2D(3, strides=2, padding="same"),
        layers.DepthwiseConv2D(3, dilation_rate=2, padding="same"), layers.SeparableConv2D(3, 3, depth_multiplier=2, padding="same"),
        layers.SeparableConv2D(3, 2, strides=2),
    ]


def conv_transpose(layers):
    return [
        layers.Conv2DTranspose(3, 3), layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
        layers.Conv2DTranspose(2, (2, 3), strides=(2, 1), padding="valid"), layers.Conv2DTranspose(2, 3, strides=2, output_padding=1),
        layers.Conv2DTranspose(2, 2, strides=3),
    ]


def conv_transpose1d(layers):
    return [layers.Conv1DTranspose(3, 3, strides=2, padding="same"), layers.Conv1DTranspose(2, 3)]


def conv_transpose3d(layers):
    return [layers.Conv3DTranspose(2, 2, strides=2), layers.Conv3DTranspose(2, 3, strides=(1, 2, 1), padding="same")]


def functions(weights):
    """Padding by numbers, and what no layer does."""
    kernel, turned, deep, planes, bias = weights(3, 3, 2, 3), weights(3, 3, 4, 2), weights(2, 2, 2, 2), weights(2, 2, 2, 2, 2), weights(3)
    head = weights(16, 3)

    def call(x):
        frames = tf.stack([x, 2 * x], 1)
        parts = [
            tf.nn.bias_add(tf.nn.conv2d(x, kernel, [1, 2, 1, 1], [[0, 0], [2, 0], [1, 2], [0, 0]]), bias),
            tf.nn.conv2d_transpose(x, turned, tf.stack([tf.shape(x)[0], 11, 11, 4]), 2, "VALID"),
            tf.nn.depthwise_conv2d(x, deep, [1, 1, 1, 1], [[0, 0], [1, 0], [0, 1], [0, 0]]),
            tf.nn.atrous_conv2d(x, kernel, 2, "SAME"),
            tf.reduce_max(tf.nn.conv3d(frames, planes, [1, 1, 2, 2, 1], "SAME"), 1),
        ]
        return tf.concat([tf.reduce_mean(part, [1, 2]) for part in parts], 1) @ head

    return call


def of_kernels(weights):
    """Kernels computed from the input, also where they are padded on one side."""
    router, kernels, filters, head = weights(2, 4), weights(4, 3, 2, 2, 3), weights(4, 3, 3, 2, 2), weights(7, 3)

    def call(x):
        shares = tf.sigmoid(tf.reduce_mean(x, [0, 1, 2])[None] @ router)[0]
        kernel, deep = tf.tensordot(shares, kernels, 1), tf.tensordot(shares, filters, 1)
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        parts = [
            y,
            tf.nn.conv2d_transpose(y, kernel, tf.stack([tf.shape(x)[0], 9, 8, 2]), 2, "SAME"),
            tf.nn.depthwise_conv2d(x, deep[:, :, :, :1], [1, 1, 1, 1], "VALID"),
        ]
        return tf.concat([tf.reduce_mean(part, [1, 2]) for part in parts], 1) @ head

    return call


BOTH = (EXPORT, TF_KERAS)

FIXTURES = [
    *every_way("conv1d", layers_on((9, 2), conv1d), normal(x=(2, 9, 2)), "Conv1D, separable, depthwise", BOTH),
    *every_way("conv2d", layers_on((8, 7, 2), conv2d), normal(x=(2, 8, 7, 2)), "Conv2D: padding, strides, dilation, groups", BOTH),
    keras_fixture("conv3d", layers_on((4, 5, 4, 2), conv3d), normal(x=(1, 4, 5, 4, 2)), "Conv3D"),
    keras_fixture("depthwise", layers_on((6, 7, 2), depthwise), normal(x=(2, 6, 7, 2)), "DepthwiseConv2D and SeparableConv2D"),
    keras_fixture("conv_transpose", layers_on((4, 3, 2), conv_transpose), normal(x=(2, 4, 3, 2)), "Conv2DTranspose"),
    keras_fixture("conv_transpose1d", layers_on((5, 2), conv_transpose1d), normal(x=(2, 5, 2)), "Conv1DTranspose"),
    keras_fixture("conv_transpose3d", layers_on((2, 3, 2, 2), conv_transpose3d), normal(x=(1, 2, 3, 2, 2)), "Conv3DTranspose"),
    module_fixture("conv_functions", functions, normal(x=(2, 5, 5, 2)), "convolutions with padding by numbers, atrous, transposed"),
    module_fixture("conv_of_kernels", of_kernels, normal(x=(1, 5, 4, 2)), "kernels computed from the input"),
]
