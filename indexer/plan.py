"""What a build has to do: the devkit as it is now against what the collection holds; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from indexer.records import IndexedImage, ListedImage


@dataclass(frozen=True, slots=True)
class Plan:
    """Which pictures keep their embedding and which need one.

    Attributes:
        listed: every picture of the devkit with its file's sha256, in the order of rows to be.
        kept: sha256 -> what the collection holds of it already.
        wanted: sha256 -> name of a file with that content, for those to be embedded; by sha256.
        renamed: filenames whose content the collection holds under another name that is gone.
        removed: filenames that the collection holds and the devkit has no more, renamed ones aside.
    """

    listed: tuple[tuple[ListedImage, str], ...]
    kept: Mapping[str, IndexedImage]
    wanted: Mapping[str, str]
    renamed: frozenset[str]
    removed: frozenset[str]


def make_plan(
    listed: Sequence[tuple[ListedImage, str]], held: Sequence[IndexedImage], *, comparable: bool
) -> Plan:
    """Compare.

    Args:
        listed: the devkit's pictures with the sha256 of their files.
        held: the collection's images.
        comparable: whether new embeddings would compare with the held ones; if not, none is kept.
    """
    names = {image.filename for image, _ in listed}
    kept = {image.sha256: image for image in held} if comparable else {}
    held_names = {image.filename for image in held}
    gone = {image.sha256: image.filename for image in held if image.filename not in names} if comparable else {}
    renamed = {
        image.filename: gone[sha] for image, sha in listed if sha in gone and image.filename not in held_names
    }
    wanted = {sha: image.filename for image, sha in listed if sha not in kept}
    return Plan(
        listed=tuple(listed),
        kept=kept,
        wanted=dict(sorted(wanted.items())),
        renamed=frozenset(renamed),
        removed=frozenset(held_names - names - set(renamed.values())),
    )
