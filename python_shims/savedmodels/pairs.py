"""The same network in several forms: the relevance must not depend on the form."""

import math

import tensorflow as tf

from .kit import module_fixture, normal


def around(operator):
    """linear → the pair's operator, given a scale and a shift → linear."""

    def build(weights):
        before, shift, bias, after = weights(4, 6), weights(6), weights(6), weights(6, 3)
        scale = weights(6, positive=True)  # a variance as well
        return lambda x: operator(x @ before + shift, scale, bias) @ after

    return build


def layer_norm(x, w, b):
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, b, w, 1e-5)


def layer_norm_fused(x, w, b):
    """As tf_keras does it: a batch norm in training over rows."""
    ones = tf.ones(tf.shape(x)[:1])
    y = tf.compat.v1.nn.fused_batch_norm(tf.reshape(x, [1, -1, 6, 1]), ones, 0 * ones, epsilon=1e-5, is_training=True, data_format="NCHW")[0]
    return tf.reshape(y, tf.shape(x)) * w + b


def layer_norm_divided(x, w, b):
    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), -1, keepdims=True)
    return w * ((x - mean) / tf.sqrt(variance + 1e-5)) + b


def batch_norm_fused(x, w, b):
    y, *_ = tf.compat.v1.nn.fused_batch_norm(x[:, None, None], w, b, mean=b, variance=w, epsilon=1e-3, is_training=False)
    return y[:, 0, 0]


def softmax_written(x, w, b):
    e = tf.exp(x - tf.reduce_max(x, -1, keepdims=True))
    return e / tf.reduce_sum(e, -1, keepdims=True)


def gelu_tanh_written(x, w, b):
    return 0.5 * x * (1.0 + tf.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * tf.pow(x, 3.0))))


def rest_multiplied(x, w, b):
    """The product of all that follow each."""
    products = [tf.ones(tf.shape(x)[:1])]
    for factor in tf.unstack(x, axis=1)[:0:-1]:
        products.append(factor if len(products) == 1 else products[-1] * factor)
    return tf.stack(products[::-1], 1)


def one_feature_fused(x, w, b):
    """A batch norm over one channel."""
    y, *_ = tf.compat.v1.nn.fused_batch_norm(x[:, None, :, None], w[:1], b[:1], mean=b[1:2], variance=w[1:2], epsilon=1e-3, is_training=False)
    return y[:, 0, :, 0]


def one_feature_written(x, w, b):
    """As Keras saves it."""
    return tf.nn.batch_normalization(x[:, :, None], b[1:2], w[1:2], b[:1], w[:1], 1e-3)[:, :, 0]


def one_feature_divided(x, w, b):
    return ((x[:, :, None] - b[1:2]) / tf.sqrt(w[1:2] + 1e-3) * w[:1] + b[:1])[:, :, 0]


LIMITS = [-0.5, 0.1, 0.8]


def bins_looked_up(x, w, b):
    return tf.gather(tf.concat([w, b], 0), tf.raw_ops.Bucketize(input=x, boundaries=LIMITS) + 1)


def bins_spread(x, w, b):
    bins = tf.raw_ops.Bucketize(input=x, boundaries=LIMITS) + 1
    return tf.linalg.matvec(tf.one_hot(bins, 12), tf.concat([w, b], 0))


def bins_sorted(x, w, b):
    bins = tf.reshape(tf.searchsorted(LIMITS, tf.reshape(x, [-1]), side="right"), tf.shape(x))
    return tf.gather(tf.concat([w, b], 0), bins + 1)


