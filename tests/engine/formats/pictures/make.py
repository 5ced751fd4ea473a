"""Writes pictures.json: small PNG and JPEG files, and the pixels that Pillow reads of them.

    python3 make.py   (Debian: python3-numpy, python3-pil)

Each entry has the file, its height, width and channels, and the SHA-256 of its pixels [H, W, C]: grey as it is, colour as RGB, transparent
pixels flattened on white by Pillow's paste. Pillow clips grey of 16 bits, of which NumPy takes the upper 8 here.
"""
import base64, hashlib, io, json, os, struct, zlib
import numpy as np
from PIL import Image

random = np.random.default_rng(1003)
entries = {}


def add(name, data, grey16=False):
    image = Image.open(io.BytesIO(data))
    image.load()
    if grey16:
        pixels = (np.asarray(image).astype("u2") >> 8).astype("u1")
    elif image.mode in ("L", "1") and "transparency" not in image.info:
        pixels = np.asarray(image.convert("L"))
    elif image.mode == "RGB" and "transparency" not in image.info:
        pixels = np.asarray(image)
    else:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(rgba, mask=rgba.getchannel("A"))
        pixels = np.asarray(white)
        # Pillow opens grey with transparency of 16 bits as RGBA
        if image.mode in ("L", "LA") or " LA " in name:
            assert (pixels == pixels[..., :1]).all()
            pixels = pixels[..., 0]
    shape = pixels.shape if pixels.ndim == 3 else pixels.shape + (1,)
    sha256 = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    entries[name] = {"file": base64.b64encode(data).decode(), "shape": shape, "sha256": sha256}


def save(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, lines, extra=(), interlace=0):
    raw = b"".join(b"\0" + line for line in lines)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)


def noise(*shape):
    return random.integers(0, 256, shape, dtype="u1")


def waves(height, width, channels):
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([128 + 90 * np.sin(x / (3 + k) + y / (5 - k)) for k in range(channels)], -1)
    return np.clip(image + random.normal(0, 12, image.shape), 0, 255).astype("u1")


H, W = 7, 11
for mode, channels in (("LA", 2), ("RGB", 3), ("RGBA", 4)):
    add(f"png {mode}", save(Image.fromarray(noise(H, W, channels), mode), "PNG"))
add("png L", save(Image.fromarray(noise(H, W)), "PNG"))
add("png of one pixel", save(Image.fromarray(noise(1, 1)), "PNG"))
palette = Image.fromarray(noise(H, W, 3)).quantize(9)
add("png palette", save(palette, "PNG"))
add("png palette, one colour transparent", save(palette, "PNG", transparency=3))
add("png palette, colours half transparent", save(palette, "PNG", transparency=bytes(range(0, 252, 28))))
for depth in (1, 2, 4, 16):
    lines = [noise((W * depth + 7) // 8).tobytes() for _ in range(H)]
    add(f"png grey of {depth} bits", png(W, H, depth, 0, lines), grey16=depth == 16)
for colour, channels, name in ((2, 3, "RGB"), (4, 2, "LA"), (6, 4, "RGBA")):
    lines = [noise(W * channels * 2).tobytes() for _ in range(H)]
    add(f"png {name} of 16 bits", png(W, H, 16, colour, lines))
few = random.integers(0, 3, (H, W, 3), dtype="u1")
add("png RGB, one colour transparent", png(W, H, 8, 2, [row.tobytes() for row in few], [(b"tRNS", struct.pack(">HHH", *few[0, 0]))]))
add("png L, one grey transparent", png(W, H, 8, 0, [row[:, 0].tobytes() for row in few], [(b"tRNS", struct.pack(">H", few[0, 0, 0]))]))
for colour, channels, name in ((0, 1, "L"), (2, 3, "RGB")):
    image = noise(H, W, channels)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    parts = [image[y::dy, x::dx] for x, y, dx, dy in passes]
    lines = [row.tobytes() for part in parts if part.size for row in part]
    add(f"png {name}, interlaced", png(W, H, 8, colour, lines, interlace=1))
frames = [Image.fromarray(noise(H, W, 3)) for _ in range(2)]
add("png animated", save(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=100))
for subsampling in (0, 1, 2):
    for progressive in (False, True):
        for quality in (40, 95):
            image = Image.fromarray(waves(17, 33, 3))
            add(
                f"jpeg of quality {quality}, subsampling {subsampling}{', progressive' * progressive}",
                save(image, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive),
            )
add("jpeg grey", save(Image.fromarray(waves(13, 19, 1)[..., 0]), "JPEG", quality=80))
add("jpeg of one pixel", save(Image.fromarray(noise(1, 1, 3)), "JPEG"))
turned = Image.fromarray(waves(10, 20, 3))
exif = turned.getexif()
exif[274] = 6
add("jpeg with an orientation", save(turned, "JPEG", exif=exif))

others = {
    "jpeg in CMYK": save(Image.fromarray(noise(8, 8, 4), "CMYK"), "JPEG"),
    "gif": save(Image.fromarray(noise(8, 8)), "GIF"),
    "bmp": save(Image.fromarray(noise(8, 8)), "BMP"),
    "tiff": save(Image.fromarray(noise(8, 8)), "TIFF"),
    "webp": save(Image.fromarray(noise(8, 8, 3)), "WEBP"),
}
resized = []
for (h, w), (height, width) in (((9, 7), (4, 5)), ((5, 8), (12, 13)), ((16, 3), (5, 9)), ((1, 1), (3, 2))):
    image = noise(h, w, 3)
    small = np.asarray(Image.fromarray(image).resize((width, height), Image.BILINEAR))
    encode = lambda pixels: base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode()
    resized.append({"from": [h, w], "to": [height, width], "pixels": encode(image), "resized": encode(small)})
others = {name: base64.b64encode(data).decode() for name, data in others.items()}
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "pictures.json"), "w") as file:
    json.dump({"pictures": entries, "others": others, "resized": resized}, file, indent=1)
    file.write("\n")
