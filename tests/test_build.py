"""Building a collection again and again: old work is kept, what changed is embedded, nothing published is lost."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from indexer import backbones, images
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection, generations
from indexer.embedder import Embedder
from indexer.errors import CollectionBusyError, CollectionError, DatasetError
from indexer.records import Box

Request = Callable[..., BuildRequest]


@pytest.fixture
def built(own_devkit: Path, tmp_path: Path, request_build: Request) -> Path:
    """A collection of the twelve pictures that may be changed."""
    build(request_build(tmp_path / "collection", voc_root=own_devkit))
    return tmp_path / "collection"


def picture(devkit: Path, number: int) -> Path:
    return devkit / "JPEGImages" / f"{number:06d}.jpg"


def test_a_first_build_embeds_everything(own_devkit: Path, tmp_path: Path, request_build: Request) -> None:
    summary = build(request_build(tmp_path / "collection", voc_root=own_devkit))

    assert (summary.embedded, summary.reused, summary.renamed, summary.removed) == (12, 0, 0, 0)
    assert (summary.images, summary.generation, summary.published) == (12, 1, True)
    with Collection.open(tmp_path / "collection") as collection:
        assert collection.manifest.vector_dim == 11
        assert collection.manifest.map_shape == (47, 2, 2)
        assert np.allclose(np.linalg.norm(collection.vectors(), axis=1), 1, atol=1e-5)


def test_what_is_stored_is_what_the_embedder_says_of_each_picture(own_devkit: Path, tmp_path: Path) -> None:
    build(BuildRequest(collection=tmp_path / "c", voc_root=own_devkit, backbone="efficientnet_lite2", quiet=True))
    embedder = Embedder(backbones.load("efficientnet_lite2"))

    with Collection.open(tmp_path / "c") as collection:
        for image in collection.all_images():
            pixels = embedder.pixels(images.load(own_devkit / "JPEGImages" / image.filename))
            embedding = embedder.embed([pixels], collection.reduction, keep_maps=True)

            assert float(embedding.vectors[0] @ collection.vector(image.image_id)) > 0.9999
            assert collection.maps is not None
            assert embedding.maps is not None
            assert np.allclose(embedding.maps[0], collection.maps[image.image_id], atol=0.02)


def test_an_unchanged_devkit_publishes_nothing_new(built: Path, request_build: Request) -> None:
    summary = build(request_build(built))

    assert (summary.embedded, summary.reused, summary.published, summary.generation) == (0, 12, False, 1)
    assert len(generations(built)) == 1


def test_only_what_changed_is_embedded(built: Path, own_devkit: Path, request_build: Request) -> None:
    with Collection.open(built) as before:
        old = {image.filename: before.vector(image.image_id) for image in before.all_images()}
    picture(own_devkit, 1).unlink()
    picture(own_devkit, 2).rename(picture(own_devkit, 77))
    Image.open(picture(own_devkit, 3)).rotate(90).save(picture(own_devkit, 3))
    Image.open(picture(own_devkit, 4)).rotate(180).save(picture(own_devkit, 88))

    summary = build(request_build(built, split="all"))

    assert (summary.embedded, summary.reused, summary.renamed, summary.removed) == (2, 9, 1, 1)
    with Collection.open(built) as after:
        new = {image.filename: after.vector(image.image_id) for image in after.all_images()}
    assert np.array_equal(new["000077.jpg"], old["000002.jpg"])
    assert np.array_equal(new["000005.jpg"], old["000005.jpg"])
    assert not np.allclose(new["000003.jpg"], old["000003.jpg"], atol=0.01)
    assert "000001.jpg" not in new


def test_a_changed_annotation_is_taken_up_without_embedding(
    built: Path, own_devkit: Path, request_build: Request
) -> None:
    annotation = own_devkit / "Annotations/000000.xml"
    annotation.write_text(annotation.read_text().replace("aeroplane", "airship"))

    summary = build(request_build(built))

    assert (summary.embedded, summary.reused, summary.published) == (0, 12, True)
    with Collection.open(built) as collection:
        assert collection.manifest.classes[-1] == "airship"


def test_a_copy_under_another_name_is_embedded_once(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    shutil.copy(picture(own_devkit, 0), picture(own_devkit, 500))

    build(request_build(tmp_path / "collection", voc_root=own_devkit))

    with Collection.open(tmp_path / "collection") as collection:
        assert len(collection) == 13
        assert np.array_equal(collection.vector(0), collection.vector(12))
        assert collection.maps is not None
        assert np.array_equal(collection.maps[0], collection.maps[12])


def test_the_reduction_is_carried_over_and_so_is_the_fingerprint(
    built: Path, own_devkit: Path, request_build: Request
) -> None:
    picture(own_devkit, 1).unlink()
    with Collection.open(built) as collection:
        fingerprint = collection.manifest.fingerprint

    build(request_build(built))

    with Collection.open(built) as collection:
        assert collection.manifest.generation == 2
        assert collection.manifest.fingerprint == fingerprint


def test_from_scratch_learns_the_reduction_anew(built: Path, own_devkit: Path, request_build: Request) -> None:
    picture(own_devkit, 1).unlink()

    summary = build(request_build(built, voc_root=own_devkit, from_scratch=True))

    assert summary.embedded == 11
    with Collection.open(built) as collection:
        assert collection.manifest.vector_dim == 10


def test_from_scratch_keeps_what_is_not_said_as_it_was(built: Path, request_build: Request) -> None:
    build(request_build(built, keep_maps=False, split="train"))
    (generations(built)[-1] / "index.faiss").write_bytes(b"damage")

    build(BuildRequest(collection=built, from_scratch=True, quiet=True))

    with Collection.open(built) as collection:
        assert collection.manifest.backbone.side == 64
        assert collection.manifest.split == "train"
        assert collection.maps is None


def test_a_generation_whose_manifest_is_gone_leaves_the_settings_of_the_one_before(
    built: Path, request_build: Request
) -> None:
    build(request_build(built, split="train"))
    (generations(built)[-1] / "manifest.json").unlink()

    build(BuildRequest(collection=built, from_scratch=True, quiet=True))

    with Collection.open(built) as collection:
        assert (collection.manifest.generation, collection.manifest.split) == (3, "all")


def test_stray_files_beside_the_generations_are_no_generations(built: Path, request_build: Request) -> None:
    (built / "generations" / "000098").touch()
    (built / "generations" / "notes").mkdir()

    assert build(request_build(built)).reused == 12


def test_a_build_that_cannot_begin_makes_no_folder(tmp_path: Path, request_build: Request) -> None:
    with pytest.raises(DatasetError):
        build(request_build(tmp_path / "collection", voc_root=tmp_path / "nowhere"))

    assert not (tmp_path / "collection").exists()


@pytest.mark.parametrize("change", [{"side": 96}, {"reduce": False}])
def test_another_kind_of_embedding_replaces_all_of_it(
    built: Path, request_build: Request, change: dict[str, object]
) -> None:
    with Collection.open(built) as collection:
        fingerprint = collection.manifest.fingerprint

    summary = build(request_build(built, **change))

    assert (summary.embedded, summary.reused) == (12, 0)
    with Collection.open(built) as collection:
        assert collection.manifest.fingerprint != fingerprint


def test_without_a_reduction_vectors_and_maps_stay_as_they_come(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    build(request_build(tmp_path / "collection", voc_root=own_devkit, reduce=False))

    with Collection.open(tmp_path / "collection") as collection:
        assert collection.manifest.vector_dim == 2048
        assert collection.manifest.map_shape == (2048, 2, 2)


def test_maps_can_be_left_out_and_later_rebuilt(built: Path, request_build: Request) -> None:
    without = build(request_build(built, keep_maps=False))
    with Collection.open(built) as collection:
        assert collection.maps is None
    again = build(request_build(built, keep_maps=True))

    assert without.reused == 12
    assert again.embedded == 12
    with Collection.open(built) as collection:
        assert collection.maps is not None


def test_a_later_build_needs_no_more_than_the_collection(built: Path, own_devkit: Path) -> None:
    picture(own_devkit, 1).unlink()

    summary = build(BuildRequest(collection=built, quiet=True))

    assert (summary.reused, summary.removed) == (11, 1)


def test_a_first_build_needs_a_devkit(tmp_path: Path, request_build: Request) -> None:
    with pytest.raises(DatasetError, match="give --voc-root"):
        build(request_build(tmp_path / "collection"))


def test_a_picture_that_cannot_be_decoded_is_skipped_named_and_recorded(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    picture(own_devkit, 5).write_bytes(picture(own_devkit, 5).read_bytes()[:3_000])

    summary = build(request_build(tmp_path / "collection", voc_root=own_devkit))

    assert summary.images == 11
    assert [one.filename for one in summary.skipped] == ["000005.jpg"]
    assert "damaged or cut off" in summary.skipped[0].reason
    with Collection.open(tmp_path / "collection") as collection:
        assert collection.skipped() == list(summary.skipped)


def test_strict_makes_a_skipped_picture_an_error_and_keeps_what_is_published(
    built: Path, own_devkit: Path, request_build: Request
) -> None:
    picture(own_devkit, 5).write_bytes(b"no picture")

    with pytest.raises(DatasetError, match=r"found 1 that are not, first 000005\.jpg: expected a picture"):
        build(request_build(built, strict=True))

    with Collection.open(built) as collection:
        assert len(collection) == 12


def test_a_box_outside_its_picture_skips_it_and_one_that_sticks_out_is_clipped(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    def box(corners: str) -> str:
        names = ("xmin", "ymin", "xmax", "ymax")
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, corners.split(), strict=True))
        return f"<annotation><object><name>cat</name><bndbox>{inner}</bndbox></object></annotation>"

    (own_devkit / "Annotations/000000.xml").write_text(box("900 900 950 950"))
    (own_devkit / "Annotations/000001.xml").write_text(box("-5 11 20 30"))

    summary = build(request_build(tmp_path / "collection", voc_root=own_devkit))

    assert [one.filename for one in summary.skipped] == ["000000.jpg"]
    assert "object 1 (cat) outside" in summary.skipped[0].reason
    with Collection.open(tmp_path / "collection") as collection:
        assert collection.images([0])[0].objects[0].box == Box(0, 10, 20, 30)


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


def test_the_last_two_generations_are_kept(built: Path, own_devkit: Path, request_build: Request) -> None:
    for number in range(3):
        picture(own_devkit, number).unlink()
        build(request_build(built))

    assert [folder.name for folder in generations(built)] == ["000003", "000004"]


def test_a_second_build_at_the_same_time_is_refused(built: Path, request_build: Request) -> None:
    with FileLock(built / "build.lock"), pytest.raises(CollectionBusyError, match="another build is running"):
        build(request_build(built))


def test_a_damaged_collection_is_replaced_only_when_asked(
    built: Path, own_devkit: Path, request_build: Request
) -> None:
    (generations(built)[-1] / "index.faiss").write_bytes(b"damage")

    with pytest.raises(CollectionError, match="build with --from-scratch"):
        build(request_build(built))
    build(request_build(built, voc_root=own_devkit, from_scratch=True))

    with Collection.open(built) as collection:
        assert (len(collection), collection.manifest.generation) == (12, 2)


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

    assert [(one.filename, one.reason) for one in summary.skipped] == [
        ("\\udcff\\udcfe.jpg", "expected a file name in UTF-8, found other bytes; rename the file")
    ]
