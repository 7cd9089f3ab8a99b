"""Fences of many sessions: waited for together, and never behind the questions that a silent server holds up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from threading import Event

import pytest
from tests.patience import PATIENCE_S

from qanat.agents.base_station.fences import Fences
from qanat.agents.kernel.netlink import KernelFault


def run(story: Callable[[], Coroutine[None, None, None]]) -> None:
    async def within_patience() -> None:
        await asyncio.wait_for(story(), PATIENCE_S)

    asyncio.run(within_patience())


def test_a_fence_is_waited_for_while_the_server_holds_up_every_question() -> None:
    answered = Event()

    async def story() -> None:
        questions = [asyncio.create_task(asyncio.to_thread(answered.wait, PATIENCE_S)) for _ in range(100)]
        await asyncio.sleep(0)  # every thread that the loop has for questions has one now
        opened = asyncio.Event()
        fences = Fences(lambda: None, failed=lambda fault: pytest.fail(str(fault)))
        fences.after(opened.set)
        await opened.wait()
        assert not any(question.done() for question in questions)
        answered.set()
        await asyncio.gather(*questions)
        fences.cancel()

    run(story)


def test_who_asks_while_one_fence_is_waited_for_shares_the_next() -> None:
    waits: list[int] = []
    go_on = Event()

    def wait() -> None:
        waits.append(1)
        assert go_on.wait(PATIENCE_S)

    async def story() -> None:
        served: list[str] = []
        everyone = asyncio.Event()

        def serve(name: str) -> None:
            served.append(name)
            if len(served) == 3:
                everyone.set()

        fences = Fences(wait, failed=lambda fault: pytest.fail(str(fault)))
        fences.after(partial(serve, "alice"))
        await asyncio.sleep(0)  # that wait has begun: it says nothing about packets that come from now on
        for name in ("bob", "carol"):
            fences.after(partial(serve, name))
        go_on.set()
        await everyone.wait()
        assert (served, len(waits)) == (["alice", "bob", "carol"], 2)
        fences.cancel()

    run(story)


def test_a_fence_that_is_not_permitted_is_told_and_the_next_is_waited_for_all_the_same() -> None:
    refusals = [KernelFault("membarrier refused", code=1)]

    def wait() -> None:
        if refusals:
            raise refusals.pop()

    async def story() -> None:
        told, opened = asyncio.Event(), asyncio.Event()
        fences = Fences(wait, failed=lambda _: told.set())
        fences.after(lambda: pytest.fail("nothing is exact without a fence"))
        await told.wait()
        fences.after(opened.set)
        await opened.wait()
        fences.cancel()

    run(story)
