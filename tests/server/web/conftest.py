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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A story walks through many pages, each of which is judged."""
    for item in items:
        if "look" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(params=LOOKS, ids=lambda look: look.name)
def look(request: pytest.FixtureRequest) -> Look:
    chosen: Look = request.param
    return chosen
