"""PyTorch's and torchvision's times for what bench/cuda times, on the same GPU.

    python bench/peers/torch_cuda.py kernels|model [--quick] [--device cuda]

The last line printed is JSON: {benchmark: {variant: microseconds (model: milliseconds) or null}, "ceilings": {...}, "errors": {...}}.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import MultiScaleRoIAlign

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "goldens"))
import networks  # noqa: E402
import seeded  # noqa: E402

QUICK = "--quick" in sys.argv
DEVICE = sys.argv[sys.argv.index("--device") + 1] if "--device" in sys.argv else "cuda"
ROOT = Path(__file__).resolve().parents[2]
RUNS = 3 if QUICK else 20
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# Compiling takes long: what begins later is left out, so that all fits the check's ten minutes.
COMPILE_UNTIL = time.perf_counter() + (150 if sys.argv[1:2] == ["kernels"] else 220)
results, errors = {}, {}


def fresh_compiler(variant):
    """Without a reset, what was compiled before counts against Dynamo's limit, beyond which it silently runs eagerly."""
    if not variant.startswith("compile"):
        return
    if time.perf_counter() > COMPILE_UNTIL:
        raise TimeoutError("left out, as compiling took too long")
    torch._dynamo.reset()


def synchronize():
    if DEVICE != "cpu":
        torch.cuda.synchronize()


def microseconds(work):
    """Median of RUNS after warm-up, by the GPU's events."""
    for _ in range(1 if QUICK else 5):
        work()
    times = []
    for _ in range(RUNS):
        if DEVICE == "cpu":
            start = time.perf_counter()
            work()
            times.append(1e6 * (time.perf_counter() - start))
            continue
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        synchronize()
        times.append(1000 * start.elapsed_time(end))
    return statistics.median(times)


