"""Files made to do harm, one kind after the other: each ends in a clear refusal or the right picture."""

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from indexer import images
from indexer.errors import ImageError, TooLargeError
from tests.test_images import NOISE, RED, encoded

HALVES = Image.new("RGB", (40, 20), (200, 0, 0))
HALVES.paste((0, 0, 200), (20, 0, 40, 20))


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunk(name: bytes, content: bytes) -> bytes:
    """A red PNG with a chunk put behind its header."""
    data = encoded(RED)
    return data[:33] + png_chunk(name, content) + data[33:]


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header declares a size that nothing follows for."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b""))
        + png_chunk(b"IEND", b"")
    )


def gif_of(width: int, height: int) -> bytes:
    data = bytearray(encoded(RED, "GIF"))
    struct.pack_into("<HH", data, 6, width, height)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    """A WebP of the extended form that declares a canvas."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas + encoded(RED, "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_of(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A TIFF of one directory with these tags, as (tag, type, count, value), and nothing else."""
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\x00" + struct.pack("<IH", 8, len(entries)) + tags + struct.pack("<I", following)


def tiff_size(width: int, height: int) -> tuple[tuple[int, int, int, int], ...]:
    return ((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1))


@pytest.mark.parametrize(
    "bomb",
    [
        png_of(50_000, 50_000),
        png_of(2**31 - 1, 2**31 - 1),
        gif_of(65_535, 65_535),
        webp_of(2**24, 2**7),
        webp_of(16_383, 16_383),
        tiff_of(*tiff_size(60_000, 60_000), (273, 4, 1, 8), (278, 4, 1, 60_000), (279, 4, 1, 100)),
    ],
    ids=["png", "largest png", "gif", "wide webp", "webp", "tiff"],
)
def test_a_declared_size_beyond_the_limit_is_refused_before_decoding(bomb: bytes) -> None:
    with pytest.raises(TooLargeError, match="expected at most 80,000,000 pixels"):
        images.decode(bomb)


@pytest.mark.parametrize("size", [(8, 801), (3_000, 20)])
def test_a_strip_is_refused_and_the_longest_that_is_not_one_is_taken(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"at most 100 times as long as wide, found {size[0]} x {size[1]}"):
        images.decode(encoded(Image.new("L", size)))

    assert images.decode(encoded(Image.new("L", (8, 800)))).height == 800


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt"])
def test_texts_that_inflate_without_end_are_refused(name: bytes) -> None:
    inflated = zlib.compress(bytes(200 * 2**20), 9)
    head = b"k\x00\x00" if name == b"zTXt" else b"k\x00\x01\x00\x00\x00"

    with pytest.raises(ImageError, match=r"damaged or cut off .*Decompress"):
        images.decode(with_chunk(name, head + inflated))


def test_a_colour_profile_that_inflates_without_end_is_not_read() -> None:
    data = with_chunk(b"iCCP", b"p\x00\x00" + zlib.compress(bytes(200 * 2**20), 9))

    with pytest.raises(ImageError, match="damaged or cut off"):
        images.decode(data)


@pytest.mark.parametrize("form", images.FORMATS)
def test_what_is_appended_to_a_picture_is_not_looked_at(form: str) -> None:
    data = encoded(RED, form)

    for rest in (b"PK\x03\x04" + bytes(400), b"<html><script>alert(1)</script>", encoded(NOISE, "PNG")):
        assert images.decode(data + rest).pixels.tobytes() == images.decode(data).pixels.tobytes()


