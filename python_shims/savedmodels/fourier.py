"""Networks that listen, filter and mix by Fourier transforms, and others of complex numbers."""

import tensorflow as tf

from .kit import module_fixture, normal


def spectrogram(weights):
    """Sound by the logarithm of its power in bands, then convolved."""
    bands, kernel, head = weights(9, 5, positive=True), weights(3, 5, 4), weights(4, 3)

    def body(x):
        power = tf.square(tf.abs(tf.signal.stft(x, 16, 8, window_fn=tf.signal.hann_window)))
        x = tf.math.log(power @ bands + 1e-3)
        return tf.reduce_mean(tf.nn.relu(tf.nn.conv1d(x, kernel, 1, "VALID")), 1) @ head

    return body


def cepstrum(weights):
    """Sound by its cepstral coefficients: a transform of the logarithms of a spectrogram."""
    head = weights(6, 3)

    def body(x):
        power = tf.abs(tf.signal.stft(x, 32, 16))
        mel = power @ tf.signal.linear_to_mel_weight_matrix(8, 17, 8000, 100.0, 3800.0)
        cepstra = tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(mel + 1e-2))[..., :6]
        return tf.reduce_mean(cepstra, 1) @ head

    return body


def denoised(weights):
    """Frequencies are masked, and what is left is sound again."""
    mask, head = weights(9, 9), weights(64, 3)

    def body(x):
        heard = tf.signal.stft(x, 16, 8)
        kept = heard * tf.cast(tf.sigmoid(tf.abs(heard) @ mask), tf.complex64)
        window = tf.signal.inverse_stft_window_fn(8)
        return tf.signal.inverse_stft(kept, 16, 8, window_fn=window)[:, :64] @ head

    return body


def mixing(both):
    """FNet: a transform over places and features instead of attention, in one operator or along one axis after the other."""

    def build(weights):
        wide, narrow, head = weights(6, 12), weights(12, 6), weights(6, 3)

        def body(x):
            z = tf.cast(x, tf.complex64)
            if both:
                mixed = tf.signal.fft2d(z)
            else:
                mixed = tf.transpose(tf.signal.fft(tf.transpose(tf.signal.fft(z), [0, 2, 1])), [0, 2, 1])
            x = x + tf.math.real(mixed)
            x = x + tf.nn.gelu(x @ wide) @ narrow
            return x[:, 0] @ head

        return body

    return build


def long_filter(form):
    """Filters as long as the sequence, by half spectra, by whole ones or as the convolution that they are."""

    def build(weights):
        kernel, head = weights(4, 9), weights(4, 3)

        def body(x):
            x = tf.transpose(x, [0, 2, 1])
            if form == "direct":
                around = tf.transpose(tf.pad(x, [[0, 0], [0, 0], [8, 0]]), [0, 2, 1])[:, None]
                taps = tf.transpose(tf.reverse(kernel, [1]))[None, :, :, None]
                x = tf.transpose(tf.nn.depthwise_conv2d(around, taps, [1, 1, 1, 1], "VALID")[:, 0], [0, 2, 1])
            elif form == "half":
                spectrum = tf.signal.rfft(x, [18]) * tf.signal.rfft(kernel, [18])
                x = tf.signal.irfft(spectrum, [18])[..., :9]
            else:
                whole = [tf.signal.fft(tf.cast(tf.pad(part, [[0, 0]] * (len(part.shape) - 1) + [[0, 9]]), tf.complex64)) for part in (x, kernel)]
                x = tf.math.real(tf.signal.ifft(whole[0] * whole[1] / tf.complex(3.0, 0.0)))[..., :9] * 3.0
            return tf.reduce_mean(tf.nn.gelu(x), -1) @ head

        return body

    return build


def operator(in_complex):
    """A neural operator: the lowest frequencies are mixed by complex weights, in complex numbers or in real ones."""

    def build(weights):
        enter, real, imaginary, beside, head = weights(2, 4), weights(4, 4, 3), weights(4, 4, 3), weights(4, 4), weights(4, 1)

        def body(x):
            x = x @ enter
            spectrum = tf.signal.rfft(tf.transpose(x, [0, 2, 1]))[:, :, :3]
            if in_complex:
                mixed = tf.einsum("bix,iox->box", spectrum, tf.complex(real, imaginary))
            else:
                a, b = tf.math.real(spectrum), tf.math.imag(spectrum)

                def product(a, b):
                    return tf.einsum("bix,iox->box", a, b)

                mixed = tf.complex(product(a, real) - product(b, imaginary), product(a, imaginary) + product(b, real))
            mixed = tf.signal.irfft(tf.pad(mixed, [[0, 0], [0, 0], [0, 3]]), [10])
            return tf.nn.gelu(tf.transpose(mixed, [0, 2, 1]) + x @ beside) @ head

        return body

    return build


