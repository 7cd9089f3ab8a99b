"""A small world for the operators' pages: people online, a trade over-reported, a stranger at the door, hostile names."""

from __future__ import annotations

from typing import Any

from tests.server.gy.gateway import Gateway
from tests.server.live import Live
from tests.server.market import open_market
from tests.server.online import enrolled, go_online
from tests.server.web.browser import PASSWORD, Person

HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}"
PAGES = (
    "/ops",
    "/ops/search?q=a",
    "/ops/subscribers",
    "/ops/subscribers/olga",
    "/ops/refusals",
    "/ops/refusals?reason=credit_limit_reached",
    "/ops/refusals/why/s-dry",
    "/ops/reservations",
    "/ops/plans",
    "/ops/vouchers",
    "/ops/vouchers/may",
    "/ops/sims",
    "/ops/base-stations",
    "/ops/settlement?period=2023-11",
    "/ops/disputes",
    "/ops/staff/home",
    "/ops/changes",
    "/ops/account",
)
ADMINISTRATORS = ("/ops/peers", "/ops/audit", "/ops/audit/verdict")


def furnish(live: Live) -> None:
    """Fill a server with what operators look at."""
    market = open_market(live)
    market.does("alice", "/supply-orders", {"octets": 3_000_000})
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=900_000)["quotas"][0]
    market.asks(trade, 1, "final", used={quota["quota"]: quota["octets"] + 5}, returns=[quota["quota"]])
    for name in ("ursula", "viktor"):
        live.done("/v1/operators/home/staff", {"name": name, "password": PASSWORD})
    live.done("/v1/operators/home/staff/viktor/dismissal")
    live.done("/v1/plans", {"name": "day", "octets": 1_000_000_000, "valid_days": 1, "price": 290})
    live.done("/v1/plans", {"name": "month", "octets": 20_000_000_000, "valid_days": 30, "price": 1990, "stock": 5})
    live.done("/v1/plans", {"name": "calls", "seconds": 5400, "valid_days": 30, "price": 300})
    live.done("/v1/voucher-batches", {"batch": "may", "count": 3, "octets": 1_000_000_000})
    live.done("/v1/subscribers", {"name": "olga", "display_name": HOSTILE, "imsi": "001019000000001"})
    live.done("/v1/subscribers/olga/top-ups", {"octets": 5_000_000_000})
    live.done("/v1/subscribers/olga/pay-ins", {"amount": 2500})
    for seed, name in enumerate(("pavel", "qing", "rosa"), 11):
        device = enrolled(live, name, seed=seed, octets=2_000_000_000)
        go_online(device, f"s-{name}", wants=400_000_000)
        live.clock.advance(20_000)
        _uses(device, f"s-{name}", octets=seed * 9_000_000)
    dry = enrolled(live, "sven", seed=20, octets=0)
    for number in range(3):
        dry.send("POST", "/v1/agent/interrogations", _asks("s-dry", number))
    with Gateway(live, "smf.stranger.test") as gateway:
        gateway.introduce()


def as_administrator(person: Person) -> None:
    """Sign in with the token that the first start left in its file."""
    cookie: Any = {"name": "qanat", "value": person.live.token, "url": person.live.url, "httpOnly": True}
    person.context.add_cookies([cookie])


def as_staff(person: Person, operator: str = "home", name: str = "sue") -> None:
    person.live.done(f"/v1/operators/{operator}/staff", {"name": name, "password": PASSWORD})
    person.sign_in(name)


def _uses(device: Any, session: str, *, octets: int) -> None:
    (found,) = [one for one in device.live.get("/v1/sessions").json()["sessions"] if one["session"] == session]
    quota = found["quotas"][0]["quota"]
    row = {"seq": 1, "quota": quota, "epoch": 0, "up": 0, "down": octets, "reserved": octets, "at": 1}
    device.send("POST", "/v1/agent/usage", {"journal": f"j-{session}", "floor": 0, "rows": [row]})


def _asks(session: str, number: int) -> dict[str, Any]:
    kind = "first" if number == 0 else "intermediate"
    rows = {"journal": "j-dry", "floor": 0, "rows": []}
    return {"session": session, "number": number, "kind": kind, "report": rows, "wants": 400_000}
