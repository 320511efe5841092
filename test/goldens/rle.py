"""Makes test/goldens/rle.json: what pycocotools (2.0.11) makes of random masks, polygons and boxes.

    python test/goldens/rle.py

Bitmaps are given as their own bits (packbits of the row-major mask, base64), so that the test does not start from our RLE.
"""

import base64
import json
from pathlib import Path

import numpy as np
from pycocotools import mask as coco

rng = np.random.default_rng(7)


def text(rle):
    return rle["counts"].decode()


def encode(bitmap):
    return coco.encode(np.asfortranarray(bitmap.astype(np.uint8)))


def bitmaps():
    yield from (np.zeros((1, 1)), np.ones((1, 1)), np.zeros((7, 5)), np.ones((7, 5)), np.eye(9), np.indices((8, 6)).sum(0) % 2)
    for height, width in [(1, 40), (40, 1), (13, 17), (64, 48), (200, 301)]:
        yield rng.random((height, width)) < rng.random()
        y, x = np.indices((height, width))
        yield ((x - width * rng.random()) / width) ** 2 + ((y - height * rng.random()) / height) ** 2 < 0.1 * rng.random() + 0.02


def far_polygons():
    """Corners outside of their image: near its border, around it, and so far that few of an edge's points are inside."""
    rng = np.random.default_rng(8)
    for k in range(60):
        h, w = (int(v) for v in rng.integers(1, 60, 2))
        corners = int(rng.integers(3, 8))
        reach = [100, 1000, 1e5, 1e6][k % 4]
        xy = rng.uniform(-reach, reach, 2 * corners)
        inside = rng.random(2 * corners) < 0.5
        xy[inside] = rng.uniform(0, max(h, w), inside.sum())
        shape = xy.round(2).tolist()
        yield {"size": [h, w], "polygon": shape, "counts": text(coco.frPyObjects([shape], h, w)[0])}
    for shape in ([5, 5, 5, 5, 5, 5], [3, 3, 3, 9, 3, 15], [-10, -10, 20.5, -3, 50, 50], [0, 0, 27.5, 0, 27.5, 27.5, 0, 27.5]):
        yield {"size": [28, 28], "polygon": shape, "counts": text(coco.frPyObjects([shape], 28, 28)[0])}


def main():
    masks = []
    for bitmap in bitmaps():
        rle = encode(bitmap)
        bits = base64.b64encode(np.packbits(bitmap.astype(bool))).decode()
        masks.append({"size": rle["size"], "bits": bits, "counts": text(rle), "area": int(coco.area(rle)), "bbox": coco.toBbox(rle).tolist()})
    pairs = []
    for _ in range(6):
        h, w = (int(v) for v in rng.integers(5, 90, 2))
        group = [encode(rng.random((h, w)) < p) for p in (0.05, 0.5, 0.9)] + [encode(np.zeros((h, w))), encode(np.ones((h, w)))]
        crowd = [int(v) for v in rng.integers(0, 2, len(group))]
        pairs.append({
            "size": [h, w], "counts": [text(r) for r in group], "crowd": crowd, "iou": coco.iou(group, group, crowd).tolist(),
            "union": text(coco.merge(group[:3])), "intersection": text(coco.merge(group[:3], intersect=True)),
        })
    polygons = []
    for k in range(60):
        h, w = (int(v) for v in rng.integers(3, 120, 2))
        corners = int(rng.integers(3, 12))
        xy = rng.random((corners, 2)) * [w * 1.4, h * 1.4] - [w * 0.2, h * 0.2]
        if k % 3 == 0:
            xy = np.clip(np.round(xy), 0, [w, h])
        if k % 3 == 1:
            xy = np.clip(xy, 0, [w, h])
        shape = xy.ravel().round(2).tolist()
        polygons.append({"size": [h, w], "polygon": shape, "counts": text(coco.frPyObjects([shape], h, w)[0])})
    boxes = []
    for _ in range(20):
        h, w = (int(v) for v in rng.integers(3, 120, 2))
        box = [float(v) for v in (rng.random(4) * [w, h, w / 2, h / 2]).round(2)]
        boxes.append({"size": [h, w], "bbox": box, "counts": text(coco.frPyObjects(np.array([box]), h, w)[0])})
    out = {"masks": masks, "pairs": pairs, "polygons": polygons + list(far_polygons()), "boxes": boxes}
    Path(__file__).with_suffix(".json").write_text(json.dumps(out))


main()
