"""An attacker's or a plain program's way to the pages: HTTP without a browser, every header in its own hand."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

import httpx2
from tests.server.live import Live

PASSWORD: Final = "correct horse"
_CSRF: Final = re.compile(r'name="csrf" value="(\w+)"')


class Hand:
    """Speaks to the console like a browser with its own cookies, and like one that was tricked."""

    def __init__(self, live: Live) -> None:
        self.http = httpx2.Client(base_url=live.url, trust_env=False, verify=False, headers={"accept": "text/html"})
        self.live = live

    def get(self, path: str) -> httpx2.Response:
        return self.http.get(path)

    def csrf(self, path: str = "/sign-in") -> str:
        """Return the word that a page gives to its forms."""
        found = _CSRF.search(self.get(path).text)
        assert found, path
        return found[1]

    def post(
        self, path: str, form: dict[str, str] | None = None, *, csrf: str | None = None, **headers: str
    ) -> httpx2.Response:
        """Send a form; without ``csrf`` with the right word, with one that with it."""
        word = self.csrf("/me" if "/me" in path else "/sign-in") if csrf is None else csrf
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        body = urlencode({"csrf": word, **(form or {})})
        return self.http.post(path, content=body, headers={"content-type": "application/x-www-form-urlencoded", **sent})

    def sign_in(self, name: str, password: str = PASSWORD, *, to: str = "/") -> httpx2.Response:
        return self.post("/sign-in", {"name": name, "password": password, "to": to}, csrf=self.csrf("/sign-in"))

    def plant(self, cookie: str) -> None:
        """Have the browser hold this session."""
        self.http.cookies.clear()
        self.http.cookies.set("qanat", cookie, domain="127.0.0.1", path="/")

    @property
    def cookie(self) -> str:
        return str(self.http.cookies.get("qanat", ""))
