"""Makes test/fixtures/datasets (a tiny data set of each format) and test/goldens/datasets.{json,safetensors}.

    python test/goldens/datasets.py

`datasets.json`: per data set its classes and samples; masks by pycocotools.annToMask or by comparison of label values, as packed
bits of the row-major mask. Augmentation cases with what is expected of them: pixels (in datasets.safetensors) and masks by
numpy.rot90, flips, torch's interpolate (bilinear, nearest-exact), slices, and torchvision's adjust_brightness and adjust_contrast.
"""

import base64
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from safetensors.numpy import save_file
from torch.nn.functional import interpolate
from torchvision.transforms import functional as TF

HERE = Path(__file__).parent
ROOT = HERE.parent / "fixtures" / "datasets"
rng = np.random.default_rng(20)


def bits(mask):
    return base64.b64encode(np.packbits(mask.astype(bool))).decode()


def save(array, *path):
    file = ROOT.joinpath(*path)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(file)


def picture(h, w, channels=3, dtype=np.uint8):
    """Waves, so that PNG is small and interpolation has something to do."""
    y, x = np.indices((h, w))
    top = np.iinfo(dtype).max
    planes = [
        (0.5 + 0.3 * np.sin(x * rng.uniform(0.1, 0.5) + c) + 0.2 * np.cos(y * rng.uniform(0.1, 0.5))) * top
        for c in range(channels)
    ]
    array = np.stack(planes, 2).clip(0, top).astype(dtype)
    return array[..., 0] if channels == 1 else array


def label_map(h, w, values):
    """A blob for each value, later ones over earlier ones; the last is one pixel in the corner."""
    y, x = np.indices((h, w))
    labels = np.zeros((h, w), np.uint16)
    for value in values:
        cy, cx, r = rng.uniform(0, h), rng.uniform(0, w), rng.uniform(0.12, 0.3) * min(h, w)
        labels[((y - cy) ** 2 + (x - cx) ** 2) < r * r] = value
    labels[h - 1, w - 1] = values[-1]
    return labels


def from_labels(sample_id, labels, meaning, void=None):
    instances = []
    for value in np.unique(labels):
        means = meaning(int(value))
        if means is None:
            continue
        mask = labels == value
        ys, xs = np.nonzero(mask)
        box = [int(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)]
        instances.append({"label": means[0], "crowd": means[1], "box": box, "area": int(mask.sum()), "mask": bits(mask)})
    sample = {"id": sample_id, "size": list(labels.shape), "instances": instances}
    return sample if void is None or not void.any() else {**sample, "ignored": bits(void)}


