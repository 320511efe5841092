"""torchvision networks from a config in the form of config.json, with the Non-local RoI block where the config has one."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FrozenBatchNorm2d

DEFAULTS = {
    "architecture": "maskrcnn", "backbone": "resnet50", "fpn_channels": 256, "num_classes": 91, "norm": "frozen",
    "norm_eps": 1e-5, "min_size": 800, "max_size": 1333, "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225], "anchor_sizes": [[32], [64], [128], [256], [512]],
    "anchor_aspect_ratios": [0.5, 1.0, 2.0], "rpn_pre_nms_top_n": 1000, "rpn_post_nms_top_n": 1000, "rpn_nms_thresh": 0.7,
    "rpn_score_thresh": 0.0, "box_score_thresh": 0.05, "box_nms_thresh": 0.5, "box_detections_per_img": 100,
    "box_head_fc": 1024, "mask_head_convs": 4, "mask_head_channels": 256, "mask_threshold": 0.5, "non_local_roi": None,
}
BLOCK_DEFAULTS = {
    "heads": ["box", "mask"], "pairwise": "embedded_gaussian", "embed_channels": 64, "value_channels": 256, "scale": "none",
    "fusion": "concat", "num_heads": 1,
}


class NonLocalRoi(nn.Module):
    """The block as a plain composition (arXiv 1807.05361, 1711.07971): x [N, D, H, W] of one image's RoIs to z.

    Head h takes the h-th contiguous group of the channels of phi, psi and g; rsqrt scales e by
    1 / sqrt(D_f / num_heads * H * W); dot_product and concatenation divide by N instead of taking a softmax.
    w_f is a linear map [1, 2 D_f H W] without bias: phi's part flattened (c, h, w), then psi's.
    """

    def __init__(self, channels, size, settings):
        super().__init__()
        self.s, self.size = settings, size
        embed, value = settings["embed_channels"], settings["value_channels"]
        if settings["pairwise"] != "gaussian":
            self.phi, self.psi = nn.Conv2d(channels, embed, 1), nn.Conv2d(channels, embed, 1)
        if settings["pairwise"] == "concatenation":
            self.w_f = nn.Linear(2 * embed * size * size, 1, bias=False)
        self.g_1x1, self.g_3x3 = nn.Conv2d(channels, value, 1), nn.Conv2d(value, value, 3, padding=1)
        if settings["fusion"] == "add":
            self.w_z = nn.Conv2d(value, channels, 1)
        self.out_channels = channels if settings["fusion"] == "add" else channels + value

    def forward(self, x):
        gaussian, n = self.s["pairwise"] == "gaussian", len(x)
        phi, psi = (x, x) if gaussian else (self.phi(x), self.psi(x))
        g = self.g_3x3(self.g_1x1(x)).mean((2, 3))
        heads = self.s["num_heads"]
        split = lambda v: v.reshape(n, heads, -1).transpose(0, 1)
        phi, psi = split(phi), split(psi)
        if self.s["pairwise"] == "concatenation":
            left, right = (w.reshape(heads, -1, 1) for w in self.w_f.weight[0].chunk(2))
            e = F.relu(phi @ left + (psi @ right).transpose(1, 2))
        else:
            e = phi @ psi.transpose(1, 2)
        if self.s["scale"] == "rsqrt":
            e = e / phi.shape[2] ** 0.5
        a = e.softmax(2) if self.s["pairwise"] in ("gaussian", "embedded_gaussian") else e / n
        self.logits = e
        y = (a @ split(g)).transpose(0, 1).reshape(n, -1, 1, 1).expand(-1, -1, *x.shape[2:])
        return self.w_z(y) + x if self.s["fusion"] == "add" else torch.cat([x, y], 1)


def build_backbone(c):
    norm = partial(FrozenBatchNorm2d if c["norm"] == "frozen" else nn.BatchNorm2d, eps=c["norm_eps"])
    body = getattr(resnet, c["backbone"])(weights=None, norm_layer=norm)
    widths = [body.inplanes // 8 * 2**k for k in range(4)]
    return BackboneWithFPN(body, {f"layer{k + 1}": str(k) for k in range(4)}, widths, c["fpn_channels"])


def build(config):
    """The network in eval mode, its weights still torch's own."""
    c = DEFAULTS | config
    block = c["non_local_roi"] and BLOCK_DEFAULTS | c["non_local_roi"]
    d, masks = c["fpn_channels"], c["architecture"] == "maskrcnn"
    blocks = {}
    if block:
        blocks = {head: NonLocalRoi(d, {"box": 7, "mask": 14}[head], block) for head in block["heads"]}
    width = lambda head: blocks[head].out_channels if head in blocks else d
    keys = {
        "rpn_nms_thresh", "rpn_score_thresh", "box_score_thresh", "box_nms_thresh", "box_detections_per_img", "min_size",
        "max_size", "image_mean", "image_std",
    }
    options = {key: c[key] for key in keys}
    options |= {f"{key}_test": c[key] for key in ("rpn_pre_nms_top_n", "rpn_post_nms_top_n")}
    options["rpn_anchor_generator"] = AnchorGenerator(
        tuple(map(tuple, c["anchor_sizes"])), (tuple(c["anchor_aspect_ratios"]),) * len(c["anchor_sizes"])
    )
    options["box_head"] = TwoMLPHead(width("box") * 49, c["box_head_fc"])
    options["box_predictor"] = FastRCNNPredictor(c["box_head_fc"], c["num_classes"])
    if masks:
        m = c["mask_head_channels"]
        options["mask_head"] = MaskRCNNHeads(width("mask"), [m] * c["mask_head_convs"], 1)
        options["mask_predictor"] = MaskRCNNPredictor(m, m, c["num_classes"])
    model = (MaskRCNN if masks else FasterRCNN)(build_backbone(c), **options).eval()
    for head, module in blocks.items():
        model.roi_heads.add_module(f"{head}_nl", module.eval())
    return model
