"""What a collection's folder holds, and whether it is whole: generation, heads, and all that came of them."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from indexer import plane, retrieval_record
from indexer.collection import Collection
from indexer.generations import generations
from indexer.inspection import describe
from indexer.layout import BUILDING, DERIVED, GENERATIONS, HEADS
from indexer.manifest import COPY, FILENAME
from indexer.semantic_index import SemanticIndex
from indexer.verify import verify
from localizer import checkpoint, evaluation_record
from localizer.errors import NoHeadError
from search_service.engine import SearchEngine
from search_service.records import IndexedPicture, Query
from search_service.settings import Settings

GENERATION = "generation"
Contents = dict[str, str]
"""Part -> digest of what is in it: equal where it is the same to the bit, times and measured speed aside."""


def assert_whole(path: Path) -> Contents:
    """Open all that is published in a collection's folder, as `inspect` and service do; what is there.

    Opening holds checksums, and the counts of index, database and maps, against the manifest.
    """
    if not generations(path):
        return {}
    with Collection.open(path) as collection:
        contents = {GENERATION: digest_of_generation(collection)}
        contents |= _heads(collection) | _worked_out(collection)
        count = len(collection)
    assert describe(path)["images"] == count
    assert verify(path).findings == ()
    engine = SearchEngine.open(Settings(collection=path))
    try:
        answer = engine.answer(Query((IndexedPicture(0),)))
    finally:
        engine.close()
    assert answer.searched == count - 1
    assert len(answer.matches) == min(10, count - 1)
    return contents


def assert_tidy(path: Path) -> None:
    """Hold that nothing lies in a collection's folder but what is published there, and locks."""
    folders = generations(path)
    beside = {BUILDING, DERIVED, GENERATIONS, HEADS, "build.lock", "stores.json"}
    assert _names(path.iterdir()) <= beside
    assert not list((path / BUILDING).iterdir())
    assert len(folders) <= 2
    assert _names((path / GENERATIONS).iterdir()) == _names(folders)
    for folder in folders:
        assert _names(folder.iterdir()) == {FILENAME, COPY, *json.loads((folder / FILENAME).read_text())["files"]}
    for derived in path.glob("derived/*/*"):
        assert derived.suffix in (".npz", ".json"), f"{derived} is half written"
    for task in path.glob("heads/*"):
        assert len(list(task.iterdir())) <= 2
        assert all(_names(head.iterdir()) == {"head.json", "head.safetensors"} for head in task.iterdir())


def digest_of_generation(collection: Collection) -> str:
    """Of its records, vectors and maps."""
    told = asdict(collection.manifest)
    for changing in ("generation", "created", "indexes", "files"):
        told.pop(changing)
    told |= {"images": [repr(one) for one in collection.all_images()], "skipped": map(repr, collection.notices())}
    told["skipped"] = list(told["skipped"])
    arrays = [collection.vectors(), *collection.maps.values()]
    arrays += [collection.objects.vectors()] if collection.objects else []
    return _digest(json.dumps(told).encode(), *(np.ascontiguousarray(one).tobytes() for one in arrays))


def read_generation(path: Path) -> str | None:
    """What a reader finds published; None before anything is."""
    if not generations(path):
        return None
    with Collection.open(path) as collection:
        best = collection.nearest(collection.vector(0), 1)
        assert best[0].image_id == 0
        return digest_of_generation(collection)


def _heads(collection: Collection) -> Contents:
    found = {}
    for task in (checkpoint.MAIN, checkpoint.DETECT):
        try:
            head = checkpoint.load(collection.path, task, collection.manifest.fingerprint)
        except NoHeadError:
            continue
        found[f"head {task}"] = head.digest
    return found


def _worked_out(collection: Collection) -> Contents:
    found = {}
    if (semantic := SemanticIndex.load(collection)) is not None:
        found["semantic index"] = _digest(semantic.vectors.tobytes(), semantic.source.encode())
    if (places := plane.load(collection)) is not None:
        found["map"] = _digest(places.tobytes())
    for name, record in (
        ("search", retrieval_record.load(collection)),
        ("heads", evaluation_record.load(collection)),
    ):
        if record is not None:
            found[f"evaluation of {name}"] = _digest(json.dumps(asdict(record) | {"created": ""}).encode())
    return found


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _names(paths: Iterable[Path]) -> set[str]:
    return {path.name for path in paths}
