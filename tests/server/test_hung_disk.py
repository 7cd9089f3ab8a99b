"""A disk that hangs, a database that fails: whoever asks is told soon and in fitting words, and afterwards all goes on."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tests.server.live import live_server, settings_for
from tests.store.logs import held, process_that_writes


def test_while_a_commit_hangs_the_server_is_not_ready_and_then_it_is(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, store={"database": f"sqlite:///{tmp_path}/q.db"})
    with live_server(tmp_path, settings) as live, ThreadPoolExecutor(1) as somebody:
        live.done("/v1/subscribers", {"name": "alice"})
        with held(process_that_writes(tmp_path / "q.db")):
            top_up = somebody.submit(live.done, "/v1/subscribers/alice/top-ups", {"octets": 10})
            while (answer := live.get("/readyz", token="")).status_code == 200:  # until the top-up is under way
                pass
            assert (answer.status_code, answer.json()["reason"]) == (503, "store_fault")
        top_up.result()
        assert live.get("/readyz", token="").text == "ready\n"


def test_whoever_only_looks_while_the_database_fails_is_not_told_about_storing(tmp_path: Path) -> None:
    """The table is taken away, and put back for the audit at the end."""
    settings = settings_for(tmp_path, store={"database": f"sqlite:///{tmp_path}/q.db"})
    with live_server(tmp_path, settings) as live, closing(sqlite3.connect(tmp_path / "q.db")) as other:
        live.done("/v1/subscribers", {"name": "alice"})
        assert live.get("/v1/subscribers").status_code == 200
        other.execute("ALTER TABLE record RENAME TO away")
        failed = live.get("/v1/subscribers")
        other.execute("ALTER TABLE away RENAME TO record")
    assert (failed.status_code, failed.json()["reason"]) == (503, "store_fault")
    assert failed.json()["detail"] == "The server could not look this up in its database."
