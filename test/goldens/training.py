"""What training needs, by PyTorch and torchvision in float64: losses, and gradients of ops by autograd.

Usage: python test/goldens/training.py     (writes training.safetensors; make.py makes the values of the ops in OPS)

The upstream gradient of output j of case i of an op is uniform in [-1, 1) with seed GRADIENT_SEED + 100000 j + i. Entries are
OP/CASE.INPUT, every sample_stride(size, 256)-th value of the flattened gradient.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torchvision.models.detection.roi_heads import fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork, concat_box_prediction_layers

from common import both, tensors
from prng import make_input, sample_stride

GRADIENT_SEED = 800000
SAMPLES = 256
CONSTANTS = {"rois", "targets", "labels", "running_mean", "running_var"}


def mean_or_sum(terms, attrs):
    """torch has NaN for the mean of nothing; the ops have 0."""
    if attrs.get("reduction", "mean") == "sum":
        return terms.sum() / attrs.get("normalizer", 1)
    return terms.sum() / max(1, terms.numel())


def add(case, t):
    return [t["a"] + t["b"]]


def conv2d(case, t):
    a = case["attrs"]
    y = F.conv2d(t["x"], t["weight"], t.get("bias"), a["stride"], a["padding"], a["dilation"], a["groups"])
    return [behind_norm(y, case, t)]


def conv_transpose2d(case, t):
    y = F.conv_transpose2d(t["x"], t["weight"], t.get("bias"), stride=2)
    return [behind_norm(y, case, t)]


def linear(case, t):
    y = F.linear(t["x"].flatten(1), t["weight"], t.get("bias"))
    y = y + t["accumulate"] if "accumulate" in t else y
    return [y.relu() if case["attrs"]["relu"] else y]


def max_pool2d(case, t):
    a = case["attrs"]
    return [F.max_pool2d(t["x"], a["kernel"], a["stride"], a["padding"])]


def upsample_add(case, t):
    """torch's source index is that of float32."""
    top, lateral = t["top"], t["lateral"]
    (h, w), (height, width) = top.shape[-2:], lateral.shape[-2:]
    source = lambda n, size: (torch.arange(n).float() * (np.float32(size) / np.float32(n))).long().clamp(max=size - 1)
    return [top[:, :, source(height, h)][:, :, :, source(width, w)] + lateral]


def add_broadcast(case, t):
    return [t["x"] + t["v"][:, :, None, None]]


def tap_bias(case, t):
    a = case["attrs"]
    y = t["y"][:, :, None, None].expand(-1, -1, a["height"], a["width"])
    return [F.conv2d(y, t["weight"], t.get("bias"), padding=1)]


def scale(case, t):
    return [t["x"] * t["by"] * case["attrs"]["factor"]]


def behind_norm(y, case, t):
    y = y + t["residual"] if "residual" in t else y
    return y.relu() if case["attrs"]["relu"] else y


def batch_norm(case, t):
    """Also the running statistics afterwards, where there are any."""
    a, running = case["attrs"], [t[n].clone() for n in ("running_mean", "running_var") if n in t]
    mean, var = running or (None, None)
    y = F.batch_norm(t["x"], mean, var, t["weight"], t["bias"], True, a["momentum"], a["eps"])
    return [behind_norm(y, case, t), *running]


def group_norm(case, t):
    a = case["attrs"]
    return [behind_norm(F.group_norm(t["x"], a["groups"], t["weight"], t["bias"], a["eps"]), case, t)]


def scale_rows(case, t):
    weight = t["weight"]
    return [weight * t["scale"].reshape(-1, *[1] * (weight.dim() - 1))]


def split_channels(case, t):
    at = case["attrs"]["at"]
    return [t["weight"][:, :at], t["weight"][:, at:]]


def sum_places(case, t):
    weight, places = t["weight"], case["attrs"]["places"]
    return [weight.reshape(weight.shape[0], -1, places).sum(2)]


def reshape(case, t):
    return [t["x"].reshape(case["attrs"]["shape"])]


def sigmoid_cross_entropy(case, t):
    terms = F.binary_cross_entropy_with_logits(t["logits"], t["targets"], reduction="none")
    return [mean_or_sum(terms, case["attrs"]).reshape(1)]


def softmax_cross_entropy(case, t):
    terms = F.cross_entropy(t["logits"], t["labels"].long(), reduction="none")
    return [mean_or_sum(terms, case["attrs"]).reshape(1)]


