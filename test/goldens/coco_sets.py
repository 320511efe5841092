"""Writes test/goldens/coco_sets.safetensors: pycocotools' numbers of 240 random sets, which test/helpers/coco-sets.ts makes again.

Usage: python test/goldens/coco_sets.py

`KIND.stats` [240, 12], `KIND.classes` [sum of categories, 2] (AP and AP at .50; -1 without objects), float64. Set i is made from
seed i by scenario i % 8. All draws are integers or 24-bit fractions, so that both sides make the same bits. Results of masks have no
bbox: with one, pycocotools would take the area of the box for that of the detection.
"""

import contextlib
import io
import math
from pathlib import Path

import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from safetensors.numpy import save_file

from prng import Stream

COUNT = 240
# images, categories, most objects, most detections, and of 20: crowds, one-digit scores, images without objects
SCENARIOS = {
    "plain": (6, 4, 6, 10, 2, 6, 4),
    "ties": (5, 3, 6, 12, 1, 20, 2),
    "crowds": (5, 3, 6, 10, 10, 6, 2),
    "few": (3, 2, 1, 2, 2, 10, 8),
    "classes": (4, 24, 10, 14, 2, 6, 2),
    "crowded": (2, 1, 8, 125, 2, 10, 0),
    "recalls": None,
    "thresholds": None,
}


def set_of(index):
    """One set: images, truths and detections as dicts with boxes x, y, w, h."""
    s = Stream(index)
    name = list(SCENARIOS)[index % len(SCENARIOS)]
    if name == "recalls":
        return recalls(s)
    if name == "thresholds":
        return thresholds(s)
    images, categories, objects, detections, crowds, digits, empty = SCENARIOS[name]
    out = {"categories": categories, "cut": True, "images": [], "truths": [], "found": []}
    for i in range(images):
        image = {"id": 3 * i + 2, "height": s.int(40, 160), "width": s.int(40, 160)}
        out["images"].append(image)
        count = 0 if s.int(0, 20) < empty else s.int(1, objects + 1)
        own = [truth(s, image, categories, crowds) for _ in range(count)]
        out["truths"] += own
        out["found"] += [detection(s, image, own, categories, digits) for _ in range(s.int(0, detections + 1))]
    return out


def truth(s, image, categories, crowds):
    side = s.pick([4, 9, 31, 32, 33, 60, 96])
    w, h = min(side + s.int(0, 3), image["width"]), min(side + s.int(0, 3), image["height"])
    x, y = s.int(0, image["width"] - w + 1), s.int(0, image["height"] - h + 1)
    category, crowd = s.int(1, categories + 1), int(s.int(0, 20) < crowds)
    area = s.pick([w * h, w * h, 1024, 1023.5, 9216, 9216.5])
    return {"image": image["id"], "category": category, "box": [x, y, w, h], "area": area, "crowd": crowd}


def detection(s, image, truths, categories, digits):
    near, same = s.int(0, 10), s.int(0, 10)
    category, shift = s.int(1, categories + 1), [s.int(-3, 4) for _ in range(4)]
    box = [s.int(0, 40), s.int(0, 40), s.int(1, 60), s.int(1, 60)]
    if truths and near < 7:
        of = s.pick(truths)
        box = [v + d for v, d in zip(of["box"], shift)]
        category = of["category"] if same < 9 else category
    x, y = min(max(box[0], 0), image["width"] - 1), min(max(box[1], 0), image["height"] - 1)
    w, h = max(1, min(box[2], image["width"] - x)), max(1, min(box[3], image["height"] - y))
    rounded, score = s.int(0, 20) < digits, s.next()
    score = math.floor(10 * score) / 10 if rounded else score
    return {"image": image["id"], "category": category, "box": [x, y, w, h], "score": score}


