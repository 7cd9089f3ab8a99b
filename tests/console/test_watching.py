"""Watching live sessions in a terminal: `qanat sessions --watch`, `qanat top`, and lines for programs."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.console.running import Serving, Shell, serving
from tests.console.terminal import at_terminal
from tests.patience import PATIENCE_S
from tests.server.live import Live, live_server, settings_for
from tests.server.online import enrolled, go_online
from tests.server.web.forged import Hand

from qanat.charging.credit_control import interrogate
from qanat.charging.interrogation import Ask, Interrogation
from qanat.charging.quota import Policy
from qanat.charging.session import Event
from qanat.clock import ManualClock
from qanat.console.watch import line, sparkline
from qanat.ids import Owner, SessionId
from qanat.ledger import book
from qanat.ledger.book import Account
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import subscriber_owner
from qanat.registry.refused import KEPT, remember
from qanat.store.store import open_store
from qanat.units import Octets

_LEAVE_SCREEN = "\x1b[?1049l"
_SHOW_CURSOR = "\x1b[?25h"


@pytest.mark.parametrize("columns", [30, 80, 160])
def test_top_fills_the_screen_whatever_its_width_and_leaves_it_as_it_was(
    shell: Shell, server: Serving, columns: int
) -> None:
    with at_terminal(shell, "top", columns=columns) as terminal:
        terminal.until("0 live")
        terminal.until("subscriber")
        assert terminal.interrupt() == 0
        assert terminal.seen.rstrip().endswith((_LEAVE_SCREEN, _SHOW_CURSOR))
        assert "Traceback" not in terminal.seen
        assert "Aborted" not in terminal.seen


def test_watching_goes_on_when_the_server_comes_back(shell: Shell) -> None:
    with serving(shell) as server:
        with at_terminal(shell, "sessions", "--watch") as terminal:
            terminal.until("0 live")
            server.stop()
            terminal.until("The server is away")
            shell.environment.pop("QANAT_URL")
            with serving(shell, "--http", server.url.removeprefix("http://")):
                terminal.seen = ""
                terminal.until("0 live")
                assert terminal.interrupt() == 0
        assert "Traceback" not in terminal.seen


def test_a_stop_does_not_wait_for_those_who_watch(shell: Shell, server: Serving) -> None:
    with at_terminal(shell, "top") as terminal:
        terminal.until("0 live")
        status, _, _ = server.stop()
        assert status == 0
        terminal.interrupt()


def test_programs_get_one_object_a_line_and_may_stop_reading(shell: Shell, server: Serving) -> None:
    watching = shell.begin("sessions", "--watch", "--json")
    assert watching.stdout
    for _ in range(2):
        event = json.loads(watching.stdout.readline())
        assert (event["live"], event["sessions"]) == (0, [])
    watching.stdout.close()
    assert watching.stderr
    assert watching.stderr.read() == ""
    assert watching.wait(PATIENCE_S) == 0


def test_no_more_sessions_are_watched_than_were_asked_for(shell: Shell, tmp_path: Path) -> None:
    with live_server(tmp_path) as live:
        for seed, name in ((1, "alice"), (2, "bob")):
            go_online(enrolled(live, name, seed=seed), f"s{seed}")
        shell.environment |= {"QANAT_URL": live.url, "QANAT_TOKEN": live.token}
        assert "leave --subscriber, --mine and --after out" in shell.qanat(
            "sessions", "--watch", "--after", "x", status=2
        )
        with at_terminal(shell, "sessions", "--watch", "--limit", "1") as terminal:
            terminal.until("1 slower ones")
            assert terminal.interrupt() == 0
        watching = shell.begin("sessions", "--watch", "--limit", "1", "--json")
        assert watching.stdout
        event = json.loads(watching.stdout.readline())
        assert (event["live"], len(event["sessions"])) == (2, 1)
        watching.stdout.close()
        assert watching.wait(PATIENCE_S) == 0


def test_an_interrupt_while_writing_lines_is_no_failure(shell: Shell, server: Serving) -> None:
    watching = shell.begin("sessions", "--watch")
    assert watching.stdout
    assert "0 live, 0 B/s, 0 B reserved" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=PATIENCE_S)
    assert (watching.returncode, said) == (0, "")


def test_without_a_terminal_top_says_what_to_do_instead(shell: Shell, server: Serving) -> None:
    assert "qanat sessions --watch --json" in shell.qanat("top", status=2)


def test_without_a_server_watching_fails_with_the_cure(shell: Shell) -> None:
    shell.environment["QANAT_URL"] = "http://127.0.0.1:1"
    assert "No server answers" in shell.qanat("sessions", "--watch", status=1)


def test_what_staff_looks_up_is_there_in_the_terminal(shell: Shell, server: Serving) -> None:
    shell.qanat("subscriber", "create", "alice", "--imsi", "001010000000007")
    assert "alice" in shell.qanat("search", "00101")
    assert "Nothing begins with bob." in shell.qanat("search", "bob")
    assert shell.qanat("reservations") == "Nothing is reserved.\n"
    assert "Nothing was refused." in shell.qanat("refusals", "--by-reason")


def test_of_more_refusals_than_are_looked_through_it_is_said_which_and_of_one_owner_all_are_listed(
    shell: Shell, tmp_path: Path
) -> None:
    """The newest of 10,001 is behind all others by the name of its session."""
    with served(shell, tmp_path, partial(_refuse, owners=100, each=KEPT)) as (live, staff):
        found = live.get("/v1/refusals?limit=1000").json()
        assert (len(found["refusals"]), found["looked_through"], found["complete"]) == (1000, 10_000, False)
        assert live.get("/v1/refusals/reasons").json()["looked_through"] == 10_000
        only = "Only the first 10,000 refusals by session were looked through"
        for words in (("refusals",), ("refusals", "--by-reason"), ("refusals", "--reason", "unknown_plan")):
            said = shell.qanat(*words)
            assert only in said
            assert "qanat why 'SESSION'" in said
        of_one = live.get("/v1/refusals?who=subscriber/zoe").json()
        assert [one["session"] for one in of_one["refusals"]] == ["z-newest"]
        assert (of_one["looked_through"], of_one["complete"]) == (0, True)
        assert only in staff.get("/ops/refusals").text


def test_of_more_reservations_than_are_listed_or_looked_at_it_is_said(shell: Shell, tmp_path: Path) -> None:
    with served(shell, tmp_path, partial(_reserve, sessions=10_001)) as (live, staff):
        found = live.get("/v1/reservations?limit=5").json()
        assert (len(found["reservations"]), found["octets"], found["looked_through"]) == (5, 1_000_000, 10_000)
        assert not found["complete"]
        only = "Only the first 10,000 live sessions by name were looked at"
        assert only in shell.qanat("reservations")
        assert only in staff.get("/ops/reservations").text


def test_of_more_reservations_than_are_listed_it_is_said(shell: Shell, tmp_path: Path) -> None:
    with served(shell, tmp_path, partial(_reserve, sessions=51)) as (_, staff):
        assert "More is reserved than is listed" in shell.qanat("reservations")
        assert "More is reserved than is listed" not in shell.qanat("reservations", "--limit", "51")
        assert "The longest silent 50 are listed." in staff.get("/ops/reservations").text


@contextmanager
def served(shell: Shell, folder: Path, fill: Callable[[str], Coroutine[Any, Any, None]]) -> Iterator[tuple[Live, Hand]]:
    """Serve a database that was filled; what the shell asks goes there, and somebody of the staff has signed in."""
    database = f"sqlite:///{folder}/q.db"
    asyncio.run(fill(database))
    with live_server(folder, settings_for(folder, store={"database": database})) as live:
        shell.environment |= {"QANAT_URL": live.url, "QANAT_TOKEN": live.token}
        staff = Hand(live)
        staff.plant(live.token)
        yield live, staff


async def _reserve(database: str, *, sessions: int, each: int = 101) -> None:
    """Open so many sessions, so many of one subscriber, with a hundred octets each."""
    store = await open_store(database, ManualClock())

    def reserve(work: Work, owner: Owner, names: Iterable[str]) -> None:
        book.open_bucket(work, Account(owner=owner, id="b", role="bucket", operator="home", size=100 * each, balance=0))
        for name in names:
            first = Interrogation(
                session=SessionId(name),
                owner=owner,
                event=Event.FIRST,
                number=0,
                digest=0,
                front="agent",
                holder="trm",
                asks=(Ask(wanted=Octets(100)),),
            )
            interrogate(work, Policy(), first)

    for start in range(0, sessions, each):
        names = [f"s-{number:05}" for number in range(start, min(start + each, sessions))]
        await store.decide(partial(reserve, owner=subscriber_owner(f"s{start}"), names=names))
    await store.close()


async def _refuse(database: str, *, owners: int, each: int) -> None:
    clock = ManualClock()
    store = await open_store(database, clock)

    def refuse(work: Work, who: str, sessions: Iterable[str]) -> None:
        for session in sessions:
            remember(work, Refused(Refusal.UNKNOWN_PLAN, {"plan": "day"}), who=who, session=session)

    for number in range(owners):
        sessions = [f"s-{number}-{one}" for one in range(each)]
        await store.decide(partial(refuse, who=f"subscriber/s{number}", sessions=sessions))
    clock.advance(1000)
    await store.decide(partial(refuse, who="subscriber/zoe", sessions=["z-newest"]))
    await store.close()


def test_more_live_sessions_than_are_looked_at_are_said_to_be_more() -> None:
    beat = {"at": "2026-11-23T04:27:47Z", "live": 10_000, "octets_per_s": 0, "reserved": 0, "complete": False}
    assert line(beat) == "2026-11-23 04:27:47 10000+ live, 0 B/s, 0 B reserved"


def test_a_sparkline_shows_the_last_values_beside_the_largest() -> None:
    assert sparkline([0, 1, 2, 4], 3) == "▂▄█"
    assert sparkline([0, 0], 5) == "▁▁"
    assert sparkline([5], 0) == ""
    assert sparkline([], 9) == ""
