"""Writes test/goldens/gradients.safetensors: gradients of roi_align and non_local_roi by PyTorch's autograd in float64.

Usage: python test/goldens/gradients.py

The upstream gradient of case i of an op is uniform in [-1, 1) with seed GRADIENT_SEED + i. Entries are OP/CASE.INPUT, every
sample_stride(size, 256)-th value of the flattened gradient.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torchvision.ops import MultiScaleRoIAlign, roi_align

import nonlocal_roi
from common import tensors
from make import load
from prng import make_input, sample_stride

GRADIENT_SEED = 700000
SAMPLES = 256


def pooled(case, t):
    a = case["attrs"]
    return roi_align(t["x"], t["rois"], a["output_size"], a["spatial_scale"], a["sampling_ratio"], a["aligned"])


def multi_scale(case, t):
    a = case["attrs"]
    pool = MultiScaleRoIAlign(["0", "1", "2", "3"], a["output_size"], a["sampling_ratio"])
    boxes = [t["rois"][t["rois"][:, 0] == i, 1:] for i in range(len(a["image_sizes"]))]
    return pool({str(i): t[f"level{i}"] for i in range(4)}, boxes, [tuple(s) for s in a["image_sizes"]])


def attended(case, t):
    return nonlocal_roi.attend(t, case["attrs"])[0]


OPS = {"roi_align": pooled, "multi_scale_roi_align": multi_scale, "non_local_roi": attended}


def gradients(op, case, index, dtype):
    """Samples of the gradients of a case, by input, worked out in dtype."""
    t = tensors({name: make_input(spec) for name, spec in case["inputs"].items()}, dtype)
    wanted = {n: v.requires_grad_() for n, v in t.items() if v.is_floating_point() and n != "rois"}
    out = OPS[op](case, t)
    up = make_input({"shape": list(out.shape), "seed": GRADIENT_SEED + index, "lo": -1, "hi": 1})
    if out.numel():
        out.backward(torch.from_numpy(np.array(up)).to(dtype))
    flat = {name: value.grad.numpy().reshape(-1) for name, value in wanted.items() if value.grad is not None}
    return {name: value[:: sample_stride(value.size, SAMPLES)] for name, value in flat.items()}


def cases(op):
    return [(i, case) for i, case in enumerate(load(op)) if not case["name"].startswith("random-") or i % 5 == 0]


def main():
    entries = {}
    for op in OPS:
        for i, case in cases(op):
            for name, value in gradients(op, case, i, torch.float64).items():
                entries[f"{op}/{case['name']}.{name}"] = value.astype(np.float32)
    save_file(entries, Path(__file__).parent / "gradients.safetensors")
    print(len(entries), "gradients", sum(e.nbytes for e in entries.values()) // 1024, "KiB")


if __name__ == "__main__":
    main()
