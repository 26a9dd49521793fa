"""Writes the twins of the tests: the same networks with the same weights for PyTorch and for TensorFlow.

    python python_shims/make_twins.py [--out tests/twins]

Needs Python 3.11, torch 2.13.0, tensorflow-cpu 2.21.0 and safetensors. Writes NAME/model.pt, NAME/saved_model,
NAME/inputs.safetensors and index.json; the README there says what they hold.
"""

import argparse
import json
import shutil
from pathlib import Path

from make_savedmodels import prune, run  # first: it says how TensorFlow shall start

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from savedmodels.kit import randomise, seeded
from savedmodels.networks import gru, lstm, mlp, transformer
from torch import Tensor, nn

from archive import fix_hashes, tidy

HERE = Path(__file__).resolve().parent
IMAGE = [0, 3, 1, 2]  # from [N, H, W, C] to [N, C, H, W]


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(8, 16), nn.Linear(16, 12), nn.Linear(12, 3)

    def forward(self, features: Tensor) -> Tensor:
        return F.softmax(self.head(F.gelu(self.second(F.relu(self.first(features))))), dim=1)


def cnn(keras):
    """Convolution, norm, pooling, and the same without a norm."""
    layers = keras.layers
    x = inputs = keras.Input((12, 12, 2), name="image")
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(x))
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(6, 3, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.second, self.head = nn.Conv2d(4, 6, 3), nn.Linear(6, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.first(image))), 2)
        return self.head(F.relu(self.second(x)).mean((2, 3)))


