"""Rows as CSV in which a spreadsheet finds what was written: text stays text, and numbers stay numbers."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), the wide forms of East Asian
# keyboards included. Apostrophes in front count too, so that the one that is added can be told from others.
_FORMULA = re.compile("'*(\\s*[-=+@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")


def format_rows(rows: Iterable[Sequence[object]]) -> bytes:
    """CSV in UTF-8: text in quotes, numbers as they are, None as empty text.

    Text that would be a formula gets an apostrophe in front. Bytes of file names that are no UTF-8 are escaped.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerows([f"'{cell}" if _is_formula(cell) else cell for cell in row] for row in rows)
    return text.getvalue().encode(errors="backslashreplace")


def _is_formula(cell: object) -> bool:
    return isinstance(cell, str) and _FORMULA.match(cell) is not None
