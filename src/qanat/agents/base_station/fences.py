"""Fences of many sessions at once: one wait for packets in flight serves everyone who asked before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Fences:
    """``wait`` blocks in a thread of its own: behind questions to a silent server a gate would stay shut for seconds."""

    def __init__(self, wait: Callable[[], None], *, failed: Callable[[Exception], None]) -> None:
        """Whoever waits when ``wait`` fails is not called: without a fence no count is exact."""
        self._wait = wait
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fence")
        self._asked: list[Callable[[], None]] = []
        self._running: asyncio.Task[None] | None = None

    def after(self, then: Callable[[], None]) -> None:
        """Call this when every packet that is on its way now has arrived."""
        self._asked.append(then)
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._asked:
            served, self._asked = self._asked, []
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._wait)
            except Exception as fault:
                self._failed(fault)
            else:
                for then in served:
                    then()
        self._running = None

    def cancel(self) -> None:
        if self._running is not None:
            self._running.cancel()
        self._thread.shutdown(wait=False)
