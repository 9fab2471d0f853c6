"""A collection against a model of it: dictionaries of files, and cosines by numpy, whatever is done to the devkit.

A fixed choice of histories; others by `pytest tests/test_model.py --hypothesis-seed=N`.
"""

import io
import shutil
import tempfile
import uuid
from functools import cache, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from PIL import Image

from indexer import backbones, images, voc
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.filters import Filters
from indexer.inference import Inference
from indexer.records import AnnotatedImage, Box, ObjectLabel
from indexer.reduction import Floats, Reduction
from tests.kill_servers import build_audibly
from tests.killing import Death, run
from tests.milvus import needs_milvus
from tests.servers import Servers
from tests.wholeness import assert_tidy

SIDE, WIDTH, HEIGHT = 64, 48, 40
NAMES = tuple(f"{letter}.jpg" for letter in "abcdefgh")
CLASSES = ("cat", "dog", "cow")
INFERENCE = Inference(device="cpu", runtime="openvino", precision="fp32")

names, contents = st.sampled_from(NAMES), st.integers(0, 11)
annotations = st.lists(st.sampled_from(CLASSES), max_size=3).map(tuple)


@cache
def drawn(content: int) -> bytes:
    """A picture file, always the same."""
    coarse = np.random.default_rng(content).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@cache
def embedder() -> Embedder:
    """One for all that is asked."""
    return Embedder(backbones.load("efficientnet_lite2", None, SIDE), INFERENCE)


@cache
def embedded(content: int) -> Floats:
    """The vector of a drawn picture, embedded alone."""
    pixels = embedder().pixels(images.decode(drawn(content), SIDE))
    vector: Floats = embedder().embed([pixels], Reduction(), keep_maps=False).vectors[0]
    return vector


def labels(classes: tuple[str, ...]) -> tuple[ObjectLabel, ...]:
    """Objects of these classes, each in a box of its own."""
    return tuple(ObjectLabel(name, Box(place, 1, 30 + place, 30)) for place, name in enumerate(classes))