# Name: the forms of one function; the first is that which the others must equal.
FORMS = {
    "layer_norm": {"moments": layer_norm, "divided": layer_norm_divided, "fused": layer_norm_fused},
    "batch_norm": {
        "fused": batch_norm_fused,
        "folded": lambda x, w, b: tf.nn.batch_normalization(x, b, w, b, w, 1e-3),
        "written": lambda x, w, b: (x - b) / tf.sqrt(w + 1e-3) * w + b,
    },
    "rms_norm": {
        "rsqrt": lambda x, w, b: w * (x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), -1, keepdims=True) + 1e-6)),
        "divided": lambda x, w, b: w * (x / tf.sqrt(tf.reduce_mean(x**2.0, -1, keepdims=True) + 1e-6)),
    },
    "gelu": {"fused": lambda x, w, b: tf.nn.gelu(x), "written": lambda x, w, b: x * 0.5 * (1.0 + tf.math.erf(x / math.sqrt(2.0)))},
    "gelu_tanh": {"fused": lambda x, w, b: tf.nn.gelu(x, approximate=True), "written": gelu_tanh_written},
    "silu": {"fused": lambda x, w, b: tf.nn.silu(x), "written": lambda x, w, b: x * tf.sigmoid(x), "divided": lambda x, w, b: x / (1.0 + tf.exp(-x))},
    "hard_silu": {"relu6": lambda x, w, b: x * tf.nn.relu6(x + 3.0) / 6.0, "clipped": lambda x, w, b: x * tf.clip_by_value(x + 3.0, 0.0, 6.0) / 6.0},
    "softmax": {"fused": lambda x, w, b: tf.nn.softmax(x), "written": softmax_written},
    "softsign": {"fused": lambda x, w, b: tf.nn.softsign(x) + b, "written": lambda x, w, b: x / (1.0 + tf.abs(x)) + b},
    "root": {"divided": lambda x, w, b: x / tf.sqrt(1.0 + x * x), "rsqrt": lambda x, w, b: x * tf.math.rsqrt(1.0 + tf.square(x))},
    "one_feature": {"fused": one_feature_fused, "written": one_feature_written, "mean": one_feature_divided},
    "flag": {
        "times": lambda x, w, b: 5.0 * tf.cast(x > 0.5, tf.float32) + b * x,
        "chosen": lambda x, w, b: tf.where(x > 0.5, 5.0, 0.0) + b * x,
        "sign": lambda x, w, b: 2.5 * (tf.sign(x - 0.5) + tf.sign(x - 0.5) ** 2.0) + b * x,
    },
    "bins": {"looked_up": bins_looked_up, "spread": bins_spread, "sorted": bins_sorted},
    "mish": {"softplus": lambda x, w, b: x * tf.tanh(tf.math.softplus(x)), "log1p": lambda x, w, b: x * tf.tanh(tf.math.log1p(tf.exp(x)))},
    "product": {
        "fused": lambda x, w, b: tf.repeat(tf.reduce_prod(tf.reshape(x, [-1, 2, 3]), 2), 3, 1),
        "written": lambda x, w, b: tf.repeat(x[:, 0::3] * x[:, 1::3] * x[:, 2::3], 3, 1),
    },
    "running_product": {"fused": lambda x, w, b: tf.math.cumprod(x, -1, exclusive=True, reverse=True), "written": rest_multiplied},
    "running_logsumexp": {
        "fused": lambda x, w, b: tf.math.cumulative_logsumexp(x, -1),
        "written": lambda x, w, b: tf.concat([tf.math.log(tf.reduce_sum(tf.exp(x[:, :count]), 1, keepdims=True)) for count in range(1, 7)], 1),
    },
    "power": {
        "fused": lambda x, w, b: tf.pow(tf.abs(x) + 0.1, x[:, ::-1]),
        "written": lambda x, w, b: tf.exp(x[:, ::-1] * tf.math.log(tf.abs(x) + 0.1)),
    },
    "norm": {
        "fused": lambda x, w, b: tf.repeat(tf.math.reduce_euclidean_norm(x, -1, keepdims=True), 6, 1),
        "written": lambda x, w, b: tf.repeat(tf.sqrt(tf.reduce_sum(x * x, -1, keepdims=True)), 6, 1),
    },
    "normalize": {"fused": lambda x, w, b: tf.nn.l2_normalize(x, -1), "written": lambda x, w, b: x / tf.sqrt(tf.reduce_sum(x * x, -1, keepdims=True))},
}


def linear(form: str):
    """A linear layer and a gate behind it."""

    def build(weights):
        w, b, head = weights(4, 6, scale=3.0), weights(6), weights(6, 3)
        forms = {
            "matmul": lambda x: tf.nn.bias_add(x @ w, b), "added": lambda x: x @ w + b, "einsum": lambda x: tf.einsum("ni,io->no", x, w) + b,
            "tensordot": lambda x: tf.tensordot(x, w, 1) + b, "transposed": lambda x: tf.matmul(x, tf.transpose(w), transpose_b=True) + b,
            "convolved": lambda x: (tf.nn.conv2d(x[:, None, None], w[None, None], 1, "VALID") + b)[:, 0, 0],
        }
        return lambda x: tf.tanh(forms[form](x)) @ head

    return build


def unknown(x, *shape):
    """The same, of a shape that is known when it runs only."""
    return tf.raw_ops.PlaceholderWithDefault(input=x, shape=shape)


def apart(convolve, x, pads, blocks=(2, 2)):
    """A convolution with dilation as TensorFlow writes it for want of the attribute: of places apart, as samples."""
    y = convolve(tf.raw_ops.SpaceToBatchND(input=x, block_shape=blocks, paddings=pads))
    return tf.raw_ops.BatchToSpaceND(input=y, block_shape=blocks, crops=[[0, 1], [0, 0]][-len(blocks):])


def old_apart(convolve, x, pads):
    y = convolve(tf.raw_ops.SpaceToBatch(input=x, paddings=pads, block_size=2))
    return tf.raw_ops.BatchToSpace(input=y, crops=[[0, 1], [0, 0]], block_size=2)


