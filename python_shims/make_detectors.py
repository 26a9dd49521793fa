"""Writes detectors of torchvision with random weights as TorchScript, to try out what explains a box.

    python python_shims/make_detectors.py DIR [NAME…]

Needs Python 3.11, torch 2.13.0 and torchvision 0.28.0. They take a list of pictures `[3, H, W]` and give the losses of training
(none) and for each picture a dictionary of boxes, labels and scores.
"""

import argparse
import sys
from pathlib import Path

import torch
from torchvision.models import detection as d
from torchvision.models.resnet import resnet18
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

NONE = {"weights": None, "weights_backbone": None}


def retinanet():
    backbone = _resnet_fpn_extractor(resnet18(weights=None), 5, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256))
    return d.RetinaNet(backbone, num_classes=4, min_size=128, max_size=160, score_thresh=0.0, detections_per_img=5, topk_candidates=50)


MODELS = {
    "ssdlite": lambda: d.ssdlite320_mobilenet_v3_large(**NONE, num_classes=4, score_thresh=0.0, detections_per_img=5),
    "faster_rcnn": lambda: d.fasterrcnn_mobilenet_v3_large_320_fpn(
        **NONE, num_classes=4, box_score_thresh=0.0, box_detections_per_img=5, rpn_score_thresh=0.0
    ),
    "retinanet": retinanet,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", default=list(MODELS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or MODELS:
        torch.manual_seed(1)
        model = MODELS[name]().eval()
        settle(model)
        torch.jit.script(model).save(str(options.out / f"{name}.pt"))
        print(name, file=sys.stderr)


def settle(model: torch.nn.Module) -> None:
    """Batch norms as of a trained network, so that what passes through many layers neither fades nor grows."""
    with torch.no_grad():
        for part in model.modules():
            if isinstance(getattr(part, "running_mean", None), torch.Tensor):
                part.train()
        model([torch.rand(3, 320, 320), torch.rand(3, 320, 280)])
    model.eval()


if __name__ == "__main__":
    main()
