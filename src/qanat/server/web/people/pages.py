"""The subscribers' pages."""

from __future__ import annotations

from typing import Final

from qanat.server.web.pages import Page
from qanat.server.web.people.home import home

PAGES: Final = (Page(path="/me", handle=home, role="subscriber"),)
