"""Makes test/goldens/training/: losses and gradients of whole networks by torchvision in float64.

    python test/goldens/training_networks.py               # all cases of test/cases/training-networks.json, or those named

Weights and pictures come from seeds (seeded.py, ground_truth below = test/helpers/training-cases.ts). A float32 run decides what is
proposed and sampled; the float64 run is given that, and refused where it would have labelled any of it otherwise, or where a gradient
of the float32 run is 3e-4 from it in norm (psi's bias aside, whose gradient is zero but for rounding). Crowd regions are
left out of the targets; background of which 0.7 lies in one of them is not sampled. NAME.safetensors holds
- losses: float64, in torchvision's order (loss_classifier, loss_box_reg, loss_mask, loss_objectness, loss_rpn_box_reg);
- proposals.N [P, 4], anchors.N.{positive,negative} and rois.N.{positive,negative}: of picture N, ascending indices;
- norm/NAME and grad/NAME of each trainable parameter: the gradient's norm, and every sample_stride(size, 64)-th value;
- buffer/NAME of running statistics after the forward: likewise.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler

import networks
import prng
import seeded

HERE = Path(__file__).resolve().parent
OUT, CASES = HERE / "training", HERE.parent / "cases" / "training-networks.json"
LOSSES = ["loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg"]
SAMPLES = 64
DEFAULTS = {
    "rpn_pre_nms_top_n_train": 2000, "rpn_post_nms_top_n_train": 2000, "trainable_backbone_layers": 5, "resize": True,
}


def ground_truth(picture, classes):
    """Seeded pixels [H, W, 3], boxes in quarters of a pixel, labels and ellipses; the last `crowd` objects are crowd regions."""
    h, w, seed = picture["height"], picture["width"], picture["seed"]
    pixels = prng.uniform(seed, h * w * 3, 0, 1).reshape(h, w, 3)
    objects, crowd = picture["objects"], picture.get("crowd", 0)
    count = objects + crowd
    boxes, labels, masks = np.zeros((count, 4), np.float32), np.zeros(count, np.int32), np.zeros((count, h, w), np.uint8)
    quarter = lambda v: np.floor(4 * v) / 4
    for g in range(count):
        u = prng.unit(seed + 1000 * (g + 1), 5)
        least, most = (0.4, 0.8) if g >= objects else (0.1, 0.6)
        width, height = (quarter(side * (least + (most - least) * v)) for side, v in zip((w, h), u[:2]))
        x, y = quarter((w - width) * u[2]), quarter((h - height) * u[3])
        boxes[g] = x, y, x + width, y + height
        labels[g] = 1 + int(np.floor((classes - 1) * u[4]))
        rows, columns = np.mgrid[0:h, 0:w]
        dy, dx = (rows + 0.5 - y) / height - 0.5, (columns + 0.5 - x) / width - 0.5
        masks[g] = dx * dx + dy * dy <= 0.25
    return {"pixels": pixels, "boxes": boxes, "labels": labels, "masks": masks, "crowd": np.arange(count) >= objects}


class Sampler:
    """torchvision's sampler with crowd regions, told of the boxes; draws and keeps what it drew, or gives what it was given."""

    def __init__(self, size, fraction, crowds):
        self.draw, self.crowds = BalancedPositiveNegativeSampler(size, fraction), crowds
        self.boxes, self.given = None, None

    def __call__(self, labels):
        out = []
        for own, boxes, crowd in zip(labels, self.boxes, self.crowds):
            own = own.clone()
            if len(crowd):
                left, right = torch.max(boxes[:, None, :2], crowd[:, :2]), torch.min(boxes[:, None, 2:], crowd[:, 2:])
                area = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[:, None]
                own[(own == 0) & ((right - left).clamp(min=0).prod(2) / area >= 0.7).any(1)] = -1
            out.append(own)
        if self.given is None:
            self.given = self.draw(out)
        for own, positive, negative in zip(out, *self.given):
            assert (own[positive > 0] > 0).all() and (own[negative > 0] == 0).all(), "float64 labels otherwise"
        return self.given


