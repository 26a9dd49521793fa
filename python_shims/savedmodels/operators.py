"""Functions of TensorFlow itself, a theme a model: sums and products, reductions, movement, indices, resizing."""

import numpy as np
import tensorflow as tf

from .kit import module_fixture, normal

ROWS = normal(x=(2, 4, 6))


def classified(parts):
    """A model of what `parts(weights)` gives as a function of x: the results flattened, joined, classified."""

    def build(weights):
        body = parts(weights)
        width = sum(int(np.prod(part.shape[1:])) for part in body(tf.ones([2, 4, 6])))
        head = weights(width, 3)

        def call(x):
            return tf.concat([tf.reshape(part, [tf.shape(x)[0], -1]) for part in body(x)], 1) @ head

        return call

    return build


def products(weights):
    """Products of matrices in every form, of the input with weights and with itself."""
    square, wide, deep, cube = weights(6, 6), weights(3, 6), weights(2, 4, 6), weights(6, 2, 3)

    def parts(x):
        return [
            tf.einsum("bti,io->bto", x, square), tf.einsum("bti,bsi->bts", x, tf.tanh(x)), tf.einsum("abc,cde->abde", x, cube),
            tf.einsum("...ij,kj->...ik", x, wide), tf.matmul(x, wide, transpose_b=True), tf.matmul(x, x, transpose_b=True),
            tf.linalg.matvec(x, square[0]), tf.tensordot(x, cube, 1), tf.tensordot(x, square[:4], [[1], [0]]),
            tf.reshape(tf.matmul(tf.reshape(x, [-1, 6]), wide, transpose_b=True), [-1, 4, 3]), tf.einsum("bti,oti->bo", x, deep),
        ]

    return parts


def sums(weights):
    """Sums, products and quotients of elements, with weights and among themselves."""
    row, column = weights(6), weights(4, 1)

    def parts(x):
        y = tf.sigmoid(x) + 0.5
        return [
            x + row, x - column, row - x, tf.add_n([x, y, x]), x * y, x * row, x / y, 2.0 / y, tf.math.divide_no_nan(x, y), tf.maximum(x, y),
            tf.minimum(x, row), tf.math.squared_difference(x, y), tf.square(x), x ** 3.0, tf.pow(y, 0.5), -x, tf.abs(x), tf.nn.bias_add(x, row),
            tf.clip_by_value(x, -0.5, 0.7), tf.math.multiply_no_nan(x, x - row), x * 0.5 + 1.0, tf.math.xlogy(y, y),
        ]

    return parts


def functions(weights):
    """Functions of one element."""

    def parts(x):
        y = tf.abs(x) + 0.5
        return [
            tf.exp(x), tf.math.expm1(x), tf.math.log(y), tf.math.log1p(y), tf.sqrt(y), tf.math.rsqrt(y), tf.math.reciprocal(y), tf.sin(x),
            tf.cos(x), tf.atan(x), tf.sinh(x), tf.cosh(x), tf.asinh(x), tf.math.erf(x), tf.math.erfc(x), tf.floor(x) + x, tf.round(x) * x,
            tf.sign(x) * x, tf.math.cumsum(x, 1), tf.cast(tf.cast(x, tf.float64), tf.float32), tf.stop_gradient(x), tf.nn.crelu(x),
        ]

    return parts


def reductions(weights):
    """Sums, means, extremes over axes, running sums, the largest few, sorting."""

    def parts(x):
        best = tf.math.top_k(x, 2)
        return [
            tf.reduce_mean(x, 1), tf.reduce_sum(x, [1, 2]), tf.reduce_max(x, -1, keepdims=True), tf.reduce_min(x, 1), tf.math.reduce_logsumexp(x, -1),
            tf.math.reduce_std(x, -1), tf.math.reduce_variance(x, 1), tf.norm(x, axis=-1), best.values, tf.sort(x, -1),
            tf.gather(x, tf.argsort(x[:, :, 0], axis=1), axis=1, batch_dims=1), tf.math.cumsum(x, 1, exclusive=True, reverse=True),
            tf.gather(x, tf.argmax(x, 1), axis=1, batch_dims=1), tf.nn.moments(x, [1])[0], tf.nn.l2_normalize(x, -1),
        ]

    return parts


def products_of_all(weights):
    """Products over an axis and the extremes by magnitude: rare."""
    return lambda x: [tf.reduce_prod(x, 1), tf.math.cumprod(x, 1), tf.math.reduce_euclidean_norm(x, 1), tf.linalg.norm(x, ord=1, axis=1)]


def moves(weights):
    """Reordering, cutting, joining, repeating, padding."""

    def parts(x):
        first, second = tf.split(x, 2, -1)
        a, b, c = tf.split(x, [1, 2, 3], -1)
        image = tf.reshape(x, [-1, 4, 6, 1])
        return [
            tf.transpose(x, [0, 2, 1]), tf.stack(tf.unstack(x, axis=1)[::-1], 1), first * second, tf.concat([c, a, b], -1), tf.tile(x, [1, 2, 1]),
            tf.repeat(x, 2, 1), tf.reverse(x, [1, 2]), tf.roll(x, [1, 2], [1, 2]), tf.pad(x, [[0, 0], [1, 2], [0, 1]]),
            tf.pad(x, [[0, 0], [1, 1], [2, 0]], "REFLECT"), tf.pad(x, [[0, 0], [1, 0], [0, 1]], "SYMMETRIC"), tf.pad(x, [[0, 0], [0, 0], [1, 0]], constant_values=0.5),
            x[:, 1:3], x[:, ::-2, 1::2], x[:, -1], x[..., tf.newaxis, 2], tf.slice(x, [0, 1, 2], [-1, 2, 3]), tf.expand_dims(x, 2), tf.squeeze(image, -1),
            tf.nn.space_to_depth(image, 2), tf.nn.depth_to_space(tf.reshape(x, [-1, 2, 3, 4]), 2), tf.broadcast_to(x[:, :1], tf.shape(x)),
            tf.reverse_sequence(x, tf.fill(tf.shape(x)[:1], 3), 1, 0), tf.linalg.matrix_transpose(x), tf.batch_to_space(tf.tanh(tf.space_to_batch(image, [2, 2], [[0, 0], [0, 0]])), [2, 2], [[0, 0], [0, 0]]),
        ]

    return parts


