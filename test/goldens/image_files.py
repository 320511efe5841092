"""Makes test/fixtures/images: a small file of each kind of pixels, and expected.json with what a reader must give.

    python test/goldens/image_files.py

TIFF files are written here, by hand, as no library writes all kinds. An expected image is what was stored, or Pillow's
reading where colours are converted (CMYK, palettes, associated alpha, fewer than 8 bits); expected labels are what was
stored. Instead of either, a pattern of the error.
"""

import io
import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent / "fixtures" / "images"
TYPES = {"H": 3, "I": 4, "Q": 16, "s": 2}
H, W = 5, 7
rng = np.random.default_rng(27)


def pack(rows, bits):
    planes = [np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :].ravel() for row in rows]
    return b"".join(np.packbits(plane).tobytes() for plane in planes)


def float_predictor(chunk):
    """TIFF's predictor 3: bytes of a row by significance, then differences."""
    out = b""
    for row in chunk:
        planes = np.ascontiguousarray(row.astype(">f4")).view(np.uint8).reshape(-1, 4).T.ravel()
        planes[chunk.shape[2] :] -= planes[: -chunk.shape[2]].copy()
        out += planes.tobytes()
    return out


def encode(chunk, page, order, bits):
    if page.get("predictor") == 2:
        chunk = np.concatenate([chunk[:, :1], chunk[:, 1:] - chunk[:, :-1]], axis=1)
    if page.get("predictor") == 3:
        raw = float_predictor(chunk)
    elif bits < 8:
        raw = pack(chunk.reshape(len(chunk), -1), bits)
    else:
        raw = chunk.astype(chunk.dtype.newbyteorder(order)).tobytes()
    return zlib.compress(raw) if page.get("compression") == 8 else raw


def chunks_of(page):
    data = page["data"]
    h, w, c = data.shape
    tile = page.get("tile")
    for plane in [data[:, :, i : i + 1] for i in range(c)] if page.get("planar") else [data]:
        if not tile:
            yield plane
            continue
        for y in range(0, h, tile):
            for x in range(0, w, tile):
                part = plane[y : y + tile, x : x + tile]
                block = np.zeros((tile, tile, plane.shape[2]), plane.dtype)
                block[: part.shape[0], : part.shape[1]] = part
                yield block


def tiff(pages, order="<", big=False):
    word = "Q" if big else "I"
    head = 16 if big else 8
    out = bytearray()
    directories = []
    for page in pages:
        h, w, c = page["data"].shape
        bits = page.get("bits", page["data"].dtype.itemsize * 8)
        kind = {"u": 1, "i": 2, "f": 3, "c": 6}[page["data"].dtype.kind]
        offsets, sizes = [], []
        for chunk in chunks_of(page):
            encoded = encode(chunk, page, order, bits)
            out += b"\0" * (len(out) % 2)
            offsets.append(head + len(out))
            sizes.append(len(encoded))
            out += encoded
        tags = {256: ("I", [w]), 257: ("I", [h]), 258: ("H", [bits] * c), 259: ("H", [page.get("compression", 1)])}
        tags |= {262: ("H", [page["photometric"]]), 277: ("H", [c]), 284: ("H", [2 if page.get("planar") else 1])}
        if kind != 1:
            tags[339] = ("H", [kind] * c)
        for key, tag, fmt in [("subfile", 254, "I"), ("extra", 338, "H"), ("predictor", 317, "H"), ("palette", 320, "H")]:
            if key in page:
                tags[tag] = (fmt, page[key] if isinstance(page[key], list) else [page[key]])
        if "tile" in page:
            tags |= {322: ("I", [page["tile"]]), 323: ("I", [page["tile"]]), 324: ("I", offsets), 325: ("I", sizes)}
        else:
            tags |= {278: ("I", [h]), 273: ("I", offsets), 279: ("I", sizes)}
        directories.append(tags | page.get("tags", {}))
    starts, link = [], None
    for tags in directories:
        out += b"\0" * (len(out) % 2)
        at = head + len(out)
        starts.append(at)
        if link is not None:
            struct.pack_into(order + word, out, link, at)
        room, entry = (8, 20) if big else (4, 12)
        beyond = at + (8 if big else 2) + entry * len(tags) + room
        block = bytearray(struct.pack(order + ("Q" if big else "H"), len(tags)))
        extra = bytearray()
        for tag in sorted(tags):
            fmt, values = tags[tag]
            payload = struct.pack(order + fmt * len(values), *values)
            block += struct.pack(order + "HH" + word, tag, TYPES[fmt], len(values))
            if len(payload) <= room:
                block += payload.ljust(room, b"\0")
            else:
                block += struct.pack(order + word, beyond + len(extra))
                extra += payload + b"\0" * (len(payload) % 2)
        link = len(out) + len(block)
        out += block + b"\0" * room + extra
    header = struct.pack(order + "HHHQ", 43, 8, 0, starts[0]) if big else struct.pack(order + "HI", 42, starts[0])
    return (b"II" if order == "<" else b"MM") + header + bytes(out)


