"""Trains the SavedModels of the examples with Keras, on the same data as `train_demo.py` does for PyTorch.

    python python_shims/train_keras_demo.py [--out examples]

Needs tensorflow-cpu and scikit-learn. Seeds are fixed. Writes models/digits_keras, models/breast_cancer_keras and the names of their units.
"""

import argparse
import json
import shutil
from pathlib import Path

from make_savedmodels import prune, run  # first: it says how TensorFlow shall start

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

HERE = Path(__file__).resolve().parent
SEED = 7


def digits_cnn() -> keras.Model:
    """[N, 8, 8, 1] of 0…1 to [N, 10] logits."""
    x = image = keras.Input((8, 8, 1), name="image")
    for channels in (12, 20):
        x = layers.Conv2D(channels, 3, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    x = layers.Dropout(0.3)(layers.Dense(20, activation="relu")(x))
    return keras.Model(image, layers.Dense(10, name="logits")(x))


def breast_cancer_mlp(mean: np.ndarray, variance: np.ndarray) -> keras.Model:
    """[N, 30] measurements, as in the table, to [N, 2] logits (malignant, benign)."""
    features = keras.Input((30,), name="features")
    x = layers.Normalization(mean=mean, variance=variance)(features)
    x = layers.Dropout(0.2)(layers.Dense(16, activation="relu")(x))
    x = layers.Dense(8, activation="relu")(x)
    return keras.Model(features, layers.Dense(2, name="logits")(x))


def train(model: keras.Model, x: np.ndarray, y: np.ndarray, epochs: int, decay: float) -> None:
    steps = epochs * -(-len(x) // 64)
    optimiser = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps), weight_decay=decay)
    model.compile(optimiser, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)


def save(model: keras.Model, path: Path, labels: list[str], x: np.ndarray, y: np.ndarray) -> None:
    """Writes what explanations need, and prints how often the saved model is right."""
    shutil.rmtree(path, ignore_errors=True)
    model.export(str(path), format="tf_saved_model", verbose=False)
    _, outputs = run(path, {"input": x})
    prune(path, whole=False)
    path.with_suffix(".labels.json").write_text(json.dumps(labels) + "\n")
    (scores,) = outputs.values()
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(f"{path.name}: {100 * (scores.argmax(1) == y).mean():.1f} % of {len(y)}, {size} bytes")


def digits(out: Path) -> None:
    data = load_digits()
    images = (data.images / 16.0).astype(np.float32)[..., None]
    train_x, test_x, train_y, test_y = train_test_split(images, data.target, test_size=0.2, random_state=SEED, stratify=data.target)
    keras.utils.set_random_seed(SEED)
    model = digits_cnn()
    train(model, train_x, train_y, 60, 1e-2)
    save(model, out / "models" / "digits_keras", [f"digit {digit}" for digit in range(10)], test_x, test_y)


def breast_cancer(out: Path) -> None:
    data = load_breast_cancer()
    table = data.data.astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(table, data.target, test_size=0.25, random_state=SEED, stratify=data.target)
    keras.utils.set_random_seed(SEED)
    model = breast_cancer_mlp(train_x.mean(0), train_x.var(0))
    train(model, train_x, train_y, 80, 5e-2)
    save(model, out / "models" / "breast_cancer_keras", data.target_names.tolist(), test_x, test_y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "examples")
    out = parser.parse_args().out
    digits(out)
    breast_cancer(out)


if __name__ == "__main__":
    main()
