"""The first tables: collections, their small files, and the generations whose records are there in full."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SCHEMA = "lookalike"
_TEXT = sa.String(collation="C")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "collections",
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("generation", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False),
        schema=_SCHEMA,
    )
    op.create_table(
        "files",
        _collection(),
        sa.Column("path", _TEXT, primary_key=True),
        sa.Column("sha256", _TEXT, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        schema=_SCHEMA,
    )
    op.create_table(
        "generations",
        _collection(),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("images", sa.BigInteger, nullable=False),
        sa.Column("objects", sa.BigInteger, nullable=False),
        schema=_SCHEMA,
    )


def downgrade() -> None:
    """Take them away again."""
    for table in ("generations", "files", "collections"):
        op.drop_table(table, schema=_SCHEMA)


def _collection() -> sa.Column[str]:
    parent = sa.ForeignKey(f"{_SCHEMA}.collections.name", ondelete="CASCADE")
    return sa.Column("collection", _TEXT, parent, primary_key=True)
