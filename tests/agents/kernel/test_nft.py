"""nftables objects: what is written over netlink is what ``nft -j`` reads, and the other way round."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.namespaces import Namespace

from qanat.agents.kernel import nft
from qanat.agents.kernel.nft import Counter, Depletions, Nft, Quota, Table
from qanat.units import Octets

pytestmark = pytest.mark.namespaces

TABLE = Table(nft.IP, "room")
KEY = socket.inet_aton("10.0.0.7")
RULES = """
table ip room { comment "laid by a test"; }
table ip room {
  quota half { 1000 bytes used 250 bytes }
  counter some { packets 3 bytes 4321 }
  map a_of { type ipv4_addr : quota; }
  map up_of { type ipv4_addr : counter; }
  set servers { type ipv4_addr . inet_service; elements = { 10.1.2.3 . 443 } }
  chain out {
    type filter hook output priority 0; policy accept;
    quota name ip daddr map @a_of counter name ip daddr map @up_of accept
    ip daddr 127.0.0.2 quota name "half" accept
  }
}
"""


@pytest.fixture
def kernel(namespace: Namespace, tmp_path: Any) -> Iterator[Nft]:
    rules = tmp_path / "rules.nft"
    rules.write_text(RULES)
    namespace.run("nft", "-f", str(rules))
    with namespace.inside():
        opened = Nft()
    with closing(opened):
        yield opened


def listed(namespace: Namespace, kind: str) -> list[dict[str, Any]]:
    objects = json.loads(namespace.run("nft", "-j", "list", "ruleset"))["nftables"]
    return [each[kind] for each in objects if kind in each]


def test_what_the_command_laid_is_read_back(kernel: Nft) -> None:
    assert kernel.quotas(TABLE) == {"half": Quota(limit=Octets(1000), used=Octets(250), depleted=False)}
    assert kernel.counters(TABLE) == {"some": Counter(Octets(4321), 3)}
    assert kernel.counter(TABLE, "some") == Counter(Octets(4321), 3)
    assert kernel.elements(TABLE, "servers") == {socket.inet_aton("10.1.2.3") + b"\x01\xbb\0\0": None}
    assert kernel.comment(TABLE) == "laid by a test"


def test_what_is_written_is_what_the_command_lists(kernel: Nft, namespace: Namespace) -> None:
    kernel.commit(
        [
            TABLE.add_quota("grant-1", limit=Octets(2**40), used=Octets(17)),
            TABLE.add_counter("up-1"),
            TABLE.add_element("a_of", KEY, target="grant-1"),
            TABLE.add_element("up_of", KEY, target="up-1"),
            TABLE.add_element("servers", socket.inet_aton("192.0.2.1") + b"\x1f\x90\0\0"),
        ]
    )
    quota = next(each for each in listed(namespace, "quota") if each["name"] == "grant-1")
    assert (quota["bytes"], quota["used"], quota["inv"]) == (2**40, 17, False)
    assert {"up-1", "some"} == {each["name"] for each in listed(namespace, "counter")}
    maps = {each["name"]: each.get("elem") for each in listed(namespace, "map")}
    assert maps == {"a_of": [["10.0.0.7", "grant-1"]], "up_of": [["10.0.0.7", "up-1"]]}
    (servers,) = listed(namespace, "set")
    assert {"concat": ["192.0.2.1", 8080]} in servers["elem"]
    assert kernel.elements(TABLE, "a_of") == {KEY: "grant-1"}


def test_what_is_deleted_is_gone(kernel: Nft, namespace: Namespace) -> None:
    kernel.commit([TABLE.add_quota("q", limit=Octets(5)), TABLE.add_element("a_of", KEY, target="q")])
    kernel.commit([TABLE.delete_element("a_of", KEY), TABLE.delete_quota("q"), TABLE.delete_counter("some")])
    assert [each["name"] for each in listed(namespace, "quota")] == ["half"]
    assert listed(namespace, "counter") == []
    kernel.commit([TABLE.delete()])
    assert namespace.run("nft", "list", "ruleset") == ""


def test_a_dry_quota_is_heard_once_by_name_and_reads_as_depleted(kernel: Nft, namespace: Namespace) -> None:
    with namespace.inside():
        hearing = Depletions(TABLE)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with closing(hearing), sender:
        sender.sendto(bytes(720), ("127.0.0.2", 9))
        assert hearing.take() == []
        for _ in range(3):
            sender.sendto(b"x", ("127.0.0.2", 9))
        assert hearing.take() == ["half"]
        assert kernel.quota(TABLE, "half").depleted


def test_a_thousand_objects_are_read_in_one_dump(kernel: Nft) -> None:
    names = [f"c{number}" for number in range(1000)]
    kernel.commit([TABLE.add_counter(name) for name in names])
    assert set(kernel.counters(TABLE)) == {"some", *names}
