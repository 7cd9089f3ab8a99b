"""Gy over TLS, with certificates made for the occasion."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.gy.gateway import Gateway, accepted, balance, funded
from tests.server.live import Live, live_server, settings_for


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Live]:
    """A server that speaks Gy over TLS only, and wants a certificate; the peers' is the server's own here."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ocs.qanat.test"]
    subprocess.run([*made, "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, check=True, capture_output=True)
    gy = {
        "listen": "",
        "tls_listen": "127.0.0.1:0",
        "tls_certificate": f"{tmp_path}/cert.pem",
        "tls_key": f"{tmp_path}/key.pem",
        "tls_authorities": f"{tmp_path}/cert.pem",
    }
    with live_server(tmp_path, settings_for(tmp_path, gy=gy)) as live:
        yield live


def over_tls(live: Live, folder: Path, *, certificate: bool) -> Gateway:
    context = ssl.create_default_context(cafile=folder / "cert.pem")
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    gateway = Gateway(live)
    gateway.socket = context.wrap_socket(gateway.socket)
    return gateway


def test_a_session_over_tls_with_a_certificate_of_the_peers(secure: Live, tmp_path: Path) -> None:
    funded(secure)
    accepted(secure)
    with over_tls(secure, tmp_path, certificate=True) as smf:
        assert smf.introduce().result_code == 2001
        assert smf.ask("I").result_code == 2001
        assert smf.ask("T", used=(10, 20)).result_code == 2001
    assert balance(secure) == (10**9 - 30, 0, 30)


def test_a_peer_without_a_certificate_is_not_let_in_where_one_is_wanted(secure: Live, tmp_path: Path) -> None:
    with over_tls(secure, tmp_path, certificate=False) as stranger, pytest.raises((ssl.SSLError, ConnectionError)):
        stranger.introduce()


def test_plain_octets_on_the_tls_port_are_closed(secure: Live) -> None:
    with Gateway(secure) as plain, pytest.raises(ConnectionError):
        plain.introduce()
