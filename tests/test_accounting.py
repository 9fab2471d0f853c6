"""What a devkit gives is used, or named with the reason."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from indexer import images, voc
from indexer.__main__ import main
from indexer.annotated_boxes import STORED, turn_upright
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.errors import DatasetError
from indexer.object_embedding import ObjectEmbedding
from indexer.records import Box

Request = Callable[..., BuildRequest]

CUP = Box(20, 10, 60, 40)
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF"}


def draw(path: Path, number: int = 0, **save: object) -> None:
    """A picture of 200 x 120 pixels in a grey of its own, red where the cup is."""
    picture = Image.new("RGB", (200, 120), (100 + number % 100, 120, 140))
    ImageDraw.Draw(picture).rectangle((20, 10, 59, 39), fill="red")
    picture.save(path, quality=95, **save)  # type: ignore[arg-type]


def annotate(path: Path, box: Box = CUP, size: tuple[int, int] | None = (200, 120), more: str = "") -> None:
    corners = zip(("xmin", "ymin", "xmax", "ymax"), (box.xmin + 1, box.ymin + 1, box.xmax, box.ymax), strict=True)
    bndbox = "".join(f"<{tag}>{value:g}</{tag}>" for tag, value in corners)
    sized = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    path.write_text(
        f"<annotation>{sized}<object><name>cup</name><bndbox>{bndbox}</bndbox></object>{more}</annotation>"
    )


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A devkit of five pictures, with what is used and what is not."""
    root = tmp_path / "devkit"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for number, name in enumerate(("good", "scaled", "half", "shapeless", "no_voc")):
        draw(root / f"JPEGImages/{name}.jpg", number)
    annotate(root / "Annotations/good.xml")
    annotate(root / "Annotations/scaled.xml", Box(40, 20, 120, 80), (400, 240))
    annotate(root / "Annotations/half.xml", more="<object><name>cat</name></object>")
    annotate(root / "Annotations/shapeless.xml", size=(300, 120))
    (root / "Annotations/no_voc.xml").write_text("<image/>")
    annotate(root / "Annotations/nobody.xml")
    (root / "ImageSets/Main/train.txt").write_text("good.jpg\nscaled\ngone\n")
    return root


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def built(root: Path, collection: Path, weights: Path, *more: object) -> Result:
    backbone = ("--backbone", "resnet50", "--weights", weights, "--side", 64)
    return run("build", "--voc-root", root, "--collection", collection, *backbone, *more)


UNUSED = [
    (
        "annotation", "Annotations/no_voc.xml",
        "expected a VOC annotation, found <image> with nothing; convert it to VOC",
    ),
    ("annotation", "Annotations/nobody.xml", "no picture in JPEGImages has this name"),
    ("line", "gone", "no picture in JPEGImages has this name (line 3 of ImageSets/Main/train.txt)"),
    ("object", "Annotations/half.xml", "object 2 (cat): expected a <bndbox>, found none"),
    (
        "object", "Annotations/shapeless.xml",
        "cup at (20, 10, 60, 40): expected a <size> of 200 x 120 pixels, as the picture has, found 300 x 120",
    ),
]  # fmt: skip
SCALED = ("object", "Annotations/scaled.xml", "boxes scaled from 400 x 240 to the picture's 200 x 120 pixels")
ACCOUNTS = {
    "annotation": {"given": 6, "used": 4, "outside": 0},
    "object": {"given": 5, "used": 3, "outside": 0},
    "line": {"given": 3, "used": 2, "outside": 0},
}


def test_a_build_names_what_it_did_not_use_and_keeps_every_picture(
    given: Path, tmp_path: Path, resnet50_weights: Path
) -> None:
    first, second = (json.loads(built(given, tmp_path / "c", resnet50_weights, "--json").stdout) for _ in range(2))

    for summary in (first, second):
        found = [(one["kind"], one["name"], one["reason"], one["used"]) for one in summary["notices"]]
        assert found == sorted([*((*one, False) for one in UNUSED), (*SCALED, True)])
        assert summary["accounts"] == ACCOUNTS
        assert summary["images"] == 5
        assert summary["skipped"] == []
    assert (first["published"], second["published"]) == (True, False)


