"""Pictures drawn in many forms, and what spoils them: bytes, numbers, pieces doubled, moved or cut out."""

import io
import itertools
import random
import struct
from collections.abc import Callable, Sequence

from PIL import Image

Mutation = Callable[[bytearray, random.Random, Sequence[bytes]], bytearray]

_EDGES = (
    0,
    1,
    2,
    3,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
_MODES: dict[str, Sequence[str]] = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "P", "RGB"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB", "YCbCr"),
}
_OPTIONS: dict[str, Sequence[dict[str, object]]] = {
    "JPEG": ({}, {"progressive": True}, {"subsampling": 0, "quality": 95}, {"restart_marker_blocks": 1}),
    "PNG": ({}, {"compress_level": 0}, {"save_all": True, "frames": 3}),
    "WEBP": ({}, {"lossless": True}, {"save_all": True, "frames": 3}),
    "GIF": ({}, {"interlace": 0}, {"save_all": True, "frames": 3}, {"transparency": 3}),
    "BMP": ({},),
    "TIFF": (
        {}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}, {"compression": "packbits"},
        {"save_all": True, "frames": 3},
    ),
}  # fmt: skip


def seeds() -> list[bytes]:
    """Valid pictures of all formats, in the modes and with the options that they have."""
    drawn = []
    for form, modes in _MODES.items():
        for mode, options in itertools.product(modes, _OPTIONS[form]):
            drawn += [_encode(form, mode, {**options, **extra}) for extra in ({}, _metadata(form))]
    return drawn


def mutate(seed: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """A picture spoilt in one to four ways."""
    data = bytearray(seed)
    for mutation in chance.choices(MUTATIONS, k=chance.choice((1, 1, 2, 4))):
        if len(data) >= 16:
            data = mutation(data, chance, others)
    return bytes(data)


def _encode(form: str, mode: str, options: dict[str, object]) -> bytes:
    grey = Image.linear_gradient("L").resize((48, 33))
    image = grey.convert("I").convert(mode) if mode.startswith("I") else grey.convert("RGB").convert(mode)
    frames = options.pop("frames", None)
    if frames:
        options["append_images"] = [image.rotate(90), image.rotate(180)]
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


def _metadata(form: str) -> dict[str, object]:
    """EXIF that turns the picture, and a colour profile, where the format has them."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker of cameras"
    return {} if form in ("GIF", "BMP") else {"exif": exif.tobytes(), "icc_profile": bytes(200)}


def _flip_bytes(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    for _flip in range(chance.choice((1, 2, 8, 40))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return data


def _set_number(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    """A length, a count or a dimension, as like as not: the first bytes of a file hold most of them."""
    form = chance.choice(("<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    reach = min(len(data), chance.choice((64, 400, len(data)))) - size
    struct.pack_into(form, data, chance.randint(0, reach), chance.choice(_EDGES) % 256**size)
    return data


def _truncate(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    return data[: chance.randrange(8, len(data))]


def _remove(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _double(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    start, end = _span(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 1, 20)) + data[end:]


def _move(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    start, end = _span(data, chance)
    rest = data[:start] + data[end:]
    place = chance.randrange(len(rest) + 1)
    return rest[:place] + data[start:end] + rest[place:]


def _splice(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    other = chance.choice(others)
    return data[: chance.randrange(4, len(data))] + other[chance.randrange(len(other)) :]


def _append(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> bytearray:
    return data + chance.choice((b"PK\x03\x04" + bytes(60), b"<script>alert(1)</script>", *others[:4]))


def _span(data: bytearray, chance: random.Random) -> tuple[int, int]:
    """A piece from one boundary of chunks, segments or tags to another, where there are such; else any."""
    names = [
        b"IDAT",
        b"IHDR",
        b"iCCP",
        b"eXIf",
        b"VP8",
        b"EXIF",
        b"\xff\xda",
        b"\xff\xdb",
        b"\xff\xc4",
        b"\xff\xe1",
        b",",
    ]
    edges = [place for name in names if (place := data.find(name)) > 0]
    places = edges if len(edges) > 1 and chance.random() < 0.6 else range(len(data))
    start, end = sorted(chance.sample(list(places), 2))
    return start, min(end, start + 4_096)


MUTATIONS: Sequence[Mutation] = (
    _flip_bytes, _set_number, _set_number, _truncate, _remove, _double, _move, _splice, _append,
)  # fmt: skip
