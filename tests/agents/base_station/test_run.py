"""The running base station: real traffic, real gate, real journal, browsers and terminals of our own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.agents.base_station.fake_exchange import FakeExchange
from tests.agents.base_station.scene import ALICE, FAR, FAR6, MALLORY, SERVER, STATION, STATION6, Scene, running
from tests.agents.names import Names, know_by_name, silence_dns
from tests.agents.processes import SOURCE, Agent, asked, flushing_nft
from tests.namespaces import Namespace
from tests.patience import PATIENCE_S
from tests.traffic import connected, flows, receive, until

from qanat.agents.base_station.assemble import slots_path

pytestmark = pytest.mark.namespaces

PORTAL = 8910


def ask(
    device: Namespace,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    host: str = STATION,
    port: int = PORTAL,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Ask what the base station offers, with an ordinary HTTP client on the device."""
    with device.inside():
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
        connection.connect()
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def join(device: Namespace, passcode: str = "PASS-1", *, host: str = STATION) -> tuple[int, bytes]:
    status, _, body = ask(device, "POST", "/join", urlencode({"passcode": passcode}).encode(), host=host)
    return status, body


def captive(device: Namespace) -> dict[str, object]:
    _, headers, body = ask(device, "GET", "/captive-portal")
    assert headers["content-type"] == "application/captive+json"
    found: dict[str, object] = json.loads(body)
    return found


