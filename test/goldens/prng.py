"""Counter-based random inputs, the numpy twin of test/helpers/random.ts, inputs.ts and families.ts.

Everything is a function of (seed, index), computed in float64 with +, -, * and / only, and rounded to float32 once, so that
Python and JavaScript produce the same bits. test/goldens.test.ts holds both sides to that.
"""

import math

import numpy as np


def hash32(x):
    """32-bit integer hash (two multiply-xorshift rounds) of an array of uint32."""
    x = np.asarray(x, dtype=np.uint32).copy()
    with np.errstate(over="ignore"):
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x7FEB352D)
        x ^= x >> np.uint32(15)
        x *= np.uint32(0x846CA68B)
        x ^= x >> np.uint32(16)
    return x


def unit(seed, n):
    """n float64 numbers in [0, 1): (hash32(hash32(seed) + i) >> 8) / 2^24."""
    with np.errstate(over="ignore"):
        counter = np.arange(n, dtype=np.uint32) + hash32(np.uint32(seed))
    return (hash32(counter) >> np.uint32(8)).astype(np.float64) / 16777216.0


def uniform(seed, n, lo, hi):
    """n float32 numbers in [lo, hi)."""
    return (lo + (hi - lo) * unit(seed, n)).astype(np.float32)


def integers(seed, n, lo, hi):
    """n int32 numbers in [lo, hi)."""
    return np.floor(lo + (hi - lo) * unit(seed, n)).astype(np.int32)


class Stream:
    """Draws one number after another from one seed."""

    def __init__(self, seed):
        self.seed, self.count = seed, 0
        self.block = unit(seed, 64)

    def next(self):
        """The next float64 in [0, 1)."""
        if self.count == len(self.block):
            self.block = unit(self.seed, 2 * len(self.block))
        self.count += 1
        return float(self.block[self.count - 1])

    def int(self, lo, hi):
        """The next integer in [lo, hi)."""
        return int(math.floor(lo + (hi - lo) * self.next()))

    def pick(self, choices):
        """The next choice from a list."""
        return choices[self.int(0, len(choices))]


def boxes(spec):
    """[N, 4] xyxy: centre uniform in width x height, sides min + (max - min) u^2 (many small, few large)."""
    n, (low, high) = spec["shape"][0], (spec["min"], spec["max"])
    u = unit(spec["seed"], 4 * n).reshape(n, 4)
    cx, cy = spec["width"] * u[:, 0], spec["height"] * u[:, 1]
    w, h = low + (high - low) * u[:, 2] * u[:, 2], low + (high - low) * u[:, 3] * u[:, 3]
    return np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1).astype(np.float32)


def rois(spec):
    """[K, 5] (image, x1, y1, x2, y2): boxes() with image = floor(i * images / K), so sorted by image."""
    n = spec["shape"][0]
    image = np.floor(np.arange(n) * spec["images"] / max(n, 1)).astype(np.float32)
    return np.concatenate([image[:, None], boxes(spec)], 1)


def ranked(spec):
    """Distinct, evenly spaced values in random order: hi - step * (rank * every + phase).

    Rank 0 is the largest of uniform(seed), equal ones by index. Tensors with the same step and `every` but different `phase`
    share no value, so that no order depends on a rounding.
    """
    n = math.prod(spec["shape"])
    order = np.argsort(-unit(spec["seed"], n), kind="stable")
    rank = np.empty(n, dtype=np.float64)
    rank[order] = np.arange(n)
    return (spec["hi"] - spec["step"] * (rank * spec["every"] + spec["phase"])).astype(np.float32)


DTYPES = {"f32": np.float32, "i32": np.int32, "u8": np.uint8, "u16": np.uint16}


def make_input(spec):
    """The array that an input entry of test/cases/*.json stands for."""
    dtype, kind = DTYPES[spec.get("dtype", "f32")], spec.get("kind", "uniform")
    n = math.prod(spec["shape"])
    if "data" in spec:
        flat = np.array(spec["data"], dtype=np.float64)
    elif kind in ("boxes", "rois", "ranked"):
        flat = {"boxes": boxes, "rois": rois, "ranked": ranked}[kind](spec)
    elif dtype is np.float32:
        flat = uniform(spec["seed"], n, spec["lo"], spec["hi"])
    else:
        flat = integers(spec["seed"], n, spec["lo"], spec["hi"])
    return flat.astype(dtype).reshape(spec["shape"])


def digest(value):
    """One uint32 of an array's bits: xor over i of hash32(bits_i + i), integers taken as their value."""
    flat = np.ascontiguousarray(value).reshape(-1)
    bits = flat.view(np.uint32) if flat.dtype == np.float32 else flat.astype(np.int32).view(np.uint32)
    with np.errstate(over="ignore"):
        return int(np.bitwise_xor.reduce(hash32(bits + np.arange(len(bits), dtype=np.uint32)), initial=np.uint32(0)))


def sample_stride(total, limit):
    """1 where total <= limit, else the smallest prime >= max(11, total / limit): no axis is a multiple of it for long."""
    if total <= limit:
        return 1
    stride = max(11, math.ceil(total / limit))
    while any(stride % d == 0 for d in range(2, math.isqrt(stride) + 1)):
        stride += 1
    return stride


