"""The order of inputs: a signature sorts them by name, the model's own function does not."""

import tensorflow as tf

from .kit import EXPORT, TF_KERAS, Fixture, keras_fixture, module_fixture, normal, seeded

PAIR = normal(user=(2, 1), item=(2, 1))


def pair(weights):
    return lambda user, item: 2.0 * user + item


def functional(keras):
    user, item = keras.Input((1,), name="user"), keras.Input((1,), name="item")
    return keras.Model([user, item], keras.layers.Dense(2)(keras.layers.Concatenate()([user, item])))


def by_name(keras):
    """Inputs in a dictionary have no order."""
    model = functional(keras)
    return keras.Model({tensor.name: tensor for tensor in model.inputs}, model.output)


def write_traced(path):
    """A concrete function as the signature, which is then traced twice."""
    module = tf.Module()
    module.__call__ = tf.function(lambda user, item: 2.0 * user + item)
    traced = module.__call__.get_concrete_function(*(tf.TensorSpec([None, 1], name=name) for name in ("user", "item")))
    tf.saved_model.save(module, str(path), signatures=traced, options=tf.saved_model.SaveOptions(save_debug_info=False))
    return PAIR(seeded("order_traced")), None


FIXTURES = [
    module_fixture("order_function", pair, PAIR, "two inputs, the first not first by name"),
    Fixture("order_traced", write_traced, "the same, by a concrete function", whole=True),
    keras_fixture("order_export", functional, PAIR, "two inputs of a Keras model", EXPORT),
    keras_fixture("order_tf_keras", functional, PAIR, "the same, by tf_keras", TF_KERAS),
    keras_fixture("order_none", by_name, PAIR, "inputs in a dictionary", EXPORT),
]
