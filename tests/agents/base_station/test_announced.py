"""The guide's lines for dnsmasq, run as they stand: a device learns of the portal, finds it, and asks it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.agents.base_station.fake_exchange import FakeExchange
from tests.agents.base_station.scene import STATION, STATION6, Scene, running
from tests.namespaces import Namespace
from tests.patience import PATIENCE_S

pytestmark = [
    pytest.mark.namespaces,
    pytest.mark.skipif(shutil.which("dnsmasq") is None, reason="needs dnsmasq: ./setup.sh test"),
]

GUIDE = Path(__file__).parents[3] / "docs/guides/captive-portal.md"
_OPTION4, _OPTION6, _A, _AAAA, _HTTPS = 114, 103, 1, 28, 65
_TRIES, _TRY_S = 40, 0.5
_transactions = count(7)


@contextmanager
def announcing(station: Namespace, folder: Path) -> Iterator[None]:
    """Run dnsmasq on the guide's lines; the other options only keep it from using this machine's files."""
    lines = re.search(r"(?ms)^```\n(interface=br0\n.*?)^```", GUIDE.read_text(encoding="utf-8"))
    assert lines is not None, "the guide has a block for dnsmasq"
    written = folder / "dnsmasq.conf"
    written.write_text(lines[1])
    own = ("--keep-in-foreground", "--user=root", "--pid-file=", "--leasefile-ro", "--no-hosts", "--no-resolv")
    with station.inside():
        process = subprocess.Popen(["dnsmasq", f"--conf-file={written}", *own], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_a_device_learns_of_the_portal_by_dhcp_finds_it_by_dns_and_asks_it_over_tls(
    scene: Scene, server: FakeExchange, state: Path, tmp_path: Path
) -> None:
    tls = ("--page-tls-port", "8943", "--page-name", "portal.example.net")
    with running(scene, state, *tls), announcing(scene.station, tmp_path):
        device, own = scene.alice, scene.link_addresses["alice"]
        told = by_dhcp4(device, own, [1, 3, 6, _OPTION4])[_OPTION4].decode()
        assert by_dhcp6(device, [23, _OPTION6])[_OPTION6].decode() == told
        assert _OPTION4 not in by_dhcp4(device, own, [1, 3, 6]), "who does not ask is not told"
        url = urlsplit(told)
        assert url.hostname is not None
        found = [resolved(device, url.hostname, kind) for kind in (_A, _AAAA, _HTTPS)]
        assert found == [ip_address(STATION).packed, ip_address(STATION6).packed, b""], "nothing is asked of the world"
        for address in (STATION, STATION6):
            trusting = ssl.create_default_context(cafile=state / "page.pem")
            with device.inside():
                plain = socket.create_connection((address, url.port), timeout=PATIENCE_S)
            with trusting.wrap_socket(plain, server_hostname=url.hostname) as end:
                end.sendall(f"GET {url.path} HTTP/1.1\r\nhost: {url.netloc}\r\n\r\n".encode())
                _, _, body = b"".join(iter(lambda: end.recv(65536), b"")).partition(b"\r\n\r\n")
            assert json.loads(body)["captive"] is True


# A device's side of DHCP and DNS


def by_dhcp4(device: Namespace, own: bytes, wanted: list[int]) -> dict[int, bytes]:
    """Return the options of an offer (RFC 2131 §2)."""
    head = struct.pack("!4BIHH16s6s202xI", 1, 1, 6, 0, next(_transactions), 0, 0x8000, bytes(16), own, 0x63825363)
    asked = head + bytes((53, 1, 1, 55, len(wanted), *wanted, 255))
    answer = ask(device, socket.AF_INET, 68, asked, lambda _: ("255.255.255.255", 67), transaction=slice(4, 8))[240:]
    found = {}
    while answer and answer[0] != 255:
        kind, length = answer[:2]
        found[kind], answer = answer[2 : 2 + length], answer[2 + length :]
    return found


def by_dhcp6(device: Namespace, wanted: list[int]) -> dict[int, bytes]:
    """Return the options that come without an address (RFC 8415 §18.2.6)."""
    own, codes = struct.pack("!HH6s", 3, 1, bytes(6)), struct.pack(f"!{len(wanted)}H", *wanted)
    asked = b"\x0b\0\0\x07" + b"".join(
        struct.pack("!HH", kind, len(value)) + value for kind, value in ((1, own), (6, codes))
    )
    answer = ask(
        device, socket.AF_INET6, 546, asked, lambda index: ("ff02::1:2", 547, 0, index), transaction=slice(1, 4)
    )[4:]
    found = {}
    while answer:
        kind, length = struct.unpack_from("!HH", answer)
        found[kind], answer = answer[4 : 4 + length], answer[4 + length :]
    return found


def resolved(device: Namespace, name: str, kind: int) -> bytes:
    """Return the data of the only record, or nothing when the name is known to have none (RFC 1035 §4)."""
    question = b"".join(bytes((len(part),)) + part.encode() for part in name.split(".")) + struct.pack("!xHH", kind, 1)
    asked = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + question
    answer = ask(device, socket.AF_INET, 0, asked, lambda _: (STATION, 53), transaction=slice(2))
    flags, _, records = struct.unpack_from("!3H", answer, 2)
    assert (flags & 15, records <= 1) == (0, True)
    return answer[len(asked) + 12 :] if records else b""


def ask(
    device: Namespace,
    family: socket.AddressFamily,
    port: int,
    asked: bytes,
    whom: Callable[[int], tuple[Any, ...]],
    *,
    transaction: slice,
) -> bytes:
    """Ask by UDP until somebody answers this; ``whom`` may need the interface's index.

    An answer repeats the octets of the ``transaction``: a late one to what was asked before does not.
    """
    with ExitStack() as open_:
        with device.inside():
            end = open_.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            index = socket.if_nametoindex("wlan0")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"wlan0")
        end.bind(("", port))
        end.settimeout(_TRY_S)
        for _ in range(_TRIES):
            end.sendto(asked, whom(index))
            with suppress(TimeoutError):
                while (answer := end.recv(2000))[transaction] != asked[transaction]:
                    pass
                return answer
    raise AssertionError(f"nobody answers at {whom(index)}")
