"""What the catalogue's tables say of one collection, read and written inside the caller's transaction."""

import hashlib
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from indexer.catalogue_tables import collections, files, generations


def lock_row(connection: Connection, name: str) -> int | None:
    """The published generation; until the transaction ends, nobody else changes anything of this collection."""
    connection.execute(insert(collections).values(name=name, version=0).on_conflict_do_nothing())
    asked = select(collections.c.generation).where(collections.c.name == name).with_for_update()
    published: int | None = connection.execute(asked).scalar_one()
    return published


def count_on(connection: Connection, name: str, **values: int) -> None:
    """Change the row of a collection, and tell so by its version."""
    changed = update(collections).where(collections.c.name == name)
    connection.execute(changed.values(version=collections.c.version + 1, **values))


def listed_files(connection: Connection, name: str, prefix: str) -> dict[str, str]:
    """Path -> sha256 of the files whose paths begin like this, in order."""
    asked = select(files.c.path, files.c.sha256).where(
        files.c.collection == name, files.c.path.startswith(prefix, autoescape=True)
    )
    return {path: sha256 for path, sha256 in connection.execute(asked.order_by(files.c.path))}  # noqa: C416 - rows


def store_files(connection: Connection, name: str, contents: Mapping[str, bytes]) -> bool:
    """Store files, in place of those of the same paths; whether any of them is new or another than before."""
    held = listed_files(connection, name, "")
    sums = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    changed = [path for path in sorted(sums) if held.get(path) != sums[path]]
    for path in changed:
        values = {"sha256": sums[path], "content": contents[path]}
        row = insert(files).values(collection=name, path=path, **values)
        connection.execute(row.on_conflict_do_update(index_elements=["collection", "path"], set_=values))
    return bool(changed)


def delete_files(connection: Connection, name: str, paths: Collection[str]) -> bool:
    """Delete files; whether there were any."""
    for path in sorted(paths):
        connection.execute(delete(files).where(files.c.collection == name, files.c.path == path))
    return bool(paths)


def note_counts(connection: Connection, name: str, number: int, images: int, objects: int) -> None:
    """Note how many records a generation has."""
    forget_counts(connection, name, number)
    row = {"collection": name, "number": number, "images": images, "objects": objects}
    connection.execute(insert(generations).values(row))


def noted_counts(connection: Connection, name: str, number: int) -> tuple[int, int] | None:
    """How many images and objects a generation has; None where its records are not there in full."""
    asked = select(generations.c.images, generations.c.objects).where(
        generations.c.collection == name, generations.c.number == number
    )
    found = connection.execute(asked).one_or_none()
    return None if found is None else (found[0], found[1])


def forget_counts(connection: Connection, name: str, number: int) -> None:
    """Forget a generation."""
    connection.execute(delete(generations).where(generations.c.collection == name, generations.c.number == number))
