"""What tests of several rooms share."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.store.citus_here import citus_is_here
from tests.store.logs import MIGRATED

from qanat.bench.postgres import OwnPostgres
from qanat.store.postgres import PostgresLog

settings.register_profile("no wall clock", deadline=None)
settings.load_profile("no wall clock")

for asked_to_stop in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    if (
        signal.getsignal(asked_to_stop) is signal.SIG_IGN
    ):  # in the background of a shell; what we start would inherit it
        signal.signal(asked_to_stop, signal.SIG_DFL)


def pytest_xdist_auto_num_workers() -> int:
    """Half as many workers again as processors: for a third of its time a test waits, for timers, disks and programs."""
    return len(os.sched_getaffinity(0)) * 3 // 2


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not citus_is_here():
        terminalreporter.write_line(
            "Citus is not here and was not asked for its plans: a PostgreSQL with its tables in pieces was."
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL of this test session, durable. That it is missing is a failure: ``./setup.sh test`` installs it."""
    with OwnPostgres() as own:
        asyncio.run(_migrate(own.create(MIGRATED)))
        yield own


async def _migrate(address: str) -> None:
    await (await PostgresLog.open(address)).close()
