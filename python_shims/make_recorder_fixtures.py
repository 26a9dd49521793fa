"""Writes the small TorchScript archives that the tests of crates/torch-recorder load.

    python python_shims/make_recorder_fixtures.py crates/torch-recorder/tests/data

Needs torch; run it in the root of the repository. Each archive is a few kilobytes; weights are seeded, so that writing them again gives the same models.
"""

import runpy
import sys
import zipfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn


class InPlace(nn.Module):
    """In-place twins, after which the old value is still used."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        z = self.second(y)
        y.relu_()
        y.add_(z)
        return y.mul_(2.0) + z


class InputWrite(nn.Module):
    """Writes into its own input."""

    def forward(self, x: Tensor) -> Tensor:
        x.add_(1.0)
        return x * 2.0


class ViewWrite(nn.Module):
    """Writes through views, then reads the base and another view."""

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        y = x * 2.0
        row = y[0]
        y[:, 1] = x[:, 0] + 1.0
        y[1:, 2:].mul_(3.0)
        return row.relu(), y.exp()


class LoopWrite(nn.Module):
    """Fills an empty tensor column by column; each column needs the one before."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[:, 0] = x[:, 0]
        for i in range(1, x.size(1)):
            y[:, i] = y[:, i - 1] * 0.5 + x[:, i]
        return y.sum(1)


class ForkWait(nn.Module):
    """Two tasks that may run on other threads, with in-place writes of their own."""

    def __init__(self):
        super().__init__()
        self.left = nn.Linear(8, 8)
        self.right = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        left = torch.jit.fork(self.branch, x, True)
        right = torch.jit.fork(self.branch, x, False)
        return torch.jit.wait(left) - torch.jit.wait(right)

    def branch(self, x: Tensor, left: bool) -> Tensor:
        y = self.left(x) if left else self.right(x)
        for i in range(4):
            y.add_(float(i)).relu_()
        return y


class Pair(NamedTuple):
    sum: Tensor
    product: Tensor


class Nested(nn.Module):
    """Nested inputs and outputs of every kind."""

    def forward(
        self, batch: Dict[str, Tensor], feats: List[Tensor], sizes: List[int], pair: Tuple[Tensor, float],
        extra: Optional[Tensor] = None,
    ) -> Dict[str, Tuple[Tensor, Pair, List[Tensor]]]:
        total = batch["ids"] + feats[0] * sizes[0] + pair[0] * pair[1]
        if extra is not None:
            total = total + extra
        return {"logits": (total, Pair(total + 1.0, total * 2.0), [feats[1], batch["mask"]])}


class Numbers(nn.Module):
    """Takes numbers, with defaults."""

    def forward(self, x: Tensor, rate: int, gain: float = 2.0, flip: bool = False, mode: str = "plain") -> Tensor:
        if rate == 16000:
            x = x * gain
        if flip:
            x = -x
        if mode == "square":
            x = x * x
        return x


class Stateful(nn.Module):
    """Keeps a hidden state from call to call, and counts its calls in a buffer."""

    state: Tensor

    def __init__(self):
        super().__init__()
        self.cell = nn.Linear(3, 3)
        self.state = torch.zeros(1, 3)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1.0
        self.state = torch.tanh(self.cell(x) + self.state) * self.calls
        return self.state


class BufferWrite(nn.Module):
    """Writes into a buffer, in place and through a view, without assigning any attribute."""

    def __init__(self):
        super().__init__()
        self.register_buffer("memory", torch.ones(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        self.memory[0].add_(x)
        return self.memory * 2.0


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y += x
        return self.relu(y)


class ConvNet(nn.Module):
    """Names, paths and in-place activations as in a residual network."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.layer1 = nn.Sequential(Residual(), Residual())
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer1(self.stem(x))
        x = torch.nn.functional.adaptive_avg_pool2d(x, (1, 1))
        return self.fc(torch.flatten(x, 1))


class Recurrent(nn.Module):
    """Weights that reach the operator inside a list."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, num_layers=2, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(x)
        return self.head(y[:, -1])


class Torture(nn.Module):
    """Indexing with lists, out= variants, in-place changes of shape, views back to the same elements, early exits."""

    def forward(self, x: Tensor, steps: int) -> Tuple[Tensor, Tensor, Tensor]:
        same = x.unsqueeze(0).squeeze(0)
        y = same + 1.0
        index = torch.argsort(y[:, 0])
        y[index, 0] = y[:, 1]
        y[y > 4.0] = 4.0
        out = torch.empty([0])
        torch.mul(y, 3.0, out=out)
        flipped = out.clone()
        flipped.t_()
        pieces = torch.jit.annotate(List[Tensor], [])
        i = 0
        while True:
            if i >= steps:
                break
            i += 1
            if i == 2:
                continue
            piece = y.narrow(0, i % 2, 1)
            piece += float(i)
            pieces.append(piece.clone())
        parts = y.chunk(2, 1)
        parts[0].zero_()
        return torch.cat(pieces), flipped + 0.5, y + x


class Masked(nn.Module):
    """A mask that is written while it is made and comes back in a tuple; the weights are never written."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def merged(self, mask: Optional[Tensor]) -> Tuple[Optional[Tensor], int]:
        kind = 0
        if mask is not None:
            mask = torch.zeros_like(mask, dtype=torch.float32).masked_fill_(mask, -1.0)
            kind = 1
        return mask, kind

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        bias, kind = self.merged(mask)
        y = self.linear(x)
        if bias is not None:
            y = y + bias * kind
        return y


class Growing(nn.Module):
    """A list that is an argument before it grows, and a linear layer whose sums depend on whether weights have gradients."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        features = [x.transpose(0, 1)]
        features.append(self.first(torch.cat(features, 2).transpose(0, 1)).transpose(0, 1))
        features.append(self.second(torch.cat(features, 2)))
        return torch.cat(features, 2)


MODELS = {
    "in_place": InPlace,
    "input_write": InputWrite,
    "view_write": ViewWrite,
    "loop_write": LoopWrite,
    "fork_wait": ForkWait,
    "nested": Nested,
    "numbers": Numbers,
    "stateful": Stateful,
    "buffer_write": BufferWrite,
    "conv_net": ConvNet,
    "recurrent": Recurrent,
    "torture": Torture,
    "masked": Masked,
    "growing": Growing,
}


def without_debug_files(archive: Path) -> None:
    """Removes where the code came from: for library modules that is a path of the machine that wrote the archive."""
    with zipfile.ZipFile(archive) as old:
        entries = [(name, old.read(name)) for name in old.namelist() if not name.endswith(".debug_pkl")]
    with zipfile.ZipFile(archive, "w") as new:
        for name, data in entries:
            new.writestr(zipfile.ZipInfo(name), data)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in MODELS.items():
        torch.manual_seed(7)
        save(torch.jit.script(model().eval()), folder / f"{name}.pt")
    torch.manual_seed(7)
    save(torch.jit.trace(ConvNet().eval(), torch.ones(1, 3, 8, 8)), folder / "conv_net_traced.pt")


def save(module: torch.jit.ScriptModule, path: Path) -> None:
    module.save(str(path))
    if any(True for _ in module.children()):
        without_debug_files(path)


if __name__ == "__main__":
    if Path(__file__).is_absolute():
        # Archives tell where their code came from: let that be a path inside the repository.
        runpy.run_path("python_shims/make_recorder_fixtures.py", run_name="__main__")
    else:
        main()
