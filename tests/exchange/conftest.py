from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.exchange.world import World


@pytest.fixture(params=[True, False], ids=["in one commit", "by post"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(one_commit=request.param)
    yield made
    made.deliver()
    assert made.desk.audit().problems == []