def make_coco():
    """Category ids out of order and with gaps; polygons of one and two parts, RLE of both kinds, a crowd, a picture without objects."""
    sizes = {9: ("street.png", 29, 37), 4: ("gray.png", 21, 16), 12: ("empty.png", 10, 12)}
    for name, h, w in sizes.values():
        save(picture(h, w, 1 if name == "gray.png" else 3), "coco", "train", name)
    region = np.zeros((29, 37), np.uint8)
    region[3:20, 20:33] = rng.random((17, 13)) < 0.7
    rle = coco_mask.encode(np.asfortranarray(region))
    column = np.zeros((21, 16), np.uint8)
    column[:, 3:5] = 1
    flat, counts, value = column.ravel(order="F"), [], 0
    while len(flat):
        run = int(np.argmax(flat != value)) if (flat != value).any() else len(flat)
        counts.append(run)
        flat, value = flat[run:], 1 - value
    annotations = [
        {"id": 1, "image_id": 9, "category_id": 44, "iscrowd": 0, "area": 61.5, "bbox": [2.5, 3.25, 11.5, 9.75], "segmentation": [[2.5, 3.25, 14, 4.5, 12.25, 13, 3, 11]]},
        {"id": 2, "image_id": 9, "category_id": 3, "iscrowd": 1, "area": int(region.sum()), "bbox": [20, 3, 13, 17], "segmentation": {"size": [29, 37], "counts": rle["counts"].decode()}},
        {"id": 3, "image_id": 4, "category_id": 7, "iscrowd": 0, "area": 42, "bbox": [3, 0, 2, 21], "segmentation": {"size": [21, 16], "counts": counts}},
        {"id": 4, "image_id": 9, "category_id": 7, "iscrowd": 0, "area": 80, "bbox": [17, 15, 20, 14], "segmentation": [[17, 15, 24, 15, 24, 22, 17, 22], [30.5, 21, 40, 21, 40, 33, 30.5, 33]]},
        {"id": 5, "image_id": 77, "category_id": 7, "iscrowd": 0, "area": 9, "bbox": [0, 0, 3, 3], "segmentation": [[0, 0, 3, 0, 3, 3]]},
    ]
    categories = [{"id": 44, "name": "bottle"}, {"id": 3, "name": "car"}, {"id": 7, "name": "train"}]
    images = [{"id": i, "file_name": n, "height": h, "width": w} for i, (n, h, w) in sizes.items()]
    file = ROOT / "coco" / "annotations" / "instances_train.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    api, order = COCO(str(file)), [3, 7, 44]
    samples = []
    for image in images:
        instances = []
        for a in api.loadAnns(api.getAnnIds([image["id"]])):
            x, y, w, h = a["bbox"]
            instances.append({"label": order.index(a["category_id"]) + 1, "crowd": bool(a["iscrowd"]), "box": [x, y, x + w, y + h], "area": a["area"], "mask": bits(api.annToMask(a))})
        samples.append({"id": image["id"], "size": [image["height"], image["width"]], "instances": instances})
    return {"options": {"format": "coco", "data": "coco", "split": "train"}, "classNames": ["background", "car", "train", "bottle"], "categoryIds": [0, *order], "samples": samples}


def make_label_maps():
    one = lambda value: (1, False) if value else None  # noqa: E731
    rows, samples = ["id,width,height,split,instances"], {}
    for name, split, h, w, values in [("a", "train", 24, 31, [1, 2, 300, 7]), ("b", "test", 18, 14, [5, 65535]), ("c", "train", 9, 40, [1])]:
        rows.append(f"{name},{w},{h},{split},{len(values)}")
        labels = label_map(h, w, values)
        save(picture(h, w, 1, np.uint16 if name == "c" else np.uint8), "labelmaps", "images", f"{name}.png")
        save(labels, "labelmaps", "labels_test_original" if split == "test" else "labels", f"{name}.png")
        samples[name] = from_labels(name, labels, one)
    (ROOT / "labelmaps" / "index.csv").write_text("\n".join(rows) + "\n")
    labels = label_map(12, 15, [1, 2, 3]).astype(np.uint8)
    save(picture(12, 15, 1), "labelmaps-folders", "val", "images", "p.tif")
    save(labels, "labelmaps-folders", "val", "masks", "p.tif")
    classes = {"classNames": ["background", "object"]}
    options = {"format": "labelmaps", "data": "labelmaps"}
    return [
        {"options": {**options, "split": "train"}, **classes, "samples": [samples["a"], samples["c"]]},
        {"options": {**options, "split": "test"}, **classes, "samples": [samples["b"]]},
        {"options": {**options, "data": "labelmaps-folders", "split": "val"}, **classes, "samples": [from_labels("p", labels, one)]},
    ]


