"""The tables of the schema `lookalike`, as the migrations make them: what is published of each collection."""

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, MetaData, String, Table

SCHEMA = "lookalike"

metadata = MetaData(schema=SCHEMA)

_NAME = String(collation="C")  # ordered by bytes, as file systems and SQLite do
_OF_COLLECTION = f"{SCHEMA}.collections.name"


def _collection() -> Column[str]:
    return Column(
        "collection", _NAME, ForeignKey(_OF_COLLECTION, ondelete="CASCADE"), primary_key=True, nullable=False
    )


collections = Table(
    "collections",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("generation", BigInteger),  # the published one; null before the first
    Column("version", BigInteger, nullable=False),  # counts the changes of this row and of its files
)
files = Table(
    "files",
    metadata,
    _collection(),
    Column("path", _NAME, primary_key=True),
    Column("sha256", _NAME, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
generations = Table(  # those whose records are there in full
    "generations",
    metadata,
    _collection(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("images", BigInteger, nullable=False),
    Column("objects", BigInteger, nullable=False),
)
