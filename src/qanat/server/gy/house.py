"""From settings to what the wire is told about us."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final

from qanat.errors import BadInput
from qanat.server.gy.answers import House
from qanat.server.settings import Gy, Settings
from qanat.wire.diameter.courtesies import Identity
from qanat.wire.diameter.groups import FinalUnitIndication, RedirectServer
from qanat.wire.diameter.values import (
    CcSessionFailover,
    CreditControlFailureHandling,
    FinalUnitAction,
    RedirectAddressType,
)

_FAILURE: Final = {
    "terminate": CreditControlFailureHandling.TERMINATE,
    "continue": CreditControlFailureHandling.CONTINUE,
    "retry_and_terminate": CreditControlFailureHandling.RETRY_AND_TERMINATE,
}
_FAMILY: Final = {4: b"\x00\x01", 6: b"\x00\x02"}


def house_of(settings: Settings) -> House:
    """Raises BadInput for a final unit that lacks what it needs."""
    gy = settings.gy
    return House(
        origin_host=gy.origin_host,
        origin_realm=gy.origin_realm,
        policy=settings.policy(),
        final_unit=_final_unit(gy),
        failure_handling=_FAILURE[gy.failure_handling],
        session_failover=CcSessionFailover.SUPPORTED if gy.session_failover else CcSessionFailover.NOT_SUPPORTED,
        holding_s=gy.holding_s or None,
    )


def identity_of(gy: Gy, address: Any, state_id: int) -> Identity:
    """Return who we are on a connection that arrived at this socket address."""
    ip = ip_address(address[0].partition("%")[0])
    return Identity(
        origin_host=gy.origin_host,
        origin_realm=gy.origin_realm,
        addresses=(_FAMILY[ip.version] + ip.packed,),
        origin_state_id=state_id,
    )


def _final_unit(gy: Gy) -> FinalUnitIndication:
    if gy.final_unit == "terminate":
        return FinalUnitIndication(FinalUnitAction.TERMINATE)
    if gy.final_unit == "redirect":
        if not gy.redirect_url:
            raise BadInput("gy.final_unit redirect needs gy.redirect_url: where to", field="gy.redirect_url")
        server = RedirectServer(RedirectAddressType.URL, gy.redirect_url)
        return FinalUnitIndication(FinalUnitAction.REDIRECT, redirect_server=server)
    if not gy.restrict_filter:
        raise BadInput("gy.final_unit restrict needs gy.restrict_filter: the filter's name", field="gy.restrict_filter")
    return FinalUnitIndication(FinalUnitAction.RESTRICT_ACCESS, filter_ids=(gy.restrict_filter,))
