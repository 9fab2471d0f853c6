"""The orientation and the stored size of a picture, from its headers alone, agree with how it is decoded."""

import io
import struct
import zlib

import pytest
from PIL import Image

from indexer import images
from indexer.errors import ImageError
from tests.test_hostile_pictures import png_chunk
from tests.test_images import encoded

NOISE = Image.effect_noise((40, 24), 90).convert("RGB")
TURNS = range(1, 9)


def exif_of(turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


def xmp_of(turn: int) -> bytes:
    return f'<x:xmpmeta><rdf:Description tiff:Orientation="{turn}"/></x:xmpmeta>'.encode()


def png_with(before: bytes, after: bytes) -> bytes:
    """A PNG with chunks before its pixels and after them."""
    data = encoded(NOISE)
    start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    return data[:start] + before + data[start:end] + after + data[end:]


def tiff_with_xmp(turn: int) -> bytes:
    """A TIFF that tells its orientation in XMP alone."""
    return encoded(NOISE, "TIFF", tiffinfo={700: xmp_of(turn)})


def text_of(turn: int) -> bytes:
    return png_chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + xmp_of(turn))


def chunk_of(turn: int) -> bytes:
    return png_chunk(b"eXIf", exif_of(turn).tobytes().removeprefix(b"Exif\x00\x00"))


WAYS = {
    "jpeg": lambda turn: encoded(NOISE, "JPEG", exif=exif_of(turn)),
    "progressive": lambda turn: encoded(NOISE, "JPEG", exif=exif_of(turn), progressive=True),
    "png": lambda turn: encoded(NOISE, "PNG", exif=exif_of(turn)),
    "png, behind": lambda turn: png_with(b"", chunk_of(turn)),
    "png, text": lambda turn: png_with(text_of(turn), b""),
    "png, text behind": lambda turn: png_with(b"", text_of(turn)),
    "webp": lambda turn: encoded(NOISE, "WEBP", exif=exif_of(turn)),
    "tiff": lambda turn: encoded(NOISE, "TIFF", exif=exif_of(turn)),
    "tiff, big": lambda turn: encoded(NOISE, "TIFF", exif=exif_of(turn), big_tiff=True),
    "tiff, packed": lambda turn: encoded(NOISE, "TIFF", exif=exif_of(turn), compression="tiff_lzw"),
    "tiff, deep": lambda turn: encoded(NOISE.convert("I;16"), "TIFF", exif=exif_of(turn)),
    "tiff, xmp": tiff_with_xmp,
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("way", WAYS)
def test_orientation_and_stored_size_are_told_and_decoding_follows_them(way: str, turn: int) -> None:
    data = WAYS[way](turn)

    picture = images.decode(data)

    assert images.stored_frame(data) == (turn, 40, 24)
    assert (picture.width, picture.height) == picture.pixels.size == ((24, 40) if turn > 4 else (40, 24))


@pytest.mark.parametrize("form", images.FORMATS)
def test_a_picture_that_tells_nothing_is_upright(form: str) -> None:
    assert images.stored_frame(encoded(NOISE, form)) == (1, 40, 24)


@pytest.mark.parametrize("value", [0, 9, 65_535])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_orientation_that_there_is_not_is_upright(form: str, value: int) -> None:
    data = encoded(NOISE, form, exif=exif_of(value))

    assert images.stored_frame(data) == (1, 40, 24)
    assert images.decode(data).pixels.size == (40, 24)


@pytest.mark.parametrize("exif", [b"", b"Exif\x00\x00", b"Exif\x00\x00II*\x00", b"Exif\x00\x00" + bytes(50)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_is_upright(form: str, exif: bytes) -> None:
    assert images.stored_frame(encoded(NOISE, form, exif=exif)) == (1, 40, 24)


@pytest.mark.parametrize("damage", [b"", b"\x00\x00", bytes(40)])
def test_a_png_that_is_damaged_behind_its_pixels_is_told_as_it_is_decoded(damage: bytes) -> None:
    data = png_with(chunk_of(6), b"")
    data = data[: data.index(b"IEND") - 4] + damage

    assert images.stored_frame(data) == (6, 40, 24)
    assert images.decode(data).pixels.size == (24, 40)


def test_no_pixel_is_needed() -> None:
    header = struct.pack(">IIBBBBB", 9_000, 8_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"none"))
    jpeg = encoded(NOISE, "JPEG", exif=exif_of(8))

    assert images.stored_frame(png + chunk_of(8) + png_chunk(b"IEND", b"")) == (8, 9_000, 8_000)
    assert images.stored_frame(jpeg[:-300]) == (8, 40, 24)


@pytest.mark.parametrize("data", [b"", b"a text", encoded(NOISE)[:20], encoded(NOISE, "JPEG")[:40]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        images.stored_frame(data)


def test_the_first_of_several_frames_is_told() -> None:
    data = io.BytesIO()
    NOISE.save(data, "TIFF", save_all=True, append_images=[NOISE.resize((9, 9))], exif=exif_of(5))

    assert images.stored_frame(data.getvalue()) == (5, 40, 24)