def recalls(s):
    """100, 50 or 20 objects of one class, most of them found exactly: recall passes n / 100 one by one."""
    out = {"categories": 1, "cut": False, "images": [], "truths": [], "found": []}
    for i in range(s.pick([1, 2, 5, 5])):
        image = {"id": i, "height": 60, "width": 90}
        out["images"].append(image)
        for k in range(20):
            box = [18 * (k % 5) + 1, 15 * (k // 5) + 1, 12, 10]
            out["truths"].append({"image": i, "category": 1, "box": box, "area": 120, "crowd": 0})
            hit, score = s.int(0, 10) < 9, s.next()
            if hit:
                out["found"].append({"image": i, "category": 1, "box": box, "score": score})
            if s.int(0, 10) < 5:
                out["found"].append({"image": i, "category": 1, "box": [box[0], box[1], 3, 3], "score": s.next()})
    return out


def thresholds(s):
    """Pairs whose IoU is n / 20: as large as a threshold, or 1."""
    out = {"categories": 2, "cut": False, "images": [], "truths": [], "found": []}
    for i in range(s.int(3, 12)):
        image = {"id": i, "height": 30, "width": 60}
        out["images"].append(image)
        category = s.int(1, 3)
        out["truths"].append({"image": i, "category": category, "box": [4, 5, 40, 20], "area": 800, "crowd": 0})
        for _ in range(s.int(1, 3)):
            out["found"].append({"image": i, "category": category, "box": [4, 5, 2 * s.int(10, 21), 20], "score": s.int(0, 10) / 10})
    return out


def counts(box, image, cut):
    """Run lengths of a box, without the lower third of its right half where `cut`."""
    (x, y, w, h), height = box, image["height"]
    runs, end = [], 0
    for column in range(w):
        tall = h - h // 3 if cut and 2 * column >= w else h
        start = (x + column) * height + y
        if start == end and runs:
            runs[-1] += tall
        else:
            runs += [start - end, tall]
        end = start + tall
    rest = image["width"] * height - end
    return runs + [rest] if rest > 0 else runs


def files(made, kind):
    """Ground truth and results as COCO has them."""
    images = {image["id"]: image for image in made["images"]}
    rle = lambda one: {"size": [images[one["image"]]["height"], images[one["image"]]["width"]], "counts": counts(one["box"], images[one["image"]], made["cut"])}
    annotations = [
        {"id": n + 1, "image_id": t["image"], "category_id": t["category"], "bbox": t["box"], "area": t["area"], "iscrowd": t["crowd"], "segmentation": rle(t)}
        for n, t in enumerate(made["truths"])
    ]
    results = [
        {"image_id": d["image"], "category_id": d["category"], "score": d["score"], **({"bbox": d["box"]} if kind == "bbox" else {"segmentation": rle(d)})}
        for d in made["found"]
    ]
    listed = [{**image, "file_name": f"{image['id']}.png"} for image in made["images"]]
    categories = [{"id": c, "name": f"class {c}"} for c in range(1, made["categories"] + 1)]
    return {"images": listed, "annotations": annotations, "categories": categories}, results


def numbers(made, kind):
    """pycocotools' twelve numbers, and AP and AP50 of each category."""
    gt, results = files(made, kind)
    categories = made["categories"]
    for entry in results:
        if kind == "segm":
            height, width = entry["segmentation"]["size"]
            entry["segmentation"] = masks.frPyObjects(entry["segmentation"], height, width)
    if not results:  # loadRes takes no empty list
        results = [{"image_id": made["images"][0]["id"], "category_id": categories + 1, "score": 1, "bbox": [0, 0, 1, 1]}]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = gt
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    classes = np.full((categories, 2), -1.0)
    for k in range(categories):
        own = precision[:, :, k]
        if (own > -1).any():
            classes[k] = own[own > -1].mean(), own[0][own[0] > -1].mean()
    return evaluation.stats, classes


def main():
    entries = {}
    for kind in ("segm", "bbox"):
        found = [numbers(set_of(i), kind) for i in range(COUNT)]
        entries[f"{kind}.stats"] = np.stack([stats for stats, _ in found])
        entries[f"{kind}.classes"] = np.concatenate([classes for _, classes in found])
    save_file(entries, Path(__file__).with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
