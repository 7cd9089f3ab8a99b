"""The whole job of a cloud SIM, step by step, on real traffic: what ``make run`` shows and the end-to-end test checks.

Every step does something a person or a bad day does, waits until it can be seen to have happened, and says in octets
what came of it. A step that fails raises a Fault; nothing goes on after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from qanat.agents.kernel.link import UpDown
from qanat.agents.terminal.gate import NOTHING, Reading
from qanat.lab.namespaces import CommandFailed, LabFault
from qanat.lab.programs import Program
from qanat.lab.report import Counts
from qanat.lab.screen import Screen, sentence, size
from qanat.lab.stage import SUBSCRIBER, Json, Stage
from qanat.lab.topology import Lab
from qanat.lab.traffic import Download
from qanat.lab.waiting import until
from qanat.system import fresh_code
from qanat.units import Octets, format_money

PLAN: Final = "trip"
CELL, WIFI = "cell0", "wifi0"


class Scenario:
    def __init__(self, stage: Stage, lab: Lab, screen: Screen) -> None:
        self._stage = stage
        self._lab = lab
        self._screen = screen
        self._bought = 0
        self._kernel_before = NOTHING

    def steps(self) -> dict[str, Callable[[], None]]:
        return {
            "Start the server, with cloud SIMs and a plan on sale": self.start_server,
            "A subscriber signs up; her terminal enrols and is lent a cloud SIM": self.enrol,
            "She buys a plan": self.buy,
            "Go online within quotas: download and upload real files": self.go_online,
            "Switch to another network: what is left goes home": self.switch_network,
            "Kill the agent (kill -9) in mid-download, and recover": self.crash,
            "Lose every network in mid-download, and report late over another channel": self.report_late,
            "Use the plan up: the kernel stops the download, the server says why": self.use_up,
            "Buy again: the same download goes on by itself": self.buy_again,
            "Stop the agent: the remainder goes home": self.stop,
        }

    # The steps

    def start_server(self) -> None:
        self._screen.typed("serve", "--data", str(self._stage.data))
        self._stage.start_server()
        self._type("sim", "make", "--count", "10")
        terms = ("--octets", "40MB", "--valid-days", "7", "--price", "5.00", "--quota", "2MB")
        plan = self._type("plan", "create", PLAN, *terms)
        self._say(
            f"The server keeps its books in SQLite. Plan {PLAN!r} holds {size(plan['octets'])}, "
            f"handed out in quotas of {size(plan['quota'])} and more."
        )

    def enrol(self) -> None:
        self._screen.typed("sign-up", SUBSCRIBER)
        self._stage.sign_up(fresh_code())
        code = self._type_as_subscriber("terminal", "code")["code"]
        words = ("enrol", "--server", self._stage.server_url, "--code", code, "--interface", CELL, "--channel", WIFI)
        self._screen.typed("terminal", *words)
        identity = self._stage.terminal(*words)
        sim = identity["sim"]
        self._say(
            f"{identity['terminal']} is bound to {identity['subscriber']}; its cloud SIM from the pool: "
            f"ICCID {sim['iccid']}, IMSI {sim['imsi']}."
        )
        self._say(f"The same code from another device is refused: {self._refused_enrolment(words)}")

    def buy(self) -> None:
        self._type("pay-in", "--subscriber", SUBSCRIBER, "--amount", "20")
        self._buy()
        balance = self._stage.balance()
        self._say(f"Available: {size(balance['available'])}; {_wallet(balance)} are left in her wallet.")

    def go_online(self) -> None:
        self._screen.typed("terminal", "run")
        self._kernel_before = self._stage.kernel()
        agent = self._stage.start_agent()
        self._say(sentence(agent.events("terminal agent started")[-1]["gate"]))
        until(lambda: agent.events("quota granted"), "a quota is granted")
        for file in ("page.html", "song.ogg"):
            octets = self._download(file).finish()
            self._say(f"Downloaded {file}: {size(octets)}.")
        self._say(f"Uploaded a video: {size(self._stage.upload('video.mp4', 3_000_000))}.")
        self._say_booked(f"{len(agent.events('quota granted'))} quotas were granted on the way")

    def switch_network(self) -> None:
        agent = self._agent()
        self._lab.leave(CELL)
        until(lambda: self._stage.balance()["reserved"] == 0, "nothing is reserved any more")
        returned = agent.events("quota returned")
        left = sum(event["returned"] for event in returned)
        passed = self._stage.gate().passed.total
        octets = self._download("photo.jpg").finish()
        charged = self._stage.gate().passed.total - passed
        self._say(f"The terminal left {CELL}: {size(left)} went back, nothing stays reserved.")
        self._say(f"Downloaded photo.jpg over {WIFI}: {size(octets)}, of which {charged} are charged.")
        self._with_a_new_quota(self._lab.come_back)
        self._say_booked(f"Back on {CELL} with a new quota")

    def crash(self) -> None:
        film = self._download("film.mp4")
        film.reach(8_000_000)
        self._agent().kill()
        at_death = self._stage.gate().passed.total
        self._say(f"The agent died after {size(at_death)}; the gate stays in the kernel.")
        dropped = self._stage.gate().refused.total
        until(lambda: self._stage.gate().refused.total > dropped, "the gate shuts at its ceiling")
        alone = self._stage.gate().passed.total - at_death
        self._say(f"Alone it let {size(alone)} more pass, up to what the journal had allowed, and shut.")
        agent = self._stage.start_agent()
        film.finish()
        self._say(f"A new agent took gate and journal up, and film.mp4 came whole: {size(film.size)}.")
        self._say_booked(f"{len(agent.events('quota granted'))} more quotas were granted")

    def report_late(self) -> None:
        agent = self._agent()
        while not (unknown := self._lose_every_network()):
            # All that had passed was reported: the gate waited for its next quota, or no more than an answer was lost.
            self._lab.mend(WIFI)
            self._with_a_new_quota(self._lab.mend)
        self._say(f"No channel works: {size(unknown)} wait in the usage journal, unknown to the server.")
        reports = len(agent.events("usage reported"))
        self._lab.mend(WIFI)
        late = until(lambda: agent.events("usage reported")[reports:], "the late report arrives")
        self._say_booked(f"{WIFI} is back, and the report came late over {late[0]['channel']}")
        self._with_a_new_quota(self._lab.mend)

    def use_up(self) -> None:
        agent = self._agent()
        self._film = self._download("film.mp4")
        refusal = until(lambda: agent.events("refused"), "the agent is refused")[-1]
        balance = self._booked()
        stood = self._film.received
        self._say(f"Refused ({refusal['reason']}): {refusal['sentence']}")
        self._say(f"Cure: {refusal['cure']}")
        self._say(
            f"Used {size(balance['used'])} of {size(self._bought)}: {self._bought - balance['used']:,} octets are left, "
            f"less than a packet, and none is owed. The download waits at {size(stood)}."
        )
        if self._film.is_complete:
            raise LabFault("the download was to be stopped, and was not")

    def buy_again(self) -> None:
        self._buy()
        self._follow(self._film)
        self._film.finish()
        self._say(f"film.mp4 came whole: {size(self._film.size)}.")
        self._say_booked("Bought, noticed by the agent, and granted")

    def stop(self) -> None:
        before = len(self._agent().events("quota returned"))
        self._agent().stop()
        balance = self._booked()
        if balance["reserved"]:
            raise LabFault(f"{balance['reserved']} octets are still reserved")
        returned = sum(event["returned"] for event in self._agent().events("quota returned")[before:])
        self._say(f"{size(returned)} went back; {size(balance['available'])} are there for the next time.")

    # What it came to

    def counts(self) -> Counts:
        kernel, gate = self._stage.kernel_and_gate()
        return counts_of(self._stage, kernel=_since(self._kernel_before, kernel), gate=gate, bought=self._bought)

    # Helpers

    def _lose_every_network(self) -> Octets:
        """Cut both networks in mid-download and return what the journal then knows and the server does not.

        It is a slow one, of several intervals: neither is it through, nor is its quota, before they are cut.
        The journal may hold back more: of a report whose answer was on its way it can't tell that it arrived.
        """
        agent = self._agent()
        failures = len(agent.events("server not reached"))
        radio = self._download("radio.ogg")
        radio.reach(1_000_000)
        self._lab.cut(WIFI)
        self._lab.cut(CELL)
        until(lambda: agent.events("server not reached")[failures:], "the agent finds no channel")
        radio.abandon()
        until(self._journal_knows_all, "the journal knows of all that passed")
        return Octets(self._stage.gate().passed.total - int(self._stage.balance()["used"]))

    def _journal_knows_all(self) -> bool:
        return self._stage.journaled() == self._stage.gate().passed

    def _refused_enrolment(self, words: Sequence[str]) -> str:
        try:
            self._stage.terminal(*words, state=self._stage.folder / "stranger")
        except CommandFailed as refused:
            return refused.said.removeprefix("qanat terminal: ")
        raise LabFault("an enrolment code was good twice")

    def _download(self, file: str) -> Download:
        download = self._stage.download(file)
        self._follow(download)
        return download

    def _follow(self, download: Download) -> None:
        self._screen.follow(lambda: f"{download.file}: {download.received:,} of {download.size:,} octets have arrived")

    def _agent(self) -> Program:
        assert self._stage.agent is not None, "the agent was started before"
        return self._stage.agent

    def _say(self, sentence: str) -> None:
        self._screen.say(sentence)

    def _say_booked(self, sentence: str) -> None:
        booked = self._booked()["used"]
        self._say(f"{sentence}. The gate passed {size(booked)} so far, and the server has booked just as many.")

    def _booked(self) -> Json:
        return self._stage.booked()

    def _type(self, *words: str) -> Json:
        self._screen.typed(*words)
        return self._stage.qanat(*words)

    def _type_as_subscriber(self, *words: str) -> Json:
        self._screen.typed(*words)
        return self._stage.as_subscriber(*words)

    def _buy(self) -> None:
        self._bought += self._type_as_subscriber("buy", "--plan", PLAN)["size"]

    def _with_a_new_quota(self, bring_back: Callable[[str], None]) -> None:
        agent = self._agent()
        before = len(agent.events("quota granted"))
        bring_back(CELL)
        until(lambda: len(agent.events("quota granted")) > before, "a quota is granted")


def counts_of(stage: Stage, *, kernel: UpDown, gate: Reading | None, bought: int) -> Counts:
    balance = stage.balance()
    return Counts(
        kernel=kernel,
        lost_packets=stage.lost_packets(),
        gate=gate,
        journal=stage.journaled(),
        unreported=Octets(stage.terminal("status")["unreported"]),
        bought=Octets(bought),
        used=Octets(balance["used"]),
        available=Octets(balance["available"]),
        reserved=Octets(balance["reserved"]),
        debt=Octets(balance["debt"]),
    )


def _since(before: UpDown, now: UpDown) -> UpDown:
    return UpDown(up=Octets(now.up - before.up), down=Octets(now.down - before.down))


def _wallet(balance: Json) -> str:
    wallet = balance["wallets"][0]
    return format_money(wallet["balance"], wallet["currency"])
