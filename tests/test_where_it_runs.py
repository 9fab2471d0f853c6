"""Homes, users, file systems, links and locales as they are found on servers: it works, or ends in one line."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from indexer import sample
from indexer.__main__ import main
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.collection import Collection
from search_service.engine import SearchEngine
from search_service.settings import Settings
from tests.conftest import client_of

HOME = Path(__file__).parents[1]
NOT_UTF8 = os.fsdecode(b"caf\xe9")  # in Latin-1

Request = Callable[..., BuildRequest]

_UNKNOWN_USER = [
    "setpriv", "--reuid=12345", "--regid=12345", "--clear-groups",
    # He may read this checkout and its Python, wherever root keeps them.
    "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
]  # fmt: skip


def run(
    *arguments: object, before: list[str] | None = None, cwd: Path = HOME, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """A command with this environment alone."""
    return subprocess.run(
        [*(before or []), sys.executable, "-m", *map(str, arguments)], cwd=cwd, check=False, capture_output=True,
        encoding="utf-8", errors="surrogateescape",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **environment},
    )  # fmt: skip


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may write in, below others that all may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def build_command(devkit: Path, collection: Path) -> list[object]:
    small = ["--backbone", "efficientnet_lite2", "--side", 64]
    return ["indexer", "build", "--voc-root", devkit, "--collection", collection, *small]


@pytest.mark.parametrize(
    "home", [{}, {"HOME": "/proc/nowhere"}, {"HOME": ""}], ids=["unset", "not there", "empty"]
)
def test_without_a_home_folder_a_collection_is_built_and_asked(open_folder: Path, home: dict[str, str]) -> None:
    unknown = _UNKNOWN_USER if os.geteuid() == 0 and shutil.which("setpriv") else []
    devkit = sample.draw_devkit(open_folder / "VOCdevkit", images=12, seed=3)
    work, collection, picture = open_folder / "work", open_folder / "c", devkit / "JPEGImages" / "000001.jpg"
    work.mkdir()
    work.chmod(0o777)

    built = run(*build_command(devkit, collection), before=unknown, cwd=work, environment=home)
    query = ["search_service", "query", picture, "--collection", collection]
    asked = run(*query, before=unknown, cwd=work, environment=home)

    assert built.returncode == 0, built.stderr
    assert asked.returncode == 0, asked.stderr
    assert "000001.jpg" in asked.stdout
    assert "Traceback" not in built.stderr + asked.stderr
    assert list(work.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can be somebody else")
def test_weights_that_have_no_home_are_told_with_the_way_out(own_devkit: Path, open_folder: Path) -> None:
    command = ["indexer", "build", "--voc-root", own_devkit, "--collection", open_folder / "c"]

    built = run(*command, before=_UNKNOWN_USER, cwd=open_folder, environment={})

    assert built.returncode == 1
    assert "expected a home folder to keep the weights" in built.stderr
    assert "set TORCH_HOME" in built.stderr
    assert not (open_folder / "~").exists()


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A system whose file systems have no locks, and say so by an error."""

    def flock(_: int, __: int) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)


without_locks = pytest.mark.parametrize(
    "no_locks", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP], indirect=True, ids=errno.errorcode.get
)


@without_locks
@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_collection_is_served(trained_path: Path) -> None:
    client = client_of(SearchEngine.open(Settings(collection=trained_path)))

    assert client.get("/").status_code == 200
    assert len(json.loads(client.get("/api/v1/images/3/similar?k=4").text)["results"]) == 4


@without_locks
@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_build_names_the_folder_and_the_way_out(
    collection_path: Path, devkit: Path, tmp_path: Path
) -> None:
    new = CliRunner().invoke(main, [str(one) for one in build_command(devkit, tmp_path / "c")[1:]])
    again = CliRunner().invoke(main, ["build", "--collection", str(collection_path)])

    for result, path in ((new, tmp_path / "c"), (again, collection_path)):
        assert result.exit_code == 1
        assert result.stderr.startswith(f"error: expected a file system with locks (flock) at {path}")
        assert "mount it with locks" in result.stderr


