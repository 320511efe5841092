"""Makes test/goldens/models/: what torchvision finds with the networks of test/cases/models.json, and samples of every stage.

    python test/goldens/models.py               # all cases, some minutes; or: python test/goldens/models.py r18 nl-box

Made with Python 3.11, torch 2.14.1, torchvision 0.29.1, numpy 2.4.1, pillow 12.3.0, pycocotools 2.0.11, safetensors 0.8.0;
on the CPU in float32, no network. Weights come from seeds (seeded.py = test/helpers/seeded-weights.ts), so nothing is downloaded.

A case: {"name", "config" (config.json's form), "seed", "gains" (optional, overrides of the recipe by name prefix), "background"
(added to class 0's logit), "photo" (a file of test/fixtures/photos)}. Output per case:
- NAME.json: the detections in the command line's JSON form, masks thresholded after pasting.
- NAME.safetensors: STAGE.samples, every `stride`-th value of the flattened NCHW tensor; proposals and boxes in full.
- NAME.stages.json: per stage `shape`, `stride`, `max_abs`, `l2`; digests of the pixels and of some weights; how far torchvision in
  float32 is from itself in float64 and with the picture's values shifted by up to 1e-5 of themselves, and the distances from ties.
RoI-wise stages follow the order of `proposals`, mask stages the order of the detections (`detection_boxes`, network pixels).
Stages: image, c2-c5, p2-p6, objectness2-6, deltas2-6, proposals, box_pool (before the block), box_nl, box_head, class_logits,
box_regression, mask_pool, mask_nl, mask_logits. A case whose detections depend on rounding is refused.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco
from safetensors.numpy import save_file
from torchvision.ops import box_iou, clip_boxes_to_image, nms

import networks
import prng
import seeded

HERE = Path(__file__).resolve().parent
OUT, PHOTOS, CASES = HERE / "models", HERE.parent / "fixtures" / "photos", HERE.parent / "cases" / "models.json"
WHOLE = {"proposals", "detection_boxes"}
CHECKED_WEIGHTS = [
    "backbone.body.conv1.weight", "backbone.body.bn1.weight", "backbone.body.bn1.running_var",
    "backbone.body.bn1.running_mean", "backbone.body.layer1.0.bn1.weight", "backbone.body.layer1.0.bn2.weight",
    "backbone.body.layer1.0.bn3.weight", "backbone.body.layer1.0.bn2.bias", "backbone.fpn.inner_blocks.0.0.weight",
    "rpn.head.cls_logits.weight", "rpn.head.bbox_pred.bias", "roi_heads.box_predictor.cls_score.weight",
    "roi_heads.box_predictor.cls_score.bias", "roi_heads.mask_predictor.conv5_mask.weight", "roi_heads.box_nl.phi.weight",
    "roi_heads.box_nl.g_3x3.bias", "roi_heads.mask_nl.w_f.weight", "roi_heads.mask_nl.w_z.weight",
]


def read_photo(name):
    """[H, W, 3] uint8."""
    return np.asarray(Image.open(PHOTOS / name).convert("RGB"))


def make_model(case):
    """(model, weights) with the case's seeded weights."""
    model = networks.build(case["config"])
    shapes = {k: tuple(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    weights = seeded.seeded_weights(shapes, case["seed"], case.get("gains"), case.get("background", 0.0))
    missing, unexpected = model.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
    assert not unexpected and all(k.endswith("num_batches_tracked") for k in missing)
    return model, weights


def watch(model, stages):
    """Hooks that keep every stage's tensor in `stages`; returns their handles."""
    heads, handles = model.roi_heads, []

    def keep(module, names):
        def hook(_, __, output):
            values = output.values() if isinstance(output, dict) else output if isinstance(output, tuple) else [output]
            stages.update(zip(names, values))

        handles.append(module.register_forward_hook(hook))

    def rpn_head(_, __, output):
        for level, (logits, deltas) in enumerate(zip(*output), 2):
            stages[f"objectness{level}"], stages[f"deltas{level}"] = logits, deltas

    def transform(_, __, output):
        stages.update(image=output[0].tensors, image_size=output[0].image_sizes[0])

    handles.append(model.transform.register_forward_hook(transform))
    keep(model.backbone.body, ["c2", "c3", "c4", "c5"])
    keep(model.backbone, ["p2", "p3", "p4", "p5", "p6"])
    handles.append(model.rpn.head.register_forward_hook(rpn_head))
    handles.append(model.rpn.register_forward_hook(lambda _, __, out: stages.update(proposals=out[0][0])))
    pools = {"box": heads.box_roi_pool, "mask": heads.mask_roi_pool}
    for head, pool in pools.items():
        if pool is not None:
            keep(pool, [f"{head}_pool"])
        if hasattr(heads, f"{head}_nl"):
            block = getattr(heads, f"{head}_nl")
            keep(block, [f"{head}_nl"])
            # A hook's value takes the place of the module's output: the block stands between the pool and the head.
            handles.append(pool.register_forward_hook(lambda _, __, out, block=block: block(out)))
    keep(heads.box_head, ["box_head"])
    keep(heads.box_predictor, ["class_logits", "box_regression"])
    if heads.mask_roi_pool is not None:
        handles.append(heads.mask_roi_pool.register_forward_pre_hook(lambda _, a: stages.update(detection_boxes=a[1][0])))
        keep(heads.mask_predictor, ["mask_logits"])
    return handles


def run(model, pixels, dtype=torch.float32, factor=None):
    """(detections, stages) of one picture; `factor` multiplies its values."""
    stages = {}
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1).to(dtype) / 255
    if factor is not None:
        x = x * factor.to(dtype)
    handles = watch(model, stages)
    try:
        with torch.no_grad():
            detections = model.to(dtype)([x])[0]
    finally:
        for handle in handles:
            handle.remove()
    if "mask_logits" in stages:
        rows = torch.arange(len(detections["labels"]))
        stages["chosen_mask_logits"] = stages["mask_logits"][rows, detections["labels"]]
    return detections, stages


def compare(a, b):
    """Largest differences of two runs' detections, matched in order of score; None where they are not the same set."""
    if len(a["scores"]) != len(b["scores"]) or not torch.equal(a["labels"], b["labels"]):
        return None
    if len(a["scores"]) == 0:
        return None
    result = {key: (a[key].double() - b[key].double()).abs().max().item() for key in ("boxes", "scores")}
    if "masks" in a:
        p, q = ((d["masks"] > 0.5).flatten(1) for d in (a, b))
        union = (p | q).sum(1)
        result["mask_iou"] = torch.where(union > 0, (p & q).sum(1) / union.clamp(min=1), 1.0).min().item()
    return result


def agree(differences, boxes, scores, mask_iou=0.995):
    """Whether compare() stayed within the bounds."""
    if differences is None or differences["boxes"] > boxes or differences["scores"] > scores:
        return False
    return differences.get("mask_iou", 1) >= mask_iou


def margins(model, stages, detections):
    """Distances from another outcome: of candidates' scores from the threshold, of IoUs from NMS's threshold, of the scores of
    overlapping candidates from each other, of neighbouring detections' scores from each other."""
    heads = model.roi_heads
    scores = stages["class_logits"].double().softmax(1)
    boxes = heads.box_coder.decode(stages["box_regression"].double(), [stages["proposals"].double()])
    boxes = clip_boxes_to_image(boxes, stages["image_size"])
    ious, gaps = [1.0], [1.0]
    for label in detections["labels"].unique().tolist():
        chosen = scores[:, label] > heads.score_thresh
        s, order = scores[chosen, label].sort(descending=True)
        b = boxes[chosen, label][order]
        kept = nms(b, s, heads.nms_thresh)
        iou, gap = box_iou(b[kept], b), s[kept][:, None] - s
        later = torch.arange(len(s)) > kept[:, None]
        ious += (iou - heads.nms_thresh).abs()[later].tolist()
        gaps += gap[later & (iou > heads.nms_thresh)].tolist()
    ordered = detections["scores"].double()
    return {
        "score_threshold": (scores[:, 1:] - heads.score_thresh).abs().min().item(),
        "nms_iou": min(ious),
        "nms_score": min(gaps),
        "neighbours": (ordered[:-1] - ordered[1:]).min().item(),
    }


def proposal_error(a, b):
    """Largest difference of two runs' proposals in order; None where their number differs."""
    return (a.double() - b.double()).abs().max().item() if len(a) == len(b) else None


def check(case, model, pixels, detections, stages):
    """Figures on how firm the detections are; AssertionError where rounding decides them."""
    name, count = case["name"], len(detections["scores"])
    figures = {"detections": count, "margins": margins(model, stages, detections)}
    assert 20 <= count < model.roi_heads.detections_per_img, f"{name}: {count} detections"
    assert len(detections["labels"].unique()) >= 3, f"{name}: {detections['labels'].unique().tolist()}"
    least = {"score_threshold": 1e-4, "nms_iou": 1e-4, "nms_score": 2e-5, "neighbours": 2e-5}
    for key, bound in least.items():
        assert figures["margins"][key] >= bound, f"{name}: {key} {figures['margins'][key]:.1e}"
    if "masks" in detections:
        filled = (stages["chosen_mask_logits"] > 0).float().mean((1, 2))
        figures["mask_fill"] = [round(filled.quantile(q).item(), 3) for q in (0.1, 0.5, 0.9)]
        partly = ((filled > 0.02) & (filled < 0.98)).float().mean().item()
        assert partly > 0.3, f"{name}: {partly:.2f} of the masks fill a part of their box"
    for n in range(2):
        shifts = prng.uniform(900 + n, pixels.size, 1 - 1e-5, 1 + 1e-5).reshape(pixels.shape).transpose(2, 0, 1)
        differences = compare(detections, run(model, pixels, factor=torch.from_numpy(shifts.copy()))[0])
        figures[f"shifted_{n}"] = differences
        assert agree(differences, 0.05, 2e-4), f"{name}: shifted picture {differences}"
    exact, exact_stages = run(model, pixels, torch.float64)
    model.float()
    figures["float64"] = compare(detections, exact)
    assert agree(figures["float64"], 0.005, 2e-5, 0.999), f"{name}: float64 {figures['float64']}"
    figures["float64"]["proposals"] = proposal_error(stages["proposals"], exact_stages["proposals"])
    assert (figures["float64"]["proposals"] or 1) < 0.01, f"{name}: proposals {figures['float64']['proposals']}"
    return figures


def detection_json(case, pixels, detections):
    """The command line's JSON of one picture."""
    found = []
    for i, label in enumerate(detections["labels"].tolist()):
        entry = {
            "label": str(label), "labelId": label, "score": round(detections["scores"][i].item(), 7),
            "box": [round(v, 4) for v in detections["boxes"][i].tolist()],
        }
        if "masks" in detections:
            bitmap = (detections["masks"][i, 0] > 0.5).numpy().astype(np.uint8)
            rle = coco.encode(np.asfortranarray(bitmap))
            entry["mask"] = {"size": rle["size"], "counts": rle["counts"].decode()}
        found.append(entry)
    height, width = pixels.shape[:2]
    return {
        "image": case["photo"], "width": width, "height": height, "model": case["name"], "device": "cpu", "precision": "fp32",
        "milliseconds": {"total": 0.0}, "detections": found,
    }


def write(case, pixels, weights, detections, stages, figures):
    """The case's three files."""
    samples, described = {}, {}
    limit = case.get("samples", 700)
    for name, value in stages.items():
        if not isinstance(value, torch.Tensor) or name == "chosen_mask_logits":
            continue
        flat = value.reshape(-1)
        stride = 1 if name in WHOLE else prng.sample_stride(flat.numel(), limit)
        samples[f"{name}.samples"] = flat[::stride].float().contiguous().numpy()
        described[name] = {
            "shape": list(value.shape), "stride": stride, "max_abs": flat.abs().max().item(), "l2": flat.double().norm().item(),
        }
    checked = {
        name: {"shape": list(w.shape), "digest": prng.digest(w), "first": w.reshape(-1)[:4].tolist()}
        for name, w in weights.items() if name in CHECKED_WEIGHTS
    }
    OUT.mkdir(exist_ok=True)
    save_file(samples, OUT / f"{case['name']}.safetensors")
    document = {"pixels": prng.digest(pixels.astype(np.int32)), "stages": described, "weights": checked, "figures": figures}
    (OUT / f"{case['name']}.stages.json").write_text(dump_lines(document))
    (OUT / f"{case['name']}.json").write_text(dump_lines(detection_json(case, pixels, detections)))


def dump_lines(document):
    """JSON with one line per entry of the second level."""
    lines = []
    for key, value in document.items():
        inner = list(value.items()) if isinstance(value, dict) else None
        if inner:
            value = "{\n" + ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in inner) + "\n  }"
        elif isinstance(value, list):
            value = "[\n" + ",\n".join(f"    {json.dumps(v)}" for v in value) + "\n  ]"
        else:
            value = json.dumps(value)
        lines.append(f"  {json.dumps(key)}: {value}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(names):
    for case in json.loads(CASES.read_text()):
        if names and case["name"] not in names:
            continue
        pixels = read_photo(case["photo"])
        model, weights = make_model(case)
        detections, stages = run(model, pixels)
        figures = check(case, model, pixels, detections, stages)
        write(case, pixels, weights, detections, stages, figures)
        print(case["name"], json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
