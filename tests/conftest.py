"""What tests of several rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qanat.bench.postgres import OwnPostgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL of this test session, durable. That it is missing is a failure: ``./setup.sh test`` installs it."""
    with OwnPostgres() as own:
        yield own
