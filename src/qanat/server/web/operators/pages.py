"""The operators' pages."""

from __future__ import annotations

from typing import Final

from qanat.server.web.operators.refusals import refusals
from qanat.server.web.pages import Page

PAGES: Final = (Page(path="/ops", handle=refusals, role="operator"),)
