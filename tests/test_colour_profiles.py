"""A picture's ICC profile is applied, so that its pixels are the colours that are seen, in sRGB."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from indexer import images
from indexer.records import Box
from tests.test_images import encoded

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SRGB_COLORANTS = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
SWAPPED = SRGB_COLORANTS[::-1]  # what is called red is blue
ADOBE_COLORANTS = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def icc(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", connection: bytes = b"XYZ ") -> bytes:
    """A profile, ICC.1:2001-04: header, table of tags, tags."""
    start, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    white = struct.pack(">3i", *(round(value * 65_536) for value in (0.9642, 1, 0.8249)))
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, kind, space, connection)
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    return head.ljust(128, b"\x00") + struct.pack(">I", len(tags)) + table + body


def xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65_536) for value in values))


def gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def rgb_profile(colorants: tuple[tuple[float, ...], ...], exponent: float = 2.2) -> bytes:
    tags = {b"wtpt": xyz((0.9642, 1, 0.8249))}
    for letter, values in zip((b"r", b"g", b"b"), colorants, strict=True):
        tags |= {letter + b"XYZ": xyz(values), letter + b"TRC": gamma(exponent)}
    return icc(b"RGB ", tags)


def grey_profile(exponent: float) -> bytes:
    return icc(b"GRAY", {b"wtpt": xyz((0.9642, 1, 0.8249)), b"kTRC": gamma(exponent)})


def cmyk_profile() -> bytes:
    """Inks of a press whose cyan looks magenta: a table with the Lab of each mixture of full inks."""
    table = b""
    for cyan, magenta, yellow, black in np.ndindex(2, 2, 2, 2):
        lightness = 0 if black else 100 - 20 * (cyan + magenta + yellow)
        a, b = (0, 0) if black else (60 * cyan - 60 * magenta, 60 * yellow - 20 * (cyan + magenta))
        table += bytes([round(lightness * 2.55), a + 128, b + 128])
    line = bytes(range(256))
    matrix = struct.pack(">9i", *(65_536 * (place in (0, 4, 8)) for place in range(9)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + 4 * line + table + 3 * line
    tags = {b"wtpt": xyz((0.9642, 1, 0.8249)), b"A2B0": lut, b"A2B1": lut}
    return icc(b"CMYK", tags, b"prtr", b"Lab ")


WIDE, GREY, INKS = rgb_profile(ADOBE_COLORANTS), grey_profile(1.0), cmyk_profile()


def filled(mode: str, colour: tuple[int, ...] | int) -> Image.Image:
    return Image.new(mode, (24, 16), colour)


def colour_of(data: bytes) -> tuple[int, ...]:
    pixel = images.decode(data).pixels.getpixel((8, 8))
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_colours_are_those_that_the_profile_means(form: str) -> None:
    options = {"quality": 100, "lossless": True, "subsampling": 0} if form in ("JPEG", "WEBP") else {}

    swapped = colour_of(encoded(filled("RGB", (250, 0, 0)), form, icc_profile=rgb_profile(SWAPPED), **options))
    wide = colour_of(encoded(filled("RGB", (100, 150, 100)), form, icc_profile=WIDE, **options))

    assert swapped == pytest.approx((0, 0, 250), abs=4)
    assert wide == pytest.approx((64, 151, 97), abs=4)  # Adobe RGB (1998), by its colorants


@pytest.mark.parametrize(
    ("image", "profile", "expected"),
    [
        (filled("L", 64), GREY, (137, 137, 137)),  # sRGB of 64 / 255, linear
        (filled("LA", (64, 255)), GREY, (137, 137, 137)),
        (filled("LA", (64, 0)), GREY, (255, 255, 255)),
        (filled("1", 1), GREY, (255, 255, 255)),
        (filled("RGBA", (250, 0, 0, 255)), rgb_profile(SWAPPED), (0, 0, 250)),
        (filled("RGBA", (250, 0, 0, 0)), rgb_profile(SWAPPED), (255, 255, 255)),
        (filled("RGB", (250, 0, 0)).quantize(4), rgb_profile(SWAPPED), (0, 0, 250)),
    ],
    ids=["grey", "opaque grey", "clear grey", "bilevel", "opaque", "clear", "palette"],
)
def test_every_mode_follows_a_profile_of_its_colours(
    image: Image.Image, profile: bytes, expected: tuple[int, ...]
) -> None:
    assert colour_of(encoded(image, icc_profile=profile)) == pytest.approx(expected, abs=4)


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_inks_are_those_of_the_press(form: str) -> None:
    cyan = encoded(filled("CMYK", (255, 0, 0, 0)), form, **({"quality": 100} if form == "JPEG" else {}))
    with_profile = encoded(
        filled("CMYK", (255, 0, 0, 0)), form, icc_profile=INKS, **({"quality": 100} if form == "JPEG" else {})
    )
    paper = encoded(filled("CMYK", (0, 0, 0, 0)), form, icc_profile=INKS)

    red, green, blue = colour_of(cyan)
    assert red < 20
    assert min(green, blue) > 200
    red, green, blue = colour_of(with_profile)
    assert green < min(red, blue)
    assert min(colour_of(paper)) > 250


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", SRGB),
        ("RGB", GREY),
        ("RGB", INKS),
        ("L", WIDE),
        ("L", INKS),
        ("CMYK", WIDE),
        ("RGB", b"no profile"),
        ("RGB", WIDE[:200]),
        ("RGB", bytes(500)),
        ("RGB", WIDE[:128] + bytes(len(WIDE) - 128)),
        ("L", GREY[:150]),
        ("CMYK", INKS[:600]),
        ("RGB", WIDE + bytes(5 * 2**20)),
    ],
)
def test_a_profile_that_says_nothing_of_use_leaves_the_pixels(mode: str, profile: bytes) -> None:
    image = Image.effect_mandelbrot((60, 40), (-2, -1, 1, 1), 30).convert(mode)

    with_profile, plain = (encoded(image, "TIFF", **how) for how in ({"icc_profile": profile}, {}))

    assert images.decode(with_profile).pixels.tobytes() == images.decode(plain).pixels.tobytes()


def test_a_part_a_scale_and_a_thumbnail_have_the_same_colours_and_no_profile() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (900, 600), (250, 0, 0))
    data = encoded(image, "JPEG", icc_profile=rgb_profile(SWAPPED), exif=exif, quality=95)

    for picture in (
        images.decode(data),
        images.decode(data, side=100),
        images.decode(data, 50, Box(9, 9, 80, 90)),
    ):
        assert picture.pixels.getpixel((5, 5)) == pytest.approx((0, 0, 250), abs=4)
        assert "icc_profile" not in picture.pixels.info
    with Image.open(io.BytesIO(images.thumbnail(images.decode(data), 60))) as small:
        assert "icc_profile" not in small.info
        assert small.getpixel((5, 5)) == pytest.approx((0, 0, 250), abs=6)
