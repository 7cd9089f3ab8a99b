from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.server.live import Live
from tests.server.web.browser import LOOKS, Look, People, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a module: while Playwright lives, its thread can run no other event loop."""
    with chromium() as started:
        yield started


@pytest.fixture
def web(browser: Browser, live: Live) -> Iterator[People]:
    """People at real browsers, each with ``web.person(look)``."""
    people = People(browser, live)
    yield people
    people.close()


@pytest.fixture(params=LOOKS, ids=lambda look: look.name)
def look(request: pytest.FixtureRequest) -> Look:
    chosen: Look = request.param
    return chosen
