"""All that writes to a collection, as acts that can be killed, each with a folder to begin with."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PIL import Image

from indexer import plane, retrieval_record, sample
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from indexer.inference import Inference
from localizer import evaluation_record
from localizer.alignment import bring_in_step
from localizer.evaluate import evaluate
from localizer.evaluation_recording import make_record
from localizer.publish import train_and_publish
from localizer.settings import Settings
from tests.killing import Act, run

_PICTURES = 24  # enough for some of both splits to be of one class
_SIDE = 64  # pixels; a dozen times as fast as the backbone's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Something that writes.

    Attributes:
        name: what is done.
        start: a collection to be copied, and the copy to be worked on; None to begin with nothing.
        act: what is done.
        read: whether others read meanwhile.
        resumes: whether what was embedded before a kill is kept; training and aligning embed copies anew.
    """

    name: str
    start: Path | None
    act: Act
    read: bool = False
    resumes: bool = True


def build_into(request: BuildRequest, path: Path) -> None:
    """Build there."""
    build(replace(request, collection=path))


def train(task: str, seed: int, path: Path) -> None:
    """Train two epochs, publish, and prune older heads."""
    train_and_publish(path, task, "train", Settings(epochs=2, seed=seed), _silent)


def lay_out(path: Path) -> None:
    """As `python -m indexer map`."""
    with Collection.open(path) as collection:
        plane.store(collection)


def evaluate_all(path: Path) -> None:
    """As `python -m indexer evaluate` and `python -m localizer evaluate`."""
    with Collection.open(path) as collection:
        assert retrieval_record.keep(collection, retrieval_record.measure(collection, "val", "train"))
        assert evaluation_record.keep(collection, make_record(evaluate(collection, "val")))


def change(root: Path) -> None:
    """Add, change, rename and remove pictures of a drawn devkit, and change annotations."""
    pictures = sorted((root / "JPEGImages").iterdir())
    for number in (3, 8, 11):
        Image.open(pictures[number]).rotate(90).save(root / f"JPEGImages/added-{number}.jpg")
    for number in (4, 9):
        Image.open(pictures[number]).rotate(180).save(pictures[number])
    pictures[5].rename(root / "JPEGImages/renamed.jpg")
    shutil.copy(pictures[12], root / "JPEGImages/twin.jpg")
    pictures[6].unlink()
    pictures[13].write_bytes(pictures[13].read_bytes()[:200])
    for annotation in sorted((root / "Annotations").iterdir())[14:18]:
        annotation.write_text(annotation.read_text().replace("</name>", "ish</name>"))


def prepare(folder: Path) -> list[Phase]:
    """Draw devkits, build and train what the phases begin with, and name the phases."""
    root = sample.draw_devkit(folder / "first" / "VOCdevkit", _PICTURES, seed=5)
    changed = Path(shutil.copytree(root, folder / "then" / "VOCdevkit"))
    change(changed)
    ask = partial(
        BuildRequest, collection=folder, voc_root=root, backbone="efficientnet_lite2", side=_SIDE, quiet=True,
        inference=Inference(device="cpu", runtime="openvino", precision="fp32"),
    )  # fmt: skip
    first, again = partial(build_into, ask()), partial(build_into, ask(voc_root=changed))
    indexed = _make(folder / "indexed", None, first)
    twice = _make(folder / "twice", indexed, partial(build_into, ask(split="trainval")))
    heads = [partial(train, task, seed) for task in ("main", "detect") for seed in (0, 1)]
    trained = _make(folder / "trained", indexed, *heads, lay_out, evaluate_all)
    behind = _make(folder / "behind", trained, again)
    scratch = ask(voc_root=changed, from_scratch=True)
    return [
        Phase(name="first indexing", start=None, act=first, read=True),
        Phase(name="indexing again", start=indexed, act=again),
        Phase(name="indexing again, read meanwhile", start=indexed, act=again, read=True),
        Phase(name="indexing from scratch", start=indexed, act=partial(build_into, scratch)),
        Phase(name="indexing objects", start=indexed, act=partial(build_into, ask(index_objects=True))),
        Phase(name="publishing and pruning", start=twice, act=partial(build_into, ask(split="val")), read=True),
        Phase(
            name="training main, and pruning heads", start=trained, act=partial(train, "main", 2), resumes=False
        ),
        Phase(
            name="training detect, and pruning heads",
            start=trained,
            act=partial(train, "detect", 2),
            resumes=False,
        ),
        Phase(name="laying out a map", start=trained, act=lay_out),
        Phase(name="aligning", start=behind, act=bring_in_step, resumes=False),
    ]


def _make(path: Path, start: Path | None, *acts: Callable[[Path], object]) -> Path:
    if start is not None:
        shutil.copytree(start, path)
    for act in acts:
        run(act, path)
    return path


def _silent(*_: object) -> None:
    """Watch nothing."""