def indices(weights):
    """Picking and writing at indices, choosing by truth values, triangles and diagonals."""

    def parts(x):
        row, batch = x[:, 0], tf.shape(x)[0]
        places = tf.stack([tf.range(batch), tf.ones([batch], tf.int32)], 1)
        updates = x[:, 3] * 2.0
        return [
            tf.gather(x, [2, 0, 2], axis=1), tf.gather_nd(x, places), tf.gather(x, [1, 1], axis=-1), tf.where(x > 0, x, 0.1 * x), tf.where(x > 0.5, 1.0, x),
            tf.scatter_nd(places, updates, tf.stack([batch, 3, 6])), tf.tensor_scatter_nd_update(x, places, updates), tf.tensor_scatter_nd_add(x, places, updates),
            tf.tensor_scatter_nd_max(x, places, updates), tf.linalg.band_part(x, -1, 0), tf.linalg.diag_part(x), tf.linalg.diag(row), tf.linalg.set_diag(x, x[:, :, 1]),
            tf.transpose(tf.math.unsorted_segment_sum(tf.transpose(x, [1, 0, 2]), [0, 2, 0, 1], 3), [1, 0, 2]), tf.transpose(tf.math.segment_sum(tf.transpose(x, [1, 0, 2]), [0, 0, 1, 1]), [1, 0, 2]),
            tf.transpose(tf.math.segment_mean(tf.transpose(x, [1, 0, 2]), [0, 0, 1, 1]), [1, 0, 2]),
            tf.transpose(tf.boolean_mask(tf.transpose(x, [1, 0, 2]), [True, False, True, True]), [1, 0, 2]), tf.one_hot(tf.argmax(x, -1), 6) * x,
            tf.transpose(tf.dynamic_stitch([[1, 3], [0, 2]], tf.dynamic_partition(tf.transpose(x, [1, 0, 2]), [0, 1, 0, 1], 2)), [1, 0, 2]),
        ]

    return parts


def resized(weights):
    """An image at other sizes."""

    def parts(x):
        image = tf.reshape(x, [-1, 4, 6, 1])
        v1 = tf.compat.v1.image
        return [
            tf.image.resize(image, [7, 5]), tf.image.resize(image, [3, 9], "nearest"), v1.resize_bilinear(image, [7, 5], align_corners=True),
            v1.resize_nearest_neighbor(image, [7, 5]), v1.resize_bilinear(image, [8, 3]), v1.resize_nearest_neighbor(image, [7, 5], align_corners=True),
            tf.image.flip_left_right(image), tf.image.central_crop(image, 0.5), tf.image.resize_with_crop_or_pad(image, 5, 4),
            tf.raw_ops.MirrorPad(input=image, paddings=[[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT"),
        ]

    return parts


def resized_rare(weights):
    """Kernels that few networks resize with, and patches."""

    def parts(x):
        image = tf.reshape(x, [-1, 4, 6, 1])
        return [
            tf.image.resize(image, [7, 5], "bicubic"), tf.image.resize(image, [7, 5], "area"), tf.image.resize(image, [3, 4], antialias=True),
            tf.image.extract_patches(image, [1, 2, 2, 1], [1, 1, 2, 1], [1, 1, 1, 1], "VALID"), tf.nn.local_response_normalization(image),
            tf.image.crop_and_resize(image, tf.tile([[0.0, 0.1, 0.8, 0.9]], [tf.shape(x)[0], 1]), tf.range(tf.shape(x)[0]), [3, 3]),
        ]

    return parts


def pools(weights):
    """Pooling by TensorFlow's own functions."""

    def parts(x):
        image = tf.reshape(x, [-1, 4, 6, 1])
        return [
            tf.nn.max_pool2d(image, 2, 2, [[0, 0], [1, 0], [0, 1], [0, 0]]), tf.nn.avg_pool2d(image, (2, 3), (1, 2), "SAME"),
            tf.nn.max_pool_with_argmax(image, 2, 2, "VALID")[0], tf.nn.max_pool1d(x, 2, 1, "SAME"), tf.nn.pool(image, [2, 2], "AVG", dilations=[1, 2]),
        ]

    return parts


def flattened(name, parts, **more):
    return module_fixture(name, classified(parts), ROWS, parts.__doc__, **more)


FIXTURES = [
    flattened("op_products", products),
    flattened("op_sums", sums),
    flattened("op_functions", functions),
    flattened("op_reductions", reductions),
    flattened("op_reductions_rare", products_of_all, common=False),
    flattened("op_moves", moves),
    flattened("op_indices", indices, common=False),
    flattened("op_resized", resized),
    flattened("op_resized_rare", resized_rare, common=False),
    flattened("op_pools", pools),
]