def png(chunks, broken=()):
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        out += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ (kind in broken))
    return out


def chunks_in(data):
    at = 8
    while at < len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pillow(data, mode):
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode))


expected = {}


def values_of(values):
    """Expected pixels: uint8 and uint16 as they are, everything else as float32."""
    if isinstance(values, str):
        return {"error": values}
    values = values if values.ndim == 3 else values[:, :, None]
    if values.dtype not in (np.uint8, np.uint16):
        values = values.astype(np.float32)
    text = [float(v) if np.isfinite(v) else str(float(v)) for v in values.ravel()]
    return {"dtype": str(values.dtype), "shape": list(values.shape), "values": text}


def labels_of(values):
    if isinstance(values, str):
        return {"error": values}
    return {"values": [int(v) for v in values.ravel()]}


COLOURS = "has colours"


def add(name, data, image, labels):
    (ROOT / name).write_bytes(data)
    expected[name] = {"image": values_of(image), "labels": labels_of(labels)}


def one(name, data, photometric=1, image=None, labels=None, order="<", big=False, **options):
    """A file of one page; both images and labels are the stored values unless given."""
    bytes_ = tiff([{"data": data, "photometric": photometric, **options}], order, big)
    image = data if image is None else pillow(bytes_, image[4:]) if isinstance(image, str) and image.startswith("PIL ") else image
    if labels is None:
        labels = COLOURS if image.shape[-1] == 3 and image.ndim == 3 else data
    add(f"{name}.tif", bytes_, image, labels)


def random(kind, channels=1, low=None, high=None):
    info = np.iinfo(kind)
    return rng.integers(info.min if low is None else low, info.max if high is None else high, (H, W, channels), kind, True)


def integers():
    for kind in ("uint8", "uint16", "int8", "int16", "int32", "uint32", "int64", "uint64"):
        signed = "has the value -" if kind.startswith("i") else None
        low, high = (-(2**31) if signed else 0, 2**32 - 1) if "64" in kind else (None, None)
        gray, rgb = random(kind, 1, low, high), random(kind, 3, low, high)
        gray[0, 0] = -5 if signed else 5
        one(kind, gray, labels=signed)
        one(f"{kind}-big-endian", gray, labels=signed, order=">", big=True)
        one(f"{kind}-rgb", rgb, 2)
        one(f"{kind}-three-gray", rgb, 1, extra=[0, 0])
        one(f"{kind}-labels", random(kind, 1, 0, high), tile=16, compression=8)
        if "64" not in kind:
            one(f"{kind}-planar", rgb, 2, planar=True)
            one(f"{kind}-predictor", rgb, 2, compression=8, predictor=2)
        if signed:
            one(f"{kind}-white-is-zero", gray, 0, labels=signed)
        elif kind != "uint64":
            one(f"{kind}-white-is-zero", gray, 0, image=np.iinfo(kind).max - gray, labels=gray)


def floats():
    for kind in ("float16", "float32", "float64"):
        gray, rgb = [((rng.random((H, W, c)) * 3 - 1)).astype(kind) for c in (1, 3)]
        one(kind, gray, labels="has the value")
        one(f"{kind}-big-endian", gray, labels="has the value", order=">")
        one(f"{kind}-rgb", rgb, 2)
        one(f"{kind}-white-is-zero", gray, 0, labels="has the value")
        one(f"{kind}-labels", rng.integers(0, 2000, (H, W, 1)).astype(kind))
    gray = rng.random((H, W, 1)).astype("float32")
    one("float32-predictor", gray, labels="has the value", compression=8, predictor=3)
    one("float32-large-labels", np.full((H, W, 1), 2**24 + 2, "float32"), labels="16777216, but .* has the value 16777218")
    gray[0, :3, 0] = [np.nan, np.inf, -np.inf]
    one("float32-not-finite", gray, labels="has the value NaN")
    one("complex", np.zeros((H, W, 1), "complex64"), image="has complex samples", labels="has complex samples")


