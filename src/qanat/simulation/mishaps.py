"""What goes wrong in a world, and when: every fault is drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from qanat.simulation.agenda import Agenda
from qanat.simulation.device import Device
from qanat.simulation.server import Server
from qanat.simulation.tally import Tally
from qanat.units import DAY, HOUR, MINUTE, SECOND

BETWEEN_MISHAPS_MS: Final = 4 * HOUR
IN_USE: Final = 0.7
"""The share of mishaps that wait until octets are passing."""
BETWEEN_SERVER_MISHAPS_MS: Final = 5 * HOUR


class Mishaps:
    """Befalls devices and the server until told to stop."""

    def __init__(self, agenda: Agenda, random: Random, server: Server, tally: Tally) -> None:
        self._agenda = agenda
        self._random = random
        self._server = server
        self._tally = tally
        self._is_over = False
        self._of_devices: Final[list[tuple[int, Callable[[Device], None]]]] = [
            (8, self._kill),
            (16, self._kill_between_actions),
            (8, Device.cut_power),
            (2, Device.wipe_journal),
            (4, Device.make_interface_anew),
            (3, Device.turn_counters_back),
            (8, self._fill_disk),
            (5, self._cut_off),
            (4, self._switch_off_for_long),
            (4, self._wall_off),
            (4, self._turn_clock),
        ]

    def begin(self, devices: list[Device]) -> None:
        for device in devices:
            self._later(BETWEEN_MISHAPS_MS, partial(self._befall, device))
        self._later(BETWEEN_SERVER_MISHAPS_MS, self._befall_server)

    def end(self) -> None:
        self._is_over = True

    def _later(self, mean_ms: int, act: Callable[[], None]) -> None:
        self._agenda.after(int(self._random.expovariate(1 / mean_ms)), lambda: None if self._is_over else act())

    def _befall(self, device: Device) -> None:
        weights = [weight for weight, _ in self._of_devices]
        _, mishap = self._random.choices(self._of_devices, weights)[0]
        if self._random.random() < IN_USE:
            device.ambush = lambda: None if self._is_over else mishap(device)
        else:
            mishap(device)
        self._later(BETWEEN_MISHAPS_MS, partial(self._befall, device))

    # Devices

    def _kill(self, device: Device) -> None:
        device.kill_agent()

    def _kill_between_actions(self, device: Device) -> None:
        device.dies_after = self._random.randrange(12)

    def _fill_disk(self, device: Device) -> None:
        device.disk.is_full = True
        self._agenda.after(self._span(2 * MINUTE), lambda: _empty(device))

    def _cut_off(self, device: Device) -> None:
        """No other way to the server for a while: only the cloud SIM is left."""
        device.other_channel = False
        self._agenda.after(self._span(6 * HOUR), lambda: _reconnect(device))

    def _switch_off_for_long(self, device: Device) -> None:
        """In a drawer for hours or days, and its reservations run out."""
        self._tally.count("terminals offline for long")
        device.other_channel = False
        device.set_link(up=False)
        device.holds_still = True
        self._agenda.after(self._span(DAY), lambda: _reconnect(device))

    def _wall_off(self, device: Device) -> None:
        device.is_walled_off = True
        self._agenda.after(self._span(HOUR), lambda: _let_through(device))

    def _turn_clock(self, device: Device) -> None:
        device.correct_clock(self._random.choice((-1, 1)) * self._span(self._random.choice((MINUTE, HOUR, DAY))))

    # The server

    def _befall_server(self) -> None:
        if self._random.random() < 0.5:
            self._crash_server()
        else:
            self._fill_server_disk()
        self._later(BETWEEN_SERVER_MISHAPS_MS, self._befall_server)

    def _crash_server(self) -> None:
        self._tally.count("server crashes")
        self._server.crash()
        self._agenda.after(self._span(self._random.choice((10 * SECOND, 10 * MINUTE))), self._server.restart)

    def _fill_server_disk(self) -> None:
        self._server.desk.is_full = True
        self._agenda.after(self._span(5 * MINUTE), self._empty_server)

    def _empty_server(self) -> None:
        self._server.desk.is_full = False

    def _span(self, mean_ms: int) -> int:
        return 1 + int(self._random.expovariate(1 / mean_ms))


def _empty(device: Device) -> None:
    device.disk.is_full = False


def _reconnect(device: Device) -> None:
    device.open_other_channel()
    device.holds_still = False


def _let_through(device: Device) -> None:
    device.is_walled_off = False
