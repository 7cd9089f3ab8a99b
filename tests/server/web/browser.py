"""A person at a real browser: Debian's Chromium, with or without its windows, driven by Playwright, against a real server.

Every page a test looks at is judged by axe-core, must log no error, and leaves a screenshot in ``build/screenshots``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.patience import PATIENCE_S
from tests.server.live import Live

FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_AXE: Final = Path(__file__).parent / "axe" / "axe.min.js"
_JUDGE: Final = "axe.run({resultTypes: ['violations']}).then((found) => found.violations)"
"""Every rule; what is in order is not described element by element, which takes longer than all the rules."""
_SHOTS: Final = Path(__file__).parents[3] / "build" / "screenshots"
_ENGLISH: Final = re.compile(r"[A-Za-z]+(?: [a-z]+){3,}")
"""Four words in a row that are no name."""
PASSWORD: Final = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looks at the console."""

    language: str = "en"
    scheme: str = "light"
    width: int = 1280

    @property
    def name(self) -> str:
        return f"{self.language}-{self.scheme}-{self.width}"


LOOKS: Final = (
    Look(),
    Look(scheme="dark", width=390),
    Look(language="zh", width=390),
    Look(language="zh", scheme="dark"),
)
"""Both languages, schemes and widths, each of them with each of the others."""


class Visitor:
    """Somebody at a browser of their own: own cookies, own window."""

    def __init__(self, origin: str, context: BrowserContext, look: Look) -> None:
        self.origin = origin
        self.look = look
        self.context = context
        self.page = self.tab()
        self.errors: list[str] = []

    def tab(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def go(self, path: str) -> None:
        self.page.goto(self.origin + path)

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.origin)

    def sign_up(self, name: str) -> None:
        """Sign up at the door; the browser is signed in from then on."""
        self.go("/sign-up")
        self.page.fill("#name", name)
        self.page.fill("#password", PASSWORD)
        self.page.click("main button")
        self.page.wait_for_url("**/me")

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.go("/sign-in")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("main button")
        self.page.wait_for_selector(".shell")

    def get_a_file(self, address: str) -> int:
        """Go to a page in a tab of its own and get the file behind its link; return its octets."""
        tab = self.tab()
        tab.goto(address)
        with tab.expect_download() as came:
            tab.click("a")
        octets = came.value.path().stat().st_size
        tab.close()
        return octets

    def text(self) -> str:
        return self.page.inner_text("main")

    def judge(self, name: str) -> None:
        """Keep a screenshot; then no violation of accessibility, no error, nothing wider than the window, no quotes left over."""
        self.keep(name)
        found = self.violations()
        assert not found, f"{name}: {found}"
        if self.look.language == "zh":
            assert not _ENGLISH.search(self.said()), f"{name} is said in English: {_ENGLISH.search(self.said())}"
        assert "`" not in self.said(), f"{name} shows a command with its quotes"
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
        assert not self.errors, f"{name}: {self.errors}"

    def keep(self, name: str) -> None:
        """Keep a screenshot for people to look at."""
        _SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=_SHOTS / f"{name}-{self.look.name}.png", full_page=True)

    def said(self) -> str:
        """Return what the page says to people, without what is typed into a shell."""
        script = "() => { const page = document.querySelector('main').cloneNode(true);"
        script += "page.querySelectorAll('pre, code').forEach((typed) => typed.remove()); return page.textContent; }"
        return str(self.page.evaluate(script))

    def violations(self) -> list[str]:
        # The page's policy lets no script in; the driver's own evaluation is not the page's.
        self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = self.page.evaluate(_JUDGE)
        return [f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes'][:3]]}" for one in found]

    def _note(self, message: Any) -> None:
        # A page that answers 4xx on purpose is logged by the browser as a failed resource.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)


class Person(Visitor):
    """A visitor of a server that the test has in hand."""

    def __init__(self, live: Live, context: BrowserContext, look: Look) -> None:
        super().__init__(live.url, context, look)
        self.live = live


class People:
    """Opens browsers for persons of one test."""

    def __init__(self, browser: Browser, live: Live) -> None:
        self._browser = browser
        self.live = live
        self._contexts: list[BrowserContext] = []

    def person(self, look: Look = LOOKS[0], **options: Any) -> Person:
        context = window(self._browser, look, **options)
        self._contexts.append(context)
        return Person(self.live, context, look)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


def window(browser: Browser, look: Look, **options: Any) -> BrowserContext:
    """Open a browser as somebody has set it up."""
    return browser.new_context(
        viewport={"width": look.width, "height": 844 if look.width < 600 else 800},
        color_scheme="dark" if look.scheme == "dark" else "light",
        locale="zh-CN" if look.language == "zh" else "en-GB",
        timezone_id="UTC",
        has_touch=look.width < 600,
        reduced_motion="reduce",
        **options,
    )


def browser_program() -> str | None:
    """Find Chromium: without windows where there is one, which loads the same pages in two thirds of the processor time."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@contextmanager
def chromium(inside: AbstractContextManager[None] | None = None) -> Iterator[Browser]:
    """Start a browser, ``inside`` a network namespace if one is given."""
    path = browser_program()
    if path is None:
        told = "chromium is missing: `./setup.sh test` installs it"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    with ExitStack() as stack:
        with inside or nullcontext():
            playwright = stack.enter_context(sync_playwright())
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
