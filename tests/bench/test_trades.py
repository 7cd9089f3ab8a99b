"""The benchmark of trades, small: what it measures must be whole before its rate means anything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.store.logs import migrated_database

from qanat.bench.postgres import OwnPostgres
from qanat.bench.trades import CIRCLE, bench_trades


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_octet_given_is_obtained_and_nothing_is_left_in_transit(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    where = f"sqlite:///{tmp_path}/qanat.db"
    if kind == "postgres":
        postgres: OwnPostgres = request.getfixturevalue("postgres")
        where = migrated_database(postgres)
    measured = asyncio.run(bench_trades(where, trades=100, in_flight=8, subscribers=2 * CIRCLE))
    assert measured.conserved
    assert measured.requests == 100
