"""Opening a collection: what is whole is served, what is not is refused by name."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from indexer import weights
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.errors import CollectionError
from indexer.generations import generations
from indexer.manifest import FORMAT_VERSION, Manifest
from indexer.reduction import Reduction


@pytest.fixture
def copied(collection_path: Path, tmp_path: Path) -> Path:
    """The folder of a published generation, to damage at will."""
    shutil.copytree(collection_path, tmp_path / "collection")
    return generations(tmp_path / "collection")[-1]


def test_parts_agree_row_by_row(collection: Collection, devkit: Path) -> None:
    images = collection.all_images()

    assert [image.image_id for image in images] == list(range(len(collection))) == list(range(40))
    assert [image.filename for image in images] == sorted(path.name for path in (devkit / "JPEGImages").iterdir())
    assert [len(maps) for maps in collection.maps.values()] == [40, 40]
    assert collection.manifest.splits == {"train": 27, "val": 13}
    assert collection.manifest.objects == sum(len(image.objects) for image in images)
    assert sum(collection.class_counts().values()) == collection.manifest.objects


def test_an_image_is_nearest_to_itself(collection: Collection) -> None:
    for image_id in range(40):
        hits = collection.nearest(collection.vector(image_id), 3)

        assert hits[0].image_id == image_id
        assert hits[0].score == pytest.approx(1, abs=1e-5)


def test_a_folder_without_a_collection_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="python -m indexer build --voc-root DIR --collection"):
        Collection.open(tmp_path)


@pytest.mark.parametrize("file", ["index.faiss", "metadata.sqlite", "maps-fine.npy", "reduction.npz"])
def test_one_flipped_bit_in_any_file_is_noticed(copied: Path, file: str) -> None:
    content = bytearray((copied / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / file).write_bytes(content)

    with pytest.raises(
        CollectionError,
        match=rf"{file} is damaged: .* another checksum; mend it: python -m indexer verify",
    ):
        Collection(copied)


@pytest.mark.parametrize("file", ["index.faiss", "metadata.sqlite", "maps-fine.npy", "reduction.npz"])
def test_a_missing_file_is_named(copied: Path, file: str) -> None:
    (copied / file).unlink()

    with pytest.raises(CollectionError, match=rf"{file} is damaged: .* found no such file"):
        Collection(copied)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: "", "expected a manifest"),
        (
            lambda text: text.replace(f'"format_version": {FORMAT_VERSION}', '"format_version": 99'),
            f"format version {FORMAT_VERSION} in .*, found 99",
        ),
        (lambda text: text.replace('"images": 40', '"images": 41'), "was changed after it was written"),
        (lambda _: "[1]", f"expected format version {FORMAT_VERSION}"),
    ],
    ids=["empty", "newer", "edited", "other JSON"],
)
def test_a_manifest_that_is_not_as_it_was_written_is_refused(copied: Path, change: object, expected: str) -> None:
    assert callable(change)
    manifest = copied / "manifest.json"
    manifest.write_text(change(manifest.read_text()))

    with pytest.raises(CollectionError, match=expected):
        Collection(copied)


def test_parts_of_different_collections_do_not_agree(copied: Path) -> None:
    other = Reduction(None, {}, 3)
    other.save(copied / "reduction.npz")
    manifest = Manifest.load(copied)
    size = (copied / "reduction.npz").stat().st_size
    sha256 = hashlib.sha256((copied / "reduction.npz").read_bytes()).hexdigest()
    manifest.files["reduction.npz"].update(bytes=size, sha256=sha256)
    manifest.save(copied)

    with pytest.raises(CollectionError, match="do not agree"):
        Collection(copied)


def test_the_embedder_of_a_collection_is_held_to_its_fingerprint(
    collection: Collection, resnet50_weights: Path, tmp_path: Path
) -> None:
    embedder = Embedder.for_collection(collection.manifest)
    assert embedder.key == collection.manifest.embedding_key

    state = weights.read_file(resnet50_weights)
    torch.save({name: tensor + 0.1 for name, tensor in state.items()}, tmp_path / "other.pth")
    with pytest.raises(CollectionError, match="give the former with --weights"):
        Embedder.for_collection(collection.manifest, str(tmp_path / "other.pth"))


def test_the_manifest_is_json_that_others_can_read(copied: Path) -> None:
    content = json.loads((copied / "manifest.json").read_text())

    assert content["backbone"]["name"] == "resnet50"
    assert content["map_shapes"]["deep"][1:] == [2, 2]
    assert np.load(copied / "maps-deep.npy", mmap_mode="r").shape[0] == content["images"]
