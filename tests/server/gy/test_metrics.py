"""What the server counts about itself while a gateway asks."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from tests.server.gy.gateway import Gateway
from tests.server.live import Live


def samples(live: Live) -> dict[tuple[str, str], float]:
    """Return every sample by its name and the value of its only label, if it has one."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(live.get("/metrics").text)
        for sample in family.samples
    }


def test_answers_by_result_code_octets_used_and_the_time_of_commits_are_counted(live: Live, smf: Gateway) -> None:
    before = samples(live)
    smf.ask("I")
    smf.ask("U", used=(1_000, 234))
    smf.ask("U", number=7, imsi="999990000000009")
    after = samples(live)
    assert after["qanat_gy_answers_total", "2001"] == before.get(("qanat_gy_answers_total", "2001"), 0) + 2
    assert after["qanat_gy_answers_total", "5030"] == 1
    assert after["qanat_octets_used_total", ""] == 1_234
    assert (after["qanat_gy_connections", ""], after["qanat_gy_requests_in_flight", ""]) == (1, 0)
    assert after["qanat_store_commit_seconds_count", ""] == after["qanat_store_batches_total", ""]
    assert after["qanat_store_commit_seconds_bucket", "+Inf"] == after["qanat_store_commit_seconds_count", ""]
    assert 0 < after["qanat_store_commit_seconds_sum", ""] < 60
    assert after["process_resident_memory_bytes", ""] > 0
