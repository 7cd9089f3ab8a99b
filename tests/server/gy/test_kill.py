"""kill -9 of the server, or of its database, under load, over the real command and a real disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

import qanat
from qanat.bench.database import Database, KilledDatabase, own_postgres, postgres_with_standby
from qanat.bench.gy import bench_gy

_IN_FLIGHT = 2 * 4
_AT_LEAST = _IN_FLIGHT * 10
"""Each of those in flight ends the session it is in, however slow the machine."""


def test_a_server_killed_under_load_loses_and_doubles_nothing_and_leaves_nothing_reserved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(qanat.__file__).parents[1]))
    said: list[str] = []
    measured = asyncio.run(
        bench_gy(
            tmp_path,
            seconds=2,
            connections=2,
            in_flight=4,
            subscribers=8,
            kill=True,
            tell=said.append,
        )
    )
    assert measured.conserved, said
    assert measured.requests >= _AT_LEAST


@pytest.mark.parametrize(
    "struck", [lambda: own_postgres(KilledDatabase), postgres_with_standby], ids=["started again", "standby promoted"]
)
def test_a_database_killed_under_load_loses_nothing_acknowledged_and_service_resumes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, struck: Callable[[], AbstractContextManager[Database]]
) -> None:
    """PostgreSQL is started again, or its standby promoted; the server is left alone."""
    monkeypatch.setenv("PYTHONPATH", str(Path(qanat.__file__).parents[1]))
    said: list[str] = []
    with struck() as database:
        loaded = bench_gy(
            tmp_path, seconds=4, connections=2, in_flight=4, subscribers=8, database=database, tell=said.append
        )
        measured = asyncio.run(loaded)
    assert measured.conserved, said
    assert measured.requests >= _AT_LEAST


def test_while_the_database_is_away_for_longer_gateways_are_told_so_again_and_again_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away for longer than a batch is tried again, and than an answer may wait: who is not told at once asks a few times only.

    `qanat bench gy --kill-database --away 60` is the same for a minute, with the times.
    """
    monkeypatch.setenv("PYTHONPATH", str(Path(qanat.__file__).parents[1]))
    said: list[str] = []
    with own_postgres(partial(KilledDatabase, away_s=2.5)) as database:
        loaded = bench_gy(
            tmp_path, seconds=4, connections=2, in_flight=4, subscribers=8, database=database, tell=said.append
        )
        measured = asyncio.run(loaded)
    assert measured.conserved, said
    assert measured.put_off, said
    assert measured.put_off > 5 * _IN_FLIGHT, "who asks in vain is told at once, and may ask again"