class CollectionModel(RuleBasedStateMachine):
    """What lies in the devkit, and what was there when it was last indexed; None stands for what is damaged."""

    servers: ClassVar[Servers | None] = None
    """Where vectors and records lie; None for the collection's folder."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        # By its name servers tell it from the collection of another history.
        self.path, self.root = self.folder / f"m{uuid.uuid4().hex[:12]}", self.folder / "devkit"
        (self.root / "JPEGImages").mkdir(parents=True)
        (self.root / "Annotations").mkdir()
        self.pictures: dict[str, int | None] = {}
        self.objects: dict[str, tuple[str, ...] | None] = {}
        self.indexed: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.noticed: list[str] = []
        self.indexes_objects = False

    @initialize()
    def begin(self) -> None:
        for content, name in enumerate(NAMES[:3]):
            self.put(name, content, CLASSES[: content + 1])
        self.index(objects=False)

    @rule(name=names, content=contents, classes=annotations)
    def put(self, name: str, content: int, classes: tuple[str, ...]) -> None:
        """Add a picture, or change one that is there."""
        voc.picture_path(self.root, name).write_bytes(drawn(content))
        self.pictures[name] = content
        self.annotate(name, classes)

    @rule(name=names, classes=annotations)
    def annotate(self, name: str, classes: tuple[str, ...]) -> None:
        if name in self.pictures:
            image = AnnotatedImage(filename=name, split=None, objects=labels(classes))
            voc.write_annotation(self.root, image, WIDTH, HEIGHT)
            self.objects[name] = classes

    @rule(name=names, to=names)
    def rename(self, name: str, to: str) -> None:
        if name in self.pictures and to not in self.pictures:
            self.copy(name, to)
            self.delete(name)

    @rule(name=names, to=names)
    def copy(self, name: str, to: str) -> None:
        if name in self.pictures and to not in self.pictures:
            for kind, ending in (("JPEGImages", ".jpg"), ("Annotations", ".xml")):
                file = self.root / kind / name
                shutil.copy(file.with_suffix(ending), file.with_name(to).with_suffix(ending))
            self.pictures[to], self.objects[to] = self.pictures[name], self.objects[name]

    @rule(name=names)
    def delete(self, name: str) -> None:
        if name in self.pictures and len(self.usable().keys() - {name}) > 0:
            voc.picture_path(self.root, name).unlink()
            (self.root / "Annotations" / name).with_suffix(".xml").unlink()
            del self.pictures[name], self.objects[name]

    @rule(name=names, content=contents, kept=st.sampled_from([0, 3, 100]))
    def damage_picture(self, name: str, content: int, kept: int) -> None:
        if name in self.pictures and len(self.usable().keys() - {name}) > 0:
            voc.picture_path(self.root, name).write_bytes(drawn(content)[:kept])
            self.pictures[name] = None

    @rule(name=names, kept=st.sampled_from([0, 20, 60]))
    def damage_annotation(self, name: str, kept: int) -> None:
        if name in self.pictures and len(self.usable().keys() - {name}) > 0:
            path = (self.root / "Annotations" / name).with_suffix(".xml")
            path.write_bytes(path.read_bytes()[:kept])
            self.objects[name] = None

    @rule(objects=st.booleans())
    def index(self, *, objects: bool) -> None:
        build(self.request(objects=objects))
        self.note(objects=objects)

    @rule(objects=st.booleans(), event=st.integers(1, 60))
    def kill_and_index(self, *, objects: bool, event: int) -> None:
        request = self.request(objects=objects)
        run(partial(build_audibly, request), self.path, Death(event=event))
        with Collection.open(self.path) as collection:
            found = [image.filename for image in collection.all_images()]
        assert found in (sorted(self.indexed), sorted(self.usable()))
        build(request)
        self.note(objects=objects)
        assert_tidy(self.path)

    @rule(content=contents)
    def search_by_picture(self, content: int) -> None:
        self.search(embedded(content), [], Filters())

    @rule(number=st.integers(0, 7), classes=st.sets(st.sampled_from(CLASSES), max_size=2))
    def search_by_id(self, number: int, classes: set[str]) -> None:
        row = number % len(self.indexed)
        self.search(self.vectors()[row], [row], Filters(class_any=tuple(sorted(classes))))

    @invariant()
    def what_is_published_is_what_was_indexed(self) -> None:
        if not self.indexed:
            return
        with Collection.open(self.path) as collection:  # as after a restart; opening it compares the counts
            found = {image.filename: image.objects for image in collection.all_images()}
            assert found == {name: labels(classes) for name, (_, classes) in self.indexed.items()}
            assert list(found) == sorted(found)
            # No list names a picture, so the build splits what is annotated.
            assert all(image.split in ("train", "val") for image in collection.all_images() if image.objects)
            assert [one.name for one in collection.notices()] == self.noticed
            np.testing.assert_allclose(collection.vectors(), self.vectors(), atol=1e-4)
            count = sum(len(classes) for _, classes in self.indexed.values())
            assert (collection.objects is not None) == self.indexes_objects
            assert collection.objects is None or len(collection.objects) == count

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def usable(self) -> dict[str, tuple[int, tuple[str, ...]]]:
        """What can be indexed of the devkit; a picture whose annotation is damaged has no objects."""
        contents = {name: self.pictures[name] for name in sorted(self.pictures)}
        return {
            name: (content, self.objects[name] or ()) for name, content in contents.items() if content is not None
        }

    def request(self, *, objects: bool) -> BuildRequest:
        """Vectors come without reduction: the model learns none."""
        servers = self.servers or Servers("faiss", "sqlite")
        return BuildRequest(
            collection=self.path, voc_root=self.root, backbone="efficientnet_lite2", side=SIDE, reduce=False,
            inference=INFERENCE, index_objects=objects, quiet=True, allow_removals=True,
            vectors=servers.vectors, metadata=servers.metadata,
        )  # fmt: skip

    def note(self, *, objects: bool) -> None:
        """Everything is indexed now."""
        self.indexed = self.usable()
        broken = [
            f"Annotations/{Path(name).stem}.xml" for name, classes in self.objects.items() if classes is None
        ]
        self.noticed = [*sorted(broken), *sorted(self.pictures.keys() - self.indexed.keys())]
        self.indexes_objects = objects

    def vectors(self) -> Floats:
        """(N, d), row = image id."""
        return np.stack([embedded(content) for content, _ in self.indexed.values()])

    def search(self, vector: Floats, exclude: list[int], filters: Filters) -> None:
        """Compare the nearest with those of the model; of equal scores any may come first."""
        wanted = [
            row
            for row, (_, classes) in enumerate(self.indexed.values())
            if row not in exclude and (not filters.class_any or set(filters.class_any) & set(classes))
        ]
        scores = self.vectors() @ vector
        with Collection.open(self.path) as collection:
            among = collection.subset_of_images(filters)
            hits = collection.nearest(vector, 5, exclude, among)
        assert len({hit.image_id for hit in hits}) == len(hits) == min(5, len(wanted))
        assert {hit.image_id for hit in hits} <= set(wanted)
        best = sorted(scores[wanted], reverse=True)[: len(hits)]
        assert [hit.score for hit in hits] == pytest.approx(best, abs=1e-4)
        assert [scores[hit.image_id] for hit in hits] == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("where", ["in its folder", pytest.param("on servers", marks=needs_milvus)])
def test_a_collection_is_what_its_model_says(where: str, request: pytest.FixtureRequest) -> None:
    class Model(CollectionModel):
        servers = None if where == "in its folder" else request.getfixturevalue("servers")

    seeded = request.config.getoption("--hypothesis-seed") is not None
    few = settings(
        max_examples=6 if Model.servers is None else 3, stateful_step_count=12,
        deadline=None, print_blob=True, derandomize=not seeded,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    run_state_machine_as_test(Model, settings=few)
