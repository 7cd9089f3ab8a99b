"""The dashboard and the alerts ask for what a real server shows, in a language that Prometheus reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.console.running import Serving, Shell, serving
from tests.namespaces import can_make_namespaces
from tests.patience import PATIENCE_S

CONTRIB = Path(__file__).parents[2] / "contrib"
UNIT = CONTRIB / "systemd" / "qanat-server.service"
RULES = CONTRIB / "prometheus" / "qanat.rules.yml"
DASHBOARD: dict[str, Any] = json.loads((CONTRIB / "grafana" / "qanat.json").read_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(Shell(tmp_path_factory.mktemp("server")), "--gy", "127.0.0.1:0") as started:
        yield started


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """Return what the dashboard asks, with its variables filled in."""
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    asked += [one["expr"] for one in dashboard["annotations"]["list"]]
    return [one.replace("$__rate_interval", "1m").replace("$instance", ".*") for one in asked]


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:qanat|process)_[a-z_]+\b", text))


def shown_by(server: Serving) -> set[str]:
    shown = httpx2.get(f"{server.url}/metrics", trust_env=False).text
    kinds = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", shown))
    return set(kinds) | {f"{name}_bucket" for name, kind in kinds.items() if kind == "histogram"}


@pytest.mark.parametrize("text", [RULES.read_text(), *expressions(DASHBOARD)])
def test_every_metric_asked_for_is_one_that_a_server_shows(server: Serving, text: str) -> None:
    assert metrics_in(text) <= shown_by(server)
    assert metrics_in(text)


def test_every_metric_that_a_document_names_is_one_that_a_server_shows(server: Serving) -> None:
    named = {
        (page.name, name)
        for page in [*CONTRIB.parent.glob("*.md"), *CONTRIB.parent.glob("docs/**/*.md"), *CONTRIB.glob("**/*.md")]
        for name in metrics_in(page.read_text(encoding="utf-8"))
    }
    known = shown_by(server)
    assert named
    assert [(page, name) for page, name in sorted(named) if name not in known] == []


@pytest.mark.namespaces
def test_the_servers_unit_hides_nothing_that_its_metrics_are_read_from(tmp_path: Path) -> None:
    """With as much of /proc as the unit leaves."""
    if not can_make_namespaces():
        pytest.skip("needs namespaces")
    unit = dict(re.findall(r"(?m)^(\w+)=(.*)$", UNIT.read_text()))
    leaves = f"hidepid={unit['ProtectProc']}" + (",subset=pid" if unit.get("ProcSubset") == "pid" else "")
    mounted = ("sh", "-c", f'mount -t proc -o {leaves} proc /proc && exec "$@"', "sh")
    behind = ("unshare", "--mount", "--pid", "--fork", "--kill-child", *mounted)
    with serving(Shell(tmp_path), behind=behind) as server:
        shown = httpx2.get(f"{server.url}/metrics", trust_env=False).text
    asked = metrics_in(" ".join([RULES.read_text(), *expressions(DASHBOARD)]))
    assert {name for name in asked if name.startswith("process_")} <= metrics_in(shown)


def test_no_two_panels_share_an_id_or_a_place() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for panel in panels
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


def promtool(*words: str | Path) -> str:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool (Debian: prometheus)")
    done = subprocess.run(
        ["promtool", *map(str, words)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_the_alerts_and_they_ring_when_they_should() -> None:
    promtool("check", "config", CONTRIB / "prometheus" / "prometheus.yml")
    assert "SUCCESS" in promtool("test", "rules", CONTRIB / "prometheus" / "qanat.rules.test.yml")
    played = (CONTRIB / "prometheus" / "qanat.rules.test.yml").read_text()
    assert [
        name for name in re.findall(r"alert: (\w+)", RULES.read_text()) if f"alertname: {name}\n" not in played
    ] == []


def test_prometheus_reads_what_the_dashboard_asks(tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:asked:{place}", "expr": asked} for place, asked in enumerate(expressions(DASHBOARD))
    ]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", tmp_path / "rules.json")