def dilated(form: str):
    """Two convolutions with dilation, one with a bias, and the gates behind them."""

    def build(weights):
        first, b, second, head = weights(3, 3, 2, 3, scale=3.0), weights(3), weights(3, 3, 3, 2, scale=4.0), weights(2, 3)
        ways = {
            "attribute": lambda x, w: tf.nn.conv2d(x, w, 1, "SAME", dilations=2),
            "function": lambda x, w: tf.nn.convolution(x, w, padding="SAME", dilations=[2, 2]),
            "at_run_time": lambda x, w: tf.nn.convolution(unknown(x, None, None, None, x.shape[-1]), w, padding="SAME", dilations=[2, 2]),
            "blocks": lambda x, w: apart(lambda y: tf.nn.conv2d(y, w, 1, "VALID"), x, [[2, 3], [2, 2]]),
            "old_blocks": lambda x, w: old_apart(lambda y: tf.nn.conv2d(y, w, 1, "VALID"), x, [[2, 3], [2, 2]]),
        }
        convolve = ways[form]
        return lambda x: tf.reduce_mean(tf.sigmoid(convolve(tf.tanh(convolve(x, first) + b), second)), [1, 2]) @ head

    return build


def turned(form: str):
    """A convolution of pictures with their channels first, which TensorFlow's kernels for the processor do not have."""

    def build(weights):
        kernel, b, second, head = weights(3, 3, 2, 3, scale=3.0), weights(3), weights(3, 3, 3, 2, scale=4.0), weights(2, 3)

        def around(x, w):
            x = tf.transpose(x, [0, 2, 3, 1])
            return tf.transpose(tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), w, 1, "VALID"), [0, 3, 1, 2])

        def first(x):
            y = tf.tanh(around(tf.transpose(x, [0, 3, 1, 2]), kernel) + tf.reshape(b, [1, 3, 1, 1]))
            return tf.transpose(tf.sigmoid(around(y, second)), [0, 2, 3, 1])

        def last(x):
            return tf.sigmoid(tf.nn.conv2d(tf.tanh(tf.nn.conv2d(x, kernel, 1, "SAME") + b), second, 1, "SAME"))

        body = {"last": last, "first": first}[form]
        return lambda x: tf.reduce_mean(body(x), [1, 2]) @ head

    return build


def rows(form: str):
    """A convolution along one axis, which TensorFlow has along two only."""

    def build(weights):
        kernel, head = weights(3, 2, 3, scale=3.0), weights(3, 3)
        ways = {
            "pictures": lambda x: tf.nn.conv2d(x[:, None], kernel[None], 1, "VALID", dilations=[1, 1, 2, 1]),
            "function": lambda x: tf.nn.conv1d(x, kernel, 1, "VALID", dilations=2),
            "convolution": lambda x: tf.nn.convolution(x, kernel, padding="VALID", dilations=[2]),
        }
        pooled = [1, 2] if form == "pictures" else [1]
        return lambda x: tf.reduce_mean(tf.tanh(ways[form](x)), pooled) @ head

    return build


def attention(form: str):
    """Attention with two heads: by einsum, by batched products of matrices."""

    def build(weights):
        q, k, v, o = weights(6, 2, 3), weights(6, 2, 3), weights(6, 2, 3), weights(2, 3, 6)
        head = weights(6, 3)

        def by_einsum(x):
            query, key, value = (tf.einsum("bti,ihd->bthd", x, w) for w in (q, k, v))
            scores = tf.nn.softmax(tf.einsum("bthd,bshd->bhts", query, key) / math.sqrt(3.0))
            return tf.einsum("bthd,hdo->bto", tf.einsum("bhts,bshd->bthd", scores, value), o)

        def by_products(x):
            def heads(w):
                return tf.transpose(tf.reshape(x @ tf.reshape(w, [6, 6]), [-1, 4, 2, 3]), [0, 2, 1, 3])

            scores = tf.nn.softmax(tf.matmul(heads(q) * (1.0 / math.sqrt(3.0)), heads(k), transpose_b=True))
            joined = tf.reshape(tf.transpose(scores @ heads(v), [0, 2, 1, 3]), [-1, 4, 6])
            return joined @ tf.reshape(o, [6, 6])

        body = {"einsum": by_einsum, "products": by_products}[form]
        return lambda x: tf.reduce_mean(body(x), 1) @ head

    return build


def family(name: str, forms: dict, build, inputs):
    """A fixture for each form; each equals the first."""
    first, *_ = forms
    return [
        module_fixture(f"pair_{name}_{form}", build(how), inputs, f"{name}: {form}", seed=f"pair_{name}",
                       equals="" if form == first else f"pair_{name}_{first}")
        for form, how in forms.items()
    ]


LINEAR = {form: form for form in ("matmul", "added", "einsum", "tensordot", "transposed", "convolved")}
ATTENTION = {form: form for form in ("einsum", "products")}

FIXTURES = [
    *(fixture for name, forms in FORMS.items() for fixture in family(name, forms, around, normal(x=(3, 4)))),
    *family("linear", LINEAR, linear, normal(x=(3, 4))),
    *family("dilated", {form: form for form in ("attribute", "function", "at_run_time", "blocks", "old_blocks")}, dilated, normal(x=(2, 7, 8, 2))),
    *family("turned", {form: form for form in ("last", "first")}, turned, normal(x=(2, 4, 5, 2))),
    *family("rows", {form: form for form in ("pictures", "function", "convolution")}, rows, normal(x=(2, 7, 2))),
    *family("attention", ATTENTION, attention, normal(x=(2, 4, 6))),
]
