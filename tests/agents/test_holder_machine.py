"""Any order of traffic, losses, repeats, crashes between any two actions, reboots and link changes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.agents.world import World

OCTETS = st.integers(0, 700_000)


class HolderMachine(RuleBasedStateMachine):
    """At the end the agent is started, given a perfect road, and stopped: then every octet was booked once."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(bought=st.integers(0, 8_000_000), quota=st.integers(1_000, 3_000_000))
    def begin(self, bought: int, quota: int) -> None:
        self.world = World(bought=bought, quota_octets=quota)
        self.world.start()

    @precondition(lambda self: self.world.holder is None)
    @rule()
    def start(self) -> None:
        self.world.start()

    @rule(up=OCTETS, down=OCTETS)
    def traffic(self, up: int, down: int) -> None:
        self.world.pass_octets(up=up, down=down)

    @rule(span_ms=st.sampled_from([10, 1_000, 10_000, 120_000, 4_000_000]))
    def time_passes(self, span_ms: int) -> None:
        self.world.wait(span_ms)

    @precondition(lambda self: self.world.road)
    @rule(times=st.integers(1, 2))
    def message_arrives(self, times: int) -> None:
        self.world.deliver(times=times)

    @precondition(lambda self: self.world.road)
    @rule()
    def answer_is_lost(self) -> None:
        self.world.deliver(answer_arrives=False)

    @precondition(lambda self: self.world.road)
    @rule()
    def message_is_lost(self) -> None:
        self.world.lose()

    @rule(actions=st.integers(0, 6))
    def crash_soon(self, actions: int) -> None:
        """The agent dies between two of the actions that it is about to carry out."""
        self.world.crash_in = actions

    @rule()
    def kill(self) -> None:
        self.world.crash()

    @rule()
    def power_cut(self) -> None:
        self.world.reboot()

    @rule(up=st.booleans())
    def link(self, up: bool) -> None:
        self.world.set_link(up=up)

    @rule(octets=st.integers(1, 5_000_000))
    def purchase(self, octets: int) -> None:
        self.world.operator.bought += octets

    @rule()
    def server_forgets_sessions(self) -> None:
        """Deadlines passed: what was reserved went home."""
        self.world.operator.sessions.clear()
        for quota in self.world.operator.quotas.values():
            quota.is_reserved = False

    @rule()
    def server_closes_sessions(self) -> None:
        self.world.operator.close_sessions()

    @invariant()
    def gate_is_never_above_the_journal(self) -> None:
        world = self.world
        allowed = sum(held.reserved - held.used for held in world.disk.quotas.values() if not held.ended)
        epoch = world.disk.epoch
        if epoch is not None and epoch.source == f"boot-{world.boot}":
            assert world.ceiling <= epoch.up + epoch.down + allowed

    @invariant()
    def nothing_is_booked_that_neither_passed_nor_was_lost_with_the_power(self) -> None:
        assert self.world.operator.used <= self.world.truth + self.world.chunks_lost

    @invariant()
    def journal_stays_small(self) -> None:
        assert len(self.world.disk.rows) <= 40

    def teardown(self) -> None:
        world = self.world
        world.crash()
        world.start()
        world.settle()
        world.stop()
        world.settle()
        for _ in range(3):
            world.wait(120_000)
            world.settle()
        assert world.truth <= world.operator.used <= world.truth + world.chunks_lost
        assert world.disk.rows == {}
        assert world.disk.quotas == {}
        assert world.disk.session is None
        assert not any(quota.is_reserved for quota in world.operator.quotas.values())
        assert world.operator.available == world.operator.bought - world.operator.used


TestHolder = HolderMachine.TestCase
TestHolder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
