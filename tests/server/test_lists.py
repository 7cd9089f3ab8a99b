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
