"""Pictures in and masks out: torchvision's GeneralizedRCNNTransform and paste_masks_in_image."""

import numpy as np
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from common import both


def preprocess(case, inputs, spreads):
    """out [1, 3, Hp, Wp] and size [h, w] after the resize. The picture is [H, W, C] u8 (/ 255) or u16 (/ 65535), C = 1 or 3.

    With percentiles (C = 1): numpy's linear percentiles of the gray values become 0 and 1, then values are clipped.
    """
    a, picture = case["attrs"], inputs["picture"]
    values = picture.astype(np.float64) / (65535 if picture.dtype == np.uint16 else 255)
    if a["percentiles"]:
        low, high = np.percentile(values, a["percentiles"])
        values = np.clip((values - low) / (high - low), 0, 1)
    values = np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values
    transform = GeneralizedRCNNTransform(a["min_size"], a["max_size"], a["image_mean"], a["image_std"]).eval()
    sizes = []

    def run(t):
        batch, _ = transform([t["picture"]])
        sizes.append(batch.image_sizes[0])
        return [batch.tensors]

    out = both(run, {"picture": np.ascontiguousarray(values.transpose(2, 0, 1))}, spreads)[0]
    return {"out": out, "size": np.array(sizes[0], np.int32), "padded": np.array(out.shape[2:], np.int32)}


def paste_masks(case, inputs, spreads):
    """bits: packbits (first pixel in the highest bit) of [N, H, W] mask > 0.5, row-major; area [N].

    A box wholly outside the picture gives an empty mask; torchvision, which never meets one after its clip, throws.
    """
    h, w = case["attrs"]["image_size"]

    def run(t):
        boxes = t["boxes"]
        out = t["masks"].new_zeros(len(boxes), 1, h, w)
        near = (boxes[:, 0] < w) & (boxes[:, 1] < h) & (boxes[:, 2] >= 0) & (boxes[:, 3] >= 0)
        if near.any():
            out[near] = paste_masks_in_image(t["masks"][near], boxes[near], (h, w), padding=1)
        return [out]

    soft = both(run, inputs, spreads)[0]
    assert not (np.abs(soft - 0.5) < 2e-6).any(), f"paste_masks {case['name']}: a pixel is too close to the threshold"
    bits = soft[:, 0] > 0.5
    return {"bits": np.packbits(bits), "area": bits.sum((1, 2)).astype(np.int32)}


OPS = {"preprocess": preprocess, "paste_masks": paste_masks}
