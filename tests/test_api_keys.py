"""Files of keys: what is read from them, and what is refused without a word of it being repeated."""

import hashlib
import pickle
from pathlib import Path

import pytest

from search_service.api_keys import read_keys
from search_service.errors import KeyFileError
from tests.keys import ADMINISTRATOR, READER, WRONG, key_file

SECRET = "a-key-that-no-message-repeats"  # noqa: S105 - of no service


def test_a_key_is_found_with_its_role_and_another_is_not(tmp_path: Path) -> None:
    keys = read_keys(key_file(tmp_path))

    assert [key.role for key in map(keys.find, (READER, ADMINISTRATOR)) if key] == ["read", "admin"]
    assert [keys.find(other) for other in (WRONG, "", READER[:-1], READER + "x", READER.upper(), "ä" * 16)] == [
        None
    ] * 6


def test_comments_and_empty_lines_are_no_keys(tmp_path: Path) -> None:
    keys = read_keys(key_file(tmp_path, f"# of the office\n\n  \n\tread\t{READER}  \n  # admin {ADMINISTRATOR}\n"))

    assert len(keys.keys) == 1
    assert keys.find(ADMINISTRATOR) is None


def test_a_key_is_held_as_its_digest_which_nothing_prints(tmp_path: Path) -> None:
    keys = read_keys(key_file(tmp_path))

    held = pickle.dumps(keys)
    assert hashlib.sha256(READER.encode()).digest() in held
    assert READER.encode() not in held
    assert hashlib.sha256(READER.encode()).hexdigest() not in repr(keys)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"read {READER}\n{SECRET}\n", "expected read KEY or admin KEY in line 2 of"),
        (f"read {SECRET} {SECRET}\n", "expected read KEY or admin KEY in line 1 of"),
        (f"{SECRET} read\n", "expected read or admin as the first word of line 1 of"),
        (f"Read {SECRET}\n", "expected read or admin as the first word of line 1 of"),
        (f"\n\nread {SECRET[:15]}\n", "expected a key of at least 16 plain characters in line 3 of"),
        (f"read {SECRET}ä\n", "expected a key of at least 16 plain characters in line 1 of"),
        (f"read {SECRET}\n# again\nadmin {SECRET}\n", "found that of line 1 again in line 3 of"),
        ("# none yet\n", "expected a line such as read KEY in"),
    ],
)
def test_what_is_no_key_is_refused_with_its_line_and_never_repeated(
    tmp_path: Path, content: str, said: str
) -> None:
    path = key_file(tmp_path, content)

    with pytest.raises(KeyFileError) as refusal:
        read_keys(path)

    assert said in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert SECRET[:15] not in str(refusal.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_file_that_others_may_read_or_write_is_refused_with_what_to_run(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, mode=mode)

    with pytest.raises(KeyFileError, match=f"found mode {mode:03o}; run: chmod 600 {path}"):
        read_keys(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    path.write_bytes(b"read \xff\xfe" + SECRET.encode())

    with pytest.raises(KeyFileError, match="plain characters in line 1"):
        read_keys(path)
