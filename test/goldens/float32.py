"""Writes test/goldens/float32-{ops,networks}.json: how far float32 may be from the float64 gradients of the other goldens, for each of them.

Usage: python test/goldens/float32.py ops [OP ...] | networks [CASE ...]

Tests allow twice these, or their base where that is more. All are distances in norm over the samples, relative to those of float64.
- Of an op: the largest of runs of which every step is rounded at random (rounding.py). Long sums cost nothing there, so that one which loses
  digits is no excuse; a gradient that cancels to little does, and is given PyTorch's own error in float32 where that is more. Of the ops
  of OPAQUE, whose inside such a run does not see: PyTorch's error alone, which is that of the places of samples.
- Of a parameter of a network, two: PyTorch's own error in float32, the larger of its two ways to convolve, and the root of the sum of the
  squared jumps at near ties (near_ties.py), which no two orders of sums decide alike.
  Both are 0 of what is zero but for rounding, which tests hold to the largest gradient instead.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

import gradients
import prng
import training
import training_networks as networks
from make import load
from near_ties import NearTies
from rounding import Rounded

HERE = Path(__file__).parent
# Runs of a case of many values, of which each has its share of luck, and of few.
DRAWS, MANY_DRAWS, FEW = 12, 64, 200000
TURNS = 4
# A gradient that rounding alone moves so far cancels.
CANCELS = 5e-6
OPAQUE = {"roi_align", "multi_scale_roi_align"}
# Below this a gradient is zero but for rounding.
ZERO = 1e-9


def short(value):
    return float(f"{value:.2g}")


def distances(found, wanted):
    """By name; without what is zero by construction."""
    sizes = {name: np.linalg.norm(value) for name, value in wanted.items()}
    return {name: np.linalg.norm(found[name] - wanted[name]) / size for name, size in sizes.items() if size > ZERO}


def of_case(module, op, case, index):
    wanted = module.gradients(op, case, index, torch.float64)
    theirs = distances(module.gradients(op, case, index, torch.float32), wanted)
    if op in OPAQUE:
        return theirs
    most = {}
    size = sum(np.prod(spec["shape"]) for spec in case["inputs"].values())
    for draw in range(MANY_DRAWS if size <= FEW else DRAWS):
        with Rounded(draw):
            found = module.gradients(op, case, index, torch.float64)
        for name, error in distances(found, wanted).items():
            most[name] = max(most.get(name, 0), error)
    return {name: max(error, theirs[name]) if error > CANCELS else error for name, error in most.items()}


def ops(names, path):
    result = json.loads(path.read_text()) if names and path.exists() else {"training": {}, "gradients": {}}
    kinds = {
        "training": (training, {op: list(enumerate(load(op))) for op in {**training.ALSO, **training.FORWARD}}),
        "gradients": (gradients, {op: gradients.cases(op) for op in gradients.OPS}),
    }
    for kind, (module, cases) in kinds.items():
        for op, some in cases.items():
            if names and op not in names:
                continue
            for index, case in some:
                errors = of_case(module, op, case, index)
                result[kind].update({f"{op}/{case['name']}.{name}": short(error) for name, error in errors.items()})
            write(path, result)
            print(op, flush=True)


def given(case):
    """Samplers and proposals as the goldens have them."""
    goldens = load_file(str(networks.OUT / f"{case['name']}.safetensors"))
    count = range(len(case["pictures"]))
    return goldens, [torch.from_numpy(goldens[f"proposals.{n}"]) for n in count]


class Fixed(networks.Sampler):
    """Gives what the goldens say was sampled."""

    def __init__(self, goldens, kind):
        super().__init__(0, 0, None)
        self.goldens, self.kind = goldens, kind

    def __call__(self, labels):
        found = ([], [])
        for n, own in enumerate(labels):
            for sign, masks in zip(("positive", "negative"), found):
                mask = torch.zeros(len(own), dtype=torch.uint8)
                mask[torch.from_numpy(self.goldens[f"{self.kind}.{n}.{sign}"]).long()] = 1
                masks.append(mask)
        return found


def sampled(parameters):
    pick = lambda flat: flat[:: prng.sample_stride(flat.size, networks.SAMPLES)]
    return {name: pick(value.detach().double().numpy().reshape(-1)) for name, value in parameters.items()}


def of_network(case):
    goldens, proposals = given(case)
    samplers = Fixed(goldens, "anchors"), Fixed(goldens, "rois")

    def run(dtype, ties):
        with ties:
            losses, model, _ = networks.run(case, dtype, samplers, proposals)
        sum(losses.values()).backward(retain_graph=dtype == torch.float64)
        parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        return parameters, sampled({name: p.grad for name, p in parameters.items()})

    narrow, errors = [], []
    for onednn in (True, False):
        torch.backends.mkldnn.enabled = onednn
        narrow.append(NearTies())
        errors.append(run(torch.float32, narrow[-1])[1])
    torch.backends.mkldnn.enabled = True
    near = NearTies(narrow)
    parameters, wanted = run(torch.float64, near)
    for name, value in wanted.items():
        golden = goldens[f"grad/{name}"]
        off = np.linalg.norm(value - golden)
        assert name.endswith("psi.bias") or off <= 1e-6 * np.linalg.norm(golden), f"{case['name']} {name} is {off} from its golden"
    # As in test/train/networks.test.ts: a gradient that is zero by construction is rounding alone.
    largest = max(float(goldens[f"norm/{name}"][0]) for name in wanted)
    floor = {name: 1e-6 * largest * (len(value) / parameters[name].numel()) ** 0.5 for name, value in wanted.items()}
    size = {name: max(np.linalg.norm(value), floor[name]) for name, value in wanted.items()}
    jumps = dict.fromkeys(wanted, 0.0)
    for jump in near.jumps(parameters.items(), TURNS):
        for name, value in sampled(jump).items():
            jumps[name] += np.linalg.norm(value) ** 2 / TURNS
    found = {n: max(np.linalg.norm(e[n] - wanted[n]) for e in errors) / size[n] for n in wanted}
    print(case["name"], near.count(), "near ties", flush=True)
    zero = {name for name, value in wanted.items() if np.linalg.norm(value) < floor[name]}
    own = {name: [short(found[name]), short(jumps[name] ** 0.5 / size[name])] for name in wanted}
    return {name: [0, 0] if name in zero else both for name, both in own.items()}


def write(path, result):
    text = json.dumps(result, indent=1).replace("[\n   ", "[").replace(",\n   ", ", ").replace("\n  ]", "]")
    path.write_text(text + "\n")


def main(what, *names):
    path = HERE / f"float32-{what}.json"
    if what == "ops":
        ops(names, path)
    else:
        result = json.loads(path.read_text()) if names and path.exists() else {}
        for case in json.loads(networks.CASES.read_text()):
            if not names or case["name"] in names:
                result[case["name"]] = of_network(case)
                write(path, result)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
