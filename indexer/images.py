"""The only decoder: bytes of a picture file -> RGB pixels of bounded size, upright, and what is made of them."""

import io
import math
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from indexer.allocator import give_back_freed_memory
from indexer.errors import BoxError, ImageError, TooLargeError
from indexer.records import Box

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MEDIA_TYPES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".jpe": "image/jpeg", ".jfif": "image/jpeg",
    ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".bmp": "image/bmp",
    ".tif": "image/tiff", ".tiff": "image/tiff",
}  # fmt: skip
SUFFIXES = tuple(MEDIA_TYPES)
MAX_PIXELS = 80_000_000
MIN_SIDE = 8  # pixels; below this there is nothing to see, and nothing to compare
MAX_ASPECT = 100  # times as long as wide; panoramas reach 20, and squashed to a square a strip is a smear
LARGE = 16_000_000
"""Pixels; larger pictures are decoded one at a time, for a few at once could take all memory."""

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

_one_at_a_time = threading.Lock()
_ROWS = 64  # of deep greys that are scaled at once, in float64

_ORIENTATION_TAG = 0x0112  # EXIF (CIPA DC-008, 4.6.5)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FIRST_QUARTER_TURN = 5

_PNG = b"\x89PNG\r\n\x1a\n"

# Markers of a JPEG's segments (ITU-T T.81, table B.1).
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAMES = (0xC0, 0xC1, 0xC2)  # of Huffman codes; those of arithmetic codes need not come to their end in the file
_END = bytes([0xFF, _EOI])
_COEFFICIENTS = 64  # of a block
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")  # no stuffed zero, fill byte or restart: those are in scans
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

_CONTINUATIONS = [
    bytes(first * at % 255 for at in range(1, 65)) for first in (0x15, 0xE8, 0x4D, 0xB1, 0x72, 0x9C, 0x3A, 0xC6)
]
"""What a cut scan might go on with: all three bits that may come first, and no byte that begins a marker."""
_ZEROS = bytes(64)  # may fill a file that was not written to its end: then they stand in for pixels

_SAME = 2  # of 255 shades: as far as profiles of sRGB are from each other
_MAX_PROFILE = 4 * 2**20  # bytes; those of presses take about 2 MiB
_COLOURS = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}  # mode -> that of its colours, which else are RGB

_CONVERTIBLE = {
    b"%PDF": "PDF", b"8BPS": "PSD", b"\xff\x0a": "JPEG XL", b"\x00\x00\x00\x0cJXL ": "JPEG XL",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000", b"\xff\x4f\xff\x51": "JPEG 2000",
}  # fmt: skip
"""First bytes of formats that pictures come in, too -> what they are called."""
_BRANDS = {
    "AVIF": {b"avif", b"avis"},
    "HEIC": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"},
}  # of the box "ftyp": ISO/IEC 23008-12, annex B; AV1 Image File Format, section 6

# Pillow warns above 89 million pixels; `_check_size` refuses before that.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# What Pillow raises on damaged files, beside its own UnidentifiedImageError (an OSError).
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, OverflowError)


@dataclass(frozen=True, slots=True)
class Picture:
    """Decoded pixels.

    Attributes:
        pixels: RGB, upright, of all of it or of a part; a large JPEG may have been decoded at a half, quarter or
            eighth of its size.
        width: pixels of the whole file, as shown (after EXIF orientation).
        height: pixels of the whole file, as shown.
    """

    pixels: Image.Image
    width: int
    height: int


def load(path: Path, side: int | None = None, box: Box | None = None) -> Picture:
    """Read and decode a file; see `decode`."""
    try:
        return decode(path.read_bytes(), side, box)
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error


def load_formats() -> None:
    """Import now what reads each format; Pillow itself does so when it first meets one."""
    Image.init()


def decode(data: bytes, side: int | None = None, box: Box | None = None, most: int = MAX_PIXELS) -> Picture:
    """Decode the first frame of a picture file; a JPEG may lack its end marker, but no pixels.

    Args:
        data: the file's bytes, in one of `FORMATS`; the format is told by content.
        side: pixels that the caller needs at most along a side; lets a JPEG be decoded at reduced scale.
        box: the part that is wanted, in pixels of the picture as shown; what sticks out of it is cut off.
        most: pixels that it may have.

    Raises:
        TooLargeError: over `most` pixels; told before decoding.
        ImageError: not a picture, damaged, under `MIN_SIDE` a side, or over `MAX_ASPECT` times as long as wide.
        BoxError: nothing of the box is inside the picture.
    """
    image = _open(data)
    _check_size(*image.size, most)
    try:
        if image.width * image.height <= LARGE:
            return _decode_nearly_whole(data, image, side, box)
        with _one_at_a_time:
            picture = _decode_nearly_whole(data, image, side, box)
            give_back_freed_memory()
            return picture
    except _DECODE_ERRORS as error:
        raise _damaged(error) from error


