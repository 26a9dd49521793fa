"""Traces and scripts torchvision's models, with random weights, to try the product on models made by others.

    python python_shims/make_torchvision.py OUT_DIR [NAME…]

Writes NAME.traced.pt, NAME.scripted.pt (what torchvision allows of the two) and NAME.npy, an input; nothing is
downloaded and nothing of it belongs in the repository. All models together take about 4 GB.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision.models as zoo
from torch import nn
from torchvision.models import detection, segmentation

SEED = 3
CLASSIFIERS = {name: 224 for name in (
    "resnet18", "resnet50", "vgg16", "mobilenet_v2", "mobilenet_v3_small", "densenet121", "efficientnet_b0", "googlenet", "shufflenet_v2_x1_0",
    "squeezenet1_1", "alexnet", "mnasnet1_0", "regnet_y_400mf", "convnext_tiny", "vit_b_16", "swin_t", "swin_v2_t", "maxvit_t")} | {"inception_v3": 299}
SEGMENTERS = {"fcn_resnet50": 96, "deeplabv3_mobilenet_v3_large": 128, "lraspp_mobilenet_v3_large": 128}
DETECTORS = {"ssdlite320_mobilenet_v3_large": 320, "fasterrcnn_mobilenet_v3_large_320_fpn": 320}


def build(name: str) -> nn.Module:
    if name in SEGMENTERS:
        return getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=21)
    if name in DETECTORS:
        return getattr(detection, name)(weights=None, weights_backbone=None, num_classes=21)
    settings = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    return getattr(zoo, name)(weights=None, **settings)


def settle(model: nn.Module, x: torch.Tensor) -> None:
    """Batch norms take the statistics of one batch of noise: with the fresh ones deep models vanish or explode.
    Heads that start as zeros get random weights."""
    for part in model.modules():
        if isinstance(part, nn.Linear) and not part.weight.any():
            nn.init.normal_(part.weight, std=0.02)
    norms = [part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()(torch.randn(4, *x.shape[1:]))
    for norm, momentum in zip(norms, kept):
        norm.momentum = momentum


def attempt(make, path: Path) -> str:
    try:
        make().save(str(path))
        return f"{path.name}: {path.stat().st_size / 1e6:.0f} MB"
    except Exception as error:  # whatever torch says of this model is the result
        path.unlink(missing_ok=True)
        return f"{path.name}: {type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"


def write(name: str, size: int, out: Path) -> None:
    torch.manual_seed(SEED)
    x = torch.randn(1, 3, size, size)
    model = build(name)
    if name not in DETECTORS:
        settle(model, x)
    model.eval()
    np.save(out / f"{name}.npy", x.numpy()[0] if name in DETECTORS else x.numpy())
    if name not in DETECTORS:  # a detector takes a list of images of any size: a trace of it holds for one
        print(attempt(lambda: torch.jit.trace(model, x, strict=False, check_trace=False), out / f"{name}.traced.pt"), flush=True)
    print(attempt(lambda: torch.jit.script(model), out / f"{name}.scripted.pt"), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", help="only these models")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    every = CLASSIFIERS | SEGMENTERS | DETECTORS
    torch.set_num_threads(1)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in options.names or every:
            write(name, every[name], options.out)


if __name__ == "__main__":
    main()
