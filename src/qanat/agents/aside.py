"""Work that blocks, done in a thread that nobody waits for when the program ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """Return what it returns, or raise what it raises. Unlike ``asyncio.to_thread`` it holds up no end of the loop."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(say: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: None if done.done() else say())

    def run() -> None:
        try:
            found = work()
        except Exception as fault:
            told = fault
            tell(lambda: done.set_exception(told))
        else:
            tell(lambda: done.set_result(found))

    Thread(target=run, daemon=True).start()
    return await done
