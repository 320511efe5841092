"""Makes test/fixtures/checkpoints/forms/: one state dict in the forms that training scripts leave behind, and forms.json with what is
expected of each: the state dict, or an error's words.

    python test/goldens/checkpoint_forms.py
"""

import argparse
import collections
import datetime
import json
import pathlib
import pickle
import shutil
import types

import numpy as np
import torch

OUT = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "checkpoints" / "forms"
OrderedDict = collections.OrderedDict
FORMS = {}


def values(*shape, start):
    """Eighths, which every float format holds."""
    count = int(np.prod(shape))
    return ((torch.arange(count, dtype=torch.float32) + start) / 8).reshape(shape)


STATE = OrderedDict(
    {
        "backbone.body.conv1.weight": values(2, 3, 2, 2, start=-9),
        "backbone.body.bn1.running_var": values(2, start=1),
        "backbone.body.layer1.0.conv1.weight": values(2, 2, 1, 1, start=3),
        "backbone.fpn.inner_blocks.0.bias": values(3, start=-1),
        "roi_heads.box_head.fc6.weight": values(3, 4, start=0),
    }
)


class Module(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 1)

    def forward(self, x):
        return self.conv(x)


class Named(torch.Tensor):
    pass


class Attributes(dict):
    """As easydict's: a dict of its own class."""


def put(name, value, expected=None, note=None, write=None, **options):
    """expected: words of the error, or None for the state dict; note: words of the warning."""
    path = OUT / name
    if write:
        write(path)
    else:
        torch.save(value, path, **options)
    FORMS[name] = {"error": expected, "warning": note}


def prefixed(prefix, state=STATE):
    return OrderedDict((prefix + name, value) for name, value in state.items())


def mapped(change):
    return OrderedDict((name, change(value)) for name, value in STATE.items())


