"""The log of who changed what: written by the decision itself, so that neither is there without the other."""

from __future__ import annotations

import asyncio
from functools import partial

from tests.server.live import Live
from tests.server.test_lists import staffed, whole

from qanat.clock import ManualClock
from qanat.registry.access import Caller
from qanat.registry.changes import Change, note_change
from qanat.server.metrics import Metrics
from qanat.server.settings import Sweeper
from qanat.server.sweeper import sweep_once
from qanat.store.store import MemoryStore
from qanat.units import DAY

__all__ = ["staffed"]


def test_every_command_of_the_staff_is_in_the_log_newest_first_and_secrets_are_not(live: Live) -> None:
    live.done("/v1/plans", {"name": "day", "octets": 1000, "valid_days": 1, "price": 990})
    live.clock.advance(1)
    live.done("/v1/subscribers", {"name": "alice", "password": "correct horse", "display_name": "<b>A</b>"})
    live.clock.advance(1)
    live.done("/v1/subscribers/alice/status", {"status": "suspended"})
    log = live.get("/v1/changes").json()["changes"]
    assert [(one["who"], one["act"], one["target"]) for one in log] == [
        ("admin", "subscriber suspended", "subscribers/alice/status"),
        ("admin", "subscriber created", "subscribers"),
        ("admin", "plan created", "plans"),
    ]
    assert log[1]["said"] == {"name": "alice", "display_name": "<b>A</b>"}
    assert "correct horse" not in live.get("/v1/changes").text


def test_what_was_refused_and_what_was_repeated_is_not_in_the_log(live: Live) -> None:
    for _ in range(2):
        live.post("/v1/subscribers", {"name": "alice"}, key="k1")
    assert live.post("/v1/subscribers", {"name": "alice"}).status_code == 409
    assert len(live.get("/v1/changes").json()["changes"]) == 1


def test_what_subscribers_do_themselves_is_not_in_the_log_and_not_theirs_to_read(live: Live) -> None:
    alice = live.sign_in("alice")
    live.done("/v1/me/codes", token=alice)
    assert live.get("/v1/changes").json()["changes"] == []
    assert live.get("/v1/changes", token=alice).status_code == 403


def test_staff_of_an_operator_reads_its_colleagues_changes_only(live: Live, staffed: str) -> None:
    live.done("/v1/subscribers", {"name": "sam", "operator": "south"}, token=staffed)
    shown = {one["target"]: one for one in live.get("/v1/changes", token=staffed).json()["changes"]}
    assert len(shown) == 2
    made, entered = shown["subscribers"], shown["sign-in"]
    assert (made["who"], made["operator"], made["said"]["name"]) == ("sue", "south", "sam")
    assert (entered["act"], entered["target"], entered["said"]) == ("signed in", "sign-in", {"from": "127.0.0.1"})
    assert len(whole(live, "/v1/changes", "changes")) == 12


def test_an_import_in_many_decisions_is_one_line_of_the_log(live: Live) -> None:
    live.done("/v1/sims", {"operator": "home", "count": 60})
    (one,) = live.get("/v1/changes").json()["changes"]
    assert one["target"] == "sims"
    assert one["said"]["count"] == "60"


def test_closing_a_period_is_in_the_log(live: Live) -> None:
    live.done("/v1/settlements/2023-10/closing")
    (one,) = live.get("/v1/changes").json()["changes"]
    assert (one["act"], one["target"]) == ("period closed", "settlements/2023-10/closing")


def test_changes_are_forgotten_after_400_days() -> None:
    async def story() -> None:
        clock = ManualClock()
        store = await MemoryStore(clock).open()
        boss = Caller(who="admin", role="administrator")
        await store.decide(partial(note_change, caller=boss, id="chg-1", target="plans", said={}))
        for days, kept in ((399, 1), (1, 0)):
            clock.advance(days * DAY)
            await sweep_once(store, Sweeper(), Metrics(store))
            assert len(await store.find(Change)) == kept
        await store.close()

    asyncio.run(story())