def roi_align_family(entry):
    """Expands {"family": "random", "count", "seed"} into plain roi_align cases; see families.ts for the same in TypeScript."""
    cases = []
    for c in range(entry["count"]):
        s = Stream(entry["seed"] + c)
        aligned, ratio = s.int(0, 2) == 1, s.int(0, 4)
        size = s.pick([[1, 1], [7, 7], [14, 14], [3, 5]])
        channels, batch = s.pick([1, 5, 16, 20, 64]), s.int(1, 4)
        h, w = s.int(1, 51), s.int(1, 42)
        scale = s.pick([1, 0.25, 0.0625])
        count = s.int(1, 5)
        data = []
        for k in range(count):
            image = s.int(0, batch)
            data += [image] + roi_of_kind((c + k) % 8, s, w, h, scale)
        x = {"shape": [batch, channels, h, w], "seed": entry["seed"] + 100000 + c, "lo": -0.2, "hi": 1}
        cases.append({
            "name": f"random-{c}",
            "inputs": {"x": x, "rois": {"shape": [count, 5], "data": data}},
            "attrs": {"spatial_scale": scale, "output_size": size, "sampling_ratio": ratio, "aligned": aligned},
            "sample_stride": sample_stride(count * channels * size[0] * size[1], 192),
        })
    return cases


def roi_of_kind(kind, s, w, h, scale):
    """[x1, y1, x2, y2] in picture pixels; 0 inside, 1 across the border, 2 outside, 3 zero area, 4 one feature pixel, 5 whole
    map, 6 inverted (both axes), 7 zero width."""
    a, b, c, d = s.next(), s.next(), s.next(), s.next()
    if kind == 1:
        x1, y1 = (2 * a - 0.75) * w, (2 * b - 0.75) * h
        x2, y2 = x1 + 1.2 * c * w, y1 + 1.2 * d * h
    elif kind == 2:
        x1, y1 = (w + 2 + a * w, b * h) if c < 0.5 else (a * w, -3 - 2 * h - b * h)
        x2, y2 = x1 + c * w, y1 + d * h
    elif kind == 3:
        x1, y1 = a * w, b * h
        x2, y2 = x1, y1
    elif kind == 4:
        x1, y1 = math.floor(a * w), math.floor(b * h)
        x2, y2 = x1 + 1, y1 + 1
    elif kind == 5:
        x1, y1, x2, y2 = 0, 0, w, h
    else:
        x1, y1 = 0.6 * a * w, 0.6 * b * h
        x2, y2 = x1 + c * (w - x1), y1 + d * (h - y1)
        if kind == 6:
            x1, y1, x2, y2 = x2, y2, x1, y1
        elif kind == 7:
            x2 = x1
    return [float(np.float32(v / scale)) for v in (x1, y1, x2, y2)]


def nms_family(entry):
    """Expands {"family": "random", "count", "seed"} into nms cases.

    Scenario = case % 6: 0 random boxes, 1 equal scores, 2 copies of few boxes, 3 clusters, 4 with degenerate boxes (zero width,
    zero area, inverted), 5 small integer coordinates and five score values (IoU exactly at the threshold, many ties).
    """
    cases = []
    for c in range(entry["count"]):
        s, scenario = Stream(entry["seed"] + c), c % 6
        n = c if c < 6 else s.pick([s.int(2, 40), s.int(2, 200), s.int(2, 601)])
        threshold = s.pick([0.3, 0.5, 0.7])
        u = unit(entry["seed"] + 100000 + c, 6 * n).reshape(n, 6)
        data, scores = [], []
        for i in range(n):
            data += nms_box(scenario, u, i)
            scores.append(nms_score(scenario, u[i][4]))
        cases.append({
            "name": f"random-{c}",
            "inputs": {"boxes": {"shape": [n, 4], "data": data}, "scores": {"shape": [n], "data": scores}},
            "attrs": {"iou_threshold": threshold},
        })
    return cases


def nms_box(scenario, u, i):
    """Box i of an nms set as four float32 values."""
    row = u[i]
    if scenario == 2:
        row = u[math.floor(row[5] * row[5] * len(u))]
    x, y, w, h = 200 * row[0], 150 * row[1], 5 + 80 * row[2], 5 + 80 * row[3]
    if scenario == 3:
        centre = u[i % 7 if i % 7 < len(u) else 0]
        x, y = 200 * centre[0] + 12 * row[0], 150 * centre[1] + 12 * row[1]
        w, h = 40 + 10 * row[2], 40 + 10 * row[3]
    elif scenario == 4 and row[5] < 0.4:
        w, h = (0, h) if row[5] < 0.1 else (0, 0) if row[5] < 0.2 else (-w, h) if row[5] < 0.3 else (-w, -h)
        if row[5] < 0.2:
            x, y = math.floor(4 * row[0]), math.floor(4 * row[1])
    elif scenario == 5:
        x, y, w, h = (math.floor(v) for v in (12 * row[0], 12 * row[1], 1 + 10 * row[2], 1 + 10 * row[3]))
    return [float(np.float32(v)) for v in (x, y, x + w, y + h)]


def nms_score(scenario, v):
    """Score of a box as a float32 value."""
    if scenario == 1:
        return 0.5
    return float(np.float32(math.floor(5 * v) / 5 if scenario == 5 else v))


FAMILIES = {"roi_align": roi_align_family, "nms": nms_family}


def expand(op, entries):
    """Case list with each family entry replaced by the cases it stands for."""
    cases = []
    for entry in entries:
        cases += FAMILIES[op](entry) if "family" in entry else [entry]
    return cases