def smooth_l1(case, t):
    a = case["attrs"]
    if "labels" in t:
        rows = t["pred"].shape[0]
        logits = t["pred"].new_zeros(rows, t["pred"].shape[1] // 4)
        _, loss = fastrcnn_loss(logits, t["pred"], [t["labels"].long()], [t["targets"]])
        return [loss.nan_to_num().reshape(1)]
    terms = F.smooth_l1_loss(t["pred"], t["targets"], reduction="none", beta=a["beta"])
    return [mean_or_sum(terms, a).reshape(1)]


def mask_loss(case, t):
    """The last lines of torchvision's maskrcnn_loss, of the RoIs that have a label."""
    logits, labels = t["logits"], t["labels"].long()
    rois = torch.nonzero(labels >= 0)[:, 0]
    if rois.numel() == 0:
        return [(logits.sum() * 0).reshape(1)]
    return [F.binary_cross_entropy_with_logits(logits[rois, labels[rois]], t["targets"][rois]).reshape(1)]


def rpn_loss(case, t):
    """torchvision's compute_loss with a sampler that gives the samples of the case."""
    levels = [name for name in t if name.startswith("objectness")]
    objectness = [t[name] for name in levels]
    deltas = [t[name.replace("objectness", "deltas")] for name in levels]
    images = objectness[0].shape[0]
    scores, boxes = concat_box_prediction_layers(list(objectness), list(deltas))
    each = scores.shape[0] // images
    indices, wanted = t["indices"].long(), t["labels"]
    if indices.numel() == 0:
        zero = (scores.sum() * 0).reshape(1)
        return [zero, (boxes.sum() * 0).reshape(1)]
    labels, positive, negative = (torch.zeros(images * each, dtype=d) for d in (scores.dtype, torch.bool, torch.bool))
    targets = torch.zeros_like(boxes)
    labels[indices] = wanted
    positive[indices[wanted == 1]] = True
    negative[indices[wanted == 0]] = True
    targets[indices] = t["targets"]
    rpn = RegionProposalNetwork(None, None, 0.7, 0.3, 256, 0.5, {}, {}, 0.7)
    rpn.fg_bg_sampler = lambda _: (list(positive.split(each)), list(negative.split(each)))
    losses = rpn.compute_loss(scores, boxes, list(labels.split(each)), list(targets.split(each)))
    return [loss.reshape(1) for loss in losses]


# With gradients; those of ALSO have their values from elsewhere.
ALSO = {
    "add": add,
    "conv2d": conv2d,
    "conv_transpose2d": conv_transpose2d,
    "linear": linear,
    "max_pool2d": max_pool2d,
    "upsample_add": upsample_add,
}
FORWARD = {
    "add_broadcast": add_broadcast,
    "batch_norm": batch_norm,
    "group_norm": group_norm,
    "mask_loss": mask_loss,
    "reshape": reshape,
    "rpn_loss": rpn_loss,
    "scale": scale,
    "scale_rows": scale_rows,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "smooth_l1": smooth_l1,
    "softmax_cross_entropy": softmax_cross_entropy,
    "split_channels": split_channels,
    "sum_places": sum_places,
    "tap_bias": tap_bias,
}
OUTPUTS = {
    "batch_norm": ["out", "running_mean", "running_var"],
    "rpn_loss": ["objectness", "boxReg"],
    "split_channels": ["x", "y"],
}


def values(op):
    """The maker of an op's values for make.py."""

    def run(case, inputs, spreads):
        outputs = both(lambda t: FORWARD[op](case, t), inputs, spreads)
        return dict(zip(OUTPUTS.get(op, ["out"]), outputs))

    return run


OPS = {op: values(op) for op in FORWARD}


def gradients(op, case, index, dtype):
    """Samples of the gradients of a case, by input, worked out in dtype."""
    t = tensors({name: make_input(spec) for name, spec in case["inputs"].items()}, dtype)
    wanted = {n: v.requires_grad_() for n, v in t.items() if v.is_floating_point() and n not in CONSTANTS}
    if op == "scale":
        del wanted["by"]
    outputs = {**ALSO, **FORWARD}[op](case, t)
    total = 0
    for j, out in enumerate(outputs if op != "batch_norm" else outputs[:1]):
        seed = GRADIENT_SEED + 100000 * j + index
        up = make_input({"shape": list(out.shape), "seed": seed, "lo": -1, "hi": 1})
        total = total + (out * torch.from_numpy(np.array(up)).to(dtype)).sum()
    total.backward()
    grads = {n: torch.zeros_like(v) if v.grad is None else v.grad for n, v in wanted.items()}
    flat = {name: value.numpy().reshape(-1) for name, value in grads.items()}
    return {name: value[:: sample_stride(value.size, SAMPLES)] for name, value in flat.items()}


def main():
    from make import load

    entries = {}
    for op in {**ALSO, **FORWARD}:
        for i, case in enumerate(load(op)):
            for name, value in gradients(op, case, i, torch.float64).items():
                entries[f"{op}/{case['name']}.{name}"] = value.astype(np.float32)
    save_file(entries, Path(__file__).parent / "training.safetensors")
    print(len(entries), "gradients", sum(e.nbytes for e in entries.values()) // 1024, "KiB")


if __name__ == "__main__":
    main()
