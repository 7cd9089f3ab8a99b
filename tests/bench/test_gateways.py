"""The gateways of the load client."""

from __future__ import annotations

from qanat.bench.gateways import due_after


def test_a_request_may_be_sent_the_moment_it_is_due_and_not_before() -> None:
    assert [due_after(elapsed_s, 100) for elapsed_s in (0, 0.0099, 0.01, 0.0199, 0.5)] == [1, 1, 2, 2, 51]
