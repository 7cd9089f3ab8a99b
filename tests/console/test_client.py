"""What the command line does with a server that takes its time."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import click
import pytest
from tests.patience import PATIENCE_S

from qanat.console.client import Client

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


def test_who_asks_for_what_takes_its_time_waits_for_it_and_others_give_up() -> None:
    """The one who waits was there before and is answered only after the other has given up."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(PATIENCE_S)
        client = Client(url=f"http://127.0.0.1:{listener.getsockname()[1]}", token="")
        waiting = pool.submit(client.get, "/v1/audit", within_s=None)
        with listener.accept()[0] as asked:
            with pytest.raises(click.ClickException, match="did not answer"):
                client.get("/v1/audit", within_s=0.05)
            asked.sendall(_ANSWER)
            assert waiting.result(PATIENCE_S) == {}
