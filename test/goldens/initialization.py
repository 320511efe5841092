"""Writes test/goldens/initialization.json: how torchvision's networks and the block's layers are initialised.

Usage: python test/goldens/initialization.py

Per tensor its shape, its standard deviation and the bound of its values (null: normal; a constant: deviation 0 and its value),
read off from how PyTorch draws it: every tensor is drawn 40 times, and must be one of zero-mean normal, uniform, or constant.
"""

import json
from pathlib import Path

import torch

import networks

CASES = {
    "r18": {"backbone": "resnet18", "fpn_channels": 32, "num_classes": 4, "box_head_fc": 64, "mask_head_channels": 48},
    "r50-nl": {
        "backbone": "resnet50", "norm": "batch", "fpn_channels": 32, "num_classes": 3, "box_head_fc": 64, "mask_head_convs": 2,
        "mask_head_channels": 32,
        "non_local_roi": {"embed_channels": 8, "value_channels": 16, "pairwise": "concatenation", "fusion": "add"},
    },
}
DRAWS = 40


def describe(values):
    """{"deviation", "bound"} of many draws of one tensor."""
    if (values == values[0]).all():
        return {"deviation": 0, "bound": values[0].item()}
    deviation, largest = values.square().mean().sqrt().item(), values.abs().max().item()
    kurtosis = (values / deviation).pow(4).mean().item()
    if kurtosis < 2.3:
        bound = largest * (1 + 1 / len(values))
        assert abs(deviation * 3**0.5 / bound - 1) < 0.1, (deviation, bound)
        return {"deviation": bound / 3**0.5, "bound": bound * 1.01}
    return {"deviation": deviation, "bound": None}


def main():
    torch.manual_seed(0)
    out = {}
    for name, config in CASES.items():
        draws = {}
        for _ in range(DRAWS):
            for key, value in networks.build(config).state_dict().items():
                if not key.endswith("num_batches_tracked"):
                    draws.setdefault(key, []).append(value.double())
        tensors = {}
        for key, values in draws.items():
            shape = list(values[0].shape)
            if "_nl." in key:  # this package's choice, after arXiv 1711.07971
                zero = key.endswith((".w_z.weight", ".bias"))
                tensors[key] = {"shape": shape, "deviation": 0 if zero else 0.01, "bound": 0 if zero else None}
            else:
                tensors[key] = {"shape": shape, **describe(torch.stack(values).flatten())}
        out[name] = {"config": config, "tensors": tensors}
    lines = ["{"]
    for i, (name, entry) in enumerate(out.items()):
        lines.append(f'  {json.dumps(name)}: {{"config": {json.dumps(entry["config"])}, "tensors": {{')
        lines.append(",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in entry["tensors"].items()))
        lines.append("  }}" + ("," if i + 1 < len(out) else ""))
    lines.append("}")
    (Path(__file__).parent / "initialization.json").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
