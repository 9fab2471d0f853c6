"""A build on servers may be killed at any moment: nothing is lost, and the next one ends alike.

A short selection; `python -m tests.kill_servers` kills as often as is asked, by any seed.
"""

from pathlib import Path

from tests.kill_servers import kill_all
from tests.milvus import needs_milvus
from tests.servers import Servers

pytestmark = needs_milvus

KILLS, SEED = 6, 4


def test_kills_on_servers_lose_nothing(tmp_path: Path, servers: Servers) -> None:
    outcome = kill_all(tmp_path, servers, KILLS, SEED)

    assert outcome.met > 0, f"seed {SEED}"