def lacks_end(data: bytes) -> bool:
    """Whether the bytes are a JPEG whose scans no end marker closes; those of a thumbnail within do not count.

    Only headers are read, so pixels may be missing, too. False for every other format.
    """
    ends = (marker for marker, *_ in _segments(data) if marker in (_SOI, _EOI))
    return data.startswith(b"\xff\xd8\xff") and next(ends, _SOI) == _SOI  # _SOI: another picture follows


def stored_frame(data: bytes) -> tuple[int, int, int]:
    """EXIF orientation (1 to 8; 1 is upright), and width and height in pixels before it turns the picture.

    Read from the headers of the file, pixels are not decoded.

    Raises:
        ImageError: not a picture.
    """
    image = _open(data)
    if image.format == "PNG":
        with suppress(ImageError):  # damage behind the pixels, which does not matter once they are decoded
            image = _open(_without_pixels(data))
    return (_orientation(image), *_stored_size(image))


def fit_square(picture: Picture, side: int, resampling: str) -> NDArray[np.uint8]:
    """The whole picture squashed to (side, side, 3) uint8 RGB; nothing is cropped.

    `resampling` is a key of `FILTERS`; both filters average over the source pixels when shrinking.
    """
    return np.asarray(picture.pixels.resize((side, side), FILTERS[resampling]))


def thumbnail(picture: Picture, side: int) -> bytes:
    """A JPEG whose longer side is at most `side` pixels."""
    buffer = io.BytesIO()
    shrink(picture.pixels, side).save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def shrink(pixels: Image.Image, side: int) -> Image.Image:
    """A copy whose longer side is at most `side` pixels."""
    small = pixels.copy()
    small.thumbnail((side, side), Image.Resampling.BICUBIC)
    return small


def copies(picture: Picture) -> dict[str, Picture]:
    """Kind -> a copy of a picture as people make them; the kinds are those of `COPIES`."""
    made = {kind: make(picture.pixels) for kind, make in COPIES.items()}
    return {kind: Picture(pixels, *pixels.size) for kind, pixels in made.items()}


def _half_size(pixels: Image.Image) -> Image.Image:
    """As a JPEG of quality 40."""
    buffer = io.BytesIO()
    pixels.reduce(2).save(buffer, format="JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def _middle(pixels: Image.Image, share: float) -> Image.Image:
    """Of that share of width and height; a pixel at least."""
    width, height = (max(1, round(share * side)) for side in pixels.size)
    left, upper = (pixels.width - width) // 2, (pixels.height - height) // 2
    return pixels.crop((left, upper, left + width, upper + height))


COPIES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "half_size": _half_size,
    "middle_quarter": lambda pixels: _middle(pixels, 1 / 2),
    "grey": lambda pixels: pixels.convert("L").convert("RGB"),
    "mirror": ImageOps.mirror,
    "crop": lambda pixels: _middle(pixels, 4 / 5),
}
"""Kind of copy -> how it is made of RGB pixels: half the size at JPEG quality 40, a quarter of the area, without
colour, left for right, and a fifth of width and height cut off around."""


def _open(data: bytes) -> ImageFile:
    """The picture with its header read, and no more of it."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        message = f"expected at most {MAX_PIXELS:,} pixels, found far more; scale it down"
        raise TooLargeError(message) from None
    except UnidentifiedImageError as error:
        raise ImageError(f"expected a picture ({', '.join(FORMATS)}), found {_what_else(data)}") from error
    except _DECODE_ERRORS as error:
        raise _damaged(error) from error


def _what_else(data: bytes) -> str:
    """What a file is that is no picture of `FORMATS`, and what to do about it where that is known."""
    if not data:
        return "an empty file"
    names = [name for start, name in _CONVERTIBLE.items() if data.startswith(start)]
    if data[4:8] == b"ftyp":
        size = int.from_bytes(data[:4])
        brands = {data[place : place + 4] for place in (8, *range(16, min(size, 256), 4))}
        names = [name for name, known in _BRANDS.items() if known & brands] or ["a video"]
    if data.startswith(b"<") and b"<svg" in data[:1_000]:
        names = ["SVG"]
    return f"{names[0]}; convert it to JPEG" if names else "something else"


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment of a JPEG, found as libjpeg does; coded pixels are passed over."""
    place = 2
    while found := _MARKER.search(data, place):
        start = found.end()
        place = start + max(2, int.from_bytes(data[start : start + 2]))
        yield found[1][0], start + 2, place


