"""Sessions over TCP, as gateways hold them."""

from __future__ import annotations

from tests.server.gy.gateway import Gateway, accepted, balance, funded
from tests.server.live import Live


def test_a_session_of_open5gs_is_granted_charged_and_closed_to_the_octet(live: Live) -> None:
    funded(live)
    accepted(live)
    with Gateway(live) as smf:
        assert smf.introduce().result_code == 2001
        first = smf.ask("I")
        assert first.result_code == 2001
        (service,) = first.services
        assert service.result_code == 2001
        assert service.granted.total == 10_000_000
        assert service.volume_quota_threshold == 2_000_000
        assert service.validity_time_s == 3600
        update = smf.ask("U", used=(1_000, 2_000))
        assert update.services[0].granted.total == 10_000_000
        assert balance(live) == (10**9 - 3_000 - 10_000_000, 10_000_000, 3_000)
        final = smf.ask("T", used=(7, 0))
        assert final.result_code == 2001
        assert balance(live) == (10**9 - 3_007, 0, 3_007)
