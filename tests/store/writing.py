"""A process that writes until it is killed or its database fails, and says how far it came."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from tests.store.deciding import fund

from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ledger.book import Account
from qanat.store.store import open_store
from qanat.system import SystemClock

_AT_ONCE = 7


def writer(database: str, *, file_limit: int = 0) -> subprocess.Popen[str]:
    """Start a process that opens accounts seven at a time and prints how many were acknowledged."""
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.writing", database, str(file_limit)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"},
    )


def killed_after(process: subprocess.Popen[str], acknowledged: int) -> int:
    """Kill the writer once so many were acknowledged, and return how many it had said at the last."""
    assert process.stdout is not None
    last = 0
    for line in process.stdout:
        last = int(line)
        if last >= acknowledged:
            process.send_signal(signal.SIGKILL)
    process.wait()
    return last


async def count_accounts(database: str) -> int:
    """Audit, and return how many accounts the writer opened."""
    store = await open_store(database, ManualClock())
    verdict = await store.audit()
    assert verdict.problems == []
    accounts = await store.find(Account, label_prefix="subscriber/", limit=1_000_000)
    await store.close()
    return len(accounts)


async def _write(database: str, file_limit: int) -> None:
    if file_limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    store = await open_store(database, SystemClock())
    done = 0
    while True:
        try:
            await asyncio.gather(*(store.decide(fund(f"s{done + place}", 10)) for place in range(_AT_ONCE)))
        except StoreFault as fault:
            print("fault", fault, flush=True)
            return
        done += _AT_ONCE
        print(done, flush=True)


if __name__ == "__main__":
    asyncio.run(_write(sys.argv[1], int(sys.argv[2])))