def test_people_are_told_what_was_not_used_by_build_and_by_inspect(
    given: Path, tmp_path: Path, resnet50_weights: Path
) -> None:
    summary = built(given, tmp_path / "c", resnet50_weights).stdout
    inspected = run("inspect", "--collection", tmp_path / "c").stdout

    for told in (summary, inspected):
        assert "not used: Annotations/nobody.xml: no picture in JPEGImages has this name" in told
        assert "not used: name in a list: gone: no picture in JPEGImages has this name" in told
        assert "note on Annotations/scaled.xml: boxes scaled from 400 x 240" in told
        assert "4 of 6 annotation files, 3 of 5 objects, 2 of 3 lines of lists" in told


def test_many_notices_are_counted_in_the_summary_and_all_named_by_inspect(
    given: Path, tmp_path: Path, resnet50_weights: Path
) -> None:
    (given / "ImageSets/Main/val.txt").write_text("".join(f"gone{number}\n" for number in range(30)))

    summary = built(given, tmp_path / "c", resnet50_weights).stdout
    inspected = run("inspect", "--collection", tmp_path / "c").stdout

    assert summary.count("not used: name in a list: gone") == 20
    assert "... and 11 more of this kind, which `inspect` names" in summary
    assert inspected.count("not used: name in a list: gone") == 31


def test_strict_makes_an_error_of_what_is_not_used(given: Path, tmp_path: Path, resnet50_weights: Path) -> None:
    result = built(given, tmp_path / "c", resnet50_weights, "--strict")

    assert result.exit_code == 1
    assert "expected that all of the devkit can be used, found 5 not used, first the annotation" in (result.stderr)
    assert not (tmp_path / "c" / "generations").exists()


def test_strict_lets_pass_what_is_used_otherwise_than_it_stands(
    given: Path, tmp_path: Path, resnet50_weights: Path
) -> None:
    for path in (
        "Annotations/no_voc.xml",
        "Annotations/nobody.xml",
        "Annotations/half.xml",
        "Annotations/shapeless.xml",
    ):
        (given / path).unlink()
    (given / "ImageSets/Main/train.txt").write_text("good\n")

    result = built(given, tmp_path / "c", resnet50_weights, "--strict")

    assert result.exit_code == 0
    assert "boxes scaled" in result.stdout


def test_a_jpeg_without_its_end_marker_is_indexed_and_named(
    given: Path, tmp_path: Path, request_build: Request
) -> None:
    whole, cut = given / "JPEGImages/good.jpg", given / "JPEGImages/half.jpg"
    whole.write_bytes(whole.read_bytes()[:-2])
    cut.write_bytes(cut.read_bytes()[:-200])

    for _ in range(2):
        summary = build(request_build(tmp_path / "c", voc_root=given))

        told = {notice.name: notice for notice in summary.notices if notice.kind == "picture"}
        assert told.keys() == {"good.jpg", "half.jpg"}
        assert told["good.jpg"].used
        assert told["good.jpg"].reason == "the JPEG lacks its end marker; all of its rows are there"
        assert not told["half.jpg"].used
        assert summary.images == 4


