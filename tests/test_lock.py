"""The lock holds all that the project asks for, each file by its hash; an audit that cannot ask says so."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOME = Path(__file__).parents[1]
LOCK = (HOME / "requirements.lock").read_text()
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text())
ASKED = [
    *PROJECT["build-system"]["requires"],
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["dev"],
]
# One entry: `name==version ; marker \`, its hashes on lines of their own, then comments that say who asked for it.
ENTRIES = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]
LOCKED = [Requirement(entry.partition("\\\n")[0]) for entry in ENTRIES]


@pytest.mark.parametrize("asked", ASKED)
def test_whatever_the_project_asks_for_is_locked_at_a_version_that_fits(asked: str) -> None:
    wanted = Requirement(asked)

    versions = [
        str(locked.specifier).removeprefix("==")
        for locked in LOCKED
        if canonicalize_name(locked.name) == canonicalize_name(wanted.name)
    ]

    assert versions, f"{wanted.name} is not locked; run ./scripts/lock"
    assert all(wanted.specifier.contains(version) for version in versions), f"{versions}; run ./scripts/lock"


def test_every_entry_is_one_version_with_the_hashes_of_its_files() -> None:
    assert len(ENTRIES) > len(ASKED)
    for entry, locked in zip(ENTRIES, LOCKED, strict=True):
        assert re.fullmatch(r"==[\w.+]+", str(locked.specifier)), entry
        assert re.findall(r"--hash=(\S+)", entry), entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in re.findall(r"--hash=(\S+)", entry)), entry


def test_the_lock_names_no_index_no_host_and_no_place_on_a_disk() -> None:
    assert not re.findall(r"://|^-| @ |(?<![.\w])/\w+", LOCK, re.MULTILINE)


def test_an_audit_that_reaches_no_database_says_so_in_one_line_and_not_that_all_is_well() -> None:
    nowhere = {**os.environ, "OSV_URL": "http://127.0.0.1:9/v1/query", "no_proxy": "127.0.0.1"}

    audit = subprocess.run([HOME / "scripts/audit"], env=nowhere, capture_output=True, text=True, check=False)

    assert audit.returncode == 69
    assert audit.stdout == ""
    assert re.fullmatch(
        r"error: expected an answer from http://127\.0\.0\.1:9/v1/query, found none \(.*\); run this .*\n",
        audit.stderr,
    )
