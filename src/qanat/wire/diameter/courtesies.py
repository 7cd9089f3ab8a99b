"""What neighbours say to each other: who they are, that they are there, that they leave (RFC 6733 §5.3 – §5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qanat.wire.diameter.dictionary import THREE_GPP
from qanat.wire.diameter.messages import (
    CREDIT_CONTROL,
    ERROR,
    REQUEST,
    CapabilitiesExchangeAnswer,
    CapabilitiesExchangeRequest,
    DeviceWatchdogAnswer,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
    Message,
    NeighbourAnswer,
)
from qanat.wire.diameter.results import ResultCode, is_protocol_error
from qanat.wire.diameter.values import DisconnectCause

NO_INBAND_SECURITY: Final = 0
"""TLS, where it is configured, comes before the first message (RFC 6733 §13.1)."""

Identifiers = tuple[int, int]
"""Hop-by-hop and end-to-end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who we are toward peers."""

    origin_host: str
    origin_realm: str
    addresses: tuple[bytes, ...]
    """Each as an Address: family in two octets, then the address."""
    origin_state_id: int
    """Grows with every start that lost sessions (RFC 6733 §8.16)."""
    vendor_id: int = 0
    product_name: str = "Qanat"
    applications: tuple[int, ...] = (CREDIT_CONTROL,)
    vendor_ids: tuple[int, ...] = (THREE_GPP,)


def introduction(us: Identity, identifiers: Identifiers) -> CapabilitiesExchangeRequest:
    hop_by_hop, end_to_end = identifiers
    return CapabilitiesExchangeRequest(
        flags=REQUEST,
        hop_by_hop=hop_by_hop,
        end_to_end=end_to_end,
        origin_host=us.origin_host,
        origin_realm=us.origin_realm,
        host_addresses=us.addresses,
        vendor_id=us.vendor_id,
        product_name=us.product_name,
        origin_state_id=us.origin_state_id,
        supported_vendor_ids=us.vendor_ids,
        auth_application_ids=us.applications,
        inband_security_ids=(NO_INBAND_SECURITY,),
    )


def introduction_answer(
    us: Identity, request: CapabilitiesExchangeRequest, result: ResultCode
) -> CapabilitiesExchangeAnswer:
    return CapabilitiesExchangeAnswer(
        flags=ERROR if is_protocol_error(result) else 0,
        hop_by_hop=request.hop_by_hop,
        end_to_end=request.end_to_end,
        result_code=result,
        origin_host=us.origin_host,
        origin_realm=us.origin_realm,
        host_addresses=us.addresses,
        vendor_id=us.vendor_id,
        product_name=us.product_name,
        origin_state_id=us.origin_state_id,
        supported_vendor_ids=us.vendor_ids,
        auth_application_ids=us.applications,
        inband_security_ids=(NO_INBAND_SECURITY,),
    )


def watchdog(us: Identity, identifiers: Identifiers) -> DeviceWatchdogRequest:
    return DeviceWatchdogRequest(REQUEST, *identifiers, us.origin_host, us.origin_realm, us.origin_state_id)


def farewell(us: Identity, identifiers: Identifiers, cause: DisconnectCause) -> DisconnectPeerRequest:
    return DisconnectPeerRequest(REQUEST, *identifiers, us.origin_host, us.origin_realm, cause)


def courtesy(us: Identity, made: type[NeighbourAnswer], request: Message | None) -> NeighbourAnswer:
    """Return the answer to a watchdog or disconnection request."""
    assert request is not None, "an answer has a request"
    return made(
        flags=0,
        hop_by_hop=request.hop_by_hop,
        end_to_end=request.end_to_end,
        result_code=ResultCode.SUCCESS,
        origin_host=us.origin_host,
        origin_realm=us.origin_realm,
        origin_state_id=us.origin_state_id if made is DeviceWatchdogAnswer else None,
    )
