"""Proposal and detection selection: torchvision's RegionProposalNetwork and RoIHeads, in float32 as torchvision runs them.

Each case is run in float64 too: the same boxes must be chosen in the same order, and neighbouring scores must differ by more
than GAP, so that no expected choice hangs on a rounding.
"""

import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, concat_box_prediction_layers

from common import relative_error, tensors

GAP = 2e-7


def robust(case, run, inputs, spreads):
    """float64 results of run(inputs, dtype) -> (boxes, scores, extras) after comparing them with the float32 run's."""
    wide, narrow = run(tensors(inputs, torch.float64)), run(tensors(inputs, torch.float32))
    name = case["name"]
    assert wide[1].shape == narrow[1].shape, f"{name}: {wide[1].shape[0]} in float64, {narrow[1].shape[0]} in float32"
    spread = max(relative_error(narrow[0], wide[0]), relative_error(narrow[1], wide[1]))
    assert spread < 2e-6, f"{name}: float32 and float64 differ by {spread:.1e}"
    gaps = wide[1][:-1] - wide[1][1:]
    assert gaps.numel() == 0 or gaps.min() > GAP, f"{name}: two scores differ by {gaps.min():.1e} only"
    spreads.append(spread)
    return wide


def rpn_proposals(case, inputs, spreads):
    """Boxes [n, 4] and scores [n] by falling score; levels NMS'ed apart. Inputs objectness0.., deltas0.., finest level first."""
    a = case["attrs"]
    top = {"training": a["pre_nms_top_n"], "testing": a["pre_nms_top_n"]}
    last = {"training": a["post_nms_top_n"], "testing": a["post_nms_top_n"]}
    sizes = tuple(tuple(s) for s in a["anchor_sizes"])
    anchors = AnchorGenerator(sizes, (tuple(a["aspect_ratios"]),) * len(sizes))
    thresholds = {"nms_thresh": a["nms_thresh"], "score_thresh": a["score_thresh"]}
    rpn = RegionProposalNetwork(anchors, torch.nn.Identity(), 0.7, 0.3, 256, 0.5, top, last, **thresholds).eval()
    assert rpn.min_size == a["min_size"]

    def run(t):
        objectness = [t[f"objectness{i}"] for i in range(len(sizes))]
        deltas = [t[f"deltas{i}"] for i in range(len(sizes))]
        counts = [o[0].numel() for o in objectness]
        pictures = ImageList(objectness[0].new_zeros(1, 3, *a["padded_size"]), [tuple(a["image_size"])])
        boxes = anchors(pictures, objectness)
        flat_objectness, flat_deltas = concat_box_prediction_layers(list(objectness), list(deltas))
        proposals = rpn.box_coder.decode(flat_deltas, boxes).view(1, -1, 4)
        out_boxes, scores = rpn.filter_proposals(proposals, flat_objectness, pictures.image_sizes, counts)
        return out_boxes[0], scores[0]

    boxes, scores = robust(case, run, inputs, spreads)
    return {"boxes": boxes.numpy(), "scores": scores.numpy()}


def box_detections(case, inputs, spreads):
    """Boxes [n, 4], scores [n], labels [n] by falling score; softmax, per-class decode, clip, thresholds, NMS per class."""
    a = case["attrs"]
    heads = RoIHeads(
        None, None, None, 0.5, 0.5, 512, 0.25, a["weights"], a["score_thresh"], a["nms_thresh"], a["detections_per_img"]
    ).eval()

    def run(t):
        args = (t["class_logits"], t["box_regression"], [t["proposals"]], [tuple(a["image_size"])])
        return [out[0] for out in heads.postprocess_detections(*args)]

    boxes, scores, labels = robust(case, run, inputs, spreads)
    return {"boxes": boxes.numpy(), "scores": scores.numpy(), "labels": labels.numpy().astype("int32")}


OPS = {"rpn_proposals": rpn_proposals, "box_detections": box_detections}
