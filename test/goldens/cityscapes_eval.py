"""Writes test/fixtures/cityscapes-eval.json: random scenes and detections, and the numbers of Cityscapes' instance benchmark for them.

Usage: python test/goldens/cityscapes_eval.py

The numbers come from the benchmark's definitions on dense label images, a pixel at a time: values as in NAME_gtFine_instanceIds.png, objects
of a class from 1000, groups and void below. Scenes have groups, void, objects below 100 pixels, equal scores, several detections of an
object, classes without objects or detections, and a class whose only detection lies on void.
"""

import json
from pathlib import Path

import numpy as np
from pycocotools import mask as masks

FILE = Path(__file__).resolve().parents[1] / "fixtures" / "cityscapes-eval.json"
CLASSES = [24, 26, 33]
IOUS = np.arange(0.5, 1.0, 0.05)
LEAST = 100
SETS = {"mixed": (1, 7), "dense": (2, 3), "few": (3, 2)}


def rle(bitmap):
    found = masks.encode(np.asfortranarray(bitmap.astype(np.uint8)))
    return {"size": [int(s) for s in found["size"]], "counts": found["counts"].decode()}


def blob(random, height, width, least=4, most=40):
    y, x = np.mgrid[:height, :width]
    cy, cx = random.uniform(0, height), random.uniform(0, width)
    a, b = random.uniform(least, most, 2) / 2
    return ((y - cy) / a) ** 2 + ((x - cx) / b) ** 2 <= 1


def scene(random, classes):
    height, width = int(random.integers(60, 100)), int(random.integers(80, 140))
    ids = np.full((height, width), 7)  # road
    ids[: height // 6] = 4  # static: void
    for category in classes:
        for i in range(int(random.integers(0, 5))):
            ids[blob(random, height, width)] = category * 1000 + i
        if random.random() < 0.4:
            ids[blob(random, height, width, 20, 60)] = category  # a group
    ids[blob(random, height, width, 10, 40)] = 0  # unlabelled: void
    found = []
    for value in np.unique(ids):
        if value // 1000 not in classes and value not in classes:
            continue
        for _ in range(int(random.integers(0, 4))):
            bitmap = np.roll(ids == value, random.integers(-2, 3, 2), (0, 1)) ^ (random.random(ids.shape) < 0.02)
            category = int(value if value < 1000 else value // 1000)
            found.append((category if random.random() < 0.95 else classes[0], bitmap))
    for _ in range(3):
        found.append((int(random.choice(classes)), blob(random, height, width)))
    scores = [round(float(random.random()), 1 if random.random() < 0.5 else 4) for _ in found]
    return ids, [(category, score, bitmap) for (category, bitmap), score in zip(found, scores) if bitmap.any()]


def average_precision(scenes, category, threshold):
    right, scores, missed, judged_any, found_any = [], [], 0, False, False
    for ids, found in scenes:
        own = [(score, bitmap) for c, score, bitmap in found if c == category]
        values = [v for v in np.unique(ids) if v == category or v // 1000 == category]
        found_any |= len(own) > 0
        iou = lambda v, bitmap: ((ids == v) & bitmap).sum() / ((ids == v) | bitmap).sum()
        for value in values:
            if value < 1000 or (ids == value).sum() < LEAST:
                continue
            judged_any = True
            takers = sorted((score for score, bitmap in own if iou(value, bitmap) > threshold), reverse=True)
            missed += not takers
            scores += takers
            right += [1.0] * len(takers[:1]) + [0.0] * len(takers[1:])
        for score, bitmap in own:
            if any(iou(value, bitmap) > threshold for value in values):
                continue
            unjudged = (np.isin(ids, [0, 1, 2, 3, 4, 5, 6]) & bitmap).sum()
            for value in values:
                common = ((ids == value) & bitmap).sum()
                unjudged += common * int(value < 1000) + common * int((ids == value).sum() < LEAST)
            if unjudged / bitmap.sum() <= threshold:
                scores.append(score)
                right.append(0.0)
    if not judged_any:
        return float("nan")
    if not found_any or not scores:
        return 0.0
    order = np.argsort(scores)
    rising, before = np.asarray(scores)[order], np.concatenate([[0.0], np.cumsum(np.asarray(right)[order])])
    first = np.unique(rising, return_index=True)[1]
    hits = before[-1] - before[first]
    precision = np.append(hits / (len(rising) - first), 1.0)
    objects = before[-1] + missed
    recall = np.append(hits / objects, 0.0) if objects else np.zeros(len(precision))
    padded = np.concatenate([recall[:1], recall, [0.0]])
    return float(precision @ np.convolve(padded, [-0.5, 0, 0.5], "valid"))


def numbers(scenes):
    aps = np.array([[average_precision(scenes, c, t) for t in IOUS] for c in CLASSES])
    classes = {str(c): {"AP": float(own.mean()), "AP50": float(own[0])} for c, own in zip(CLASSES, aps) if not np.isnan(own[0])}
    return {"AP": float(np.nanmean(aps)), "AP50": float(np.nanmean(aps[:, 0])), "perClass": classes}


def void_only():
    """One object, and one detection of it that lies on void."""
    ids = np.full((40, 40), 7)
    ids[:20], ids[25:38, 5:25] = 0, 26000
    bitmap = np.zeros(ids.shape, bool)
    bitmap[2:18, 3:30] = True
    return [(ids, [(26, 0.9, bitmap)])]


def main():
    out = []
    sets = {name: [scene(random, CLASSES) for _ in range(count)] for name, (seed, count) in SETS.items() for random in [np.random.default_rng(seed)]}
    for name, scenes in {**sets, "void": void_only()}.items():
        pictures = []
        for ids, found in scenes:
            values = [int(v) for v in np.unique(ids) if v in CLASSES or v // 1000 in CLASSES]
            truths = [{"category": v if v < 1000 else v // 1000, "group": v < 1000, "mask": rle(ids == v)} for v in values]
            detections = [{"category": c, "score": s, "mask": rle(b)} for c, s, b in found]
            pictures.append({"truths": truths, "found": detections, "ignored": rle(ids < 7)})
        out.append({"name": name, "categories": CLASSES, "pictures": pictures, "expected": numbers(scenes)})
    FILE.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print({case["name"]: case["expected"] for case in out})


main()
