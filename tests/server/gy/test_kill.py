"""kill -9 of the server under load, over the real command and a real disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import qanat
from qanat.bench.gy import bench_gy


def test_a_server_killed_under_load_loses_and_doubles_nothing_and_leaves_nothing_reserved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(qanat.__file__).parents[1]))
    said: list[str] = []
    measured = asyncio.run(
        bench_gy(
            tmp_path,
            seconds=2,
            connections=2,
            in_flight=4,
            subscribers=8,
            hot=False,
            rate=None,
            kill=True,
            tell=said.append,
        )
    )
    assert measured.conserved, said
    assert measured.requests > 100