def _decode_nearly_whole(data: bytes, image: ImageFile, side: int | None, box: Box | None) -> Picture:
    """Decode an opened file; put the end marker back where that is all it lacks, as Pillow wants to see it."""
    try:
        return _decode_pixels(image, side, box)
    except OSError:
        closed = _closed(data) if lacks_end(data) else None
        if closed is None:
            raise
        return _decode_pixels(_open(closed), side, box)


def _closed(data: bytes) -> bytes | None:
    """A JPEG with an end marker put behind its last scan; None where pixels may be missing."""
    start = _last_scan(data)
    if start is None:
        return None
    head, scan = data[:start], data[start:].rstrip(b"\xff")  # half of the end marker, or filling
    if not _is_whole(head, scan):
        return None
    if (
        scan.endswith(_ZEROS)
        and _is_whole(head, scan[: -len(_ZEROS)])
        and not _is_whole(head, scan.rstrip(b"\x00"))
    ):
        return None
    return head + scan + _END


def _last_scan(data: bytes) -> int | None:
    """Where the code of a JPEG's last scan starts; None unless all bits of all coefficients are in some scan."""
    start, lacking = None, None
    for marker, at, end in _segments(data):
        if marker in _FRAMES:
            names = data[at + 6 : end : 3]
            lacking = {(name, number) for name in names for number in range(_COEFFICIENTS)}
        elif marker == _SOS and end <= len(data) and lacking is not None:
            start = end
            first, last, bits = data[end - 3 : end]
            if bits & 0x0F == 0:  # it goes down to the lowest bit
                names = data[at + 1 : end - 3 : 2]
                lacking -= {(name, number) for name in names for number in range(first, last + 1)}
    return start if lacking == set() else None


def _is_whole(head: bytes, scan: bytes) -> bool:
    """Whether a JPEG has the same pixels whatever follows its last scan, so that none is missing."""
    coded = scan.rstrip(b"\xff")
    restarts = _RESTART.findall(coded)
    restart = bytes([0xFF, 0xD0 + (restarts[-1][1] + 1) % 8 if restarts else 0xD0])  # 0xD0 to 0xD7 in turn
    continued = (more + restart + more for more in _CONTINUATIONS)
    checksums = (zlib.crc32(_open(head + coded + more + _END).tobytes()) for more in (b"", *continued))
    first = next(checksums)
    return all(other == first for other in checksums)


def _without_pixels(png: bytes) -> bytes:
    """A PNG's other chunks: EXIF may follow the pixels, which Pillow decodes to get there."""
    parts, place = [_PNG], len(_PNG)
    while place < len(png):
        end = place + 12 + int.from_bytes(png[place : place + 4])
        if png[place + 4 : place + 8] != b"IDAT":
            parts.append(png[place:end])
        place = end
    return b"".join(parts)


