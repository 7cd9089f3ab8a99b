"""The small honest operator as a base station meets it: admits, grants, recalls, and takes terminals' counts."""

from __future__ import annotations

import msgspec
from tests.agents.fake_server import FakeServer

from qanat.units import Instant
from qanat.wire.agent import Interrogation, Problem, UsageReport
from qanat.wire.base_station import (
    Admission,
    Admitted,
    BaseStationEnrolled,
    BaseStationEnrolment,
    OwnIdentities,
    Presentation,
    Recalls,
    TradeCount,
    TradeCounted,
    read_presentation,
)

NO_SUPPLY = Problem(
    status=404,
    reason="no_supply",
    detail="Nobody supplies traffic here.",
    cure="Ask somebody for an offer.",
    detail_zh="这里没有供应方。",
    cure_zh="请找人发布供应订单。",
)


class FakeExchange(FakeServer):
    """Admits by passcode ``PASS-…`` and by presentation; every trade draws on the operator's one pool."""

    trades: dict[str, str]
    """Of the proof."""
    presented: list[Presentation]
    recalled: list[str]
    counts: list[TradeCount]

    def __init__(self, *arguments: object, **keywords: object) -> None:
        self.trades, self.presented, self.recalled, self.counts = {}, [], [], []
        super().__init__(*arguments, **keywords)  # type: ignore[arg-type]

    def decide(self, path: str, body: bytes, now: Instant) -> msgspec.Struct:  # noqa: PLR0911
        match path:
            case "/v1/base-stations":
                return self.enrol_base_station(msgspec.json.decode(body, type=BaseStationEnrolment), now)
            case "/v1/station/admissions":
                return self.admit(msgspec.json.decode(body, type=Admission), now)
            case "/v1/station/interrogations":
                return self.operator.interrogate(msgspec.json.decode(body, type=Interrogation), now)
            case "/v1/station/usage":
                return self.operator.report(msgspec.json.decode(body, type=UsageReport))
            case "/v1/station/recalls":
                return Recalls(trades=self.recalled, ask_again_ms=100)
            case "/v1/agent/identities":
                return OwnIdentities(terminal="TRM-1", subscriber="SUB-1")
            case "/v1/agent/trade-counts":
                self.counts.append(msgspec.json.decode(body, type=TradeCount))
                return TradeCounted(trade=self.counts[-1].trade, agrees=None)
            case _:
                return super().decide(path, body, now)

    def enrol_base_station(self, asked: BaseStationEnrolment, now: Instant) -> msgspec.Struct:
        self.keys["bst-1"] = asked.public_key
        return BaseStationEnrolled(
            base_station="bst-1",
            identity="BST-1",
            subscriber="carol",
            operator="north",
            report_interval_s=self.operator.report_interval_s,
            server_time=now,
        )

    def admit(self, asked: Admission, now: Instant) -> msgspec.Struct:
        if asked.presentation is not None:
            self.presented.append(read_presentation(asked.presentation))
            proof = self.presented[-1].terminal
        else:
            proof = asked.passcode or ""
            if not proof.startswith("PASS"):
                return NO_SUPPLY
        trade = self.trades.setdefault(proof, f"trd-{len(self.trades) + 1}")
        return Admitted(
            trade=trade,
            demander="alice",
            terminal="",
            supplier="bob",
            supplier_terminal="",
            identities={"supplier": "BOB-1", "demander": "ALICE-1", "base_station": "BST-1"},
            order="ord-1",
            price_per_gb=250,
            currency="EUR",
            octets=self.operator.available,
            report_interval_s=self.operator.report_interval_s,
            server_time=now,
        )
