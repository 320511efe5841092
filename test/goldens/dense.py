"""Dense layers: torch.nn.functional in float64."""

import torch
import torch.nn.functional as F

from common import both, tensors


def add(case, inputs, spreads):
    return {"out": both(lambda t: [t["a"] + t["b"]], inputs, spreads)[0]}


def conv2d(case, inputs, spreads):
    a = case["attrs"]

    def run(t):
        y = F.conv2d(t["x"], t["weight"], t.get("bias"), a["stride"], a["padding"], a["dilation"], a["groups"])
        y = y + t["residual"] if "residual" in t else y
        return [y.relu() if a["relu"] else y]

    return {"out": both(run, inputs, spreads)[0]}


def conv_transpose2d(case, inputs, spreads):
    def run(t):
        y = F.conv_transpose2d(t["x"], t["weight"], t.get("bias"), stride=case["attrs"]["stride"])
        return [y.relu() if case["attrs"]["relu"] else y]

    return {"out": both(run, inputs, spreads)[0]}


def linear(case, inputs, spreads):
    def run(t):
        y = F.linear(t["x"].flatten(1), t["weight"], t.get("bias"))
        y = y + t["accumulate"] if "accumulate" in t else y
        return [y.relu() if case["attrs"]["relu"] else y]

    return {"out": both(run, inputs, spreads)[0]}


def max_pool2d(case, inputs, spreads):
    a = case["attrs"]
    return {"out": both(lambda t: [F.max_pool2d(t["x"], a["kernel"], a["stride"], a["padding"])], inputs, spreads)[0]}


def upsample_add(case, inputs, spreads):
    """In float32 only: torch's source index floor(i * float32(in / out)) is part of what is expected."""
    t = tensors(inputs, torch.float32)
    lateral = t["lateral"]
    return {"out": (F.interpolate(t["top"], size=lateral.shape[-2:], mode="nearest") + lateral).numpy()}


OPS = {
    "add": add,
    "conv2d": conv2d,
    "conv_transpose2d": conv_transpose2d,
    "linear": linear,
    "max_pool2d": max_pool2d,
    "upsample_add": upsample_add,
}
