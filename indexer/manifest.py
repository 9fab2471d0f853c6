"""The manifest: what a generation says of itself, and the checksums that hold it to its word."""

import hashlib
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from indexer import sealed
from indexer.annotated_boxes import UPRIGHT
from indexer.errors import CollectionError
from indexer.index_settings import IndexNote, IndexSettings

FORMAT_VERSION = 5
FILENAME, COPY = "manifest.json", "manifest-copy.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneNote:
    """Which backbone embedded the pictures, so that queries can be embedded alike."""

    name: str
    weights: str
    weights_sha256: str
    side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionNote:
    """What the reduction was learned from."""

    pictures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One generation.

    Attributes:
        generation: counts from 1.
        created: time of publication, ISO 8601, UTC.
        voc_root: absolute path or address of the devkit, where the picture files lie.
        split: what was asked of the devkit.
        embedding_key: `embedder.embedding_key`.
        fingerprint: `embedder.fingerprint`.
        embedded_with: what ran the backbone, as `Inference` tells it; several where later builds ran it otherwise.
        reduction: None where vectors are kept as they come.
        vector_dim: length of a vector.
        map_shapes: stage -> (channels, height, width); empty where maps are not kept.
        index: what was asked of its indexes of vectors.
        indexes: file -> what is told of the index in it.
        object_index: whether there is a second index, of the annotated objects.
        images: number of pictures, and of rows of the index.
        objects: number of annotated objects.
        classes: in their order.
        splits: split -> pictures; "" for those that no list names.
        skipped: number of pictures that could not be indexed.
        files: name -> {"bytes", "sha256"}.
        accounts: kind -> {"given", "used", "outside"}: how many annotations, objects and lines of lists the devkit
            gives, how many were used, and how many are not of the split; see `records.KINDS`. Empty where the
            collection was built before they were counted.
        annotated_frame: see `annotated_boxes.fit_objects`.
        made_split_seed: seed of the split into "train" and "val" that the build made by itself; None where it made
            none, as lists name the splits, or nothing is annotated.
    """

    generation: int
    created: str
    voc_root: str
    split: str
    backbone: BackboneNote
    embedding_key: str
    fingerprint: str
    embedded_with: tuple[str, ...]
    reduction: ReductionNote | None
    vector_dim: int
    map_shapes: dict[str, tuple[int, int, int]]
    index: IndexSettings
    indexes: dict[str, IndexNote]
    object_index: bool
    images: int
    objects: int
    classes: tuple[str, ...]
    splits: dict[str, int]
    skipped: int
    files: dict[str, dict[str, Any]]
    accounts: dict[str, dict[str, int]] = field(default_factory=dict)
    annotated_frame: str = UPRIGHT
    made_split_seed: int | None = None

    @property
    def made_split(self) -> dict[str, int] | None:
        """Pictures of "train" and of "val", and the "seed", of the split that the build made by itself."""
        if self.made_split_seed is None:
            return None
        return {name: self.splits.get(name, 0) for name in ("train", "val")} | {"seed": self.made_split_seed}

    def save(self, folder: Path) -> None:
        """Write it into a generation's folder, twice: without it nothing else there could be made out."""
        text = sealed.sealed(asdict(self), FORMAT_VERSION)
        for name in (FILENAME, COPY):
            (folder / name).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, name: str = FILENAME) -> "Manifest":
        """Read what `save` wrote; `COPY` instead of the manifest itself, where that is asked for.

        Raises:
            CollectionError: missing, of another format version, or changed since it was written.
        """
        try:
            content = sealed.read(folder / name, FORMAT_VERSION, "a manifest")
        except sealed.VersionError as error:
            raise CollectionError(f"{error}; build with --from-scratch") from error
        except sealed.SealError as error:
            raise CollectionError(f"{error}; {way_out(folder)}") from error
        known = {one.name for one in fields(cls)}
        needed = {one.name for one in fields(cls) if one.default is one.default_factory is MISSING}
        if not needed <= set(content) <= known:
            raise CollectionError(
                f"{folder / name} is of another version of this software; build with --from-scratch"
            )
        return cls._from_json(content)

    @classmethod
    def _from_json(cls, content: dict[str, Any]) -> "Manifest":
        reduction = content["reduction"]
        return cls(
            **content
            | {
                "backbone": BackboneNote(**content["backbone"]),
                "reduction": ReductionNote(**reduction) if reduction else None,
                "map_shapes": {stage: tuple(shape) for stage, shape in content["map_shapes"].items()},
                "index": IndexSettings(**content["index"]),
                "indexes": {name: IndexNote.from_json(note) for name, note in content["indexes"].items()},
                "classes": tuple(content["classes"]),
                "embedded_with": tuple(content["embedded_with"]),
            }
        )


def describe_file(path: Path) -> dict[str, Any]:
    """{"bytes", "sha256"} of a file."""
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def file_sha256(path: Path) -> str:
    """64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_files(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    """Hold the files of a generation against their sizes and checksums.

    Raises:
        CollectionError: one is missing, or is not what it was.
    """
    for name, expected in files.items():
        damage = damage_of(folder / name, expected)
        if damage:
            raise CollectionError(f"{folder / name} is damaged: {damage}; {way_out(folder)}")


def damage_of(path: Path, expected: dict[str, Any]) -> str | None:
    """What is wrong with a file that `describe_file` gave `expected` of; None where nothing is."""
    found = describe_file(path) if path.is_file() else None
    if found == expected:
        return None
    what = f"{found['bytes']:,} bytes of another checksum" if found else "no such file"
    return f"expected {expected['bytes']:,} bytes as they were published, found {what}"


def way_out(folder: Path) -> str:
    """What to do about a damaged generation."""
    return f"mend it: python -m indexer verify --collection {folder.parents[1]} --repair"
