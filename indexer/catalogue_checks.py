"""What a generation must be like before the catalogue changes anything about it, asked in the same transaction."""

from sqlalchemy import Connection

from indexer.catalogue_rows import lock_row, noted_counts
from indexer.errors import CollectionError
from indexer.generation_schemas import counts, schema_numbers, schema_of


def refuse_published(connection: Connection, name: str, number: int, place: str) -> None:
    """Lock the collection's row, and refuse to go on where it points at this generation.

    Raises:
        CollectionError: it does.
    """
    if lock_row(connection, name) == number:
        raise CollectionError(
            f"expected a generation that is not published, found {number} of {place}, which is; publish another "
            f"first"
        )


def refuse_half(connection: Connection, name: str, number: int, place: str) -> None:
    """Refuse a generation that does not have as many records as were written.

    Raises:
        CollectionError: it has not.
    """
    noted = noted_counts(connection, name, number)
    there = number in schema_numbers(connection, name)
    found = counts(connection, schema_of(name, number)) if there else None
    if noted is None or found != noted:
        raise CollectionError(
            f"expected the records of generation {number} of {place}, {noted} images and objects, found {found}; "
            f"write them first"
        )
