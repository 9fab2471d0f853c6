"""A JPEG that lacks its end marker alone is read; one that lacks pixels is refused."""

import io

import pytest
from PIL import Image

from indexer import images
from tests.test_images import NOISE, RED, encoded

COLOURS = Image.merge("RGB", [Image.effect_noise((70, 50), sigma) for sigma in (20, 50, 80)])


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
    "grey": encoded(NOISE, "JPEG"),
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
