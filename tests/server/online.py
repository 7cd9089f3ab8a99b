"""Subscribers with a terminal online, for tests of what staff sees."""

from __future__ import annotations

from tests.server.live import Device, Live, interrogation


def enrolled(live: Live, name: str, *, octets: int = 1_000_000, seed: int = 1, operator: str = "home") -> Device:
    """Create a subscriber with octets and a terminal."""
    live.done("/v1/sims", {"count": 1, "operator": operator, "imsi_prefix": f"0010{seed}"})
    live.done("/v1/subscribers", {"name": name, "operator": operator})
    if octets:
        live.done(f"/v1/subscribers/{name}/top-ups", {"octets": octets})
    device = Device(live, seed=seed)
    assert (
        device.enrol(live.done(f"/v1/subscribers/{name}/codes", {})["code"], serial=f"imei-{seed}").status_code == 201
    )
    return device


def go_online(device: Device, session: str, *, wants: int = 400_000) -> None:
    answer = device.send("POST", "/v1/agent/interrogations", interrogation(session, 0, "first", wants=wants))
    assert answer.status_code == 200, answer.text
