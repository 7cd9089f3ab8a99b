from __future__ import annotations

import pytest

from qanat.agents.channel import Server, read_server
from qanat.errors import BadInput


def test_a_server_is_a_scheme_a_host_and_the_schemes_port_unless_one_is_named() -> None:
    assert read_server("http://[::1]:8080") == Server("http", "::1", 8080)
    assert read_server("https://qanat.example/") == Server("https", "qanat.example", 443)


@pytest.mark.parametrize(
    "url", ["http://::1:8080", "http://[::1", "http://[zz]:1", "http://", "ftp://a", "http://a:99999"]
)
def test_an_address_that_is_none_is_refused_with_the_value_and_how_to_write_one(url: str) -> None:
    with pytest.raises(BadInput) as bad:
        read_server(url)
    assert repr(url) in str(bad.value)
    assert "write http://HOST:PORT or https://HOST, and an IPv6 address in brackets" in str(bad.value)
