"""A JPEG that lacks its end marker alone is read; one that lacks pixels is refused."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer import images
from indexer.errors import ImageError
from indexer.records import Box
from tests.test_images import RED, encoded


def noise(width: int, height: int, spread: float) -> Image.Image:
    """Colours about grey; always the same."""
    values = np.random.default_rng(0).normal(128, spread, (height, width, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


COLOURS = noise(70, 50, 60)


def with_thumbnail() -> bytes:
    """A JPEG with a whole small JPEG in its EXIF, as cameras write it."""
    small = encoded(RED, "JPEG")
    directory = b"II*\x00" + (8).to_bytes(4, "little") + bytes(2) + bytes(4)
    return encoded(COLOURS, "JPEG", exif=b"Exif\x00\x00" + directory + small)


KINDS = {
    "baseline": encoded(COLOURS, "JPEG"),
    "subsampled": encoded(COLOURS, "JPEG", subsampling=2),
    "best quality": encoded(COLOURS, "JPEG", quality=100, subsampling=0),
    "optimised": encoded(COLOURS, "JPEG", optimize=True),
    "progressive": encoded(COLOURS, "JPEG", progressive=True),
    "restarts": encoded(COLOURS, "JPEG", restart_marker_blocks=3),
    "progressive restarts": encoded(COLOURS, "JPEG", progressive=True, restart_marker_rows=1),
    "grey": encoded(COLOURS.convert("L"), "JPEG"),
    "cmyk": encoded(COLOURS.convert("CMYK"), "JPEG"),
    "thumbnail": with_thumbnail(),
    "one colour": encoded(Image.new("RGB", (72, 56), (200, 30, 60)), "JPEG"),
    "one grey": encoded(Image.new("L", (72, 56), 128), "JPEG", optimize=True),
    "progressive colour": encoded(Image.new("RGB", (72, 56), (200, 30, 60)), "JPEG", progressive=True),
}


@pytest.fixture(params=KINDS)
def whole(request: pytest.FixtureRequest) -> bytes:
    return KINDS[request.param]


def test_a_whole_jpeg_has_its_end_whatever_follows(whole: bytes) -> None:
    for rest in (
        b"",
        bytes(300),
        b"\xff",
        b"\xff" * 9,
        b"\r\n",
        whole,
        whole[:-2],
        encoded(RED),
        b"\xff\xda\x00\x02abc",
    ):
        assert not images.lacks_end(whole + rest)


def test_a_jpeg_that_is_cut_lacks_its_end(whole: bytes) -> None:
    for end in range(3, len(whole)):
        assert images.lacks_end(whole[:end])
    for rest in (bytes(300), b"\xff" * 9, b"\r\n", b"\x00\xff\x00\xff\xd0", whole):
        assert images.lacks_end(whole[:-2] + rest)


def test_a_picture_of_several_has_the_end_of_its_first() -> None:
    data = io.BytesIO()
    COLOURS.save(data, "MPO", save_all=True, append_images=[RED])
    several = data.getvalue()

    assert not images.lacks_end(several)
    assert not images.lacks_end(several[:-2])
    first = several.index(b"\xff\xd9")
    assert images.lacks_end(several[:first] + several[first + 2 :])


@pytest.mark.parametrize("form", [form for form in images.FORMATS if form != "JPEG"])
def test_other_formats_have_no_end_to_lack(form: str) -> None:
    assert not images.lacks_end(encoded(RED, form))
    assert not images.lacks_end(encoded(RED, form)[:-2])


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8", b"a text", bytes(1_000), b"\xff" * 1_000])
def test_what_is_no_picture_has_no_end_to_lack(data: bytes) -> None:
    assert not images.lacks_end(data)


def pixels_of(data: bytes, side: int | None = None, box: Box | None = None) -> bytes:
    return images.decode(data, side, box).pixels.tobytes()


def pixels_or_none(data: bytes) -> bytes | None:
    try:
        return pixels_of(data)
    except ImageError:
        return None


@pytest.mark.parametrize("cut", [1, 2])
def test_a_jpeg_that_lacks_its_end_marker_alone_is_read(whole: bytes, cut: int) -> None:
    assert pixels_of(whole[:-cut]) == pixels_of(whole)


@pytest.mark.parametrize("rest", [bytes(1), bytes(4_096), b"\xff" * 9, b"\xff" + bytes(512)])
def test_filling_in_place_of_the_end_marker_is_passed_over(whole: bytes, rest: bytes) -> None:
    assert pixels_of(whole[:-2] + rest) == pixels_of(whole)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_is_read_of_a_cut_file_is_all_of_the_picture(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["RGB", "L", "CMYK"]))
    size = (data.draw(st.integers(8, 60)), data.draw(st.integers(8, 60)))
    spread = data.draw(st.sampled_from([0, 3, 40, 120]))
    image = noise(*size, spread).convert(mode)
    options = {
        "quality": data.draw(st.sampled_from([5, 50, 75, 95, 100])),
        "progressive": data.draw(st.booleans()),
        "restart_marker_blocks": data.draw(st.sampled_from([0, 0, 1, 5])),
    }
    if mode == "RGB":
        options["subsampling"] = data.draw(st.integers(0, 2))
    whole = encoded(image, "JPEG", **options)
    cut = data.draw(st.integers(1, 40) | st.integers(1, len(whole)))

    read = pixels_or_none(whole[:-cut])

    assert read == pixels_of(whole) if cut <= 2 else read in (None, pixels_of(whole))


@pytest.mark.parametrize("kind", ["progressive", "progressive restarts"])
def test_a_cut_between_scans_or_filled_with_zeros_is_refused(kind: str) -> None:
    whole = KINDS[kind]
    scans = [place for place in range(len(whole)) if whole.startswith(b"\xff\xda", place)]
    tables = [place for place in range(len(whole)) if whole.startswith(b"\xff\xc4", place)]

    for end in [*scans, *(place for place in tables if place > scans[0])]:
        for rest in (b"", bytes(4_096)):
            with pytest.raises(ImageError, match="damaged or cut off"):
                images.decode(whole[:end] + rest)
    for cut in (3, 9, 40):
        with pytest.raises(ImageError, match="damaged or cut off"):
            images.decode(whole[:-cut] + bytes(4_096))


def test_a_cut_at_a_restart_is_refused() -> None:
    whole = KINDS["restarts"]
    places = [place for place in range(len(whole)) if 0xD0 <= whole[place] <= 0xD7 and whole[place - 1] == 0xFF]

    for place in places:
        for end in (place - 1, place, place + 1):
            with pytest.raises(ImageError, match="damaged or cut off"):
                images.decode(whole[:end])


def test_components_in_scans_of_their_own_are_all_needed() -> None:
    def segment(marker: int, content: bytes) -> bytes:
        return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content

    lengths = bytes([1, *[0] * 15])  # one code, of one bit, for 0: no difference, and end of block
    tables = segment(0xC4, b"\x00" + lengths + b"\x00") + segment(0xC4, b"\x10" + lengths + b"\x00")
    frame = segment(0xC0, bytes([8, 0, 8, 0, 8, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]))
    head = b"\xff\xd8" + segment(0xDB, bytes([0, *[1] * 64])) + frame + tables
    scans = [segment(0xDA, bytes([1, name, 0, 0, 63, 0])) + b"\x3f" for name in (1, 2, 3)]
    whole = head + b"".join(scans) + b"\xff\xd9"

    assert pixels_of(whole[:-2]) == pixels_of(whole)
    with pytest.raises(ImageError, match="damaged or cut off"):
        images.decode(head + scans[0] + scans[1])


@pytest.mark.parametrize("side", [None, 20, 60, 200])
@pytest.mark.parametrize("box", [None, Box(30, 40, 300, 260), Box(500, 300, 600, 400)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_part_and_a_scale_are_those_of_the_whole_file(
    side: int | None, box: Box | None, options: dict[str, bool]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = encoded(noise(640, 480, 60), "JPEG", exif=exif, **options)

    cut = images.decode(whole[:-2], side, box and box.clipped(480, 640))

    assert cut.pixels.tobytes() == pixels_of(whole, side, box and box.clipped(480, 640))
    assert (cut.width, cut.height) == (480, 640)


def test_a_large_picture_is_read_without_its_end_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encoded(noise(640, 480, 60), "JPEG")
    monkeypatch.setattr(images, "LARGE", 1_000)

    assert pixels_of(whole[:-2], 60) == pixels_of(whole, 60)
    with pytest.raises(ImageError, match="damaged or cut off"):
        images.decode(whole[:-20], 60)
