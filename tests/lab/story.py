"""One story from sign-up to an exchange, run in a place of its own by ``test_story``; prints what was counted as JSON.

Three people at real browsers in hosts of the lab: carol puts up a base station, alice lends, bob borrows on a phone, and then
the other way round. Whatever the console tells them to type on a device is typed there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, BrowserType, sync_playwright
from tests.server.web.browser import FLAGS, LOOKS, Look, Visitor, browser_program, window

from qanat.lab import private
from qanat.lab.exchange_report import TradeCounts
from qanat.lab.exchange_stage import LAPTOP, PHONE, PORTAL_URL, ExchangeStage
from qanat.lab.namespaces import Host
from qanat.lab.stage import Stage
from qanat.lab.topology import ACCESS, UPLINK, Lab
from qanat.lab.traffic import Download
from qanat.lab.waiting import until

LOOKED = {look.name: look for look in LOOKS}


class Story:
    def __init__(self, stage: Stage, home: Browser, market: Browser, looks: tuple[Look, Look]) -> None:
        """``home`` is a browser with a network of its own, ``market`` one behind the base station."""
        self.stage = stage
        self.exchange = ExchangeStage(stage)
        self.home, self.market = home, market
        self.lender_looks, self.borrower_looks = looks
        self.vouchers: Iterator[str] = iter(())
        self.trades: list[str] = []

    def tell(self) -> None:
        self.open_shop()
        self.carol_puts_up_a_base_station()
        alice = self.person("alice", self.home, self.lender_looks)
        self.buys_a_plan(alice)
        self.brings_in_a_terminal(alice)
        self.lends(alice)
        bob = self.bob_comes_to_the_market()
        self.goes_online(bob, self.passcode(bob))
        self.gets_a_file(bob)
        film = self.stage.download("film.mp4", host=LAPTOP)
        self.alice_sees_who_uses_it_and_stops_it(alice, bob, film)
        self.bob_pays_back(alice, bob)
        self.both_read_their_statements(alice, bob)

    def open_shop(self) -> None:
        terms = ("--octets", "1GB", "--valid-days", "30", "--price", "6.00", "--quota", "2MB")
        self.stage.qanat("plan", "create", "city", *terms)
        self.stage.qanat("sim", "make", "--count", "2")
        self.vouchers = iter(self.stage.do("/v1/voucher-batches", batch="market", count=2, amount=1000)["codes"])

    def carol_puts_up_a_base_station(self) -> None:
        carol = self.person("carol", self.home, self.lender_looks)
        carol.go("/me/terminals")
        carol.page.click("form[action='/me/base-stations/new'] button")
        code = carol.page.inner_text("#shown")
        words = ("--server", self.stage.server_url, "--code", code, "--access", ACCESS, "--uplink", UPLINK)
        self.exchange.enrol_base_station(*words, "--place", "Market square")
        self.exchange.start_base_station()
        carol.go("/me/terminals")
        assert "Market square" in carol.text()
        carol.judge("story-base-station")

    def buys_a_plan(self, person: Visitor) -> None:
        page = person.page
        person.go("/me/plans")
        page.fill("#code", next(self.vouchers))
        page.click("form[action='/me/vouchers'] button")
        page.wait_for_url("**/me?done=redeemed")
        person.go("/me/plans/city")
        page.click("main form button")
        page.wait_for_url("**/me?done=bought")

    def brings_in_a_terminal(self, person: Visitor) -> None:
        person.go("/me/terminals")
        person.page.click("form[action='/me/terminals/new'] button")
        code = person.page.inner_text("#shown")
        words = ("--server", self.stage.server_url, "--code", code, "--interface", "cell0")
        enrolled = self.exchange.enrol_terminal(PHONE, *words)
        person.go("/me/terminals")
        assert person.page.query_selector(f"a[href='/me/terminals/{enrolled['terminal']}']")
        person.judge("story-terminal")

    def lends(self, person: Visitor) -> None:
        page = person.page
        person.go("/me/lend")
        page.click("label:has([value='200MB'])")
        page.click("label:has([value='anyone'])")
        page.click("form[action='/me/lend'] > p button")
        page.wait_for_url("**/me/lend?done=lent")

    def bob_comes_to_the_market(self) -> Visitor:
        """He wants to read the news, is led to the captive page, and from there to the console."""
        bob = Visitor(self.stage.server_url, window(self.market, self.borrower_looks), self.borrower_looks)
        bob.page.goto(f"http://{self.stage.web}/news.html")
        assert bob.page.url.startswith(PORTAL_URL)
        bob.judge("story-captive")
        bob.page.click("nav a:first-child")
        bob.page.wait_for_url(f"{self.stage.server_url}/sign-in**")
        bob.sign_up("bob")
        return bob

    def passcode(self, person: Visitor) -> str:
        person.go("/me/borrow")
        person.judge("story-borrow")
        person.page.click("form[action='/me/borrow'] > p button")
        return person.page.inner_text("#shown")

    def goes_online(self, person: Visitor, passcode: str, supplier: str = "") -> None:
        page = person.page
        page.goto(PORTAL_URL)
        page.fill("#passcode", passcode)
        page.fill("#supplier", supplier)
        page.click("main form button")
        page.wait_for_selector("[data-live]")
        self.trades.append(str(self.exchange.here(LAPTOP)["session"]["trade"]))

    def gets_a_file(self, person: Visitor) -> None:
        """Go on to the news, download from there, and see on the captive page that there is less left."""
        octets = person.get_a_file(f"http://{self.stage.web}/news.html")
        bound = int(self.exchange.here(LAPTOP)["session"]["bound"])
        self.soon(lambda: _left(person) <= bound - octets, "the captive page tells that it was used")
        person.judge("story-online")

    def alice_sees_who_uses_it_and_stops_it(self, alice: Visitor, bob: Visitor, film: Download) -> None:
        alice.go("/me/lend")
        alice.page.wait_for_selector("main li:has-text('bob')")
        film.reach(2_000_000)
        alice.judge("story-who-uses-it")
        alice.page.click("form[action$='/stop'] button")
        alice.page.wait_for_url("**/me/lend?done=stopped")
        bob.page.wait_for_selector("[role=alert]")
        assert "order_stopped" in bob.text()
        bob.judge("story-stopped")
        film.abandon()
        self.exchange.ended(self.trades[-1])

    def bob_pays_back(self, alice: Visitor, bob: Visitor) -> None:
        """He buys and lends; she comes to the market and uses some of it at the same device."""
        self.buys_a_plan(bob)
        self.lends(bob)
        bob.go("/me/borrow")
        code = bob.page.inner_text("#identity")
        at_the_market = Visitor(alice.origin, window(self.market, self.lender_looks), self.lender_looks)
        self.goes_online(at_the_market, self.passcode(alice), code)
        self.gets_a_file(at_the_market)
        at_the_market.page.click("main form button")
        at_the_market.page.wait_for_selector("[role=alert]")
        self.exchange.ended(self.trades[-1])

    def both_read_their_statements(self, alice: Visitor, bob: Visitor) -> None:
        for person, other in ((alice, "bob"), (bob, "alice")):
            person.go("/me/statement")
            sentences = person.page.locator(".told li").all_inner_texts()
            offset = "反向流量相抵" if person.look.language == "zh" else "were offset against"
            assert any(offset in sentence for sentence in sentences), sentences
            assert other in person.text()
            person.judge("story-statement")

    def counts(self) -> list[TradeCounts]:
        return [self.exchange.counts(f"trade {number}", trade) for number, trade in enumerate(self.trades, 1)]

    def person(self, name: str, browser: Browser, look: Look) -> Visitor:
        visitor = Visitor(self.stage.server_url, window(browser, look), look)
        visitor.sign_up(name)
        return visitor

    def soon(self, happens: Callable[[], bool], what: str) -> None:
        until(happens, what)


def _left(person: Visitor) -> int:
    return int(person.page.get_attribute(".figure", "value") or 0)


@contextmanager
def browser_in(host: Host, chromium: BrowserType, folder: Path) -> Iterator[Browser]:
    """Start a browser whose network is a host's."""
    found, program = browser_program(), folder / f"{host.name}-chromium"
    assert found is not None
    program.write_text(f'#!/bin/sh\nexec {" ".join(host.command(found))} "$@"\n')
    program.chmod(0o700)
    browser = chromium.launch(executable_path=program, args=FLAGS)
    yield browser
    browser.close()


def main() -> None:
    assert private.is_inside()
    folder, lender_looks, borrower_looks = Path(sys.argv[1]), *(LOOKED[name] for name in sys.argv[2:4])
    lab = Lab("test")
    with Stage(lab, folder, interface="cell0") as stage, sync_playwright() as playwright:
        (folder / "files" / "news.html").write_text(
            '<!doctype html><html lang="en"><title>News</title><a href="photo.jpg" download>A photo</a>'
        )
        stage.start_server()
        chromium = playwright.chromium
        with browser_in(lab[PHONE], chromium, folder) as home, browser_in(lab[LAPTOP], chromium, folder) as market:
            story = Story(stage, home, market, (lender_looks, borrower_looks))
            story.tell()
        said = {"counts": story.counts(), "audit": stage.qanat("audit")}
    print(msgspec.json.encode(said).decode())


if __name__ == "__main__":
    main()
