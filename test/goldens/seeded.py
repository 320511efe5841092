"""Seeded, non-trivial weights for whole networks: the numpy twin of test/helpers/seeded-weights.ts, which states the recipe."""

import math

import numpy as np

import prng

BODY = "backbone.body."
DEFAULT_GAIN = 1.4
GAINS = {
    "backbone.fpn.": 0.8,
    "rpn.head.cls_logits.": 0.6,
    "rpn.head.bbox_pred.": 0.12,
    "roi_heads.box_predictor.cls_score.": 1.5,
    "roi_heads.box_predictor.bbox_pred.": 0.5,
    "roi_heads.mask_predictor.mask_fcn_logits.": 1.0,
    "roi_heads.box_nl.": 1.0,
    "roi_heads.mask_nl.": 1.0,
    "roi_heads.box_nl.phi.": 0.3,
    "roi_heads.box_nl.psi.": 0.3,
    "roi_heads.mask_nl.phi.": 0.3,
    "roi_heads.mask_nl.psi.": 0.3,
}


def name_seed(name, seed):
    """Seed of one tensor: h = hash32(seed), then h = hash32(h xor byte) over the UTF-8 bytes of its name."""
    h = prng.hash32(np.uint32(seed))
    for byte in name.encode():
        h = prng.hash32(h ^ np.uint32(byte))
    return int(h)


def norm_bounds(name, names):
    """[lo, hi) of a batch norm's tensor, told by its name."""
    layer, kind = name.rsplit(".", 1)
    stem = layer == BODY + "bn1"
    if kind == "running_var":
        return (0.002, 0.006) if stem else (0.5, 1.5)
    if kind == "running_mean":
        return -0.1, 0.1
    if kind == "bias":
        return -0.2, 0.2
    if stem:
        return 0.05, 0.07
    last = layer.endswith(".bn3") or (layer.endswith(".bn2") and layer[:-1] + "3.weight" not in names)
    return (0.1, 0.2) if last else (0.8, 1.2)


def bounds(name, shape, names, gains):
    """[lo, hi) of the tensor's uniform values."""
    if name.startswith(BODY) and len(shape) == 1:
        return norm_bounds(name, names)
    if len(shape) == 1:
        return -0.1, 0.1
    gain = DEFAULT_GAIN
    for table in (GAINS, gains):
        for prefix, value in table.items():
            if name.startswith(prefix):
                gain = value
    fan_in = shape[0] if name.endswith(".conv5_mask.weight") else math.prod(shape[1:])
    bound = gain * math.sqrt(3 / fan_in)
    return -bound, bound


def seeded_weights(shapes, seed, gains=None, background=0.0):
    """{name: float32 array} for {name: shape}; `gains` overrides GAINS by prefix, `background` is added to class 0's logit."""
    weights = {}
    for name, shape in shapes.items():
        lo, hi = bounds(name, shape, shapes, gains or {})
        values = prng.uniform(name_seed(name, seed), math.prod(shape), lo, hi)
        if name == "roi_heads.box_predictor.cls_score.bias":
            values[0] += np.float32(background)
        weights[name] = values.reshape(shape)
    return weights
