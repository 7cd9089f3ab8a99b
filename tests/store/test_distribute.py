"""Distribution is refused politely where it is not possible. With Citus it is tried by hand: docs/guides/scaling.md."""

from __future__ import annotations

import pytest
from tests.store.logs import migrated_database, run

from qanat.bench.postgres import OwnPostgres
from qanat.errors import BadInput
from qanat.store.distribute import NoCitus, distribute


def test_a_plain_postgresql_is_told_what_is_missing_and_goes_on_as_it_was(postgres: OwnPostgres) -> None:
    address = migrated_database(postgres)
    with pytest.raises(NoCitus, match="CREATE EXTENSION citus"):
        run(lambda: distribute(address, pieces=64))


@pytest.mark.parametrize("address", ["sqlite:///q.db", "memory:"])
def test_what_is_no_postgresql_can_not_be_distributed(address: str) -> None:
    with pytest.raises(BadInput, match="only PostgreSQL with Citus"):
        run(lambda: distribute(address, pieces=64))
