"""Messages the tests share: gateways' requests by profile, and vectors read from files."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from qanat.units import Instant
from qanat.wire.diameter import profiles
from qanat.wire.diameter.groups import Mscc, Units
from qanat.wire.diameter.messages import CreditControlAnswer
from qanat.wire.diameter.values import CcRequestType, ReportingReason

VECTORS = Path(__file__).parent / "vectors"
GATEWAY = profiles.Gateway(
    origin_host="smf.open5gs.test",
    origin_realm="open5gs.test",
    destination_realm="qanat.test",
    address=IPv4Address("192.0.2.7"),
)
FIRST = profiles.Interrogation(
    kind=CcRequestType.INITIAL,
    number=0,
    session_id="smf.open5gs.test;1700000000;1;app_gy",
    imsi="001010000000001",
    msisdn="37060000001",
    at=Instant(1_700_000_000_000),
    hop_by_hop=0x1001,
    end_to_end=0x2002,
)
UPDATE = replace(
    FIRST,
    kind=CcRequestType.UPDATE,
    number=1,
    input_octets=123_456,
    output_octets=9_876_543_210,
    time_s=60,
    destination_host="ocs.qanat.test",
)
FINAL = replace(UPDATE, kind=CcRequestType.TERMINATION, number=2, reason=ReportingReason.FINAL)
INTERROGATIONS = {"first": FIRST, "update": UPDATE, "final": FINAL}
BUILT = {
    f"{profile.__name__}_{name}": profile(GATEWAY, asked)
    for profile in (profiles.open5gs, profiles.magma)
    for name, asked in INTERROGATIONS.items()
}
ANSWER = CreditControlAnswer(
    flags=0x40,
    hop_by_hop=0x1001,
    end_to_end=0x2002,
    session_id="smf.open5gs.test;1700000000;1;app_gy",
    result_code=2001,
    origin_host="ocs.qanat.test",
    origin_realm="qanat.test",
    auth_application_id=4,
    cc_request_type=CcRequestType.UPDATE,
    cc_request_number=1,
    services=(
        Mscc(
            granted=Units(total=10_000_000),
            rating_group=1,
            validity_time_s=600,
            result_code=2001,
            volume_quota_threshold=2_000_000,
        ),
    ),
)


def vector(name: str) -> bytes:
    """Read a vector: hexadecimal octets, with a remark after ``#`` on each line."""
    lines = (VECTORS / f"{name}.txt").read_text().splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


def vector_names() -> list[str]:
    return sorted(path.stem for path in VECTORS.glob("*.txt"))
