"""What Mask R-CNN does with ground truth: torchvision's Matcher in float32, its mask targets in float64."""

import torch
from torch.nn.functional import interpolate
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.ops import box_iou

from common import both, tensors


def match_boxes(case, inputs, spreads):
    """The target of each box, -1 for background, -2 for neither; crowd regions as native/ops/match_boxes.h says."""
    a, t = case["attrs"], tensors(inputs, torch.float32)
    boxes, targets = t["boxes"], t["targets"]
    if len(targets) and len(boxes):
        found = Matcher(a["high"], a["low"], a["low_quality"])(box_iou(targets, boxes))
    else:
        found = torch.full((len(boxes),), -1)
    if "crowd" in t:
        left, right = torch.max(boxes[:, None, :2], t["crowd"][:, :2]), torch.min(boxes[:, None, 2:], t["crowd"][:, 2:])
        inside = (right - left).clamp(min=0).prod(2) / ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[:, None]
        found[(found == -1) & (inside >= 0.7).any(1)] = -2
    return {"out": found.numpy().astype("int32")}


def mask_targets(case, inputs, spreads):
    """[K, M, M] of masks given as windows of their pictures, which are then resized."""

    def run(t):
        out = []
        for roi in t["rois"]:
            offset, x, y, w, h, height, width, new_height, new_width = t["windows"][int(roi[0])].tolist()
            mask = torch.zeros(height, width, dtype=torch.uint8)
            mask[y : y + h, x : x + w] = t["bitmaps"][offset : offset + w * h].reshape(h, w)
            mask = interpolate(mask[None, None].float(), (new_height, new_width))[0].byte()
            out.append(project_masks_on_boxes(mask, roi[None, 1:], torch.zeros(1, dtype=torch.int64), case["attrs"]["size"]))
        size = case["attrs"]["size"]
        return [torch.cat(out) if out else torch.zeros(0, size, size)]

    return {"out": both(run, inputs, spreads)[0]}


def concat(case, inputs, spreads):
    return {"out": torch.cat(list(tensors(inputs, torch.float64).values())).numpy()}


def box_encode(case, inputs, spreads):
    """[N, 4] of BoxCoder.encode_single."""
    coder = BoxCoder(tuple(map(float, case["attrs"]["weights"])))
    return {"out": both(lambda t: [coder.encode_single(t["references"], t["boxes"])], inputs, spreads)[0]}


def grid_anchors(case, inputs, spreads):
    """[anchors, 4] of AnchorGenerator, in float32 as torchvision makes them."""
    a = case["attrs"]
    sizes = tuple(map(tuple, a["anchor_sizes"]))
    maps = [torch.zeros(1, 1, *level) for level in inputs["levels"].tolist()]
    pictures = ImageList(torch.zeros(1, 3, *a["padded_size"]), [tuple(a["padded_size"])])
    return {"out": AnchorGenerator(sizes, (tuple(a["aspect_ratios"]),) * len(sizes))(pictures, maps)[0].numpy()}


OPS = {"match_boxes": match_boxes, "mask_targets": mask_targets, "concat": concat, "box_encode": box_encode, "grid_anchors": grid_anchors}
