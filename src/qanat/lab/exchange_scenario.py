"""Chapter B, step by step: people of two operators go online on each other's traffic at a real base station.

Goes on where chapter A left the server. Alice and carol belong to operator north; alice supplies, and the base station is
carol's. Bob and dora belong to south; bob comes with his terminal, dora with a browser. A step that fails raises a Fault;
nothing goes on after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qanat.lab.exchange_report import TradeCounts, periods
from qanat.lab.exchange_stage import BASE_STATION, GUEST, LAPTOP, PHONE, PORTAL_URL, ExchangeStage
from qanat.lab.namespaces import LabFault
from qanat.lab.programs import Program
from qanat.lab.screen import Screen, sentence, size
from qanat.lab.stage import Json, Stage
from qanat.lab.topology import ACCESS, UPLINK
from qanat.lab.traffic import Download
from qanat.lab.waiting import until
from qanat.system import SystemClock
from qanat.units import format_money

OPERATORS: Final = {"north": "02", "south": "03"}
"""With their mobile network codes, which their cloud SIMs bear."""
PEOPLE: Final = {"alice": "north", "carol": "north", "bob": "south", "dora": "south"}
PLAN: Final = "city"
WRONG_PASSCODE: Final = "AAAA-AAAA-AAAA"


class ExchangeScenario:
    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage = stage
        self._exchange = ExchangeStage(stage)
        self._screen = screen
        self._codes: dict[str, str] = {}
        self._trades: dict[str, str] = {}
        """What each trade is called in the reckoning."""
        self._base_station_id = ""

    def steps(self) -> dict[str, Callable[[], None]]:
        return {
            "Two operators, their people, a supplier with a plan": self.gather,
            "A base station: it enrols, shuts its gate, and a terminal enrols through it": self.open_base_station,
            "No order, no drain: each refusal with its reason and its cure": self.refuse,
            "A terminal goes online on somebody else's traffic": self.go_online,
            "Kill the base station's agent (kill -9) in mid-download, and start it again": self.crash,
            "The supplier stops her order in mid-download": self.stop_order,
            "A plain browser: captive page, passcode, an order's end to the octet": self.browse,
            "Offset: what he receives later pays for what he supplied": self.offset,
            "A terminal and a base station are revoked": self.revoke,
            "Stop the base station": self.stop,
        }

    # The steps

    def gather(self) -> None:
        for operator, network in OPERATORS.items():
            self._type("operator", "create", operator)
            numbers = {"imsi_prefix": f"001{network}", "issuer": f"890{network}"}
            self._stage.do("/v1/sims", count=2, operator=operator, **numbers)
        for name, operator in PEOPLE.items():
            self._type("subscriber", "create", name, "--operator", operator)
            self._codes[name] = self._stage.ask(f"/v1/subscribers/{name}/identity")["code"]
        terms = ("--octets", "60MB", "--valid-days", "30", "--price", "6.00", "--quota", "2MB", "--operator", "north")
        self._type("plan", "create", PLAN, *terms)
        self._stage.do("/v1/subscribers/alice/pay-ins", amount=1000)
        bought = self._type("buy", "--subscriber", "alice", "--plan", PLAN)["size"]
        enrolled = self._enrol_terminal(PHONE, subscriber="alice", interface="cell0")
        self._say(
            f"alice owns {size(bought)} and terminal {enrolled['terminal']}; her identity code: {self._codes['alice']}."
        )

    def open_base_station(self) -> None:
        code = self._type("station", "code", "--subscriber", "carol")["code"]
        words = ("--server", self._stage.server_url, "--code", code, "--access", ACCESS, "--uplink", UPLINK)
        self._screen.typed("station", "enrol", *words, "--place", "'Market square'")
        enrolled = self._exchange.enrol_base_station(*words, "--place", "Market square")
        self._codes[BASE_STATION], self._base_station_id = enrolled["identity"], enrolled["base_station"]
        self._screen.typed("station", "run")
        self._exchange.start_base_station()
        self._say(f"{enrolled['base_station']} of carol serves; the code on its wall: {enrolled['identity']}.")
        terminal = self._enrol_terminal(GUEST, subscriber="bob", interface="lan0")["terminal"]
        self._say(f"{terminal} of bob enrolled through the shut gate: the way to the server is free, nothing else is.")

    def refuse(self) -> None:
        passcode = self._demand("dora", "--octets", "10MB", "--price", "20.00")
        self._refused("a wrong passcode", WRONG_PASSCODE, "alice")
        self._refused("a misspelt code", passcode, _misspelt(self._codes["alice"]))
        self._refused("a base station's code for a supplier's", passcode, BASE_STATION)
        self._refused("nobody named, nobody on offer", passcode)
        self._refused("a supplier without an order", passcode, "carol")
        self._offer("alice", "--octets", "55MB", "--to", "bob")
        self._refused("an order for somebody else", passcode, "alice")
        self._offer("carol", "--octets", "5MB", "--price", "500.00")
        self._refused("a price beyond her own", passcode, "carol")
        order = self._offer("bob", "--octets", "5MB", "--operator", "south")
        self._refused("an order for another operator's base stations", passcode, "bob")
        self._stop_order(order, "bob")
        order = self._offer("bob", "--octets", "5MB")
        self._refused("a supplier with nothing left", passcode, "bob")
        self._stop_order(order, "bob")
        self._refused("a stopped order", passcode, "bob")
        self._refused("one's own traffic", self._demand("bob", "--octets", "1MB"), "bob")
        self._stage.do("/v1/subscribers/dora/status", status="suspended")
        self._refused("a suspended demander", passcode, "alice")
        self._stage.do("/v1/subscribers/dora/status", status="active")
        self._stage.do("/v1/subscribers/carol/identity/revocation")
        self._refused("a code that was replaced", passcode, "carol")

    def go_online(self) -> None:
        self._join("bob from alice")
        for file in ("page.html", "photo.jpg"):
            self._say(f"Downloaded {file} through the base station: {size(self._download(GUEST, file).finish())}.")
        listed = self._type("sessions")["sessions"]
        running = next(one for one in listed if one["session"] == self._trade)
        self._say(f"It is one of the server's sessions: {running['state']}, {size(running['used'])} posted so far.")

    def crash(self) -> None:
        film = self._download(GUEST, "film.mp4")
        film.reach(5_000_000)
        self._base_station().kill()
        at_death = self._exchange.passed()
        dropped = self._exchange.refused_on_the_way_down()
        until(lambda: self._exchange.refused_on_the_way_down() > dropped, "the gate shuts at its last grant")
        alone = self._exchange.passed() - at_death
        self._say(f"Dead after {size(at_death)}; the kernel let {size(alone)} more pass, as granted, and shut.")
        agent = self._exchange.start_base_station()
        film.finish()
        found = agent.events("base station runs")[-1]["sessions"]
        self._say(
            f"A new agent found {found} session in kernel and journal, and film.mp4 came whole: {size(film.size)}."
        )

    def stop_order(self) -> None:
        film = self._download(GUEST, "film.mp4")
        film.reach(4_000_000)
        order = self._exchange.trade(self._trade)["order"]
        self._type("supply", "stop", order, "--subscriber", "alice")
        ended = self._exchange.ended(self._trade)
        film.abandon()
        refusal = self._exchange.here(GUEST)["refusal"]
        self._say(f"The terminal is told ({refusal['reason']}): {refusal['sentence']} {refusal['cure']}")
        self._say(
            f"The gate shut at {size(ended['octets'])}; {self._exchange.reserved('alice'):,} octets stay reserved."
        )
        why = self._type("why", self._trade)
        self._say(f"It is on record: {', '.join(one['reason'] for one in why['refusals'])}.")

    def browse(self) -> None:
        self._say(f"Whoever opens a page is led to {self._exchange.browse('/page.html')}.")
        self._offer("alice", "--octets", "1500kB", "--price", "80.00")
        passcode = self._demand("dora", "--octets", "10MB", "--price", "100.00")
        session = self._fill_in("dora from alice", passcode)
        price = format_money(session["price_per_gb"], session["currency"])
        self._say(f"dora is online in her browser for {price} a GB.")
        self._say(f"Downloaded page.html: {size(self._download(LAPTOP, 'page.html').finish())}.")
        photo = self._download(LAPTOP, "photo.jpg")
        refusal = until(self._refusal_of_laptop, "the order is used up")
        photo.abandon()
        ended = self._exchange.ended(self._trade)
        self._say(f"Then ({refusal['reason']}): {refusal['sentence']} {refusal['cure']}")
        self._say(f"1,500,000 octets were hers, {ended['octets']:,} passed, not one too many.")

    def offset(self) -> None:
        self._say(f"Before: {self._owed('alice', 'bob')}.")
        self._type("top-up", "--subscriber", "bob", "--octets", "20MB")
        self._offer("bob", "--octets", "10MB", "--to", "alice")
        passcode = self._demand("alice", "--octets", "10MB")
        self._fill_in("alice from bob", passcode, "bob")
        self._say(f"alice, at the laptop, downloaded song.ogg: {size(self._download(LAPTOP, 'song.ogg').finish())}.")
        self._exchange.press_leave()
        received = self._exchange.ended(self._trade)["octets"]
        self._screen.typed("trades", "--statement", "--subscriber", "alice")
        self._say(f"She received {size(received)} and owes nothing for it: that much of what bob owes her is offset.")
        self._say(f"After: {self._owed('alice', 'bob')}.")

    def revoke(self) -> None:
        self._offer("alice", "--octets", "5MB", "--to", "bob")
        terminal, base_station = self._exchange.trade(next(iter(self._trades)))["terminal"], self._base_station_id
        self._type("terminal", "revoke", terminal)
        self._say(f"His terminal is refused: {self._exchange.refused_join('--station', PORTAL_URL)}")
        self._type("station", "revoke", base_station)
        self._refused("everybody there", self._demand("bob", "--octets", "1MB"), "alice")

    def stop(self) -> None:
        base_station = self._base_station()
        base_station.stop()
        status = self._stage.device(BASE_STATION, "station", "status", state=self._stage.folder / BASE_STATION)
        if status["trades"] or status["unreported"]:
            raise LabFault(f"the base station holds back {status['unreported']} octets of {status['trades']}")
        self._say("Nothing is left in its journal; the gate stays shut behind it.")

    # What it came to

    def counts(self) -> list[TradeCounts]:
        return [self._exchange.counts(who, trade) for trade, who in self._trades.items()]

    def settlements(self) -> list[Json]:
        """Settle every period the trades fell into: two, when a month has ended meanwhile."""
        ended = [self._exchange.trade(trade)["ended_at"] for trade in self._trades]
        return [self._type("settle", "--period", period) for period in periods(ended, now=SystemClock().now())]

    # Helpers

    @property
    def _trade(self) -> str:
        """The last one."""
        return next(reversed(self._trades))

    def _enrol_terminal(self, host: str, *, subscriber: str, interface: str) -> Json:
        code = self._stage.do(f"/v1/subscribers/{subscriber}/codes")["code"]
        words = ("--server", self._stage.server_url, "--code", code, "--interface", interface)
        self._screen.typed("terminal", "enrol", *words)
        return self._exchange.enrol_terminal(host, *words)

    def _offer(self, name: str, *terms: str) -> str:
        order: str = self._type("supply", "offer", "--subscriber", name, *terms)["order"]
        return order

    def _stop_order(self, order: str, name: str) -> None:
        self._stage.do(f"/v1/subscribers/{name}/supply-orders/{order}/stop")

    def _demand(self, name: str, *terms: str) -> str:
        passcode: str = self._type("demand", "open", "--subscriber", name, *terms)["passcode"]
        return passcode

    def _refused(self, case: str, passcode: str, supplier: str = "") -> None:
        here = self._exchange.fill_in(passcode=passcode, supplier=self._codes.get(supplier, supplier))
        if here["session"] is not None or here["refusal"] is None:
            raise LabFault(f"{case} was to be refused, and was not")
        refusal = here["refusal"]
        self._say(f"{sentence(case)[:-1]} ({refusal['reason']}): {refusal['sentence']} {refusal['cure']}")

    def _join(self, who: str) -> None:
        words = ("--station", PORTAL_URL, "--supplier", self._codes["alice"])
        self._screen.typed("terminal", "join", *words)
        trade = self._exchange.join(*words)
        self._trades[trade] = who
        bound = self._exchange.bound(trade)
        self._say(
            f"bob, alice, their terminals and carol's base station are in order: {trade} is open for {size(bound)}."
        )

    def _fill_in(self, who: str, passcode: str, supplier: str = "") -> Json:
        here = self._exchange.fill_in(passcode=passcode, supplier=self._codes.get(supplier, supplier))
        session: Json | None = here["session"]
        if session is None:
            raise LabFault(f"the base station refused: {here['refusal']}")
        self._trades[session["trade"]] = who
        return session

    def _refusal_of_laptop(self) -> Json | None:
        refusal: Json | None = self._exchange.here(LAPTOP)["refusal"]
        return refusal

    def _owed(self, name: str, other: str) -> str:
        """Say what stands between two people."""
        path = f"/v1/subscribers/{name}/statement"
        found = next(one for one in self._stage.ask(path)["statements"] if one["other"] == other)
        net = found["net"].get("octets", 0)
        debtor, creditor = (other, name) if net > 0 else (name, other)
        return f"{debtor} owes {creditor} {size(abs(net))}"

    def _download(self, host: str, file: str) -> Download:
        download = self._exchange.download(host, file)
        self._screen.follow(lambda: f"{file}: {download.received:,} of {download.size:,} octets have arrived")
        return download

    def _base_station(self) -> Program:
        return self._stage.programs[BASE_STATION]

    def _say(self, sentence: str) -> None:
        self._screen.say(sentence)

    def _type(self, *words: str) -> Json:
        self._screen.typed(*words)
        return self._stage.qanat(*words)


def _misspelt(code: str) -> str:
    """Swap the last two different characters, as people do."""
    for at in range(len(code) - 1, 0, -1):
        if code[at] != code[at - 1] and "-" not in code[at - 1 : at + 1]:
            return code[: at - 1] + code[at] + code[at - 1] + code[at + 1 :]
    raise AssertionError("a code has two different characters beside each other")
