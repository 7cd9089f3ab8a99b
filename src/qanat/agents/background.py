"""Work that an agent begins and does not wait for: a message on its way, a question asked again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


def begin(work: Coroutine[None, None, None], *, among: set[asyncio.Task[None]], ends: asyncio.Future[None]) -> None:
    """Begin work, which is ``among`` the tasks under way until it is done. A mistake in it is raised where ``ends`` is awaited.

    Else a message that ended in none of the four ways would be waited for without end.
    """
    task = asyncio.get_running_loop().create_task(work)
    among.add(task)

    def done(task: asyncio.Task[None]) -> None:
        among.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None and not ends.done():
            ends.set_exception(fault)

    task.add_done_callback(done)
