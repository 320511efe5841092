"""Exports torchvision's maskrcnn_resnet50_fpn with the seeded weights of a case of test/cases/models.json to ONNX.

    python bench/peers/export_onnx.py CASE OUT.onnx

The graph holds everything from the decoded picture ([3, H, W] float32 of 0 … 1) to boxes, labels, scores and pasted masks.
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "goldens"))
import models  # noqa: E402


def main(name, out):
    case = next(c for c in json.loads(models.CASES.read_text()) if c["name"] == name)
    model, _ = models.make_model(case)
    picture = torch.from_numpy(models.read_photo(case["photo"]).copy()).permute(2, 0, 1).float() / 255
    names = ["boxes", "labels", "scores", "masks"]
    torch.onnx.export(model.eval(), ([picture],), out, opset_version=17, dynamo=False, input_names=["image"], output_names=names)


main(*sys.argv[1:3])
