"""What a spreadsheet would take for a formula is text in the CSV that is written, and numbers stay numbers."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.csv_rows import format_rows

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def read_back(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


@given(st.sampled_from(FORMULAS), st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_cell_never_begins_as_a_formula_does(begin: str, rest: str) -> None:
    [[cell]] = read_back(format_rows([[begin + rest]]))

    assert cell == f"'{begin}{rest}"


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1)))
def test_different_texts_stay_different_and_others_stay_as_they_are(rows: list[list[str]]) -> None:
    read = read_back(format_rows(rows))

    for row, cells in zip(rows, read, strict=True):
        for text, cell in zip(row, cells, strict=True):
            assert cell in (text, f"'{text}")
            assert (
                cell == text or text.lstrip("'").lstrip().startswith(FORMULAS) or text.lstrip("'")[0] in "\t\r\n"
            )


@pytest.mark.parametrize("text", ["'=1+1", "''=1+1", "'"])
def test_apostrophes_of_a_text_s_own_can_be_told_from_the_added_one(text: str) -> None:
    texts = [text, f"'{text}", text.lstrip("'")]

    cells = [cell for (cell,) in read_back(format_rows([[one] for one in texts]))]

    assert len(set(cells)) == 3


def test_blanks_do_not_hide_a_formula() -> None:
    assert read_back(format_rows([[" =1+1"]])) == [["' =1+1"]]


def test_a_cell_stays_one_where_a_spreadsheet_parts_at_semicolons() -> None:
    content = format_rows([["a;=1+1", 1.5]]).decode()

    assert next(csv.reader([content], delimiter=";"))[0].startswith("a;=1+1")


def test_numbers_stay_numbers_and_nothing_is_empty() -> None:
    assert format_rows([["a", -1.5, 2, None]]) == b'"a",-1.5,2,""\n'


def test_a_file_name_that_is_no_text_is_escaped() -> None:
    assert format_rows([["caf\udce9.jpg"]]) == b'"caf\\udce9.jpg"\n'