def with_one(value, name="roi_heads.box_head.fc6.weight"):
    return OrderedDict({**STATE, name: value})


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for name in ("last.ckpt", "model_best.pth.tar", "MODEL.PTH", "weights", "weights.pkl", "weights.bin", "weights.safetensors"):
        put(name, STATE)
    put("legacy.ckpt", STATE, _use_new_zipfile_serialization=False)
    for protocol in (1, 3, 4, 5):
        put(f"protocol{protocol}.pth", STATE, pickle_protocol=protocol)
        put(f"legacy-protocol{protocol}.pth", STATE, pickle_protocol=protocol, _use_new_zipfile_serialization=False)

    for prefix in ("module.", "_orig_mod.", "module._orig_mod.", "model.", "net.student."):
        note = "FSDP" if prefix == "_orig_mod." else f'prefix "{prefix.replace("_orig_mod.", "")}"'
        put(f"prefix-{prefix}pth", prefixed(prefix), note=note)
    put("prefix-with-counter.pth", {"n_averaged": torch.tensor(3), **prefixed("module.")}, note='prefix "module."')
    put("prefix-within.pth", OrderedDict((n.replace("body.", "_orig_mod.body."), v) for n, v in STATE.items()), note="FSDP")
    put("prefix-two.pth", {**prefixed("model."), **prefixed("ema.")}, "one network but received 2, with the prefixes model., ema.")
    put("prefix-collision.pth", {**STATE, **prefixed("_orig_mod.")}, "one tensor of the name")

    other = mapped(lambda v: v + 1)
    for key in ("model", "state_dict", "model_state_dict", "net", "module", "weights", "model_ema", "ema_state_dict", "params_ema"):
        put(f"key-{key}.pth", {"epoch": 3, key: STATE, "optimizer": {"state": {0: {"momentum_buffer": values(2, start=0)}}}})
    put("key-nested.pth", {"state": 1, "model": {"state_dict": STATE}})
    put("key-averaged-too.pth", {"model_ema": {"n_averaged": torch.tensor(2), **prefixed("module.", other)}, "model": STATE}, note="model is used; it also holds model_ema")
    put("key-preferred.pth", {"state_dict": other, "model": STATE}, note="model is used; it also holds state_dict")
    put("key-same-twice.pth", {"state_dict": STATE, "model": STATE})
    put("key-unknown.pth", {"student": STATE, "centre": torch.zeros(2)}, note="the state dict of student is used")
    put("key-ambiguous.pth", {"teacher": other, "student": STATE}, "one state dict but received 2: teacher, student")
    itself = {"epoch": 1}
    itself["model"] = itself["other"] = itself
    put("key-itself.pth", itself, "a state dict of tensors but received a dict of epoch, model, other")

    class_of_its_own = Attributes(STATE)
    Attributes.__module__ = "easydict"
    put("dict-subclass.pth", class_of_its_own, write=lambda p: save_as(p, class_of_its_own))
    put("default-dict.pth", {"model": collections.defaultdict(list, STATE)})
    state = OrderedDict(STATE)
    state._metadata = OrderedDict({"": {"version": 1}})
    put("metadata.pth", state)

    extras = {
        "args": argparse.Namespace(lr=0.02, path=pathlib.PurePosixPath("/d"), none=None), "best": np.float64(0.5), "iteration": np.int64(5), "array": np.arange(4),
        "when": datetime.datetime(2024, 1, 2), "set": {1, 2}, "frozen": frozenset([1]), "tuple": (1, (2, 3), ()), "complex": 1 + 2j, "big": 10**30,
        "negative": -(2**70), "bytes": b"abc", "bytearray": bytearray(b"x"), "dtype": torch.float32, "device": torch.device("cpu"), "size": torch.Size([1, 2]),
        "default": collections.defaultdict(list, {1: [2]}), "long": "x" * 300, "unicode": "größe", "range": range(3), "float": 1e300, "flags": [True, False, None],
        "counter": collections.Counter("ab"), "layout": torch.strided, "generator": torch.zeros(4, dtype=torch.uint8),
    }
    for protocol in (1, 2, 3, 4, 5):
        put(f"extras-protocol{protocol}.pth", {"model": STATE, **extras}, pickle_protocol=protocol)
    put("extras-legacy.pth", {"model": STATE, **extras}, _use_new_zipfile_serialization=False)

    put("half.pth", mapped(torch.Tensor.half))
    put("bfloat16.pth", mapped(torch.Tensor.bfloat16))
    put("double.pth", mapped(torch.Tensor.double))
    put("parameters.pth", mapped(torch.nn.Parameter))
    put("buffers.pth", mapped(lambda v: torch.nn.Buffer(v)))
    put("subclass.pth", mapped(lambda v: v.as_subclass(Named)))
    put("channels-last.pth", mapped(lambda v: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v))
    put("transposed.pth", mapped(lambda v: v.mT.contiguous().mT if v.ndim > 1 else v))
    flat = torch.cat([torch.zeros(3), *[v.flatten() for v in STATE.values()]])
    at = 3
    views = OrderedDict()
    for name, value in STATE.items():
        views[name] = flat[at : at + value.numel()].view(value.shape)
        at += value.numel()
    put("views.pth", views)
    put("views-legacy.pth", views, _use_new_zipfile_serialization=False)
    counters = {**STATE, "backbone.body.bn1.num_batches_tracked": torch.tensor(5), "anchors.ids": torch.arange(3)}
    put("counters.pth", counters)

    weight = STATE["roi_heads.box_head.fc6.weight"]
    put("int8.pth", with_one(weight.to(torch.int8)), "roi_heads.box_head.fc6.weight of F16, BF16, F32 or F64 but received CharStorage")
    put("float8.pth", with_one(weight.to(torch.float8_e4m3fn)), "but received float8_e4m3fn")
    put("complex.pth", with_one(weight.to(torch.complex64)), "but received ComplexFloatStorage")
    put("sparse.pth", with_one(weight.to_sparse()), "but received sparse")
    put("quantized.pth", with_one(torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8)), "but received quantized")
    put("meta.pth", with_one(weight.to("meta")), "but received meta")
    put("nan.pth", with_one(torch.full((3, 4), float("nan"))), "roi_heads.box_head.fc6.weight (12 of 12 values are NaN or infinite)")
    put("infinite-half.pth", with_one(torch.tensor([1, float("-inf")]).half()), "(1 of 2 values are NaN or infinite)")
    put("overflowing-double.pth", with_one(torch.tensor([1e300]).double()), "(1 of 1 values are NaN or infinite)")
    put("negative-variance.pth", with_one(torch.tensor([1.0, -1.0]), "backbone.body.bn1.running_var"), "running_var (1 of 2 variances are negative)")
    expanded = with_one(torch.zeros(1).expand(2**30))
    put("expanded.pth", expanded, "values as large as the file")

    put("list.pth", [STATE, STATE], "a list of 2 values")
    put("tensor.pth", weight, "a tensor: save a state dict")
    put("empty-dict.pth", {}, "an empty dict")
    put("arrays.pth", {"model": {name: value.numpy() for name, value in STATE.items()}, "__author__": "x"}, "a NumPy array")
    module = Module()
    put("module.pth", None, "a whole module of networks.Module: save its state_dict()", write=lambda p: save_as(p, module))
    put("module-in-model.pth", None, "model: a whole module of networks.Module", write=lambda p: save_as(p, {"epoch": 1, "best": torch.tensor(0.5), "model": module}))
    put("script.pt", None, "a TorchScript program", write=lambda p: torch.jit.script(Module()).save(str(p)))
    put("exported.pt2", None, "a program of torch.export", write=lambda p: torch.export.save(torch.export.export(Module(), (torch.zeros(1, 1, 2, 2),)), p))
    put("dumped.pkl", None, "another pickle", write=lambda p: p.write_bytes(pickle.dumps({n: v.numpy() for n, v in STATE.items()})))
    put("arrays.npz", None, "a NumPy .npz archive", write=lambda p: np.savez(open(p, "wb"), a=np.zeros(2)))
    put("array.npy", None, "a NumPy .npy array", write=lambda p: np.save(open(p, "wb"), np.zeros(2)))

    today = lambda name: name.replace("blocks.0.bias", "blocks.0.0.bias")
    state = {today(name): {"shape": list(value.shape), "values": value.flatten().tolist()} for name, value in STATE.items()}
    (OUT.parent / "forms.json").write_text(json.dumps({"state": state, "forms": FORMS}, indent=1) + "\n")


def save_as(path, value):
    """Saves an object of this script as of a module `networks`, or `easydict`."""
    import sys

    networks = types.ModuleType("networks")
    networks.Module = Module
    Module.__module__ = "networks"
    easydict = types.ModuleType("easydict")
    easydict.Attributes = Attributes
    sys.modules.update(networks=networks, easydict=easydict)
    torch.save(value, path)
    Module.__module__ = "__main__"


main()