def unet(keras):
    """Two levels: up by a transposed convolution, then by interpolation, the finer image joined each time."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 1), name="image")
    fine = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    coarse = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D()(fine))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(coarse))
    x = layers.Concatenate()([layers.Conv2DTranspose(6, 2, strides=2)(x), coarse])
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), fine])
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fine, self.coarse, self.deep = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.up, self.joined, self.head = nn.ConvTranspose2d(8, 6, 2, 2), nn.Conv2d(12, 4, 3, padding=1), nn.Conv2d(8, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        fine = F.relu(self.fine(image))
        coarse = F.relu(self.coarse(F.max_pool2d(fine, 2)))
        x = F.relu(self.deep(F.max_pool2d(coarse, 2)))
        x = F.relu(self.joined(torch.cat([self.up(x), coarse], 1)))
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return torch.sigmoid(self.head(torch.cat([x, fine], 1)))


def responses(keras):
    """Responses divided by those of neighbouring channels: before, within and behind convolutions."""
    layers = keras.layers

    def divided(x):
        return layers.Lambda(lambda x: tf.nn.local_response_normalization(x, 2, bias=1.5, alpha=0.2, beta=0.75))(x)

    inputs = keras.Input((7, 6, 4), name="image")
    x = divided(layers.Conv2D(6, 3, activation="relu")(divided(inputs)))
    x = divided(layers.Conv2D(5, 2)(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


class Responses(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(4, 6, 3), nn.Conv2d(6, 5, 2), nn.Linear(5, 3)

    def forward(self, image: Tensor) -> Tensor:
        def divided(x: Tensor) -> Tensor:
            return F.local_response_norm(x, 5, alpha=0.2 * 5, beta=0.75, k=1.5)

        x = divided(F.relu(self.first(divided(image))))
        return self.head(divided(self.second(x)).mean((2, 3)))


def dilated(keras):
    """Convolutions with dilation, each with a gate behind it: along two axes, by channel, without a bias."""
    layers = keras.layers
    inputs = keras.Input((9, 8, 2), name="image")
    x = layers.Conv2D(4, 3, dilation_rate=2, padding="same", activation="tanh")(inputs)
    x = layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", depth_multiplier=2, activation="sigmoid")(x)
    x = layers.Conv2D(3, (2, 3), dilation_rate=(1, 2), use_bias=False, activation="tanh")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


class Dilated(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.deep = nn.Conv2d(2, 4, 3, dilation=2, padding=2), nn.Conv2d(4, 8, 3, dilation=2, padding=2, groups=4)
        self.last, self.head = nn.Conv2d(8, 3, (2, 3), dilation=(1, 2), bias=False), nn.Linear(3, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.sigmoid(self.deep(torch.tanh(self.first(image))))
        return self.head(torch.tanh(self.last(x)).mean((2, 3)))


def causal(keras):
    """Convolutions that look back, each twice as far as the one before."""
    layers = keras.layers
    x = inputs = keras.Input((11, 2), name="sequence")
    x = layers.Conv1D(4, 3, padding="causal", activation="tanh")(x)
    x = layers.Conv1D(4, 3, dilation_rate=2, padding="causal", activation="tanh")(x)
    x = layers.Conv1D(3, 2, dilation_rate=4, padding="causal", use_bias=False, activation="sigmoid")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.four = nn.Conv1d(2, 4, 3), nn.Conv1d(4, 4, 3, dilation=2), nn.Conv1d(4, 3, 2, dilation=4, bias=False)
        self.head = nn.Linear(3, 3)

    def forward(self, sequence: Tensor) -> Tensor:
        x = torch.tanh(self.one(F.pad(sequence.transpose(1, 2), (2, 0))))
        x = torch.tanh(self.two(F.pad(x, (4, 0))))
        return self.head(torch.sigmoid(self.four(F.pad(x, (4, 0)))).mean(2))


def volume(keras):
    layers = keras.layers
    x = inputs = keras.Input((6, 5, 5, 2), name="volume")
    x = layers.Conv3D(3, 2, dilation_rate=(2, 1, 2), activation="tanh")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling3D()(x)))


class Volume(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Conv3d(2, 3, 2, dilation=(2, 1, 2)), nn.Linear(3, 3)

    def forward(self, volume: Tensor) -> Tensor:
        return self.head(torch.tanh(self.first(volume)).mean((2, 3, 4)))


@keras.saving.register_keras_serializable()
class Bands(keras.layers.Layer):
    """Sound as the logarithm of its power by time and frequency."""

    def call(self, x):
        return tf.math.log(tf.square(tf.abs(tf.signal.stft(x, 16, 8))) + 1e-3)


def spectrogram(keras):
    """A convolution over the spectrogram of a sound."""
    layers = keras.layers
    inputs = keras.Input((72,), name="sound")
    x = layers.Conv1D(4, 3, activation="relu")(Bands()(inputs))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


class Spectrogram(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(16))
        self.first, self.head = nn.Conv1d(9, 4, 3), nn.Linear(4, 3)

    def forward(self, sound: Tensor) -> Tensor:
        heard = torch.stft(sound, 16, 8, window=self.window, center=False, return_complex=True)
        return self.head(F.relu(self.first(torch.log(heard.abs() ** 2 + 1e-3))).mean(2))


class Recurrent(nn.Module):
    """Two recurrent layers and a classifier of the last step."""

    def __init__(self, cell):
        super().__init__()
        self.first, self.second, self.head = cell(4, 5, batch_first=True), cell(5, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.head(self.second(self.first(sequence)[0])[0][:, -1])


def gru_after(keras):
    """As PyTorch's GRU: the reset gate acts after the product."""
    layers = keras.layers
    x = inputs = keras.Input((None, 4), name="sequence")
    x = layers.GRU(4)(layers.GRU(5, return_sequences=True)(x))
    return keras.Model(inputs, layers.Dense(2)(x))


class Transformer(nn.Module):
    """An encoder block, its norms behind the sums, over embedded tokens."""

    def __init__(self):
        super().__init__()
        self.table, self.attention = nn.Embedding(20, 8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm1, self.wide, self.narrow, self.norm2 = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8), nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        x = self.norm1(x + self.attention(x, x, x, need_weights=False)[0])
        x = self.norm2(x + self.narrow(F.gelu(self.wide(x))))
        return self.head(x.mean(1))


def gates(kernel: np.ndarray, cell: str) -> np.ndarray:
    """Keras' gates (last axis) in PyTorch's order: GRU's first two change places."""
    if cell == "LSTM":
        return kernel
    update, reset, new = np.split(kernel, 3, axis=-1)
    return np.concatenate([reset, update, new], axis=-1)


