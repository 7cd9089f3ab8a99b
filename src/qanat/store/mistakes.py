"""Mistakes of ours where others wait for an answer: logged, and told to them as a fault, so that nobody waits for ever."""

from __future__ import annotations

import asyncio

from qanat.errors import StoreFault


def as_fault(error: Exception) -> StoreFault:
    """Return what those who wait are told: the fault itself, or that we made a mistake, which is logged with its trace."""
    if isinstance(error, StoreFault):
        return error
    asyncio.get_running_loop().call_exception_handler({"message": "mistake of ours", "exception": error})
    return StoreFault(f"what was asked could not be written: {error!r}. Look at the log, report it.")
