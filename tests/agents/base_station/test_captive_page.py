"""The captive page as people meet it: Chromium on the demander's side of a real base station, with the real server behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.agents.base_station.scene import FAR, Scene
from tests.agents.base_station.town import PORTAL, Town, download
from tests.agents.processes import SOURCE
from tests.patience import PATIENCE_S
from tests.server.web.browser import LOOKS, Look, Visitor, chromium, window
from tests.traffic import until

from qanat.lab.internet import make_files

pytestmark = pytest.mark.namespaces


@pytest.fixture
def browser(town: Town) -> Iterator[Browser]:
    """A browser on alice's device: all it can reach is behind the base station."""
    with chromium(town.scene.alice.inside()) as started:
        yield started


@pytest.fixture
def internet(scene: Scene, tmp_path: Path) -> Iterator[str]:
    """A site that somebody wants to read."""
    folder = tmp_path / "site"
    make_files(folder)
    (folder / "news.html").write_text(
        '<!doctype html><html lang="en"><title>News</title><a href="photo.jpg" download>A photo</a>'
    )
    with scene.internet.inside():
        site = subprocess.Popen(
            [sys.executable, "-m", "qanat.lab.internet", str(folder), f"{FAR}:80"],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
    assert site.stdout is not None
    assert b"ready" in site.stdout.readline()
    yield f"http://{FAR}"
    site.terminate()
    site.wait(10)


def a_visitor(browser: Browser, look: Look, **options: bool) -> Visitor:
    visitor = Visitor(PORTAL, window(browser, look, **options), look)
    visitor.page.set_default_timeout(PATIENCE_S * 1000)
    return visitor


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_somebody_on_the_way_elsewhere_is_led_here_chooses_a_supplier_and_sees_what_is_left(
    town: Town, browser: Browser, internet: str, look: Look
) -> None:
    order = town.operator("supply", "offer", "--subscriber", "bob", "--octets", "20MB")["order"]
    alice = a_visitor(browser, look)
    page = alice.page
    page.goto(f"{internet}/news.html")
    assert alice.path == "/", "whoever is captive is led to the base station's page"
    alice.judge("captive")

    page.fill("#passcode", "AAAA-AAAA-AAAA")
    page.fill("#supplier", code_of(town, "bob"))
    page.click("main form button")
    page.wait_for_selector("[role=alert]")
    assert "unknown_passcode" in alice.text()
    assert page.input_value("#supplier") == code_of(town, "bob"), "what was typed comes back"
    alice.judge("captive-refused")

    page.fill("#passcode", passcode_of(town, "alice"))
    page.click("main form button")
    page.wait_for_selector("[data-live]")
    assert code_of(town, "bob") in alice.text()
    assert 20_000_000 - 10_000 <= left(alice) <= 20_000_000, "all of it, but for what stood waiting at the shut gate"
    fetched = alice.get_a_file(f"{internet}/news.html")
    until(lambda: left(alice) <= 20_000_000 - fetched)  # fresh without being loaded again
    alice.judge("captive-online")

    town.operator("supply", "stop", order, "--subscriber", "bob")
    page.wait_for_selector("[role=alert]")
    assert "order_stopped" in alice.text()
    assert page.query_selector("#passcode"), "it can be tried again at once"
    alice.judge("captive-stopped")
    again = a_visitor(browser, look)  # a connection that stood before the gate shut would wait for it to open
    again.page.goto(f"{internet}/news.html")
    assert again.path == "/", "nothing passes any more"


def test_the_captive_page_works_without_scripts_in_the_language_one_chooses(
    town: Town, browser: Browser, internet: str
) -> None:
    town.operator("supply", "offer", "--subscriber", "bob", "--octets", "20MB")
    alice = a_visitor(browser, Look(width=390), java_script_enabled=False)
    page = alice.page
    page.goto(f"{internet}/news.html")
    page.click("nav a[lang=zh-Hans]")
    assert "上网" in alice.text()
    page.fill("#passcode", passcode_of(town, "alice"))
    page.click("main form button")
    page.wait_for_selector(".online")
    assert "您已上网" in alice.text(), "the choice goes along"
    before = left(alice)
    fetched = alice.get_a_file(f"{internet}/news.html")
    page.goto(PORTAL)
    page.click("nav a[lang=zh-Hans]")
    page.click("nav a:first-child")
    assert left(alice) <= before - fetched
    alice.keep("captive-no-scripts")
    page.click("main form button")
    page.wait_for_selector("[role=alert]")
    assert "您已在此下线。" in alice.text()
    page.click("nav a[lang=en]")
    assert "You went offline here." in alice.text()


def test_the_captive_page_is_within_reach_of_the_keyboard_alone(town: Town, browser: Browser, internet: str) -> None:
    town.operator("supply", "offer", "--subscriber", "bob", "--octets", "20MB", "--price", "2.50")
    alice = a_visitor(browser, LOOKS[0])
    page = alice.page
    page.goto(f"{internet}/news.html")
    for field, typed in (("passcode", passcode_of(town, "alice")), ("supplier", ""), ("most", "two and a half")):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == field
        page.keyboard.type(typed)
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert "no_price" in alice.text()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("2,50")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    page.keyboard.press("Space")
    page.wait_for_selector("[data-live]")
    assert "2.50 EUR / GB" in alice.text()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert "left" in alice.text()
    assert alice.errors == []


def test_an_open_captive_page_says_that_the_base_station_is_away_and_goes_on_when_it_is_back(
    town: Town, browser: Browser
) -> None:
    town.operator("supply", "offer", "--subscriber", "bob", "--octets", "20MB")
    alice = a_visitor(browser, Look(width=390))
    page = alice.page
    page.goto(PORTAL)
    page.fill("#passcode", passcode_of(town, "alice"))
    page.click("main form button")
    page.wait_for_selector("[data-live]")
    town.station.kill()
    page.wait_for_selector("[data-away]", state="visible")
    alice.judge("captive-away")
    town.start_station()
    page.wait_for_selector("[data-away]", state="hidden")
    download(town.scene, 1_000_000)
    until(lambda: left(alice) < 20_000_000)


def code_of(town: Town, name: str) -> str:
    return str(town.operator("identity", "--subscriber", name)["code"])


def passcode_of(town: Town, name: str) -> str:
    return str(town.operator("demand", "open", "--subscriber", name, "--octets", "20MB", "--price", "9.00")["passcode"])


def left(visitor: Visitor) -> int:
    return int(visitor.page.get_attribute(".figure", "value") or 0)