def channels():
    data = random("uint8", 5)
    for extra in ([], [0], [1], [2]):
        name, options = "".join(map(str, extra)) or "none", {"extra": extra} if extra else {}
        one(f"rgba-{name}", data[:, :, :4], 2, image="PIL RGB", labels=COLOURS, **options)
        if extra in ([1], [2]):
            continue
        for count in (2, 4):
            text = f"has {count} channels of 8 bits; expected gray, RGB or CMYK, with or without alpha"
            one(f"gray-{count}-{name}", data[:, :, :count], image=text, labels=text, **options)
    one("gray-alpha", data[:, :, :2], image="PIL L", labels=data[:, :, 0], extra=[2])
    alpha = data[:, :, 1].astype(float)
    alpha[alpha == 0] = np.inf
    gray = np.minimum(255, data[:, :, 0] * 255.0 / alpha).astype("uint8")
    one("gray-premultiplied", data[:, :, :2], image=gray, labels=data[:, :, 0], extra=[1])
    five = "has 5 channels of 8 bits; expected gray, RGB or CMYK, with or without alpha"
    one("gray-5", data, image=five, labels=five, extra=[0] * 4)
    one("gray-5-planar", data, image=five, labels=five, planar=True)
    one("rgb-5", data, 2, image=five, labels=five, extra=[0, 0])
    one("cmyk", data[:, :, :4], 5, image="PIL RGB", labels="has CMYK colours")
    one("cmyk16", random("uint16", 4), 5, image="PIL RGB", labels="has CMYK colours")
    for name, number in {"L.a.b. samples": 8, "colour filter array": 32803, "YCbCr samples without JPEG": 6}.items():
        one(f"photometric-{number}", data[:, :, : 1 if number > 9 else 3], number, image=name, labels=name)


def few_bits():
    for bits in (1, 2, 4):
        data = rng.integers(0, 2**bits, (H, W, 1), np.uint8)
        one(f"bits{bits}", data, image="PIL L", labels=data, bits=bits)
        # Two values mean black and white, more are numbers.
        one(f"bits{bits}-white-is-zero", data, 0, image="PIL L", labels=1 - data if bits == 1 else data, bits=bits)
        palette = [int(v) * 257 for v in rng.integers(0, 256, 3 * 2**bits)]
        one(f"palette{bits}", data, 3, image="PIL RGB", labels=data, bits=bits, palette=palette)
        index = saved(Image.fromarray(data[:, :, 0]).convert("P"), "PNG", bits=bits)
        add(f"palette{bits}.png", index, pillow(index, "RGB"), data)
        gray = png([(b"IHDR", struct.pack(">IIBBBBB", W, H, bits, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"".join(b"\0" + pack([row], bits) for row in data[:, :, 0]))), (b"IEND", b"")])
        add(f"gray{bits}.png", gray, pillow(gray, "L"), data)
    data = random("uint8")
    one("palette8", data, 3, image="PIL RGB", labels=data, palette=[int(v) * 257 for v in rng.integers(0, 256, 768)])
    image = Image.fromarray(data[:, :, 0]).convert("P")
    image.putpalette([5, 6, 7] * 256)  # all indices of one colour
    same = saved(image, "PNG")
    add("palette8.png", same, pillow(same, "RGB"), data)
    text = "has 1 channel of 12 bits"
    one("bits12", data.astype("uint16"), image=text, labels=text, tags={258: ("H", [12])})


def pages():
    data = random("uint8", 3)
    page = lambda i, **options: {"data": data[: options.pop("h", H), :, i : i + 1], "photometric": 1, **options}
    add("pages.tif", tiff([page(0), page(1)]), data[:, :, 0], "has 2 pages; expected one")
    add("thumbnail-first.tif", tiff([page(1, h=2, subfile=1), page(0)]), data[:, :, 0], data[:, :, 0])
    add("pyramid.tif", tiff([page(0), page(1, h=2, subfile=1)]), data[:, :, 0], data[:, :, 0])
    add("unknown-tags.tif", tiff([page(0, tags={60000: ("H", [1, 2, 3]), 65000: ("s", [b"a", b"b"])})]), data[:, :, 0], data[:, :, 0])


