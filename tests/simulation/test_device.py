"""A simulated device does what the agent does."""

from __future__ import annotations

from random import Random

from qanat.clock import ManualClock
from qanat.simulation.agenda import Agenda
from qanat.simulation.device import Device
from qanat.simulation.disk import MemoryDisk
from qanat.simulation.road import Road
from qanat.simulation.server import Server
from qanat.simulation.surroundings import Surroundings
from qanat.simulation.tally import Tally
from qanat.simulation.truth import Truth
from qanat.simulation.world import POLICY
from qanat.units import MINUTE


def test_a_way_that_opens_is_tried_at_once() -> None:
    clock, tally, random = ManualClock(), Tally(), Random(1)
    agenda, truth = Agenda(clock), Truth(tally)
    road = Road(agenda, random, Server(clock, POLICY, truth, tally), tally)
    around = Surroundings(clock=clock, agenda=agenda, random=random, road=road, truth=truth, tally=tally)
    device = Device("t001", MemoryDisk(lambda prefix: f"{prefix}-1"), around, skew_ms=0)
    device.other_channel, device.is_walled_off = False, True
    device.start_agent()
    device.set_link(up=True)
    agenda.run_for(30 * MINUTE)
    assert device.events[-1][0] < clock.now()
    device.is_walled_off = False
    device.open_other_channel()
    assert device.events[-1] == (clock.now(), "asks first 0: rows []")
