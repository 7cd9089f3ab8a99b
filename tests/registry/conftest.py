from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.registry.world import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    assert made.audit().problems == []
    made.close()
