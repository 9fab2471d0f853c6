"""Building a collection again and again: old work is kept, what changed is embedded, nothing published is lost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.errors import CollectionBusyError, CollectionError, DatasetError, InferenceError
from indexer.generations import generations
from indexer.index_settings import IndexSettings
from indexer.inference import Inference
from indexer.manifest import Manifest
from tests.test_build import picture

Request = Callable[..., BuildRequest]


@pytest.fixture
def built(own_devkit: Path, tmp_path: Path, request_build: Request) -> Path:
    """A collection of the twelve pictures that may be changed."""
    build(request_build(tmp_path / "collection", voc_root=own_devkit))
    return tmp_path / "collection"


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


def test_the_manifest_tells_all_that_ran_the_backbone(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    path, openvino = tmp_path / "collection", Inference(runtime="openvino", precision="fp32")
    build(request_build(path, voc_root=own_devkit, inference=Inference(device="cpu", runtime="torch")))
    with Collection.open(path) as first:
        assert first.manifest.embedded_with == ("torch fp32",)

    assert not build(request_build(path, inference=openvino)).published, (
        "nothing was embedded, nothing is to be told"
    )
    Image.open(picture(own_devkit, 4)).rotate(180).save(picture(own_devkit, 88))
    build(request_build(path, inference=openvino))

    with Collection.open(path) as second:
        assert second.manifest.embedded_with == ("openvino fp32", "torch fp32")
        assert second.manifest.fingerprint == first.manifest.fingerprint


def test_what_the_machine_cannot_run_leaves_all_as_it_was(
    built: Path, request_build: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.torch_runtime.devices", lambda: ("cpu",))

    with pytest.raises(InferenceError, match="expected device cpu on this machine, found cuda"):
        build(request_build(built, inference=Inference(device="cuda")))

    assert len(generations(built)) == 1


def test_a_changed_annotation_is_taken_up_without_embedding(
    built: Path, own_devkit: Path, request_build: Request
) -> None:
    annotation = own_devkit / "Annotations/000000.xml"
    annotation.write_text(annotation.read_text().replace("aeroplane", "airship"))

    summary = build(request_build(built))

    assert (summary.embedded, summary.reused, summary.published) == (0, 12, True)
    with Collection.open(built) as collection:
        assert collection.manifest.classes[-1] == "airship"


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
        assert collection.maps == {}


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


def test_what_is_asked_of_the_index_stays_until_something_else_is_and_embeds_nothing(
    built: Path, request_build: Request
) -> None:
    asked = build(request_build(built, index_kind="hnsw", storage="int8", links=8))
    unchanged = build(request_build(built))
    with Collection.open(built) as collection:
        manifest = collection.manifest
        finds_itself = [collection.nearest(collection.vector(row), 1)[0].image_id for row in range(12)]
    less = build(request_build(built, recall=0.9))
    with Collection.open(built) as collection:
        index = collection.manifest.index

    assert [(one.embedded, one.published) for one in (asked, unchanged, less)] == [
        (0, True), (0, False), (0, True),
    ]  # fmt: skip
    assert manifest.index == IndexSettings("hnsw", 0.99, "int8", links=8)
    assert manifest.indexes["index.faiss"].kind == "hnsw"
    assert "index-approximate.faiss" in manifest.files
    assert finds_itself == list(range(12))
    assert index == IndexSettings("hnsw", 0.9, "int8", links=8)


def test_objects_are_indexed_as_the_images_are(built: Path, request_build: Request) -> None:
    build(request_build(built, index_objects=True, index_kind="hnsw"))

    with Collection.open(built) as collection:
        indexes = collection.manifest.indexes
        objects = collection.objects
        assert objects is not None
        best = [objects.nearest(objects.vector(row), 1)[0].score for row in range(len(objects))]

    assert {file: note.kind for file, note in indexes.items()} == {"index.faiss": "hnsw", "objects.faiss": "hnsw"}
    assert best == pytest.approx([1.0] * len(best))


def test_the_same_pictures_are_indexed_to_the_same_bytes(built: Path, request_build: Request) -> None:
    build(request_build(built, from_scratch=True))

    first, second = (Manifest.load(folder) for folder in generations(built))
    assert first.files["index.faiss"] == second.files["index.faiss"]


def test_maps_can_be_left_out_and_later_rebuilt(built: Path, request_build: Request) -> None:
    without = build(request_build(built, keep_maps=False))
    with Collection.open(built) as collection:
        assert collection.maps == {}
    again = build(request_build(built, keep_maps=True))

    assert without.reused == 12
    assert again.embedded == 12
    with Collection.open(built) as collection:
        assert set(collection.maps) == {"deep", "fine"}


def test_a_later_build_needs_no_more_than_the_collection(built: Path, own_devkit: Path) -> None:
    picture(own_devkit, 1).unlink()

    summary = build(BuildRequest(collection=built, quiet=True))

    assert (summary.reused, summary.removed) == (11, 1)


def test_strict_makes_a_skipped_picture_an_error_and_keeps_what_is_published(
    built: Path, own_devkit: Path, request_build: Request
) -> None:
    picture(own_devkit, 5).write_bytes(b"no picture")

    with pytest.raises(DatasetError, match=r"found 1 not used, first the picture 000005\.jpg: expected a picture"):
        build(request_build(built, strict=True))

    with Collection.open(built) as collection:
        assert len(collection) == 12


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

    with pytest.raises(CollectionError, match=r"python -m indexer verify --collection .* --repair"):
        build(request_build(built))
    build(request_build(built, voc_root=own_devkit, from_scratch=True))

    with Collection.open(built) as collection:
        assert (len(collection), collection.manifest.generation) == (12, 2)
