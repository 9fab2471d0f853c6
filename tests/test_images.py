"""The decoder: every kind of picture becomes upright RGB, or one clear error."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer import images
from indexer.errors import BoxError, ImageError
from indexer.records import Box


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


def colour_of(data: bytes) -> tuple[int, ...]:
    pixel = images.decode(data).pixels.getpixel((10, 10))
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


def black_png(width: int, height: int) -> bytes:
    """A few kilobytes, whatever its size in pixels."""
    return encoded(Image.new("1", (width, height)))


RED = Image.new("RGB", (20, 30), (200, 0, 0))
NOISE = Image.effect_noise((90, 90), 80)


@pytest.mark.parametrize("form", images.FORMATS)
def test_every_format_is_told_by_content(form: str) -> None:
    picture = images.decode(encoded(RED, form))

    assert picture.pixels.mode == "RGB"
    assert (picture.width, picture.height) == (20, 30)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (20, 20), 128), (128, 128, 128)),
        (Image.new("1", (20, 20), 1), (255, 255, 255)),
        (Image.new("I;16", (20, 20), 128 * 257), (128, 128, 128)),
        (Image.new("RGBA", (20, 20), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (20, 20), (255, 0, 0, 255)), (255, 0, 0)),
        (Image.new("LA", (20, 20), (0, 0)), (255, 255, 255)),
        (RED.resize((20, 20)).quantize(4), (200, 0, 0)),
    ],
    ids=["grey", "bilevel", "16-bit grey", "transparent", "opaque", "transparent grey", "palette"],
)
def test_every_mode_becomes_the_colours_that_are_seen(image: Image.Image, expected: tuple[int, ...]) -> None:
    assert colour_of(encoded(image)) == expected


def test_cmyk_becomes_rgb() -> None:
    data = encoded(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG", quality=100)

    red, green, blue = colour_of(data)

    assert red > 220
    assert max(green, blue) < 60


def test_floats_are_spread_over_the_range_of_eight_bits() -> None:
    ramp = Image.fromarray(np.linspace(-3, 9, 400, dtype=np.float32).reshape(20, 20))

    pixels = np.asarray(images.decode(encoded(ramp, "TIFF")).pixels)

    assert (pixels.min(), pixels.max()) == (0, 255)


def test_exif_orientation_turns_the_picture_and_its_size() -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste((255, 0, 0), (0, 0, 40, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of what is shown is the left of what is stored
    data = encoded(image, "JPEG", exif=exif, quality=100)

    picture = images.decode(data)

    assert (picture.width, picture.height) == picture.pixels.size == (20, 40)
    right = picture.pixels.getpixel((18, 20))
    assert isinstance(right, tuple)
    assert right[0] > 200
    assert right[1] < 80


def test_a_large_jpeg_may_be_decoded_small_and_keeps_its_size_on_record() -> None:
    picture = images.decode(encoded(Image.new("RGB", (1600, 1200)), "JPEG"), side=200)

    assert (picture.width, picture.height) == (1600, 1200)
    assert 200 <= min(picture.pixels.size) < 1200


def test_a_part_is_cut_out_as_the_picture_is_shown() -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste((200, 0, 0), (10, 5, 20, 15))
    exif = Image.Exif()
    exif[0x0112] = 6

    upright = images.decode(encoded(image), box=Box(10, 5, 20, 15))
    turned = images.decode(encoded(image, exif=exif), box=Box(5, 10, 15, 20))

    for picture, size in ((upright, (40, 20)), (turned, (20, 40))):
        assert (picture.width, picture.height) == size
        assert picture.pixels.size == (10, 10)
        assert picture.pixels.getpixel((0, 0)) == picture.pixels.getpixel((9, 9)) == (200, 0, 0)


def test_a_part_of_a_large_jpeg_keeps_the_pixels_that_are_needed_of_it() -> None:
    data = encoded(Image.new("RGB", (1600, 1200)), "JPEG")

    small_part = images.decode(data, side=200, box=Box(0, 0, 160, 120))
    large_part = images.decode(data, side=200, box=Box(0, 0, 1500, 1100))

    assert small_part.pixels.size == (160, 120)
    assert 200 <= min(large_part.pixels.size) < 1100


@given(st.tuples(*[st.floats(-20, 60)] * 2), st.tuples(*[st.floats(0.01, 80)] * 2))
def test_a_part_is_what_of_it_is_inside_and_one_outside_is_refused(
    corner: tuple[float, float], size: tuple[float, float]
) -> None:
    box = Box(*corner, corner[0] + size[0], corner[1] + size[1])
    data = encoded(RED.resize((40, 30)))

    if box.clipped(40, 30) is None:
        with pytest.raises(BoxError, match="inside the picture of 40 x 30 pixels"):
            images.decode(data, box=box)
    else:
        part = images.decode(data, box=box).pixels
        assert 1 <= part.width <= min(40, size[0] + 2)
        assert 1 <= part.height <= min(30, size[1] + 2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_a_large_picture_may_be_made_small_before_anything_else(mode: str) -> None:
    image = Image.new("RGB", (5_000, 4_000), (200, 0, 0)).convert(mode)

    picture = images.decode(encoded(image, compress_level=1), side=200)

    assert (picture.width, picture.height) == (5_000, 4_000)
    assert min(picture.pixels.size) >= 400
    assert picture.pixels.width / picture.pixels.height == pytest.approx(1.25, abs=0.01)
    assert picture.pixels.mode == "RGB"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "expected a picture"),
        (b"hello, I am a text", "expected a picture"),
        (encoded(NOISE, "JPEG")[:-400], "damaged or cut off"),
        (encoded(Image.new("RGB", (1, 1))), "at least 8 pixels a side, found 1 x 1"),
        (black_png(30_000, 30_000), "expected at most 80,000,000 pixels"),
        (black_png(10_000, 9_000), "found 10000 x 9000"),
    ],
    ids=["nothing", "text", "cut off", "one pixel", "bomb", "large"],
)
def test_what_is_no_usable_picture_is_refused_in_one_line(data: bytes, expected: str) -> None:
    with pytest.raises(ImageError, match=expected) as caught:
        images.decode(data)

    assert "\n" not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(images.FORMATS), st.data())
def test_a_mutated_picture_decodes_or_is_refused(form: str, data: st.DataObject) -> None:
    mutated = bytearray(encoded(RED, form))
    for place in data.draw(st.lists(st.integers(0, len(mutated) - 1), max_size=8)):
        mutated[place] = data.draw(st.integers(0, 255))

    try:
        picture = images.decode(bytes(mutated))
    except ImageError:
        return
    assert picture.pixels.mode == "RGB"


def test_the_whole_picture_is_squashed_into_the_square() -> None:
    image = Image.new("RGB", (80, 40), "white")
    image.paste((255, 0, 0), (0, 0, 40, 40))

    square = images.fit_square(images.decode(encoded(image)), 16, "bilinear")

    assert square.shape == (16, 16, 3)
    assert square.dtype == np.uint8
    assert tuple(square[8, 1]) == (255, 0, 0)
    assert tuple(square[8, 14]) == (255, 255, 255)


def test_a_thumbnail_keeps_the_shape_and_leaves_the_picture_alone() -> None:
    picture = images.decode(encoded(Image.new("RGB", (400, 200))))

    small = images.decode(images.thumbnail(picture, 100))

    assert (small.width, small.height) == (100, 50)
    assert picture.pixels.size == (400, 200)
