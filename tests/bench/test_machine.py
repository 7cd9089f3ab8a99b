"""What is printed beside every figure."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from qanat.bench.machine import describe


@pytest.mark.parametrize(
    ("idle_poll_us", "said"),
    [
        pytest.param(None, "2 cores, Linux", id="no such governor"),
        pytest.param(0, "2 cores that halt at once, Linux", id="woken by the host each time"),
        pytest.param(200, "2 cores that look for work for 200 µs before they halt, Linux", id="polling"),
    ],
)
def test_what_idle_processors_do_is_said_since_it_decides_how_long_one_request_takes(
    tmp_path: Path, idle_poll_us: int | None, said: str
) -> None:
    machine = replace(describe(tmp_path), cores=2, idle_poll_us=idle_poll_us)
    assert str(machine).startswith(said)
