"""Lists in pieces: nothing twice, nothing left out, nothing of others."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.live import Live


def whole(live: Live, path: str, key: str, *, token: str | None = None, limit: int = 2) -> list[dict[str, Any]]:
    """Read a list piece by piece to its end."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        piece = live.get(f"{path}?limit={limit}&after={after}", token=token).json()
        found += piece[key]
        after = piece["next"]
        if not after:
            return found


@pytest.fixture
def staffed(live: Live) -> str:
    """Two operators with subscribers in turn; return the token of a member of staff of the second."""
    for operator in ("north", "south"):
        live.done("/v1/operators", {"name": operator})
    for number in range(7):
        operator = "south" if number % 3 == 0 else "north"
        live.done("/v1/subscribers", {"name": f"s{number}", "operator": operator})
    live.done("/v1/operators/south/staff", {"name": "sue", "password": "correct horse"})
    token: str = live.done("/v1/sign-in", {"name": "sue", "password": "correct horse"}, token="")["token"]
    return token


def test_a_list_read_in_pieces_is_the_list(live: Live, staffed: str) -> None:
    assert [one["name"] for one in whole(live, "/v1/subscribers", "subscribers")] == [f"s{n}" for n in range(7)]


def test_staff_reads_its_own_operators_records_in_full_pieces(live: Live, staffed: str) -> None:
    theirs = whole(live, "/v1/subscribers", "subscribers", token=staffed)
    assert [one["name"] for one in theirs] == ["s0", "s3", "s6"]
    first = live.get("/v1/subscribers?limit=2", token=staffed).json()
    assert [one["name"] for one in first["subscribers"]] == ["s0", "s3"]


def test_a_piece_that_ends_with_the_list_says_so(live: Live, staffed: str) -> None:
    assert live.get("/v1/subscribers?limit=7").json()["next"] == ""


def test_plans_are_shown_to_those_who_sell_them_and_to_those_who_may_buy_them(live: Live, staffed: str) -> None:
    """What another operator sells at which price, and how often, is no business of a competitor."""
    for operator in ("north", "south"):
        for kind in ("old", "new"):
            plan = {"name": f"{operator}-{kind}", "octets": 1, "valid_days": 1, "price": 1, "operator": operator}
            live.done("/v1/plans", plan | {"stock": 5})
        live.done(f"/v1/plans/{operator}-old/withdrawal")
    live.done("/v1/subscribers/s0/password", {"password": "correct horse"})
    bought = live.done("/v1/sign-in", {"name": "s0", "password": "correct horse"}, token="")["token"]
    seen = {
        who: [one["name"] for one in whole(live, "/v1/plans", "plans", token=token, limit=1)]
        for who, token in (("staff", staffed), ("subscriber", bought), ("administrator", None))
    }
    assert seen == {
        "staff": ["south-new", "south-old"],
        "subscriber": ["south-new"],
        "administrator": ["north-new", "north-old", "south-new", "south-old"],
    }
