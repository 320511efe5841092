"""Writes test/goldens/OP.safetensors from test/cases/OP.json with PyTorch and torchvision.

Usage: python test/goldens/make.py [OP ...]     (all ops without arguments)

`inputs` (made each time) holds a digest of every input of every case, so that the TypeScript side can prove it makes the same.

Each op's function takes one case and its inputs and returns {output name: numpy array}; float outputs come from float64 runs
(rounded to float32 once) except where rounding is part of the op, as in the README beside this file.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

import dense
import detections
import images
import nonlocal_roi
import regions
import targets
import training
from prng import digest, expand, make_input

HERE = Path(__file__).parent
OPS = {**dense.OPS, **regions.OPS, **detections.OPS, **images.OPS, **nonlocal_roi.OPS, **training.OPS, **targets.OPS}


def pack(case, outputs):
    """Golden entries of one case: CASE.OUTPUT, or every sample_stride-th value as CASE.samples / CASE.OUTPUT.samples."""
    stride, entries = case.get("sample_stride", 1), {}
    for output, value in outputs.items():
        value = np.ascontiguousarray(value)
        if value.dtype == np.float64:
            value = value.astype(np.float32)
        key = f"{case['name']}.{output}"
        if stride > 1 and value.dtype == np.float32:
            key = f"{case['name']}.samples" if output == "out" else f"{key}.samples"
            value = np.ascontiguousarray(value.reshape(-1)[::stride])
        entries[key] = value
    return entries


def load(op):
    """Cases of an op, families expanded."""
    return expand(op, json.loads((HERE.parent / "cases" / f"{op}.json").read_text()))


def make_inputs():
    """Writes inputs.safetensors: per op the digests of all inputs, in the order of cases and of the inputs of each."""
    digests = {op: [digest(make_input(spec)) for case in load(op) for spec in case["inputs"].values()] for op in OPS}
    save_file({op: np.array(values, dtype=np.int64) for op, values in digests.items()}, HERE / "inputs.safetensors")


def make(op):
    """Makes one op's file and prints its number of cases, its size and the largest float32-against-float64 spread."""
    cases = load(op)
    entries, spreads = {}, []
    for case in cases:
        inputs = {name: make_input(spec) for name, spec in case["inputs"].items()}
        outputs = OPS[op](case, inputs, spreads)
        packed = pack(case, outputs)
        clash = entries.keys() & packed.keys()
        assert not clash, f"{op}: two cases make {clash}"
        entries.update(packed)
    path = HERE / f"{op}.safetensors"
    save_file(entries, path)
    spread = f", largest fp32-fp64 spread {max(spreads):.1e}" if spreads else ""
    print(f"{op}: {len(cases)} cases, {os.path.getsize(path) / 1024:.0f} KiB{spread}")


if __name__ == "__main__":
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    torch.backends.nnpack.set_flags(False)
    for name in sys.argv[1:] or OPS:
        make(name)
    make_inputs()
