"""Any order of sending, raising, closing and dying: never an octet too many, never a packet too few."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.agents.conftest import World
from tests.traffic import datagrams

from qanat.agents.terminal.gate import GateEvent
from qanat.agents.terminal.kernel_gate import KernelGate
from qanat.units import Octets

HEADERS: Final = 28
LARGEST: Final = 1500 - HEADERS

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, LARGEST)),
        st.tuples(st.just("send"), st.integers(0, LARGEST)),
        st.tuples(st.just("raise"), st.integers(0, 6000)),
        st.tuples(st.just("listen"), st.just(0)),
        st.tuples(st.just("die"), st.just(0)),
        st.tuples(st.just("close"), st.just(0)),
    ),
    min_size=5,
    max_size=60,
)


class Terminal:
    """A gate, one UDP sender, and the model: what the sender got through, and what it was allowed."""

    def __init__(self, world: World, near: socket.socket) -> None:
        self._world, self._near = world, near
        self.allowed = 0
        self.sent = 0
        self.open()

    def open(self) -> None:
        with self._world.terminal.inside():
            self.gate = KernelGate("wwan0", signalling=[(ip_address("10.7.0.2"), 7443)])

    def send(self, octets: int) -> None:
        with suppress(PermissionError):
            self._near.send(bytes(octets))
            self.sent += HEADERS + octets

    def do(self, action: str, size: int) -> None:
        if action == "send":
            self.send(size)
        elif action == "raise":
            self.allowed = max(self.allowed, self.gate.ceiling) + size
            self.gate.raise_to(Octets(self.allowed))
        elif action == "listen":
            self.gate.take_events()
        elif action == "die":  # nothing is told to the kernel, as with kill -9
            self.gate.detach()
            self.open()
            self.gate.raise_to(Octets(max(self.allowed, self.gate.ceiling)))
        else:
            self.allowed = self.gate.close().passed.total

    def exhaust(self) -> None:
        """Send the largest packets until the gate says that it is shut."""
        while self.gate.ceiling - self.gate.reading().passed.total >= 1500:
            before = self.sent
            self.send(LARGEST)
            if self.sent == before:
                assert select.select([self.gate], [], [], 10)[0], "refused, but no rung said that it was dry"
                if GateEvent.SHUT in self.gate.take_events():
                    return


@pytest.mark.namespaces
def test_no_order_of_events_lets_an_octet_too_many_through_or_strands_a_packet(quiet_world: World) -> None:
    with datagrams(quiet_world.terminal, quiet_world.internet, "10.7.0.2") as (near, _):

        @settings(
            max_examples=40,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(ACTIONS)
        def play(actions: list[tuple[str, int]]) -> None:
            terminal = Terminal(quiet_world, near)
            for action, size in actions:
                terminal.do(action, size)
                passed = terminal.gate.reading().passed.total
                assert passed == terminal.sent
                assert passed <= terminal.allowed
            terminal.exhaust()
            assert 0 <= terminal.allowed - terminal.sent < 1500
            terminal.gate.remove()

        play()