def test_where_folders_cannot_be_synced_a_build_is_published(
    request_build: Request, own_devkit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def of_files_alone(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir():
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files_alone)

    assert build(request_build(tmp_path / "c", voc_root=own_devkit)).images == 12


def test_a_link_to_the_devkit_is_followed_at_each_build(request_build: Request, tmp_path: Path) -> None:
    link = tmp_path / "current"
    first, second = (
        sample.draw_devkit(tmp_path / name, images=images, seed=images)
        for name, images in (("first", 8), ("second", 9))
    )
    link.symlink_to(first)
    build(request_build(tmp_path / "c", voc_root=link))
    link.unlink()
    link.symlink_to(second)

    client = client_of(SearchEngine.open(Settings(collection=tmp_path / "c")))
    meanwhile = [client.get(f"/api/v1/images/0/{what}") for what in ("file", "thumbnail")]
    summary = build(request_build(tmp_path / "c"))

    assert [answer.status_code for answer in meanwhile] == [404, 404]
    assert [json.loads(answer.text)["error"]["code"] for answer in meanwhile] == ["file_gone", "file_gone"]
    assert summary.images == 9
    with Collection.open(tmp_path / "c") as collection:
        assert collection.manifest.voc_root == str(link)


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=["C", "POSIX", "ASCII"],
)  # fmt: skip
def test_names_in_utf8_work_in_any_locale(own_devkit: Path, tmp_path: Path, locale: dict[str, str]) -> None:
    picture = own_devkit / "JPEGImages" / "Größe 日本.jpg"
    Image.effect_noise((90, 60), 60).save(picture)
    collection = tmp_path / "Größe"

    built, query, facts = (
        run(*command, environment={"HOME": str(tmp_path), **locale})
        for command in (
            build_command(own_devkit, collection),
            ["search_service", "query", picture, "--collection", collection],
            ["indexer", "inspect", "--collection", collection, "--json"],
        )
    )

    for done in (built, query, facts):
        assert "Traceback" not in done.stderr
    if locale.get("PYTHONUTF8") == "0":  # where Python reads names as bytes that are no letters
        assert {built.returncode, query.returncode} <= {0, 1}
    else:
        assert built.returncode == query.returncode == facts.returncode == 0, built.stderr + query.stderr
        assert "Größe 日本.jpg" in query.stdout
        assert json.loads(facts.stdout)["images"] == 13


def test_a_devkit_whose_path_is_not_utf8_is_indexed(own_devkit: Path, tmp_path: Path) -> None:
    devkit = Path(shutil.copytree(own_devkit, tmp_path / NOT_UTF8 / "kit"))

    built = run(*build_command(devkit, tmp_path / "c"), environment={"HOME": str(tmp_path)})
    facts = run("indexer", "inspect", "--collection", tmp_path / "c", environment={"HOME": str(tmp_path)})
    again = run("indexer", "build", "--collection", tmp_path / "c", environment={"HOME": str(tmp_path)})

    assert built.returncode == facts.returncode == again.returncode == 0, built.stderr + facts.stderr
    assert "12 reused" in again.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["indexer", "inspect"], ["indexer", "verify"], ["indexer", "map"], ["localizer", "train"],
        ["localizer", "report", "--out", "out"], ["search_service", "serve"],
    ],
    ids=lambda command: " ".join(command[:2]),
)  # fmt: skip
def test_a_collection_whose_path_is_not_utf8_is_refused_in_one_line(tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / NOT_UTF8
    path.mkdir()

    refused = run(*command, "--collection", path, environment={"HOME": str(tmp_path)})

    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"error: expected a collection's path in UTF-8, found {tmp_path}/caf\\udce9; rename the folder"
    ]


def test_no_collection_is_built_where_the_path_is_not_utf8(own_devkit: Path, tmp_path: Path) -> None:
    refused = run(*build_command(own_devkit, tmp_path / NOT_UTF8), environment={"HOME": str(tmp_path)})

    assert refused.returncode == 1
    assert "expected a collection's path in UTF-8" in refused.stderr
    assert not (tmp_path / NOT_UTF8).exists()
