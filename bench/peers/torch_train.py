"""A subject of a benchmark in torchvision: a training step (forward, backward, SGD) for each line of standard input.

    python bench/peers/torch_train.py r18 | r50 | r18-nl     (cases of bench/training.json)
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "goldens"))
import training_networks  # noqa: E402


def main(name):
    case = next(c for c in json.loads((ROOT / "bench" / "training.json").read_text()) if c["name"] == name)
    model = training_networks.make(case)
    images, targets = [], []
    for picture in case["pictures"]:
        truth = training_networks.ground_truth(picture, model.roi_heads.box_predictor.cls_score.out_features)
        images.append(torch.from_numpy(truth["pixels"]).permute(2, 0, 1).contiguous())
        targets.append({k: torch.from_numpy(truth[k]) for k in ("boxes", "labels", "masks")})
        targets[-1]["labels"] = targets[-1]["labels"].long()
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=1e-6, momentum=0.9, weight_decay=1e-4)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        losses = model(images, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        loss = sum(losses.values()).item()
        milliseconds = (time.perf_counter() - start) * 1000
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"milliseconds": milliseconds, "peakRss": peak, "loss": loss}), flush=True)


main(sys.argv[1])
