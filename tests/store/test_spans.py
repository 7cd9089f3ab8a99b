from __future__ import annotations

from qanat.store.spans import BOUNDS_S, Spans


def test_a_span_is_counted_at_its_bound_and_at_all_above() -> None:
    spans = Spans()
    for span_s in (0.0, 0.0001, 0.0002, 1.0, 60.0):
        spans.add(span_s)
    cumulative = dict(spans.cumulative())
    assert [cumulative[bound] for bound in ("0.0001", "0.00025", "0.5", "1.0", "2.5", "+Inf")] == [2, 3, 3, 4, 4, 5]
    assert len(cumulative) == len(BOUNDS_S) + 1
    assert spans.total_s == 61.0003
