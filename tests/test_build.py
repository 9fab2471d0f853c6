"""Building a collection for the first time: what goes in, what is skipped, what is refused."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer import backbones, images
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.errors import DatasetError
from indexer.records import Box

Request = Callable[..., BuildRequest]


def picture(devkit: Path, number: int) -> Path:
    return devkit / "JPEGImages" / f"{number:06d}.jpg"


def test_a_first_build_embeds_everything(own_devkit: Path, tmp_path: Path, request_build: Request) -> None:
    summary = build(request_build(tmp_path / "collection", voc_root=own_devkit))

    assert (summary.embedded, summary.reused, summary.renamed, summary.removed) == (12, 0, 0, 0)
    assert (summary.images, summary.generation, summary.published) == (12, 1, True)
    with Collection.open(tmp_path / "collection") as collection:
        assert collection.manifest.vector_dim == 11
        assert collection.manifest.map_shapes == {"deep": (47, 2, 2), "fine": (32, 4, 4)}
        assert np.allclose(np.linalg.norm(collection.vectors(), axis=1), 1, atol=1e-5)


def test_what_is_stored_is_what_the_embedder_says_of_each_picture(own_devkit: Path, tmp_path: Path) -> None:
    build(BuildRequest(collection=tmp_path / "c", voc_root=own_devkit, backbone="efficientnet_lite2", quiet=True))
    embedder = Embedder(backbones.load("efficientnet_lite2"))

    with Collection.open(tmp_path / "c") as collection:
        for image in collection.all_images():
            pixels = embedder.pixels(images.load(own_devkit / "JPEGImages" / image.filename))
            embedding = embedder.embed([pixels], collection.reduction, keep_maps=True)

            assert float(embedding.vectors[0] @ collection.vector(image.image_id)) > 0.9999
            for stage, maps in collection.maps.items():
                spread = float(np.abs(maps).max())
                assert np.allclose(embedding.maps[stage][0], maps[image.image_id], atol=0.01 * spread)


def test_a_copy_under_another_name_is_embedded_once(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    shutil.copy(picture(own_devkit, 0), picture(own_devkit, 500))

    build(request_build(tmp_path / "collection", voc_root=own_devkit))

    with Collection.open(tmp_path / "collection") as collection:
        assert len(collection) == 13
        assert np.array_equal(collection.vector(0), collection.vector(12))
        assert all(np.array_equal(maps[0], maps[12]) for maps in collection.maps.values())


def test_a_build_that_cannot_begin_makes_no_folder(tmp_path: Path, request_build: Request) -> None:
    with pytest.raises(DatasetError):
        build(request_build(tmp_path / "collection", voc_root=tmp_path / "nowhere"))

    assert not (tmp_path / "collection").exists()


def test_without_a_reduction_vectors_and_maps_stay_as_they_come(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    build(request_build(tmp_path / "collection", voc_root=own_devkit, reduce=False))

    with Collection.open(tmp_path / "collection") as collection:
        assert collection.manifest.vector_dim == 2048
        assert collection.manifest.map_shapes["deep"] == (2048, 2, 2)


def test_a_first_build_needs_a_devkit(tmp_path: Path, request_build: Request) -> None:
    with pytest.raises(DatasetError, match="give --voc-root"):
        build(request_build(tmp_path / "collection"))


def test_a_picture_that_cannot_be_decoded_is_skipped_named_and_recorded(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    picture(own_devkit, 5).write_bytes(picture(own_devkit, 5).read_bytes()[:3_000])

    summary = build(request_build(tmp_path / "collection", voc_root=own_devkit))

    assert summary.images == 11
    assert [one.name for one in summary.skipped] == ["000005.jpg"]
    assert "damaged or cut off" in summary.skipped[0].reason
    with Collection.open(tmp_path / "collection") as collection:
        assert collection.notices() == list(summary.skipped)


def test_a_box_outside_its_picture_is_left_out_and_one_that_sticks_out_is_clipped(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    def box(corners: str) -> str:
        names = ("xmin", "ymin", "xmax", "ymax")
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, corners.split(), strict=True))
        return f"<annotation><object><name>cat</name><bndbox>{inner}</bndbox></object></annotation>"

    (own_devkit / "Annotations/000000.xml").write_text(box("900 900 950 950"))
    (own_devkit / "Annotations/000001.xml").write_text(box("-5 11 20 30"))

    summary = build(request_build(tmp_path / "collection", voc_root=own_devkit))

    assert not summary.skipped
    assert [(notice.kind, notice.name) for notice in summary.notices] == [("object", "Annotations/000000.xml")]
    assert "expected a box inside the picture" in summary.notices[0].reason
    with Collection.open(tmp_path / "collection") as collection:
        outside, sticking_out = collection.images([0, 1])
        assert not outside.objects
        assert sticking_out.objects[0].box == Box(0, 10, 20, 30)


def test_no_usable_picture_at_all_is_an_error(own_devkit: Path, tmp_path: Path, request_build: Request) -> None:
    for file in (own_devkit / "JPEGImages").iterdir():
        file.write_bytes(b"no picture")

    with pytest.raises(DatasetError, match="found none"):
        build(request_build(tmp_path / "collection", voc_root=own_devkit))


def test_a_single_picture_makes_a_collection(own_devkit: Path, tmp_path: Path, request_build: Request) -> None:
    (own_devkit / "ImageSets/Main/one.txt").write_text("000004\n")

    build(request_build(tmp_path / "collection", voc_root=own_devkit, split="one"))

    with Collection.open(tmp_path / "collection") as collection:
        assert len(collection) == 1
        assert collection.nearest(collection.vector(0), 5)[0].score == pytest.approx(1)


def test_any_name_of_a_folder_or_a_file_will_do(own_devkit: Path, tmp_path: Path, request_build: Request) -> None:
    odd = "ein Hund & <b>?#%20.jpg"
    picture(own_devkit, 1).rename(own_devkit / "JPEGImages" / odd)
    collection = tmp_path / "a b?c#d%20e"

    build(request_build(collection, voc_root=own_devkit))

    with Collection.open(collection) as opened:
        assert opened.all_images()[-1].filename == odd


def test_a_name_that_is_not_utf_8_is_skipped(own_devkit: Path, tmp_path: Path, request_build: Request) -> None:
    picture(own_devkit, 1).rename(own_devkit / "JPEGImages" / os.fsdecode(b"\xff\xfe.jpg"))

    summary = build(request_build(tmp_path / "collection", voc_root=own_devkit))

    assert [(one.name, one.reason) for one in summary.skipped] == [
        ("\\udcff\\udcfe.jpg", "expected a file name in UTF-8, found other bytes; rename the file")
    ]
