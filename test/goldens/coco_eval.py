"""Writes test/fixtures/coco-eval/NAME.{gt,results}.json, random ground truths and detections, and expected.json: pycocotools' numbers of each.

Usage: python test/goldens/coco_eval.py

The sets have crowds, areas on the borders of the ranges, equal scores, categories without objects or detections, pictures without
objects, and one has more than 100 detections of a category in a picture.
"""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = Path(__file__).resolve().parents[1] / "fixtures" / "coco-eval"
SETS = {"mixed": (1, 8, 4, 12), "crowded": (2, 3, 2, 130), "sparse": (3, 10, 6, 2)}


def rle(box, height, width):
    bitmap = np.zeros((height, width), np.uint8, order="F")
    x, y, w, h = (int(round(v)) for v in box)
    bitmap[max(y, 0) : y + h, max(x, 0) : x + w] = 1
    bitmap[max(y, 0) : y + h // 3, max(x, 0) : x + w // 3] = 0
    found = masks.encode(bitmap)
    return {"size": [height, width], "counts": found["counts"].decode()}


def make(seed, pictures, categories, most):
    random = np.random.default_rng(seed)
    images, annotations, results = [], [], []
    for i in range(1, pictures + 1):
        height, width = int(random.integers(60, 240)), int(random.integers(60, 240))
        images.append({"id": 7 * i, "file_name": f"{i}.png", "height": height, "width": width})
        truths = []
        for _ in range(0 if i % 4 == 0 else int(random.integers(0, 7))):
            side = random.choice([8, 31, 32, 33, 60, 96, 97])
            w, h = min(side, width - 4), min(side, height - 4)
            box = [int(random.integers(0, width - w)), int(random.integers(0, height - h)), int(w), int(h)]
            area = float(random.choice([w * h, 1024, 9216, 1023.5, 9216.5]))
            category = int(random.integers(1, categories))
            truth = {"id": len(annotations) + 1, "image_id": 7 * i, "category_id": category, "bbox": box, "area": area, "iscrowd": int(random.random() < 0.15)}
            x, y, w, h = box
            polygon = [[x, y, x + w, y, x + w, y + h, x + w / 2, y + h / 1.2, x, y + h]]
            truth["segmentation"] = rle(box, height, width) if truth["iscrowd"] or random.random() < 0.5 else polygon
            annotations.append(truth)
            truths.append(truth)
        for _ in range(int(random.integers(0, most + 1)) if i > 1 else most):
            if truths and random.random() < 0.7:
                near = truths[int(random.integers(len(truths)))]
                box = [v + int(random.integers(-5, 6)) for v in near["bbox"]]
                category = near["category_id"] if random.random() < 0.9 else int(random.integers(1, categories + 1))
            else:
                box, category = [int(v) for v in random.integers(0, 50, 4)], int(random.integers(1, categories + 1))
            box = [max(box[0], 0), max(box[1], 0), min(max(box[2], 2), width), min(max(box[3], 2), height)]
            score = round(float(random.random()), 1 if random.random() < 0.5 else 4)
            results.append({"image_id": 7 * i, "category_id": category, "bbox": box, "score": score, "segmentation": rle(box, height, width)})
    names = [{"id": c, "name": f"class {c}"} for c in range(1, categories + 1)]
    return {"images": images, "annotations": annotations, "categories": names}, results


def numbers(gt_file, results, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO(str(gt_file))
        own = [{k: v for k, v in r.items() if k != ("bbox" if kind == "segm" else "segmentation")} for r in results]
        evaluation = COCOeval(gt, gt.loadRes(own), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"]
    classes = {}
    for k, category in enumerate(evaluation.params.catIds):
        values = precision[:, :, k, 0, 2]
        if (values > -1).any():
            classes[f"class {category}"] = {"AP": float(values[values > -1].mean()), "AP50": float(values[0][values[0] > -1].mean())}
    return [float(v) for v in evaluation.stats], classes


def main():
    HERE.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, settings in SETS.items():
        gt, results = make(*settings)
        (HERE / f"{name}.gt.json").write_text(json.dumps(gt, separators=(",", ":")))
        (HERE / f"{name}.results.json").write_text(json.dumps(results, separators=(",", ":")))
        expected[name] = {}
        for kind in ("segm", "bbox"):
            stats, classes = numbers(HERE / f"{name}.gt.json", results, kind)
            expected[name][kind] = {"stats": stats, "perClass": classes}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