def compressed():
    data = random("uint8", 3)
    rgb, gray = Image.fromarray(data), Image.fromarray(data[:, :, 0])
    for kind in ("tiff_lzw", "packbits", "jpeg"):
        of_rgb, of_gray = [saved(image, "TIFF", compression=kind) for image in (rgb, gray)]
        add(f"rgb-{kind}.tif", of_rgb, pillow(of_rgb, "RGB"), COLOURS)
        add(f"gray-{kind}.tif", of_gray, pillow(of_gray, "L"), "lossy compression" if kind == "jpeg" else data[:, :, 0])
    fax = saved(gray.point(lambda v: 255 * (v > 128)).convert("1"), "TIFF", compression="group4")
    add("fax.tif", fax, pillow(fax, "L"), pillow(fax, "L") // 255)
    jpeg = saved(gray, "JPEG")
    add("gray.jpg", jpeg, pillow(jpeg, "L"), "lossy compression")


def cmyk_jpegs():
    smooth = np.linspace(0, 255, 16 * 16 * 4).reshape(16, 16, 4).astype("uint8")
    jpeg = saved(Image.fromarray(smooth, "CMYK"), "JPEG", quality=90)
    at = jpeg.index(b"\xff\xee")
    size = 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
    ycck = bytearray(jpeg)
    ycck[at + size - 1] = 2
    for name, data in {"cmyk": jpeg, "cmyk-without-adobe": jpeg[:at] + jpeg[at + size :], "ycck": bytes(ycck)}.items():
        add(f"{name}.jpg", data, pillow(data, "RGB"), "has CMYK colours")


def flaws():
    data = random("uint8")[:, :, 0]
    png_file, jpeg = saved(Image.fromarray(data), "PNG"), saved(Image.fromarray(data), "JPEG")
    head, *rest = chunks_in(png_file)
    text = (b"tEXt", b"Comment\0hello")
    add("text-checksum.png", png([head, text, *rest], [b"tEXt"]), data, data)
    add("unknown-chunk.png", png([head, (b"abCd", b"xyz"), *rest]), data, data)
    add("profile.png", png([head, (b"iCCP", b"x\0\0no zlib"), *rest]), data, data)
    add("trailing.png", png_file + b"trailing" * 9, data, data)
    add("data-checksum.png", png([head, *rest], [b"IDAT"]), "did not decode", "did not decode")
    add("truncated.png", png_file[:-40], "did not decode", "did not decode")
    lossy = "lossy compression"
    tables = jpeg.index(b"\xff\xc4")
    scan = jpeg.index(b"\xff\xda")
    flawed = {
        "trailing.jpg": jpeg + b"trailing" * 9,
        "between-markers.jpg": jpeg[:tables] + b"\1\2\3\4" + jpeg[tables:],
        # Spectral selection as some phones write it: 0, 0, 0.
        "scan-header.jpg": jpeg[: scan + 7] + b"\0\0\0" + jpeg[scan + 10 :],
    }
    for name, file in flawed.items():
        add(name, file, pillow(jpeg, "L"), lossy)
    add("truncated.jpg", jpeg[:-20], "did not decode", "did not decode")
    webp = saved(Image.fromarray(data), "WEBP", lossless=True)
    add("trailing.webp", webp + b"trailing" * 9, pillow(webp, "RGB"), COLOURS)
    add("truncated.webp", webp[:-20], "did not decode", "did not decode")
    frames = saved(Image.fromarray(data), "WEBP", save_all=True, append_images=[Image.fromarray(255 - data)])
    add("animated.webp", frames, "is an animated webp of 2 frames", "is an animated webp of 2 frames")


shutil.rmtree(ROOT, ignore_errors=True)
ROOT.mkdir(parents=True)
for make in (integers, floats, channels, few_bits, pages, compressed, cmyk_jpegs, flaws):
    make()
lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in expected.items())
(ROOT / "expected.json").write_text("{\n" + lines + "\n}\n")
print(len(expected), "files")
