"""The manifest: what a generation says of itself, and the checksums that hold it to its word."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from indexer.errors import CollectionError
from indexer.index_settings import IndexNote, IndexSettings

FORMAT_VERSION = 4
FILENAME = "manifest.json"


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
        voc_root: absolute path of the devkit, where the picture files lie.
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

    def save(self, folder: Path) -> None:
        """Write it into a generation's folder."""
        content = asdict(self)
        envelope = {"format_version": FORMAT_VERSION, "sha256": content_sha256(content), **content}
        (folder / FILENAME).write_text(json.dumps(envelope, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """Read what `save` wrote.

        Raises:
            CollectionError: missing, of another format version, or changed since it was written.
        """
        path = folder / FILENAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise CollectionError(
                f"expected a manifest in {path}, found none that can be read ({error}); build with --from-scratch"
            ) from error
        version = content.pop("format_version", None) if isinstance(content, dict) else None
        if version != FORMAT_VERSION:
            raise CollectionError(
                f"expected format version {FORMAT_VERSION} in {path}, found {version}; build with --from-scratch"
            )
        if content.pop("sha256", None) != content_sha256(content) or set(content) != {
            field.name for field in fields(cls)
        }:
            raise CollectionError(f"{path} was changed after it was written; build with --from-scratch")
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
        path = folder / name
        found = describe_file(path) if path.is_file() else None
        if found != expected:
            what = f"{found['bytes']:,} bytes of another checksum" if found else "no such file"
            raise CollectionError(
                f"{path} is damaged: expected {expected['bytes']:,} bytes as they were published, found {what}; "
                "build with --from-scratch"
            )


def content_sha256(content: dict[str, Any]) -> str:
    """64 hexadecimal digits, of what can be JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