@pytest.mark.parametrize("frame", ["upright", "stored"])
def test_boxes_follow_pictures_that_are_turned_by_exif(frame: str, tmp_path: Path, request_build: Request) -> None:
    root = tmp_path / "devkit"
    for folder in ("JPEGImages", "Annotations"):
        (root / folder).mkdir(parents=True)
    expected = {}
    for number in range(32):
        orientation, ending = number % 8 + 1, list(FORMATS)[number // 8]
        exif = Image.Exif()
        exif[0x112] = orientation
        name = f"{ending}{orientation}.{ending}"
        draw(root / "JPEGImages" / name, number, format=FORMATS[ending], exif=exif)
        shown = turn_upright(CUP, orientation, 200, 120)
        size = (200, 120) if frame == STORED or orientation < 5 else (120, 200)
        annotate(root / f"Annotations/{name}.xml", CUP if frame == STORED else shown, size)
        expected[name] = shown

    build(request_build(tmp_path / "c", voc_root=root, annotated_frame=frame))

    with Collection.open(tmp_path / "c") as collection:
        found = {image.filename: image.objects[0].box for image in collection.all_images()}
        assert found == expected
        assert collection.notices() == []
    for name, box in expected.items():
        crop = np.asarray(images.decode((root / "JPEGImages" / name).read_bytes(), box=box).pixels)
        inside = crop[4:-4, 4:-4]  # JPEG blurs colours at edges
        assert inside[..., 0].min() > 200
        assert inside[..., 1:].max() < 60


def test_the_frame_of_annotations_is_that_of_the_last_build_where_none_is_named(
    tmp_path: Path, request_build: Request
) -> None:
    root = tmp_path / "devkit"
    for folder in ("JPEGImages", "Annotations"):
        (root / folder).mkdir(parents=True)
    exif = Image.Exif()
    exif[0x112] = 3
    draw(root / "JPEGImages/a.jpg", exif=exif)
    annotate(root / "Annotations/a.xml")

    build(request_build(tmp_path / "c", voc_root=root, annotated_frame=STORED))
    again = build(request_build(tmp_path / "c"))

    assert not again.published
    with Collection.open(tmp_path / "c") as collection:
        assert collection.images([0])[0].objects[0].box == turn_upright(CUP, 3, 200, 120)


def test_most_of_a_collection_disappears_only_where_that_is_allowed(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    build(request_build(tmp_path / "c", voc_root=own_devkit))
    for file in sorted((own_devkit / "JPEGImages").iterdir())[:7]:
        file.unlink()

    with pytest.raises(
        DatasetError, match=r"collection's 12 pictures .* found 7 of them gone .* --allow-removals"
    ):
        build(request_build(tmp_path / "c"))
    with Collection.open(tmp_path / "c") as collection:
        assert len(collection) == 12
    allowed = build(request_build(tmp_path / "c", allow_removals=True))

    assert (allowed.images, allowed.removed) == (5, 7)


def test_another_split_or_half_of_a_collection_may_go_and_names_may_change(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    build(request_build(tmp_path / "c", voc_root=own_devkit))
    pictures = sorted((own_devkit / "JPEGImages").iterdir())
    for file in pictures[6:]:
        file.rename(file.with_name(f"new-{file.name}"))
    for file in pictures[:3]:
        file.unlink()

    renamed = build(request_build(tmp_path / "c"))
    narrowed = build(request_build(tmp_path / "c", split="val"))

    assert (renamed.renamed, renamed.removed) == (6, 3)
    assert narrowed.images < renamed.images / 2


def test_a_picture_that_vanishes_while_objects_are_embedded_is_skipped(
    own_devkit: Path, tmp_path: Path, request_build: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(request_build(tmp_path / "c", voc_root=own_devkit))
    embed = ObjectEmbedding.embed

    def vanish_and_embed(*arguments: object) -> dict[str, str]:
        voc.picture_path(own_devkit, "000004.jpg").unlink()
        return embed(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectEmbedding, "embed", vanish_and_embed)
    summary = build(request_build(tmp_path / "c", index_objects=True))

    assert [(one.name, one.reason) for one in summary.skipped] == [
        ("000004.jpg", "the file cannot be read (No such file or directory)")
    ]
    with Collection.open(tmp_path / "c") as collection:
        assert len(collection) == 11
        assert collection.objects is not None
        assert len(collection.objects) == sum(len(image.objects) for image in collection.all_images())


def test_pictures_whose_names_are_parts_of_each_other_are_all_indexed(
    tmp_path: Path, request_build: Request
) -> None:
    root = tmp_path / "devkit"
    (root / "JPEGImages").mkdir(parents=True)
    for number, name in enumerate(("a.jpg", "a.png", "a.png.jpg")):
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64), (80 * number, 0, 0)).save(buffer, format="PNG" if name == "a.png" else "JPEG")
        (root / "JPEGImages" / name).write_bytes(buffer.getvalue())

    build(request_build(tmp_path / "c", voc_root=root))

    with Collection.open(tmp_path / "c") as collection:
        assert [image.filename for image in collection.all_images()] == ["a.jpg", "a.png", "a.png.jpg"]