def weights(layer) -> list[np.ndarray]:
    """A Keras layer's weights as PyTorch has them, in the order of the module's parameters and then its statistics."""
    values, kind = [np.asarray(weight) for weight in layer.weights], type(layer).__name__
    if kind == "Dense":
        return [values[0].T, *values[1:]]
    if kind == "DepthwiseConv2D":
        kernel = values[0].transpose(2, 3, 0, 1)
        return [kernel.reshape(-1, 1, *kernel.shape[2:]), *values[1:]]
    if kind in ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose"):
        places = range(values[0].ndim - 2)
        return [values[0].transpose(len(places) + 1, len(places), *places), *values[1:]]
    if kind in ("LSTM", "GRU"):
        kernel, recurrent, bias = (gates(value, kind) for value in values)
        bias = bias if kind == "GRU" else np.stack([bias, 0 * bias])
        return [kernel.T, recurrent.T, *bias]
    if kind == "MultiHeadAttention":
        wide = [value.reshape(8, 8).T if value.ndim == 3 else value.reshape(-1) for value in values]
        return [np.concatenate(wide[0:6:2]), np.concatenate(wide[1:6:2]), *wide[6:]]
    return values


def copy(model, module: nn.Module) -> None:
    """Gives the module the weights of the model; both name their layers in the same order."""
    tensors = [tensor for part in module.children() for tensor in part.state_dict().values() if tensor.is_floating_point()]
    values = [value for layer in model.layers for value in weights(layer)]
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(value)))


# Name: Keras' network, PyTorch's, an input, and how the axes of TensorFlow's input become those of PyTorch's.
TWINS = {
    "mlp": (mlp, Mlp, lambda random: random.normal(size=(4, 8)).astype(np.float32), None),
    "cnn": (cnn, Cnn, lambda random: random.normal(size=(2, 12, 12, 2)).astype(np.float32), IMAGE),
    "unet": (unet, UNet, lambda random: random.normal(size=(1, 8, 8, 1)).astype(np.float32), IMAGE),
    "dilated": (dilated, Dilated, lambda random: random.normal(size=(2, 9, 8, 2)).astype(np.float32), IMAGE),
    "responses": (responses, Responses, lambda random: random.normal(size=(2, 7, 6, 4)).astype(np.float32), IMAGE),
    "causal": (causal, Causal, lambda random: random.normal(size=(2, 11, 2)).astype(np.float32), None),
    "volume": (volume, Volume, lambda random: random.normal(size=(1, 6, 5, 5, 2)).astype(np.float32), [0, 4, 1, 2, 3]),
    "spectrogram": (spectrogram, Spectrogram, lambda random: random.normal(size=(2, 72)).astype(np.float32), None),
    "lstm": (lstm, lambda: Recurrent(nn.LSTM), lambda random: random.normal(size=(2, 6, 4)).astype(np.float32), None),
    "gru": (gru_after, lambda: Recurrent(nn.GRU), lambda random: random.normal(size=(2, 6, 4)).astype(np.float32), None),
    "transformer": (transformer, Transformer, lambda random: random.integers(0, 20, (2, 6)).astype(np.int32), None),
}


def write(name: str, out: Path) -> dict:
    build, twin, make_input, axes = TWINS[name]
    shutil.rmtree(out / name, ignore_errors=True)
    (out / name).mkdir(parents=True)
    keras.backend.clear_session()
    model, module = build(keras), twin().eval()
    randomise(model, f"twin {name}")
    value = make_input(seeded(f"twin {name} input"))
    turned = np.ascontiguousarray(value if axes is None else value.transpose(axes))
    archive, directory = out / name / "model.pt", out / name / "saved_model"
    with torch.no_grad():
        copy(model, module)
        traced = torch.jit.trace(module, torch.from_numpy(turned), check_trace=False)
        traced.save(str(archive))
        tidy(archive, HERE, lines=False)
        output = torch.jit.load(str(archive))(torch.from_numpy(turned)).numpy()
    model.export(str(directory), format="tf_saved_model", verbose=False)
    inputs, outputs = run(directory, {"input": value})
    prune(directory, whole=False)
    (expected,) = outputs.values()
    same_axes = expected if expected.ndim != 4 else expected.transpose(IMAGE)
    np.testing.assert_allclose(output, same_axes, atol=1e-5, rtol=1e-5, err_msg=name)
    tensors = {"torch:input": turned, "torch:output": output, "tensorflow:input": value, "tensorflow:output": expected}
    save_file({key: np.ascontiguousarray(tensor) for key, tensor in tensors.items()}, out / name / "inputs.safetensors")
    (input_name,) = inputs
    return {"name": name, "input": input_name, "axes": axes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "tests" / "twins")
    out = parser.parse_args().out
    fix_hashes()
    torch.set_num_threads(1)
    entries = [write(name, out) for name in TWINS]
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    (out / "index.json").write_text(f'{{"twins": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
