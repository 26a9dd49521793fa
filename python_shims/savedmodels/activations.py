"""Activation functions, as layers and by name."""

from .kit import keras_fixture, layers_on, normal

X = normal(x=(2, 4, 3))

PIECEWISE = ["relu", "hard_sigmoid", "relu6", "leaky_relu", "hard_silu", "hard_tanh", "hard_shrink", "soft_shrink", "linear"]
SMOOTH = ["tanh", "sigmoid", "softplus", "softsign", "elu", "selu", "exponential", "silu", "gelu", "mish", "celu", "log_sigmoid",
          "log_softmax", "softmax", "squareplus", "tanh_shrink"]
RARE = ["sparse_plus", "sparse_sigmoid", "sparsemax"]


def named(names):
    return lambda layers: [layers.Activation(name) for name in names]


def both(layers):
    """What tf_keras has as well."""
    names = ["relu", "tanh", "sigmoid", "softplus", "softsign", "elu", "selu", "exponential", "swish", "gelu", "mish", "softmax"]
    return [*named(names)(layers), layers.LeakyReLU(), layers.PReLU(), layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2),
            layers.ELU(0.5), layers.Softmax(axis=1)]


def gelu_tanh(layers):
    import keras

    return [layers.Activation(lambda x: keras.ops.gelu(x, approximate=True)), layers.Activation(lambda x: keras.ops.glu(keras.ops.concatenate([x, -x], -1)))]


FIXTURES = [
    keras_fixture("activations_piecewise", layers_on((4, 3), named(PIECEWISE)), X, "pieces of lines"),
    keras_fixture("activations_smooth", layers_on((4, 3), named(SMOOTH)), X, "smooth functions"),
    keras_fixture("activations_rare", layers_on((4, 3), named(RARE)), X, "functions few models have", common=False),
    keras_fixture("activations_gelu_tanh", layers_on((4, 3), gelu_tanh), X, "GELU by tanh, GLU"),
    keras_fixture("activations", layers_on((4, 3), both), X, "functions of both Keras"),
]
