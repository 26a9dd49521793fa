"""Recurrent layers: loops, unrolled, stateful, masked, in both directions."""

import numpy as np

from .kit import EXPORT, TF_KERAS, every_way, keras_fixture, normal

BOTH = (EXPORT, TF_KERAS)
STEPS = (5, 3)
X = normal(x=(2, *STEPS))


def recurrent(make, batch: int | None = None):
    """The layer that `make(layers)` gives, then a classifier of all it returns."""

    def build(keras):
        layers = keras.layers
        x = keras.Input(batch_shape=(batch, *STEPS), name="x")
        y = make(layers)(x)
        parts = [layers.Flatten()(part) for part in (y if isinstance(y, (list, tuple)) else [y])]
        return keras.Model(x, layers.Dense(2)(layers.Concatenate()(parts) if len(parts) > 1 else parts[0]))

    return build


def initial(keras):
    """A decoder that starts with the states of an encoder."""
    layers = keras.layers
    source, target = keras.Input((4, 3), name="source"), keras.Input((3, 2), name="target")
    _, *states = layers.LSTM(4, return_state=True)(source)
    y = layers.LSTM(4, return_sequences=True)(target, initial_state=states)
    return keras.Model([source, target], layers.TimeDistributed(layers.Dense(3))(y))


def masking(cell: str):
    """Steps of zeros are left out."""

    def build(keras):
        layers = keras.layers
        x = keras.Input(STEPS, name="x")
        y = layers.Masking()(x)
        return keras.Model(x, layers.Dense(2)(getattr(layers, cell)(4)(y)))

    return build


def padded(random):
    x = random.normal(size=(2, *STEPS)).astype(np.float32)
    x[0, 3:] = 0
    return {"x": x}


def stacked(layers):
    return layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)])


def convolved(keras):
    layers = keras.layers
    x = keras.Input((3, 4, 4, 1), name="x")
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.ConvLSTM2D(2, 3, padding="same", recurrent_activation="sigmoid")(x))))


def convolved1d(keras):
    layers = keras.layers
    x = keras.Input((3, 5, 2), name="x")
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.ConvLSTM1D(2, 3)(x))))


def time_distributed(keras):
    layers = keras.layers
    x = keras.Input((3, 5, 5, 1), name="x")
    y = layers.TimeDistributed(layers.Conv2D(2, 3, activation="relu"))(x)
    return keras.Model(x, layers.LSTM(2)(layers.TimeDistributed(layers.Flatten())(y)))


def unrolled(name: str, make, description: str):
    """A loop, and the same unrolled."""
    return [
        keras_fixture(f"{name}_loop", recurrent(lambda layers: make(layers)), X, description, seed=name),
        keras_fixture(f"{name}_unrolled", recurrent(lambda layers: make(layers, unroll=True)), X, "the same, unrolled", seed=name, equals=f"{name}_loop"),
    ]


FIXTURES = [
    *unrolled("simple_lstm", lambda layers, **how: layers.LSTM(4, **how), "LSTM"),
    *unrolled("simple_gru", lambda layers, **how: layers.GRU(4, **how), "GRU"),
    *unrolled("simple_rnn", lambda layers, **how: layers.SimpleRNN(4, **how), "SimpleRNN"),
    keras_fixture("gru_before", recurrent(lambda layers: layers.GRU(4, reset_after=False)), X, "GRU that resets before the product"),
    keras_fixture("simple_rnn_tf_keras", recurrent(lambda layers: layers.SimpleRNN(4)), X, "SimpleRNN of tf_keras", TF_KERAS,
                  seed="simple_rnn", equals="simple_rnn_loop"),
    *every_way("lstm_states", recurrent(lambda layers: layers.LSTM(3, return_sequences=True, return_state=True)), X, "LSTM that gives its states", BOTH),
    keras_fixture("lstm_backwards", recurrent(lambda layers: layers.LSTM(3, go_backwards=True, return_sequences=True)), X, "LSTM from the end"),
    keras_fixture("lstm_relu", recurrent(lambda layers: layers.LSTM(3, activation="relu", recurrent_activation="hard_sigmoid", use_bias=False)), X,
                  "LSTM with other functions, without bias"),
    keras_fixture("lstm_stateful", recurrent(lambda layers: layers.LSTM(3, stateful=True), batch=1), normal(x=(1, *STEPS)),
                  "LSTM that keeps its state between calls", TF_KERAS),  # Keras 3 exports for any batch, which its state is not
    *every_way("lstm_masked", masking("LSTM"), padded, "LSTM over masked steps", BOTH),
    *every_way("gru_masked", masking("GRU"), padded, "GRU over masked steps", BOTH),
    keras_fixture("lstm_initial", initial, normal(source=(2, 4, 3), target=(2, 3, 2)), "LSTM that starts with another's states"),
    *every_way("bidirectional_sum", recurrent(lambda layers: layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum")), X,
               "Bidirectional GRU, summed", BOTH),
    keras_fixture("bidirectional_mul", recurrent(lambda layers: layers.Bidirectional(layers.SimpleRNN(3), merge_mode="mul")), X,
                  "Bidirectional SimpleRNN, multiplied"),
    keras_fixture("cells", recurrent(stacked), X, "RNN over stacked cells"),
    *every_way("conv_lstm", convolved, normal(x=(1, 3, 4, 4, 1)), "ConvLSTM2D", BOTH),
    keras_fixture("conv_lstm1d", convolved1d, normal(x=(1, 3, 5, 2)), "ConvLSTM1D"),
    keras_fixture("time_distributed", time_distributed, normal(x=(2, 3, 5, 5, 1)), "TimeDistributed"),
]
