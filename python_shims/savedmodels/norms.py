"""Normalising layers."""

from .kit import EXPORT, TF_KERAS, every_way, keras_fixture, layers_on, normal

BOTH = (EXPORT, TF_KERAS)


def batch_norm(layers):
    norm = layers.BatchNormalization
    return [norm(), norm(center=False), norm(scale=False), norm(center=False, scale=False, epsilon=1e-5)]


def layer_norm(layers):
    norm = layers.LayerNormalization
    return [norm(), norm(axis=[1, 2]), norm(center=False), norm(scale=False), norm(center=False, scale=False, epsilon=1e-5)]


def group_norm(layers):
    norm = layers.GroupNormalization
    return [norm(groups=2), norm(groups=-1), norm(groups=1, center=False), norm(groups=2, scale=False)]


def after_conv(layers):
    """The norm behind a layer, before a function, as in networks."""
    norm = layers.BatchNormalization

    def block(x):
        x = layers.Conv2D(4, 3, use_bias=False)(x)
        return layers.ReLU()(norm()(x))

    return [block]


FIXTURES = [
    *every_way("batch_norm", layers_on((4, 3, 2), batch_norm), normal(x=(2, 4, 3, 2)), "BatchNormalization of images", BOTH),
    keras_fixture("batch_norm_rows", layers_on((6,), batch_norm), normal(x=(3, 6)), "BatchNormalization of rows"),
    keras_fixture("batch_norm_sequence", layers_on((5, 3), batch_norm), normal(x=(2, 5, 3)), "BatchNormalization of sequences"),
    *every_way("batch_norm_block", layers_on((5, 5, 2), after_conv), normal(x=(2, 5, 5, 2)), "convolution, norm, function", BOTH),
    *every_way("layer_norm", layers_on((4, 6), layer_norm), normal(x=(2, 4, 6)), "LayerNormalization", BOTH),
    *every_way("group_norm", layers_on((4, 3, 4), group_norm), normal(x=(2, 4, 3, 4)), "GroupNormalization", BOTH),
    *every_way("unit_norm", layers_on((4, 6), lambda layers: [layers.UnitNormalization(), layers.UnitNormalization(axis=1)]),
               normal(x=(2, 4, 6)), "UnitNormalization", BOTH),
    keras_fixture("rms_norm", layers_on((4, 6), lambda layers: [layers.RMSNormalization(), layers.RMSNormalization(epsilon=1e-3)]),
                  normal(x=(2, 4, 6)), "RMSNormalization"),
    keras_fixture("spectral_norm", layers_on((6,), lambda layers: [layers.SpectralNormalization(layers.Dense(4))]),
                  normal(x=(2, 6)), "SpectralNormalization"),
]
