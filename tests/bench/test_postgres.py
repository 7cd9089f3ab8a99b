from __future__ import annotations

import subprocess

from tests.patience import PATIENCE_S

from qanat.bench.postgres import OwnPostgres

_LONG = "SELECT count(*) FROM generate_series(1, 10000) a, generate_series(1, 20000) b"
_UNDER_WAY = f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '{_LONG}'"


def test_when_it_was_killed_not_even_what_was_under_way_is_answered_and_it_can_be_started_again() -> None:
    with OwnPostgres() as own:
        asking = subprocess.Popen(
            ["psql", "-X", "-h", own.host, "-U", "qanat", "-c", _LONG, "postgres"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while own.ask(_UNDER_WAY) == "0":
            assert asking.poll() is None
        own.kill()
        said, _ = asking.communicate(timeout=PATIENCE_S)
        assert "server closed the connection unexpectedly" in said
        own.start()
        assert own.ask("SELECT 1") == "1"