def record(name, variant, make):
    """Times what make() returns; a failure becomes null and its reason."""
    try:
        fresh_compiler(variant)
        value = microseconds(make())
    except Exception as error:  # noqa: BLE001 - a peer that fails must not stop the others
        errors[f"{name} {variant}"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        value = None
    results.setdefault(name, {})[variant] = value
    print(name, variant, value, file=sys.stderr, flush=True)


def spec_boxes(count):
    boxes = []
    for i in range(count):
        u = [((i + 1) * step) % 1 for step in (0.618034, 0.414214, 0.732051, 0.236068)]
        w, h = 16 + 484 * u[2] ** 3, 16 + 484 * u[3] ** 3
        x, y = u[0] * (1066 - w), u[1] * (800 - h)
        boxes.append([x, y, x + w, y + h])
    return torch.tensor(boxes, device=DEVICE)


def roi_align():
    sizes = [(200, 272), (100, 136), (50, 68), (25, 34)]
    depth = 16 if QUICK else 256
    for count, size in [(10, 7), (10, 14)] if QUICK else [(1000, 7), (100, 14)]:
        boxes = spec_boxes(count)
        for precision in ("fp32", "fp16"):
            dtype = DTYPES[precision]
            maps = {str(i): torch.rand(1, depth, *((h >> 3, w >> 3) if QUICK else (h, w)), device=DEVICE, dtype=dtype) for i, (h, w) in enumerate(sizes)}
            pool = MultiScaleRoIAlign(["0", "1", "2", "3"], size, 2)
            own = boxes.to(dtype)
            name = f"{count}x{size}x{size} {precision}"
            record(f"roi_align {name}", "torchvision", lambda: lambda: pool(maps, [own], [(800, 1066)]))

            def backward():
                for m in maps.values():
                    m.requires_grad_()
                out = pool(maps, [own], [(800, 1066)])
                grad = torch.rand_like(out)
                return lambda: torch.autograd.grad(out, list(maps.values()), grad, retain_graph=True)

            record(f"roi_align_backward {name}", "torchvision", backward)


class Block(torch.nn.Module):
    """The block as the paper writes it; `hand` is the best arrangement that plain PyTorch has."""

    def __init__(self, d, f, v, images):
        super().__init__()
        self.phi, self.psi = torch.nn.Conv2d(d, f, 1), torch.nn.Conv2d(d, f, 1)
        self.g1, self.g3 = torch.nn.Conv2d(d, v, 1), torch.nn.Conv2d(v, v, 3, padding=1)
        self.images = images

    def attend(self, phi, psi, g, places):
        n = phi.shape[0] // self.images
        phi, psi, g = phi.reshape(self.images, n, -1), psi.reshape(self.images, n, -1), g.reshape(self.images, n, -1)
        weights = (phi @ psi.transpose(1, 2) * (self.phi.out_channels * places) ** -0.5).softmax(2)
        return (weights @ g).flatten(0, 1)

    def forward(self, x):
        g = self.g3(self.g1(x)).mean((2, 3))
        return self.attend(self.phi(x).flatten(1), self.psi(x).flatten(1), g, x[0, 0].numel())

    def hand(self, x):
        """Nine window sums instead of g's 3x3 convolution, φ and ψ as one product."""
        n, d, h, w = x.shape
        total, rows, columns = x.sum((2, 3)), x.sum(3), x.sum(2)
        cut_rows, cut_columns = (rows[:, :, -1], None, rows[:, :, 0]), (columns[:, :, -1], None, columns[:, :, 0])
        sums = []
        for dy in range(3):
            for dx in range(3):
                s = total if cut_rows[dy] is None else total - cut_rows[dy]
                s = s if cut_columns[dx] is None else s - cut_columns[dx]
                if dy != 1 and dx != 1:
                    s = s + x[:, :, -1 if dy == 0 else 0, -1 if dx == 0 else 0]
                sums.append(s)
        v = self.g1.out_channels
        merged = torch.einsum("oikl,id->okld", self.g3.weight, self.g1.weight[:, :, 0, 0]).reshape(v, -1) / (h * w)
        g = torch.stack(sums, 1).flatten(1) @ merged.T
        flat = x.flatten(2).transpose(1, 2).reshape(-1, d)
        both = F.linear(flat, torch.cat([self.phi.weight, self.psi.weight]).flatten(1), torch.cat([self.phi.bias, self.psi.bias]))
        phi, psi = both.reshape(n, h * w, 2, -1).unbind(2)
        return self.attend(phi.flatten(1), psi.flatten(1), g, h * w)


def non_local_roi():
    d, f, v = (16, 8, 16) if QUICK else (256, 64, 256)
    for n, images in [(20, 1)] if QUICK else [(100, 1), (300, 1), (512, 1), (1000, 1), (2048, 4)]:
        for precision, dtype in DTYPES.items():
            block = Block(d, f, v, images).to(DEVICE, dtype)
            x = torch.rand(n, d, 7, 7, device=DEVICE, dtype=dtype)
            name = f"non_local_roi {f'{images}x{n // images}' if images > 1 else n} {precision}"
            variants = {"eager": block, "by hand": block.hand}
            if precision != "bf16":  # as fp16, and compiling takes its time
                variants["compile"] = torch.compile(block, dynamic=False)
            for variant, call in variants.items():

                def forward(call=call):
                    def work():
                        with torch.no_grad():
                            return call(x)

                    return work

                def both(call=call):
                    own = x.detach().requires_grad_()
                    grad = torch.rand(n, v, device=DEVICE, dtype=dtype)
                    return lambda: torch.autograd.grad(call(own), [own, *block.parameters()], grad, allow_unused=True)

                record(name, variant, forward)
                record(f"{name} forward+backward", variant, both)


def selection():
    for n in [100] if QUICK else [1000, 4000, 12000]:
        low = torch.rand(n, 2, device=DEVICE) * torch.tensor([1000.0, 700.0], device=DEVICE)
        boxes = torch.cat([low, low + 10 + 90 * torch.rand(n, 2, device=DEVICE)], 1)
        scores = torch.rand(n, device=DEVICE)
        record(f"nms {n}", "torchvision", lambda: lambda: torchvision.ops.nms(boxes, scores, 0.5))
    count, (h, w) = (4, (60, 80)) if QUICK else (100, (800, 1066))
    masks, boxes = torch.rand(count, 1, 28, 28, device=DEVICE), spec_boxes(count) / (14 if QUICK else 1)
    for name in (f"paste_masks {count}", f"mask_rle {count}"):
        record(name, "torchvision paste", lambda: lambda: paste_masks_in_image(masks, boxes, (h, w)) > 0.5)


def ceilings():
    size = 256 if QUICK else 8192
    found = {}
    source = torch.rand((1 << 20) if QUICK else (1 << 30), device=DEVICE)
    target = torch.empty_like(source)
    found["copy GB/s"] = 2 * 4 * source.numel() / microseconds(lambda: target.copy_(source)) / 1e3
    del source, target
    for name, dtype, tf32 in (("fp32", torch.float32, False), ("tf32", torch.float32, True), ("fp16", torch.float16, False), ("bf16", torch.bfloat16, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a, b = torch.randn(size, size, device=DEVICE, dtype=dtype), torch.randn(size, size, device=DEVICE, dtype=dtype)
        found[f"gemm {name} TFLOP/s"] = 2 * size**3 / microseconds(lambda: a @ b) / 1e6
    torch.backends.cuda.matmul.allow_tf32 = False
    results["ceilings"] = found


def model():
    sizes = {"800x1088": (480, 640), "800x1344": (480, 800)}
    case = next(c for c in json.loads((ROOT / "test/cases/models.json").read_text()) if c["name"] == ("r18" if QUICK else "r50-landscape"))
    network = networks.build(case["config"])
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    weights = seeded.seeded_weights(shapes, case["seed"], case.get("gains"), case.get("background", 0.0))
    network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
    network = network.eval().to(DEVICE)
    photo = Image.open(ROOT / "test/fixtures/photos" / case["photo"]).convert("RGB")
    torch.backends.cudnn.allow_tf32 = False
    variants = {
        "eager fp32": (lambda m: m, None, False),
        "channels_last AMP fp16": (lambda m: m.to(memory_format=torch.channels_last), torch.float16, False),
        "channels_last AMP bf16": (lambda m: m.to(memory_format=torch.channels_last), torch.bfloat16, False),
        "compile fp32": (compiled_parts, None, False),
        "compile AMP fp16": (compiled_parts, torch.float16, False),
        "compile tf32": (compiled_parts, None, True),
    }
    for size, (h, w) in sizes.items():
        pixels = torch.from_numpy(np.asarray(photo.resize((w, h))).copy())
        for variant, (change, amp, tf32) in variants.items():

            def make(change=change, amp=amp, tf32=tf32):
                # As it was before other variants changed it.
                network.backbone.__dict__.pop("forward", None)
                own = change(network.to(memory_format=torch.contiguous_format))
                torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32

                def work(count=1):
                    with torch.no_grad(), torch.autocast(DEVICE.split(":")[0], dtype=amp or torch.float16, enabled=amp is not None):
                        picture = pixels.to(DEVICE).permute(2, 0, 1).float() / 255
                        found = own([picture] * count)
                        return [{k: v.cpu() for k, v in one.items() if k != "masks"} for one in found]

                return work

            name = f"mask_rcnn_r50_fpn {size}"
            if DEVICE != "cpu":
                torch.cuda.reset_peak_memory_stats()
            try:
                fresh_compiler(variant)
                work = make()
                wall = []
                for i in range(2 if QUICK else 14):
                    start = time.perf_counter()
                    work()
                    synchronize()
                    wall.append(1000 * (time.perf_counter() - start))
                results.setdefault(name, {})[variant] = statistics.median(wall[-10:])
                results.setdefault("detections", {})[f"{size} {variant}"] = len(work()[0]["boxes"])
                if DEVICE != "cpu":
                    results.setdefault("peak memory bytes", {})[f"{size} {variant}"] = torch.cuda.max_memory_reserved()
                start = time.perf_counter()
                work(2 if QUICK else 8)
                work(2 if QUICK else 8)
                synchronize()
                results.setdefault(f"{name} batch 8", {})[variant] = 1000 * (time.perf_counter() - start) / 2
            except Exception as error:  # noqa: BLE001
                errors[f"{name} {variant}"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                results.setdefault(name, {})[variant] = None
            print(name, variant, results[name].get(variant), file=sys.stderr, flush=True)


def compiled_parts(network):
    """The backbone and the heads compiled; torchvision's glue between them breaks the graph in any case."""
    network.backbone.forward = torch.compile(type(network.backbone).forward.__get__(network.backbone))
    return network


def main():
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if sys.argv[1] == "kernels":
        for stage in (ceilings, roi_align, non_local_roi, selection):
            stage()
    else:
        model()
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    print(json.dumps({**results, "errors": errors, "versions": versions}))


main()