@pytest.mark.parametrize(
    "before", [b"PK\x03\x04", b"<html>", b"%PDF-1.7\n", b"GIF", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_a_picture_behind_something_else_is_no_picture(before: bytes) -> None:
    with pytest.raises(ImageError, match=r"expected a picture \(JPEG, PNG, WEBP, GIF, BMP, TIFF\), found"):
        images.decode(before + encoded(RED))


@pytest.mark.parametrize("form", ["PPM", "ICO", "TGA", "PCX", "EPS", "SGI"])
def test_formats_that_are_not_listed_are_refused(form: str) -> None:
    with pytest.raises(
        ImageError, match=r"expected a picture \(JPEG, PNG, WEBP, GIF, BMP, TIFF\), found something else"
    ):
        images.decode(encoded(RED, form))


def container(major: bytes, *others: bytes) -> bytes:
    """The first box of a file of the ISO base media format, and what could be the second."""
    box = b"ftyp" + major + bytes(4) + b"".join(others)
    return struct.pack(">I", len(box) + 4) + box + struct.pack(">I", 8) + b"meta"


@pytest.mark.parametrize(
    ("data", "called"),
    [
        *[(container(brand, b"mif1", b"heic"), "HEIC") for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")],
        (container(b"mif1", b"miaf", b"heix"), "HEIC"),
        (container(b"heic"), "HEIC"),
        (container(b"mif1"), "HEIC"),
        (encoded(RED, "AVIF"), "AVIF"),
        (container(b"avis", b"msf1"), "AVIF"),
        (container(b"mif1", b"miaf", b"avif"), "AVIF"),
        (container(b"isom", b"mp42"), "a video"),
        (container(b"qt  "), "a video"),
        (encoded(RED, "JPEG2000"), "JPEG 2000"),
        (encoded(RED, "JPEG2000", no_jp2=True), "JPEG 2000"),
        (b"\xff\x0a" + bytes(50), "JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (encoded(RED, "PDF"), "PDF"),
        (b"8BPS" + bytes(50), "PSD"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><!-- drawn --><svg/>", "SVG"),
    ],
)
def test_formats_that_can_be_converted_are_called_by_name(data: bytes, called: str) -> None:
    with pytest.raises(ImageError) as caught:
        images.decode(data)

    assert str(caught.value) == (
        f"expected a picture (JPEG, PNG, WEBP, GIF, BMP, TIFF), found {called}; convert it to JPEG"
    )


@pytest.mark.parametrize("data", [b"ftyp", b"\x00\x00\x00\x00ftyp", container(b"heic")[:9], b"<html>", bytes(300)])
def test_the_beginning_of_a_format_is_not_taken_for_a_picture(data: bytes) -> None:
    with pytest.raises(ImageError, match="expected a picture"):
        images.decode(data)


def test_an_empty_file_is_called_so() -> None:
    with pytest.raises(ImageError, match="found an empty file"):
        images.decode(b"")


@pytest.mark.parametrize("form", images.FORMATS)
def test_a_picture_cut_off_anywhere_is_refused_or_shown(form: str) -> None:
    data = encoded(NOISE, form)

    for end in range(0, len(data), max(1, len(data) // 60)):
        with suppress(ImageError):
            assert images.decode(data[:end]).pixels.mode == "RGB"


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_many_frames_the_first_is_shown(form: str) -> None:
    frames = [Image.new("RGB", (20, 30), (0, 0, shade)) for shade in range(1, 200)]
    options: dict[str, object] = {"lossless": True} if form == "WEBP" else {}

    picture = images.decode(encoded(RED, form, save_all=True, append_images=frames, **options))

    assert picture.pixels.getpixel((10, 10)) == (200, 0, 0)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_turned_upright(form: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    options: dict[str, object] = {"quality": 100, "lossless": True} if form in ("JPEG", "WEBP") else {}

    picture = images.decode(encoded(HALVES, form, exif=exif, **options))

    size = (20, 40) if turn > 4 else (40, 20)
    assert (picture.width, picture.height) == picture.pixels.size == size
    first = picture.pixels.getpixel((2, 2))
    assert isinstance(first, tuple)
    assert (first[0] > 100) == (turn in (1, 4, 5, 6))  # the red half is left or, turned by a quarter, above


@pytest.mark.parametrize("value", [0, 9, 65_535])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_that_there_is_not_turns_nothing(form: str, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value

    picture = images.decode(encoded(HALVES, form, exif=exif))

    assert (picture.width, picture.height) == picture.pixels.size == (40, 20)


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif",
        b"Exif\x00\x00",
        b"Exif\x00\x00II*\x00",
        b"Exif\x00\x00" + tiff_of((0x112, 3, 2**31, 6), following=8),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_shown_whatever_its_exif_says(form: str, exif: bytes) -> None:
    picture = images.decode(encoded(HALVES, form, exif=exif))

    assert (picture.width, picture.height) == (40, 20)


def test_directories_that_lead_in_a_circle_end() -> None:
    data = bytearray(encoded(RED, "TIFF"))
    [first] = struct.unpack_from("<I", data, 4)
    [count] = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)

    assert images.decode(bytes(data)).pixels.getpixel((10, 10)) == (200, 0, 0)


@pytest.mark.parametrize("tag", [273, 279, 324, 325, 270, 320])
def test_counts_beyond_the_file_are_refused(tag: int) -> None:
    data = tiff_of(*tiff_size(100, 100), (tag, 4, 2**32 - 1, 8))

    with pytest.raises(ImageError):
        images.decode(data)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([np.nan] * 400, 0), ([np.inf] * 200 + [0.0] * 200, 0), ([-3e38] * 200 + [3e38] * 200, 0)],
    ids=["no number at all", "infinite", "the whole range"],
)
def test_floats_without_a_range_are_shown(values: list[float], expected: int) -> None:
    image = Image.fromarray(np.array(values, dtype=np.float32).reshape(20, 20))

    assert np.asarray(images.decode(encoded(image, "TIFF")).pixels).min() == expected


def test_sixteen_bits_and_a_palette_with_transparency_are_made_small_first() -> None:
    deep = Image.new("I;16", (4_200, 4_000), 128 * 257)
    clear = Image.new("P", (4_200, 4_000), 1)
    clear.putpalette([0, 0, 0, 200, 0, 0])

    for data, colour in (
        (encoded(deep, compress_level=1), (128, 128, 128)),
        (encoded(clear, compress_level=1, transparency=b"\xff\x00"), (255, 255, 255)),
    ):
        picture = images.decode(data, side=200)
        assert picture.pixels.width < 1_000
        assert picture.pixels.getpixel((5, 5)) == colour


def test_more_chunks_than_anyone_needs_are_read_over() -> None:
    data = encoded(RED)

    assert images.decode(data[:33] + 20_000 * png_chunk(b"teSt", b"") + data[33:]).height == 30


def test_many_texts_are_not_kept() -> None:
    info = PngInfo()
    for number in range(70):
        info.add_text(f"k{number}", "x" * 2**20, zip=True)

    with pytest.raises(ImageError, match="damaged or cut off"):
        images.decode(encoded(RED, pnginfo=info))
