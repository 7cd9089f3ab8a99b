"""An audit in a process of its own: decoding every entry takes a processor, and holding every image takes memory.

In a thread it would share Python's lock with the event loop, and what it took would stay with the server.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from contextlib import suppress
from typing import Final

import msgspec

from qanat.errors import Fault, StoreFault
from qanat.ledger.audit import Verdict
from qanat.store.audit import audit
from qanat.store.processes import environment, how_it_ended
from qanat.store.store import open_log

_COMMAND: Final = (sys.executable, "-P", "-m", "qanat.store.audit_process")
_POLITE: Final = 10
"""Requests go before it where processors are short."""
_Outcome = Verdict | str
_outcomes: Final[msgspec.json.Decoder[_Outcome]] = msgspec.json.Decoder(_Outcome)


async def audit_apart(url: str) -> Verdict:
    """Audit the database at an address; whoever stops waiting ends it. Raises StoreFault."""
    try:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
    except OSError as error:
        cure = "Look at the server's limits of processes, open files and memory."
        raise StoreFault(f"no process could be started for the audit: {error}. {cure}") from error
    try:
        said, _ = await process.communicate(url.encode())  # there may be a password in it, and all see arguments
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise StoreFault(f"the audit {how_it_ended(process.returncode)}")
    outcome = _outcomes.decode(said)
    if isinstance(outcome, str):
        raise StoreFault(outcome)
    return outcome


async def _audit(url: str) -> _Outcome:
    try:
        log = await open_log(url)
        try:
            return await asyncio.to_thread(audit, log)
        finally:
            await log.close()
    except Fault as fault:
        return str(fault)


def main() -> None:
    """Audit the database whose address stands on the standard input, and print what came of it."""
    with suppress(PermissionError):  # a sandbox of systemd's may leave priorities alone
        os.nice(_POLITE)
    gc.disable()  # images hold no cycles, and there are millions of them to be looked through
    outcome = asyncio.run(_audit(sys.stdin.read()))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
    sys.stdout.flush()
    os._exit(0)  # to free each image takes seconds


if __name__ == "__main__":
    main()