def volumes(weights):
    """Transforms over two and three axes, there and back, with more and with fewer points."""
    filters, deep, head = [weights(6, 4), weights(6, 4)], [weights(4, 4, 4), weights(4, 4, 4)], weights(144, 3)

    def body(x):
        plane = tf.signal.rfft2d(x, [6, 6])
        x = tf.signal.irfft2d(plane * tf.complex(*filters), [4, 6])
        volume = tf.signal.rfft3d(x[:, None], [4, 4, 6])
        x = tf.signal.irfft3d(volume * tf.complex(*deep), [4, 6, 6])
        z = tf.signal.ifft3d(tf.signal.fft3d(tf.cast(x, tf.complex64)) * tf.complex(0.5, 0.25))
        z = tf.signal.ifft2d(tf.signal.ifft(tf.signal.fft2d(z)) * 2.0)
        return tf.reshape(tf.math.real(z) + tf.math.imag(z), [-1, 144]) @ head

    return body


def rotated(in_complex):
    """Rotary positions, in complex numbers or in real ones."""

    def build(weights):
        project, head = weights(4, 24), weights(8, 3)
        angles = tf.range(5.0)[:, None] / [1.0, 10.0, 100.0, 1000.0]

        def turned(x):
            pairs = tf.reshape(x, [-1, 5, 4, 2])
            if in_complex:
                z = tf.complex(pairs[..., 0], pairs[..., 1]) * tf.complex(tf.cos(angles), tf.sin(angles))
                return tf.reshape(tf.stack([tf.math.real(z), tf.math.imag(z)], -1), [-1, 5, 8])
            a, b = pairs[..., 0], pairs[..., 1]
            c, d = tf.cos(angles), tf.sin(angles)
            return tf.reshape(tf.stack([a * c - b * d, a * d + b * c], -1), [-1, 5, 8])

        def body(x):
            query, key, value = tf.split(x @ project, 3, -1)
            scores = tf.nn.softmax(tf.matmul(turned(query), turned(key), transpose_b=True) / 8.0 ** 0.5)
            return (scores @ value)[:, -1] @ head

        return body

    return build


def arithmetic(weights):
    """Sums, products, quotients, matrices and parts of complex numbers, and what moves them."""
    matrix, head = [weights(4, 4), weights(4, 4)], weights(32, 3)

    def body(x):
        z = tf.complex(x, x[:, ::-1] * 0.5)
        z = tf.concat([z, -z[:, :2]], 1) + tf.math.conj(tf.roll(z, 1, 1))[:, :1]
        z = tf.matmul(z, tf.complex(*matrix)) / tf.complex(1.5, -0.5)
        scores = tf.matmul(z, z, adjoint_b=True)
        z = tf.gather(tf.reduce_mean(tf.stack([tf.matmul(scores, z), z]), 0), [4, 0, 2, 1], axis=1)
        return tf.concat([tf.reshape(tf.abs(z), [-1, 16]), tf.reshape(tf.math.angle(z), [-1, 16])], 1) @ head

    return body


WAVE, SEQUENCE = normal(x=(2, 64)), normal(x=(2, 9, 4))

FIXTURES = [
    module_fixture("fourier_spectrogram", spectrogram, WAVE, "a spectrogram in the model"),
    module_fixture("fourier_cepstrum", cepstrum, normal(x=(2, 96)), "cepstral coefficients in the model"),
    module_fixture("fourier_denoised", denoised, normal(x=(2, 72)), "frequencies masked, and back to sound"),
    module_fixture("fourier_mixing", mixing(True), normal(x=(2, 5, 6)), "FNet-like, over both axes at once", seed="mixing"),
    module_fixture("fourier_mixing_axes", mixing(False), normal(x=(2, 5, 6)), "the same, one axis after the other", seed="mixing", equals="fourier_mixing"),
    module_fixture("fourier_long_filter", long_filter("half"), SEQUENCE, "convolutions by half spectra", seed="long_filter"),
    module_fixture("fourier_long_filter_whole", long_filter("whole"), SEQUENCE, "the same, by whole spectra", seed="long_filter", equals="fourier_long_filter"),
    module_fixture("fourier_long_filter_direct", long_filter("direct"), SEQUENCE, "the same convolutions", seed="long_filter", equals="fourier_long_filter"),
    module_fixture("fourier_operator", operator(True), normal(x=(2, 10, 2)), "complex weights", seed="operator"),
    module_fixture("fourier_operator_real", operator(False), normal(x=(2, 10, 2)), "the same in real numbers", seed="operator", equals="fourier_operator"),
    module_fixture("fourier_volumes", volumes, normal(x=(2, 5, 7)), "transforms over two and three axes"),
    module_fixture("complex_rotary", rotated(True), normal(x=(2, 5, 4)), "rotary positions in complex numbers", seed="rotary"),
    module_fixture("complex_rotary_real", rotated(False), normal(x=(2, 5, 4)), "the same in real numbers", seed="rotary", equals="complex_rotary"),
    module_fixture("complex_arithmetic", arithmetic, normal(x=(2, 3, 4)), "arithmetic of complex numbers"),
]
