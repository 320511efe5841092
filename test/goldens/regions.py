"""Ops on boxes and regions: torchvision.ops and torchvision's BoxCoder."""

import torch
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import MultiScaleRoIAlign, boxes as box_ops, roi_align as torch_roi_align
from torchvision.ops import batched_nms as torch_batched_nms, nms as torch_nms

from common import both, tensors


def roi_align(case, inputs, spreads):
    """Values of the float64 run; the float32 run must agree, so that no case sits on a discontinuity of the op.

    Maps are uniform in [-0.2, 1): coordinates have float32's rounding error, and the map's slope turns it into a value's.
    """
    a = case["attrs"]

    def run(t):
        return [torch_roi_align(t["x"], t["rois"], a["output_size"], a["spatial_scale"], a["sampling_ratio"], a["aligned"])]

    out = both(run, inputs, spreads)[0]
    assert spreads[-1] < 5e-6, f"roi_align {case['name']}: float32 and float64 differ by {spreads[-1]:.1e}"
    return {"out": out}


def multi_scale_roi_align(case, inputs, spreads):
    """Pooled features, and the level 0..3 that torchvision's LevelMapper gives each RoI in float32."""
    a = case["attrs"]
    sizes = [tuple(size) for size in a["image_sizes"]]

    def run(t):
        pool = MultiScaleRoIAlign(["0", "1", "2", "3"], a["output_size"], a["sampling_ratio"])
        features = {str(i): t[f"level{i}"] for i in range(4)}
        boxes = [t["rois"][t["rois"][:, 0] == i, 1:] for i in range(len(sizes))]
        out = pool(features, boxes, sizes)
        assert pool.scales == a["spatial_scales"], f"{case['name']}: torchvision infers {pool.scales}"
        return [out, pool.map_levels(boxes)]

    out, levels = both(run, inputs, spreads)
    assert spreads.pop() == 0, f"multi_scale_roi_align {case['name']}: a level depends on rounding"
    return {"out": out, "levels": levels.astype("int32")}


def nms(case, inputs, spreads):
    """Kept indices in float32: IoU rounded to float32, then compared with the threshold in float64 (0.3f > 0.3 holds)."""
    t = tensors(inputs, torch.float32)
    return {"keep": torch_nms(t["boxes"], t["scores"], case["attrs"]["iou_threshold"]).numpy().astype("int32")}


def batched_nms(case, inputs, spreads):
    """torchvision's choice; the coordinate trick and the loop over groups must agree, so that either way of working is right."""
    t, threshold = tensors(inputs, torch.float32), case["attrs"]["iou_threshold"]
    args = (t["boxes"], t["scores"], t["groups"].long(), threshold)
    keep = torch_batched_nms(*args)
    for way in (box_ops._batched_nms_coordinate_trick, box_ops._batched_nms_vanilla):
        assert torch.equal(keep, way(*args)), f"batched_nms {case['name']}: {way.__name__} keeps other boxes"
    return {"keep": keep.numpy().astype("int32")}


def box_decode(case, inputs, spreads):
    coder = BoxCoder(tuple(case["attrs"]["weights"]))
    return {"out": both(lambda t: [coder.decode_single(t["deltas"], t["boxes"])], inputs, spreads)[0]}


def box_clip(case, inputs, spreads):
    boxes = tensors(inputs, torch.float32)["boxes"]
    return {"out": box_ops.clip_boxes_to_image(boxes, tuple(case["attrs"]["image_size"])).numpy()}


OPS = {
    "roi_align": roi_align,
    "multi_scale_roi_align": multi_scale_roi_align,
    "nms": nms,
    "batched_nms": batched_nms,
    "box_decode": box_decode,
    "box_clip": box_clip,
}
