"""What lists look like in the window that a terminal opens with: 80 columns."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from tests.console.running import Shell
from tests.console.terminal import on_a_terminal
from tests.server.gy.gateway import Gateway, accepted, funded
from tests.server.live import Live, live_server, settings_for
from tests.server.online import enrolled, go_online

from qanat.clock import ManualClock
from qanat.console.peers import followed
from qanat.registry.operators import HOME, create_operator
from qanat.registry.subscribers import create_subscriber
from qanat.store.store import open_store

_ALICE = ("--subscriber", "alice")
_TERMS = ("--octets", "1.5GB", "--valid-days", "30", "--price", "9.90")


def test_what_is_usual_is_a_table_in_80_columns(shell: Shell, tmp_path: Path) -> None:
    with live_server(tmp_path) as live:
        shell.environment |= {"QANAT_URL": live.url, "QANAT_TOKEN": live.token}
        funded(live, octets=1_234_567_890)
        accepted(live)
        go_online(enrolled(live, "bob", octets=10**12, seed=2), "home-1")
        live.done("/v1/subscribers/bob/supply-orders", {"octets": 10**9, "person": "alice"})
        live.done("/v1/subscribers/alice/demand-orders", {"octets": 10**9})
        shell.qanat("plan", "create", "month", *_TERMS)
        shell.qanat("buy", *_ALICE, "--plan", "month", status=1)
        with Gateway(live) as gateway:
            assert gateway.introduce().result_code == 2001
            assert gateway.ask("I").result_code == 2001
            assert gateway.ask("U", imsi="001010000000009").result_code != 2001
            for words, columns in (
                (("balance", *_ALICE), ["subscriber", "available", "reserved", "used", "debt"]),
                (("peer", "list"), ["peer", "state", "profile", "connections", "followed", "since (UTC)"]),
                (("refusals",), ["last (UTC)", "session", "reason", "times"]),
                (("sessions",), ["session", "subscriber", "used", "reserved", "last (UTC)"]),
                (("plan", "list"), ["plan", "operator", "size", "days", "price", "priority", "on sale"]),
                (("sim", "list"), ["iccid", "imsi", "state", "terminal", "subscriber"]),
                (("terminal", "list"), ["terminal", "state", "subscriber", "serial", "imsi"]),
                (
                    ("supply", "list", "--subscriber", "bob"),
                    ["order", "state", "octets", "given", "for", "until (UTC)"],
                ),
                (("demand", "list", *_ALICE), ["order", "state", "octets", "obtained", "until (UTC)"]),
            ):
                shown = on_a_terminal(shell, *words, columns=80)
                assert re.split("  +", shown[0].rstrip()) == columns, shown
                assert max(map(len, shown)) <= 80
        bucket = on_a_terminal(shell, "balance", *_ALICE, columns=80)[3]
        assert re.split("  +", bucket)[:3] == ["top-up", "1.22 GB", "1.23 GB"]
        assert "1.22 GB (1,224,567,890)  1.23 GB (1,234,567,890)" in shell.qanat("balance", *_ALICE)


def test_figures_stand_below_one_another(shell: Shell, live: Live) -> None:
    live.done("/v1/subscribers", {"name": "alice"})
    for octets, per_day in ((1000, 9), (9, 9)):
        live.done("/v1/subscribers/alice/supply-orders", {"octets": octets, "per_gb": octets, "per_day": per_day})
    header, *rows = shell.qanat("supply", "list", *_ALICE).splitlines()
    for column in ("octets", "given", "promised", "price of 1 GB"):
        end = header.index(column) + len(column)
        assert [(row[end - 1] != " ", row[end]) for row in rows] == [(True, " ")] * 2, column


def test_a_table_says_what_it_leaves_out_in_a_narrow_terminal_and_nothing_in_a_pipe(
    shell: Shell, tmp_path: Path
) -> None:
    with live_server(tmp_path) as live:
        shell.environment |= {"QANAT_URL": live.url, "QANAT_TOKEN": live.token}
        enrolled(live, "alice")
        shown = on_a_terminal(shell, "terminal", "list", columns=80)
        assert shown[-1] == "(A wider terminal, or --json, shows more: hardware, iccid.)"
        assert "hardware" in shell.qanat("terminal", "list").partition("\n")[0]


def test_what_strangers_called_themselves_before_it_was_refused_steers_no_terminal(
    shell: Shell, tmp_path: Path
) -> None:
    """A name may clear the screen, forge a row, or run backwards; for programs it stays what it is."""
    name = "\x1b[2J\x1b]0;root\x07eve\r\nadmin  home\x9b1m\u202emoc"
    database = f"sqlite:///{tmp_path}/older.db"
    asyncio.run(_sign_up(database, display_name=name))
    with live_server(tmp_path, settings_for(tmp_path, store={"database": database})) as live:
        shell.environment |= {"QANAT_URL": live.url, "QANAT_TOKEN": live.token}
        listed, shown = shell.qanat("subscriber", "list"), shell.qanat("subscriber", "show", "eve")
        as_json = shell.qanat("subscriber", "show", "eve", "--json")
        narrow = "\n".join(on_a_terminal(shell, "subscriber", "list", columns=20))
    for printed in (listed, shown, narrow):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", printed), printed
    assert len(listed.splitlines()) == 2
    assert r"\x1b[2J\x1b]0;root\x07eve\r\nadmin  home\x9b1m\u202emoc" in shown
    assert json.loads(as_json)["display_name"] == name


async def _sign_up(database: str, *, display_name: str) -> None:
    store = await open_store(database, ManualClock())
    await store.decide(lambda work: create_operator(work, name=HOME))
    await store.decide(lambda work: create_subscriber(work, name="eve", operator=HOME, display_name=display_name))
    await store.close()


def test_a_peer_that_still_has_time_to_follow_is_not_said_to_have_ignored_us() -> None:
    asked = [(0, 0, 0), (1, 0, 0), (2, 1, 0), (2, 1, 1)]
    said = [followed({"told": told, "followed": yes, "ignored": no}) for told, yes, no in asked]
    assert said == ["–", "1 awaited", "1 of 1, 1 awaited", "1 of 2"]
