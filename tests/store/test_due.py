"""Finding what is due reads an index in its order and no further than it must, however much is due."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.store.logs import migrated_database, run

from qanat.bench.postgres import OwnPostgres
from qanat.ids import Owner
from qanat.store import sqlite
from qanat.store.due import first_owners
from qanat.store.migrate import migrate_sqlite
from qanat.store.postgres import DUE
from qanat.store.postgres_link import connect


@pytest.mark.parametrize(("limit", "asked"), [(1, [1]), (2, [2, 16]), (3, [3, 24]), (4, [4, 32])])
def test_no_more_records_are_read_than_it_takes_to_find_the_owners(limit: int, asked: list[int]) -> None:
    records = [Owner("stuck")] * 9 + [Owner("a"), Owner("b"), Owner("a")]
    told: list[int] = []

    async def of_first(count: int) -> list[Owner]:
        told.append(count)
        return records[:count]

    owners = run(lambda: first_owners(of_first, limit))
    assert owners == ["stuck", "a", "b"][:limit]
    assert told == asked


def test_postgresql_walks_the_index_of_what_is_due(postgres: OwnPostgres) -> None:
    address = migrated_database(postgres)
    many = "SELECT n % 1024, 's' || n % 500, 'session', n::text, n::text, n, '{}' FROM generate_series(1, 20000) AS n"
    postgres.ask(f"INSERT INTO record {many}; ANALYZE record", urlsplit(address).path[1:])

    async def plan() -> str:
        connection = await connect(address)
        lines = await connection.fetch("EXPLAIN " + DUE, 20_000, 500)
        await connection.close()
        return "\n".join(line for (line,) in lines)

    said = run(plan)
    assert "Index Scan using ix_record_due" in said
    assert "Sort" not in said


def test_sqlite_walks_the_index_of_what_is_due(tmp_path: Path) -> None:
    migrate_sqlite(tmp_path / "q.db")
    with closing(sqlite3.connect(tmp_path / "q.db")) as file:
        plan = file.execute(f"EXPLAIN QUERY PLAN {sqlite.DUE}", (1, 1)).fetchall()
    assert [step[3] for step in plan] == ["SEARCH record USING INDEX ix_record_due (due<?)"]
