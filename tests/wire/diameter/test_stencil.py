"""A filled stencil is the message the profile would have built."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.wire.diameter import samples

from qanat.wire.diameter import profiles
from qanat.wire.diameter.stencil import stencil


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        (
            profiles.open5gs,
            ("Session-Id", "CC-Request-Number", "Subscription-Id-Data", "CC-Input-Octets", "CC-Output-Octets"),
        ),
        (
            profiles.magma,
            (
                "Session-Id",
                "CC-Request-Number",
                "Subscription-Id-Data",
                "CC-Total-Octets",
                "CC-Input-Octets",
                "CC-Output-Octets",
            ),
        ),
    ],
)
def test_filling_in_other_values_gives_what_the_profile_builds(
    profile: profiles.Profile, names: tuple[str, ...]
) -> None:
    fill = stencil(profile(samples.GATEWAY, samples.UPDATE), *names)
    asked = replace(
        samples.UPDATE,
        session_id="smf.open5gs.test;1700000000;2;app_gy",
        number=5,
        # The last six digits also go into the charging identifier and the address, which this stencil keeps.
        imsi="001020000000001",
        input_octets=1,
        output_octets=2**40,
        hop_by_hop=77,
        end_to_end=78,
    )
    total = (1 + 2**40,) if "CC-Total-Octets" in names else ()
    filled = fill(77, 78, asked.session_id.encode(), 5, asked.imsi.encode(), *total, 1, 2**40)
    kept = replace(asked, imsi=samples.UPDATE.imsi)
    expected = profile(samples.GATEWAY, kept).replace(samples.UPDATE.imsi.encode(), asked.imsi.encode())
    assert filled == expected


def test_an_avp_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="Termination-Cause"):
        stencil(samples.BUILT["open5gs_first"], "Session-Id", "Termination-Cause")
