"""Helpers shared by the golden makers."""

import numpy as np
import torch


def tensors(inputs, dtype):
    """Inputs as torch tensors, float ones converted to dtype."""
    out = {}
    for name, value in inputs.items():
        t = torch.from_numpy(np.array(value))
        out[name] = t.to(dtype) if t.is_floating_point() else t
    return out


def relative_error(actual, expected):
    """max|a - e| / max|e|, as relativeError of test/helpers/goldens.ts."""
    if expected.numel() == 0:
        return 0.0
    difference = (actual.double() - expected.double()).abs().max().item()
    return difference / max(expected.double().abs().max().item(), 1e-30)


def both(function, inputs, spreads):
    """Runs function(inputs) in float64 and float32, notes the spread, and returns the float64 results."""
    wide = function(tensors(inputs, torch.float64))
    narrow = function(tensors(inputs, torch.float32))
    for w, n in zip(wide, narrow, strict=True):
        assert w.shape == n.shape, f"float32 and float64 disagree on the shape: {tuple(n.shape)} and {tuple(w.shape)}"
        spreads.append(relative_error(n, w))
    return [w.numpy() for w in wide]
