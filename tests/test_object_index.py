"""The index of annotated objects: each object's crop, embedded as a picture is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer import images, inference, sample
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.errors import DatasetError
from indexer.object_evaluation import evaluate_objects
from indexer.reduction import Floats
from indexer.staging import StagedPiece, Staging
from tests.test_build import picture

Request = Callable[..., BuildRequest]


@pytest.fixture
def built(own_devkit: Path, tmp_path: Path, request_build: Request) -> Path:
    build(request_build(tmp_path / "collection", voc_root=own_devkit, index_objects=True))
    return tmp_path / "collection"


def vectors_by_object(path: Path) -> dict[tuple[str, tuple[float, ...]], Floats]:
    with Collection.open(path) as collection:
        assert collection.objects is not None
        labels = [
            (image.filename, label.box.corners) for image in collection.all_images() for label in image.objects
        ]
        return dict(zip(labels, collection.objects.vectors(), strict=True))


def test_each_object_has_the_vector_of_its_crop(built: Path, own_devkit: Path, resnet50_weights: Path) -> None:
    with Collection.open(built) as collection:
        embedder = Embedder.for_collection(collection.manifest, str(resnet50_weights))
        reduction = collection.reduction
    stored = vectors_by_object(built)

    for (filename, corners), vector in list(stored.items())[:5]:
        whole = images.load(own_devkit / "JPEGImages" / filename).pixels
        left, upper, right, lower = map(int, corners)
        crop = images.Picture(whole.crop((left, upper, right, lower)), right - left, lower - upper)
        embedding = embedder.embed([embedder.pixels(crop)], reduction, keep_maps=False)

        assert float(embedding.vectors[0] @ vector) > 0.95  # a JPEG may be decoded small
    assert len(stored) > 12


def test_objects_are_embedded_once_and_kept_as_long_as_picture_and_box_are(
    built: Path, own_devkit: Path, request_build: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = vectors_by_object(built)
    annotation = own_devkit / "Annotations/000000.xml"
    annotation.write_text(annotation.read_text().replace("<xmin>", "<xmin>1", 1).replace("<xmax>", "<xmax>4", 1))
    picture(own_devkit, 1).unlink()
    embedded: list[int] = []
    embed = Embedder.embed

    def counting(self: Embedder, pixels: list[np.ndarray], *args: object, **kwargs: object) -> object:
        embedded.append(len(pixels))
        return embed(self, pixels, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Embedder, "embed", counting)

    build(request_build(built))

    after = vectors_by_object(built)
    assert sum(embedded) <= 1
    kept = before.keys() & after.keys()
    assert len(kept) >= len(after) - 1
    assert all(np.array_equal(before[key], after[key]) for key in kept)


def test_a_collection_gains_and_loses_its_object_index_on_request(built: Path, request_build: Request) -> None:
    without = build(request_build(built, index_objects=False))
    with Collection.open(built) as collection:
        assert collection.objects is None

    again = build(request_build(built, index_objects=True))
    with Collection.open(built) as collection:
        assert collection.objects is not None

    assert (without.embedded, without.published, again.embedded, again.published) == (0, True, 0, True)


def test_pictures_without_annotations_make_an_empty_object_index(
    own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    shutil.rmtree(own_devkit / "Annotations")

    build(request_build(tmp_path / "collection", voc_root=own_devkit, index_objects=True))

    with Collection.open(tmp_path / "collection") as collection:
        assert collection.objects is not None
        assert len(collection.objects) == 0


def test_nothing_is_left_in_the_building_folder(built: Path) -> None:
    assert [path.name for path in (built / "building").iterdir()] == []


def test_a_build_broken_off_among_the_objects_goes_on_where_it_was(
    own_devkit: Path, tmp_path: Path, request_build: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "PIECE", 4)
    request = request_build(tmp_path / "collection", voc_root=own_devkit, index_objects=True)
    put = Staging.put
    staged: list[str] = []

    def stop_at_the_third_of_the_objects(self: Staging, piece: StagedPiece) -> None:
        put(self, piece)
        staged.extend(key for key in piece.keys if "@" in key)
        if len(staged) == 12:
            raise KeyboardInterrupt

    monkeypatch.setattr(Staging, "put", stop_at_the_third_of_the_objects)
    with pytest.raises(KeyboardInterrupt):
        build(request)

    def note(self: Staging, piece: StagedPiece) -> None:
        staged.extend(piece.keys)
        put(self, piece)

    monkeypatch.setattr(Staging, "put", note)

    build(request)

    monkeypatch.setattr(Staging, "put", put)
    undisturbed = request_build(tmp_path / "undisturbed", voc_root=own_devkit, index_objects=True)
    build(undisturbed)
    stored, expected = vectors_by_object(tmp_path / "collection"), vectors_by_object(tmp_path / "undisturbed")
    assert len(staged) == len(set(staged))
    assert stored.keys() == expected.keys()
    assert all(np.array_equal(stored[key], expected[key]) for key in stored)


def test_objects_find_objects_of_their_class_more_often_than_chance_would(tmp_path: Path) -> None:
    devkit = sample.draw_devkit(tmp_path / "VOCdevkit", images=90, seed=4)
    build(
        BuildRequest(
            collection=tmp_path / "c", voc_root=devkit, backbone="efficientnet_lite2", side=128,
            index_objects=True, quiet=True,
        )
    )  # fmt: skip

    with Collection.open(tmp_path / "c") as collection:
        report = evaluate_objects(collection, "val", "train")
        same_split = evaluate_objects(collection, "val", "val")
        with pytest.raises(DatasetError, match="expected annotated objects in split 'test'"):
            evaluate_objects(collection, "test", "train")

    assert report is not None
    assert report.overall.precision_at_1 > 3 * report.chance.precision_at_1
    assert same_split is not None
    assert same_split.queries <= report.queries


def test_without_an_index_of_objects_there_is_nothing_to_judge(collection: Collection) -> None:
    assert evaluate_objects(collection, "val", "train") is None
