"""The answer to a request that could not be read or served: there is always one.

It repeats what the sender needs to match it (Session-Id, Proxy-Info, identifiers; for credit control also type and
number), as far as the request can be walked. Source: RFC 6733 §7.2, §6.2.
"""

from __future__ import annotations

from qanat.wire.diameter.dictionary import BY_NAME
from qanat.wire.diameter.encode import encode_as
from qanat.wire.diameter.header import HEADER, HEADER_OCTETS
from qanat.wire.diameter.messages import ERROR, PROXIABLE, REQUEST, ErrorAnswer
from qanat.wire.diameter.results import Malformed, is_protocol_error
from qanat.wire.diameter.walk import rescue

_FAILED_AVP = BY_NAME["Failed-AVP"]


def refuse(octets: bytes, fault: Malformed, *, origin_host: str, origin_realm: str) -> bytes | None:
    """Return the answer to a request at fault; None for an answer, or for too few octets to be either."""
    if len(octets) < HEADER_OCTETS:
        return None
    _, word, application, hop_by_hop, end_to_end = HEADER.unpack_from(octets)
    flags = word >> 24
    if not flags & REQUEST:
        return None
    found, proxies = rescue(octets)
    answer = ErrorAnswer(
        flags=flags & PROXIABLE | (ERROR if is_protocol_error(fault.result_code) else 0),
        hop_by_hop=hop_by_hop,
        end_to_end=end_to_end,
        session_id=_text(found.get("Session-Id")),
        result_code=fault.result_code,
        origin_host=origin_host,
        origin_realm=origin_realm,
        auth_application_id=_number(found.get("Auth-Application-Id")),
        cc_request_type=_number(found.get("CC-Request-Type"), signed=True),  # an enumeration is an Integer32
        cc_request_number=_number(found.get("CC-Request-Number")),
        error_message=str(fault)[:255],
        failed_avps=(_FAILED_AVP.encode(fault.failed_avp),) if fault.failed_avp else (),
        proxy_infos=proxies,
    )
    return encode_as(answer, command=word & 0xFFFFFF, application=application)


def _text(payload: bytes | None) -> str | None:
    try:
        return None if payload is None else payload.decode()
    except UnicodeDecodeError:
        return None


def _number(payload: bytes | None, *, signed: bool = False) -> int | None:
    return int.from_bytes(payload, "big", signed=signed) if payload is not None and len(payload) == 4 else None