def _decode_pixels(image: ImageFile, side: int | None, box: Box | None) -> Picture:
    """Decode an opened file, as small as `side` allows where it is large, without a copy of the whole of it."""
    width, height = _upright_size(image)
    part = _inside(box, width, height) if box else None
    if part and side is not None:
        side = math.ceil(side * max(width / (part.xmax - part.xmin), height / (part.ymax - part.ymin)))
    if side is not None:
        image.draft("RGB", (side, side))
    pixels = _upright(image)
    if side is not None and pixels.width * pixels.height > LARGE and min(pixels.size) >= 4 * side:
        pixels = _reduce(pixels, min(pixels.size) // (2 * side))
    if part:
        pixels = _crop(pixels, part, pixels.width / width, pixels.height / height)
    shown = _to_rgb(pixels)
    shown.info.pop("icc_profile", None)  # it does not hold any more
    return Picture(shown, width, height)


def _inside(box: Box, width: int, height: int) -> Box:
    part = box.clipped(width, height)
    if part is None:
        raise BoxError(f"expected a box inside the picture of {width} x {height} pixels, found {box.corners}")
    return part


def _crop(image: Image.Image, part: Box, across: float, down: float) -> Image.Image:
    """The pixels that a part touches, in a picture decoded at these scales; one at least."""
    left, upper = (math.floor(part.xmin * across), math.floor(part.ymin * down))
    right, lower = (math.ceil(part.xmax * across), math.ceil(part.ymax * down))
    left, upper = min(left, image.width - 1), min(upper, image.height - 1)
    return image.crop((left, upper, min(right, image.width), min(lower, image.height)))


def _damaged(error: Exception) -> ImageError:
    told = " ".join(str(error).split()) or type(error).__name__
    return ImageError(f"the picture is damaged or cut off ({told:.100})")


def _check_size(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise TooLargeError(f"expected at most {most:,} pixels, found {width} x {height}; scale it down")
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"expected at least {MIN_SIDE} pixels a side, found {width} x {height}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(
            f"expected a picture at most {MAX_ASPECT} times as long as wide, found {width} x {height}; crop it"
        )


def _stored_size(image: ImageFile) -> tuple[int, int]:
    """(width, height) in the file, of an opened picture; Pillow swaps those of a TIFF for its orientation."""
    return (image.tag_v2[256], image.tag_v2[257]) if isinstance(image, TiffImageFile) else image.size


def _upright_size(image: ImageFile) -> tuple[int, int]:
    """(width, height) as shown; read before `draft`, which changes `image.size`."""
    width, height = _stored_size(image)
    return (height, width) if _orientation(image) >= _FIRST_QUARTER_TURN else (width, height)


def _upright(image: ImageFile) -> Image.Image:
    image.load()
    turn = None if image.format == "TIFF" else _TURNS.get(_orientation(image))  # Pillow turns a TIFF itself
    return image if turn is None else image.transpose(turn)


def _orientation(image: ImageFile) -> int:
    """1 to 8; 1, which is upright, for what is broken, and for a TIFF once it is loaded."""
    try:
        # A PNG that is not loaded loads itself here, for what follows the pixels.
        exif = image.getexif() if image.tile else Image.Image.getexif(image)
        told = exif.get(_ORIENTATION_TAG)
    except _DECODE_ERRORS:
        return 1
    return told if told in _TURNS else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Every Pillow mode as RGB: deep greys scaled to 8 bits, transparency laid over white."""
    if image.mode.startswith("I") or image.mode == "F":
        return _grey_to_8_bits(image).convert("RGB")
    managed = _to_srgb(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        if managed is not None:
            managed.putalpha(layer.getchannel("A"))
            layer = managed
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return managed or (image if image.mode == "RGB" else image.convert("RGB"))


def _to_srgb(image: Image.Image) -> Image.Image | None:
    """Its colours as its ICC profile means them, in sRGB; None where it has none, or one that changes nothing."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 0 < len(profile) <= _MAX_PROFILE:
        return None
    mode = _COLOURS.get(image.mode, "RGB")
    transform = _transform(profile, mode)
    if transform is None:
        return None
    if image.mode.startswith("P"):
        image = image.convert("RGBA")  # Pillow warns of a palette with transparency that becomes RGB at once
    return transform.apply(image if image.mode == mode else image.convert(mode))


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None for a broken one, one of other colours than the mode's, and sRGB itself.

    Relative colorimetric with black point compensation: what sRGB can show keeps its colour, white is white, and
    black is black. For the usual profiles, of a matrix, every intent is that one.
    """
    try:
        transform = ImageCms.ImageCmsTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        samples = _samples(mode)
        there, back = (
            np.asarray(pixels, dtype=int) for pixels in (samples.convert("RGB"), transform.apply(samples))
        )
    except (*_DECODE_ERRORS, ImageCms.PyCMSError):
        return None
    return None if np.abs(there - back).max() <= _SAME else transform


def _samples(mode: str) -> Image.Image:
    """A row of pixels with colours from all over a mode's."""
    steps = np.linspace(0, 255, 9 if mode != "L" else 256).astype(np.uint8)
    grid = np.stack(np.meshgrid(*[steps] * len(mode)), axis=-1).reshape(1, -1, len(mode))
    return Image.frombytes(mode, (grid.shape[1], 1), grid.tobytes())


def _reduce(image: Image.Image, factor: int) -> Image.Image:
    """A picture with each square of so many pixels a side averaged to one, whatever its mode."""
    if image.mode.startswith("I;16"):
        image = _grey_to_8_bits(image)
    elif image.mode.startswith("P"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    return image.reduce(factor)


def _grey_to_8_bits(image: Image.Image) -> Image.Image:
    """16-bit greys by their full range; 32-bit integers and floats, which have none, from least to greatest."""
    grey = np.asarray(image)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else _finite_range(grey)
    shades = np.empty(grey.shape, dtype=np.uint8)
    for top in range(0, len(grey), _ROWS):
        scaled = (grey[top : top + _ROWS].astype(np.float64) - low) * (255.0 / max(high - low, 1e-12))
        shades[top : top + _ROWS] = np.nan_to_num(scaled).round().clip(0, 255)
    return Image.fromarray(shades)


def _finite_range(grey: NDArray[np.generic]) -> tuple[float, float]:
    finite = grey[np.isfinite(grey)] if grey.dtype.kind == "f" else grey
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