THINGS = [24, 25, 26, 27, 28, 31, 32, 33]
VOID = [*range(7), 9, 10, 14, 15, 16, 18, 29, 30]
STREET = {"classNames": ["background", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"], "categoryIds": [0, *THINGS]}


def make_cityscapes():
    """Road (7) and single trailers (30000) are nothing, caravans (29) are not judged; a class alone is a group."""
    def meaning(value):
        kind = value if value < 1000 else value // 1000
        return (THINGS.index(kind) + 1, value < 1000) if kind in THINGS else None

    samples = []
    for city, values in [("aachen", [7, 26, 26000, 26001, 24003, 33000]), ("bonn", [7, 29, 30000, 31000, 25])]:
        stem = f"{city}_000003_000019"
        labels = label_map(20, 40, values)
        save(picture(20, 40), "cityscapes", "leftImg8bit", "train", city, f"{stem}_leftImg8bit.png")
        save(labels, "cityscapes", "gtFine", "train", city, f"{stem}_gtFine_instanceIds.png")
        samples.append(from_labels(stem, labels, meaning, np.isin(labels, VOID)))
    return {"options": {"format": "cityscapes", "data": "cityscapes", "split": "train"}, **STREET, "samples": samples}


def make_kitti():
    def meaning(value):
        return (THINGS.index(value // 256) + 1, value % 256 == 0) if value // 256 in THINGS else None

    samples = []
    for k, values in enumerate([[7 * 256, 26 * 256 + 1, 26 * 256 + 2, 24 * 256], [33 * 256 + 255, 28 * 256 + 1]]):
        name = f"{k:06d}_10"
        labels = label_map(14, 45, values)
        save(picture(14, 45), "kitti", "training", "image_2", f"{name}.png")
        save(labels, "kitti", "training", "instance", f"{name}.png")
        samples.append(from_labels(name, labels, meaning, np.isin(labels // 256, VOID)))
    (ROOT / "kitti" / "mini.txt").write_text("000001_10\n")
    options = {"format": "kitti", "data": "kitti"}
    return [{"options": options, **STREET, "samples": samples}, {"options": {**options, "split": "mini"}, **STREET, "samples": samples[1:]}]


def augmented(dataset, index, file, case):
    """Pixels [H, W, C] and instances of a case, by other means than the package's."""
    sample, array = dataset["samples"][index], np.array(Image.open(ROOT / file))
    pixels = array.reshape(*array.shape[:2], -1).astype(np.float64)
    if case.get("percentiles"):
        if pixels.shape[2] == 3:
            pixels = np.array(Image.open(ROOT / file).convert("L")).astype(np.float64)[..., None]
        low, high = np.percentile(pixels, case["percentiles"])
        pixels = ((pixels - low) / (high - low)).clip(0, 1)
    else:
        pixels = pixels / np.iinfo(np.uint16 if array.dtype.kind == "i" or array.dtype.itemsize > 1 else np.uint8).max
    h0, w0 = pixels.shape[:2]
    a, (height, width) = case["augmentation"], case["augmentation"]["size"]
    (rh, rw), (top, left) = a["resized"], a["offset"]
    window = np.s_[top : top + height, left : left + width]

    def turn(array):
        array = np.rot90(array, a["turns"])
        array = array[:, ::-1] if a["flipX"] else array
        return np.ascontiguousarray(array[::-1] if a["flipY"] else array)

    image = torch.from_numpy(turn(pixels)).permute(2, 0, 1)[None]
    image = interpolate(image, size=(rh, rw), mode="bilinear", align_corners=False)[0][(slice(None), *window)]
    if a["brightness"] != 1:
        image = TF.adjust_brightness(image, a["brightness"])
    if a["contrast"] != 1:
        image = TF.adjust_contrast(image, a["contrast"])
    out = np.full((height, width, image.shape[0]), case["options"].get("fill", 0), np.float64)
    out[: image.shape[1], : image.shape[2]] = image.permute(1, 2, 0).numpy()
    kept, masks, boxes = [], [], []
    for g, instance in enumerate(sample["instances"]):
        mask = np.unpackbits(np.frombuffer(base64.b64decode(instance["mask"]), np.uint8))[: h0 * w0].reshape(h0, w0)
        whole = interpolate(torch.from_numpy(turn(mask))[None, None].double(), size=(rh, rw), mode="nearest-exact")[0, 0].numpy()
        part = np.zeros((height, width), np.uint8)
        seen = whole[window]
        part[: seen.shape[0], : seen.shape[1]] = seen
        if part.sum() == 0 or (part.sum() < whole.sum() and part.sum() < case["options"].get("minArea", 10)):
            continue
        kept.append(g)
        masks.append(bits(part))
        ys, xs = np.nonzero(part)
        if case["options"].get("crop"):
            boxes.append([int(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)])
        else:
            boxes.append(turned_box(instance["box"], w0, h0, a))
    return out.astype(np.float32), {"kept": kept, "masks": masks, "boxes": boxes}


def turned_box(box, w, h, a):
    """Corners turned one quarter at a time."""
    x1, y1, x2, y2 = box
    for _ in range(a["turns"]):
        x1, y1, x2, y2, w, h = y1, w - x2, y2, w - x1, h, w
    if a["flipX"]:
        x1, x2 = w - x2, w - x1
    if a["flipY"]:
        y1, y2 = h - y2, h - y1
    (rh, rw) = a["resized"]
    scaled = [x1 * rw / w, y1 * rh / h, x2 * rw / w, y2 * rh / h]
    return [float(np.clip(v, 0, side)) for v, side in zip(scaled, [rw, rh, rw, rh])]


def cases(datasets):
    street = (datasets[0], 0, "coco/train/street.png", 29, 37)
    gray = (datasets[0], 1, "coco/train/gray.png", 21, 16)
    blobs = (datasets[1], 0, "labelmaps/images/a.png", 24, 31)
    wide = (datasets[1], 1, "labelmaps/images/c.png", 9, 40)
    cars = (datasets[-2], 0, "kitti/training/image_2/000000_10.png", 14, 45)
    out = []

    def add(name, source, turns=0, flip_x=False, flip_y=False, scale=1.0, crop=None, offset=(0, 0), brightness=1, contrast=1, percentiles=None, **options):
        dataset, index, file, h, w = source
        turned = (w, h) if turns % 2 else (h, w)
        resized = [round(side * scale) for side in turned]
        augmentation = {"turns": turns, "flipX": flip_x, "flipY": flip_y, "resized": resized, "offset": list(offset), "size": list(crop or resized), "brightness": brightness, "contrast": contrast}
        if crop:
            options["crop"] = list(crop)
        case = {"name": name, "dataset": datasets.index(dataset), "sample": index, "percentiles": percentiles, "augmentation": augmentation, "options": options}
        pixels, expected = augmented(dataset, index, file, case)
        out.append((case | {"expected": expected}, pixels))

    add("as it is", street)
    for k in range(4):
        for x, y in [(False, False), (True, False), (False, True), (True, True)]:
            if k or x or y:
                add(f"turn {k} flip {int(x)}{int(y)}", gray if (k + x + y) % 2 else blobs, turns=k, flip_x=x, flip_y=y)
    add("larger", street, scale=1.37)
    add("smaller, turned", street, turns=1, flip_x=True, scale=0.61)
    add("crop", street, crop=(16, 20), offset=(7, 11), minArea=0)
    for area in (0, 12):
        add(f"crop keeps pieces of {area} pixels", blobs, crop=(11, 13), offset=(8, 6), minArea=area)
    assert len(out[-2][0]["expected"]["kept"]) > len(out[-1][0]["expected"]["kept"]) > 0
    add("whole objects stay, however small", cars, crop=(14, 45))
    assert 1 in out[-1][0]["expected"]["kept"] and cars[0]["samples"][0]["instances"][1]["area"] < 10
    add("crop of a turned, enlarged picture", blobs, turns=3, flip_y=True, scale=1.6, crop=(24, 20), offset=(13, 9))
    add("padded", gray, scale=0.7, crop=(20, 19), fill=0.25)
    add("crop without objects", street, crop=(3, 3), offset=(0, 30))
    add("brightness and contrast, RGB", street, brightness=1.3, contrast=0.6, crop=(20, 20), offset=(2, 3))
    add("contrast, gray, padded", gray, contrast=1.7, crop=(30, 30))
    add("percentiles", blobs, percentiles=[1, 99.8], scale=0.8)
    add("percentiles of 16 bit", wide, percentiles=[5, 90], crop=(8, 16), offset=(1, 10))
    add("16 bit", wide, turns=2)
    add("percentiles of RGB", street, percentiles=[1, 99], turns=1)
    return out


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    datasets = [make_coco(), *make_label_maps(), make_cityscapes(), *make_kitti()]
    made = cases(datasets)
    save_file({case["name"]: pixels for case, pixels in made}, HERE / "datasets.safetensors")
    golden = {"datasets": datasets, "augmentations": [case for case, _ in made]}
    (HERE / "datasets.json").write_text(json.dumps(golden, separators=(",", ":")))


main()
