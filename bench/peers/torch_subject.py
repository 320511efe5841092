"""A subject of a benchmark in PyTorch and torchvision: works once for each line of standard input, answers with JSON.

    python bench/peers/torch_subject.py network | roi_align | non_local_roi
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from torchvision.ops import MultiScaleRoIAlign

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "goldens"))
import models  # noqa: E402
import networks  # noqa: E402


def network():
    case = next(c for c in json.loads(models.CASES.read_text()) if c["name"] == "r50-landscape")
    model = models.make_model(case)[0].eval()

    def work():
        picture = torch.from_numpy(models.read_photo(case["photo"]).copy()).permute(2, 0, 1).float() / 255
        return {"detections": len(model([picture])[0]["boxes"])}

    return work


def roi_align():
    sizes = [(200, 272), (100, 136), (50, 68), (25, 34)]
    features = {str(i): torch.rand(1, 256, *size) for i, size in enumerate(sizes)}
    boxes = []
    for i in range(1000):
        u = [((i + 1) * step) % 1 for step in (0.618034, 0.414214, 0.732051, 0.236068)]
        w, h = 16 + 484 * u[2] ** 3, 16 + 484 * u[3] ** 3
        x, y = u[0] * (1066 - w), u[1] * (800 - h)
        boxes.append([x, y, x + w, y + h])
    pool, boxes = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2), [torch.tensor(boxes)]
    return lambda: pool(features, boxes, [(800, 1066)]) is None or {}


def non_local_roi():
    block = networks.NonLocalRoi(256, 7, networks.BLOCK_DEFAULTS).eval()
    x = torch.rand(1000, 256, 7, 7)
    return lambda: block(x) is None or {}


def main(name):
    with torch.no_grad():
        work = {"network": network, "roi_align": roi_align, "non_local_roi": non_local_roi}[name]()
        print("ready", flush=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            more = work()
            milliseconds = (time.perf_counter() - start) * 1000
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            print(json.dumps({"milliseconds": milliseconds, "peakRss": peak, **more}), flush=True)


main(sys.argv[1])
