"""A base station with its agent and a server that is made up; or a town, where all of it is real."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.agents.base_station.fake_exchange import FakeExchange
from tests.agents.base_station.scene import SERVER, Scene, build_scene
from tests.agents.base_station.town import Town, found_town, open_town
from tests.agents.operator import Operator
from tests.namespaces import can_make_namespaces

from qanat.agents.base_station.enrol import enrol
from qanat.system import SystemClock


@pytest.fixture
def scene() -> Iterator[Scene]:
    _skip_without_namespaces()
    with closing(build_scene()) as made:
        yield made


@pytest.fixture
def server(scene: Scene) -> Iterator[FakeExchange]:
    with scene.internet.inside():
        operator = Operator(bought=50_000_000, quota_octets=5_000_000, report_interval_s=1)
        made = FakeExchange(operator, host=SERVER, port=7443, clock=SystemClock())
    yield made
    made.close()


@pytest.fixture
def state(scene: Scene, server: FakeExchange, tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with scene.station.inside():
        enrol(
            folder,
            server=server.url,
            code="CODE-1",
            access="br0",
            uplink="up0",
            place="Café Zürich <1>",
            serial=None,
            clock=SystemClock(),
        )
    return folder


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a town, made once by its own server and agents; every town begins with a copy."""
    _skip_without_namespaces()
    folder = tmp_path_factory.mktemp("founded")
    with closing(build_scene()) as scene:
        found_town(scene, folder)
    return folder


@pytest.fixture
def town(scene: Scene, founded: Path, tmp_path: Path) -> Iterator[Town]:
    with open_town(scene, Path(shutil.copytree(founded, tmp_path / "town"))) as opened:
        yield opened


def _skip_without_namespaces() -> None:
    if not can_make_namespaces():
        pytest.skip("needs root, or `unshare --user --map-root-user --net --mount make test`")