def download(scene: Scene, octets: int, *, far: str = FAR) -> None:
    with connected(scene.alice, scene.internet, far) as (near, end):
        for _ in range(octets // 100_000):
            end.sendall(bytes(100_000))
            receive(near, 100_000)


def counted(scene: Scene) -> int:
    """Read what has passed through nft: sessions that ended have no counters any more."""
    listed = json.loads(scene.station.run("nft", "-j", "list", "counters"))["nftables"]
    return sum(
        item["counter"]["bytes"] for item in listed if item.get("counter", {}).get("name", "")[:3] in ("u_s", "d_s")
    )


def standing(scene: Scene) -> list[int]:
    """Read the grants that stand in the kernel."""
    listed = json.loads(scene.station.run("nft", "-j", "list", "quotas"))["nftables"]
    return [each["quota"]["bytes"] for each in listed if "quota" in each]


def said_by(scene: Scene, state: Path, *words: str, ends: int = 0) -> str:
    """What a ``qanat station`` command says on the base station."""
    done = asked(scene.station, "station", *words, "--state", str(state))
    assert done.returncode == ends, done.stderr
    return done.stdout + done.stderr


def is_refused(device: Namespace, far: str = FAR) -> bool:
    with device.inside():
        try:
            socket.create_connection((far, 9), timeout=2).close()
        except ConnectionRefusedError:
            return False  # it got through to where nobody listens
        except OSError:
            return True
    return False


def test_a_person_goes_online_with_a_passcode_downloads_and_leaves(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        assert is_refused(scene.alice)
        assert captive(scene.alice)["captive"] is True
        assert join(scene.alice)[0] == 303
        agent.wait_for("quota granted")
        until(lambda: captive(scene.alice)["captive"] is False)
        download(scene, 12_000_000)
        download(scene, 1_000_000, far=FAR6)
        page = ask(scene.alice, "GET", "/")[2].decode()
        assert "You are online" in page
        assert "BOB-1" in page
        assert ask(scene.alice, "POST", "/leave")[0] == 303
        ended = agent.wait_for("trade ended")
        assert server.operator.used == ended["up"] + ended["down"] >= 13_000_000
        assert server.operator.available == 50_000_000 - server.operator.used
        assert is_refused(scene.alice)
        assert "You went offline" in ask(scene.alice, "GET", "/")[2].decode()
        agent.stop()


def test_two_grants_are_held_and_the_next_follows_each_that_runs_dry(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted", quota="q2")
        until(lambda: standing(scene) == [5_000_000, 5_000_000])
        with flows(scene.alice, scene.internet, FAR, up=2, down=2):
            agent.wait_for("trade ended")
        assert server.operator.available < 1500
        assert server.operator.used <= 50_000_000


def test_kill_9_in_mid_download_loses_no_octet_and_doubles_none(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    server.operator.bought = 2_000_000_000
    with running(scene, state) as agent:
        join(scene.alice)
        with flows(scene.alice, scene.internet, FAR, up=1, down=1):
            agent.wait_for("quota used up")
            agent.kill()
            with running(scene, state) as again:
                again.wait_for("quota used up")
                ask(scene.alice, "POST", "/leave")
                ended = again.wait_for("trade ended")
    assert server.operator.used == ended["up"] + ended["down"]
    assert [message.kind for message in server.operator.asked].count("first") == 1


def test_the_gate_closes_by_itself_while_the_agent_is_dead(scene: Scene, server: FakeExchange, state: Path) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        until(lambda: standing(scene) == [5_000_000, 5_000_000])
        agent.kill()
        with flows(scene.alice, scene.internet, FAR, up=1, down=1):
            until(lambda: is_refused(scene.alice))
        assert 10_000_000 - 3000 <= counted(scene) <= 10_000_000
        with running(scene, state):
            until(lambda: not is_refused(scene.alice))
            download(scene, 1_000_000)


def test_a_refusal_reaches_the_person_with_reason_and_cure_in_both_languages(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        status, body = join(scene.alice, "WRONG")
        assert status == 403
        for words in ("Nobody supplies traffic here.", "Ask somebody for an offer.", "no_supply"):
            assert words in body.decode()
        chinese = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
        body = ask(scene.alice, "POST", "/join", urlencode({"passcode": "WRONG"}).encode(), headers=chinese)[2]
        for words in ("这里没有供应方。", "请找人发布供应订单。", 'lang="zh-Hans"'):
            assert words in body.decode()
        assert agent.wait_for("admission refused")["reason"] == "no_supply"
        assert is_refused(scene.alice)


def test_a_price_that_can_not_be_read_is_refused_with_one_of_its_currency(scene: Scene, state: Path) -> None:
    with running(scene, state):
        for typed, cure in (("two", "2.50 EUR"), ("2.50 jpy", "250 JPY"), ("1.2345 KWD", "0.250 KWD")):
            form = urlencode({"passcode": "PASS-1", "most": typed}).encode()
            status, _, body = ask(scene.alice, "POST", "/join", form)
            said = unescape(body.decode())
            assert (status, f"'{typed}' is no price." in said, f"Write it as in {cure}," in said) == (403, True, True)


def test_who_walks_away_without_a_word_is_offline_after_the_idle_end_with_everything_returned(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state, "--idle-end", "1") as agent:
        join(scene.alice)
        ended = agent.wait_for("trade ended")
        assert (ended["up"], ended["down"], server.operator.available) == (0, 0, 50_000_000)
        assert "Nothing was sent or received here" in ask(scene.alice, "GET", "/")[2].decode()


def test_a_supplier_who_stops_is_heard_in_mid_download(scene: Scene, server: FakeExchange, state: Path) -> None:
    with running(scene, state) as agent:
        server.operator.bought = 2_000_000_000
        join(scene.alice)
        with flows(scene.alice, scene.internet, FAR, down=1):
            server.recalled.append("trd-1")
            agent.wait_for("recalled")
            ended = agent.wait_for("trade ended")
        assert server.operator.used == ended["up"] + ended["down"]
        page = ask(scene.alice, "GET", "/")[2].decode()
        assert "order_stopped" in page
        assert "ord-1" in page


def test_with_the_server_away_grants_run_out_nothing_is_free_and_the_reports_come_later(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted", quota="q2")
        server.fail_next = 1_000_000
        with flows(scene.alice, scene.internet, FAR, up=1, down=1):
            agent.wait_for("server not reached")
            until(lambda: is_refused(scene.alice))
            assert counted(scene) <= 10_000_000
            assert join(scene.mallory, "PASS-2")[0] == 403
            server.fail_next = 0
            agent.wait_for("quota granted", quota="q3")
        ask(scene.alice, "POST", "/leave")
        ended = agent.wait_for("trade ended")
        assert server.operator.used == ended["up"] + ended["down"]


def test_while_the_uplink_is_cut_nothing_is_charged_and_afterwards_it_goes_on(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        download(scene, 1_000_000)
        scene.station.run("ip", "link", "set", "up0", "down")
        before = counted(scene)
        assert is_refused(scene.alice)
        assert counted(scene) == before
        scene.station.run("ip", "link", "set", "up0", "up")
        scene.station.run("ip", "route", "add", "default", "via", FAR)
        until(lambda: not is_refused(scene.alice))
        download(scene, 1_000_000)
        ask(scene.alice, "POST", "/leave")
        ended = agent.wait_for("trade ended")
        assert server.operator.used == ended["up"] + ended["down"]


def test_a_browser_on_its_way_elsewhere_is_led_to_the_page(scene: Scene, state: Path) -> None:
    with running(scene, state):
        for host, portal in (("192.0.2.7", f"http://{STATION}:8910/"), ("2001:db8::7", f"http://[{STATION6}]:8910/")):
            status, headers, _ = ask(scene.alice, "GET", "/news", host=host, port=80)
            assert (status, headers["location"]) == (302, portal)


def test_the_captive_portal_api_is_asked_over_https_under_its_name(scene: Scene, state: Path) -> None:
    """RFC 8908 §4; with the certificate that the base station made itself, which this client was told to trust."""
    name, port = "portal.street.test", 8943
    with running(scene, state, "--page-tls-port", str(port), "--page-name", name):
        trusting = ssl.create_default_context(cafile=state / "page.pem")
        with scene.alice.inside():
            plain = socket.create_connection((STATION, port), timeout=PATIENCE_S)
        with trusting.wrap_socket(plain, server_hostname=name) as end:
            end.sendall(f"GET /captive-portal HTTP/1.1\r\nhost: {name}:{port}\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: end.recv(65536), b"")).partition(b"\r\n\r\n")
        assert b"application/captive+json" in head
        assert json.loads(body)["user-portal-url"] == f"https://{name}:{port}/"
        stranger = ssl.create_default_context()
        with scene.alice.inside():
            plain = socket.create_connection((STATION, port), timeout=PATIENCE_S)
        with plain, pytest.raises(ssl.SSLCertVerificationError):
            stranger.wrap_socket(plain, server_hostname=name)
        assert captive(scene.alice)["captive"] is True, "and plainly as before"


def test_a_certificate_without_its_key_is_refused_with_the_cure(scene: Scene, state: Path) -> None:
    made = state / "only.pem"
    made.write_text("")
    words = ("station", "run", "--state", str(state), "--page-tls-port", "8943", "--page-cert", str(made))
    with scene.station.inside():
        done = subprocess.run(
            [sys.executable, "-m", "qanat.console.main", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
    assert done.returncode == 2
    assert "--page-cert and --page-key" in done.stderr


def test_operating_systems_learn_how_much_is_left(scene: Scene, server: FakeExchange, state: Path) -> None:
    with running(scene, state) as agent:
        assert captive(scene.alice) == {
            "captive": True,
            "user-portal-url": f"http://{STATION}:8910/",
            "venue-info-url": f"http://{STATION}:8910/",
        }
        join(scene.alice)
        agent.wait_for("quota granted")
        download(scene, 1_000_000)
        found = captive(scene.alice)
        assert found["captive"] is False
        assert found["bytes-remaining"] == 50_000_000 - counted(scene)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("DELETE", "/", {}, 405),
        ("POST", "/leave", {"origin": "http://evil.example"}, 403),
        ("POST", "/join", {"content-length": "99999999"}, 413),
        ("POST", "/join", {"content-length": "-1"}, 400),
        ("GET", "/", {"cookie": "x" * 9000}, 431),
    ],
)
def test_what_makes_no_sense_is_answered_with_a_status(
    scene: Scene, state: Path, *, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with running(scene, state):
        assert ask(scene.alice, method, path, headers=headers)[0] == status


def test_a_kernel_that_forwards_nothing_is_told_with_the_cure(scene: Scene, state: Path) -> None:
    scene.station.set("ipv4/ip_forward", 0)
    with running(scene, state) as agent:
        cures = [line.get("cure") for line in agent.lines if line["event"] == "nothing is forwarded"]
    scene.station.set("ipv4/ip_forward", 1)
    with running(scene, state) as another:
        assert "nothing is forwarded" not in {line["event"] for line in another.lines}
    assert cures == ["sysctl -w net.ipv4.ip_forward=1"]


def test_what_others_wrote_is_shown_and_not_run(scene: Scene, state: Path) -> None:
    with running(scene, state):
        page = ask(scene.alice, "GET", "/")[2].decode()
        assert "Café Zürich &lt;1&gt;" in page
        assert page.count("<script") == 1, "the page's own"


def test_the_same_demander_from_another_device_moves_its_trade(scene: Scene, server: FakeExchange, state: Path) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted")
        download(scene, 1_000_000)
        join(scene.mallory)
        until(lambda: captive(scene.mallory)["captive"] is False)
        assert is_refused(scene.alice)
        assert not is_refused(scene.mallory)
        ask(scene.mallory, "POST", "/leave")
        ended = agent.wait_for("trade ended")
        assert server.operator.used == ended["up"] + ended["down"] > 1_000_000


def test_another_demander_at_the_same_device_ends_the_one_before(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        join(scene.alice, "PASS-1")
        agent.wait_for("quota granted", trade="trd-1")
        join(scene.alice, "PASS-2")
        agent.wait_for("trade ended", trade="trd-1")
        download(scene, 1_000_000)


def test_a_stop_ends_every_trade_and_returns_what_is_left(scene: Scene, server: FakeExchange, state: Path) -> None:
    with running(scene, state) as agent:
        join(scene.alice, "PASS-1")
        join(scene.mallory, "PASS-2")
        agent.wait_for("quota granted", trade="trd-2")
        download(scene, 1_000_000)
        agent.stop()
    assert server.operator.available == 50_000_000 - server.operator.used
    assert server.operator.used > 1_000_000


def test_a_flushed_table_closes_what_ran_and_is_laid_anew(scene: Scene, server: FakeExchange, state: Path) -> None:
    """What was allowed when the counters vanished is charged: never less than what passed."""
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted", quota="q2")
        scene.station.run("nft", "flush", "ruleset")
        agent.wait_for("beginning anew")
        agent.wait_for("trade ended")
        assert is_refused(scene.alice)
        assert server.operator.used == 10_000_000
        join(scene.alice, "PASS-2")
        agent.wait_for("quota granted")
        download(scene, 1_000_000)


def test_a_device_asks_one_question_at_a_time_though_it_has_several_addresses(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent, ThreadPoolExecutor(2) as asking:
        with server.lock:
            said = [asking.submit(join, scene.alice, host=host) for host in (STATION, STATION6)]
            first = next(as_completed(said))
            assert first.result()[0] == 429
        (second,) = [each for each in said if each is not first]
        assert second.result()[0] == 303
        agent.stop()


def test_whoever_asks_while_the_journal_can_t_be_written_is_told_so(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent, closing(sqlite3.connect(slots_path(state), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            status, body = join(scene.alice)
            assert (status, "base_station_out_of_order" in body.decode()) == (403, True)
        other.execute("ROLLBACK")
        until(lambda: join(scene.alice)[0] == 303)
        agent.stop()


def test_after_a_boot_with_a_disk_that_takes_nothing_nobody_is_online_until_there_is_room(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    """A limit on the size of files makes every write fail, as a full disk does."""
    words = ("run", "--state", str(state))
    agent = Agent(scene.station, "qanat.console.station", *words, before=("prlimit", "--fsize=0:"))
    assert "free space" in agent.wait_for("journal cannot be opened")["sentence"]
    assert is_refused(scene.alice)
    subprocess.run(["prlimit", "--pid", str(agent.process.pid), "--fsize=unlimited:"], check=True)
    agent.wait_for("ready")
    join(scene.alice)
    agent.wait_for("quota granted")
    download(scene, 1_000_000)
    agent.stop()


def test_an_access_side_that_is_made_anew_goes_on_with_who_was_online_and_lets_others_in(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted", quota="q2")
        download(scene, 1_000_000)
        scene.station.run("ip", "link", "delete", "br0")
        agent.wait_for("interface away", which="br0")
        scene.lay_bridge()
        agent.wait_for("base station runs", sessions=1)
        download(scene, 1_000_000)
        truth = counted(scene)
        assert join(scene.mallory, "PASS-2")[0] == 303
        agent.wait_for("quota granted", trade="trd-2")
        assert pinned(scene, "br0") >= {ALICE, MALLORY}
        agent.stop()
    assert server.operator.used >= truth > 2_000_000


def test_who_is_online_while_the_access_side_goes_down_is_pinned_to_his_device_again(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted", quota="q2")
        scene.station.run("ip", "link", "set", "br0", "down")
        assert ALICE not in pinned(scene, "br0")
        agent.wait_for("interface away", which="br0")
        scene.station.run("ip", "link", "set", "br0", "up")
        agent.wait_for("base station runs", sessions=1)
        assert ALICE in pinned(scene, "br0")
        download(scene, 1_000_000)
        truth = counted(scene)
        agent.stop()
    assert server.operator.used >= truth > 1_000_000


def test_an_uplink_that_is_made_anew_and_a_port_that_joins_are_counted_packet_by_packet(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted", quota="q2")
        scene.station.run("ip", "link", "delete", "up0")
        agent.wait_for("interface away", which="up0")
        until(lambda: "away          up0: nothing passes" in said_by(scene, state, "status"))
        scene.plug_in_uplink()
        agent.wait_for("base station runs", sessions=1)
        assert segments_max(scene, "up0") == 1
        until(lambda: "away" not in said_by(scene, state, "status"))
        high = "fe:ff:ff:ff:ff:fe"  # a bridge takes the lowest address of its ports: not this one
        scene.station.run("ip", "link", "add", "port0", "address", high, "type", "veth", "peer", "name", "port1")
        assert segments_max(scene, "port0") > 1
        scene.station.run("ip", "link", "set", "port0", "master", "br0")
        until(lambda: segments_max(scene, "port0") == 1)
        download(scene, 1_000_000)
        truth = counted(scene)
        agent.stop()
    assert server.operator.used >= truth > 1_000_000


def test_a_table_that_is_flushed_while_the_access_side_is_away_stands_when_it_is_back(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted", quota="q2")
        scene.station.run("ip", "link", "delete", "br0")
        scene.station.run("nft", "flush", "ruleset")
        agent.wait_for("beginning anew")
        until(lambda: "qanat_station_br0" in scene.station.run("nft", "list", "tables"))
        scene.lay_bridge()
        assert is_refused(scene.alice)
        agent.wait_for("trade ended")
        join(scene.alice, "PASS-2")
        agent.wait_for("quota granted", trade="trd-2")
        download(scene, 1_000_000)
        agent.stop()
    assert server.operator.used > 11_000_000


def test_who_is_told_to_stop_while_an_interface_or_the_journal_is_away_stops(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    with running(scene, state) as agent, closing(sqlite3.connect(slots_path(state), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        join(scene.alice)
        agent.wait_for("gate could not be opened")
        agent.stop()


def pinned(scene: Scene, interface: str) -> set[str]:
    listed = json.loads(scene.station.run("ip", "-j", "neighbour", "show", "dev", interface, "nud", "permanent"))
    return {each["dst"] for each in listed}


def segments_max(scene: Scene, interface: str) -> int:
    found: int = json.loads(scene.station.run("ip", "-j", "-d", "link", "show", interface))[0]["gso_max_segs"]
    return found


def test_the_boot_shuts_the_access_side_before_the_uplink_is_there_and_the_agent_takes_it_up(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    scene.station.run("ip", "link", "delete", "up0")
    assert "br0 is shut" in said_by(scene, state, "shut")
    assert "stands already" in said_by(scene, state, "shut")
    scene.plug_in_uplink()
    assert is_refused(scene.alice)
    with running(scene, state, "--portal-port", "8920") as agent:
        assert "stands already" in said_by(scene, state, "shut")
        assert ask(scene.alice, "POST", "/join", b"passcode=PASS-1", port=8920)[0] == 303
        agent.wait_for("quota granted")
        download(scene, 1_000_000)
        agent.stop()
    assert server.operator.used > 1_000_000


def test_after_a_boot_with_a_broken_journal_nobody_is_online_though_the_uplink_comes_later(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    scene.station.run("ip", "link", "delete", "up0")
    slots_path(state).write_bytes(b"this is no database at all" * 100)
    agent = Agent(scene.station, "qanat.console.station", "run", "--state", str(state))
    assert agent.process.wait(PATIENCE_S) == 1
    scene.plug_in_uplink()
    assert is_refused(scene.alice)


def test_a_table_that_is_flushed_while_it_is_laid_for_the_first_time_is_laid_once_more(
    scene: Scene, server: FakeExchange, state: Path, tmp_path: Path
) -> None:
    words = ("run", "--state", str(state))
    agent = Agent(scene.station, "qanat.console.station", *words, before=flushing_nft(tmp_path))
    agent.wait_for("ready")
    assert (tmp_path / "nft.once").exists()
    join(scene.alice)
    agent.wait_for("quota granted")
    download(scene, 1_000_000)
    agent.stop()


def test_a_second_base_station_on_the_same_access_side_is_turned_away_and_who_is_online_stays_so(
    scene: Scene, server: FakeExchange, state: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(state, tmp_path / "other"))
    with running(scene, state) as agent:
        join(scene.alice)
        until(lambda: not is_refused(scene.alice))
        second = Agent(scene.station, "qanat.console.station", "run", "--state", str(other))
        assert second.process.stderr is not None
        said = second.process.stderr.read().decode()
        assert f"br0 is in use by another agent (process {agent.process.pid})" in said
        download(scene, 1_000_000)
        agent.stop()


def test_status_says_who_is_served(scene: Scene, server: FakeExchange, state: Path) -> None:
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted")
        download(scene, 1_000_000)

        def shown() -> dict[str, object]:
            done = scene.station.run(*STATUS, "--state", str(state))
            found: dict[str, object] = json.loads(done)
            return found

        until(lambda: bool(shown()["sessions"]))
        assert shown()["trades"] == ["trd-1"]
        assert shown()["running"] is True


STATUS = ("env", f"PYTHONPATH={SOURCE}", sys.executable, "-m", "qanat.console.station", "status", "--json")


def test_demanders_reach_the_servers_though_the_dns_was_away_when_the_base_station_began(
    scene: Scene, state: Path, tmp_path: Path
) -> None:
    """As when both boot at once: the uplink comes a moment later."""
    names = Names(tmp_path)
    names.lead_nowhere()
    know_by_name(state, SERVER)
    agent = Agent(scene.station, "qanat.console.station", "run", "--state", str(state), before=names.before)
    agent.wait_for("ready")
    names.lead_to(SERVER)
    until(lambda: SERVER in scene.station.run("nft", "list", "ruleset"))
    agent.stop()


def test_whoever_asks_while_the_dns_is_silent_is_told_so_before_the_connection_is_given_up(
    scene: Scene, state: Path, tmp_path: Path
) -> None:
    names = Names(tmp_path, resolvers=(FAR, SERVER))
    names.lead_to(SERVER)
    know_by_name(state, SERVER)
    silence_dns(scene.internet)
    command = ("qanat.console.station", "run", "--state", str(state))
    agent = Agent(scene.station, *command, before=names.before)
    agent.wait_for("ready")
    names.lead_nowhere()
    passcode = urlencode({"passcode": "PASS-1"}).encode()
    status, _, body = ask(scene.alice, "POST", "/join", passcode)
    assert (status, b"server_away" in body) == (403, True)
    agent.kill()
