"""The system's clock is set while the server runs: a day back, as after a day ahead. Nothing waits that day for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.server.live import settings_for

from qanat.clock import ManualClock
from qanat.server.clock_watch import ClockWatch
from qanat.server.http.services import make_services
from qanat.server.http.signed import ReplayMemory
from qanat.server.main import fronts
from qanat.server.passwords import Tries
from qanat.server.place import ALONE
from qanat.server.sharing import Shared, SharedReplayMemory, SharedTries
from qanat.store.store import open_store
from qanat.units import DAY, MINUTE, SECOND
from qanat.wire.signature import Signed

_MADE: dict[str, Callable[[Shared, ManualClock], Tries | SharedTries]] = {
    "one worker": lambda _, clock: Tries(per_minute=2, clock=clock),
    "several": lambda shared, clock: SharedTries(shared, "name", per_minute=2, clock=clock),
}


@pytest.mark.parametrize("made", _MADE)
def test_who_tried_too_often_waits_a_minute_however_the_clock_is_set(tmp_path: Path, made: str) -> None:
    clock = ManualClock()
    with closing(Shared(tmp_path / "workers.db")) as shared:
        tries = _MADE[made](shared, clock)
        assert [tries.count("alice") is None for _ in range(3)] == [True, True, False]
        clock.jump(-DAY)
        assert [tries.count("alice") is None for _ in range(3)] == [True, True, False]
        clock.advance(MINUTE)
        assert tries.count("alice") is None


_REMEMBERED: dict[str, Callable[[Shared], ReplayMemory | SharedReplayMemory]] = {
    "one worker": lambda _: ReplayMemory(window_s=300, bound=3),
    "several": lambda shared: SharedReplayMemory(shared, window_s=300, bound=3),
}


@pytest.mark.parametrize("made", _REMEMBERED)
def test_requests_are_told_from_repeats_however_the_clock_is_set_and_find_room(tmp_path: Path, made: str) -> None:
    with closing(Shared(tmp_path / "workers.db")) as shared:
        memory = _REMEMBERED[made](shared)
        for now_s in (2 * 86_400, 86_400, 2 * 86_400, 60):
            requests = [Signed(now_s, nonce, "trm-1", b"", b"") for nonce in ("a", "b", "a")]
            assert [memory.is_new(each, now_s=now_s) for each in requests] == [True, True, False]


def test_a_clock_that_is_set_is_told_and_one_that_is_corrected_is_not() -> None:
    clock, steady = ManualClock(), ManualClock(7)
    watch = ClockWatch(clock, steady)
    said: list[tuple[str, int]] = []
    for set_by, passed in ((0, DAY), (30 * SECOND, 0), (DAY, SECOND), (0, SECOND), (-DAY, SECOND), (-59 * SECOND, 0)):
        clock.jump(set_by + passed)
        steady.advance(passed)
        with capture_logs() as logs:
            watch.look()
        said += [(entry["event"].partition(":")[0], entry["by_s"]) for entry in logs]
    assert said == [("the clock was set ahead", 86_400), ("the clock was set back", 86_400)]


def test_a_peer_that_never_introduces_itself_is_closed_however_the_clock_is_set(tmp_path: Path) -> None:
    async def story() -> None:
        clock = ManualClock()
        settings = settings_for(tmp_path, gy={"capabilities_s": 0.2})
        store = await open_store("memory:", clock)
        gateways = fronts(make_services(store=store, clock=clock, settings=settings), ALONE)["gy"]
        host, _, port = (await gateways.start()).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        clock.jump(-DAY)
        assert await reader.read() == b""
        writer.close()
        await gateways.stop()
        await store.close()

    asyncio.run(asyncio.wait_for(story(), 60))
