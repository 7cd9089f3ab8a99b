"""Words of the interface that pages say as they come: states, kinds, units. Each has its Chinese."""

from __future__ import annotations

from typing import Final

from qanat.server.web.language import later

STATES: Final = (
    later("open"),
    later("closed"),
    later("active"),
    later("suspended"),
    later("enrolled"),
    later("revoked"),
    later("free"),
    later("lent"),
    later("good"),
    later("withdrawn"),
    later("expired"),
    later("accepted"),
    later("on"),
    later("off"),
    later("never heard"),
)
KINDS: Final = (later("subscriber"), later("terminal"), later("base station"))
FOUND_BY: Final = (later("name"), later("IMSI"), later("MSISDN"), later("identity code"), later("id"))
DISPUTES: Final = (later("over-reported"), later("counts differ"))
UNITS: Final = {"octets": later("Traffic"), "carried-octets": later("Traffic that base stations carried for others")}
"""Currencies say themselves."""
