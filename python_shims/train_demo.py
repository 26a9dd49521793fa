"""Trains the two models of the examples on real data and writes both models and some of the data.

    python python_shims/train_demo.py [--out examples]

Needs torch, scikit-learn (it carries both UCI tables), pillow and numpy. Seeds are fixed.
Writes models/digits_cnn.pt, models/breast_cancer_mlp.pt, the names of their units and, from the test part only, data/.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from archive import fix_hashes, tidy

HERE = Path(__file__).resolve().parent
SEED = 7


class DigitsCnn(nn.Module):
    """[N, 1, 8, 8] of 0…1 to [N, 10] logits."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(12)
        self.conv2 = nn.Conv2d(12, 20, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(20)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(20 * 4 * 4, 20)
        self.dropout = nn.Dropout(0.3)
        self.logits = nn.Linear(20, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.norm1(self.conv1(image)))
        x = self.pool(torch.relu(self.norm2(self.conv2(x))))
        x = torch.relu(self.hidden(torch.flatten(x, 1)))
        return self.logits(self.dropout(x))


class BreastCancerMlp(nn.Module):
    """[N, 30] measurements, as in the table, to [N, 2] logits (malignant, benign)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.layers = nn.Sequential(
            nn.Linear(30, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers((features - self.mean) / self.deviation)


def train(model: nn.Module, x: Tensor, y: Tensor, epochs: int, decay: float) -> nn.Module:
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
        schedule.step()
    return model.eval()


def save(model: nn.Module, path: Path, labels: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.script(model).save(str(path))
    tidy(path, HERE, lines=True)
    path.with_suffix(".labels.json").write_text(json.dumps(labels) + "\n")


def accuracy(path: Path, x: Tensor, y: Tensor) -> float:
    """Of the archive, in percent."""
    return 100.0 * (torch.jit.load(str(path))(x).argmax(1) == y).double().mean().item()


def digits(out: Path) -> None:
    data = load_digits()
    images = (data.images / 16.0).astype(np.float32)[:, None]
    split = train_test_split(images, data.target, np.arange(len(images)), test_size=0.2, random_state=SEED, stratify=data.target)
    train_x, test_x, train_y, test_y = map(torch.from_numpy, split[:4])
    torch.manual_seed(SEED)
    path = out / "models" / "digits_cnn.pt"
    save(train(DigitsCnn(), train_x, train_y, 60, 1e-2), path, [f"digit {digit}" for digit in range(10)])
    print(f"digits: {accuracy(path, test_x, test_y):.1f} % of {len(test_y)} test images, {path.stat().st_size} bytes")

    folder = out / "data"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "digits_test.npz", image=test_x[:60].numpy(), label=test_y[:60].numpy())
    right = torch.jit.load(str(path))(test_x).argmax(1) == test_y
    for digit in (0, 3, 4, 7, 8):
        first = int(torch.nonzero((test_y == digit) & right)[0])
        grey = np.rint(test_x[first, 0].numpy() * 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"digit_{digit}.png", optimize=True)


def breast_cancer(out: Path) -> None:
    data = load_breast_cancer()
    split = train_test_split(data.data, data.target, test_size=0.25, random_state=SEED, stratify=data.target)
    train_x, test_x = (torch.from_numpy(part).float() for part in split[:2])
    train_y, test_y = map(torch.from_numpy, split[2:])
    torch.manual_seed(SEED)
    path = out / "models" / "breast_cancer_mlp.pt"
    model = BreastCancerMlp(train_x.mean(0), train_x.std(0))
    save(train(model, train_x, train_y, 80, 5e-2), path, data.target_names.tolist())
    print(f"breast cancer: {accuracy(path, test_x, test_y):.1f} % of {len(test_y)} test rows, {path.stat().st_size} bytes")

    folder = out / "data"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "breast_cancer.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(name.replace(" ", "_") for name in data.feature_names)
        rows.writerows([f"{value:.6g}" for value in row] for row in split[1][:40])
    with (folder / "breast_cancer_labels.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["diagnosis"])
        rows.writerows([data.target_names[label]] for label in split[3][:40])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "examples")
    out = parser.parse_args().out
    fix_hashes()
    torch.set_num_threads(1)
    digits(out)
    breast_cancer(out)


if __name__ == "__main__":
    main()
