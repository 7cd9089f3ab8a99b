"""The show where network namespaces are not permitted: a real transfer over loopback, metered but not gated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qanat.agents.kernel.link import UpDown
from qanat.lab.programs import Program
from qanat.lab.report import Counts
from qanat.lab.scenario import PLAN
from qanat.lab.screen import Screen, sentence, size
from qanat.lab.stage import SUBSCRIBER, Stage
from qanat.lab.waiting import until
from qanat.system import fresh_code
from qanat.units import Octets

_ENDED: Final = {"quota used up": "octets", "quota ended": "used"}


class Loopback:
    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage = stage
        self._screen = screen
        self._bought = 0
        self._before = self._after = UpDown(Octets(0), Octets(0))

    def steps(self) -> dict[str, Callable[[], None]]:
        return {
            "Start the server; loopback is metered, without the gate": self.start_server,
            "A subscriber signs up, her terminal enrols, she buys a plan": self.enrol,
            "Download real files through quotas": self.go_online,
            "Stop the agent: the remainder goes home": self.stop,
        }

    def start_server(self) -> None:
        self._stage.start_server()
        self._stage.qanat("sim", "make", "--count", "10")
        terms = ("--octets", "200MB", "--valid-days", "7", "--price", "0", "--quota", "2MB")
        self._stage.qanat("plan", "create", PLAN, *terms)
        self._screen.say(f"The server listens at {self._stage.server_url} and keeps its books in SQLite.")

    def enrol(self) -> None:
        self._stage.sign_up(fresh_code())
        code = self._stage.as_subscriber("terminal", "code")["code"]
        words = ("--server", self._stage.server_url, "--code", code, "--interface", self._stage.interface)
        identity = self._stage.terminal("enrol", *words)
        self._bought = self._stage.as_subscriber("buy", "--plan", PLAN)["size"]
        self._screen.say(
            f"{identity['terminal']} has cloud SIM {identity['sim']['iccid']}; {SUBSCRIBER} bought {size(self._bought)}."
        )

    def go_online(self) -> None:
        self._before = self._stage.kernel()
        agent = self._stage.start_agent()
        self._screen.say(sentence(agent.events("terminal agent started")[-1]["gate"]))
        until(lambda: agent.events("quota granted"), "a quota is granted")
        for file in ("page.html", "song.ogg"):
            self._screen.say(f"Downloaded {file}: {size(self._stage.download(file).finish())}.")
        self._screen.say(
            f"{len(agent.events('quota granted'))} quotas were granted; loopback counts each octet going and coming."
        )

    def stop(self) -> None:
        self._agent().stop()
        self._after = self._stage.kernel()
        self._screen.say(f"The server has booked {size(self._stage.balance()['used'])}.")

    def counts(self) -> Counts:
        balance = self._stage.balance()
        return Counts(
            kernel=UpDown(
                up=Octets(self._after.up - self._before.up), down=Octets(self._after.down - self._before.down)
            ),
            lost_packets=0,
            gate=None,
            journal=_charged(self._agent()),
            unreported=Octets(self._stage.terminal("status")["unreported"]),
            bought=Octets(self._bought),
            used=Octets(balance["used"]),
            available=Octets(balance["available"]),
            reserved=Octets(balance["reserved"]),
            debt=Octets(balance["debt"]),
        )

    def _agent(self) -> Program:
        assert self._stage.agent is not None, "the agent was started before"
        return self._stage.agent


def _charged(agent: Program) -> UpDown:
    """Add up what each quota was charged when it ended: an interface's own count begins long before the agent."""
    charged = {event["quota"]: event[figure] for name, figure in _ENDED.items() for event in agent.events(name)}
    return UpDown(up=Octets(0), down=Octets(sum(charged.values())))
