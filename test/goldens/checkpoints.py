"""Makes test/fixtures/checkpoints/: small files of torch.save (2.14.1), and their values as JSON.

    python test/goldens/checkpoints.py
"""

import argparse
import json
import os
from collections import OrderedDict
from pathlib import Path

import torch

OUT = Path(__file__).resolve().parents[1] / "fixtures" / "checkpoints"
torch.manual_seed(3)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch hostile-was-executed",)


def main():
    base = torch.randn(6, 4)
    state = OrderedDict(
        f32=torch.randn(3, 2, 2), f16=torch.randn(5).half(), bf16=torch.randn(2, 3).bfloat16(), f64=torch.randn(4).double(),
        transposed=base.t(), part=base[2:5, 1:3], scalar=torch.tensor(1.5), empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(torch.randn(2)), num_batches_tracked=torch.tensor(7),
    )
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    module(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    training = {"model": module.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "args": argparse.Namespace(lr=0.1, big=2**70)}
    files = {"zip.pth": (state, True), "legacy.pth": (state, False), "training.pth": (training, True), "training-legacy.pth": (training, False)}
    for name, (value, zipped) in files.items():
        torch.save(value, OUT / name, _use_new_zipfile_serialization=zipped)
    torch.save({"weight": torch.ones(2), "bad": Hostile()}, OUT / "hostile.pth")
    flat = lambda d: {k: {"shape": list(v.shape), "values": v.detach().float().flatten().tolist()} for k, v in d.items() if v.is_floating_point()}
    (OUT / "values.json").write_text(json.dumps({"state": flat(state), "training": flat(module.state_dict())}))


main()
