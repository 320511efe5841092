"""Writes test/goldens/precision.json: PyTorch's own error in float16 and bfloat16 for the cases of some ops, against float64.

Usage: python test/goldens/precision.py

An entry is max|half - double| / max|double| for each output, of the values that the goldens hold. What PyTorch has no kernel for is left out.
"""

import json
from pathlib import Path

import torch

import dense
import nonlocal_roi
import regions
from common import relative_error, tensors
from make import load
from prng import make_input

HERE = Path(__file__).parent
OPS = {**dense.OPS, **regions.OPS, **nonlocal_roi.OPS}
NAMES = ["conv2d", "conv_transpose2d", "linear", "max_pool2d", "roi_align", "multi_scale_roi_align", "non_local_roi"]
OUTPUTS = {"non_local_roi": ["y", "fc", "conv"]}


def errors(op, case, dtype):
    """By output; None where PyTorch cannot."""
    inputs = {name: make_input(spec) for name, spec in case["inputs"].items()}
    found = []

    def both(function, inputs, spreads):
        wide, narrow = function(tensors(inputs, torch.float64)), function(tensors(inputs, dtype))
        stride = case.get("sample_stride", 1)
        found.extend(relative_error(n.reshape(-1)[::stride], w.reshape(-1)[::stride]) for w, n in zip(wide, narrow))
        spreads.extend(0.0 for _ in wide)
        return [w.numpy() for w in wide]

    for module in (dense, regions, nonlocal_roi):
        module.both = both
    try:
        OPS[op](case, inputs, [])
    except (RuntimeError, NotImplementedError):
        return None
    return {name: float(f"{error:.3g}") for name, error in zip(OUTPUTS.get(op, ["out"]), found)}


def main():
    torch.set_grad_enabled(False)
    result = {}
    for op in NAMES:
        cases = {}
        for case in load(op):
            both = {name: errors(op, case, dtype) for name, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16))}
            cases[case["name"]] = {name: e for name, e in both.items() if e is not None}
        result[op] = cases
        print(op, len(cases), "cases", sum(len(c) for c in cases.values()), "entries", flush=True)
    (HERE / "precision.json").write_text(json.dumps(result, separators=(",", ":")))


if __name__ == "__main__":
    main()
