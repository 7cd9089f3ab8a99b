"""What happens to a running agent on a bad day: nothing is lost beyond what is stated, and it goes on by itself."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.agents.conftest import World
from tests.agents.fake_server import FakeServer
from tests.agents.names import Names, know_by_name, silence_dns
from tests.agents.processes import flushing_nft
from tests.agents.running import FAR, SERVER, Running, download, passed, said_by, status
from tests.namespaces import join
from tests.patience import PATIENCE_S
from tests.traffic import connected, datagrams, flows, until

from qanat.agents import journal
from qanat.agents.channel import Server, read_server
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.device_key import key_of
from qanat.agents.holding import CHUNK_MAX, Snapshot
from qanat.agents.journal import Journal
from qanat.agents.kernel.link import Links
from qanat.agents.link import LinkWatch
from qanat.agents.log import JsonLog, Log
from qanat.agents.reporter import Reporter
from qanat.agents.signalling import Endpoint
from qanat.agents.terminal.assemble import journal_path
from qanat.agents.terminal.choose_gate import choose_gate
from qanat.agents.terminal.gate import Carried, Gate
from qanat.agents.terminal.in_advance import InAdvance
from qanat.agents.terminal.meter import Meter
from qanat.agents.terminal.run import Agent
from qanat.agents.terminal.state_file import StateFile
from qanat.clock import ManualClock
from qanat.system import SystemClock
from qanat.units import SECOND

pytestmark = pytest.mark.namespaces

MB = 1_000_000
AT_INPUT = "type filter hook input priority 0;"
CONNECTING_S = 4
"""Less than a connection is waited for that nobody answers."""
TABLE = "qanat_terminal_wwan0"


def counter(world: World, name: str) -> int:
    listed = json.loads(world.terminal.run("nft", "-j", "list", "counter", "inet", TABLE, name))["nftables"]
    octets: int = next(item["counter"]["bytes"] for item in listed if "counter" in item)
    return octets


def book(state: Path) -> Snapshot:
    return journal.read_only(journal_path(state))


def reserved(state: Path) -> int:
    """What the journal says may have passed."""
    return sum(held.reserved for held in book(state).quotas.values())


def default_route(world: World, interface: str = "wwan0") -> str:
    return world.terminal.run("ip", "route", "show", "default", "dev", interface)


@pytest.mark.parametrize("command", ["flush ruleset", f"delete table inet {TABLE}"])
def test_a_gate_that_another_program_deletes_is_laid_again_at_once_and_its_counts_go_on(
    world: World, server: FakeServer, state: Path, command: str
) -> None:
    """The interface's own counters say how far: what passed before and after is charged, in the same epoch."""
    agent = Running(world, state)
    agent.wait_for("quota granted")
    download(world, 3 * MB)
    before = passed(world)
    with connected(world.terminal, world.internet, FAR) as (_, far):
        far.sendall(bytes(100_000))
        world.terminal.run("nft", command)
        agent.wait_for("gate laid again")
        assert passed(world) >= before
    download(world, 4 * MB)
    agent.wait_for("usage reported")
    unseen = status(world, state)["witness"]["apart"]
    assert unseen <= 110_000  # what passed in the very moment of laying, which the witness tells
    agent.stop()
    assert server.operator.used == passed(world) >= 7_100_000 - unseen
    assert [message.kind for message in server.operator.asked].count("first") == 1
    assert not [line for line in agent.lines if line["event"] == "quota closed at its reservation"]


