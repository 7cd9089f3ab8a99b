"""Words of the interface that pages say as they come: states, kinds, units, acts. Each has its Chinese."""

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
    later("dismissed"),
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
ACTS: Final = (
    later("SIM profiles added"),
    later("base station revoked"),
    later("bought"),
    later("circle made"),
    later("demand order opened"),
    later("demand order stopped"),
    later("dispute settled"),
    later("enrolment code issued"),
    later("identity code issued"),
    later("identity code revoked"),
    later("operator created"),
    later("paid in"),
    later("paid"),
    later("password set"),
    later("peer accepted"),
    later("peer removed"),
    later("period closed"),
    later("plan created"),
    later("plan withdrawn"),
    later("signed in"),
    later("staff created"),
    later("staff dismissed"),
    later("subscriber created"),
    later("subscriber active"),
    later("subscriber suspended"),
    later("supply order opened"),
    later("supply order stopped"),
    later("terminal bound"),
    later("terminal revoked"),
    later("topped up"),
    later("voucher redeemed"),
    later("vouchers made"),
    later("vouchers withdrawn"),
    later("changed"),
)
