"""From sign-up in a browser to an exchange with real traffic: people do it on the console's pages and the captive page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.lab.place import any_place, processes_that_know, run_inside
from tests.server.web.browser import browser_program

from qanat.lab.exchange_report import TradeCounts

pytestmark = pytest.mark.namespaces


class Said(msgspec.Struct):
    counts: list[TradeCounts]
    audit: dict[str, Any]


@pytest.mark.parametrize(
    ("lender", "borrower"),
    [("en-light-1280", "zh-light-390"), ("zh-dark-1280", "en-dark-390")],
    ids=["en-zh", "zh-en"],
)
def test_people_sign_up_lend_borrow_stop_and_read_what_was_offset_all_in_browsers(
    tmp_path: Path, lender: str, borrower: str
) -> None:
    """Three browsers in namespaces, the real server and base station: a photo, a film that is stopped, and a photo back."""
    if browser_program() is None:
        pytest.skip("chromium is missing: `./setup.sh test` installs it")
    done = run_inside(any_place(), "tests.lab.story", str(tmp_path), lender, borrower)
    assert done.returncode == 0, done.stderr
    said = msgspec.json.decode(done.stdout, type=Said)
    lent, back = said.counts
    assert lent.adds_up
    assert back.adds_up
    assert lent.ledger >= 4_000_000
    assert back.ledger >= 2_000_000
    assert said.audit["balanced"] is True
    assert processes_that_know(str(tmp_path)) == []
