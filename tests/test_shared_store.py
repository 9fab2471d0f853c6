"""A collection on servers: built, moved, read elsewhere, healed after a kill, mended, refused in one line."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from indexer import mirror, store_addresses
from indexer.build import build
from indexer.build_settings import BuildRequest
from indexer.catalogue import Catalogue
from indexer.collection import Collection
from indexer.errors import CollectionBusyError, CollectionError, EmptyCollectionError
from indexer.filters import Filters
from indexer.generations import generations, is_mirrored
from indexer.inspection import describe
from indexer.milvus_server import MilvusServer
from indexer.repair import repair
from indexer.stores import store_of
from indexer.verify import verify
from tests.milvus import needs_milvus
from tests.postgres import ask
from tests.servers import Servers, build_shared, elsewhere
from tests.wholeness import digest_of_generation

pytestmark = needs_milvus

Request = Callable[..., BuildRequest]


@pytest.fixture
def path(new_path: Callable[[], Path], servers: Servers, own_devkit: Path, request_build: Request) -> Path:
    """A collection on the servers, to change at will."""
    return build_shared(new_path(), servers, request_build, voc_root=own_devkit, index_objects=True)


@pytest.fixture
def catalogue(path: Path, servers: Servers) -> Iterator[Catalogue]:
    """What PostgreSQL tells of it."""
    with closing(Catalogue(servers.metadata, path.name)) as opened:
        yield opened


@pytest.fixture
def milvus(servers: Servers) -> Iterator[MilvusServer]:
    """Where its vectors are."""
    with closing(MilvusServer(servers.vectors)) as opened:
        yield opened


def content(path: Path) -> str:
    with Collection.open(path) as collection:
        return digest_of_generation(collection)


def indexed(milvus: MilvusServer, path: Path) -> list[str]:
    return [name.removeprefix(f"{path.name}__") for name in sorted(milvus.names(f"{path.name}__"))]


def test_its_content_is_that_of_an_embedded_one(
    path: Path, own_devkit: Path, tmp_path: Path, request_build: Request
) -> None:
    build(request_build(tmp_path / "embedded", voc_root=own_devkit, index_objects=True))

    assert content(path) == content(tmp_path / "embedded")
    assert not [file.name for file in generations(path)[-1].iterdir() if file.suffix in (".faiss", ".sqlite")]


def test_what_is_said_of_it_names_its_servers_without_their_passwords(path: Path, servers: Servers) -> None:
    with_password = servers.metadata.replace("postgres@", "postgres:secret@")
    store_addresses.save(path, store_addresses.Addresses(vectors=servers.vectors, metadata=with_password))

    facts = describe(path)

    assert facts["vectors_in"] == servers.vectors
    assert facts["metadata_in"] == servers.metadata.replace("postgres@", "postgres:***@")
    assert (path / "stores.json").stat().st_mode & 0o077 == 0


def test_an_embedded_collection_moves_to_servers_and_back_and_embeds_nothing(
    own_devkit: Path, new_path: Callable[[], Path], servers: Servers, request_build: Request
) -> None:
    path = new_path()
    build(request_build(path, voc_root=own_devkit))
    embedded = content(path)

    moved = build(request_build(path, **servers.asked))
    shared = content(path)
    back = build(request_build(path, vectors="faiss", metadata="sqlite"))

    assert (moved.embedded, moved.published, back.embedded, back.published) == (0, True, 0, True)
    assert shared == content(path) == embedded
    assert not (path / "stores.json").exists()


def test_a_second_build_of_the_same_publishes_nothing(path: Path, request_build: Request) -> None:
    summary = build(request_build(path))

    assert (summary.published, summary.embedded, summary.reused) == (False, 0, 12)


def test_changes_are_published_and_old_generations_go_from_the_servers(
    path: Path, own_devkit: Path, request_build: Request, milvus: MilvusServer, catalogue: Catalogue
) -> None:
    for _ in range(3):
        min((own_devkit / "JPEGImages").iterdir()).unlink()
        build(request_build(path))

    assert [folder.name for folder in generations(path)] == ["000003", "000004"]
    assert indexed(milvus, path) == [
        f"{number}__{kind}" for number in ("000003", "000004") for kind in ("images", "objects")
    ]
    assert catalogue.numbers() == [3, 4]
    assert milvus.pointed(path.name) == f"{path.name}__000004__images"


def test_what_another_machine_reads_stays_until_it_is_closed(
    path: Path, own_devkit: Path, request_build: Request, catalogue: Catalogue, tmp_path: Path
) -> None:
    with Collection.open(elsewhere(path, tmp_path)) as reader:
        for _ in range(3):
            min((own_devkit / "JPEGImages").iterdir()).unlink()
            build(request_build(path))
        found = [hit.image_id for hit in reader.nearest(reader.vector(5), 3)]

        assert found[0] == 5
        assert catalogue.numbers() == [1, 3, 4]
    build(request_build(path))
    assert catalogue.numbers() == [3, 4]


def test_another_machine_reads_the_same_without_its_maps(path: Path, tmp_path: Path) -> None:
    other = elsewhere(path, tmp_path)
    filters = Filters(min_objects=2)

    with Collection.open(path) as here, Collection.open(other) as there:
        assert np.array_equal(here.vectors(), there.vectors())
        assert here.all_images() == there.all_images()
        assert is_mirrored(there.folder)
        assert (here.has_maps, there.has_maps) == (True, False)
        for one in (here, there):
            subset = one.subset_of_images(filters)
            assert subset is not None
            assert sorted(hit.image_id for hit in one.nearest(one.vector(0), 12, [], subset)) == list(subset.rows)
            assert subset.count([int(subset.rows[0])]) == len(subset.rows) - 1


def test_another_machine_builds_on_it_where_maps_are_not_kept(
    own_devkit: Path, new_path: Callable[[], Path], servers: Servers, request_build: Request, tmp_path: Path
) -> None:
    path = build_shared(new_path(), servers, request_build, voc_root=own_devkit, keep_maps=False)
    min((own_devkit / "JPEGImages").iterdir()).unlink()

    summary = build(request_build(elsewhere(path, tmp_path), voc_root=own_devkit, keep_maps=False))

    assert (summary.generation, summary.embedded, summary.reused) == (2, 0, 11)


def test_two_machines_do_not_build_at_once(path: Path, request_build: Request, tmp_path: Path) -> None:
    other = elsewhere(path, tmp_path)

    with closing(store_of(path)) as store, store.only_writer(), pytest.raises(CollectionBusyError):
        build(request_build(other))


def test_before_anything_is_published_the_folder_is_empty_and_says_so(
    new_path: Callable[[], Path], servers: Servers
) -> None:
    path = new_path()
    store_addresses.save(path, store_addresses.Addresses(vectors=servers.vectors, metadata=servers.metadata))

    with pytest.raises(EmptyCollectionError, match="found none published; build one: python -m indexer build"):
        Collection.open(path)


def test_a_folder_of_another_collection_is_refused(path: Path, tmp_path: Path) -> None:
    other = elsewhere(path, tmp_path)
    Collection.open(other).close()
    manifest = generations(other)[-1] / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"images": 12', b'"images": 11'))

    with pytest.raises(CollectionError, match="to be the one that is published, found another"):
        Collection.open(other)


def test_small_files_worked_out_on_one_machine_reach_the_other(path: Path, tmp_path: Path) -> None:
    other = elsewhere(path, tmp_path)
    Collection.open(other).close()
    folder = path / "derived" / "000001"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("1")
    (folder / "b.json.part").write_text("half")

    with closing(store_of(path)) as store:
        store.share(folder)
    Collection.open(other).close()
    first = (other / "derived/000001/a.json").read_text()
    (folder / "a.json").write_text("2")
    with closing(store_of(path)) as store:
        store.share(folder)
    Collection.open(other).close()

    assert first == "1"
    assert (other / "derived/000001/a.json").read_text() == "2"
    assert not (other / "derived/000001/b.json.part").exists()


def test_a_publication_broken_off_before_the_records_were_switched_is_taken_back(
    path: Path, own_devkit: Path, request_build: Request, monkeypatch: pytest.MonkeyPatch, milvus: MilvusServer
) -> None:
    before = content(path)
    min((own_devkit / "JPEGImages").iterdir()).unlink()

    def fall(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Catalogue, "publish", fall)
        with pytest.raises(KeyboardInterrupt):
            build(request_build(path))
    between, leads_to = content(path), milvus.pointed(path.name)
    (path / "building").mkdir(exist_ok=True)
    summary = build(request_build(path))

    assert between == before
    assert leads_to == f"{path.name}__000002__images"
    assert (summary.generation, summary.images, summary.embedded) == (2, 11, 0)
    assert milvus.pointed(path.name) == f"{path.name}__000002__images"
    assert indexed(milvus, path) == ["000001__images", "000001__objects", "000002__images", "000002__objects"]


@pytest.mark.parametrize("lost", ["vectors", "objects", "records"])
def test_what_servers_lost_is_told_and_made_anew_without_embedding_what_is_left(
    path: Path, lost: str, milvus: MilvusServer, servers: Servers
) -> None:
    before = content(path)
    if lost == "records":
        _drop_schema(servers, path)
    else:
        milvus.unpoint(path.name)  # Milvus drops nothing that an alias stands for
        milvus.drop(f"{path.name}__000001__{'images' if lost == 'vectors' else 'objects'}")

    found = verify(path)
    repaired = repair(path)

    assert [finding.mendable for finding in found.findings] == [True]
    assert repaired.after.whole
    assert content(path) == before
    assert repaired.rebuilt is not None
    assert repaired.rebuilt.embedded == (12 if lost == "vectors" else 0)


def test_one_changed_vector_is_told_to_its_picture_and_that_alone_is_embedded_again(
    path: Path, milvus: MilvusServer
) -> None:
    before = content(path)
    name = f"{path.name}__000001__images"
    [row] = milvus.query(name, "row == 7", ["*"])
    milvus.upsert(name, [{**row, "vector": np.roll(row["vector"], 1).tolist()}])

    [finding] = verify(path).findings
    repaired = repair(path)

    with Collection.open(path) as collection:
        assert finding.pictures == (collection.all_images()[7].filename,)
    assert repaired.rebuilt is not None
    assert repaired.rebuilt.embedded == 1
    assert content(path) == before


@pytest.mark.parametrize(
    ("vectors", "metadata", "said"),
    [
        ("http://127.0.0.1:1", "sqlite", "to name servers both"),
        ("faiss", "postgresql://127.0.0.1/x", "to name servers both"),
        ("ftp://127.0.0.1", "postgresql://127.0.0.1/x", "in --vectors, found 'ftp'"),
        ("http://127.0.0.1:1", "mysql://127.0.0.1/x", "in --metadata, found 'mysql'"),
    ],
)
def test_addresses_that_cannot_be_are_refused_in_one_line(
    tmp_path: Path, own_devkit: Path, request_build: Request, vectors: str, metadata: str, said: str
) -> None:
    with pytest.raises(CollectionError, match=said):
        build(request_build(tmp_path / "c", voc_root=own_devkit, vectors=vectors, metadata=metadata))


@pytest.mark.parametrize("name", ["My pictures", "2012", "a__b", "a" * 41])
def test_a_folder_that_servers_cannot_know_a_collection_by_is_refused(
    tmp_path: Path, servers: Servers, own_devkit: Path, request_build: Request, name: str
) -> None:
    with pytest.raises(CollectionError, match="servers know a collection by its folder's name; rename it"):
        build(request_build(tmp_path / name, voc_root=own_devkit, **servers.asked))


def test_mirroring_leaves_what_was_built_here_alone(path: Path, tmp_path: Path) -> None:
    maps = sorted(path.glob("generations/*/maps-*.npy"))
    shared = mirror.files_to_share(generations(path)[-1])
    again = Path(shutil.copytree(path, tmp_path / "copy" / path.name))

    Collection.open(again).close()

    assert len(maps) == 2
    assert all((again / file.relative_to(path)).exists() for file in maps)
    assert set(shared) == {f"generations/000001/{name}" for name in (
        "manifest.json", "manifest-copy.json", "reduction.npz",
    )}  # fmt: skip


def _drop_schema(servers: Servers, path: Path) -> None:
    ask(servers.metadata, f"DROP SCHEMA lookalike_{path.name}_000001 CASCADE")
