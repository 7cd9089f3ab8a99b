"""What reading and writing one Diameter message costs, in microseconds of processor time.

``python -m qanat.bench.codec`` prints the median of several runs for each row. The messages are those of the Open5GS
profile; every decoded message differs from the one before in its identifiers and amounts, as on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import cycle
from statistics import median
from time import process_time
from typing import Any, Final

from qanat.units import Instant
from qanat.wire.diameter import profiles
from qanat.wire.diameter.codec import Decoder
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.groups import Mscc, Units
from qanat.wire.diameter.messages import CreditControlAnswer, CreditControlRequest
from qanat.wire.diameter.stencil import stencil
from qanat.wire.diameter.values import CcRequestType
from qanat.wire.diameter.walk import walk

RUNS: Final = 5
ROUNDS: Final = 40_000
GATEWAY: Final = profiles.Gateway(
    origin_host="smf.open5gs.test",
    origin_realm="open5gs.test",
    destination_realm="qanat.test",
    address=IPv4Address("192.0.2.7"),
)


def interrogation(kind: CcRequestType, place: int) -> profiles.Interrogation:
    return profiles.Interrogation(
        kind=kind,
        number=place,
        session_id=f"smf.open5gs.test;1700000000;{place:06};app_gy",
        imsi=f"00101{place:010}",
        msisdn=f"3706{place:07}",
        at=Instant(1_700_000_000_000 + place),
        hop_by_hop=place,
        end_to_end=place + 1,
        input_octets=place * 1_000,
        output_octets=place * 9_000,
        time_s=60,
        destination_host="ocs.qanat.test",
    )


def answer(place: int) -> CreditControlAnswer:
    return CreditControlAnswer(
        flags=0x40,
        hop_by_hop=place,
        end_to_end=place + 1,
        session_id=f"smf.open5gs.test;1700000000;{place:06};app_gy",
        result_code=2001,
        origin_host="ocs.qanat.test",
        origin_realm="qanat.test",
        auth_application_id=4,
        cc_request_type=CcRequestType.UPDATE,
        cc_request_number=place,
        services=(
            Mscc(granted=Units(total=10**7), validity_time_s=600, result_code=2001, volume_quota_threshold=2 * 10**6),
        ),
    )


def microseconds(work: Callable[[Any], object], items: list[Any]) -> float:
    """Return the median over the runs of what one call costs."""

    def run() -> float:
        wheel = cycle(items)
        begin = process_time()
        for _, item in zip(range(ROUNDS), wheel, strict=False):
            work(item)
        return (process_time() - begin) / ROUNDS * 1e6

    return median(run() for _ in range(RUNS))


def main() -> None:
    places = range(1, 257)
    requests = [profiles.open5gs(GATEWAY, interrogation(CcRequestType.UPDATE, place)) for place in places]
    typed = [message for message in map(walk, requests) if isinstance(message, CreditControlRequest)]
    decoder = Decoder()
    fill = stencil(requests[0], "Session-Id", "CC-Request-Number", "Subscription-Id-Data", "CC-Input-Octets")
    amounts = "CC-Total-Octets", "Validity-Time", "Volume-Quota-Threshold"
    fill_answer = stencil(encode(answer(1)), "Session-Id", "CC-Request-Number", *amounts)
    strangers = [
        profiles.open5gs(replace(GATEWAY, origin_host=f"smf{place:05}.test"), interrogation(CcRequestType.UPDATE, 1))
        for place in range(8_192)
    ]
    rows: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
        "an empty call, the method's own cost": (len, requests),
        "decode CCR-U, plain walk": (walk, requests),
        "decode CCR-U, layouts": (decoder.decode, requests),
        "decode CCR-U, every shape new": (Decoder().decode, strangers),
        "encode CCA": (encode, [answer(place) for place in places]),
        "fill in a CCA stencil": (
            lambda told: fill_answer(1, 2, told.session_id.encode(), told.cc_request_number, 10**7, 600, 2 * 10**6),
            [answer(place) for place in places],
        ),
        "encode CCR-U from its typed form": (encode, typed),
        "encode CCR-U by profile": (
            lambda asked: profiles.open5gs(GATEWAY, asked),
            [interrogation(CcRequestType.UPDATE, place) for place in places],
        ),
        "fill in a CCR-U stencil": (
            lambda asked: fill(1, 2, asked.session_id.encode(), asked.number, asked.imsi.encode(), asked.input_octets),
            [interrogation(CcRequestType.UPDATE, place) for place in places],
        ),
    }
    print(f"CCR-U: {len(requests[0])} octets; CCA: {len(encode(answer(1)))} octets; median of {RUNS} runs of {ROUNDS}")
    for title, (work, items) in rows.items():
        print(f"{microseconds(work, items):8.2f} µs  {title}")


if __name__ == "__main__":
    main()