def test_a_gate_that_is_deleted_again_while_it_is_being_laid_is_laid_once_more(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    with flows(world.terminal, world.internet, FAR, down=1):
        for _ in range(20):
            world.terminal.run("nft", "flush", "ruleset")
        agent.wait_for("gate laid again")
    download(world, 1 * MB)
    agent.stop()
    assert server.operator.used == passed(world) >= 1 * MB


def test_a_gate_that_is_deleted_while_it_is_laid_for_the_first_time_is_laid_once_more(
    world: World, server: FakeServer, state: Path, tmp_path: Path
) -> None:
    agent = Running(world, state, before=flushing_nft(tmp_path))
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    agent.stop()
    assert (tmp_path / "nft.once").exists()
    assert server.operator.used == passed(world) >= 1 * MB


def test_a_gate_that_is_deleted_before_its_first_reading_is_opened_once_more(world: World) -> None:
    def open_gate(carried: Carried | None) -> Gate:
        gate = choose_gate("wwan0", signalling=[], carried=carried)
        opened.append(gate.meter)
        if len(opened) < 3:
            world.terminal.run("nft", "flush", "ruleset")
        return gate

    opened: list[str] = []
    with world.terminal.inside(), closing(Meter(open_gate, JsonLog(ManualClock()))) as meter, closing(Links()) as links:
        meter.follow(links.find("wwan0"))
        reading = meter.reading()
    assert reading is not None
    assert reading.source == opened[2]
    assert len(set(opened)) == 3


def test_who_is_told_twice_to_stop_stops_though_a_question_hangs_in_the_air(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    world.internet.run("nft", f"add table inet silent {{ chain in {{ {AT_INPUT} ip daddr {SERVER} counter drop; }}; }}")
    agent.process.send_signal(signal.SIGTERM)
    agent.wait_for("stopping")
    until(lambda: "packets 0 " not in world.internet.run("nft", "list", "table", "inet", "silent"))
    agent.process.send_signal(signal.SIGTERM)
    agent.wait_for("terminal agent stopped")
    assert agent.process.wait(CONNECTING_S) == 0


def test_a_gate_that_is_deleted_is_laid_again_without_waiting_for_a_silent_dns(
    world: World, server: FakeServer, state: Path, tmp_path: Path
) -> None:
    names = Names(tmp_path, resolvers=(FAR,))
    names.lead_to(SERVER)
    know_by_name(state, SERVER)
    silence_dns(world.internet)
    agent = Running(world, state, before=names.before)
    agent.wait_for("quota granted")
    download(world, 100_000)
    agent.wait_for("usage reported")
    names.lead_nowhere()
    deleted_at = SystemClock().now()
    world.terminal.run("nft", "flush", "ruleset")
    assert agent.wait_for("gate laid again")["at"] - deleted_at < 3 * SECOND  # a resolver waits for 5
    names.lead_to(SERVER)
    agent.stop()


def test_an_interface_made_anew_goes_on_with_the_kernels_counts_and_without_a_phantom(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    download(world, 2 * MB)
    world.terminal.run("ip", "link", "delete", "wwan0")
    agent.wait_for("link left")
    agent.wait_for("quota returned")
    assert server.operator.used == passed(world)
    join(world.terminal, "wwan0", world.internet, "far0", net=7)
    world.internet.run("ip", "link", "set", "far0", "gso_max_segs", "1")
    world.terminal.run("ip", "route", "add", "default", "via", FAR, "dev", "wwan0", "metric", "10")
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    agent.stop()
    assert server.operator.used == passed(world)
    assert 3 * MB <= passed(world) < 3_400_000


def test_an_interface_that_gets_another_name_is_shut_and_said_and_goes_on_under_its_own(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    world.terminal.run("ip", "link", "set", "wwan0", "name", "rmnet0")
    assert agent.wait_for("interface renamed")["now"] == "rmnet0"
    agent.wait_for("quota returned")
    with datagrams(world.terminal, world.internet, FAR) as (near, _), pytest.raises(PermissionError):
        near.send(b"x")
    assert server.operator.used == passed(world) >= 1 * MB
    world.terminal.run("ip", "link", "set", "rmnet0", "name", "wwan0")
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    agent.stop()
    assert server.operator.used == passed(world) >= 2 * MB


def test_counters_that_go_backwards_begin_a_new_epoch_and_charge_no_more_than_was_allowed(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    download(world, 2 * MB)
    allowed = reserved(state)
    before = passed(world)
    world.terminal.run("nft", "reset", "counters")
    agent.wait_for("quota closed at its reservation")
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    agent.stop()
    assert before + passed(world) <= server.operator.used <= allowed + passed(world) + CHUNK_MAX
    assert book(state).epoch is not None
    assert [line["epoch"] for line in agent.lines if line["event"] == "counters begin anew"] == [1, 2]


FULL = 'mount -t tmpfs -o size=2m tmpfs "$1" && cp -a "$2"/. "$1" && shift 2 && exec "$@"'


def test_a_full_disk_leaves_the_gate_at_its_last_limit_and_room_lets_it_go_on(
    world: World, server: FakeServer, state: Path, tmp_path: Path
) -> None:
    """The state folder is a small disk of its own, which is then filled up to the last block."""
    small = tmp_path / "small"
    small.mkdir()
    agent = Running(world, small, before=("unshare", "--mount", "sh", "-c", FULL, "sh", str(small), str(state)))
    agent.wait_for("quota granted")
    download(world, 100_000)
    inside = ("nsenter", "--mount", "--target", str(agent.process.pid))
    filler = f"dd if=/dev/zero of={small}/filler bs=4k 2>/dev/null; true"
    subprocess.run([*inside, "sh", "-c", filler], check=True)
    with flows(world.terminal, world.internet, FAR, down=1):
        assert "free some space" in agent.wait_for("journal cannot be written")["sentence"]
        until(lambda: counter(world, "refused_down") > 0)
        stopped_at = passed(world)
        assert stopped_at < 5 * MB
        agent.wait_for("journal cannot be written")
        assert passed(world) - stopped_at < 3000  # what is left of a rung may still take a small packet
        subprocess.run([*inside, "rm", f"{small}/filler"], check=True)
        agent.wait_for("quota used up")
    agent.stop()
    assert server.operator.used == passed(world) > stopped_at


FULL_FROM_THE_START = FULL.replace("shift 2", '{ dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null; shift 2; }')


@pytest.mark.parametrize("end", [Running.stop, Running.kill], ids=["a stop", "kill -9"])
def test_after_a_boot_with_a_full_disk_nothing_passes_until_there_is_room_and_the_agent_goes_on_by_itself(
    world: World, server: FakeServer, state: Path, tmp_path: Path, end: Callable[[Running], None]
) -> None:
    """A boot leaves no gate. What was clean when it ended needs room even to be opened."""
    small = tmp_path / "small"
    small.mkdir()
    before = Running(world, state)
    before.wait_for("quota granted")
    download(world, 1 * MB)
    end(before)
    world.terminal.run("nft", "flush", "ruleset")
    on_it = ("unshare", "--mount", "sh", "-c", FULL_FROM_THE_START, "sh", str(small), str(state))
    agent = Running(world, small, before=on_it)
    assert "space" in agent.wait_for("journal cannot be opened")["sentence"]
    with datagrams(world.terminal, world.internet, FAR) as (near, _), pytest.raises(PermissionError):
        near.send(b"x")
    subprocess.run(["nsenter", "--mount", "--target", str(agent.process.pid), "rm", f"{small}/filler"], check=True)
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    agent.stop()
    assert server.operator.used >= 2 * MB


def test_an_agent_that_cannot_read_its_journal_leaves_the_interface_shut(
    world: World, server: FakeServer, state: Path
) -> None:
    journal_path(state).write_bytes(b"this is no database at all" * 100)
    agent = Running(world, state)
    assert agent.process.stderr is not None
    assert b"move it aside" in agent.process.stderr.read()
    assert agent.process.wait(PATIENCE_S) == 1
    with datagrams(world.terminal, world.internet, FAR) as (near, _), pytest.raises(PermissionError):
        near.send(b"x")


def test_octets_never_pass_before_the_journal_has_them_even_when_killed_at_the_worst_moment(
    world: World, server: FakeServer, state: Path
) -> None:
    """Another program locks the journal, so the agent stands right between what it wants to write and what it wants to
    allow. Had it allowed first, more would pass than the journal says.
    """
    agent = Running(world, state)
    agent.wait_for("quota granted")
    download(world, 100_000)
    with closing(sqlite3.connect(journal_path(state), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with flows(world.terminal, world.internet, FAR, down=1):
            until(lambda: counter(world, "refused_down") > 0)
            agent.wait_for("journal cannot be written")
            agent.kill()
        truth = passed(world)
        other.execute("ROLLBACK")
    assert 0 < truth <= reserved(state)
    again = Running(world, state)
    again.wait_for("terminal agent started")
    download(world, 1 * MB)
    again.stop()
    assert server.operator.used == passed(world)


def test_a_better_default_route_over_another_interface_is_leaving_the_link(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    better = ("default", "via", "10.8.0.2", "dev", "lan0", "metric", "5")
    world.terminal.run("ip", "route", "add", *better)
    agent.wait_for("link left")
    agent.wait_for("quota returned")
    assert server.operator.used == passed(world)
    world.terminal.run("ip", "route", "delete", *better)
    agent.wait_for("link is back")
    agent.wait_for("quota granted")
    agent.stop()


def test_a_better_route_over_an_interface_that_is_down_changes_nothing(
    world: World, server: FakeServer, state: Path
) -> None:
    world.internet.run("ip", "link", "set", "far1", "down")
    world.terminal.run("ip", "route", "add", "default", "via", "10.8.0.2", "dev", "lan0", "metric", "5")
    agent = Running(world, state)
    assert agent.wait_for("terminal agent started")["link"] == "up"
    agent.wait_for("quota granted")
    agent.stop()


WITHOUT_NFT = ("unshare", "--mount", "sh", "-c", 'mount --bind /dev/null "$(command -v nft)" && exec "$@"', "sh")
WITHOUT_PERMISSION = ("setpriv", "--bounding-set=-net_admin,-net_raw", "--inh-caps=-net_admin,-net_raw")


def test_without_nftables_the_route_goes_at_the_end_of_the_plan_and_comes_back_with_the_next(
    world: World, server: FakeServer, state: Path
) -> None:
    server.operator.bought = 2 * MB
    agent = Running(world, state, before=WITHOUT_NFT)
    assert "apt install nftables" in agent.wait_for("terminal agent started")["gate"]
    agent.wait_for("quota granted", final=1)
    until(lambda: default_route(world) != "")
    download(world, 2 * MB)
    assert agent.wait_for("refused")["cure"] == "Buy another plan."
    assert default_route(world) == ""
    server.operator.bought += 10 * MB
    agent.wait_for("quota granted")
    until(lambda: default_route(world) != "")
    download(world, 1 * MB)
    agent.stop()
    assert default_route(world) == ""
    assert status(world, state)["gate"].startswith("wwan0 stays shut: ")
    assert 3 * MB <= server.operator.used < 3_500_000


def interface_total(world: World) -> int:
    """The octets of the network layer that ``wwan0`` has carried."""
    with world.terminal.inside(), closing(Links()) as links:
        return links.octets(links.find("wwan0")).total


@pytest.mark.parametrize("before", [WITHOUT_NFT, WITHOUT_PERMISSION])
def test_what_passes_past_the_last_quota_without_a_gate_is_reported_though_no_other_is_granted(
    quiet_world: World, server: FakeServer, state: Path, before: tuple[str, ...]
) -> None:
    """A neighbour on the link is reached without a route."""
    world = quiet_world
    server.operator.bought = 2 * MB
    at_start = interface_total(world)
    agent = Running(world, state, before=before)
    agent.wait_for("quota granted", final=1)
    download(world, 2 * MB)
    agent.wait_for("refused")
    download(world, 1 * MB)
    agent.kill()
    download(world, 1 * MB)
    agent = Running(world, state, before=before)
    agent.wait_for("terminal agent started")
    download(world, 1 * MB)
    seen = interface_total(world) - at_start
    agent.stop()
    assert seen <= server.operator.used <= interface_total(world) - at_start


def test_what_passes_unmetered_after_a_release_without_nftables_is_charged_to_nobody(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state, before=WITHOUT_NFT)
    agent.wait_for("quota granted")
    server.fail_next = 1_000_000
    download(world, 1 * MB)
    agent.kill()
    assert "open and no longer metered" in said_by(world, state, "release", before=WITHOUT_NFT)
    counted = status(world, state)["unreported"]
    download(world, 3 * MB)
    server.fail_next = 0
    agent = Running(world, state, before=WITHOUT_NFT)
    agent.wait_for("quota granted")
    agent.stop()
    assert 1 * MB <= counted <= server.operator.used < counted + 100_000


def test_without_permission_the_agent_meters_all_that_passes_and_says_what_it_cannot_do(
    world: World, server: FakeServer, state: Path
) -> None:
    server.operator.bought = 2 * MB
    agent = Running(world, state, before=WITHOUT_PERMISSION)
    assert "nothing stops it" in agent.wait_for("terminal agent started")["gate"]
    agent.wait_for("quota granted", final=1)
    download(world, 3 * MB)
    agent.wait_for("refused")
    server.operator.bought += 10 * MB
    agent.wait_for("quota granted")  # what passed after the first had ended is charged to it
    agent.stop()
    assert status(world, state)["witness"] is None
    assert status(world, state)["gate"] == "none: nothing meters or stops wwan0"
    assert "gate          not known: looking is not permitted" in said_by(
        world, state, "status", before=WITHOUT_PERMISSION
    )
    assert 3 * MB <= server.operator.used < 3_500_000


def test_a_release_without_permission_is_refused_and_charges_nothing(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state, "--report-interval", "3600")
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    agent.kill()
    assert "run as root" in said_by(world, state, "release", before=WITHOUT_PERMISSION, ends=1)
    assert status(world, state)["unreported"] == passed(world)
    assert f"{passed(world):,} octets wait" in said_by(world, state, "release")


def test_a_difference_between_gate_and_interface_is_logged_and_shown(
    world: World, server: FakeServer, state: Path
) -> None:
    """Packet sockets go past netfilter, as a DHCP client does: the interface sees them, the gate does not."""
    agent = Running(world, state)
    agent.wait_for("quota granted")
    until(lambda: status(world, state)["witness"] is not None)
    assert status(world, state)["witness"]["apart"] == 0
    script = (
        "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('wwan0', 0x0800)); "
        "[s.send(bytes(12) + b'\\x88\\xb5' + bytes(1000)) for _ in range(200)]"
    )
    world.terminal.run(sys.executable, "-c", script)
    differ = agent.wait_for("gate and interface differ")
    assert differ["apart"] == 200_000
    agent.stop()
    words = [sys.executable, "-m", "qanat.console.main", "terminal", "status", "--state", str(state)]
    with world.terminal.inside():
        shown = subprocess.run(
            words, env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
    assert "200,000 octets apart: more than" in shown.stdout


def test_after_a_kill_what_passed_is_charged_exactly_though_the_link_is_away_when_the_agent_is_back(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    download(world, 2 * MB)
    agent.kill()
    world.terminal.run("ip", "route", "add", "default", "via", "10.8.0.2", "dev", "lan0", "metric", "1")
    again = Running(world, state)
    assert again.wait_for("terminal agent started")["link"] == "away"
    again.wait_for("quota returned")
    again.stop()
    assert server.operator.used == passed(world) >= 2 * MB


def agent_here(
    own: Journal, *, server: Server, key: Ed25519PrivateKey, log: Log, resolve: Callable[[], list[Endpoint]]
) -> Agent:
    """An agent in this process, on a clock that stands still: nothing happens because time has passed."""
    clock = CorrectedClock(ManualClock())
    in_advance = InAdvance("wwan0")
    return Agent(
        journal=own,
        meter=Meter(lambda carried: choose_gate("wwan0", signalling=[], carried=carried), log),
        in_advance=in_advance,
        watch=LinkWatch("wwan0"),
        reporter=Reporter(server, key=key, key_id="trm-1", channels=["wwan0", "lan0"], clock=clock),
        clock=clock,
        log=log,
        state_file=StateFile(own.path.with_name("state.json"), clock, server, in_advance),
        report_interval_s=None,
        resolve=resolve,
    )


def test_a_mistake_on_the_way_of_a_message_ends_the_agent_instead_of_being_waited_for_without_end(
    world: World, tmp_path: Path
) -> None:
    def resolve() -> list[Endpoint]:
        raise ZeroDivisionError

    server, key = read_server("http://10.9.0.1:1"), Ed25519PrivateKey.generate()
    with world.terminal.inside(), closing(Journal(tmp_path / "journal.db")) as own:
        agent = agent_here(own, server=server, key=key, log=JsonLog(ManualClock()), resolve=resolve)
        with pytest.raises(ZeroDivisionError):
            asyncio.run(asyncio.wait_for(agent.run(), PATIENCE_S))


def test_a_channel_that_comes_up_is_tried_at_once(world: World, server: FakeServer, state: Path) -> None:
    async def come_up() -> None:
        agent = asyncio.create_task(agent_here(own, server=url, key=key_of(state), log=log, resolve=list).run())
        await said("no channel works")
        world.terminal.run("ip", "link", "set", "lan0", "up")
        world.terminal.run("ip", "route", "add", "default", "via", "10.8.0.2", "dev", "lan0", "metric", "20")
        await said("quota granted")
        agent.cancel()

    async def said(event: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await events.get() != event:
                pass

    def log(event: str, **_: int | str) -> None:
        events.put_nowait(event)

    url, events = read_server(server.url), asyncio.Queue[str]()
    world.terminal.run("ip", "route", "delete", "default", "dev", "wwan0")
    world.terminal.run("ip", "link", "set", "lan0", "down")
    with world.terminal.inside(), closing(Journal(journal_path(state))) as own:
        asyncio.run(come_up())
