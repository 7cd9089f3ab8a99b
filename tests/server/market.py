"""A small market: a supplier, a demander and a base station of three operators, over real HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from tests.server.live import Device, Live, interrogation

from qanat.units import Instant
from qanat.wire.base_station import Presentation, Wish, sign_presentation

PASSWORD = "correct horse"


@dataclass
class Market:
    """Alice of north supplies, bob of south demands, at carol's base station of west."""

    live: Live
    station: Device
    bob: Device
    tokens: dict[str, str]
    identities: dict[str, str]
    journal_seq: int = 0

    def of(self, name: str, path: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.live.get(f"/v1/me{path}", token=self.tokens[name]).json()
        return shown

    def does(self, name: str, path: str, body: Any = None) -> dict[str, Any]:
        return self.live.done(f"/v1/me{path}", body, token=self.tokens[name])

    def presentation(self, **wish: Any) -> dict[str, Any]:
        self.live.clock.advance(1)
        said = Presentation(
            terminal=self.identities["terminal"],
            subscriber=self.identities["subscriber"],
            base_station=self.identities["base_station"],
            wish=Wish(**wish),
            at=Instant(self.live.clock.now()),
        )
        built: dict[str, Any] = msgspec.to_builtins(sign_presentation(self.bob.key, said))
        return {"presentation": built}

    def asks(self, trade: str, number: int, kind: str, *, used: dict[str, int], **more: Any) -> dict[str, Any]:
        """Report what was used of each quota so far, and ask."""
        rows = []
        for quota, octets in used.items():
            self.journal_seq += 1
            rows.append(
                {"seq": self.journal_seq, "quota": quota, "epoch": 0, "up": 0, "down": octets, "reserved": 0, "at": 1}
            )
        message = interrogation(trade, number, kind, **more)
        message["report"] = {"journal": "j-station", "floor": 0, "rows": rows}
        answer = self.station.send("POST", "/v1/station/interrogations", message)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown


def open_market(live: Live) -> Market:
    tokens = {}
    for name, operator in (("alice", "north"), ("bob", "south"), ("carol", "west")):
        live.done("/v1/operators", {"name": operator})
        live.done("/v1/subscribers", {"name": name, "operator": operator, "password": PASSWORD})
        tokens[name] = live.done("/v1/sign-in", {"name": name, "password": PASSWORD}, token="")["token"]
    live.done("/v1/sims", {"count": 5, "operator": "south"})
    live.done("/v1/subscribers/alice/top-ups", {"octets": 5_000_000})
    bob = Device(live, seed=2)
    assert bob.enrol(live.done("/v1/me/codes", {}, token=tokens["bob"])["code"]).status_code == 201
    station = Device(live, seed=3)
    code = live.done("/v1/me/base-station-codes", {}, token=tokens["carol"])["code"]
    asked = {"code": code, "public_key": station.public_key, "hardware": "lab", "serial": "bs-1", "version": "1"}
    for _ in range(2):  # a repeat gets the same answer
        enrolled = station.send("POST", "/v1/base-stations", asked, key_id=station.public_key).json()
    station.id = enrolled["base_station"]
    own = bob.send("GET", "/v1/agent/identities").json()
    identities = {"base_station": enrolled["identity"], **own}
    return Market(live=live, station=station, bob=bob, tokens=tokens, identities=identities)