def make(case):
    """(model in training, with its seeded weights)."""
    model = networks.build(case["config"])
    shapes = {k: tuple(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    weights = seeded.seeded_weights(shapes, case["seed"])
    model.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
    settings = DEFAULTS | case["settings"]
    model.rpn._pre_nms_top_n["training"] = settings["rpn_pre_nms_top_n_train"]
    model.rpn._post_nms_top_n["training"] = settings["rpn_post_nms_top_n_train"]
    model.transform._skip_resize = not settings["resize"]
    layers = settings["trainable_backbone_layers"]
    stages = ["layer4", "layer3", "layer2", "layer1", "conv1"][:layers] + (["bn1"] if layers == 5 else [])
    for name, parameter in model.backbone.body.named_parameters():
        parameter.requires_grad_(any(name.startswith(stage) for stage in stages))
    heads = model.roi_heads
    for head, pool in (("box", heads.box_roi_pool), ("mask", heads.mask_roi_pool)):
        block = getattr(heads, f"{head}_nl", None)
        if block is not None:
            pool.register_forward_hook(lambda _, args, out, block=block: attend(block, args[1], out))
    return model.train()


def attend(block, boxes, features):
    """The block on the RoIs of each picture apart."""
    parts = [block(part) for part in features.split([len(b) for b in boxes]) if len(part)]
    return torch.cat(parts) if parts else features.new_zeros(0, block.out_channels, *features.shape[2:])


def run(case, dtype, samplers, proposals=None):
    """(losses, model, proposals) of the case's batch."""
    model = make(case).to(dtype)
    truths = [ground_truth(p, model.roi_heads.box_predictor.cls_score.out_features) for p in case["pictures"]]
    images = [torch.from_numpy(t["pixels"].copy()).permute(2, 0, 1).to(dtype) for t in truths]
    keep = [~t["crowd"] for t in truths]
    targets = [
        {"boxes": torch.from_numpy(t["boxes"][k]).to(dtype), "labels": torch.from_numpy(t["labels"][k]).long(),
         "masks": torch.from_numpy(t["masks"][k])}
        for t, k in zip(truths, keep)
    ]
    crowds = [{"boxes": torch.from_numpy(t["boxes"][t["crowd"]]).to(dtype)} for t in truths]
    crowds = [c["boxes"] for c in model.transform(images, crowds)[1]]
    found = []

    def filter_proposals(*args):
        boxes, scores = original(*args)
        found.extend(boxes if proposals is None else [p.to(dtype) for p in proposals])
        return found, scores

    original, model.rpn.filter_proposals = model.rpn.filter_proposals, filter_proposals
    for module, sampler in zip((model.rpn, model.roi_heads), samplers):
        sampler.crowds = crowds
        module.fg_bg_sampler = sampler
    model.rpn.anchor_generator.register_forward_hook(lambda _, __, anchors: setattr(samplers[0], "boxes", anchors))
    add = model.roi_heads.add_gt_proposals
    model.roi_heads.add_gt_proposals = lambda *a: setattr(samplers[1], "boxes", add(*a)) or samplers[1].boxes
    losses = model(images, targets)
    return losses, model, found


def main(names):
    OUT.mkdir(exist_ok=True)
    for case in json.loads(CASES.read_text()):
        if names and case["name"] not in names:
            continue
        torch.manual_seed(case["seed"])
        samplers = Sampler(256, 0.5, None), Sampler(512, 0.25, None)
        narrow, rough, proposals = run(case, torch.float32, samplers)
        sum(narrow.values()).backward()
        proposals = [p.detach().float() for p in proposals]
        losses, model, _ = run(case, torch.float64, samplers, proposals)
        sum(losses.values()).backward()
        order = [name for name in LOSSES if name in losses]
        entries = {"losses": np.array([losses[name].item() for name in order])}
        spreads = {"losses": max(abs(narrow[n].item() - losses[n].item()) / max(abs(losses[n].item()), 1e-12) for n in order)}
        for n, boxes in enumerate(proposals):
            entries[f"proposals.{n}"] = boxes.numpy()
            for kind, sampler in zip(("anchors", "rois"), samplers):
                for sign, masks in zip(("positive", "negative"), sampler.given):
                    entries[f"{kind}.{n}.{sign}"] = torch.where(masks[n])[0].numpy().astype(np.int32)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                flat = parameter.grad.numpy().reshape(-1)
                if not name.endswith("psi.bias"):
                    difference = (rough.get_parameter(name).grad.double() - parameter.grad).norm()
                    spreads[name] = difference.item() / max(np.linalg.norm(flat), 1e-30)
                entries[f"norm/{name}"] = np.array([np.linalg.norm(flat)])
                entries[f"grad/{name}"] = flat[:: prng.sample_stride(flat.size, SAMPLES)].astype(np.float32)
        if case["config"].get("norm") == "batch":
            for name, value in model.named_buffers():
                if "running" in name:
                    flat = value.numpy().reshape(-1)
                    entries[f"buffer/{name}"] = flat[:: prng.sample_stride(flat.size, SAMPLES)].astype(np.float32)
        worst = max(spreads, key=spreads.get)
        assert spreads[worst] < 3e-4, f"{case['name']}: float32 is {spreads[worst]:.1e} from float64 at {worst}"
        save_file(entries, OUT / f"{case['name']}.safetensors")
        counts = [[int(m.sum()) for m in masks] for sampler in samplers for masks in sampler.given]
        print(case["name"], {k: round(v.item(), 5) for k, v in losses.items()}, f"spread {spreads[worst]:.1e} at {worst}", counts)


if __name__ == "__main__":
    main(sys.argv[1:])
