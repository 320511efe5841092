"""Writes test/goldens/optimizers.safetensors and schedules.json: torch.optim in float64.

Usage: python test/goldens/optimizers.py

Each case of test/cases/optimizers.json takes STEPS steps with PARAMETERS of seeds PARAMETER_SEED + i, gradients of seeds
GRADIENT_SEED + 1000 step + i, and a learning rate that falls by a twentieth each step. Entries are CASE/NAME, every
sample_stride(size, 256)-th value of the parameter in the end, and CASE/norms, the norm of all gradients of each step.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from prng import make_input, sample_stride

HERE = Path(__file__).parent
STEPS = 20
PARAMETER_SEED, GRADIENT_SEED = 910000, 920000
PARAMETERS = {"conv.weight": [37, 20, 3, 3], "conv.bias": [37], "fc.weight": [130, 157], "fc.bias": [1], "norm": [9001]}
SAMPLES = 256


def uniform(shape, seed):
    return torch.from_numpy(np.array(make_input({"shape": shape, "seed": seed, "lo": -1, "hi": 1}))).double()


def trajectory(case):
    a = dict(case["attrs"])
    parameters = {
        name: torch.nn.Parameter(uniform(shape, PARAMETER_SEED + i)) for i, (name, shape) in enumerate(PARAMETERS.items())
    }
    max_norm, no_decay = a.pop("max_norm", None), a.pop("no_decay", False)
    groups = [{"params": list(parameters.values())}]
    if no_decay:
        groups = [
            {"params": [p for p in parameters.values() if p.dim() >= 2]},
            {"params": [p for p in parameters.values() if p.dim() < 2], "weight_decay": 0},
        ]
    make = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[case["optimizer"]]
    optimizer = make(groups, **a)
    norms = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = a["lr"] * (1 - step / 20)
        for i, (name, shape) in enumerate(PARAMETERS.items()):
            parameters[name].grad = uniform(shape, GRADIENT_SEED + 1000 * step + i)
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), max_norm or float("inf")).item())
        optimizer.step()
    entries = {f"{case['name']}/norms": np.array(norms, np.float32)}
    for name, value in parameters.items():
        flat = value.detach().numpy().reshape(-1)
        entries[f"{case['name']}/{name}"] = flat[:: sample_stride(flat.size, SAMPLES)].astype(np.float32)
    return entries


def schedules():
    """The rates of 60 steps, the warm-up multiplied in as torchvision's references do."""
    s = torch.optim.lr_scheduler
    kinds = {
        "step": lambda o: s.StepLR(o, 7, 0.5),
        "multi_step": lambda o: s.MultiStepLR(o, [10, 25, 40], 0.1),
        "cosine": lambda o: s.CosineAnnealingLR(o, 60, 1e-5),
    }
    out = {}
    for name, kind in kinds.items():
        for warmup in (0, 12):
            optimizers = [torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr) for lr in (0.02, 1.0)]
            main = kind(optimizers[0])
            warm = s.LinearLR(optimizers[1], 0.01, total_iters=warmup) if warmup else None
            rates = []
            for _ in range(60):
                rates.append(optimizers[0].param_groups[0]["lr"] * optimizers[1].param_groups[0]["lr"])
                for optimizer, schedule in zip(optimizers, (main, warm)):
                    optimizer.step()
                    if schedule:
                        schedule.step()
            out[f"{name}-{warmup}"] = rates
    return out


def main():
    entries = {}
    for case in json.loads((HERE.parent / "cases" / "optimizers.json").read_text()):
        entries.update(trajectory(case))
    save_file(entries, HERE / "optimizers.safetensors")
    (HERE / "schedules.json").write_text(json.dumps(schedules()) + "\n")
    print(len(entries), "arrays", sum(e.nbytes for e in entries.values()) // 1024, "KiB")


if __name__ == "__main__":
    main()
