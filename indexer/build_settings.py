"""What a build is asked for, and what it says it did."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from indexer import places, voc
from indexer.accounting import account_text, notice_lines
from indexer.annotated_boxes import UPRIGHT
from indexer.engine_settings import Engine
from indexer.errors import DatasetError
from indexer.index_settings import DEFAULT_SETTINGS, IndexSettings
from indexer.inference import Inference
from indexer.manifest import Manifest
from indexer.records import PICTURE, Notice
from indexer.store_addresses import Addresses, settle_addresses

AUTO = "auto"
DEFAULT_BACKBONE = "resnet50"
_NAMED = 20  # notices of a kind in a summary


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """A build with everything settled.

    Attributes:
        collection: its folder.
        voc_root: the devkit.
        split: see `voc.read_split`.
        backbone: a key of `backbones.ARCHITECTURES`, or "auto".
        weights: see `backbones.load`.
        side: see `backbones.load`.
        reduce: whether vectors and maps go through a reduction.
        keep_maps: whether maps are stored.
        index_objects: whether the crops of annotated objects make a second index.
        annotated_frame: what boxes are of, where an annotation does not tell; see `annotated_boxes.fit_objects`.
        inference: how the backbone is run.
        index: what is asked of the indexes of vectors.
        strict: whether it is an error where the devkit gives what cannot be used.
        allow_removals: whether more than half of the pictures of a collection may go.
        quiet: whether no progress is shown, even on a terminal.
    """

    collection: Path
    voc_root: Path
    split: str
    backbone: str
    weights: str | None
    side: int | None
    reduce: bool
    keep_maps: bool
    index_objects: bool
    annotated_frame: str
    inference: Inference
    index: IndexSettings
    strict: bool
    allow_removals: bool
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What a user says of a build; None stands for what the collection has, or the default for a new one.

    Attributes:
        index_kind, recall, storage, lists, links, candidates: see `IndexSettings`.
        from_scratch: whether to look away from what is published, and embed everything anew.
        vectors, metadata, consistency: see `Addresses`; "faiss" and "sqlite" are the collection's folder.
        store_timeout: the `timeout` of `Addresses`.
        engine: where pictures are embedded; no setting of the collection, which comes out the same.
    """

    collection: Path
    voc_root: Path | None = None
    split: str | None = None
    backbone: str | None = None
    weights: str | None = None
    side: int | None = None
    reduce: bool | None = None
    keep_maps: bool | None = None
    index_objects: bool | None = None
    annotated_frame: str | None = None
    inference: Inference = field(default_factory=Inference)
    index_kind: str | None = None
    recall: float | None = None
    storage: str | None = None
    lists: int | None = None
    links: int | None = None
    candidates: int | None = None
    strict: bool = False
    allow_removals: bool = False
    quiet: bool = False
    from_scratch: bool = False
    vectors: str | None = None
    metadata: str | None = None
    consistency: str | None = None
    store_timeout: float | None = None
    engine: Engine = field(default_factory=Engine)

    def settle(self, published: Manifest | None) -> BuildSettings:
        """Fill what is open from the published generation, or with the defaults of a new collection.

        Raises:
            DatasetError: no devkit is named, and there is no collection to know it from.
        """
        earlier = _settings_of(published) if published else _default_settings()
        if self.backbone not in (None, earlier["backbone"]):
            earlier |= {"weights": None, "side": None}
        given = self._given(field.name for field in fields(BuildSettings))
        wishes = self._given(field.name for field in fields(IndexSettings))
        wishes |= {"kind": self.index_kind} if self.index_kind else {}
        given["index"] = replace(earlier["index"], **wishes)
        if "voc_root" not in earlier | given:
            raise DatasetError(
                "expected a devkit to build a new collection from, found none named; give --voc-root"
            )
        return BuildSettings(**(earlier | given))

    def devkit(self, last: Manifest | None) -> str | None:
        """Where the devkit lies that is named, or else that of the last build; None where neither is told."""
        if self.voc_root is not None:
            return places.absolute(voc.find_root(self.voc_root))
        return last.voc_root if last else None

    def addresses(self, known: Addresses | None) -> Addresses | None:
        """Where vectors and records go; None for the collection's folder.

        Args:
            known: where they lie now.

        Raises:
            CollectionError: as `settle_addresses`.
        """
        rest = {"consistency": self.consistency, "timeout": self.store_timeout}
        return settle_addresses(known, self.vectors, self.metadata, **rest)

    def _given(self, names: Iterable[str]) -> dict[str, Any]:
        asked = {name: getattr(self, name, None) for name in names}
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSummary:
    """What a build did, in numbers of pictures.

    Attributes:
        embedded: new ones, or changed since the last build.
        resumed: of these, how many an interrupted build had embedded already.
        reused: unchanged ones, whose embedding was kept.
        renamed: unchanged ones under another name.
        removed: gone ones.
        notices: what the devkit gives that was not used, or not as it stands.
        accounts: see `Manifest`.
        images: in the collection now.
        generation: that is published now.
        published: whether this build published it; not so where nothing had changed.
        seconds: that it took.
        images_per_second: embedded by this very run, per second of it.
        made_split: see `Manifest.made_split`.
    """

    embedded: int
    resumed: int
    reused: int
    renamed: int
    removed: int
    notices: tuple[Notice, ...]
    accounts: Mapping[str, Mapping[str, int]]
    images: int
    generation: int
    published: bool
    seconds: float
    images_per_second: float
    made_split: dict[str, int] | None

    def text(self) -> str:
        """In lines."""
        skipped = len(self.skipped)
        lines = notice_lines(self.notices, _NAMED)
        resumed = f" ({self.resumed} of them by an interrupted build)" if self.resumed else ""
        lines.append(
            f"{self.embedded} embedded{resumed}, {self.reused} reused, {self.renamed} renamed, "
            f"{self.removed} removed, {skipped} skipped"
        )
        used = account_text(self.accounts)
        lines += [f"used: {used}"] if used else []
        if self.made_split:
            train, val, seed = self.made_split.values()
            lines.append(f"no list names a picture: split {train} train, {val} val by itself (seed {seed})")
        state = "published" if self.published else "unchanged"
        lines.append(f"generation {self.generation} {state}: {self.images} images in {self.seconds:.1f} s")
        return "\n".join(lines)

    @property
    def skipped(self) -> tuple[Notice, ...]:
        """The notices of pictures that cannot be indexed."""
        return tuple(notice for notice in self.notices if notice.kind == PICTURE and not notice.used)

    def to_json(self) -> dict[str, Any]:
        """Every number, every notice; `skipped` names the pictures once more."""
        skipped = [{"file": notice.name, "reason": notice.reason} for notice in self.skipped]
        return {**asdict(self), "skipped": skipped}


def _default_settings() -> dict[str, Any]:
    choices = {
        "split": voc.ALL,
        "backbone": DEFAULT_BACKBONE,
        "reduce": True,
        "keep_maps": True,
        "index_objects": False,
        "annotated_frame": UPRIGHT,
        "index": DEFAULT_SETTINGS,
    }
    return {"weights": None, "side": None, **choices}


def _settings_of(published: Manifest) -> dict[str, Any]:
    return {
        "voc_root": places.place(published.voc_root),
        "split": published.split,
        "backbone": published.backbone.name,
        "weights": published.backbone.weights,
        "side": published.backbone.side,
        "reduce": published.reduction is not None,
        "keep_maps": bool(published.map_shapes),
        "index_objects": published.object_index,
        "annotated_frame": published.annotated_frame,
        "index": published.index,
    }
