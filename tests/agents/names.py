"""Names as one process finds them: a hosts file and a resolver of its own, and a DNS that says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.namespaces import Namespace

NAME: Final = "qanat.test"


class Names:
    """Run a command behind ``before`` and it reads our files; what they say can change while it runs."""

    def __init__(self, folder: Path, *, resolvers: tuple[str, ...] = ()) -> None:
        self._hosts = folder / "hosts"
        self.before = _in_place_of("/etc/hosts", self._hosts)
        if resolvers:
            resolver = folder / "resolv.conf"
            resolver.write_text("".join(f"nameserver {address}\n" for address in resolvers))
            self.before += _in_place_of("/etc/resolv.conf", resolver)

    def lead_to(self, address: str) -> None:
        self._hosts.write_text(f"{address} {NAME}\n")

    def lead_nowhere(self) -> None:
        self._hosts.write_text("")


def know_by_name(state: Path, server: str) -> None:
    """Have an enrolled agent know its server by name instead of by address."""
    identity = state / "identity.json"
    identity.write_text(identity.read_text().replace(server, NAME))


def silence_dns(internet: Namespace) -> None:
    chain = "type filter hook input priority 0; udp dport 53 drop;"
    internet.run("nft", f"add table inet silent {{ chain in {{ {chain} }}; }}")


def _in_place_of(system: str, file: Path) -> tuple[str, ...]:
    mounted = f'mount --bind "$1" {system} && shift && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", mounted, "sh", str(file))
